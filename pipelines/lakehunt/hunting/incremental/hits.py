"""`hunts.hits`: the events that passed a hunt's filters on single events, so that no run reads an event twice for it.

Hits are only appended. A pass over events writes its hits, then its row in `hunts.passes`; hits count from then on. So
a killed pass leaves rows that nobody reads (`lakehunt maintain` removes them), and two runs at once cannot disturb each
other. Hits of another version of a hunt are not read: its query says something else, or a function that it uses has
other results by now. Nor are those of a pass after which somebody changed or deleted events by other means than
Lakehunt's."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache, reduce
from importlib.metadata import version
from itertools import pairwise

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from lakehunt.core.errors import LakehuntError
from lakehunt.core.progress import Progress
from lakehunt.hunting.incremental import prefilter
from lakehunt.hunting.incremental.predicates import RowPredicates
from lakehunt.hunting.query import events_table
from lakehunt.hunting.query.events_table import BatchRange, EventsSnapshot
from lakehunt.kql.errors import KqlError
from lakehunt.lake import history
from lakehunt.lake.delta_lake import Lake
from lakehunt.runtime.error_text import in_one_line
from lakehunt.runtime.input_metrics import InputMetrics
from lakehunt.runtime.session import codegen
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.hunt_tables import ALWAYS_STORED, HITS, PASSES
from lakehunt.spark.relations import Context

ENGINE_VERSION = version("lakehunt")
"""Found out before Spark is started: then there are dozens of archives on Python's path to look through."""

_PROVENANCE = ("tick_digits", "event_id", "event_date", "landed_at", "batch")


@dataclass(frozen=True)
class HuntRequest:
    """A hunt's split query, and the first day (None: the beginning) of the window that a run needs hits for."""

    hunt_id: str
    hunt_version: str
    split: RowPredicates
    since: date | None


@dataclass(frozen=True)
class ScanRange:
    """Events of some batches, and of the days from `start` on (None: from the beginning) before `end` (None: all)."""

    batches: tuple[BatchRange, ...]
    start: date | None
    end: date | None


@dataclass(frozen=True)
class PrefilterRun:
    """A pass as `hunts.passes` has it, and the hunt versions that it was for."""

    id: str
    region: ScanRange
    versions: frozenset[str]


@dataclass(frozen=True)
class ScanStats:
    """What passes have read."""

    events: int = 0
    bytes: int | None = 0

    def and_(self, other: ScanStats) -> ScanStats:
        known = self.bytes is not None and other.bytes is not None
        return ScanStats(self.events + other.events, (self.bytes or 0) + (other.bytes or 0) if known else None)


@dataclass
class HitCoverage:
    """The hits of a run's hunts: complete for all but those in `failed` (hunt id: why)."""

    passes: list[PrefilterRun]
    effort: dict[str, ScanStats] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def complete_hits(
    lake: Lake, events: EventsSnapshot, hunts: Sequence[HuntRequest], context: Context, say: Progress
) -> HitCoverage:
    """Reads, for each hunt, the events that no pass has read for it yet.

    A hunt whose conditions fail (on a value that they refuse, say) is found out and stands in `failed`; the others go
    on."""
    hits = HitCoverage(_recorded(lake, {h.hunt_version for h in hunts}, events))
    first = {hunt.hunt_version: hunt for hunt in reversed(hunts)}  # hunts with the same query share their hits
    for region, wanting in _uncovered_requests(hits.passes, list(first.values()), events.settled).items():
        say(f"reading {_described(region)} for {len(wanting)} hunt{'s' * (len(wanting) > 1)}")
        _prefiltered(lake, events, region, wanting, context, hits)
    for hunt in hunts:
        shared = first[hunt.hunt_version].hunt_id
        hits.effort[hunt.hunt_id] = hits.effort.get(shared, ScanStats())
        if shared in hits.failed:
            hits.failed[hunt.hunt_id] = hits.failed[shared]
    for hunt_id, why in hits.failed.items():
        say(f"hunt {hunt_id} cannot be decided event by event: {why}")
    return hits


def _prefiltered(
    lake: Lake, events: EventsSnapshot, region: ScanRange, hunts: list[HuntRequest], context: Context, hits: HitCoverage
) -> None:
    """One pass, or, where that fails, one for each half of the hunts, down to the one that fails."""
    try:
        made, effort = _run_prefilter(lake, events, region, hunts, context)
    except (KqlError, LakehuntError, PySparkException, Py4JError) as error:
        if len(hunts) == 1:
            hits.failed[hunts[0].hunt_id] = in_one_line(error)
            return
        half = len(hunts) // 2
        for some in (hunts[:half], hunts[half:]):
            _prefiltered(lake, events, region, some, context, hits)
        return
    hits.passes.append(made)
    for hunt in hunts:
        hits.effort[hunt.hunt_id] = hits.effort.get(hunt.hunt_id, ScanStats()).and_(effort)


