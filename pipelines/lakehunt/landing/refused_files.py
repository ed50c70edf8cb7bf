"""`raw.refused_files`: the files that landing has refused, and whether they have been landed since.

Every run reads refused files again, so a row is added only when something about a file has changed. It imports no
Spark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from lakehunt.schemas.landing_tables import REFUSED_FILES
from lakehunt.schemas.table import Table
from lakehunt.sources.blobs import Blob


class Tables(Protocol):
    """What reads and appends few rows: a `Lake`, or `LocalTables`."""

    def few(self, table: Table) -> list[dict[str, Any]]: ...

    def append(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None: ...


@dataclass(frozen=True)
class RefusedFile:
    """A file of which nothing new is landed, and why."""

    file: str
    bytes: int
    modified_at: datetime
    reason: str
    noted_at: datetime


def waiting(tables: Tables) -> list[RefusedFile]:
    """The files that are still refused, by path."""
    rows = sorted(tables.few(REFUSED_FILES), key=lambda row: row["noted_at"])
    newest = {row["file"]: RefusedFile(**row) for row in rows}
    return [newest[file] for file in sorted(newest) if newest[file].reason is not None]


def record(
    tables: Tables, found: Iterable[Blob], refused: Mapping[str, str], at: datetime
) -> tuple[tuple[str, str], ...]:
    """Records which of the files that a run has found were refused, each path with the reason. Returns the files that
    were refused before and no longer are, each with the reason of then."""
    blobs = {blob.path: blob for blob in found}
    before = {one.file: one for one in waiting(tables)}
    resolved = {path: one for path, one in before.items() if path in blobs and path not in refused}
    noted = {path: (one.bytes, one.modified_at, one.reason) for path, one in before.items()}
    reasons: dict[str, str | None] = {**refused, **dict.fromkeys(resolved)}
    now = {path: (blobs[path].bytes, blobs[path].modified_at, why) for path, why in reasons.items()}
    rows = [(path, *state, at) for path, state in sorted(now.items()) if noted.get(path) != state]
    if rows:
        tables.append(REFUSED_FILES, rows)
    return tuple((path, one.reason) for path, one in sorted(resolved.items()))
