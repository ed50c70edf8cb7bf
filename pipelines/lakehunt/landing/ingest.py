"""First stage: from a source to `raw.device_process_events`, every delivered record once, whatever it holds.

Blobs only ever grow, so a record is new if its line is above the highest landed line of its blob. What is landed is
told by the raw table alone; `raw.files` only saves reading what has not changed. So a run may be killed anywhere.

Each append makes a batch of its own, and only if nobody else has made that batch: of two runs at once, one begins
again, and sees what the other has landed.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehunt.core.errors import LakehuntError
from lakehunt.core.progress import Progress
from lakehunt.lake.delta_lake import KILLED_AFTER, Lake
from lakehunt.lake.retry import ATTEMPTS
from lakehunt.landing import line_numbers
from lakehunt.landing.blob_reader import BlobSet, open_blobs
from lakehunt.landing.blob_store import Store
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.landing_tables import FILES
from lakehunt.sources import base as sources
from lakehunt.sources.base import Source
from lakehunt.sources.blobs import EPOCH, Blob

RAW = DEVICE_PROCESS_EVENTS.raw

_STAGING = "_staging-"
"""How the folder of unpacked files begins, one for each run."""


@dataclass(frozen=True)
class IngestResult:
    """What one run found in a source."""

    batch: int | None
    """Number of the new batch in `raw.device_process_events`; None where nothing was new."""
    delivered: int
    """Records in it."""
    files_read: int
    files_unchanged: int
    pending: tuple[tuple[str, int], ...] = ()
    """File and line of each half-written last line. The run after its end has arrived lands it."""
    unreadable: tuple[tuple[str, str], ...] = ()
    """Each file that could not be read, and why. Nothing of it was landed; the next run tries again."""


@dataclass(frozen=True)
class _Known:
    """What `raw.files` says of a blob."""

    bytes: int = -1
    modified_at: int = 0  # microseconds since 1970
    lines: int = 0
    pending: int | None = None


def ingest(
    lake: Lake, source: str, landed_at: datetime, say: Progress, source_type: str = sources.DEFAULT
) -> IngestResult:
    """Lands what is new in `source`: a folder, a glob or a file of blobs, as the source of this type writes them.

    `landed_at` is the time that the records carry. Raises LakehuntError, with nothing written, where the source does
    not exist or holds no file."""
    kind = sources.named(source_type)
    for _ in range(ATTEMPTS):
        try:
            return _ingest(lake, kind, source, landed_at, say)
        except _OvertakenError:
            say("another run has landed records meanwhile: looking again")
    raise LakehuntError(f"other runs keep landing records into {lake.root}", "let one run land at a time")


class _OvertakenError(Exception):
    """Another run has made the batch that this one was about to make."""


def _ingest(lake: Lake, kind: Source, source: str, landed_at: datetime, say: Progress) -> IngestResult:
    store, newest = Store(lake.spark), _newest_batch(lake)  # first: what is landed from now on is noticed
    found = kind.find(lake.spark, source)
    known, recorded = _known(lake)
    changed, shrunk, unchanged = _sort_out(found, known)
    say(f"{len(found)} files in {source}: {len(changed)} new or changed")
    store.remove_old(f"{lake.root}/raw", _STAGING, KILLED_AFTER)
    staging = f"{lake.root}/raw/{_STAGING}{secrets.token_hex(8)}"
    try:
        with line_numbers.steady(lake.spark):
            reading = open_blobs(lake.spark, store, changed, staging)
            landed = _landed_lines(lake, known, recorded, landed_at)
            batch, counts, pending = _land(lake, kind, store, reading, landed, newest, landed_at)
    finally:
        store.remove(staging)
    _record(lake, reading, pending, batch, landed_at)
    delivered = sum(counts.values())
    say(f"{delivered} new records from {len(reading.blobs)} files")
    still = [(blob.path, known[blob.path].pending) for blob in unchanged]
    return IngestResult(
        batch=batch if delivered else None,
        delivered=delivered,
        files_read=len(reading.blobs),
        files_unchanged=len(unchanged),
        pending=tuple(sorted([*pending.items(), *((path, line) for path, line in still if line is not None)])),
        unreadable=tuple(sorted([*shrunk, *reading.unreadable])),
    )


def _known(lake: Lake) -> tuple[dict[str, _Known], int]:
    """What is recorded of each blob, and the newest batch that the record knows of."""
    if not lake.exists(FILES.name):
        return {}, 0
    newest = F.max(F.struct("bytes", F.unix_micros("modified_at").alias("modified_at"), "pending")).alias("newest")
    files = lake.rows(FILES).groupBy("file").agg(newest, F.max("lines").alias("lines"), F.max("batch").alias("batch"))
    rows = files.collect()
    known = {r.file: _Known(r.newest.bytes, r.newest.modified_at, r.lines, r.newest.pending) for r in rows}
    return known, max((row.batch for row in rows), default=0)


def _sort_out(
    found: Iterable[Blob], known: Mapping[str, _Known]
) -> tuple[list[Blob], list[tuple[str, str]], list[Blob]]:
    """The blobs to read, those that no longer hold what was landed from them, and those that are as they were."""
    changed: list[Blob] = []
    shrunk: list[tuple[str, str]] = []
    unchanged: list[Blob] = []
    for blob in found:
        before = known.get(blob.path, _Known())
        if (blob.bytes, blob.modified_micros) == (before.bytes, before.modified_at):
            unchanged.append(blob)
        elif blob.bytes < before.bytes:
            why = f"was {before.bytes} bytes long when it was landed, now {blob.bytes}: blobs only grow"
            shrunk.append((blob.path, why))
        else:
            changed.append(blob)
    return changed, shrunk, unchanged


def _landed_lines(lake: Lake, known: Mapping[str, _Known], recorded: int, landed_at: datetime) -> dict[str, int]:
    """The highest landed line of each blob: as recorded, or as the raw table says of batches never recorded.

    Those are recorded now: the blobs of a killed run may not be in this run's source, whose batch number is higher."""
    if not lake.exists(RAW.name):
        return {}
    unrecorded = lake.rows(RAW).where(F.col("batch") > recorded).groupBy("file")
    missed = unrecorded.agg(F.max("line").alias("line"), F.max("batch").alias("batch")).collect()
    landed = {path: state.lines for path, state in known.items()}
    for row in missed:
        landed[row.file] = max(landed.get(row.file, 0), row.line)
    if missed:
        rows = [(row.file, 0, EPOCH, row.line, None, row.batch, landed_at) for row in missed]
        lake.append(FILES, lake.local(FILES, rows))
    return landed


