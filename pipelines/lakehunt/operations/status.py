"""`lakehunt status`: a lake's tables, what is due, the latest runs, late events, and what has failed.

Starts no Spark where delta-rs reads the lake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import functions as F

from lakehunt.hunting import clock
from lakehunt.hunting.clock import Due
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import run_log
from lakehunt.hunting.findings.run_log import LATE as ASKED_AGAIN
from lakehunt.hunting.settings import HuntingSettings
from lakehunt.kql.types import TICKS_PER_MICROSECOND
from lakehunt.lake.delta_lake import Lake, utc
from lakehunt.lake.small_tables import LocalTables
from lakehunt.landing import refused_files
from lakehunt.landing.refused_files import RefusedFile
from lakehunt.operations import maintenance
from lakehunt.schemas.event_tables import EVENT_TABLES
from lakehunt.schemas.hunt_tables import LATE, RUNS
from lakehunt.schemas.landing_tables import BATCHES

AT_ONCE = 4
"""Tables that are queried concurrently: most of the time of each query is planning."""

LAST_RUNS = 5

RECENT = timedelta(days=7)
"""How far back failures and late events are looked for."""


@dataclass(frozen=True)
class TableStatus:
    """A table at its newest version. `first` and `last` are the times of its first and last event (event tables
    only)."""

    table: str
    rows: int
    files: int
    bytes: int
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True)
class LateStatus:
    """What late events did to a hunt lately: as-ofs that were asked again, findings that this added and removed, and
    events that landed too late to ask again."""

    hunt_id: str
    hunt_name: str
    asked_again: int = 0
    added: int = 0
    removed: int = 0
    too_late: int = 0


@dataclass(frozen=True)
class Status:
    """A lake's tables and latest runs; `runs` are rows of `hunts.runs`, newest first, and `failing` those of hunts
    whose last run has failed. `refused` are the files that landing still refuses, `batches` rows of `raw.batches` that
    are refused. `due` are the hunts that are due, those that lag most first."""

    lake: str
    tables: list[TableStatus]
    runs: list[dict[str, object]]
    refused: list[RefusedFile]
    batches: list[dict[str, Any]] = field(default_factory=list)
    due: list[Due] = field(default_factory=list)
    failing: list[dict[str, Any]] = field(default_factory=list)
    late: list[LateStatus] = field(default_factory=list)

    @property
    def last_event(self) -> datetime | None:
        return max((one.last for one in self.tables if one.last), default=None)


def status(lake: Lake | LocalTables, hunts: Sequence[Hunt], settings: HuntingSettings, now: int) -> Status:
    """The state of a lake and of these hunts at an instant (ticks). Raises LakehuntError if it has no table."""
    names = maintenance.lake_tables(lake)
    with ThreadPoolExecutor(AT_ONCE) as workers:
        tables = list(workers.map(lambda name: table_status(lake, name), names))
    found = Status(lake.root, tables, [], refused_files.waiting(lake), _refused_batches(lake))
    if found.last_event is None or not hunts:
        return found
    today, ids = datetime.now(UTC), {hunt.id for hunt in hunts}
    due = [one for one in clock.all_due(lake, hunts, settings, now, today) if one.as_ofs]
    has_run = RUNS.name in names
    return Status(
        found.lake,
        tables,
        run_log.recent_runs(lake, hunts, None, LAST_RUNS) if has_run else [],
        found.refused,
        found.batches,
        sorted(due, key=lambda one: one.as_ofs[0]),
        run_log.failing(lake, ids, today - RECENT) if has_run else [],
        _late(lake, ids, today - RECENT) if has_run else [],
    )


def lag(due: Due, now: int) -> timedelta:
    """How long the earliest as-of that a hunt has not been asked at, or failed at, has been due."""
    return timedelta(microseconds=(now - due.as_ofs[0]) // TICKS_PER_MICROSECOND) if due.as_ofs else timedelta(0)


def _refused_batches(lake: Lake | LocalTables) -> list[dict[str, Any]]:
    rows = lake.few(
        BATCHES, ("batch", "event_table", "landed_at", "delivered", "detail"), [("outcome", "=", "refused")]
    )
    return sorted(rows, key=lambda row: (row["batch"], row["event_table"] or ""))


def _late(lake: Lake | LocalTables, hunts: set[str], since: datetime) -> list[LateStatus]:
    runs = run_log.saw_late_events(lake, hunts, since)
    ids = sorted({row["run_id"] for row in runs if row["reason"] == ASKED_AGAIN})
    changes = lake.few(LATE, ("hunt_id", "change"), [("run_id", "in", ids)]) if ids else []
    changed = Counter((row["hunt_id"], row["change"]) for row in changes)
    again = Counter(row["hunt_id"] for row in runs if row["reason"] == ASKED_AGAIN)
    too_late: Counter[str] = Counter()
    for row in runs:
        too_late[row["hunt_id"]] += row["too_late"] or 0
    names = {row["hunt_id"]: row["hunt_name"] for row in runs}
    return [
        LateStatus(hunt, name, again[hunt], changed[hunt, "added"], changed[hunt, "removed"], too_late[hunt])
        for hunt, name in sorted(names.items(), key=lambda one: one[1])
    ]


def table_status(lake: Lake | LocalTables, name: str) -> TableStatus:
    """The state of a table that exists."""
    events = next((table for table in EVENT_TABLES if table.events.name == name), None)
    if isinstance(lake, LocalTables):
        size = lake.size(name)
        first, last = lake.span(events.events, events.times[0]) if events else (None, None)
        return TableStatus(name, size.rows, size.files, size.bytes, first, last)
    detail = DeltaTable.forPath(lake.spark, lake.path(name)).detail().select("numFiles", "sizeInBytes").collect()[0]
    rows = lake.read(name)
    if events is None:
        return TableStatus(name, rows.count(), detail.numFiles, detail.sizeInBytes)
    at = events.times[0]
    found = rows.agg(F.count("*").alias("n"), F.min(at).alias("first"), F.max(at).alias("last")).collect()[0]
    first, last = (None if one is None else utc(one) for one in (found.first, found["last"]))
    return TableStatus(name, found.n, detail.numFiles, detail.sizeInBytes, first, last)
