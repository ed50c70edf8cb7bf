"""Hits: the events that met a hunt's row-level predicates, so that no run reads an event twice for a hunt. There is a
table of hits for each event table (`hunt_tables.hits_of`).

Hits are only appended. A pass (a prefilter run over new events of a table) writes its hits, then its row in
`hunts.passes`; only then do its hits count. So a killed pass leaves rows that nobody reads (`lakehunt maintain` deletes
them), and concurrent runs cannot disturb each other. Hits of another version of a hunt are not read: its query differs,
or a function that it uses has changed. Nor are hits of a pass after which events were changed or deleted by anything
but Lakehunt."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cache, reduce
from itertools import combinations, combinations_with_replacement, pairwise
from typing import Any, Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehunt import __version__
from lakehunt.core import run_ids
from lakehunt.core.errors import LakehuntError
from lakehunt.core.progress import Progress
from lakehunt.hunting.incremental import prefilter
from lakehunt.hunting.incremental.predicates import TablePredicates
from lakehunt.hunting.query import events_table
from lakehunt.hunting.query.events_table import BatchRange, EventsSnapshot, LakeSnapshot
from lakehunt.lake import history
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.small_tables import LocalTables, UnreadableTableError
from lakehunt.lake.versions import known_version
from lakehunt.runtime import bounded
from lakehunt.runtime.bounded import TimeLimitError, TotalTimeError
from lakehunt.runtime.error_text import in_one_line, is_unreadable_file
from lakehunt.runtime.input_metrics import InputMetrics
from lakehunt.runtime.session import codegen
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import BY_NAME, kql_name
from lakehunt.schemas.hunt_tables import HITS_TABLES, PASSES, always_stored, hits_of
from lakehunt.schemas.table import Table
from lakehunt.spark import values
from lakehunt.spark.relations import Context

ENGINE_VERSION = __version__
"""Read before Spark starts: Spark adds dozens of archives to Python's path, which makes the look-up slow."""

_PROVENANCE = ("tick_digits", "event_id", "event_date", "landed_at", "batch")


@dataclass(frozen=True)
class HuntRequest:
    """A hunt's row-level predicates for one event table, and the first day of the window that a run needs hits for
    (None: all days)."""

    hunt_id: str
    hunt_version: str
    predicates: TablePredicates
    since: date | None


@dataclass(frozen=True)
class ScanRange:
    """The events of some batches on the days from `start` (None: unbounded) to before `end` (None: unbounded)."""

    batches: tuple[BatchRange, ...]
    start: date | None
    end: date | None


@dataclass(frozen=True)
class PrefilterRun:
    """A pass as recorded in `hunts.passes`: the event table (KQL name), and the hunt versions that it covers."""

    id: str
    table: str
    scan_range: ScanRange
    versions: frozenset[str]


@dataclass(frozen=True)
class ScanStats:
    """What passes have read for a hunt. `bytes` is None if unknown. `evaluated`: the events of which their texts left
    open whether they are hits, so that Spark evaluated the hunt's other conditions: the more, the dearer it is."""

    events: int = 0
    bytes: int | None = 0
    evaluated: int = 0

    def and_(self, other: ScanStats) -> ScanStats:
        known = self.bytes is not None and other.bytes is not None
        read = (self.bytes or 0) + (other.bytes or 0) if known else None
        return ScanStats(self.events + other.events, read, self.evaluated + other.evaluated)


T = TypeVar("T")

SETTING = "scan_seconds"
"""The limit of passes."""

TOTAL = 5
"""How many times as long as one pass may take, all passes of a run may take together."""


@dataclass(frozen=True)
class ScanBounds:
    """How long passes may take, in seconds."""

    most: float
    """For the first pass, and for one of a single hunt."""

    least: float
    """Remains for a pass of half of the hunts or of the batches."""

    shared: float = math.inf
    """For a pass of several hunts, unless `most` is less."""

    ends: float = math.inf
    """When (by the monotonic clock) the time for all passes of the run is over."""

    def halved(self) -> ScanBounds:
        return replace(self, shared=max(min(self.shared, self.most) / 2, self.least))

    def of(self, hunts: Sequence[HuntRequest]) -> float:
        """The seconds for a pass of these hunts."""
        return self.most if len(hunts) == 1 else min(self.shared, self.most)

    def within(self, lake: Lake, hunts: Sequence[HuntRequest], work: Callable[[], T]) -> T:
        """The result of a pass of these hunts. Raises TotalTimeError if the time for all passes is over."""
        seconds, left = self.of(hunts), self.ends - time.monotonic()
        total = TotalTimeError(TOTAL * self.most, SETTING)
        if left <= 0:
            raise total
        try:
            return bounded.within(lake.spark, min(seconds, left), SETTING, work)
        except TimeLimitError as error:
            raise total if left < seconds else error from None


