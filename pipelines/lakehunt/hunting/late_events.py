"""Late events: those of a window that had been asked before they landed. Says which as-ofs of which hunts are to be
asked again.

What an as-of has not seen follows from the run log alone: a successful run has a record of the batches that it saw, and
batches that are accepted now and are not among them have landed since. It does not matter what has been done between: a
run that is killed before it asks again, or a hunt that fails, leaves it to the next run.

So only events in such batches are looked at, and of them the few that lie in windows that were asked: hits, of a table
that a hunt reads hits of, and else all events. Without Spark, where Arrow can read them."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate
from operator import attrgetter
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as F

from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import run_log
from lakehunt.hunting.findings.late_findings import LateEvents
from lakehunt.hunting.findings.run_log import Accepted
from lakehunt.hunting.incremental.hits import HitCoverage
from lakehunt.hunting.planned_hunt import Key
from lakehunt.hunting.query.events_table import BatchRange, without
from lakehunt.hunting.query.time_window import TimeWindow
from lakehunt.kql import times
from lakehunt.kql.types import TICKS_PER_MICROSECOND
from lakehunt.lake import where
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.small_tables import LocalTables
from lakehunt.lake.where import Where
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import BY_NAME
from lakehunt.schemas.hunt_tables import hits_of

MOST_READ = 1_000_000
"""Rows of files up to which late ones among them are read without Spark."""

MOST = 100_000
"""Late events up to which each is known by itself. Of more, Spark gives their times to the minute."""

_TIME = pa.timestamp("us", "UTC")
_MINUTE = timedelta(minutes=1)
_EARLIEST = datetime.min.replace(tzinfo=UTC) + _MINUTE


class OnlySparkError(Exception):
    """There are too many events to be read without Spark."""


@dataclass(frozen=True)
class Reader:
    """A hunt whose run at an as-of (ticks) has succeeded: the event tables of which it has read its hits, and those of
    which it has read all events."""

    hunt: Hunt
    as_of: int
    hits: Collection[str]
    full: Collection[str]


@dataclass(frozen=True)
class FoundLate:
    """`again`: what is to be asked again, in the order of as-ofs, with its late events and the as-of (ticks) of the run
    that has found them. `too_late`: by hunt id, the number of events in windows of as-ofs that are too far back."""

    again: Mapping[Key, tuple[LateEvents, int]] = field(default_factory=dict)
    too_late: Mapping[str, int] = field(default_factory=dict)


def find(
    lake: Lake | LocalTables,
    accepted: Accepted,
    coverage: HitCoverage,
    readers: Collection[Reader],
    asked_now: Collection[Key],
    before: Before,
) -> FoundLate:
    """What is to be asked again: as-ofs before those of the readers, back to the horizon before these, but none of
    those that the run has asked anyway.

    `coverage` has the passes that say which hits count, and `accepted` is what they have read: for the windows of
    `before`, too. Raises OnlySparkError for tables without Spark if there are too many events to tell."""
    ticks = before.horizon
    of_hunt = {one.hunt.id: one for one in readers}
    if not readers or not before.runs.num_rows:
        return FoundLate()
    asked = before.runs.filter(pc.field("hunt_id").isin(list(of_hunt)))
    if not asked.num_rows:
        return FoundLate()
    unseen = _Unseen(accepted)
    landed = _Landed(lake, coverage, unseen.ends(asked))
    known = set(asked["hunt_id"].unique().to_pylist())
    late = landed.of([one for one in readers if one.hunt.id in known])
    if not late:
        return FoundLate()
    again: dict[Key, tuple[LateEvents, int]] = {}
    newest: dict[str, _Asked] = {}
    first = min(at for _, at in {*asked_now, *((one.hunt.id, one.as_of) for one in readers)})
    for run in _latest(asked, late, unseen, first):
        reader, at = of_hunt[run.hunt_id], times.from_datetime(run.as_of)
        if at >= reader.as_of or (run.hunt_id, at) in asked_now:
            continue
        if run.hunt_id not in newest or run.as_of > newest[run.hunt_id].as_of:
            newest[run.hunt_id] = run
        is_near = run.version == reader.hunt.digest and at >= reader.as_of - ticks
        if is_near and (rows := list(late[run.hunt_id].in_window(run, unseen))):
            again[run.hunt_id, at] = _events(rows), reader.as_of
    too_late = _too_late(lake, [of_hunt[hunt_id] for hunt_id in newest], late, newest, unseen, ticks)
    return FoundLate(dict(sorted(again.items(), key=lambda one: (one[0][1], one[0][0]))), too_late)


# What has been asked


class _Asked(NamedTuple):
    """A successful run of a hunt, of its window and of the batches that it saw (as text)."""

    hunt_id: str
    version: str
    run_id: str
    as_of: datetime
    start: datetime | None
    end: datetime
    batches: str


@dataclass(frozen=True)
class Before:
    """The runs of hunts before a run, back to a horizon (ticks), the earliest of which is `since`; of hunts that have
    none there, all earlier ones."""

    runs: pa.Table
    horizon: int
    since: datetime

    def windows(self, accepted: Accepted, versions: Collection[str]) -> dict[str, TimeWindow]:
        """By hunt id, what hits are needed for: the windows of these versions that may be asked again. Events of a
        batch that is new are read for all days, but not if nothing has been read for the hunt before."""
        unseen = _Unseen(accepted)
        texts = [text for text in self.runs["batches"].unique().to_pylist() if unseen.of(text)]
        is_new = pc.field("batches").isin(texts) & pc.field("hunt_version").isin(sorted(versions))
        is_near = pc.field("as_of") >= where.arrow_value(self.since)
        runs = self.runs.filter(is_new & is_near) if texts else self.runs.slice(0, 0)
        windows: dict[str, TimeWindow] = {}
        spans = runs.group_by("hunt_id").aggregate(
            [("window_start", "min"), ("window_start", "count", pc.CountOptions("only_null")), ("window_end", "max")]
        )
        for row in spans.to_pylist():
            start = None if row["window_start_count"] else times.from_datetime(row["window_start_min"])
            windows[row["hunt_id"]] = TimeWindow(start, times.from_datetime(row["window_end_max"]))
        return windows


def asked_before(lake: Lake | LocalTables, asked: Iterable[Key], horizon: timedelta) -> Before:
    """The runs before a run that asks these hunts (ids) at these as-ofs (ticks)."""
    newest: dict[str, int] = {}
    for hunt_id, as_of in asked:
        newest[hunt_id] = max(as_of, newest.get(hunt_id, as_of))
    ticks = horizon // timedelta(microseconds=1) * TICKS_PER_MICROSECOND
    since = min(newest.values(), default=0) - ticks
    runs = _with_batches(run_log.asked(lake, newest, since, max(newest.values(), default=0)))
    known = set(runs["hunt_id"].unique().to_pylist())
    if rare := newest.keys() - known:
        runs = pa.concat_tables([runs, _with_batches(run_log.asked(lake, rare, None, since))])
    return Before(runs, ticks, times.to_datetime(since))


def _with_batches(runs: pa.Table) -> pa.Table:
    """Without those of earlier versions of Lakehunt, of which it is not known what they saw."""
    return runs.filter(pc.is_valid(runs["batches"]))


def _latest(asked: pa.Table, late: Mapping[str, _LateRows], unseen: _Unseen, before: int) -> Iterable[_Asked]:
    """The last run of each as-of, of the hunts that have late events: as-ofs that may have missed one of these, and the
    newest one of each hunt before an instant (ticks). Of a long log these are few, and no others become Python's."""
    some = asked.filter(pc.field("hunt_id").isin(list(late)))
    if not some.num_rows:
        return ()
    texts = some["batches"].combine_chunks().dictionary_encode()
    firsts = _Firsts(row for rows in late.values() for row in rows)
    since = pa.array([firsts.of(unseen.of(text)) for text in texts.dictionary.to_pylist()], _TIME)
    missing = pc.fill_null(pc.greater_equal(some["window_end"], since.take(texts.indices)), False)
    earlier = some.filter(pc.field("as_of") < where.arrow_value(times.to_datetime(before)))
    newest = earlier.group_by("hunt_id").aggregate([("as_of", "max")])["as_of_max"]
    moments = pa.chunked_array([*some.filter(missing)["as_of"].chunks, *newest.chunks], some["as_of"].type).unique()
    latest: dict[tuple[str, datetime], _Asked] = {}
    for row in some.filter(pc.is_in(some["as_of"], moments)).to_pylist():
        names = ("hunt_id", "hunt_version", "run_id", "as_of", "window_start", "window_end", "batches")
        run = _Asked(*(row[name] for name in names))
        known = latest.get((run.hunt_id, run.as_of))
        if known is None or run.run_id > known.run_id:
            latest[run.hunt_id, run.as_of] = run
    return latest.values()


