"""`hunts.runs`: a record of every run of a hunt, including those that failed or never ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import Row
from pyspark.sql import functions as F

from lakehunt.hunting.content.exclusion_file import Exclusion
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.incremental.hits import ENGINE_VERSION
from lakehunt.hunting.query.time_window import TimeWindow
from lakehunt.kql import times
from lakehunt.kql.types import TICKS_PER_MICROSECOND
from lakehunt.lake.delta_lake import Lake, utc
from lakehunt.runtime import bounded
from lakehunt.schemas.hunt_tables import RUNS

INCREMENTAL, FULL = "incremental", "full"
STARTED, SUCCEEDED, FAILED = "started", "succeeded", "failed"


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


def record_runs(lake: Lake, runs: Sequence[HuntRun]) -> None:
    """Appends the runs to the run log in one transaction."""
    if runs:
        lake.append(RUNS, lake.local(RUNS, [_row(run) for run in runs]))


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
    )


@dataclass(frozen=True)
class PreviousRuns:
    """Earlier runs of a hunt: whether any of them has this as-of, which hunt version last wrote its findings table
    (its schema; None if that is not known), and whether the last one exceeded its time."""

    seen: bool
    schema_version: str | None
    overran: bool


def previous_runs(lake: Lake, hunts: Iterable[Hunt], as_of: int) -> dict[str, PreviousRuns]:
    """The earlier runs of the hunts that have run, by hunt id; `as_of` in ticks."""
    runs = lake.rows(RUNS).filter(F.col("hunt_id").isin(sorted(hunt.id for hunt in hunts)))
    wrote = (F.col("outcome") != FAILED) | F.col("findings").isNotNull()  # its own table, if not findings.all
    stored = F.when(wrote, F.struct("run_id", "hunt_version", "engine_version", "outcome"))
    ended = F.when(F.col("outcome") != STARTED, F.struct("run_id", "error"))
    rows = runs.groupBy("hunt_id").agg(
        F.max(stored).alias("stored"),
        F.max(ended).alias("ended"),
        F.bool_or(F.unix_micros("as_of") == as_of // TICKS_PER_MICROSECOND).alias("seen"),
    )
    return {
        row.hunt_id: PreviousRuns(
            row.seen,
            row.stored.hunt_version if _is_done(row.stored) else None,
            row.ended is not None and (row.ended.error or "").startswith(bounded.ENDED),
        )
        for row in rows.collect()
    }


def _is_done(last: Row | None) -> bool:
    """Whether the last run that could have stored findings is known to have succeeded, with this release."""
    return last is not None and (last.outcome, last.engine_version) == (SUCCEEDED, ENGINE_VERSION)


def in_progress(lake: Lake, since: datetime) -> set[str]:
    """The hunt versions with a run that was started at `since` or later and has not ended."""
    rows = lake.rows(RUNS).filter(F.col("started_at") >= F.lit(since))
    runs = rows.groupBy("run_id", "hunt_id", "as_of").agg(
        F.bool_and(F.col("outcome") == STARTED).alias("open"), F.first("hunt_version").alias("hunt_version")
    )
    return {row.hunt_version for row in runs.filter("open").collect()}


def recent_runs(lake: Lake, hunts: Sequence[Hunt], as_of: int | None, limit: int) -> list[dict[str, object]]:
    """The last runs of these hunts, newest first: one row of `hunts.runs` each, the final one if the run has ended."""
    rows = lake.rows(RUNS).filter(F.col("hunt_id").isin([hunt.id for hunt in hunts]))
    if as_of is not None:
        rows = rows.filter(F.unix_micros("as_of") == as_of // TICKS_PER_MICROSECOND)
    end = F.max_by(F.struct(*RUNS.column_names), F.col("outcome") != STARTED).alias("run")
    ended = rows.groupBy("run_id", "hunt_id", "as_of").agg(end).select("run.*")
    found = ended.orderBy(F.desc("started_at"), "hunt_name").limit(limit).collect()
    return [{name: _in_utc(value) for name, value in row.asDict().items()} for row in found]


def _in_utc(value: object) -> object:
    return utc(value) if isinstance(value, datetime) else value
