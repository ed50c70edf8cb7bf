"""The hits that the hunts of a run read. Those of a hunt that has few come from one read for all such hunts, without
Spark, and are held in memory; those of the others are cached by Spark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from operator import itemgetter
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame

from lakehunt.hunting.incremental import hits as hits_table
from lakehunt.hunting.incremental.hits import HitCoverage
from lakehunt.hunting.query.events_table import HitEvents, HitRows, relation
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
    """The hits of some hunts in one table, in memory, ordered by hunt version: a place in them for each version."""

    relation: Relation
    rows: LocalRows
    places: Mapping[str, tuple[int, int]]

    def of(self, version: str) -> Relation:
        """The hits of one hunt version."""
        return replace(self.relation, frame=self.rows.part(*self.places.get(version, (0, 0))))


@dataclass(frozen=True)
class RunHits:
    """The hits of a run's hunts, by event table. `counts` are their numbers by hunt version, and `few` the versions
    whose hits, in all tables, are in memory."""

    counts: Counter[str]
    few: frozenset[str]
    local: Mapping[str, LocalHits]
    cached: Mapping[str, HitEvents]

    def of(self, version: str, tables: Collection[str]) -> dict[str, HitRows]:
        """The hits of a hunt version in these tables."""
        rows: Mapping[str, HitRows] = self.local if version in self.few else self.cached
        return {name: rows[name] for name in tables}


@dataclass(frozen=True)
class HitsRead:
    """Which hits a run reads: of passes, on the days from `since` (None: the beginning) to `until`, in each event table
    for some hunt versions."""

    passes: HitCoverage
    readers: Mapping[str, Sequence[str]]
    since: date | None
    until: date

    def only(self, name: str, versions: Collection[str]) -> Where:
        """The condition on hits of a table for these of its versions."""
        ids = sorted({one.id for one in self.passes.passes if one.table == name})
        days: list[tuple[str, Any, Any]] = [("event_date", "<=", self.until)]
        if self.since is not None:
            days.append(("event_date", ">=", self.since))
        wanted = sorted(set(versions).intersection(self.readers[name]))
        return [("hunt_version", "in", wanted), ("pass_id", "in", ids), *days]

    def counted(self, name: str) -> set[tuple[str, str]]:
        """The pairs of hunt version and pass whose hits count: coverage can be withdrawn (stale_hits.py)."""
        passes = (one for one in self.passes.passes if one.table == name)
        return {(version, one.id) for one in passes for version in one.versions}


@contextmanager
def opened(lake: Lake, read: HitsRead) -> Iterator[RunHits]:
    """The hits that a run reads."""
    few, local = _in_memory(lake, read)
    counts = Counter({version: end - start for one in local.values() for version, (start, end) in one.places.items()})
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
        yield RunHits(counts, few, local, cached)
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
        found = lake.rows_in_memory(hits_of(BY_NAME[name]), MOST_READ, ["hunt_version"], read.only(name, versions))
        if found is None:
            return frozenset()
        counted = found["hunt_version"].value_counts().to_pylist()
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
    hits = _once(hits, read.counted(name)).sort_by("hunt_version")
    places: dict[str, tuple[int, int]] = {}
    for place, version in enumerate(hits["hunt_version"].to_pylist()):
        places[version] = (places.get(version, (place, 0))[0], place + 1)
    events = relation(table, lake.frame(hits_of(table), hits), traced=True)
    rows = local_rows(events.frame)
    return None if rows is None else LocalHits(events, rows, places)


def _once(hits: pa.Table, counted: Collection[tuple[str, str]]) -> pa.Table:
    """The hits that count, each event once for each hunt version: concurrent runs may both have read it."""
    seen: set[tuple[str, str]] = set()
    keep = []
    columns = (hits[name].to_pylist() for name in ("hunt_version", "pass_id", "event_id"))
    for version, pass_id, event_id in zip(*columns, strict=True):
        is_first = (version, pass_id) in counted and (version, event_id) not in seen
        keep.append(is_first)
        if is_first:
            seen.add((version, event_id))
    return hits.filter(pa.array(keep, pa.bool_()))
