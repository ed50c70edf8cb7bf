"""First stage: copies every record of a source into `raw.records` once, valid or not.

Blobs only grow, so a record is new if its line number is above the highest landed line of its blob. The raw table
alone decides what has landed; `raw.files` only avoids reading unchanged blobs. So a run may be killed at any point.

Each append creates a new batch, and only if no other run has created that batch: of two concurrent runs, one starts
over and sees what the other has landed.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehunt.core.errors import LakehuntError
from lakehunt.core.progress import Progress
from lakehunt.lake.delta_lake import KILLED_AFTER, Lake
from lakehunt.lake.retry import ATTEMPTS
from lakehunt.landing import ledger, line_numbers, refused_files
from lakehunt.landing.blob_reader import BlobReader, BlobSet
from lakehunt.landing.blob_store import Store
from lakehunt.landing.ledger import FileRecord, IngestResult
from lakehunt.landing.settings import FileLimits
from lakehunt.schemas.landing_tables import FILES, RECORDS
from lakehunt.sources import base as sources
from lakehunt.sources.base import Source

_STAGING = "_staging-"
"""Prefix of the folder for unpacked files; each run has its own."""


def ingest(
    lake: Lake,
    source: str,
    landed_at: datetime,
    say: Progress,
    source_type: str = sources.DEFAULT,
    limits: FileLimits | None = None,
) -> IngestResult:
    """Lands new records of `source`: a folder, a glob or a file of blobs in the format of `source_type`.

    `landed_at` is stored with the records. Raises LakehuntError, before writing anything, if the source does not exist
    or has no files."""
    reader = BlobReader(lake.spark, Store(lake.spark), sources.named(source_type), limits or FileLimits())
    for _ in range(ATTEMPTS):
        try:
            return _ingest(lake, reader, source, landed_at, say)
        except _OvertakenError:
            say("another run has landed records meanwhile: looking again")
    raise LakehuntError(f"other runs keep landing records into {lake.root}", "let one run land at a time")


class _OvertakenError(Exception):
    """Another run has created the batch that this run was about to create."""


def _ingest(lake: Lake, reader: BlobReader, source: str, landed_at: datetime, say: Progress) -> IngestResult:
    store, newest = reader.store, _newest_batch(lake)  # read first, so that a concurrent append is detected
    found = reader.kind.find(lake.spark, source)
    known, recorded = _file_records(lake)
    changed, shrunk, unchanged = ledger.changed_since(found, known)
    say(f"{len(found)} files in {source}: {len(changed)} new or changed")
    store.remove_old(f"{lake.root}/raw", _STAGING, KILLED_AFTER)
    staging = f"{lake.root}/raw/{_STAGING}{secrets.token_hex(8)}"
    try:
        with line_numbers.stable_splits(lake.spark):
            blob_set = reader.open(changed, staging)
            landed = _landed_lines(lake, known, recorded, landed_at)
            batch, counts, pending = _land(lake, reader, blob_set, landed, newest, landed_at)
    finally:
        store.remove(staging)
    _record(lake, blob_set, pending, batch, landed_at)
    delivered = sum(counts.values())
    say(f"{delivered} new records from {len(blob_set.blobs)} files")
    waiting = [(blob.path, known[blob.path].pending) for blob in unchanged]
    unreadable = tuple(sorted([*shrunk, *blob_set.unreadable]))
    resolved = refused_files.record(lake, found, dict(unreadable), landed_at)
    return IngestResult(
        batch=batch if delivered else None,
        delivered=delivered,
        files_read=len(blob_set.blobs),
        files_unchanged=len(unchanged),
        pending=tuple(sorted([*pending.items(), *((path, line) for path, line in waiting if line is not None)])),
        unreadable=unreadable,
        resolved=resolved,
    )


def _file_records(lake: Lake) -> tuple[dict[str, FileRecord], int]:
    """The record of each blob, and the newest recorded batch."""
    return ledger.newest(lake.few(FILES))


def _landed_lines(lake: Lake, known: Mapping[str, FileRecord], recorded: int, landed_at: datetime) -> dict[str, int]:
    """The highest landed line of each blob, from the record and from batches in raw that were never recorded.

    Those batches are recorded now: the blobs of a killed run may not be in this run's source, and after this run's
    higher batch number nobody would look for them."""
    if not lake.exists(RECORDS.name):
        return {}
    unrecorded = lake.rows(RECORDS).where(F.col("batch") > recorded).groupBy("file")
    missed = unrecorded.agg(F.max("line").alias("line"), F.max("batch").alias("batch")).collect()
    landed = {path: state.lines for path, state in known.items()}
    for row in missed:
        landed[row.file] = max(landed.get(row.file, 0), row.line)
    if missed:
        rows = [ledger.missed_row(row.file, row.line, row.batch, landed_at) for row in missed]
        lake.append(FILES, rows)
    return landed


def _land(
    lake: Lake,
    reader: BlobReader,
    blob_set: BlobSet,
    landed: Mapping[str, int],
    newest: int,
    landed_at: datetime,
) -> tuple[int, dict[str, int], dict[str, int]]:
    """Appends new records as batches after `newest`. Returns the last batch, the records per file of all batches, and
    the incomplete last lines."""
    if not any(total > landed.get(path, 0) for path, total in blob_set.lines.items()):
        return newest, {}, {}
    new = blob_set.above(landed).where(
        _is_not_blank() & ~(F.col("is_last") & F.col("may_grow") & _looks_unfinished(reader.kind))
    )
    counts, highest = _append(lake, reader.kind, new, newest + 1, landed_at)
    tails = {
        blob.path: blob_set.lines[blob.path]
        for blob in blob_set.blobs
        if blob.may_grow and blob_set.lines[blob.path] > max(landed.get(blob.path, 0), highest.get(blob.path, 0))
    }
    more, pending = _land_complete_tails(lake, reader, blob_set, tails, newest + 1 + bool(counts), landed_at)
    return newest + bool(counts) + bool(more), dict(Counter(counts) + Counter(more)), pending


def _land_complete_tails(
    lake: Lake,
    reader: BlobReader,
    blob_set: BlobSet,
    tails: Mapping[str, int],
    batch: int,
    landed_at: datetime,
) -> tuple[dict[str, int], dict[str, int]]:
    """Lands the last lines that looked incomplete (`tails`, by blob) but are not: a line end follows, and the blob has
    not grown. A blob that grew while it was read may have been cut anywhere. Returns the batch's records per file, and
    the lines that are still pending."""
    complete = [blob for blob in blob_set.blobs if blob.path in tails and reader.store.ends_line(blob)]
    counts: dict[str, int] = {}
    if complete:
        again = reader.read(complete)
        complete = list(again.blobs)  # without those that have become unreadable meanwhile
        last = again.above({blob.path: tails[blob.path] - 1 for blob in complete})
        ends = F.create_map(*(F.lit(item) for blob in complete for item in (blob.path, tails[blob.path])))
        try:
            whole = last.where(_is_not_blank() & (F.col("line") == ends[F.col("file")]))
            counts, _ = _append(lake, reader.kind, whole, batch, landed_at)
        except _OvertakenError:
            complete = []  # left for the next run
    done = {blob.path for blob in complete}
    return counts, {path: line for path, line in tails.items() if path not in done}


def _is_not_blank() -> Column:
    """Whether a line is a record. Blank lines are counted but not landed."""
    return F.ltrim("value", F.lit(" \t\r")) != ""


def _looks_unfinished(kind: Source) -> Column:
    return F.ltrim("value", F.lit(" \t\r")).startswith("{") & ~kind.is_complete(F.col("value"))


def _append(
    lake: Lake, kind: Source, new: DataFrame, batch: int, landed_at: datetime
) -> tuple[dict[str, int], dict[str, int]]:
    """Appends new records as one batch. Returns its records and its highest line per file.

    Raises _OvertakenError, before writing anything, if another run has created the batch."""
    raw = new.select("file", "line", *_text_or_bytes(F.col("value"))).transform(kind.with_envelope)
    rows = raw.withColumns({"batch": F.lit(batch), "landed_at": F.lit(landed_at)})
    lake.append_unless(RECORDS, rows, [("batch", ">=", batch)])
    stored = lake.rows(RECORDS).where(F.col("batch") >= batch)
    ours = (F.col("batch") == batch) & (F.col("landed_at") == F.lit(landed_at))
    per_file = stored.groupBy("file", ours.alias("ours"))
    found = per_file.agg(F.count(F.lit(1)).alias("records"), F.max("line").alias("line")).collect()
    made = [row for row in found if row.ours]
    if found and not made:
        raise _OvertakenError
    return {row.file: row.records for row in made}, {row.file: row.line for row in made}


def _text_or_bytes(value: Column) -> tuple[Column, Column]:
    """The line without its line end: as text if it is valid UTF-8, else as bytes."""
    valid, exact = F.is_valid_utf8(value), value.cast("binary")
    line_end = F.endswith(exact, F.lit(b"\r"))
    text = F.when(line_end, F.substring(value, F.lit(1), F.length(value) - 1)).otherwise(value)
    cut = F.when(line_end, F.substring(exact, F.lit(1), F.length(exact) - 1)).otherwise(exact)
    return F.when(valid, text).alias("text"), F.when(~valid, cut).alias("bytes")


def _newest_batch(lake: Lake) -> int:
    return lake.rows(RECORDS).agg(F.coalesce(F.max("batch"), F.lit(0))).collect()[0][0]  # type: ignore[no-any-return]


def _record(lake: Lake, blob_set: BlobSet, pending: Mapping[str, int], batch: int, landed_at: datetime) -> None:
    rows = [
        ledger.row_of(blob, blob_set.lines[blob.path], pending.get(blob.path), batch, landed_at)
        for blob in blob_set.blobs
    ]
    if rows:
        lake.append(FILES, rows)
