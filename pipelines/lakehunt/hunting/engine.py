"""Runs hunts: new events are scanned once for all hunts together, then each hunt's query runs on its hits.

A hunt whose query has no row-level predicates (see incremental/predicates.py) reads all events of its window, with the
same result. One that has some for one event table and none for another reads hits of the former, and all events of the
latter."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from lakehunt.core import run_ids
from lakehunt.core.progress import Progress
from lakehunt.hunting import late_events, run_hits
from lakehunt.hunting.compiled_hunt import at_its_place
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import late_findings, run_log, storing, suppression, writer
from lakehunt.hunting.findings.computed import ComputedFindings, HuntResult, compute_findings
from lakehunt.hunting.findings.run_log import FULL, INCREMENTAL, HuntRun
from lakehunt.hunting.incremental import hits as hits_table
from lakehunt.hunting.incremental.hits import HitCoverage, HuntRequest, ScanStats
from lakehunt.hunting.late_events import Before, FoundLate, Reader
from lakehunt.hunting.planned_hunt import Key, PlannedHunt, PreparedHunt, prepared
from lakehunt.hunting.prefixes import materialized_prefixes
from lakehunt.hunting.query import exclusion_marks, runtime_errors
from lakehunt.hunting.query.events_table import HuntHits, LakeSnapshot, Readable, utc_day
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY, TableCatalog
from lakehunt.hunting.query.time_window import TimeWindow
from lakehunt.hunting.run_hits import HitsRead, RunHits
from lakehunt.hunting.run_progress import RunProgress
from lakehunt.kql import plan as p
from lakehunt.kql import times
from lakehunt.kql.errors import KqlError, QueryErrors
from lakehunt.lake.delta_lake import Lake
from lakehunt.runtime import bounded
from lakehunt.runtime.bounded import TimeLimitError
from lakehunt.runtime.error_text import describe, in_one_line, is_memory_error
from lakehunt.runtime.input_metrics import InputMetrics
from lakehunt.runtime.limits import Limits
from lakehunt.runtime.session import codegen
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.spark.local_rows import queries_of_few_rows
from lakehunt.spark.plans import compile_plan

CODEGEN_THRESHOLD = 1_000_000
"""Up to this many hits, queries run without whole-stage codegen: compiling takes longer than interpreting."""

NEVER = timedelta(0)
"""Of late events: they are not looked for."""

PARALLEL_HUNTS = 2
"""Hunts evaluated concurrently on their hits: query planning, which dominates, takes one core each."""


def run_hunts(
    lake: Lake,
    hunts: Iterable[Hunt],
    as_of: int,
    say: Progress,
    tables: TableCatalog = EVENTS_ONLY,
    full: bool = False,
    limits: Limits = Limits(),  # noqa: B008 (it is immutable)
    late: timedelta = NEVER,
) -> list[HuntRun]:
    """Runs every hunt as of one instant: see `ask_hunts`."""
    return ask_hunts(lake, [(hunt, as_of) for hunt in hunts], say, tables, full, limits, late=late)


def ask_hunts(
    lake: Lake,
    asked: Sequence[tuple[Hunt, int]],
    say: Progress,
    tables: TableCatalog = EVENTS_ONLY,
    full: bool = False,
    limits: Limits = Limits(),  # noqa: B008 (it is immutable)
    reason: str | None = None,
    late: timedelta = NEVER,
) -> list[HuntRun]:
    """Runs each hunt on these tables as of an instant (ticks, whole microseconds); stores findings and the run log. A
    hunt may have several as-ofs: new events are read once, and hits opened once, for all of them.

    `full` reads all events of each hunt's window instead of its hits; the findings are the same. `reason` is recorded
    in the run log. A hunt that fails, or exceeds one of the limits, is recorded as a failed run and does not stop the
    others.

    Then earlier as-ofs, up to `late` back, are asked again of which events have landed late (`late_events.py`). Their
    runs follow; they have the reason `late`."""
    with codegen(lake.spark, on=False), ThreadPoolExecutor(1) as pool:  # full scans and passes switch it on
        run = _HuntingRun(lake, asked, say, tables, limits, reason, pool)
        runs = run.run(full, late)
        if again := run.late.again:
            hunts = {hunt.id: hunt for hunt, _ in asked}
            say(f"asking again, because events landed late: {', '.join(map(_moment, _as_ofs(again)))}")
            some = [(hunts[hunt_id], as_of) for hunt_id, as_of in again]
            runs += _HuntingRun(lake, some, say, tables, limits, run_log.LATE, pool, run).run(full)
        return runs


class _HuntingRun:
    """One run of some hunts, each at one as-of or several."""

    def __init__(
        self,
        lake: Lake,
        asked: Sequence[tuple[Hunt, int]],
        say: Progress,
        tables: TableCatalog,
        limits: Limits,
        reason: str | None,
        pool: ThreadPoolExecutor,
        again_for: _HuntingRun | None = None,
    ) -> None:
        """`again_for`: the run that has found late events, for which it asks again. It sees what that one saw."""
        self.lake, self.asked, self.say, self.tables = lake, asked, say, tables
        self.limits, self.reason = limits, reason
        self.progress = RunProgress(say, len(asked))
        self.started = datetime.now(UTC)
        self.run_id = run_ids.run_id(self.started)
        self.first = {hunt.id: as_of for hunt, as_of in reversed(asked)}
        self.is_of_one_moment = len({as_of for _, as_of in asked}) == 1
        self.runs: dict[Key, HuntRun] = {}
        self.found: dict[Key, ComputedFindings] = {}
        self.again_for = again_for
        self.coverage = HitCoverage([])
        self.before: Before | None = None
        self.late = FoundLate()
        # The table that most hunts read is opened by Spark while hunts are planned without it. A failure surfaces
        # again, for each hunt that needs it.
        self.opening: Future[object] = pool.submit(lambda: self.events.of(DEVICE_PROCESS_EVENTS))
        self.previous = run_log.previous_runs(lake, {(hunt.id, as_of) for hunt, as_of in asked})

    @cached_property
    def events(self) -> LakeSnapshot:
        return self.again_for.events if self.again_for else LakeSnapshot(self.lake)

    def run(self, full: bool, late: timedelta = NEVER) -> list[HuntRun]:
        begun = [self._run(hunt, as_of, outcome=run_log.STARTED) for hunt, as_of in self.asked]
        run_log.record_runs(self.lake, begun)
        stored = False
        try:
            self._record_exclusions()
            ready = self._planned()
            if late:
                self.before = late_events.asked_before(self.lake, {one.key for one in ready}, late)
            wait([self.opening])
            incremental = [one for one in ready if one.prepared.requests and not full]
            self._run_incremental(incremental)
            for one in ready:
                if one.key not in self.runs:  # also those whose predicates failed on an event
                    self._run_full(one)
            self.say("storing findings")
            self._store_all()
            stored = True
            if self.before:
                self._find_late(ready, self.before)
        finally:
            runs = [self.runs[hunt.id, as_of] for hunt, as_of in self.asked if (hunt.id, as_of) in self.runs]
            # A run that is not in findings.all has not succeeded: its record stays at STARTED, like a killed run.
            run_log.record_runs(self.lake, [run for run in runs if stored or run.error is not None])
        return runs

    def _find_late(self, hunts: Sequence[PlannedHunt], before: Before) -> None:
        newest: dict[str, Reader] = {}
        for one in sorted(hunts, key=lambda one: one.as_of):
            run, of_hunt = self.runs[one.key], one.prepared
            if run.error is None and run.mode == FULL:
                newest[one.hunt.id] = Reader(one.hunt, one.as_of, (), of_hunt.event_tables)
            elif run.error is None:
                newest[one.hunt.id] = Reader(one.hunt, one.as_of, of_hunt.hit_tables, of_hunt.in_full)
        asked = {one.key for one in hunts}
        self.late = late_events.find(
            self.lake, self.events.accepted, self.coverage, list(newest.values()), asked, before
        )
        for reader in newest.values():
            key = reader.hunt.id, reader.as_of
            self.runs[key] = replace(self.runs[key], too_late=self.late.too_late.get(reader.hunt.id, 0))

    def _record_exclusions(self) -> None:
        last = max((as_of for _, as_of in self.asked), default=0)
        known = {one.name: one for hunt, _ in self.asked for one in hunt.exclusions}
        for one in known.values():
            if one.state(last) == "expired":
                self.say(f"exclusion {one.name} ended on {one.expires} and suppresses nothing; ask {one.owner}")
        suppression.record_exclusions(self.lake, suppression.used_at(self.asked), self.started)

    def _planned(self) -> list[PlannedHunt]:
        """All that can be planned; what a hunt's as-ofs share is made once."""
        made: dict[str, PreparedHunt | Exception] = {}
        ready = []
        for hunt, as_of in self.asked:
            try:
                if hunt.id not in made:
                    made[hunt.id] = prepared(hunt, self.tables)
                one = made[hunt.id]
                if isinstance(one, Exception):
                    raise one
                ready.append(one.at(as_of))
            except Exception as error:  # noqa: BLE001
                made.setdefault(hunt.id, error)
                self._failed(hunt, as_of, error)
        return ready

    # Incremental

    def _run_incremental(self, hunts: Sequence[PlannedHunt]) -> None:
        """Runs hunts on their hits; all but those whose predicates failed on an event, which need a full run: the event
        may lie outside the window, which only the full query can tell."""
        if not hunts:
            return
        try:
            hits = self._evaluated_on_hits(hunts)
        except Exception as error:  # noqa: BLE001
            for one in hunts:
                if one.key not in self.runs:
                    self._failed(one.hunt, one.as_of, error, one)
            return
        for one in hunts:
            if isinstance(why := hits.failed.get(one.hunt.id), TimeLimitError):
                self._failed(one.hunt, one.as_of, why, one)

    def _evaluated_on_hits(self, hunts: Sequence[PlannedHunt]) -> HitCoverage:
        """Runs hunts on their hits. If files of these are gone, they are computed again from events."""
        try:
            return self._evaluated_once(hunts)
        except Exception as error:
            if not hits_table.is_damage(error):
                raise
            self.say(f"computing hits again: {in_one_line(error)}")
            hits_table.withdraw_all(self.lake)
            return self._evaluated_once(hunts)

    def _evaluated_once(self, hunts: Sequence[PlannedHunt]) -> HitCoverage:
        last = max(one.as_of for one in hunts)
        context = self.tables.context(self.lake, last, lambda: self.events)
        versions = {one.hunt.digest for one in hunts}
        requests = list(_requests(hunts, self.before.windows(self.events.accepted, versions) if self.before else {}))
        apart = {one.hunt_id for one in requests if one.hunt_id in self.previous.overran}
        bounds = hits_table.ScanBounds(self.limits.scan_seconds, self.limits.seconds)
        hits = hits_table.complete_hits(self.lake, self.events, requests, context, self.say, bounds, apart)
        self.coverage = hits
        self._run_on_hits(hits, requests, [one for one in hunts if one.hunt.id not in hits.failed])
        return hits

    def _run_on_hits(self, hits: HitCoverage, requests: Sequence[HuntRequest], hunts: Sequence[PlannedHunt]) -> None:
        """Evaluates hunts on their hits: those with few of them first, then those with many, then those that also read
        all events of another table."""
        if not hunts:
            return
        with run_hits.opened(self.lake, _hits_read(hits, requests, hunts)) as found:
            counts = {one.key: found.count(one.hunt.digest, one.window) for one in hunts}
            having = [one for one in hunts if counts[one.key] or not one.prepared.is_empty]
            evaluated = {one.key for one in having}
            for one in hunts:
                if one.key not in evaluated:
                    self._nothing(one, hits)
            few = [one for one in having if one.hunt.digest in found.few and one.prepared.reads_only_events]
            few = [one for one in few if not one.prepared.in_full]
            small = {one.key for one in few}
            many = [one for one in having if one.key not in small and not one.prepared.in_full]
            with queries_of_few_rows(self.lake.spark):
                self._run_together(hits, found, few, of_few=True)
            with codegen(self.lake.spark, on=sum(counts[one.key] for one in many) > CODEGEN_THRESHOLD):
                self._run_together(hits, found, many)
            with codegen(self.lake.spark, on=True):
                for one in having:
                    if one.prepared.in_full:
                        self._on_hits(one, hits, found)

    def _run_together(
        self, hits: HitCoverage, found: RunHits, hunts: Sequence[PlannedHunt], of_few: bool = False
    ) -> None:
        """Evaluates hunts, several at once. If one of these runs out of memory, it may be another one's fault: it runs
        again by itself."""
        starved: list[PlannedHunt] = []
        among = starved if len(hunts) > 1 else None
        with ThreadPoolExecutor(PARALLEL_HUNTS) as pool:
            for done in [pool.submit(self._on_hits, one, hits, found, of_few, among) for one in hunts]:
                done.result()
        for one in starved:
            self._on_hits(one, hits, found, of_few)

    def _on_hits(
        self,
        one: PlannedHunt,
        hits: HitCoverage,
        found: RunHits,
        of_few: bool = False,
        starved: list[PlannedHunt] | None = None,
    ) -> None:
        in_full = f" (and all events of {', '.join(one.prepared.in_full)})" if one.prepared.in_full else ""
        self._say_evaluating(one, in_full)

        def evaluate() -> _Evaluation:
            # of its other tables it reads all events, although there may be hits of other hunts
            rows = found.of(one.hunt.digest, one.prepared.hit_tables, one.window)
            own = HuntHits(rows, one.hunt.digest, self.events)
            return self._evaluate(one, lambda: own, of_few=of_few)

        self._finish(one, lambda: self._within_limits(evaluate), self._scanned(hits, one), starved)

    def _say_evaluating(self, one: PlannedHunt, how: str) -> None:
        at = "" if self.is_of_one_moment else f" as of {_moment(one.as_of)}"
        self.progress.evaluating(one.key, f"{one.hunt.name}{at}{how}")

    def _nothing(self, one: PlannedHunt, hits: HitCoverage) -> None:
        """Ends a hunt that has no hits, and finds nothing without them."""
        self.progress.empty(one.key)
        nothing = ComputedFindings(HuntResult(one.hunt, one.plan, None, one.window, one.as_of))
        self._finish(one, lambda: _Evaluation(nothing), self._scanned(hits, one))

    def _scanned(self, hits: HitCoverage, one: PlannedHunt) -> dict[str, Any]:
        """What passes have read for a hunt: counted at its first as-of, so that sums over runs are right."""
        is_first = self.first[one.hunt.id] == one.as_of
        stats = hits.stats.get(one.hunt.id, ScanStats()) if is_first else ScanStats()
        return {"mode": INCREMENTAL, "events_scanned": stats.events, "bytes_read": stats.bytes}

    # Full

    def _run_full(self, one: PlannedHunt) -> None:
        self._say_evaluating(one, ", in full")
        metrics = InputMetrics(self.lake.spark, f"{self.run_id} {one.hunt.id} {one.as_of}")
        known: dict[str, Any] = {"mode": FULL}

        def evaluate() -> _Evaluation:
            with codegen(self.lake.spark, on=True):
                done = self._evaluate(one, lambda: self.events, metrics)
            known.update(events_scanned=metrics.records, bytes_read=metrics.bytes)
            return done

        self._finish(one, lambda: self._within_limits(evaluate), known)

    # Both

    def _within_limits(self, evaluate: Callable[[], _Evaluation]) -> _Evaluation:
        return bounded.within(self.lake.spark, self.limits.seconds, "seconds", evaluate)

    def _evaluate(
        self,
        one: PlannedHunt,
        events: Callable[[], Readable],
        metrics: AbstractContextManager[object] | None = None,
        of_few: bool = False,
    ) -> _Evaluation:
        """Evaluates a hunt over these events; `of_few`: they are so few that they are in memory."""
        active = suppression.active(one.hunt, one.as_of)
        context = self.tables.context(self.lake, one.as_of, events, traced=True, excluding=active, recording=True)
        with materialized_prefixes(one.plan, context, metrics, of_few) as prefixes:
            relation = compile_plan(one.plan, prefixes.context)
            result = HuntResult(one.hunt, one.plan, relation, one.window, one.as_of)
            suppressed = exclusion_marks.events_of(prefixes.excluded)
            return _Evaluation(compute_findings(result, self.limits.rows, suppressed, of_few), prefixes.matched)

    def _finish(
        self,
        one: PlannedHunt,
        evaluate: Callable[[], _Evaluation],
        known: dict[str, Any],
        starved: list[PlannedHunt] | None = None,
    ) -> None:
        """Stores a hunt's findings in its own table, and records success or the reason of failure. With `starved`, a
        hunt that ran out of memory is added to it instead."""
        clock = time.perf_counter()
        try:
            done = evaluate()
            found = done.findings
            if found.count or one.key in self.previous.seen:
                writer.write_own(self.lake, found)
            self.found[one.key] = found
        except Exception as error:  # noqa: BLE001
            if starved is not None and is_memory_error(error):
                starved.append(one)
            else:
                self._failed(one.hunt, one.as_of, error, one, clock, known)
            return
        used = suppression.active(one.hunt, one.as_of)
        details = known | {"matched": done.matched, "suppressed": found.suppressed_count, "findings": found.count}
        details |= {"batches": run_log.written_batches(self.events.accepted, one.prepared.event_tables)}
        times_of = {"seconds": _since(clock), "window": one.window}
        self.runs[one.key] = self._run(one.hunt, one.as_of, exclusions=used, **times_of, **details)

    def _store_all(self) -> None:
        changed = [
            found
            for key, found in self.found.items()
            if found.count or found.suppressed is not None or key in self.previous.seen
        ]
        if self.again_for and changed:
            changes = late_findings.record(self.lake, changed, self.again_for.late.again, self.run_id)
            self.runs |= {key: replace(self.runs[key], changed=change) for key, change in changes.items()}
        for found, error in storing.store_all(self.lake, changed).items():
            why = f"its findings could not be stored: {describe(error)}"
            key = found.result.hunt.id, found.result.as_of
            self.runs[key] = replace(self.runs[key], outcome=run_log.FAILED, error=why)

    def _failed(
        self,
        hunt: Hunt,
        as_of: int,
        error: Exception,
        planned: PlannedHunt | None = None,
        clock: float | None = None,
        known: dict[str, Any] | None = None,
    ) -> None:
        details = dict(
            known or {}, window=planned.window if planned else None, seconds=_since(clock) if clock else None
        )
        why = _error_text(hunt, planned.plan if planned else None, error)
        self.runs[hunt.id, as_of] = self._run(hunt, as_of, outcome=run_log.FAILED, error=why, **details)

    def _run(self, hunt: Hunt, as_of: int, **details: Any) -> HuntRun:
        if self.again_for:
            details["found_as_of"] = self.again_for.late.again[hunt.id, as_of][1]
        return HuntRun(hunt, as_of, self.run_id, self.started, reason=self.reason, **details)