@dataclass
class HitCoverage:
    """The hits of a run's hunts, complete except for the hunts in `failed` (hunt id: reason)."""

    passes: list[PrefilterRun]
    stats: dict[str, ScanStats] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)


def complete_hits(
    lake: Lake,
    snapshot: LakeSnapshot,
    hunts: Sequence[HuntRequest],
    context: Context,
    say: Progress,
    bounds: ScanBounds,
    apart: Collection[str] = (),
) -> HitCoverage:
    """Scans, for each hunt and each event table that it reads, the events that no pass has read for it yet.

    A hunt whose conditions fail (on an unsupported value, for example) or take too long is isolated and recorded in
    `failed`; the others continue. Each of the hunts `apart` (ids) has a pass of its own, after the others. What passes
    have read before the time for all of them is over is recorded: the next run goes on from there."""
    bounds = replace(bounds, ends=time.monotonic() + TOTAL * bounds.most)
    events, unreadable = _opened(snapshot, hunts)
    hits = HitCoverage(_recorded(lake, {h.hunt_version for h in hunts}, events), failed=unreadable)
    # hunts with the same query share their hits
    first = {(hunt.hunt_version, hunt.predicates.table.name): hunt for hunt in reversed(hunts)}
    for name, of_table in events.items():
        passes = [one for one in hits.passes if one.table == name]
        unique = [hunt for (_, table), hunt in first.items() if table == name]
        for scan_range, requests in _uncovered_requests(passes, unique, of_table.accepted).items():
            say(f"reading {_described(scan_range, name)} for {len(requests)} hunt{'s' * (len(requests) > 1)}")
            if together := [one for one in requests if one.hunt_id not in apart]:
                _prefiltered(lake, of_table, scan_range, together, context, hits, bounds)
            for one in requests:
                if one.hunt_id in apart:
                    _prefiltered(lake, of_table, scan_range, [one], context, hits, bounds)
    for hunt in hunts:
        shared = first[hunt.hunt_version, hunt.predicates.table.name].hunt_id
        hits.stats[hunt.hunt_id] = hits.stats.get(shared, ScanStats())
        if shared in hits.failed:
            hits.failed[hunt.hunt_id] = hits.failed[shared]
    for hunt_id, why in hits.failed.items():
        say(f"hunt {hunt_id} cannot be decided event by event: {in_one_line(why)}")
    return hits


def _opened(
    snapshot: LakeSnapshot, hunts: Sequence[HuntRequest]
) -> tuple[dict[str, EventsSnapshot], dict[str, Exception]]:
    """The events of each table that these hunts read, by its name; and the hunts (ids) whose table cannot be read.

    Raises the error if no table can be read."""
    events: dict[str, EventsSnapshot] = {}
    failed: dict[str, Exception] = {}
    for name in dict.fromkeys(hunt.predicates.table.name for hunt in hunts):
        try:
            events[name] = snapshot.of(BY_NAME[name])
        except Exception as error:  # noqa: BLE001 (other hunts go on)
            failed |= {hunt.hunt_id: error for hunt in hunts if hunt.predicates.table.name == name}
    if failed and not events:
        raise next(iter(failed.values()))
    return events, failed


def _prefiltered(
    lake: Lake,
    events: EventsSnapshot,
    scan_range: ScanRange,
    hunts: list[HuntRequest],
    context: Context,
    hits: HitCoverage,
    bounds: ScanBounds,
) -> None:
    """Runs one pass; if it fails or takes too long, retries with parts of it, down to the hunt at fault."""
    hunts = [one for one in hunts if one.hunt_id not in hits.failed]
    filters = _filters(events.table, hunts, context, hits)
    hunts = [one for one in hunts if one.hunt_id not in hits.failed]
    if not hunts:
        return
    try:
        done, stats = bounds.within(lake, hunts, lambda: _run_prefilter(lake, events, scan_range, hunts, filters))
    except Exception as error:  # noqa: BLE001
        parts = _parts(lake, events, scan_range, hunts, error, bounds)
        for part, some in parts:
            _prefiltered(lake, events, part, some, context, hits, bounds.halved())
        if not parts:
            hits.failed |= {one.hunt_id: error for one in hunts}
        return
    hits.passes.append(done)
    for hunt, read in zip(hunts, stats, strict=True):
        hits.stats[hunt.hunt_id] = hits.stats.get(hunt.hunt_id, ScanStats()).and_(read)


