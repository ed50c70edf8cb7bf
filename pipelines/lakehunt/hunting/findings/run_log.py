"""`hunts.runs`: a record of every run of a hunt, including those that failed or never ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

import pyarrow.compute as pc

from lakehunt.hunting.content.exclusion_file import Exclusion
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.incremental.hits import ENGINE_VERSION
from lakehunt.hunting.query.time_window import TimeWindow
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.small_tables import LocalTables
from lakehunt.lake.where import Where
from lakehunt.runtime import bounded
from lakehunt.schemas.hunt_tables import RUNS

INCREMENTAL, FULL = "incremental", "full"
STARTED, SUCCEEDED, FAILED, SKIPPED = "started", "succeeded", "failed", "skipped"
DUE, LATE = "due", "late"
"""Why an as-of was asked, if not because somebody asked for it."""


@dataclass(frozen=True)
class HuntRun:
    """One run of one hunt. `as_of` is in ticks."""

    hunt: Hunt
    as_of: int
    run_id: str
    started_at: datetime
    seconds: float | None = None
    window: TimeWindow | None = None
    mode: str | None = None
    events_scanned: int | None = None
    bytes_read: int | None = None
    matched: int | None = None
    suppressed: int | None = None
    findings: int | None = None
    error: str | None = None
    outcome: str = SUCCEEDED
    exclusions: tuple[Exclusion, ...] = ()
    reason: str | None = None


def record_runs(lake: Lake, runs: Sequence[HuntRun]) -> None:
    """Appends the runs to the run log in one transaction."""
    if runs:
        lake.append(RUNS, [_row(run) for run in runs])


def _row(run: HuntRun) -> tuple[object, ...]:
    window = run.window
    return (
        run.run_id,
        run.hunt.id,
        run.hunt.name,
        run.hunt.digest,
        times.to_datetime(run.as_of),
        times.to_datetime(window.since) if window and window.since is not None else None,
        times.to_datetime(window.until) if window else None,
        run.mode,
        run.events_scanned,
        run.bytes_read,
        run.matched,
        run.suppressed,
        run.findings,
        run.seconds,
        run.outcome,
        run.error,
        run.started_at,
        ENGINE_VERSION,
        [{"name": one.name, "version": one.version} for one in run.exclusions],
        run.reason,
    )


@dataclass(frozen=True)
class PreviousRuns:
    """Earlier runs of a hunt: whether any of them has this as-of, and whether the last one exceeded its time."""

    seen: bool
    overran: bool


def previous_runs(lake: Lake, hunts: Iterable[Hunt], as_of: int) -> dict[str, PreviousRuns]:
    """The earlier runs of the hunts that have run, by hunt id; `as_of` in ticks. The log may have a million rows."""
    own: Where = [("hunt_id", "in", sorted(hunt.id for hunt in hunts))]
    at = times.to_datetime(as_of)
    seen = set(lake.arrow(RUNS, ["hunt_id"], [*own, ("as_of", "=", at)])["hunt_id"].to_pylist())
    ended = lake.arrow(RUNS, ["hunt_id", "run_id", "error"], [*own, ("outcome", "!=", STARTED)])
    newest = ended.group_by("hunt_id").aggregate([("run_id", "max")])
    last = dict(zip(newest["hunt_id"].to_pylist(), newest["run_id_max"].to_pylist(), strict=True))
    stopped = ended.filter(pc.starts_with(ended["error"], bounded.ENDED)).to_pylist()
    overran = {row["hunt_id"] for row in stopped if row["run_id"] == last[row["hunt_id"]]}
    return {hunt: PreviousRuns(hunt in seen, hunt in overran) for hunt in seen | last.keys()}


def in_progress(lake: Lake, since: datetime) -> set[str]:
    """The hunt versions with a run that was started at `since` or later and has not ended."""
    columns = ("run_id", "hunt_id", "as_of", "hunt_version", "outcome")
    rows = lake.few(RUNS, columns, [("started_at", ">=", since)])
    ended = {(row["run_id"], row["hunt_id"], row["as_of"]) for row in rows if row["outcome"] != STARTED}
    return {row["hunt_version"] for row in rows if (row["run_id"], row["hunt_id"], row["as_of"]) not in ended}


def recent_runs(
    lake: Lake | LocalTables, hunts: Sequence[Hunt], as_of: int | None, limit: int
) -> list[dict[str, object]]:
    """The last runs of these hunts, newest first: one row of `hunts.runs` each, the final one if the run has ended."""
    only: list[Any] = [("hunt_id", "in", [hunt.id for hunt in hunts])]
    if as_of is not None:
        only.append(("as_of", "=", times.to_datetime(as_of)))
    runs: dict[tuple[Any, ...], dict[str, object]] = {}
    for row in lake.few(RUNS, only=only):
        run = (row["run_id"], row["hunt_id"], row["as_of"])
        if run not in runs or row["outcome"] != STARTED:
            runs[run] = row
    by_name = sorted(runs.values(), key=itemgetter("hunt_name"))
    return sorted(by_name, key=itemgetter("started_at"), reverse=True)[:limit]