class _Unseen:
    """The accepted batches that a run has not seen, by the text of those that it has."""

    def __init__(self, accepted: Accepted) -> None:
        self._accepted = accepted
        self._of: dict[str, Accepted] = {}

    def of(self, batches: str) -> Accepted:
        if batches not in self._of:
            seen = run_log.read_batches(batches)
            new = {name: without(self._accepted.get(name, ()), runs) for name, runs in seen.items()}
            self._of[batches] = {name: runs for name, runs in new.items() if runs}
        return self._of[batches]

    def ends(self, asked: pa.Table) -> dict[str, _Ends]:
        """By table, up to when an event of a batch may be late."""
        found: dict[str, list[tuple[int, int, datetime]]] = {}
        for row in asked.group_by("batches").aggregate([("window_end", "max")]).to_pylist():
            for name, runs in self.of(row["batches"]).items():
                found.setdefault(name, []).extend((first, last, row["window_end_max"]) for first, last in runs)
        return {name: _Ends(spans) for name, spans in found.items()}


class _Ends:
    """For each batch, the end of the last window of a run that has not seen it: later events are not late."""

    def __init__(self, spans: Collection[tuple[int, int, datetime]]) -> None:
        """`spans`: the first and the last of consecutive batches that a run has not seen, and the end of its window."""
        self.first, self.last = min(span[0] for span in spans), max(span[1] for span in spans)
        self.latest = max(end for _, _, end in spans)
        self._starts: list[int] = []
        self._ends: list[datetime | None] = []
        begun = sorted(spans)
        open_: list[tuple[float, int, datetime]] = []  # the greatest end first
        place = 0
        for start in sorted({batch for first, last, _ in spans for batch in (first, last + 1)}):
            while place < len(begun) and begun[place][0] <= start:
                heapq.heappush(open_, (-begun[place][2].timestamp(), begun[place][1], begun[place][2]))
                place += 1
            while open_ and open_[0][1] < start:
                heapq.heappop(open_)
            self._starts.append(start)
            self._ends.append(open_[0][2] if open_ else None)

    def of(self, batch: int) -> datetime | None:
        place = bisect_right(self._starts, batch) - 1
        return self._ends[place] if place >= 0 else None


