"""The first rows of a table: their times are found first, from the few columns that this takes.

`take` gives the earliest events, whatever the layout of the files. To sort all events, Spark would read all of their
columns. So the times of the wanted ones are found, and then only the events of this time are read. They are looked for
in the first hour of the table, then in longer and longer parts of the time that follows, until there are enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from pyspark.sql import functions as F

from lakehunt.kql import plan as p
from lakehunt.kql.pruning import pruned
from lakehunt.kql.types import TICKS_PER_HOUR, TICKS_PER_MICROSECOND
from lakehunt.schemas.event_tables import BY_NAME
from lakehunt.spark.expressions import column
from lakehunt.spark.plans import compile_plan
from lakehunt.spark.relations import ORDER, Context

Spans = Callable[[p.Scan], tuple[int, int] | None]
"""Two instants (ticks) between which all rows are of the table that a plan reads; None: not known."""

FIRST = TICKS_PER_HOUR
LONGER = 4
"""The length of the first part (ticks), and how many times longer each part is than the one before."""

MOST_ROWS = 10_000
"""Rows up to which finding the times is worth it."""

_ONE_BY_ONE = (p.Project, p.Filter)
_OVER_ONE = (p.Project, p.Filter, p.Sort, p.Take, p.Serialize, p.Summarize)


def narrowed(plan: p.Plan, context: Context, spans: Spans) -> p.Plan:
    """The plan with the same result; where it takes the first of an event table's rows, the table is read only for
    their time, which is found by jobs."""
    if isinstance(plan, p.Take) and (scan := _scan_below(plan)) is not None:
        first, last = _times(plan, scan, context, spans(scan))
        return _with_scan(plan, replace(scan, since=first, until=last))
    if isinstance(plan, _OVER_ONE):
        below = narrowed(plan.source, context, spans)
        return plan if below is plan.source else replace(plan, source=below)
    return plan


def _scan_below(take: p.Take) -> p.Scan | None:
    """The event table whose rows are taken, if each of them passes or does not whatever the others are."""
    step = take.source
    while isinstance(step, _ONE_BY_ONE) and len(p.sources(step)) == 1 and not _looks_around(step):
        step = step.source
    is_events = isinstance(step, p.Scan) and step.table in BY_NAME
    return step if is_events and take.count <= MOST_ROWS else None  # type: ignore[return-value]


def _looks_around(step: p.Project | p.Filter) -> bool:
    made = step.expressions if isinstance(step, p.Project) else (step.predicate,)
    return any(isinstance(part, p.WindowCall) for expr in made for part in p.parts(expr))


def _times(take: p.Take, scan: p.Scan, context: Context, span: tuple[int, int] | None) -> tuple[int, int]:
    """The times (ticks) of the first and the last row that is taken; without one, a time that no event has."""
    found: list[int] = []
    for since, until in _parts_of(scan, span):
        part = _with_scan(take.source, replace(scan, since=since, until=until))
        relation = compile_plan(pruned(part, frozenset()), context)
        earliest = relation.frame.select(column(ORDER)["at"].alias("at")).orderBy("at").limit(take.count - len(found))
        row = earliest.agg(F.count("at").alias("count"), F.min("at").alias("first"), F.max("at").alias("last")).first()
        assert row is not None
        if row["count"]:
            found += [row["first"], *[row["last"]] * (row["count"] - 1)]
        if len(found) >= take.count:
            break
    return (found[0], found[-1]) if found else (0, 0)


def _parts_of(scan: p.Scan, span: tuple[int, int] | None) -> Iterator[tuple[int | None, int | None]]:
    """Consecutive times (ticks, both ends included), which together are all that the scan reads, in order."""
    if span is None:
        yield scan.since, scan.until
        return
    since = span[0] if scan.since is None else max(scan.since, span[0])
    since -= since % TICKS_PER_MICROSECOND  # what is stored is compared in microseconds: each must be in one part only
    last = span[1] if scan.until is None else min(scan.until, span[1])
    length = FIRST
    while since <= last:
        until = min(since + length - 1, last)
        yield since, until
        since, length = until + 1, length * LONGER


def _with_scan(step: p.Plan, scan: p.Scan) -> p.Plan:
    return scan if isinstance(step, p.Scan) else p.with_sources(step, lambda source: _with_scan(source, scan))
