"""First stage: copies every record of a source into `raw.records` once, valid or not.

Blobs only grow, so a record is new if its line number is above the highest landed line of its blob. The raw table
alone decides what has landed; `raw.files` only avoids reading unchanged blobs. So a run may be killed at any point.

Each append creates a new batch, and only if no other run has created that batch: of two concurrent runs, one starts
over and sees what the other has landed.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehunt.core.errors import LakehuntError
from lakehunt.core.progress import Progress
from lakehunt.lake.delta_lake import KILLED_AFTER, Lake
from lakehunt.lake.retry import ATTEMPTS
from lakehunt.landing import ledger, refused_files
from lakehunt.landing.ledger import FileRecord, IngestResult
from lakehunt.landing.settings import FileLimits
from lakehunt.landing.spark import line_numbers
from lakehunt.landing.spark.blob_reader import BlobReader, BlobSet
from lakehunt.landing.spark.blob_store import Store
from lakehunt.landing.spark.parsing import RAW_COLUMNS, LineParser
from lakehunt.schemas.landing_tables import FILES, RECORDS
from lakehunt.sources import listing

_STAGING = "_staging-"
"""Prefix of the folder for unpacked files; each run has its own."""


@dataclass(frozen=True)
class LandedBatch:
    """A batch, with its records as `LineParser` returns them."""

    number: int
    landed_at: datetime
    records: DataFrame


@dataclass(frozen=True)
class _Appended:
    """A batch's records and its highest line by file. No records: there was nothing to append."""

    counts: dict[str, int]
    highest: dict[str, int]
    batch: LandedBatch


class _OvertakenError(Exception):
    """Another run has created the batch that this run was about to create."""