class _Firsts:
    """For batches of late events, when the first of these was."""

    def __init__(self, rows: Iterable[_Row]) -> None:
        firsts: dict[str, dict[int, datetime]] = {}
        for row in rows:
            of_table = firsts.setdefault(row.table, {})
            of_table[row.batch] = min(row.first, of_table.get(row.batch, row.first))
        self._batches = {name: sorted(of_table) for name, of_table in firsts.items()}
        self._firsts = {name: [of_table[batch] for batch in sorted(of_table)] for name, of_table in firsts.items()}
        self._from = {name: list(accumulate(reversed(values), min))[::-1] for name, values in self._firsts.items()}

    def of(self, batches: Accepted) -> datetime | None:
        """Of those among some batches; None if there is none."""
        found = []
        for name, runs in batches.items():
            known = self._batches.get(name, [])
            for first, last in runs:
                start, end = bisect_left(known, first), bisect_right(known, last)
                if start < end:
                    rest = end == len(known)
                    found.append(self._from[name][start] if rest else min(self._firsts[name][start:end]))
        return min(found, default=None)


# What has landed


class _Row(NamedTuple):
    """Events of a batch: one, or those of a minute, which have no id."""

    table: str
    batch: int
    first: datetime
    last: datetime
    landed_at: datetime
    event_id: str | None = None
    events: int = 1


