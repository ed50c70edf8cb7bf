"""Compares the data files of a lake that is a folder with what the logs say; without Spark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from deltalake import DeltaTable

from lakehunt.core.errors import LakehuntError
from lakehunt.lake import damage
from lakehunt.lake.damage import Damage


@dataclass(frozen=True)
class LakeCheck:
    """Everything that is wrong, and how many tables and data files were looked at."""

    damage: list[Damage]
    tables: int
    files: int


def check(root: str) -> LakeCheck:
    """Checks all logs, and the data files of each table whose log is whole. Raises LakehuntError without tables."""
    found = damage.damaged_logs(root)
    broken = {one.table for one in found}
    names = damage.tables(root)
    if not names and not found:
        raise LakehuntError(f"the lake {root} has no table", "land events first: lakehunt land SOURCE --lake DIR")
    whole = [log for name in names if name not in broken and (log := damage.log_of(root, name)).version >= 0]
    files = 0
    for log in whole:
        for path, size in _data_files(log.folder):
            files += 1
            if what := _wrong(log.folder / path, size):
                found.append(Damage(log.table, what, log.folder / path))
    return LakeCheck(found, len(names), files)


def _data_files(folder: Path) -> Iterator[tuple[str, int]]:
    """Paths and sizes of the files of the newest version."""
    actions = DeltaTable(folder).get_add_actions(flatten=True)
    for path, size in zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True):
        yield unquote(path), size


def _wrong(file: Path, size: int) -> str:
    try:
        there = file.stat().st_size
    except FileNotFoundError:
        return "a data file is gone"
    return "" if there == size else f"a data file has {there} bytes instead of {size}"


def repair(root: str, found: LakeCheck) -> Iterator[str]:
    """Takes data files that are gone out of their tables' logs, so that the rest can be read, and says what was done.
    Hits and passes are set aside instead: without some of their rows they would be wrong.

    Raises LakehuntError if these cannot be moved, because a command is writing to the lake."""
    tables = dict.fromkeys(one.table for one in found.damage if one.is_of_data)
    if any(table in damage.DERIVED for table in tables):
        aside = damage.set_aside(root, "hits have to be computed again")
        yield f"hits were moved to {aside}: the next run computes them again"
    for table in tables:
        if table not in damage.DERIVED:
            gone = DeltaTable(damage.log_of(root, table).folder).repair()["files_removed"]
            yield f"{table}: {len(gone)} data files were taken out of its log"