def _land(
    lake: Lake,
    kind: Source,
    store: Store,
    reading: BlobSet,
    landed: Mapping[str, int],
    newest: int,
    landed_at: datetime,
) -> tuple[int, dict[str, int], dict[str, int]]:
    """Appends what is new as batches after `newest`. Returns the last one, the records of all per file, and the
    half-written lines."""
    if not any(total > landed.get(path, 0) for path, total in reading.lines.items()):
        return newest, {}, {}
    new = reading.above(landed).where(_filled() & ~(F.col("is_last") & F.col("may_grow") & _looks_unfinished(kind)))
    counts, highest = _append(lake, kind, new, newest + 1, landed_at)
    held = {
        blob.path: reading.lines[blob.path]
        for blob in reading.blobs
        if blob.may_grow and reading.lines[blob.path] > max(landed.get(blob.path, 0), highest.get(blob.path, 0))
    }
    more, pending = _land_held_back(lake, kind, store, reading, held, newest + 1 + bool(counts), landed_at)
    return newest + bool(counts) + bool(more), dict(Counter(counts) + Counter(more)), pending


def _land_held_back(
    lake: Lake,
    kind: Source,
    store: Store,
    reading: BlobSet,
    held: Mapping[str, int],
    batch: int,
    landed_at: datetime,
) -> tuple[dict[str, int], dict[str, int]]:
    """Lands the unreadable last lines (`held`, by blob) that are complete after all, because a line end follows and the
    blob is as long as it was; a blob that grew while it was read may have been cut anywhere. Returns the batch's
    records per file, and the lines that still wait."""
    complete = [blob for blob in reading.blobs if blob.path in held and store.ends_line(blob)]
    counts: dict[str, int] = {}
    if complete:
        again = BlobSet.of(lake.spark, complete)
        last = again.above({blob.path: held[blob.path] - 1 for blob in complete})
        ends = F.create_map(*(F.lit(item) for blob in complete for item in (blob.path, held[blob.path])))
        try:
            whole = last.where(_filled() & (F.col("line") == ends[F.col("file")]))
            counts, _ = _append(lake, kind, whole, batch, landed_at)
        except _OvertakenError:
            complete = []  # they wait for the next run
    done = {blob.path for blob in complete}
    return counts, {path: line for path, line in held.items() if path not in done}


