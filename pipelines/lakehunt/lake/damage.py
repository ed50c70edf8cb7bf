"""Finds damage to a lake's files, such as a power loss or a careless `rm` leaves it: without Spark, in a lake that is a
folder.

Delta reads a commit file that is empty as a commit without changes, and never misses the newest one. So commits of
ledgers (`raw.files`, `raw.batches`, `hunts.passes`, `hunts.runs`) say in their metadata which versions other tables had
by then (`Table.vouches_for`): an older table has lost commits."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from lakehunt.core.errors import LakehuntError
from lakehunt.lake import write_lock
from lakehunt.schemas import registry
from lakehunt.schemas.hunt_tables import HITS_TABLES, PASSES
from lakehunt.schemas.table import FOLDERS

HINT = "docs/how-to/maintenance.md#a-damaged-lake says what to do"

DERIVED = (*(table.name for table in HITS_TABLES), PASSES.name)
"""Tables that the next run computes again from events."""

NOTE = "lakehunt: versions "
"""How the metadata of a ledger's commit begins, before JSON of tables and their versions."""


def note(versions: Mapping[str, int]) -> str | None:
    """The metadata of a ledger's commit, by which other tables have these versions (-1: there is no table); None if it
    says nothing about others."""
    there = {name: version for name, version in versions.items() if version >= 0}
    return NOTE + json.dumps(there) if there else None


_AGAIN = 1.0
"""Seconds after which a finding has to be the same."""

READ = 20
"""Newest commits of a log that are read."""

_PARQUET = b"PAR1"
"""How a Parquet file ends."""

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKSUM = re.compile(r"(\d{20})\.crc")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\..*parquet")


@dataclass(frozen=True)
class Damage:
    """What is wrong with a table, and at which path."""

    table: str
    what: str
    path: Path

    @property
    def is_of_data(self) -> bool:
        """Whether a data file is damaged, not the log."""
        return self.path.suffix == ".parquet" and "_delta_log" not in self.path.parts

    def __str__(self) -> str:
        return f"{self.table}: {self.what} ({self.path})"


@dataclass(frozen=True)
class TableLog:
    """The log of a table, as its folder lists it."""

    table: str
    folder: Path
    sizes: Mapping[str, int] = field(hash=False)
    """The size of each file of the log, by name."""

    @staticmethod
    def of(table: str, folder: Path) -> TableLog:
        sizes: dict[str, int] = {}
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder / "_delta_log") as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # a temporary file, which a writer has renamed meanwhile
                    sizes[entry.name] = entry.stat().st_size
        return TableLog(table, folder, sizes)

    def _versions(self, form: re.Pattern[str]) -> list[int]:
        return sorted(int(found[1]) for name in self.sizes if (found := form.fullmatch(name)))

    @cached_property
    def commits(self) -> list[int]:
        return self._versions(_COMMIT)

    @cached_property
    def checkpoint(self) -> int:
        """The version of the newest checkpoint; -1 if there is none."""
        return max(self._versions(_CHECKPOINT), default=-1)

    @cached_property
    def version(self) -> int:
        """The newest version; -1 if there is none."""
        return max([self.checkpoint, *self.commits[-1:]])

    def path(self, version: int) -> Path:
        return self.folder / "_delta_log" / f"{version:020}.json"

    def read(self, version: int) -> list[dict[str, Any]]:
        """The actions of a commit. Raises ValueError if its end is missing."""
        return [json.loads(line) for line in self.path(version).read_text("utf-8").split("\n") if line.strip()]

    def damage(self) -> Iterator[Damage]:
        """Commits after the newest checkpoint that are gone, empty or cut."""
        if self.version < 0:
            if any(self.folder.rglob("*.parquet")):
                yield Damage(self.table, "its log is gone", self.folder / "_delta_log")
            return
        for name in self.sizes:
            if (found := _CHECKPOINT.fullmatch(name)) and int(found[1]) == self.checkpoint:
                yield from self._cut_checkpoint(self.folder / "_delta_log" / name)
        newest = max([self.version, *self._versions(_CHECKSUM)])
        for version in range(self.checkpoint + 1, newest + 1):
            if what := self._wrong(version):
                yield Damage(self.table, f"commit {version} of its log {what}", self.path(version))

    def _cut_checkpoint(self, file: Path) -> Iterator[Damage]:
        with file.open("rb") as stream:
            stream.seek(max(0, self.sizes[file.name] - len(_PARQUET)))
            if stream.read() != _PARQUET:
                yield Damage(self.table, f"checkpoint {self.checkpoint} of its log is cut", file)

    def _wrong(self, version: int) -> str:
        size = self.sizes.get(f"{version:020}.json")
        if not size:
            return "is gone" if size is None else "is empty"
        if version <= self.version - READ:
            return ""
        try:
            self.read(version)
        except ValueError:
            return "is cut"
        return ""

    def vouched(self) -> dict[str, int]:
        """The versions that other tables had at least, according to the newest commits."""
        found: dict[str, int] = {}
        for version in self.commits[-READ:]:
            with suppress(ValueError, OSError):  # reported as damage
                for action in self.read(version):
                    noted = str(action.get("commitInfo", {}).get("userMetadata", ""))
                    if noted.startswith(NOTE):
                        found |= json.loads(noted.removeprefix(NOTE))
        return found


