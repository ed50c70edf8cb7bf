"""`raw.refused_files` for both engines: which rows to add when a run has refused files. Imports no Spark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from lakehunt.lake.small_tables import LocalTables
from lakehunt.schemas.landing_tables import REFUSED_FILES
from lakehunt.sources.blobs import Blob

Resolved = tuple[tuple[str, str], ...]


def record(tables: LocalTables, found: Iterable[Blob], refused: Mapping[str, str], at: datetime) -> Resolved:
    """Records which of the files that a run has found were refused, each path with the reason. Returns the files that
    were refused before and no longer are, each with the reason of then."""
    before = newest(tables.rows(REFUSED_FILES).to_pylist())
    rows, resolved = changes(before, found, refused, at)
    if rows:
        tables.append(REFUSED_FILES, rows)
    return resolved


def newest(rows: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The newest row of each file that is still refused."""
    last: dict[str, Mapping[str, Any]] = {}
    for row in sorted(rows, key=lambda row: row["noted_at"]):
        last[row["file"]] = row
    return {file: row for file, row in last.items() if row["reason"] is not None}


def changes(
    before: Mapping[str, Mapping[str, Any]], found: Iterable[Blob], refused: Mapping[str, str], at: datetime
) -> tuple[Sequence[tuple[Any, ...]], Resolved]:
    """The rows to add, and the files that are no longer refused."""
    blobs = {blob.path: blob for blob in found}
    resolved = {path: row for path, row in before.items() if path in blobs and path not in refused}
    noted = {path: (row["bytes"], row["modified_at"], row["reason"]) for path, row in before.items()}
    reasons: dict[str, str | None] = {**refused, **dict.fromkeys(resolved)}
    now = {path: (blobs[path].bytes, blobs[path].modified_at, why) for path, why in reasons.items()}
    rows = [(path, *state, at) for path, state in sorted(now.items()) if noted.get(path) != state]
    return rows, tuple((path, row["reason"]) for path, row in sorted(resolved.items()))