def _run_prefilter(
    lake: Lake, events: EventsSnapshot, region: ScanRange, hunts: Sequence[HuntRequest], context: Context
) -> tuple[PrefilterRun, ScanStats]:
    started, clock = datetime.now(UTC), time.perf_counter()
    pass_id = f"{started:%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(4)}"
    columns = ALWAYS_STORED.union(*(hunt.split.columns for hunt in hunts))
    frame = events.frame.filter(events_table.in_batches(region.batches) & _of_days(region))
    read = frame.select(
        *(name for name in DEVICE_PROCESS_EVENTS.events.column_names if name in columns or name in _PROVENANCE)
    )
    with InputMetrics(lake.spark, pass_id) as meter, codegen(lake.spark, on=True):
        sifted = prefilter.apply_prefilters(read, [hunt.split.fronts for hunt in hunts], context)
        lake.append(HITS, _rows(sifted.frame, hunts, pass_id))
    row = (
        pass_id,
        [{"first": first, "last": last} for first, last in region.batches],
        region.start,
        region.end,
        [{"hunt_id": hunt.hunt_id, "hunt_version": hunt.hunt_version} for hunt in hunts],
        sifted.events,
        meter.bytes,
        started,
        round(time.perf_counter() - clock, 3),
        events.version,
        ENGINE_VERSION,
    )
    lake.append(PASSES, lake.local(PASSES, [row]))
    return PrefilterRun(pass_id, region, frozenset(hunt.hunt_version for hunt in hunts)), ScanStats(
        sifted.events, meter.bytes
    )


def _rows(sifted: DataFrame, hunts: Sequence[HuntRequest], pass_id: str) -> DataFrame:
    """A row for each event and hunt, with all columns of `hunts.hits`; few files for each day."""
    ids = F.array(*(F.struct(F.lit(h.hunt_id).alias("id"), F.lit(h.hunt_version).alias("version")) for h in hunts))
    one = sifted.withColumn("$$hunt", F.explode(prefilter.HUNTS))
    named = one.withColumn("$$hunt", F.get(ids, F.col("`$$hunt`")))
    made = {
        "hunt_id": F.col("`$$hunt`")["id"],
        "hunt_version": F.col("`$$hunt`")["version"],
        "pass_id": F.lit(pass_id),
    }
    made |= {name: F.col(name) for name in sifted.columns}
    rows = named.select(*(made.get(c.name, F.lit(None)).cast(c.type).alias(c.name) for c in HITS.columns))
    return rows.hint("rebalance", F.col("event_date"))


def _of_days(region: ScanRange) -> Column:
    day = F.col("event_date")
    from_start = F.lit(True) if region.start is None else day >= F.lit(region.start)
    return from_start if region.end is None else from_start & (day < F.lit(region.end))


# What has been read


def _recorded(lake: Lake, versions: set[str], events: EventsSnapshot) -> list[PrefilterRun]:
    """The passes for any of these versions of hunts, oldest first, whose events are still as they were read.

    Whichever release of Lakehunt wrote them: a hunt's version says what its query means (kql/semantics.py)."""
    hunts = F.filter("hunts", lambda hunt: hunt["hunt_version"].isin(sorted(versions)))
    known = lake.rows(PASSES).withColumn("hunts", hunts)
    rows = known.filter(F.size("hunts") > 0).orderBy("pass_id").collect()
    if not rows:
        return []
    oldest = min(row.events_version for row in rows)
    loss = history.last_destructive_commit(lake, DEVICE_PROCESS_EVENTS.events.name, oldest, events.version)
    return [_prefilter_run(row) for row in rows if loss is None or row.events_version >= loss]


def _prefilter_run(row: Row) -> PrefilterRun:
    batches = tuple((run.first, run.last) for run in row.batches)
    versions = frozenset(hunt.hunt_version for hunt in row.hunts)
    return PrefilterRun(row.pass_id, ScanRange(batches, row.date_from, row.date_before), versions)


