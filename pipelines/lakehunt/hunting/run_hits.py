"""The hits that the hunts of a run read. Those of a hunt that has few come from one read for all such hunts, without
Spark, and are held in memory; those of the others are cached by Spark."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from lakehunt.hunting.incremental import hits as hits_table
from lakehunt.hunting.incremental.hits import HitCoverage
from lakehunt.hunting.query.events_table import HitEvents, HitRows, relation
from lakehunt.hunting.query.time_window import TimeWindow
from lakehunt.kql.types import TICKS_PER_MICROSECOND
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.where import Where
from lakehunt.schemas.event_tables import BY_NAME
from lakehunt.schemas.hunt_tables import hits_of
from lakehunt.spark.local_rows import LocalRows, local_rows
from lakehunt.spark.relations import Relation

MOST_OF_A_HUNT = 5_000
"""Hits of a hunt up to which they are held in memory. Queries on more gain from compiled code and several cores."""

MOST = 20_000
"""Hits of all these hunts together; those with the fewest come first. A hit takes one to four kilobytes."""

MOST_READ = 1_000_000
"""Rows of files with hits up to which they are read without Spark."""


@dataclass(frozen=True)
class LocalHits:
    """The hits of some hunts in one table, in memory, ordered by hunt version and time: a place in them for each
    version, and the time of each (microseconds since 1970)."""

    relation: Relation
    rows: LocalRows
    places: Mapping[str, tuple[int, int]]
    moments: Sequence[int]

    def place(self, version: str, window: TimeWindow) -> tuple[int, int]:
        """The place of a version's hits in a window."""
        start, end = self.places.get(version, (0, 0))
        first, last = micros(window)
        return bisect_left(self.moments, first, start, end), bisect_right(self.moments, last, start, end)


@dataclass(frozen=True)
class _WindowHits:
    """The local hits in one window."""

    hits: LocalHits
    window: TimeWindow

    def of(self, version: str) -> Relation:
        """The hits of one hunt version."""
        return replace(self.hits.relation, frame=self.hits.rows.part(*self.hits.place(version, self.window)))


@dataclass(frozen=True)
class RunHits:
    """The hits of a run's hunts, by event table. `few` are the versions whose hits, in all tables, are in memory;
    `counts` are the numbers of those that Spark holds, by hunt version."""

    few: frozenset[str]
    local: Mapping[str, LocalHits]
    cached: Mapping[str, HitEvents]
    counts: Counter[str]

    def of(self, version: str, tables: Collection[str], window: TimeWindow) -> dict[str, HitRows]:
        """The hits of a hunt version in these tables; those that are in memory: in this window."""
        if version in self.few:
            return {name: _WindowHits(self.local[name], window) for name in tables}
        return {name: self.cached[name] for name in tables}

    def count(self, version: str, window: TimeWindow) -> int:
        """How many that is in all tables."""
        if version not in self.few:
            return self.counts[version]
        places = (one.place(version, window) for one in self.local.values())
        return sum(end - start for start, end in places)


def micros(window: TimeWindow) -> tuple[int, int]:
    """The first and the last stored time, in microseconds since 1970, of an event in a window."""
    first = _LEAST if window.since is None else window.since // TICKS_PER_MICROSECOND
    return first, window.until // TICKS_PER_MICROSECOND


_LEAST = -(2**63)


@dataclass(frozen=True)
class HitsRead:
    """Which hits a run reads: of passes, on the days from `since` (None: the beginning) to `until`, in each event table
    for some hunt versions. `windows` enclose what a version reads; a version without one reads all of these days."""

    passes: HitCoverage
    readers: Mapping[str, Sequence[str]]
    since: date | None
    until: date
    windows: Mapping[str, TimeWindow] = field(default_factory=dict)

    def within(self, hits: pa.Table, time: str) -> pa.Table:
        """The hits that are in the windows of their versions, by the column `time`."""
        versions = hits["hunt_version"].combine_chunks().dictionary_encode()
        whole = (_LEAST, -1 - _LEAST)
        bounds = [
            micros(self.windows[one]) if one in self.windows else whole for one in versions.dictionary.to_pylist()
        ]
        moments = hits[time].cast(pa.timestamp("us", "UTC")).cast(pa.int64())
        first, last = (
            pa.array([bound[side] for bound in bounds], pa.int64()).take(versions.indices) for side in (0, 1)
        )
        return hits.filter(pc.and_(pc.greater_equal(moments, first), pc.less_equal(moments, last)))

    def only(self, name: str, versions: Collection[str]) -> Where:
        """The condition on hits of a table for these of its versions."""
        ids = sorted({one.id for one in self.passes.passes if one.table == name})
        days: list[tuple[str, Any, Any]] = [("event_date", "<=", self.until)]
        if self.since is not None:
            days.append(("event_date", ">=", self.since))
        wanted = sorted(set(versions).intersection(self.readers[name]))
        return [("hunt_version", "in", wanted), ("pass_id", "in", ids), *days]

    def counted(self, name: str) -> dict[str, frozenset[str]]:
        """The hunt versions whose hits of a pass count, by its id: coverage can be withdrawn (stale_hits.py)."""
        return {one.id: one.versions for one in self.passes.passes if one.table == name}