def _filled() -> Column:
    """A blank line is counted but is no record."""
    return F.ltrim("value", F.lit(" \t\r")) != ""


def _looks_unfinished(kind: Source) -> Column:
    return F.ltrim("value", F.lit(" \t\r")).startswith("{") & ~kind.is_complete(F.col("value"))


def _append(
    lake: Lake, kind: Source, new: DataFrame, batch: int, landed_at: datetime
) -> tuple[dict[str, int], dict[str, int]]:
    """Makes a batch of what is new. Returns its records per file and the highest line of each.

    Raises _OvertakenError, with nothing written, where another run has made the batch."""
    raw = new.select("file", "line", *_text_or_bytes(F.col("value"))).transform(kind.with_envelope)
    rows = raw.withColumns({"batch": F.lit(batch), "landed_at": F.lit(landed_at)})
    lake.append_unless(RAW, rows, F.col("batch") >= batch)
    there = lake.rows(RAW).where(F.col("batch") >= batch)
    ours = (F.col("batch") == batch) & (F.col("landed_at") == F.lit(landed_at))
    per_file = there.groupBy("file", ours.alias("ours"))
    found = per_file.agg(F.count(F.lit(1)).alias("records"), F.max("line").alias("line")).collect()
    made = [row for row in found if row.ours]
    if found and not made:
        raise _OvertakenError
    return {row.file: row.records for row in made}, {row.file: row.line for row in made}


def _text_or_bytes(value: Column) -> tuple[Column, Column]:
    """The line without its line end: as text if it is UTF-8, else as bytes."""
    valid, exact = F.is_valid_utf8(value), value.cast("binary")
    line_end = F.endswith(exact, F.lit(b"\r"))
    text = F.when(line_end, F.substring(value, F.lit(1), F.length(value) - 1)).otherwise(value)
    cut = F.when(line_end, F.substring(exact, F.lit(1), F.length(exact) - 1)).otherwise(exact)
    return F.when(valid, text).alias("text"), F.when(~valid, cut).alias("bytes")


def _newest_batch(lake: Lake) -> int:
    return lake.rows(RAW).agg(F.coalesce(F.max("batch"), F.lit(0))).collect()[0][0]  # type: ignore[no-any-return]


def _record(lake: Lake, reading: BlobSet, pending: Mapping[str, int], batch: int, landed_at: datetime) -> None:
    rows = [
        (
            blob.path,
            blob.bytes,
            blob.modified_at,
            reading.lines[blob.path] - (blob.path in pending),
            pending.get(blob.path),
            batch,
            landed_at,
        )
        for blob in reading.blobs
    ]
    if rows:
        lake.append(FILES, lake.local(FILES, rows))