def _uncovered_requests(
    passes: Sequence[PrefilterRun], hunts: Sequence[HuntRequest], settled: tuple[BatchRange, ...]
) -> dict[ScanRange, list[HuntRequest]]:
    """What each hunt still needs to have read, and which hunts need it."""
    new = [hunt for hunt in hunts if not any(hunt.hunt_version in one.versions for one in passes)]
    earliest = None if any(hunt.since is None for hunt in new) else min((h.since for h in new if h.since), default=None)
    wanted: dict[ScanRange, list[HuntRequest]] = {}
    for hunt in hunts:
        read = tuple(one.region for one in passes if hunt.hunt_version in one.versions)
        # New hunts read together what the one that looks back furthest needs
        for region in uncovered_ranges(read, earliest if not read else hunt.since, settled):
            wanted.setdefault(region, []).append(hunt)
    return wanted


@cache
def uncovered_ranges(
    read: tuple[ScanRange, ...], since: date | None, settled: tuple[BatchRange, ...]
) -> tuple[ScanRange, ...]:
    """What of the settled batches has not been read, of the days from `since` on.

    Of a batch of which nothing was read, but of others something, all days are missing: its late events are as few as
    they are new. So a hunt's history is read once, as far back as it is asked for."""
    gaps: dict[tuple[date | None, date | None], list[BatchRange]] = {}
    for run in _date_pieces(settled, read):
        until = _covered_from([r for r in read if any(first <= run[0] and run[1] <= last for first, last in r.batches)])
        start = None if read and until == _NEVER else since
        if until > (start or date.min):
            gaps.setdefault((start, None if until == _NEVER else until), []).append(run)
    return tuple(ScanRange(events_table.joined(runs), start, end) for (start, end), runs in gaps.items())


_NEVER = date.max


def _date_pieces(settled: tuple[BatchRange, ...], read: Iterable[ScanRange]) -> list[BatchRange]:
    """The settled batches, cut wherever a region's batches begin or end."""
    starts = {first for region in read for first, _ in region.batches}
    cuts = sorted(starts | {last + 1 for region in read for _, last in region.batches})
    pieces: list[BatchRange] = []
    for first, last in settled:
        inside = [first, *(cut for cut in cuts if first < cut <= last), last + 1]
        pieces += [(a, b - 1) for a, b in pairwise(inside)]
    return pieces


def _covered_from(regions: Iterable[ScanRange]) -> date:
    """The day from which on all was read, by regions of the same batches."""
    until = _NEVER
    for region in sorted(regions, key=lambda r: r.end or _NEVER, reverse=True):
        if (region.end or _NEVER) >= until:
            until = min(until, region.start or date.min)
    return until


def _described(region: ScanRange) -> str:
    count = sum(last - first + 1 for first, last in region.batches)
    days = " ".join(
        f"{word} {day:%Y-%m-%d}" for word, day in (("from", region.start), ("before", region.end)) if day is not None
    )
    return f"{count} batch{'es' * (count > 1)} of events" + (f" {days}" if days else "")


# Reading them


def scan_hits(lake: Lake, hits: HitCoverage, versions: Iterable[str], since: date | None, until: date) -> DataFrame:
    """The hits of these versions of hunts and days (both included): an event once for each version."""
    wanted = sorted(set(versions))
    passes = [one for one in hits.passes if not one.versions.isdisjoint(wanted)]
    days = F.col("event_date") <= F.lit(until)
    rows = lake.rows(HITS).filter(
        _counted_runs(passes, wanted) & (days if since is None else days & (F.col("event_date") >= F.lit(since)))
    )
    return rows.dropDuplicates(["hunt_version", "event_id"]) if _overlap(passes) else rows


def _counted_runs(passes: Sequence[PrefilterRun], versions: Iterable[str]) -> Column:
    """Hits of a version count where the pass that found them stands for it: it may have stopped to (abandoned.py)."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for wanted in versions:
        alike.setdefault(tuple(one.id for one in passes if wanted in one.versions), []).append(wanted)
    counted = (F.col("hunt_version").isin(some) & F.col("pass_id").isin(list(ids)) for ids, some in alike.items())
    return reduce(lambda a, b: a | b, counted, F.lit(False))


def _overlap(passes: Sequence[PrefilterRun]) -> bool:
    """Whether two passes have read the same events for the same hunt: runs at the same time, which could not know."""
    pairs = ((a, b) for i, a in enumerate(passes) for b in passes[i + 1 :])
    return any(_share(a.region, b.region) and not a.versions.isdisjoint(b.versions) for a, b in pairs)


def _share(a: ScanRange, b: ScanRange) -> bool:
    batches = any(x[0] <= y[1] and y[0] <= x[1] for x in a.batches for y in b.batches)
    days = (a.start or date.min) < (b.end or _NEVER) and (b.start or date.min) < (a.end or _NEVER)
    return batches and days