@contextmanager
def opened(lake: Lake, read: HitsRead) -> Iterator[RunHits]:
    """The hits that a run reads."""
    few, local = _in_memory(lake, read)
    counts: Counter[str] = Counter()
    kept: list[DataFrame] = []
    cached: dict[str, HitEvents] = {}
    try:
        for name, versions in read.readers.items():
            if many := [version for version in versions if version not in few]:
                rows = hits_table.scan_hits(lake, BY_NAME[name], read.passes, many, read.since, read.until)
                rows = rows.repartition("hunt_version").sortWithinPartitions("hunt_version").persist()
                kept.append(rows)
                cached[name] = HitEvents(BY_NAME[name], rows)
                for row in rows.groupBy("hunt_version").count().collect():
                    counts[row.hunt_version] += row["count"]
        hits_table.check_not_withdrawn(lake, read.passes)
        yield RunHits(few, local, cached, counts)
    finally:
        for rows in kept:
            rows.unpersist()


# In memory


def _in_memory(lake: Lake, read: HitsRead) -> tuple[frozenset[str], dict[str, LocalHits]]:
    """The hunt versions with few hits, and these by event table."""
    few = _few(lake, read)
    local: dict[str, LocalHits] = {}
    for name in read.readers if few else ():
        hits = _local(lake, read, name, few)
        if hits is None:
            return frozenset(), {}
        local[name] = hits
    return few, local


def _few(lake: Lake, read: HitsRead) -> frozenset[str]:
    """The hunt versions whose hits fit in memory together; none, where only Spark can tell."""
    counts = Counter(dict.fromkeys((version for versions in read.readers.values() for version in versions), 0))
    for name, versions in read.readers.items():
        table = BY_NAME[name]
        columns = ["hunt_version", table.times[0]]
        found = lake.rows_in_memory(hits_of(table), MOST_READ, columns, read.only(name, versions))
        if found is None:
            return frozenset()
        counted = read.within(found, table.times[0])["hunt_version"].value_counts().to_pylist()
        counts.update({one["values"]: one["counts"] for one in counted})
    few, total = set(), 0
    for version, count in sorted(counts.items(), key=itemgetter(1)):
        total += count
        if count > MOST_OF_A_HUNT or total > MOST:
            break
        few.add(version)
    return frozenset(few)


def _local(lake: Lake, read: HitsRead, name: str, few: frozenset[str]) -> LocalHits | None:
    table = BY_NAME[name]
    hits = lake.rows_in_memory(hits_of(table), MOST_READ, (), read.only(name, few))
    if hits is None:
        return None
    time = table.times[0]
    hits = _once(read.within(hits, time), read.counted(name))
    hits = hits.sort_by([("hunt_version", "ascending"), (time, "ascending")])
    places: dict[str, tuple[int, int]] = {}
    for place, version in enumerate(hits["hunt_version"].to_pylist()):
        places[version] = (places.get(version, (place, 0))[0], place + 1)
    events = relation(table, lake.frame(hits_of(table), hits), traced=True)
    rows = local_rows(events.frame)
    moments = hits[time].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    return None if rows is None else LocalHits(events, rows, places, moments)


def _once(hits: pa.Table, counted: Mapping[str, frozenset[str]]) -> pa.Table:
    """The hits that count, each event once for each hunt version: concurrent runs may both have read it."""
    seen: set[tuple[str, str]] = set()
    keep = []
    columns = (hits[name].to_pylist() for name in ("hunt_version", "pass_id", "event_id"))
    for version, pass_id, event_id in zip(*columns, strict=True):
        is_first = version in counted.get(pass_id, ()) and (version, event_id) not in seen
        keep.append(is_first)
        if is_first:
            seen.add((version, event_id))
    return hits.filter(pa.array(keep, pa.bool_()))