def log_of(root: str, table: str) -> TableLog:
    schema, _, name = table.partition(".")
    return TableLog.of(table, Path(root, schema, name))


def tables(root: str) -> list[str]:
    """The names of the tables in a lake."""
    found = []
    for schema in FOLDERS:
        with suppress(FileNotFoundError), os.scandir(Path(root, schema)) as entries:
            names = sorted(one.name for one in entries if one.is_dir() and Path(one.path, "_delta_log").is_dir())
            found += [f"{schema}.{name}" for name in names]
    return found


def damaged_logs(root: str) -> list[Damage]:
    """What is wrong with the logs of a lake's tables: takes milliseconds."""
    # Ledgers first: a run that is writing meanwhile may add a version to a table, and then to the ledger.
    vouched = {one.name: log_of(root, one.name).vouched() for one in registry.tables() if one.vouches_for}
    logs = {name: log_of(root, name) for name in tables(root)}
    found = [damage for log in logs.values() for damage in log.damage()]
    named = {damage.table for damage in found}
    for ledger, versions in vouched.items():
        for table, version in versions.items():
            newest = logs[table].version if table in logs else -1
            if newest < version and table not in named:
                named.add(table)
                has = f"it is at version {newest}" if newest >= 0 else "it is gone"
                what = f"{has}, but {ledger} says that version {version} was committed"
                found.append(Damage(table, what, log_of(root, table).folder / "_delta_log"))
    return found


def check_before_run(root: str) -> list[str]:
    """Notices damage to logs before anything runs. Hits are set aside, as they can be computed again: returns what was.

    Raises LakehuntError for other tables, and if another command is writing to the lake whose hits are damaged."""
    if "://" in root:
        return []
    try:
        found = damaged_logs(root)
    except OSError as error:
        raise LakehuntError(f"the lake {root} cannot be read: {error.strerror} ({error.filename})") from error
    if found:  # a commit in progress is not damage
        time.sleep(_AGAIN)
        found = [one for one in damaged_logs(root) if one in found]
    if kept := [one for one in found if one.table not in DERIVED]:
        raise LakehuntError(f"the lake {root} is damaged:\n" + "\n".join(f"    {one}" for one in kept), HINT)
    if not found:
        return []
    what = ", ".join(map(str, found))
    aside = set_aside(root, f"hits have to be computed again ({what})", lambda: bool(damaged_logs(root)))
    return [f"{what}: hits are computed again; the old ones are in {aside}"] if aside else []


def set_aside(root: str, purpose: str, still_needed: Callable[[], bool] = lambda: True) -> Path | None:
    """Moves hits and passes out of the way: the next run computes them again. None if they need no longer be moved, as
    another command has done it meanwhile.

    Raises LakehuntError, with the purpose, while a command writes to the lake: a table must not vanish below it."""
    with write_lock.alone(root, purpose):
        if not still_needed():
            return None
        aside = Path(root, "hunts", f".damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z")
        aside.mkdir()
        for name in DERIVED:
            folder = log_of(root, name).folder
            if folder.exists():
                folder.rename(aside / folder.name)
        return aside
