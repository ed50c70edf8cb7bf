"""`hunts.hits`: the events that passed a hunt's filters on single events, so that no run reads an event twice for it.

Hits are only appended. A pass over events writes its hits, then its row in `hunts.passes`; hits count from then on. So
a killed pass leaves rows that nobody reads (`lakehunt maintain` removes them), and two runs at once cannot disturb each
other. Hits of another version of a hunt, or of Lakehunt, are not read: its conditions may have had other answers. Nor
are those of a pass after which somebody changed or deleted events by other means than Lakehunt's."""

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

from pipelines.core.progress import Progress
from pipelines.errors import LakehuntError
from pipelines.hunting import events as events_table
from pipelines.hunting import sieve
from pipelines.hunting.events import Batches, Events
from pipelines.hunting.split import ALWAYS, Split
from pipelines.kql.errors import KqlError
from pipelines.lake import changes
from pipelines.lake.failures import in_a_line
from pipelines.lake.meter import Meter
from pipelines.lake.session import codegen
from pipelines.lake.tables import Lake
from pipelines.schemas.event_tables import DEVICE_PROCESS_EVENTS
from pipelines.schemas.hunt_tables import HITS, PASSES
from pipelines.spark.relations import Context

ENGINE_VERSION = version("lakehunt")
"""Found out before Spark is started: then there are dozens of archives on Python's path to look through."""

_PROVENANCE = ("tick_digits", "event_id", "event_date", "landed_at", "batch")


@dataclass(frozen=True)
class Sought:
    """A hunt's split query, and the first day (None: the beginning) of the window that a run needs hits for."""

    hunt_id: str
    hunt_version: str
    split: Split
    since: date | None


@dataclass(frozen=True)
class Region:
    """Events of some batches, and of the days from `start` on (None: from the beginning) before `end` (None: all)."""

    batches: tuple[Batches, ...]
    start: date | None
    end: date | None


@dataclass(frozen=True)
class Pass:
    """A pass as `hunts.passes` has it, and the hunt versions that it was for."""

    id: str
    region: Region
    versions: frozenset[str]


@dataclass(frozen=True)
class Effort:
    """What passes have read."""

    events: int = 0
    bytes: int | None = 0

    def and_(self, other: Effort) -> Effort:
        known = self.bytes is not None and other.bytes is not None
        return Effort(self.events + other.events, (self.bytes or 0) + (other.bytes or 0) if known else None)


@dataclass
class Hits:
    """The hits of a run's hunts: complete for all but those in `failed` (hunt id: why)."""

    passes: list[Pass]
    effort: dict[str, Effort] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def complete(lake: Lake, events: Events, hunts: Sequence[Sought], context: Context, say: Progress) -> Hits:
    """Reads, for each hunt, the events that no pass has read for it yet.

    A hunt whose conditions fail (on a value that they refuse, say) is found out and stands in `failed`; the others go
    on."""
    hits = Hits(_recorded(lake, {h.hunt_version for h in hunts}, events))
    first = {hunt.hunt_version: hunt for hunt in reversed(hunts)}  # hunts with the same query share their hits
    for region, wanting in _missing(hits.passes, list(first.values()), events.settled).items():
        say(f"reading {_told(region)} for {len(wanting)} hunt{'s' * (len(wanting) > 1)}")
        _passed(lake, events, region, wanting, context, hits)
    for hunt in hunts:
        shared = first[hunt.hunt_version].hunt_id
        hits.effort[hunt.hunt_id] = hits.effort.get(shared, Effort())
        if shared in hits.failed:
            hits.failed[hunt.hunt_id] = hits.failed[shared]
    for hunt_id, why in hits.failed.items():
        say(f"hunt {hunt_id} cannot be decided event by event: {why}")
    return hits