class _LateRows:
    """Events of a hunt that have landed since some of its as-ofs were asked."""

    def __init__(self, rows: Iterable[_Row]) -> None:
        self._rows = sorted(rows, key=attrgetter("first"))
        self._firsts = [row.first for row in self._rows]

    @property
    def first(self) -> datetime:
        return self._firsts[0]

    def __iter__(self) -> Iterator[_Row]:
        return iter(self._rows)

    def in_window(self, run: _Asked, unseen: _Unseen) -> Iterator[_Row]:
        """Those that lie in the window of a run that has not seen them."""
        new = unseen.of(run.batches)
        start = 0 if run.start is None else bisect_left(self._firsts, max(run.start, _EARLIEST) - _MINUTE)
        for row in self._rows[start : bisect_right(self._firsts, run.end)]:
            if (run.start is None or row.last >= run.start) and _holds(new.get(row.table, ()), row.batch):
                yield row


def _holds(ranges: tuple[BatchRange, ...], batch: int) -> bool:
    place = bisect_right(_firsts(ranges), batch) - 1
    return place >= 0 and batch <= ranges[place][1]


@cache
def _firsts(ranges: tuple[BatchRange, ...]) -> list[int]:
    return [first for first, _ in ranges]


def _events(rows: Sequence[_Row]) -> LateEvents:
    known = {row.event_id: (row.first, row.landed_at) for row in rows if row.event_id is not None}
    return LateEvents(
        min(row.first for row in rows), max(row.last for row in rows), max(row.landed_at for row in rows), known
    )


