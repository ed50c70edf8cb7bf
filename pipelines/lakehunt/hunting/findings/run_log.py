"""`hunts.runs`: a record of every run of a hunt, including those that failed or never ended."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakehunt.core import json_log
from lakehunt.hunting.content.exclusion_file import Exclusion
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings.statuses import at_any_of
from lakehunt.hunting.incremental.hits import ENGINE_VERSION
from lakehunt.hunting.query.events_table import BatchRange
from lakehunt.hunting.query.time_window import TimeWindow
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.small_tables import LocalTables
from lakehunt.lake.where import Where
from lakehunt.runtime import bounded
from lakehunt.schemas.hunt_tables import RUNS

INCREMENTAL, FULL = "incremental", "full"
STARTED, SUCCEEDED, FAILED, SKIPPED = "started", "succeeded", "failed", "skipped"
DUE, LANDED, LATE = "due", "landed", "late"
"""Why an as-of was asked, if not because somebody asked for it."""


@dataclass(frozen=True)
class Changed:
    """How many findings of a hunt were added and removed when it was asked again."""

    added: int
    removed: int


@dataclass(frozen=True)
class HuntRun:
    """One run of one hunt. `as_of` is in ticks. `changed`, and `found_as_of` (ticks), are of an as-of that was asked
    again: what that has changed, and the later as-of whose run has found its late events."""

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
    batches: str | None = None
    too_late: int | None = None
    changed: Changed | None = None
    found_as_of: int | None = None


def record_runs(lake: Lake | LocalTables, runs: Sequence[HuntRun]) -> None:
    """Appends the runs to the run log in one transaction."""
    if runs:
        lake.append(RUNS, [_row(run) for run in runs])
        for run in runs:
            _log(run)


def _log(run: HuntRun) -> None:
    level = {FAILED: logging.ERROR, SKIPPED: logging.WARNING}.get(run.outcome, logging.INFO)
    own = json_log.fields(
        run_id=run.run_id,
        hunt_id=run.hunt.id,
        hunt=run.hunt.name,
        as_of=times.to_datetime(run.as_of),
        outcome=run.outcome,
        reason=run.reason,
        matched=run.matched,
        findings=run.findings,
        too_late=run.too_late,
        seconds=run.seconds,
        error=run.error,
    )
    json_log.LOG.log(level, "run of a hunt: %s", run.outcome, extra=own)


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
        run.batches,
        run.too_late,
    )


@dataclass(frozen=True)
class PreviousRuns:
    """Earlier runs of some hunts: which of the requested pairs of hunt id and as-of (ticks) there was any run of, and
    the hunts (ids) whose last run exceeded its time."""

    seen: frozenset[tuple[str, int]]
    overran: frozenset[str]


def previous_runs(lake: Lake | LocalTables, asked: Collection[tuple[str, int]]) -> PreviousRuns:
    """The earlier runs of hunts (ids), each at an as-of (ticks). The log may have millions of rows."""
    own: Where = [("hunt_id", "in", sorted({hunt for hunt, _ in asked}))]
    at = sorted({times.to_datetime(as_of) for _, as_of in asked})
    runs = lake.few(RUNS, ["hunt_id", "as_of"], [*own, *at_any_of(at)]) if at else []
    seen = {(row["hunt_id"], times.from_datetime(row["as_of"])) for row in runs}
    return PreviousRuns(frozenset(seen.intersection(asked)), _overran(lake, own))


def _overran(lake: Lake | LocalTables, own: Where) -> frozenset[str]:
    """The hunts whose last run exceeded its time. Few runs do, and those of the others are not read."""
    failed = lake.few(RUNS, ["hunt_id", "run_id", "error"], [*own, ("outcome", "=", FAILED)])
    stopped = {(row["hunt_id"], row["run_id"]) for row in failed if (row["error"] or "").startswith(bounded.ENDED)}
    if not stopped:
        return frozenset()
    only: Where = [("hunt_id", "in", sorted({hunt for hunt, _ in stopped})), ("outcome", "in", [SUCCEEDED, FAILED])]
    last: dict[str, str] = {}
    for row in lake.few(RUNS, ["hunt_id", "run_id"], only):
        last[row["hunt_id"]] = max(last.get(row["hunt_id"], ""), row["run_id"])
    return frozenset(hunt for hunt, run_id in stopped if last[hunt] == run_id)


def asked(lake: Lake | LocalTables, hunts: Collection[str], since: int | None, before: int) -> pa.Table:
    """The successful runs of hunts (ids) as of `since` (None: the beginning) up to before `before`, both in ticks: what
    says which batches they saw, and of which window. Several runs may have the same as-of; those as of the landing of
    an event are left out: what lands later is asked about when it does."""
    columns = ("hunt_id", "hunt_version", "run_id", "as_of", "window_start", "window_end", "batches")
    only: list[Any] = [("hunt_id", "in", sorted(hunts)), ("outcome", "=", SUCCEEDED)]
    only.append(("as_of", "<", times.to_datetime(before)))
    if since is not None:
        only.append(("as_of", ">=", times.to_datetime(since)))
    read = lake.rows if isinstance(lake, LocalTables) else lake.arrow
    found = read(RUNS, [*columns, "reason"], only)
    is_other = pc.fill_null(pc.not_equal(found["reason"], LANDED), True)
    return found.filter(is_other).select(columns)


Accepted = Mapping[str, tuple[BatchRange, ...]]
"""Batches of each event table, by its KQL name."""


def written_batches(accepted: Accepted, tables: Iterable[str]) -> str:
    """The batches of these tables, as the log keeps them."""
    return json.dumps({name: accepted.get(name, ()) for name in sorted(tables)})


def read_batches(text: str) -> Accepted:
    """The batches that `written_batches` has written."""
    return {name: tuple((first, last) for first, last in runs) for name, runs in json.loads(text).items()}


def in_progress(lake: Lake, since: datetime) -> set[str]:
    """The hunt versions with a run that was started at `since` or later and has not ended."""
    columns = ("run_id", "hunt_id", "as_of", "hunt_version", "outcome")
    rows = lake.few(RUNS, columns, [("started_at", ">=", since)])
    ended = {(row["run_id"], row["hunt_id"], row["as_of"]) for row in rows if row["outcome"] != STARTED}
    return {row["hunt_version"] for row in rows if (row["run_id"], row["hunt_id"], row["as_of"]) not in ended}


LOOKED_BACK = (timedelta(days=2), timedelta(days=32), None)
"""How far back the log is read: hunts of every five minutes make it long, and most questions are about its end."""


def recent_runs(
    lake: Lake | LocalTables, hunts: Sequence[Hunt], as_of: int | None, limit: int
) -> list[dict[str, object]]:
    """The last runs of these hunts, newest first: one row of `hunts.runs` each, the final one if the run has ended."""
    only: list[Any] = [("hunt_id", "in", [hunt.id for hunt in hunts])]
    if as_of is not None:
        only.append(("as_of", "=", times.to_datetime(as_of)))
    runs: dict[tuple[Any, ...], dict[str, object]] = {}
    for span in LOOKED_BACK if limit < sys.maxsize else (None,):
        since: list[Any] = [] if span is None else [("started_at", ">=", datetime.now(UTC) - span)]
        runs = {}
        for row in lake.few(RUNS, only=[*only, *since]):
            run = (row["run_id"], row["hunt_id"], row["as_of"])
            if run not in runs or row["outcome"] != STARTED:
                runs[run] = row
        if len(runs) >= limit:
            break
    by_name = sorted(runs.values(), key=itemgetter("hunt_name"))
    return sorted(by_name, key=itemgetter("started_at", "as_of"), reverse=True)[:limit]


def failing(lake: Lake | LocalTables, hunts: Collection[str], since: datetime) -> list[dict[str, Any]]:
    """The last run of each of these hunts (ids) that has ended, where it has failed since then: rows of the log, the
    newest first."""
    own: list[Any] = [("hunt_id", "in", sorted(hunts)), ("started_at", ">=", since)]
    failed = lake.few(RUNS, only=[*own, ("outcome", "=", FAILED)])
    last = {row["hunt_id"]: row for row in sorted(failed, key=_start)}
    if not last:
        return []
    only: list[Any] = [("hunt_id", "in", sorted(last)), ("outcome", "=", SUCCEEDED)]
    only.append(("started_at", ">=", min(row["started_at"] for row in last.values())))
    for row in lake.few(RUNS, ("hunt_id", "started_at", "as_of"), only):
        if row["hunt_id"] in last and _start(row) > _start(last[row["hunt_id"]]):
            del last[row["hunt_id"]]
    return sorted(last.values(), key=_start, reverse=True)


_start = itemgetter("started_at", "as_of")


def saw_late_events(lake: Lake | LocalTables, hunts: Collection[str], since: datetime) -> list[dict[str, Any]]:
    """Of the runs of these hunts (ids) that were started since then, those that asked again because events had landed
    late, and those for which events landed too late: rows of the log."""
    own: list[Any] = [("hunt_id", "in", sorted(hunts)), ("started_at", ">=", since), ("outcome", "=", SUCCEEDED)]
    columns = ("run_id", "hunt_id", "hunt_name", "as_of", "reason", "too_late")
    again = lake.few(RUNS, columns, [*own, ("reason", "=", LATE)])
    return again + [row for row in lake.few(RUNS, columns, [*own, ("too_late", ">", 0)]) if row["reason"] != LATE]