def _filters(
    table: EventTable, hunts: Sequence[HuntRequest], context: Context, hits: HitCoverage
) -> list[prefilter.HuntFilter]:
    """The filters of hunts; one whose conditions cannot be compiled is recorded in `failed`, and has none."""
    made = prefilter.hunt_filters(table, [one.predicates.alternatives for one in hunts], context)
    hits.failed |= {
        hunt.hunt_id: why for hunt, why in zip(hunts, made, strict=True) if not isinstance(why, prefilter.HuntFilter)
    }
    return [one for one in made if isinstance(one, prefilter.HuntFilter)]


def _parts(
    lake: Lake,
    events: EventsSnapshot,
    scan_range: ScanRange,
    hunts: list[HuntRequest],
    error: Exception,
    bounds: ScanBounds,
) -> list[tuple[ScanRange, list[HuntRequest]]]:
    """What to try in place of a pass that has failed: each half of the batches if these take long to read, otherwise
    each half of the hunts; nothing for a single hunt, or if there is no time left."""
    if isinstance(error, TotalTimeError):
        return []
    halves = _halves(scan_range) if isinstance(error, TimeLimitError) else ()
    if halves and _is_slow_to_read(lake, events, scan_range, hunts, bounds):
        return [(part, hunts) for part in halves]
    half = len(hunts) // 2
    return [(scan_range, some) for some in (hunts[:half], hunts[half:])] if half else []


def _halves(scan_range: ScanRange) -> tuple[ScanRange, ...]:
    """Both halves of the batches; nothing for a single batch."""
    numbers = [number for first, last in scan_range.batches for number in range(first, last + 1)]
    half = len(numbers) // 2
    parts = (numbers[:half], numbers[half:]) if half else ()
    return tuple(replace(scan_range, batches=events_table.batch_ranges(part)) for part in parts)


def _is_slow_to_read(
    lake: Lake, events: EventsSnapshot, scan_range: ScanRange, hunts: Sequence[HuntRequest], bounds: ScanBounds
) -> bool:
    """Whether reading the events alone takes longer than half of the time for a pass of these hunts."""
    try:
        bounded.within(
            lake.spark, bounds.of(hunts) / 2, SETTING, lambda: lake.read_through(_read(events, scan_range, hunts))
        )
    except Exception as error:  # noqa: BLE001 (a smaller pass will fail in the same way)
        return isinstance(error, TimeLimitError)
    return False


def _read(events: EventsSnapshot, scan_range: ScanRange, hunts: Sequence[HuntRequest]) -> DataFrame:
    """The events of a range, with the columns that hits of these hunts have."""
    columns = always_stored(events.table).union(*(hunt.predicates.columns for hunt in hunts))
    frame = events.frame.filter(events_table.in_batches(scan_range.batches) & _on_days(scan_range))
    return frame.select(*(name for name in events.table.events.column_names if name in columns or name in _PROVENANCE))


def _run_prefilter(
    lake: Lake,
    events: EventsSnapshot,
    scan_range: ScanRange,
    hunts: Sequence[HuntRequest],
    filters: Sequence[prefilter.HuntFilter],
) -> tuple[PrefilterRun, list[ScanStats]]:
    """Runs a pass; what it has read for each hunt."""
    started, clock = datetime.now(UTC), time.perf_counter()
    pass_id = run_ids.run_id(started)
    read, stored = _read(events, scan_range, hunts), hits_of(events.table)
    before = known_version(lake.spark, lake.path(stored.name))
    with InputMetrics(lake.spark, pass_id) as metrics, codegen(lake.spark, on=True):
        prefiltered = prefilter.apply_prefilters(read, filters)
        lake.append(stored, _rows(stored, prefiltered.frame, hunts, pass_id))
    if _withdrawn_since(lake, stored, max(before, 0)):
        return _run_prefilter(lake, events, scan_range, hunts, filters)
    counts = prefiltered.counts()
    row = (
        pass_id,
        [{"first": first, "last": last} for first, last in scan_range.batches],
        scan_range.start,
        scan_range.end,
        [{"hunt_id": hunt.hunt_id, "hunt_version": hunt.hunt_version} for hunt in hunts],
        counts.events,
        metrics.bytes,
        started,
        round(time.perf_counter() - clock, 3),
        events.version,
        ENGINE_VERSION,
        events.table.name,
    )
    lake.append(PASSES, [row])
    versions = frozenset(hunt.hunt_version for hunt in hunts)
    done = PrefilterRun(pass_id, events.table.name, scan_range, versions)
    return done, [ScanStats(counts.events, metrics.bytes, evaluated) for evaluated in counts.evaluated]


