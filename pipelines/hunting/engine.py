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
from pipelines.hunting import findings, ledger
from pipelines.hunting.findings import Found
from pipelines.hunting.hunt import Hunt, HuntError
from pipelines.hunting.ledger import Run
from pipelines.hunting.tables import EVENTS_ONLY, Tables
from pipelines.hunting.window import DEFAULT_PERIOD, within
from pipelines.kql import plan as p
from pipelines.kql.errors import KqlError, QueryErrors
from pipelines.kql.types import TICKS_PER_MICROSECOND
from pipelines.lake.tables import Lake
from pipelines.spark.plans import Context, compile_plan

Say = Callable[[str], None]


@dataclass(frozen=True)
class Compiled:
    """A hunt whose query was understood."""

    hunt: Hunt
    plan: p.Plan


def compile_hunt(hunt: Hunt, tables: Tables = EVENTS_ONLY) -> Compiled:
    """The hunt with its typed plan over these tables; needs no Spark session.

    Raises HuntError with every error of the query at its place in the hunt's file."""
    try:
        return Compiled(hunt, tables.bind(hunt.query))
    except QueryErrors as errors:
        raise _at_its_place(hunt, errors) from errors


def _at_its_place(hunt: Hunt, errors: QueryErrors) -> HuntError:
    """Every error of a query at its place in the hunt's file."""
    return HuntError([hunt.error(*errors.place(e), e.message, e.hint) for e in errors.errors])


def run(lake: Lake, hunts: Iterable[Hunt], as_of: int, say: Say, tables: Tables = EVENTS_ONLY) -> list[Run]:
    """Runs every hunt on these tables as of an instant (ticks, whole microseconds), stores its findings and the runs.

    A hunt that fails is a failed run and stops no other."""
    runs: list[Run] = []
    found: list[Found] = []
    try:
        for hunt in hunts:
            say(f"hunting: {hunt.name}")
            runs.append(_run_one(lake, hunt, as_of, tables, found))
        say("storing findings")
        findings.write_all(lake, found, as_of)
    finally:
        findings.release(found)
        ledger.record(lake, runs, version("lakehunt"))
    return runs


def _run_one(lake: Lake, hunt: Hunt, as_of: int, tables: Tables, found: list[Found]) -> Run:
    """Runs a hunt, stores its own table, and adds what it found to `found`."""
    started, clock = datetime.now(UTC), time.perf_counter()

    def done(**outcome: Any) -> Run:
        return Run(hunt, as_of, started, round(time.perf_counter() - clock, 3), **outcome)

    try:
        compiled = compile_hunt(hunt, tables)
        plan, window = within(compiled.plan, as_of, _period(hunt))
        context = tables.context(lake, as_of, traced=True)
        with _fronts(plan, context) as (matched, known):
            result = findings.Result(hunt, plan, compile_plan(plan, known), window, as_of)
            computed = findings.compute(result)
        findings.write_own(lake, computed)
        found.append(computed)
        return done(window=window, matched=matched, findings=computed.count)
    except KqlError as error:  # a constant that a function does not take
        return done(error=str(_at_its_place(hunt, QueryErrors(hunt.query, [error]))))
    except (LakehuntError, PySparkException, Py4JError, RecursionError) as error:
        return done(error=str(error))


def _period(hunt: Hunt) -> int:
    if hunt.query_period is None:
        return DEFAULT_PERIOD
    return hunt.query_period // timedelta(microseconds=1) * TICKS_PER_MICROSECOND


@contextmanager
def _fronts(plan: p.Plan, context: Context) -> Iterator[tuple[int, Context]]:
    """Computes each row-local front of a plan once, with the columns that the rest reads: how many rows pass them, and
    a context that knows them."""
    kept = []
    known, matched = context, 0
    try:
        for front in row_local_fronts(plan):
            relation = compile_plan(front, known).keeping(p.needed(plan, front))
            relation.frame.persist()
            kept.append(relation)
            matched += relation.frame.count()
            known = known.knowing(front, relation)
        yield matched, known
    finally:
        for relation in kept:
            relation.frame.unpersist()


def row_local_fronts(plan: p.Plan) -> list[p.Plan]:
    """The parts of a plan that need one row at a time: a stored table and the filters and projections over it. One for
    each time that a table is read, those inside of expressions first."""
    if not _is_row_local(plan):
        return _distinct(front for source in p.sources(plan) for front in row_local_fronts(source))
    steps = [(step, getattr(step, "source", None)) for step in p.walk(plan)]
    inside = [source for step, below in steps for source in p.sources(step) if source is not below]
    return _distinct([*(front for source in inside for front in row_local_fronts(source)), plan])


def _is_row_local(plan: p.Plan) -> bool:
    while isinstance(plan, (p.Filter, p.Project)):
        read = [plan.predicate] if isinstance(plan, p.Filter) else plan.expressions
        if any(isinstance(part, p.Over) for expr in read for part in p.parts(expr)):
            return False
        plan = plan.source
    return isinstance(plan, p.Scan)


def _distinct(plans: Iterable[p.Plan]) -> list[p.Plan]:
    return list({id(plan): plan for plan in plans}.values())


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
