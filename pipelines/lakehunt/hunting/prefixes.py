"""The row-local prefix of each branch of a plan, computed once: the rest of the plan reads few rows several times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import reduce

from pyspark.sql import DataFrame

from lakehunt.hunting.query import exclusion_marks
from lakehunt.kql import plan as p
from lakehunt.kql.row_local import row_local_parts
from lakehunt.runtime.checkpoint import ON_DISK
from lakehunt.schemas.registered_tables import EVENTS
from lakehunt.spark import trace
from lakehunt.spark.expressions import column
from lakehunt.spark.plans import Context, compile_plan
from lakehunt.spark.relations import Relation


@dataclass
class MaterializedPrefixes:
    """What passed the row-local prefixes of a plan: how many events, the rows that are excluded, and a context that has
    the others."""

    context: Context
    matched: int = 0
    excluded: list[DataFrame] = field(default_factory=list)


@contextmanager
def materialized_prefixes(
    plan: p.Plan, context: Context, meter: AbstractContextManager[object] | None = None
) -> Iterator[MaterializedPrefixes]:
    """Computes each row-local prefix of a plan once, with the columns that the rest reads. The meter runs while the
    tables are read."""
    kept: list[Relation] = []
    counts: list[int] = []
    passed = MaterializedPrefixes(context)
    try:
        with meter or nullcontext():
            for front in row_local_parts(plan):
                relation = compile_plan(front, passed.context).null_out_unread(p.needed(plan, front))
                relation.frame.persist(ON_DISK)
                kept.append(relation)
                counts.append(relation.frame.count())
                counting, excluded = exclusion_marks.split_excluded(relation)
                passed.context = passed.context.with_computed(front, counting)
                if excluded is not None and not excluded.isEmpty():
                    passed.excluded.append(excluded)
        passed.matched = _events_of(kept, counts)
        yield passed
    finally:
        for relation in kept:
            relation.frame.unpersist()


def _events_of(fronts: Sequence[Relation], counts: Sequence[int]) -> int:
    """The events that are in fronts with so many rows, each once; the rows, where no front reads events."""
    events = [one.frame for one in fronts if one.traced]
    if len(events) < 2:
        return sum(count for one, count in zip(fronts, counts, strict=True) if one.traced or not events)
    ids = (frame.select(column(trace.TRACE)["evidence"][0]["event_id"]) for frame in events)
    return reduce(DataFrame.union, ids).distinct().count()


def is_empty(plan: p.Plan) -> bool:
    """Whether a plan gives no rows where DeviceProcessEvents has none."""
    if isinstance(plan, p.Scan):
        return plan.table == EVENTS
    if isinstance(plan, p.Summarize):
        return bool(plan.keys) and is_empty(plan.source)  # without keys it gives one row, of no rows too
    if isinstance(plan, p.Union):
        return all(is_empty(table) for table in plan.tables)
    if isinstance(plan, p.Join):
        left, right = is_empty(plan.left), is_empty(plan.right)
        return _EMPTY_JOINS[plan.kind](left, right)
    return isinstance(plan, (p.Filter, p.Project, p.Sort, p.Take, p.Serialize, p.Expand)) and is_empty(plan.source)


_EMPTY_JOINS: dict[str, Callable[[bool, bool], bool]] = {
    **dict.fromkeys(["inner", "innerunique", "leftsemi", "rightsemi"], lambda left, right: left or right),
    **dict.fromkeys(["left", "leftanti"], lambda left, right: left),
    **dict.fromkeys(["right", "rightanti"], lambda left, right: right),
    "full": lambda left, right: left and right,
}