def _rows(stored: Table, prefiltered: DataFrame, hunts: Sequence[HuntRequest], pass_id: str) -> DataFrame:
    """One row per event and hunt, with all columns of the hits table, rebalanced to few files per day."""
    named = json.dumps([{"id": one.hunt_id, "version": one.hunt_version} for one in hunts])
    ids = F.from_json(F.lit(named), "array<struct<id string, version string>>")  # a constant, however many there are
    exploded = prefiltered.withColumn("$$hunt", F.explode(prefilter.HUNTS))
    exploded = exploded.withColumn("$$hunt", F.get(ids, F.col("`$$hunt`")))
    values = {
        "hunt_id": F.col("`$$hunt`")["id"],
        "hunt_version": F.col("`$$hunt`")["version"],
        "pass_id": F.lit(pass_id),
    }
    values |= {name: F.col(name) for name in prefiltered.columns}
    rows = exploded.select(*(values.get(c.name, F.lit(None)).cast(c.type).alias(c.name) for c in stored.columns))
    return rows.hint("rebalance", F.col("event_date"))


def _on_days(scan_range: ScanRange) -> Column:
    day = F.col("event_date")
    from_start = F.lit(True) if scan_range.start is None else day >= values.day(scan_range.start)
    return from_start if scan_range.end is None else from_start & (day < values.day(scan_range.end))


# Damage


def is_damage(error: Exception) -> bool:
    """Whether the error is that a file of hits or passes cannot be read."""
    if isinstance(error, UnreadableTableError):
        return error.table in {table.name for table in (*HITS_TABLES, PASSES)}
    folders = (table.name.replace(".", "/") for table in (*HITS_TABLES, PASSES))  # the lake's own path may be escaped
    return is_unreadable_file(error) and any(f"/{folder}/" in str(error) for folder in folders)


def withdraw_all(lake: Lake) -> None:
    """Removes all hits, whose files need not be readable; passes first, as without them hits do not count, and again
    those that another run has recorded meanwhile."""
    for table in (PASSES, *(table for table in HITS_TABLES if lake.exists(table.name)), PASSES):
        DeltaTable.forPath(lake.spark, lake.path(table.name)).delete()


def check_not_withdrawn(lake: Lake, hits: HitCoverage) -> None:
    """Raises LakehuntError if another run has withdrawn hits since this one asked which there are."""
    ids = {one.id for one in hits.passes}
    kept = lake.few(PASSES, ["pass_id"], [("pass_id", "in", sorted(ids))])
    if ids - {row["pass_id"] for row in kept}:
        raise LakehuntError("another run has withdrawn hits, to compute them again", "run again")


def _withdrawn_since(lake: Lake, hits: Table, version: int) -> bool:
    """Whether hits may have been removed since this version of their table, by whatever was not this run."""
    newest = lake.version(hits.name)
    return newest < version or history.last_destructive_commit(lake, hits.name, version, newest) is not None


# Coverage


class StoredVersion(Protocol):
    """A version of a stored event table."""

    @property
    def table(self) -> EventTable: ...

    @property
    def version(self) -> int: ...


@dataclass(frozen=True)
class _Newest:
    table: EventTable
    version: int


def read_so_far(
    lake: LocalTables, hunts: Sequence[HuntRequest], accepted: Mapping[str, tuple[BatchRange, ...]]
) -> tuple[list[PrefilterRun], set[str]]:
    """The passes for these hunts, and the hunts (ids) for which events of accepted batches (by event table) have not
    been read yet. Without Spark."""
    tables = {hunt.predicates.table.name: hunt.predicates.table for hunt in hunts}
    events = {name: _Newest(table, lake.version(table.events.name)) for name, table in tables.items()}
    passes = _recorded(lake, {hunt.hunt_version for hunt in hunts}, events)
    unread: set[str] = set()
    for name in tables:
        own = [one for one in passes if one.table == name]
        reading = [hunt for hunt in hunts if hunt.predicates.table.name == name]
        for some in _uncovered_requests(own, reading, accepted.get(name, ())).values():
            unread |= {hunt.hunt_id for hunt in some}
    return passes, unread