def _requests(hunts: Sequence[PlannedHunt], again: Mapping[str, TimeWindow]) -> Iterator[HuntRequest]:
    """What the hunts need of each event table, for their as-ofs and, by hunt id, for those that may be asked again."""
    windows: dict[str, list[TimeWindow]] = {}
    for one in hunts:
        windows.setdefault(one.hunt.id, [again[one.hunt.id]] if one.hunt.id in again else []).append(one.window)
    for prepared_hunt in {one.hunt.id: one.prepared for one in hunts}.values():
        yield from prepared_hunt.requested(windows[prepared_hunt.hunt.id])


def _hits_read(hits: HitCoverage, requests: Sequence[HuntRequest], hunts: Sequence[PlannedHunt]) -> HitsRead:
    chosen = {one.hunt.id for one in hunts}
    readers: dict[str, list[str]] = {}
    for request in requests:
        if request.hunt_id in chosen:
            readers.setdefault(request.predicates.table.name, []).append(request.hunt_version)
    windows: dict[str, list[TimeWindow]] = {}
    for one in hunts:
        windows.setdefault(one.hunt.digest, []).append(one.window)
    whole = {version: TimeWindow.around(some, 0) for version, some in windows.items()}
    starts = [window.since for window in whole.values()]
    since = None if None in starts else utc_day(min(start for start in starts if start is not None))
    return HitsRead(hits, readers, since, utc_day(max(one.as_of for one in hunts)), whole)


def _as_ofs(asked: Iterable[Key]) -> list[int]:
    return sorted({as_of for _, as_of in asked})


def _moment(as_of: int) -> str:
    return f"{times.to_datetime(as_of):%Y-%m-%d %H:%M}"


def _since(clock: float) -> float:
    return round(time.perf_counter() - clock, 3)


def _error_text(hunt: Hunt, plan: p.Plan | None, error: Exception) -> str:
    """The error of a hunt, with its position in the hunt's file if there is one."""
    placed = error if isinstance(error, KqlError) else plan and runtime_errors.locate(plan, error)
    return str(at_its_place(hunt, QueryErrors(hunt.query, [placed]))) if placed else describe(error)


@dataclass(frozen=True)
class _Evaluation:
    """A hunt's findings, and how many events passed the row-local prefixes of its plan."""

    findings: ComputedFindings
    matched: int = 0