def _passed(lake: Lake, events: Events, region: Region, hunts: list[Sought], context: Context, hits: Hits) -> None:
    """One pass, or, where that fails, one for each half of the hunts, down to the one that fails."""
    try:
        made, effort = _one_pass(lake, events, region, hunts, context)
    except (KqlError, LakehuntError, PySparkException, Py4JError) as error:
        if len(hunts) == 1:
            hits.failed[hunts[0].hunt_id] = in_a_line(error)
            return
        half = len(hunts) // 2
        for some in (hunts[:half], hunts[half:]):
            _passed(lake, events, region, some, context, hits)
        return
    hits.passes.append(made)
    for hunt in hunts:
        hits.effort[hunt.hunt_id] = hits.effort.get(hunt.hunt_id, Effort()).and_(effort)


def _one_pass(
    lake: Lake, events: Events, region: Region, hunts: Sequence[Sought], context: Context
) -> tuple[Pass, Effort]:
    started, clock = datetime.now(UTC), time.perf_counter()
    pass_id = f"{started:%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(4)}"
    columns = ALWAYS.union(*(hunt.split.columns for hunt in hunts))
    frame = events.frame.filter(events_table.of_batches(region.batches) & _of_days(region))
    read = frame.select(
        *(name for name in DEVICE_PROCESS_EVENTS.events.column_names if name in columns or name in _PROVENANCE)
    )
    with Meter(lake.spark, pass_id) as meter, codegen(lake.spark, on=True):
        sifted = sieve.sift(read, [hunt.split.fronts for hunt in hunts], context)
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
    return Pass(pass_id, region, frozenset(hunt.hunt_version for hunt in hunts)), Effort(sifted.events, meter.bytes)


def _rows(sifted: DataFrame, hunts: Sequence[Sought], pass_id: str) -> DataFrame:
    """A row for each event and hunt, with all columns of `hunts.hits`; few files for each day."""
    ids = F.array(*(F.struct(F.lit(h.hunt_id).alias("id"), F.lit(h.hunt_version).alias("version")) for h in hunts))
    one = sifted.withColumn("$$hunt", F.explode(sieve.HUNTS))
    named = one.withColumn("$$hunt", F.get(ids, F.col("`$$hunt`")))
    made = {
        "hunt_id": F.col("`$$hunt`")["id"],
        "hunt_version": F.col("`$$hunt`")["version"],
        "pass_id": F.lit(pass_id),
    }
    made |= {name: F.col(name) for name in sifted.columns}
    rows = named.select(*(made.get(c.name, F.lit(None)).cast(c.type).alias(c.name) for c in HITS.columns))
    return rows.hint("rebalance", F.col("event_date"))


def _of_days(region: Region) -> Column:
    day = F.col("event_date")
    from_start = F.lit(True) if region.start is None else day >= F.lit(region.start)
    return from_start if region.end is None else from_start & (day < F.lit(region.end))


# What has been read


def _recorded(lake: Lake, versions: set[str], events: Events) -> list[Pass]:
    """The passes of this version of Lakehunt for any of these versions of hunts, oldest first, whose events are still
    as they were read."""
    hunts = F.filter("hunts", lambda hunt: hunt["hunt_version"].isin(sorted(versions)))
    known = lake.rows(PASSES).filter(F.col("engine_version") == ENGINE_VERSION).withColumn("hunts", hunts)
    rows = known.filter(F.size("hunts") > 0).orderBy("pass_id").collect()
    if not rows:
        return []
    oldest = min(row.events_version for row in rows)
    loss = changes.last_loss(lake, DEVICE_PROCESS_EVENTS.events.name, oldest, events.version)
    return [_as_pass(row) for row in rows if loss is None or row.events_version >= loss]


def _as_pass(row: Row) -> Pass:
    batches = tuple((run.first, run.last) for run in row.batches)
    versions = frozenset(hunt.hunt_version for hunt in row.hunts)
    return Pass(row.pass_id, Region(batches, row.date_from, row.date_before), versions)


def _missing(
    passes: Sequence[Pass], hunts: Sequence[Sought], settled: tuple[Batches, ...]
) -> dict[Region, list[Sought]]:
    """What each hunt still needs to have read, and which hunts need it."""
    new = [hunt for hunt in hunts if not any(hunt.hunt_version in one.versions for one in passes)]
    earliest = None if any(hunt.since is None for hunt in new) else min((h.since for h in new if h.since), default=None)
    wanted: dict[Region, list[Sought]] = {}
    for hunt in hunts:
        read = tuple(one.region for one in passes if hunt.hunt_version in one.versions)
        # New hunts read together what the one that looks back furthest needs
        for region in missing(read, earliest if not read else hunt.since, settled):
            wanted.setdefault(region, []).append(hunt)
    return wanted