def _recorded(lake: Lake | LocalTables, versions: set[str], events: Mapping[str, StoredVersion]) -> list[PrefilterRun]:
    """The passes over these tables (by name) for any of these hunt versions, oldest first, whose events have not
    changed since.

    The release of Lakehunt that wrote them does not matter: a hunt's version includes what its query means
    (kql/semantics.py)."""
    table = lake.rows(PASSES) if isinstance(lake, LocalTables) else lake.arrow(PASSES)
    every = zip(table.drop_columns("hunts").to_pylist(), _versions(table["hunts"]), strict=True)
    rows = [(row, own) for row, own in every if not versions.isdisjoint(own)]
    wanted = {own: own & versions for own in {own for _, own in rows}}
    kept: list[PrefilterRun] = []
    for name, of_table in events.items():
        if own := [one for one in rows if kql_name(one[0]["event_table"]) == name]:
            oldest = min(row["events_version"] for row, _ in own)
            loss = history.last_destructive_commit(lake, of_table.table.events.name, oldest, of_table.version)
            valid = (one for one in own if loss is None or one[0]["events_version"] >= loss)
            kept += [_prefilter_run(row, name, wanted[covered]) for row, covered in valid]
    return sorted(kept, key=lambda one: one.id)


def _prefilter_run(row: Mapping[str, Any], table: str, versions: frozenset[str]) -> PrefilterRun:
    batches = tuple((run["first"], run["last"]) for run in row["batches"])
    scan_range = ScanRange(batches, row["date_from"], row["date_before"])
    return PrefilterRun(row["pass_id"], table, scan_range, versions)


def _versions(hunts: pa.ChunkedArray) -> list[frozenset[str]]:
    """The hunt versions of each pass. There are thousands of passes, most of them for the same hunts."""
    lists = hunts.combine_chunks()
    named = lists.flatten().field("hunt_version").dictionary_encode()
    places, names = named.indices.to_numpy(zero_copy_only=False), named.dictionary.to_pylist()
    known: dict[bytes, frozenset[str]] = {}
    found, start = [], 0
    for length in pc.list_value_length(lists).to_pylist():
        own = places[start : start + (length or 0)]
        start += length or 0
        if (key := own.tobytes()) not in known:
            known[key] = frozenset(names[place] for place in own)
        found.append(known[key])
    return found


def _uncovered_requests(
    passes: Sequence[PrefilterRun], hunts: Sequence[HuntRequest], accepted: tuple[BatchRange, ...]
) -> dict[ScanRange, list[HuntRequest]]:
    """The ranges that are not yet scanned, each with the hunts that need it."""
    by_versions: dict[frozenset[str], list[ScanRange]] = {}
    for one in passes:
        by_versions.setdefault(one.versions, []).append(one.scan_range)
    known = {hunt: tuple(own for own in by_versions if hunt in own) for hunt in {one.hunt_version for one in hunts}}
    ranges = {some: _joined(r for own in some for r in by_versions[own]) for some in set(known.values())}
    new = [hunt for hunt in hunts if not known[hunt.hunt_version]]
    earliest = None if any(hunt.since is None for hunt in new) else min((h.since for h in new if h.since), default=None)
    wanted: dict[ScanRange, list[HuntRequest]] = {}
    for hunt in hunts:
        read = ranges[known[hunt.hunt_version]]
        # New hunts share one scan, as far back as the longest lookback window among them
        for scan_range in uncovered_ranges(read, earliest if not read else hunt.since, accepted):
            wanted.setdefault(scan_range, []).append(hunt)
    return wanted


def _joined(ranges: Iterable[ScanRange]) -> tuple[ScanRange, ...]:
    """The same events in few ranges: those of the same days are one."""
    batches: dict[tuple[date | None, date | None], list[BatchRange]] = {}
    for one in ranges:
        batches.setdefault((one.start, one.end), []).extend(one.batches)
    return tuple(ScanRange(events_table.joined(some), *days) for days, some in batches.items())


