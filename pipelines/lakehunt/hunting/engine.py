"""Runs hunts: new events are scanned once for all hunts together, then each hunt's query runs on its hits.

A hunt whose query has no row-level predicates (see incremental/predicates.py) reads all events of its window, with the
same result. One that has some for one event table and none for another reads hits of the former, and all events of the
latter."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

from pyspark.sql import DataFrame

from lakehunt.core.progress import Progress
from lakehunt.hunting.compiled_hunt import at_its_place, compile_hunt, query_period
from lakehunt.hunting.content.exclusion_file import Exclusion
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import run_log, suppression, writer
from lakehunt.hunting.findings.run_log import FULL, INCREMENTAL, HuntRun
from lakehunt.hunting.findings.writer import ComputedFindings
from lakehunt.hunting.incremental import hits as hits_table
from lakehunt.hunting.incremental.hits import HitCoverage, HuntRequest, ScanStats
from lakehunt.hunting.incremental.predicates import FullScan, RowPredicates, TablePredicates, extract_row_predicates
from lakehunt.hunting.prefixes import is_empty, materialized_prefixes
from lakehunt.hunting.query import exclusion_marks, runtime_errors
from lakehunt.hunting.query.events_table import HitEvents, HuntHits, LakeSnapshot, Readable, utc_day
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY, TableCatalog
from lakehunt.hunting.query.time_window import TimeWindow, limit_to_window
from lakehunt.kql import plan as p
from lakehunt.kql.errors import KqlError, QueryErrors
from lakehunt.lake.delta_lake import Lake
from lakehunt.runtime import bounded
from lakehunt.runtime.bounded import TimeLimitError
from lakehunt.runtime.error_text import describe, in_one_line, is_memory_error
from lakehunt.runtime.input_metrics import InputMetrics
from lakehunt.runtime.limits import Limits
from lakehunt.runtime.session import codegen
from lakehunt.schemas.event_tables import BY_NAME, DEVICE_PROCESS_EVENTS
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
    with codegen(lake.spark, on=False):  # run log, hits and findings are small; full scans switch it on
        return _HuntingRun(lake, list(hunts), as_of, say, tables, limits).run(full)


@dataclass(frozen=True)
class _PlannedHunt:
    """A hunt at an as-of: its plan limited to its window, and its row-level predicates if it has any."""

    hunt: Hunt
    plan: p.Plan
    window: TimeWindow
    predicates: RowPredicates | FullScan

    @property
    def since(self) -> date | None:
        """The first day of its window; None: it has no beginning."""
        return None if self.window.since is None else utc_day(self.window.since)

    @property
    def hit_tables(self) -> Collection[str]:
        """The event tables of which it reads hits."""
        assert isinstance(self.predicates, RowPredicates)
        return self.predicates.tables.keys()

    @property
    def in_full(self) -> Mapping[str, FullScan]:
        """The event tables of which it reads all events of its window, beside the hits of others."""
        return self.predicates.in_full if isinstance(self.predicates, RowPredicates) else {}

    @property
    def requests(self) -> list[HuntRequest]:
        """What it needs of each event table of which it reads hits."""
        assert isinstance(self.predicates, RowPredicates)
        hunt = self.hunt
        return [
            HuntRequest(hunt.id, hunt.digest, self._stored(one), self.since) for one in self.predicates.tables.values()
        ]

    def _stored(self, predicates: TablePredicates) -> TablePredicates:
        """With the columns that the hunt's exclusions read."""
        excluded_by = self.hunt.excluded_by & set(predicates.table.column_names)
        return replace(predicates, columns=predicates.columns | excluded_by)