@cache
def missing(read: tuple[Region, ...], since: date | None, settled: tuple[Batches, ...]) -> tuple[Region, ...]:
    """What of the settled batches has not been read, of the days from `since` on.

    Of a batch of which nothing was read, but of others something, all days are missing: its late events are as few as
    they are new. So a hunt's history is read once, as far back as it is asked for."""
    gaps: dict[tuple[date | None, date | None], list[Batches]] = {}
    for run in _pieces(settled, read):
        until = _read_from([r for r in read if any(first <= run[0] and run[1] <= last for first, last in r.batches)])
        start = None if read and until == _NEVER else since
        if until > (start or date.min):
            gaps.setdefault((start, None if until == _NEVER else until), []).append(run)
    return tuple(Region(events_table.joined(runs), start, end) for (start, end), runs in gaps.items())


_NEVER = date.max


def _pieces(settled: tuple[Batches, ...], read: Iterable[Region]) -> list[Batches]:
    """The settled batches, cut wherever a region's batches begin or end."""
    starts = {first for region in read for first, _ in region.batches}
    cuts = sorted(starts | {last + 1 for region in read for _, last in region.batches})
    pieces: list[Batches] = []
    for first, last in settled:
        inside = [first, *(cut for cut in cuts if first < cut <= last), last + 1]
        pieces += [(a, b - 1) for a, b in pairwise(inside)]
    return pieces


def _read_from(regions: Iterable[Region]) -> date:
    """The day from which on all was read, by regions of the same batches."""
    until = _NEVER
    for region in sorted(regions, key=lambda r: r.end or _NEVER, reverse=True):
        if (region.end or _NEVER) >= until:
            until = min(until, region.start or date.min)
    return until


def _told(region: Region) -> str:
    count = sum(last - first + 1 for first, last in region.batches)
    days = " ".join(
        f"{word} {day:%Y-%m-%d}" for word, day in (("from", region.start), ("before", region.end)) if day is not None
    )
    return f"{count} batch{'es' * (count > 1)} of events" + (f" {days}" if days else "")


# Reading them


def opened(lake: Lake, hits: Hits, versions: Iterable[str], since: date | None, until: date) -> DataFrame:
    """The hits of these versions of hunts and days (both included): an event once for each version."""
    wanted = sorted(set(versions))
    passes = [one for one in hits.passes if not one.versions.isdisjoint(wanted)]
    days = F.col("event_date") <= F.lit(until)
    rows = lake.rows(HITS).filter(
        _counted(passes, wanted) & (days if since is None else days & (F.col("event_date") >= F.lit(since)))
    )
    return rows.dropDuplicates(["hunt_version", "event_id"]) if _overlap(passes) else rows


def _counted(passes: Sequence[Pass], versions: Iterable[str]) -> Column:
    """Hits of a version count where the pass that found them stands for it: it may have stopped to (abandoned.py)."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for wanted in versions:
        alike.setdefault(tuple(one.id for one in passes if wanted in one.versions), []).append(wanted)
    counted = (F.col("hunt_version").isin(some) & F.col("pass_id").isin(list(ids)) for ids, some in alike.items())
    return reduce(lambda a, b: a | b, counted, F.lit(False))


def _overlap(passes: Sequence[Pass]) -> bool:
    """Whether two passes have read the same events for the same hunt: runs at the same time, which could not know."""
    pairs = ((a, b) for i, a in enumerate(passes) for b in passes[i + 1 :])
    return any(_share(a.region, b.region) and not a.versions.isdisjoint(b.versions) for a, b in pairs)


def _share(a: Region, b: Region) -> bool:
    batches = any(x[0] <= y[1] and y[0] <= x[1] for x in a.batches for y in b.batches)
    days = (a.start or date.min) < (b.end or _NEVER) and (b.start or date.min) < (a.end or _NEVER)
    return batches and days
