"""When hunts are due: each has as-ofs of its own, the multiples of its `queryFrequency`, as Kusto's `bin(now(),
queryFrequency)` counts them. Imports no Spark.

Due are the as-ofs after the last one that the hunt's clock has asked. A hunt that has none, or a version of it that has
none, begins with its newest as-of. Those that failed are asked again, a few times. What was missed is asked in order;
of more than `hunting.catch_up` as-ofs, only the newest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.content.period import SHORTEST_FREQUENCY, allowed_frequency
from lakehunt.hunting.findings.run_log import DUE, LOOKED_BACK, SKIPPED, SUCCEEDED
from lakehunt.hunting.settings import HuntingSettings
from lakehunt.kql import times
from lakehunt.kql.types import TICKS_PER_MICROSECOND
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.small_tables import LocalTables
from lakehunt.lake.where import Where
from lakehunt.schemas.hunt_tables import RUNS

ATTEMPTS = 3
"""How often a version of a hunt is asked at an as-of at which it fails."""

NEAR_REAL_TIME = "nrt"
"""Sentinel's kind of rule that has no frequency, and runs as often as it can."""


@dataclass(frozen=True)
class Asked:
    """What a hunt's clock has asked so far: its `last` as-of (ticks), the `versions` of the hunt, and for each as-of
    that has not succeeded yet, how often each version failed at it."""

    last: int
    versions: frozenset[str]
    failed: Mapping[int, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Skipped:
    """As-ofs (ticks) that were missed and are not asked: the first, the last, and how many."""

    first: int
    last: int
    count: int


@dataclass(frozen=True)
class Due:
    """The as-ofs (ticks) at which a hunt is due, in order; those of `again` failed before."""

    hunt: Hunt
    frequency: timedelta
    as_ofs: Sequence[int]
    again: Collection[int] = ()
    skipped: Skipped | None = None
    following: int = 0
    """The as-of after these, which is due when its time comes."""
    failures: Mapping[int, int] = field(default_factory=dict)
    """How often this version of the hunt has failed at an as-of."""


def frequency(hunt: Hunt, settings: HuntingSettings) -> timedelta:
    """How often a hunt is asked: by its `queryFrequency`, within Sentinel's limits, or else by the default."""
    if hunt.query_frequency is not None:
        return allowed_frequency(hunt.query_frequency)
    return SHORTEST_FREQUENCY if hunt.kind.lower() == NEAR_REAL_TIME else settings.frequency


def newest(every: timedelta, now: int) -> int:
    """The newest as-of (ticks) that is not after an instant."""
    return now - (now - times.FIRST_TICK) % _ticks(every)


def due(hunt: Hunt, settings: HuntingSettings, asked: Asked | None, now: int) -> Due:
    """The as-ofs at which a hunt is due at an instant (ticks)."""
    every = frequency(hunt, settings)
    step, last = _ticks(every), newest(every, now)
    if asked is None:
        return Due(hunt, every, (last,), following=last + step)
    missed = range(newest(every, asked.last) + step, last + 1, step)
    kept, lost = missed[-settings.catch_up :], missed[: -settings.catch_up]
    new = kept or ([last] if hunt.digest not in asked.versions else [])
    failures = {as_of: tries.get(hunt.digest, 0) for as_of, tries in asked.failed.items() if as_of <= now}
    again = {as_of for as_of, count in failures.items() if count < ATTEMPTS}
    skipped = Skipped(lost[0], lost[-1], len(lost)) if lost else None
    return Due(hunt, every, sorted({*new, *again}), again - {*new}, skipped, last + step, failures)


def _ticks(every: timedelta) -> int:
    return every // timedelta(microseconds=1) * TICKS_PER_MICROSECOND


# What was asked


def all_due(
    lake: Lake | LocalTables, hunts: Sequence[Hunt], settings: HuntingSettings, now: int, today: datetime
) -> list[Due]:
    """When each hunt is due at an instant (ticks), by the run log, of which `today` is the end."""
    asked = read_asked(lake, {hunt.id for hunt in hunts}, today)
    return [due(hunt, settings, asked.get(hunt.id), now) for hunt in hunts]


def read_asked(lake: Lake | LocalTables, hunts: Collection[str], today: datetime) -> dict[str, Asked]:
    """What the clocks of these hunts (ids) have asked, by hunt id. Of a long log only the end is read, if it has runs
    of all of them: an as-of that failed before that is not asked again."""
    found: dict[str, Asked] = {}
    for span in LOOKED_BACK:
        if not (left := sorted(set(hunts) - found.keys())):
            break
        only: Where = [("reason", "=", DUE), ("hunt_id", "in", left)]
        recent: Where = [] if span is None else [("started_at", ">=", today - span)]
        columns = ("hunt_id", "hunt_version", "as_of", "run_id", "outcome")
        found |= asked_of(lake.few(RUNS, columns, [*recent, *only]))
    return found


def asked_of(runs: Iterable[Mapping[str, Any]]) -> dict[str, Asked]:
    """What clocks have asked, by hunt id, from rows of the run log."""
    by_hunt: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        by_hunt.setdefault(run["hunt_id"], []).append(run)
    return {hunt: _asked(own) for hunt, own in by_hunt.items()}


def _asked(runs: Sequence[Mapping[str, Any]]) -> Asked:
    tried: dict[datetime, dict[str, set[str]]] = {}
    for run in runs:
        if run["outcome"] != SKIPPED:
            tried.setdefault(run["as_of"], {}).setdefault(run["hunt_version"], set()).add(run["run_id"])
    done = {run["as_of"] for run in runs if run["outcome"] == SUCCEEDED}
    return Asked(
        times.from_datetime(max(run["as_of"] for run in runs)),
        frozenset(version for tries in tried.values() for version in tries),
        {
            times.from_datetime(as_of): {version: len(ids) for version, ids in tries.items()}
            for as_of, tries in tried.items()
            if as_of not in done
        },
    )
