"""Runs hunts: each is compiled, limited to its window, run over the events, and its findings are stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from pipelines.errors import LakehuntError
from pipelines.hunting import events, findings, ledger
from pipelines.hunting.findings import Found
from pipelines.hunting.hunt import Hunt, HuntError
from pipelines.hunting.ledger import Run
from pipelines.hunting.window import DEFAULT_PERIOD, within
from pipelines.kql import plan as p
from pipelines.kql.binder import bind
from pipelines.kql.errors import QueryErrors
from pipelines.kql.types import TICKS_PER_MICROSECOND
from pipelines.lake.tables import Lake
from pipelines.spark.functions import CATALOG
from pipelines.spark.relations import Context, compile_plan

Say = Callable[[str], None]


@dataclass(frozen=True)
class Compiled:
    """A hunt whose query was understood."""

    hunt: Hunt
    plan: p.Plan


def compile_hunt(hunt: Hunt) -> Compiled:
    """The hunt with its typed plan; needs no Spark session.

    Raises HuntError with every error of the query at its place in the hunt's file."""
    try:
        return Compiled(hunt, bind(hunt.query, events.KQL_TABLES, CATALOG))
    except QueryErrors as errors:
        problems = [hunt.error(*errors.place(e), e.message, e.hint) for e in errors.errors]
        raise HuntError(problems) from errors


def run(lake: Lake, hunts: Iterable[Hunt], as_of: int, say: Say) -> list[Run]:
    """Runs every hunt as of an instant (ticks, whole microseconds) and stores its findings and the runs.

    A hunt that fails is a failed run and stops no other."""
    runs: list[Run] = []
    found: list[Found] = []
    try:
        for hunt in hunts:
            say(f"hunting: {hunt.name}")
            runs.append(_run_one(lake, hunt, as_of, found))
        say("storing findings")
        findings.write_all(lake, found, as_of)
    finally:
        findings.release(found)
        ledger.record(lake, runs, version("lakehunt"))
    return runs


def _run_one(lake: Lake, hunt: Hunt, as_of: int, found: list[Found]) -> Run:
    """Runs a hunt, stores its own table, and adds what it found to `found`."""
    started, clock = datetime.now(UTC), time.perf_counter()

    def done(**outcome: Any) -> Run:
        return Run(hunt, as_of, started, round(time.perf_counter() - clock, 3), **outcome)

    try:
        compiled = compile_hunt(hunt)
        plan, window = within(compiled.plan, as_of, _period(hunt))
        context = Context(lake.spark, as_of, events.scanner(lake, traced=True))
        with _front(plan, context) as (matched, known):
            result = findings.Result(hunt, plan, compile_plan(plan, known), window, as_of)
            computed = findings.compute(result)
        findings.write_own(lake, computed)
        found.append(computed)
        return done(window=window, matched=matched, findings=computed.count)
    except (LakehuntError, PySparkException, Py4JError, RecursionError) as error:
        return done(error=str(error))


def _period(hunt: Hunt) -> int:
    if hunt.query_period is None:
        return DEFAULT_PERIOD
    return hunt.query_period // timedelta(microseconds=1) * TICKS_PER_MICROSECOND


@contextmanager
def _front(plan: p.Plan, context: Context) -> Iterator[tuple[int, Context]]:
    """Computes the row-local front of a plan once, with the columns that the rest reads: how many events pass it, and a
    context that knows them."""
    front = row_local_front(plan)
    kept = compile_plan(front, context).keeping(p.needed(plan, front))
    kept.frame.persist()
    try:
        yield kept.frame.count(), context.knowing(front, kept)
    finally:
        kept.frame.unpersist()


def row_local_front(plan: p.Plan) -> p.Plan:
    """The lowest part of the plan that needs one row at a time: its filters and projections down to the table."""
    front = plan
    for step in p.walk(plan):
        if not isinstance(step, (p.Filter, p.Project, p.Scan, p.Rows)):
            front = p.sources(step)[0]
    return front


def select(hunts: Sequence[Hunt], wanted: Sequence[str]) -> list[Hunt]:
    """The hunts with these ids, or names; all where none is asked for.

    Raises LakehuntError for one that does not exist."""
    if not wanted:
        return list(hunts)
    chosen: list[Hunt] = []
    for word in wanted:
        found = [h for h in hunts if word.lower() in (h.id, h.name.lower())]
        if not found:
            known = ", ".join(f"{h.id} ({h.name})" for h in hunts) or "none"
            raise LakehuntError(f"there is no hunt {word}", f"hunts: {known}")
        chosen.extend(h for h in found if h not in chosen)
    return chosen