class _HuntingRun:
    """One run of some hunts at one as-of."""

    def __init__(
        self, lake: Lake, hunts: Sequence[Hunt], as_of: int, say: Progress, tables: TableCatalog, limits: Limits
    ) -> None:
        self.lake, self.hunts, self.as_of, self.say, self.tables = lake, hunts, as_of, say, tables
        self.limits = limits
        self.started = datetime.now(UTC)
        self.run_id = f"{self.started:%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(4)}"
        self.runs: list[HuntRun] = []
        self.found: list[ComputedFindings] = []
        with ThreadPoolExecutor(1) as pool:
            # The table that most hunts read. A failure surfaces again, for each hunt that needs it.
            pool.submit(lambda: self.events.of(DEVICE_PROCESS_EVENTS))
            self.previous = run_log.previous_runs(lake, hunts, as_of)

    @cached_property
    def events(self) -> LakeSnapshot:
        return LakeSnapshot(self.lake)

    def run(self, full: bool) -> list[HuntRun]:
        run_log.record_runs(self.lake, [self._run(hunt, outcome=run_log.STARTED) for hunt in self.hunts])
        stored = False
        try:
            self._record_exclusions()
            planned = [one for hunt in self.hunts if (one := self._planned(hunt))]
            incremental = [one for one in planned if isinstance(one.predicates, RowPredicates) and not full]
            unfiltered = self._run_incremental(incremental)
            for one in planned:
                if one not in incremental or one in unfiltered:
                    self._run_full(one)
            self.say("storing findings")
            self._store_all()
            stored = True
        finally:
            order = {hunt.id: place for place, hunt in enumerate(self.hunts)}
            self.runs.sort(key=lambda run: order[run.hunt.id])
            # A run that is not in findings.all has not succeeded: its record stays at STARTED, like a killed run.
            run_log.record_runs(self.lake, [run for run in self.runs if stored or run.error is not None])
        return self.runs

    def _record_exclusions(self) -> None:
        known = {one.name: one for hunt in self.hunts for one in hunt.exclusions}
        for one in known.values():
            if one.state(self.as_of) == "expired":
                self.say(f"exclusion {one.name} ended on {one.expires} and suppresses nothing; ask {one.owner}")
        used = [one for one in known.values() if one.applies(self.as_of)]
        suppression.record_exclusions(self.lake, used, self.started)

    def _active(self, hunt: Hunt) -> tuple[Exclusion, ...]:
        return tuple(one for one in hunt.exclusions if one.applies(self.as_of))

    def _planned(self, hunt: Hunt) -> _PlannedHunt | None:
        try:
            compiled = compile_hunt(hunt, self.tables)
            plan, window = limit_to_window(compiled.plan, self.as_of, query_period(hunt))
            return _PlannedHunt(hunt, plan, window, extract_row_predicates(compiled.plan))
        except Exception as error:  # noqa: BLE001
            self._failed(hunt, error)
            return None

    # Incremental

    def _run_incremental(self, hunts: Sequence[_PlannedHunt]) -> list[_PlannedHunt]:
        """Runs hunts on their hits; returns those whose predicates failed on an event and that need a full run."""
        if not hunts:
            return []
        try:
            hits = self._evaluated_on_hits(hunts)
        except Exception as error:  # noqa: BLE001
            for one in hunts:
                if not self._has_ended(one.hunt):
                    self._failed(one.hunt, error, one)
            return []
        for one in hunts:
            if isinstance(why := hits.failed.get(one.hunt.id), TimeLimitError):
                self._failed(one.hunt, why, one)
        # The event on which a predicate fails may lie outside the window: only the full query can tell.
        return [one for one in hunts if one.hunt.id in hits.failed and not self._has_ended(one.hunt)]

    def _evaluated_on_hits(self, hunts: Sequence[_PlannedHunt]) -> HitCoverage:
        """Runs hunts on their hits. If files of these are gone, they are computed again from events."""
        try:
            return self._evaluated_once(hunts)
        except Exception as error:
            if not hits_table.is_damage(error):
                raise
            self.say(f"computing hits again: {in_one_line(error)}")
            hits_table.withdraw_all(self.lake)
            return self._evaluated_once(hunts)

    def _evaluated_once(self, hunts: Sequence[_PlannedHunt]) -> HitCoverage:
        context = self.tables.context(self.lake, self.as_of)
        requests = [request for one in hunts for request in one.requests]
        apart = {one.hunt.id for one in hunts if self._overran_before(one.hunt)}
        bounds = hits_table.ScanBounds(self.limits.scan_seconds, self.limits.seconds)
        hits = hits_table.complete_hits(self.lake, self.events, requests, context, self.say, bounds, apart)
        self._run_on_hits(hits, [one for one in hunts if one.hunt.id not in hits.failed])
        return hits

    def _has_ended(self, hunt: Hunt) -> bool:
        return any(run.hunt.id == hunt.id for run in self.runs)

    def _run_on_hits(self, hits: HitCoverage, hunts: Sequence[_PlannedHunt]) -> None:
        """Evaluates hunts on their hits, several at once. If one of these runs out of memory, it may be another one's
        fault: it runs again by itself."""
        if not hunts:
            return
        starved: list[_PlannedHunt] = []
        alone = [one for one in hunts if one.in_full]
        together = [one for one in hunts if not one.in_full]
        with self._cached_hits(hits, hunts) as (tables, counts):

            def on_hits(one: _PlannedHunt, among: list[_PlannedHunt] | None) -> None:
                # of its other tables it reads all events, although there may be hits of other hunts
                own = HuntHits({name: tables[name] for name in one.hit_tables}, one.hunt.digest, self.events)
                stats = hits.stats.get(one.hunt.id, ScanStats())
                self._on_hits(one, own, counts.get(one.hunt.digest, 0), stats, among)

            with ThreadPoolExecutor(PARALLEL_HUNTS) as pool:
                for done in [pool.submit(on_hits, one, starved if len(hunts) > 1 else None) for one in together]:
                    done.result()
            for one in starved:
                on_hits(one, None)
            with codegen(self.lake.spark, on=True):
                for one in alone:
                    on_hits(one, None)

    @contextmanager
    def _cached_hits(
        self, hits: HitCoverage, hunts: Sequence[_PlannedHunt]
    ) -> Iterator[tuple[dict[str, HitEvents], Counter[str]]]:
        """The hits of all hunts' windows, persisted, by event table; and the number of hits per hunt version."""
        starts = {one.since for one in hunts}
        since = None if None in starts else min(start for start in starts if start)
        readers: dict[str, list[str]] = {}
        for request in (request for one in hunts for request in one.requests):
            readers.setdefault(request.predicates.table.name, []).append(request.hunt_version)
        cached: dict[str, DataFrame] = {}
        counts: Counter[str] = Counter()
        try:
            for name, versions in readers.items():
                rows = hits_table.scan_hits(self.lake, BY_NAME[name], hits, versions, since, utc_day(self.as_of))
                rows = rows.repartition("hunt_version").sortWithinPartitions("hunt_version").persist()
                cached[name] = rows
                for row in rows.groupBy("hunt_version").count().collect():
                    counts[row.hunt_version] += row["count"]
            hits_table.check_not_withdrawn(self.lake, hits)
            with codegen(self.lake.spark, on=counts.total() > CODEGEN_THRESHOLD):
                yield {name: HitEvents(BY_NAME[name], rows) for name, rows in cached.items()}, counts
        finally:
            for rows in cached.values():
                rows.unpersist()

    def _on_hits(
        self,
        one: _PlannedHunt,
        hits: HuntHits,
        count: int,
        stats: ScanStats,
        starved: list[_PlannedHunt] | None,
    ) -> None:
        known: dict[str, Any] = {"mode": INCREMENTAL, "events_scanned": stats.events, "bytes_read": stats.bytes}
        if not count and is_empty(one.plan, BY_NAME.keys() - one.in_full.keys()):
            nothing = writer.HuntResult(one.hunt, one.plan, None, one.window, self.as_of)
            self._finish(one, lambda: _Evaluation(writer.compute_findings(nothing, self.limits.rows)), known)
            return
        in_full = f" (and all events of {', '.join(one.in_full)})" if one.in_full else ""
        self.say(f"hunting: {one.hunt.name}{in_full}")
        self._finish(one, lambda: self._evaluate(one, lambda: hits), known, starved)

    # Full

    def _run_full(self, one: _PlannedHunt) -> None:
        self.say(f"hunting in full: {one.hunt.name}")
        metrics = InputMetrics(self.lake.spark, f"{self.run_id} {one.hunt.id}")
        known: dict[str, Any] = {"mode": FULL}

        def evaluate() -> _Evaluation:
            with codegen(self.lake.spark, on=True):
                done = self._evaluate(one, lambda: self.events, metrics)
            known.update(events_scanned=metrics.records, bytes_read=metrics.bytes)
            return done

        self._finish(one, evaluate, known)

    # Both

    def _evaluate(
        self, one: _PlannedHunt, events: Callable[[], Readable], metrics: AbstractContextManager[object] | None = None
    ) -> _Evaluation:
        """Evaluates a hunt over these events."""
        active = self._active(one.hunt)
        context = self.tables.context(self.lake, self.as_of, events, traced=True, excluding=active, recording=True)
        with materialized_prefixes(one.plan, context, metrics) as prefixes:
            relation = compile_plan(one.plan, prefixes.context)
            result = writer.HuntResult(one.hunt, one.plan, relation, one.window, self.as_of)
            suppressed = exclusion_marks.events_of(prefixes.excluded)
            return _Evaluation(writer.compute_findings(result, self.limits.rows, suppressed), prefixes.matched)

    def _finish(
        self,
        one: _PlannedHunt,
        evaluate: Callable[[], _Evaluation],
        known: dict[str, Any],
        starved: list[_PlannedHunt] | None = None,
    ) -> None:
        """Stores a hunt's findings in its own table, and records success or the reason of failure. With `starved`, a
        hunt that ran out of memory is added to it instead."""
        clock = time.perf_counter()
        try:
            done = bounded.within(self.lake.spark, self.limits.seconds, "seconds", evaluate)
            found = done.findings
            previous = self.previous.get(one.hunt.id)
            same_schema = previous is not None and previous.schema_version == one.hunt.digest
            if found.count or self._ran_before(one.hunt) or not same_schema:
                writer.write_own(self.lake, found)
            self.found.append(found)
        except Exception as error:  # noqa: BLE001
            if starved is not None and is_memory_error(error):
                starved.append(one)
            else:
                self._failed(one.hunt, error, one, clock, known)
            return
        used = self._active(one.hunt)
        details = known | {"matched": done.matched, "suppressed": found.suppressed_count, "findings": found.count}
        self.runs.append(self._run(one.hunt, seconds=_since(clock), window=one.window, exclusions=used, **details))

    def _overran_before(self, hunt: Hunt) -> bool:
        """Whether the hunt's last run exceeded its time: then it does not share a pass with others."""
        return hunt.id in self.previous and self.previous[hunt.id].overran

    def _ran_before(self, hunt: Hunt) -> bool:
        """Whether a run at this as-of may have left findings."""
        return hunt.id in self.previous and self.previous[hunt.id].seen

    def _store_all(self) -> None:
        done = {run.hunt.id for run in self.runs if run.error is None}
        found = [one for one in self.found if one.result.hunt.id in done]
        changed = [one for one in found if one.count or one.suppressed is not None or self._ran_before(one.result.hunt)]
        try:
            self._store(changed)
        except Exception as error:
            if not changed:
                raise
            self._store_one_by_one(changed, error)

    def _store(self, found: Sequence[ComputedFindings]) -> None:
        writer.write_all(self.lake, found, self.as_of)
        suppressed = {one.result.hunt.id: one.suppressed for one in found}
        versions = {one.result.hunt.id: one.result.hunt.digest for one in found}
        suppression.write_suppressed(self.lake, suppressed, versions, self.as_of)

    def _store_one_by_one(self, found: Sequence[ComputedFindings], why: Exception) -> None:
        """Stores what can be stored, after an error in storing all together. If a hunt alone fails for the same reason,
        it is nobody's own, and the others are not tried: each would take a minute of retries."""
        is_common = len(found) == 1
        for one in found:
            if is_common:
                self._not_stored(one.result.hunt, why)
                continue
            try:
                self._store([one])
            except Exception as error:  # noqa: BLE001
                self._not_stored(one.result.hunt, error)
                is_common = describe(error) == describe(why)

    def _not_stored(self, hunt: Hunt, error: Exception) -> None:
        kept = next(run for run in self.runs if run.hunt.id == hunt.id)
        self.runs.remove(kept)
        why = f"its findings could not be stored: {describe(error)}"
        self.runs.append(replace(kept, outcome=run_log.FAILED, error=why))

    def _failed(
        self,
        hunt: Hunt,
        error: Exception,
        planned: _PlannedHunt | None = None,
        clock: float | None = None,
        known: dict[str, Any] | None = None,
    ) -> None:
        details = dict(
            known or {}, window=planned.window if planned else None, seconds=_since(clock) if clock else None
        )
        why = _error_text(hunt, planned.plan if planned else None, error)
        self.runs.append(self._run(hunt, outcome=run_log.FAILED, error=why, **details))

    def _run(self, hunt: Hunt, **details: Any) -> HuntRun:
        return HuntRun(hunt, self.as_of, self.run_id, self.started, **details)


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