class Landing:
    """Lands sources into raw. `keep`: their parsed records are kept, so that promotion need not parse them again."""

    def __init__(self, lake: Lake, parser: LineParser, say: Progress, limits: FileLimits, keep: bool) -> None:
        self._lake, self._parser, self._say, self._keep = lake, parser, say, keep
        self._reader = BlobReader(lake.spark, Store(lake.spark), limits)

    def land(self, source: str, landed_at: datetime) -> tuple[IngestResult, list[LandedBatch]]:
        """Lands new records of `source`: a folder, a glob or a file of blobs. Returns what was landed, and the new
        batches.

        `landed_at` is stored with the records. Raises LakehuntError, before writing anything, if the source does not
        exist or has no files."""
        for _ in range(ATTEMPTS):
            try:
                return self._land(source, landed_at)
            except _OvertakenError:
                self._say("another run has landed records meanwhile: looking again")
        raise LakehuntError(f"other runs keep landing records into {self._lake.root}", "let one run land at a time")

    def _land(self, source: str, landed_at: datetime) -> tuple[IngestResult, list[LandedBatch]]:
        store, newest = (
            self._reader.store,
            newest_batch(self._lake),
        )  # read first, so that a concurrent append is detected
        found = listing.find(self._lake.spark, source)
        known, recorded = ledger.newest(self._lake.few(FILES))
        changed, shrunk, unchanged = ledger.changed_since(found, known)
        self._say(f"{len(found)} files in {source}: {len(changed)} new or changed")
        store.remove_old(f"{self._lake.root}/raw", _STAGING, KILLED_AFTER)
        staging = f"{self._lake.root}/raw/{_STAGING}{secrets.token_hex(8)}"
        try:
            with line_numbers.stable_splits(self._lake.spark):
                blob_set = self._reader.open(changed, staging)
                landed = self._landed_lines(known, recorded, landed_at)
                appended, pending = self._append_new(blob_set, landed, newest, landed_at)
        finally:
            store.remove(staging)
        batch = newest + len(appended)
        self._record(blob_set, pending, batch, landed_at)
        delivered = sum(sum(one.counts.values()) for one in appended)
        self._say(f"{delivered} new records from {len(blob_set.blobs)} files")
        unreadable = dict([*shrunk, *blob_set.unreadable])
        resolved = refused_files.record(self._lake, found, unreadable, landed_at)
        last = {blob.path: pending.get(blob.path) for blob in blob_set.blobs}
        result = ledger.result(batch, delivered, last, unchanged, known, unreadable, resolved)
        return result, [one.batch for one in appended]

    def _landed_lines(self, known: Mapping[str, FileRecord], recorded: int, landed_at: datetime) -> dict[str, int]:
        """The highest landed line of each blob (see `ledger.landed_lines`)."""
        if not self._lake.exists(RECORDS.name):
            return {}
        unrecorded = self._lake.rows(RECORDS).where(F.col("batch") > recorded).groupBy("file")
        missed = unrecorded.agg(F.max("line").alias("line"), F.max("batch").alias("batch")).collect()
        landed, rows = ledger.landed_lines(known, [(row.file, row.line, row.batch) for row in missed], landed_at)
        if rows:
            self._lake.append(FILES, rows)
        return landed

    def _append_new(
        self, blob_set: BlobSet, landed: Mapping[str, int], newest: int, landed_at: datetime
    ) -> tuple[list[_Appended], dict[str, int]]:
        """Appends new records as batches after `newest`. Returns the batches, and the incomplete last lines."""
        if not any(total > landed.get(path, 0) for path, total in blob_set.lines.items()):
            return [], {}
        new = blob_set.above(landed).withColumn("may_be_cut", F.col("is_last") & F.col("may_grow"))
        first = self._append(new, newest + 1, landed_at)
        tails = {
            blob.path: blob_set.lines[blob.path]
            for blob in blob_set.blobs
            if blob.may_grow
            and blob_set.lines[blob.path] > max(landed.get(blob.path, 0), first.highest.get(blob.path, 0))
        }
        appended = [first] if first.counts else []
        tail, pending = self._append_complete_tails(blob_set, tails, newest + 1 + len(appended), landed_at)
        return [*appended, *([tail] if tail is not None and tail.counts else [])], pending

    def _append_complete_tails(
        self, blob_set: BlobSet, tails: Mapping[str, int], batch: int, landed_at: datetime
    ) -> tuple[_Appended | None, dict[str, int]]:
        """Lands the last lines that looked incomplete (`tails`, by blob) but are not: a line end follows, and the blob
        has not grown. A blob that grew while it was read may have been cut anywhere. Returns the batch, and the lines
        that are still pending."""
        complete = [blob for blob in blob_set.blobs if blob.path in tails and self._reader.store.ends_line(blob)]
        appended = None
        if complete:
            again = self._reader.read(complete)
            complete = list(again.blobs)  # without those that have become unreadable meanwhile
            last = again.above({blob.path: tails[blob.path] - 1 for blob in complete})
            ends = F.create_map(*(F.lit(item) for blob in complete for item in (blob.path, tails[blob.path])))
            try:
                whole = last.where(F.col("line") == ends[F.col("file")]).withColumn("may_be_cut", F.lit(False))
                appended = self._append(whole, batch, landed_at)
            except _OvertakenError:
                complete = []  # left for the next run
        done = {blob.path for blob in complete}
        return appended, {path: line for path, line in tails.items() if path not in done}

    def _append(self, new: DataFrame, batch: int, landed_at: datetime) -> _Appended:
        """Parses new lines and appends their records as one batch.

        Raises _OvertakenError, before writing anything, if another run has created the batch."""
        lines = new.withColumn("value", F.col("value").cast("binary"))
        # Not `persist`, which keeps the plan: planning it again for each of a dozen queries costs more than they do. If
        # an executor is lost, its partitions are lost too, and the run has to be repeated.
        records = self._parser.records(lines).localCheckpoint() if self._keep else self._parser.raw(lines)
        rows = records.select(*(column.name for column in RAW_COLUMNS))
        rows = rows.withColumns({"batch": F.lit(batch), "landed_at": F.lit(landed_at)})
        self._lake.append_unless(RECORDS, rows, [("batch", ">=", batch)])
        stored = self._lake.rows(RECORDS).where(F.col("batch") >= batch)
        ours = (F.col("batch") == batch) & (F.col("landed_at") == F.lit(landed_at))
        per_file = stored.groupBy("file", ours.alias("ours"))
        found = per_file.agg(F.count(F.lit(1)).alias("records"), F.max("line").alias("line")).collect()
        made = [row for row in found if row.ours]
        if found and not made:
            raise _OvertakenError
        counts = {row.file: row.records for row in made}
        return _Appended(counts, {row.file: row.line for row in made}, LandedBatch(batch, landed_at, records))

    def _record(self, blob_set: BlobSet, pending: Mapping[str, int], batch: int, landed_at: datetime) -> None:
        rows = [
            ledger.row_of(blob, blob_set.lines[blob.path], pending.get(blob.path), batch, landed_at)
            for blob in blob_set.blobs
        ]
        if rows:
            self._lake.append(FILES, rows)


def newest_batch(lake: Lake) -> int:
    """The number of the newest batch in raw; 0 if there is none."""
    return lake.rows(RECORDS).agg(F.coalesce(F.max("batch"), F.lit(0))).collect()[0][0]  # type: ignore[no-any-return]
