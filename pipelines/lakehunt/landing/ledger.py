"""What `raw.files` says about blobs, and what follows from it for those that a run has found. Imports no Spark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from lakehunt.sources.blobs import EPOCH, Blob


@dataclass(frozen=True)
class FileRecord:
    """What is recorded about a blob: its size and when it was changed (microseconds since 1970) when it was landed, the
    number of its lines that are landed, and its pending last line."""

    bytes: int = -1
    modified_at: int = 0
    lines: int = 0
    pending: int | None = None


@dataclass(frozen=True)
class IngestResult:
    """What one run landed from a source."""

    batch: int | None
    """Number of the newest new batch in `raw.records`; None where nothing was new."""
    delivered: int
    """Records in the new batches."""
    files_read: int
    files_unchanged: int
    pending: tuple[tuple[str, int], ...] = ()
    """File and line of each incomplete last line. The first run after the line is complete lands it."""
    unreadable: tuple[tuple[str, str], ...] = ()
    """Each file that could not be read, with the reason. Nothing of it was landed; the next run retries it."""
    resolved: tuple[tuple[str, str], ...] = ()
    """Each file that an earlier run could not read and this one could, with the reason of then."""


def newest(rows: Iterable[Mapping[str, Any]]) -> tuple[dict[str, FileRecord], int]:
    """The record of each blob, from all rows of `raw.files` (times as datetimes), and the newest recorded batch."""
    known: dict[str, FileRecord] = {}
    batch = 0
    for row in rows:
        before = known.get(row["file"], FileRecord())
        own = FileRecord(row["bytes"], micros_of(row["modified_at"]), row["lines"], row["pending"])
        last = max(before, own, key=lambda record: (record.bytes, record.modified_at, record.pending or -1))
        known[row["file"]] = replace(last, lines=max(before.lines, own.lines))
        batch = max(batch, row["batch"])
    return known, batch


def micros_of(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def changed_since(
    found: Iterable[Blob], known: Mapping[str, FileRecord]
) -> tuple[list[Blob], list[tuple[str, str]], list[Blob]]:
    """Splits blobs into: changed (to be read), shrunk (with the reason) and unchanged."""
    changed: list[Blob] = []
    shrunk: list[tuple[str, str]] = []
    unchanged: list[Blob] = []
    for blob in found:
        before = known.get(blob.path, FileRecord())
        if (blob.bytes, blob.modified_micros) == (before.bytes, before.modified_at):
            unchanged.append(blob)
        elif blob.bytes < before.bytes:
            why = f"was {before.bytes} bytes long when it was landed, now {blob.bytes}: blobs only grow"
            shrunk.append((blob.path, why))
        else:
            changed.append(blob)
    return changed, shrunk, unchanged


def row_of(blob: Blob, lines: int, pending: int | None, batch: int, landed_at: datetime) -> tuple[Any, ...]:
    """The row of a blob with so many lines, the pending one included."""
    return blob.path, blob.bytes, blob.modified_at, lines - (pending is not None), pending, batch, landed_at


def landed_lines(
    known: Mapping[str, FileRecord], missed: Iterable[tuple[str, int, int]], landed_at: datetime
) -> tuple[dict[str, int], list[tuple[Any, ...]]]:
    """The highest landed line of each blob: from its record, and from batches in raw that a killed run did not record.
    `missed` are the blobs of those, each with its highest line and batch.

    Also the rows that record them now: these blobs may not be in this run's source, and after its higher batch number
    nobody would look for them."""
    landed = {path: record.lines for path, record in known.items()}
    rows: list[tuple[Any, ...]] = []
    for path, line, batch in missed:
        landed[path] = max(landed.get(path, 0), line)
        rows.append((path, 0, EPOCH, line, None, batch, landed_at))
    return landed, rows


def result(
    batch: int,
    delivered: int,
    pending: Mapping[str, int | None],
    unchanged: Sequence[Blob],
    known: Mapping[str, FileRecord],
    unreadable: Mapping[str, str],
    resolved: tuple[tuple[str, str], ...],
) -> IngestResult:
    """What a run has landed up to a batch. `pending` has each blob that it has read, with its incomplete last line."""
    lines = [*pending.items(), *((blob.path, known[blob.path].pending) for blob in unchanged)]
    return IngestResult(
        batch=batch if delivered else None,
        delivered=delivered,
        files_read=len(pending),
        files_unchanged=len(unchanged),
        pending=tuple(sorted((path, line) for path, line in lines if line is not None)),
        unreadable=tuple(sorted(unreadable.items())),
        resolved=resolved,
    )
