"""Runs hunts: new events are scanned once for all hunts together, then each hunt's query runs on its hits.

A hunt whose query has no row-level predicates (see incremental/predicates.py) reads all events of its window, with the
same result. One that has some for one event table and none for another reads hits of the former, and all events of the
latter."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from lakehunt.core.progress import Progress
from lakehunt.hunting import run_hits
from lakehunt.hunting.compiled_hunt import at_its_place
from lakehunt.hunting.content.exclusion_file import Exclusion
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import run_log, storing, suppression, writer
from lakehunt.hunting.findings.computed import ComputedFindings, HuntResult, compute_findings
from lakehunt.hunting.findings.run_log import FULL, INCREMENTAL, HuntRun
from lakehunt.hunting.incremental import hits as hits_table
from lakehunt.hunting.incremental.hits import HitCoverage, ScanStats
from lakehunt.hunting.planned_hunt import PlannedHunt, planned
from lakehunt.hunting.prefixes import materialized_prefixes
from lakehunt.hunting.query import exclusion_marks, runtime_errors
from lakehunt.hunting.query.events_table import HuntHits, LakeSnapshot, Readable, utc_day
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY, TableCatalog
from lakehunt.hunting.run_hits import HitsRead, RunHits
from lakehunt.hunting.run_progress import RunProgress
from lakehunt.kql import plan as p
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
) -> list[HuntRun]:
    """Runs every hunt on these tables as of an instant (ticks, whole microseconds); stores findings and the run log.

    `full` reads all events of each hunt's window instead of its hits; the findings are the same.
    A hunt that fails, or exceeds one of the limits, is recorded as a failed run and does not stop the others."""
    with codegen(lake.spark, on=False), ThreadPoolExecutor(1) as pool:  # full scans and passes switch it on
        return _HuntingRun(lake, list(hunts), as_of, say, tables, limits, pool).run(full)


class _HuntingRun:
    """One run of some hunts at one as-of."""

    def __init__(
        self,
        lake: Lake,
        hunts: Sequence[Hunt],
        as_of: int,
        say: Progress,
        tables: TableCatalog,
        limits: Limits,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.lake, self.hunts, self.as_of, self.say, self.tables = lake, hunts, as_of, say, tables
        self.limits = limits
        self.progress = RunProgress(say, len(hunts))
        self.started = datetime.now(UTC)
        self.run_id = f"{self.started:%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(4)}"
        self.runs: dict[str, HuntRun] = {}
        self.found: dict[str, ComputedFindings] = {}
        # The table that most hunts read is opened by Spark while hunts are planned without it. A failure surfaces
        # again, for each hunt that needs it.
        self.opening: Future[object] = pool.submit(lambda: self.events.of(DEVICE_PROCESS_EVENTS))
        self.previous = run_log.previous_runs(lake, hunts, as_of)

    @cached_property
    def events(self) -> LakeSnapshot:
        return LakeSnapshot(self.lake)

    def run(self, full: bool) -> list[HuntRun]:
        run_log.record_runs(self.lake, [self._run(hunt, outcome=run_log.STARTED) for hunt in self.hunts])
        stored = False
        try:
            self._record_exclusions()
            ready = [one for hunt in self.hunts if (one := self._planned(hunt))]
            wait([self.opening])
            incremental = [one for one in ready if one.requests and not full]
            self._run_incremental(incremental)
            for one in ready:
                if one.hunt.id not in self.runs:  # also those whose predicates failed on an event
                    self._run_full(one)
            self.say("storing findings")
            self._store_all()
            stored = True
        finally:
            runs = [self.runs[hunt.id] for hunt in self.hunts if hunt.id in self.runs]
            # A run that is not in findings.all has not succeeded: its record stays at STARTED, like a killed run.
            run_log.record_runs(self.lake, [run for run in runs if stored or run.error is not None])
        return runs

    def _record_exclusions(self) -> None:
        known = {one.name: one for hunt in self.hunts for one in hunt.exclusions}
        for one in known.values():
            if one.state(self.as_of) == "expired":
                self.say(f"exclusion {one.name} ended on {one.expires} and suppresses nothing; ask {one.owner}")
        used = [one for one in known.values() if one.applies(self.as_of)]
        suppression.record_exclusions(self.lake, used, self.started)

    def _active(self, hunt: Hunt) -> tuple[Exclusion, ...]:
        return tuple(one for one in hunt.exclusions if one.applies(self.as_of))

    def _planned(self, hunt: Hunt) -> PlannedHunt | None:
        try:
            return planned(hunt, self.tables, self.as_of)
        except Exception as error:  # noqa: BLE001
            self._failed(hunt, error)
            return None

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
                if one.hunt.id not in self.runs:
                    self._failed(one.hunt, error, one)
            return
        for one in hunts:
            if isinstance(why := hits.failed.get(one.hunt.id), TimeLimitError):
                self._failed(one.hunt, why, one)

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
        context = self.tables.context(self.lake, self.as_of)
        requests = [request for one in hunts for request in one.requests]
        apart = {one.hunt.id for one in hunts if self._overran_before(one.hunt)}
        bounds = hits_table.ScanBounds(self.limits.scan_seconds, self.limits.seconds)
        hits = hits_table.complete_hits(self.lake, self.events, requests, context, self.say, bounds, apart)
        self._run_on_hits(hits, [one for one in hunts if one.hunt.id not in hits.failed])
        return hits

    def _run_on_hits(self, hits: HitCoverage, hunts: Sequence[PlannedHunt]) -> None:
        """Evaluates hunts on their hits: those with few of them first, then those with many, then those that also read
        all events of another table."""
        if not hunts:
            return
        with run_hits.opened(self.lake, self._hits_read(hits, hunts)) as found:
            having = [one for one in hunts if found.counts[one.hunt.digest] or not one.is_empty]
            evaluated = {one.hunt.id for one in having}
            for one in hunts:
                if one.hunt.id not in evaluated:
                    self._nothing(one, hits)
            few = [one for one in having if one.hunt.digest in found.few and one.reads_only_events and not one.in_full]
            small = {one.hunt.id for one in few}
            many = [one for one in having if one.hunt.id not in small and not one.in_full]
            with queries_of_few_rows(self.lake.spark):
                self._run_together(hits, found, few, of_few=True)
            with codegen(self.lake.spark, on=sum(found.counts[one.hunt.digest] for one in many) > CODEGEN_THRESHOLD):
                self._run_together(hits, found, many)
            with codegen(self.lake.spark, on=True):
                for one in having:
                    if one.in_full:
                        self._on_hits(one, hits, found)

    def _hits_read(self, hits: HitCoverage, hunts: Sequence[PlannedHunt]) -> HitsRead:
        readers: dict[str, list[str]] = {}
        for request in (request for one in hunts for request in one.requests):
            readers.setdefault(request.predicates.table.name, []).append(request.hunt_version)
        starts = {one.since for one in hunts}
        since = None if None in starts else min(start for start in starts if start)
        return HitsRead(hits, readers, since, utc_day(self.as_of))

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
        in_full = f" (and all events of {', '.join(one.in_full)})" if one.in_full else ""
        self.progress.evaluating(one.hunt.id, f"{one.hunt.name}{in_full}")

        def evaluate() -> _Evaluation:
            # of its other tables it reads all events, although there may be hits of other hunts
            own = HuntHits(found.of(one.hunt.digest, one.hit_tables), one.hunt.digest, self.events)
            return self._evaluate(one, lambda: own, of_few=of_few)

        self._finish(one, lambda: self._within_limits(evaluate), _scanned(hits, one), starved)

    def _nothing(self, one: PlannedHunt, hits: HitCoverage) -> None:
        """Ends a hunt that has no hits, and finds nothing without them."""
        self.progress.empty(one.hunt.id)
        nothing = ComputedFindings(HuntResult(one.hunt, one.plan, None, one.window, self.as_of))
        self._finish(one, lambda: _Evaluation(nothing), _scanned(hits, one))

    # Full

    def _run_full(self, one: PlannedHunt) -> None:
        self.progress.evaluating(one.hunt.id, f"{one.hunt.name}, in full")
        metrics = InputMetrics(self.lake.spark, f"{self.run_id} {one.hunt.id}")
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
        active = self._active(one.hunt)
        context = self.tables.context(self.lake, self.as_of, events, traced=True, excluding=active, recording=True)
        with materialized_prefixes(one.plan, context, metrics, of_few) as prefixes:
            relation = compile_plan(one.plan, prefixes.context)
            result = HuntResult(one.hunt, one.plan, relation, one.window, self.as_of)
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
            if found.count or self._ran_before(one.hunt.id):
                writer.write_own(self.lake, found)
            self.found[one.hunt.id] = found
        except Exception as error:  # noqa: BLE001
            if starved is not None and is_memory_error(error):
                starved.append(one)
            else:
                self._failed(one.hunt, error, one, clock, known)
            return
        used = self._active(one.hunt)
        details = known | {"matched": done.matched, "suppressed": found.suppressed_count, "findings": found.count}
        run = self._run(one.hunt, seconds=_since(clock), window=one.window, exclusions=used, **details)
        self.runs[one.hunt.id] = run

    def _overran_before(self, hunt: Hunt) -> bool:
        """Whether the hunt's last run exceeded its time: then it does not share a pass with others."""
        return hunt.id in self.previous and self.previous[hunt.id].overran

    def _ran_before(self, hunt_id: str) -> bool:
        """Whether a run at this as-of may have left findings."""
        return hunt_id in self.previous and self.previous[hunt_id].seen

    def _store_all(self) -> None:
        changed = [
            found
            for hunt_id, found in self.found.items()
            if found.count or found.suppressed is not None or self._ran_before(hunt_id)
        ]
        for hunt_id, error in storing.store_all(self.lake, changed, self.as_of).items():
            why = f"its findings could not be stored: {describe(error)}"
            self.runs[hunt_id] = replace(self.runs[hunt_id], outcome=run_log.FAILED, error=why)

    def _failed(
        self,
        hunt: Hunt,
        error: Exception,
        planned: PlannedHunt | None = None,
        clock: float | None = None,
        known: dict[str, Any] | None = None,
    ) -> None:
        details = dict(
            known or {}, window=planned.window if planned else None, seconds=_since(clock) if clock else None
        )
        why = _error_text(hunt, planned.plan if planned else None, error)
        self.runs[hunt.id] = self._run(hunt, outcome=run_log.FAILED, error=why, **details)

    def _run(self, hunt: Hunt, **details: Any) -> HuntRun:
        return HuntRun(hunt, self.as_of, self.run_id, self.started, **details)


def _since(clock: float) -> float:
    return round(time.perf_counter() - clock, 3)


def _scanned(hits: HitCoverage, one: PlannedHunt) -> dict[str, Any]:
    stats = hits.stats.get(one.hunt.id, ScanStats())
    return {"mode": INCREMENTAL, "events_scanned": stats.events, "bytes_read": stats.bytes}


def _error_text(hunt: Hunt, plan: p.Plan | None, error: Exception) -> str:
    """The error of a hunt, with its position in the hunt's file if there is one."""
    placed = error if isinstance(error, KqlError) else plan and runtime_errors.locate(plan, error)
    return str(at_its_place(hunt, QueryErrors(hunt.query, [placed]))) if placed else describe(error)


@dataclass(frozen=True)
class _Evaluation:
    """A hunt's findings, and how many events passed the row-local prefixes of its plan."""

    findings: ComputedFindings
    matched: int = 0