@dataclass(frozen=True)
class _Landed:
    """Reads events that have landed since as-ofs were asked and may be late: those of a batch up to some time."""

    lake: Lake | LocalTables
    coverage: HitCoverage
    ends: Mapping[str, _Ends]

    def of(self, readers: Collection[Reader]) -> dict[str, _LateRows]:
        """Those of each hunt that has some, by its id."""
        rows: dict[str, list[_Row]] = {}
        for name in self.ends:
            versions = {one.hunt.digest for one in readers if name in one.hits}
            hits = self._hits(BY_NAME[name], versions) if versions else {}
            full = [one.hunt.id for one in readers if name in one.full]
            events = self._events(BY_NAME[name]) if full else []
            for one in readers:
                if name in one.hits:
                    rows.setdefault(one.hunt.id, []).extend(hits.get(one.hunt.digest, ()))
            for hunt_id in full:
                rows.setdefault(hunt_id, []).extend(events)
        return {hunt_id: _LateRows(some) for hunt_id, some in rows.items() if some}

    def _only(self, table: EventTable) -> list[tuple[str, Any, Any]]:
        ends = self.ends[table.name]
        of_batches: Where = [("batch", ">=", ends.first), ("batch", "<=", ends.last)]
        return [*of_batches, (table.times[0], "<=", ends.latest), ("event_date", "<=", ends.latest.date())]

    def _hits(self, table: EventTable, versions: Collection[str]) -> dict[str, list[_Row]]:
        """The hits that count, by hunt version."""
        ends = self.ends[table.name]
        passes = [
            one
            for one in self.coverage.passes
            if one.table == table.name and any(a <= ends.last and ends.first <= b for a, b in one.scan_range.batches)
        ]
        counted = {(version, one.id) for one in passes for version in one.versions}
        ids = sorted({one.id for one in passes})
        only = [("hunt_version", "in", sorted(versions)), ("pass_id", "in", ids), *self._only(table)]
        found: dict[str, dict[object, _Row]] = {}
        for (version, pass_id), row in self._rows(hits_of(table), table, only, ("hunt_version", "pass_id")):
            if (version, pass_id) in counted:  # an event once, which concurrent runs may both have read
                found.setdefault(version, {})[row.event_id or row] = row
        return {version: list(rows.values()) for version, rows in found.items()}

    def _events(self, table: EventTable) -> list[_Row]:
        return [row for _, row in self._rows(table.events, table, self._only(table), ())]

    def _rows(self, stored: Any, table: EventTable, only: Where, keys: tuple[str, ...]) -> Iterator[tuple[Any, _Row]]:
        """The rows that may be late, with the values of some columns."""
        time, ends = table.times[0], self.ends[table.name]
        names = [*keys, "batch", time, "landed_at", "event_id"]
        if isinstance(self.lake, LocalTables):
            found = self.lake.rows_of_few_files(MOST_READ, stored, names, only)
        else:
            found = self.lake.rows_in_memory(stored, MOST_READ, names, only)
        if found is not None:
            batches = found["batch"].combine_chunks().dictionary_encode()
            until = pa.array([ends.of(batch) for batch in batches.dictionary.to_pylist()], _TIME)
            found = found.filter(pc.fill_null(pc.less_equal(found[time], until.take(batches.indices)), False))
        if found is not None and found.num_rows <= MOST:
            columns = [found[name].to_pylist() for name in ("batch", time, time, "landed_at", "event_id")]
            of_keys = [found[name].to_pylist() for name in keys]
            for values in zip(*columns, *of_keys, strict=True):
                yield values[5:], _Row(table.name, *values[:5])
            return
        if isinstance(self.lake, LocalTables):
            raise OnlySparkError
        rows = self.lake.rows(stored).filter(where.spark_sql(only))
        at = F.col(time)
        grouped = rows.groupBy(*keys, "batch", F.date_trunc("minute", at).alias("minute")).agg(
            F.min(at).alias("first"),
            F.max(at).alias("last"),
            F.max("landed_at").alias("landed"),
            F.count("*").alias("n"),
        )
        for row in grouped.toArrow().to_pylist():
            of_minute = _Row(table.name, row["batch"], row["first"], row["last"], row["landed"], events=row["n"])
            end = ends.of(row["batch"])
            if end is not None and row["first"] <= end:
                yield tuple(row[name] for name in keys), of_minute


# Too late


def _too_late(
    lake: Lake | LocalTables,
    readers: Collection[Reader],
    late: Mapping[str, _LateRows],
    newest: Mapping[str, _Asked],
    unseen: _Unseen,
    horizon: int,
) -> dict[str, int]:
    """The number of each hunt's events that lie in windows of as-ofs before the horizon (ticks). An event is counted by
    the first run that sees it: it is in a batch that the newest as-of before has not seen."""
    limits = {one.hunt.id: times.to_datetime(one.as_of - horizon) for one in readers}
    some = {one.hunt.id: one for one in readers if late[one.hunt.id].first < limits[one.hunt.id]}
    if not some:
        return {}
    first = min(late[hunt_id].first for hunt_id in some)
    last = max(one.as_of for one in some.values()) - horizon
    before = _with_batches(run_log.asked(lake, some, times.from_datetime(first), last))
    counted: dict[str, set[_Row]] = {}
    for run in _latest(before, {hunt_id: late[hunt_id] for hunt_id in some}, unseen, last):
        if run.version == some[run.hunt_id].hunt.digest and run.as_of < limits[run.hunt_id]:
            seen = newest[run.hunt_id]._replace(start=run.start, end=run.end)
            counted.setdefault(run.hunt_id, set()).update(late[run.hunt_id].in_window(seen, unseen))
    return {hunt_id: sum(row.events for row in rows) for hunt_id, rows in counted.items() if rows}
