"""`lakehunt status`: a lake's tables, its latest runs, and the files that landing refuses."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from delta.tables import DeltaTable
from pyspark.sql import functions as F

from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import run_log
from lakehunt.lake.delta_lake import Lake, utc
from lakehunt.landing import refused_files
from lakehunt.landing.refused_files import RefusedFile
from lakehunt.operations import maintenance
from lakehunt.schemas.event_tables import EVENT_TABLES
from lakehunt.schemas.hunt_tables import RUNS

AT_ONCE = 4
"""Tables that are queried concurrently: most of the time of each query is planning."""

LAST_RUNS = 5

EVENTS = "events."
"""Prefix of the names of event tables; all of them have a Timestamp."""


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
class Status:
    """A lake's tables and latest runs; `runs` are rows of `hunts.runs`, newest first. `refused` are the files that
    landing still refuses."""

    lake: str
    tables: list[TableStatus]
    runs: list[dict[str, object]]
    refused: list[RefusedFile]

    @property
    def last_event(self) -> datetime | None:
        return max((one.last for one in self.tables if one.last), default=None)


def status(lake: Lake, hunts: Sequence[Hunt]) -> Status:
    """The lake's tables, the last runs of these hunts, and refused files. Raises LakehuntError if it has no table."""
    names = maintenance.lake_tables(lake)
    with ThreadPoolExecutor(AT_ONCE) as workers:
        tables = list(workers.map(lambda name: _table(lake, name), names))
    runs = run_log.recent_runs(lake, hunts, None, LAST_RUNS) if lake.exists(RUNS.name) else []
    return Status(lake.root, tables, runs, refused_files.waiting(lake))


def _table(lake: Lake, name: str) -> TableStatus:
    detail = DeltaTable.forPath(lake.spark, lake.path(name)).detail().select("numFiles", "sizeInBytes").collect()[0]
    rows = lake.read(name)
    times = {events.events.name: events.times[0] for events in EVENT_TABLES}
    if name not in times:
        return TableStatus(name, rows.count(), detail.numFiles, detail.sizeInBytes)
    of = rows.agg(F.count("*").alias("n"), F.min(times[name]).alias("first"), F.max(times[name]).alias("last"))
    found = of.collect()[0]
    span = [None if at is None else utc(at) for at in (found.first, found["last"])]
    return TableStatus(name, found.n, detail.numFiles, detail.sizeInBytes, *span)