@cache
def uncovered_ranges(
    read: tuple[ScanRange, ...], since: date | None, accepted: tuple[BatchRange, ...]
) -> tuple[ScanRange, ...]:
    """The ranges of accepted batches that have not been read, for days from `since` on.

    A batch of which nothing was read, while others were, is read for all days: a new batch has few late events. So a
    hunt's history is read once, as far back as requested."""
    gaps: dict[tuple[date | None, date | None], list[BatchRange]] = {}
    for run in _split_batches(accepted, read):
        until = _covered_from([r for r in read if any(first <= run[0] and run[1] <= last for first, last in r.batches)])
        start = None if read and until == _NEVER else since
        if until > (start or date.min):
            gaps.setdefault((start, None if until == _NEVER else until), []).append(run)
    return tuple(ScanRange(events_table.joined(runs), start, end) for (start, end), runs in gaps.items())


_NEVER = date.max


def _split_batches(accepted: tuple[BatchRange, ...], read: Iterable[ScanRange]) -> list[BatchRange]:
    """The accepted batches, split wherever the batches of a scan range begin or end."""
    starts = {first for scan_range in read for first, _ in scan_range.batches}
    cuts = sorted(starts | {last + 1 for scan_range in read for _, last in scan_range.batches})
    parts: list[BatchRange] = []
    for first, last in accepted:
        inside = [first, *(cut for cut in cuts if first < cut <= last), last + 1]
        parts += [(a, b - 1) for a, b in pairwise(inside)]
    return parts


def _covered_from(scan_ranges: Iterable[ScanRange]) -> date:
    """The first day from which on everything was read, given scan ranges of the same batches."""
    until = _NEVER
    for scan_range in sorted(scan_ranges, key=lambda r: r.end or _NEVER, reverse=True):
        if (scan_range.end or _NEVER) >= until:
            until = min(until, scan_range.start or date.min)
    return until


def _described(scan_range: ScanRange, table: str) -> str:
    count = sum(last - first + 1 for first, last in scan_range.batches)
    days = " ".join(
        f"{word} {day}" for word, day in (("from", scan_range.start), ("before", scan_range.end)) if day is not None
    )
    return f"{count} batch{'es' * (count > 1)} of {table}" + (f" {days}" if days else "")


# Reading hits


def scan_hits(
    lake: Lake, table: EventTable, hits: HitCoverage, versions: Iterable[str], since: date | None, until: date
) -> DataFrame:
    """The hits of these hunt versions in a table and on days (both inclusive), each event once per version."""
    wanted = sorted(set(versions))
    passes = [one for one in hits.passes if one.table == table.name and not one.versions.isdisjoint(wanted)]
    days = F.col("event_date") <= values.day(until)
    rows = lake.rows(hits_of(table)).filter(
        _counted_runs(passes, wanted) & (days if since is None else days & (F.col("event_date") >= values.day(since)))
    )
    return rows.dropDuplicates(["hunt_version", "event_id"]) if _overlap(passes) else rows


def _counted_runs(passes: Sequence[PrefilterRun], versions: Iterable[str]) -> Column:
    """Hits of a version count only if their pass still covers it: coverage can be withdrawn (stale_hits.py)."""
    versions_by_passes: dict[tuple[str, ...], list[str]] = {}
    for wanted in versions:
        versions_by_passes.setdefault(tuple(one.id for one in passes if wanted in one.versions), []).append(wanted)
    counted = (
        F.col("hunt_version").isin(some) & F.col("pass_id").isin(list(ids)) for ids, some in versions_by_passes.items()
    )
    return reduce(lambda a, b: a | b, counted, F.lit(False))


def _overlap(passes: Sequence[PrefilterRun]) -> bool:
    """Whether two passes have read the same events for the same hunt, as concurrent runs may."""
    groups: dict[frozenset[str], list[ScanRange]] = {}
    for one in passes:
        groups.setdefault(one.versions, []).append(one.scan_range)
    pairs = combinations_with_replacement(groups.items(), 2)
    return any(
        not some.isdisjoint(others) and _any_share(a if a is b else [*a, *b]) for (some, a), (others, b) in pairs
    )


def _any_share(ranges: Sequence[ScanRange]) -> bool:
    """Whether any two of many ranges, most of which are of other batches, have an event in common."""
    batches = sorted(batch for one in ranges for batch in one.batches)
    if all(before[1] < after[0] for before, after in pairwise(batches)):
        return False
    return any(_share(a, b) for a, b in combinations(ranges, 2))


def _share(a: ScanRange, b: ScanRange) -> bool:
    batches = any(x[0] <= y[1] and y[0] <= x[1] for x in a.batches for y in b.batches)
    days = (a.start or date.min) < (b.end or _NEVER) and (b.start or date.min) < (a.end or _NEVER)
    return batches and days
