"""Materializes the row-local prefix of each branch of a plan, because the rest of the plan reads it several times."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import reduce

from pyspark.sql import DataFrame

from lakehunt.hunting.query import exclusion_marks
from lakehunt.kql import plan as p
from lakehunt.kql.row_local import row_local_parts
from lakehunt.runtime.checkpoint import ON_DISK
from lakehunt.spark import trace
from lakehunt.spark.expressions import column
from lakehunt.spark.local_rows import local_rows
from lakehunt.spark.plans import Context, compile_plan
from lakehunt.spark.relations import Relation


@dataclass
class MaterializedPrefixes:
    """The row-local prefixes of a plan: the number of events that passed them, the excluded rows, and a context that
    provides the other rows."""

    context: Context
    matched: int = 0
    excluded: list[DataFrame] = field(default_factory=list)


@contextmanager
def materialized_prefixes(
    plan: p.Plan, context: Context, metrics: AbstractContextManager[object] | None = None, in_memory: bool = False
) -> Iterator[MaterializedPrefixes]:
    """Computes each row-local prefix of a plan once, with the columns that the rest reads. `metrics` is entered while
    the tables are read. With `in_memory`, those of local rows are, too, without a job."""
    kept: list[Relation] = []
    persisted: list[DataFrame] = []
    counts: list[int] = []
    prefixes = MaterializedPrefixes(context)
    try:
        with metrics or nullcontext():
            for prefix in row_local_parts(plan):
                relation = compile_plan(prefix, prefixes.context)
                rows = local_rows(relation.frame) if in_memory else None
                if rows is not None:
                    relation = replace(relation, frame=rows.frame)
                else:
                    relation = relation.null_out_unread(p.needed(plan, prefix))
                    relation.frame.persist(ON_DISK)
                    persisted.append(relation.frame)
                kept.append(relation)
                counts.append(rows.count if rows else relation.frame.count())
                counting, excluded = exclusion_marks.split_excluded(relation)
                prefixes.context = prefixes.context.with_computed(prefix, counting)
                if excluded is not None and not excluded.isEmpty():
                    prefixes.excluded.append(excluded)
        prefixes.matched = _count_events(kept, counts)
        yield prefixes
    finally:
        for frame in persisted:
            frame.unpersist()


def _count_events(prefixes: Sequence[Relation], counts: Sequence[int]) -> int:
    """The number of distinct events in the prefixes; the number of rows if no prefix reads events."""
    events = [one.frame for one in prefixes if one.traced]
    if len(events) < 2:
        return sum(count for one, count in zip(prefixes, counts, strict=True) if one.traced or not events)
    ids = (frame.select(column(trace.TRACE)["evidence"][0]["event_id"]) for frame in events)
    return reduce(DataFrame.union, ids).distinct().count()


def is_empty(plan: p.Plan, tables: Collection[str]) -> bool:
    """Whether a plan yields no rows if these tables have none."""
    if isinstance(plan, p.Scan):
        return plan.table in tables
    if isinstance(plan, p.Summarize):
        return bool(plan.keys) and is_empty(plan.source, tables)  # without keys it yields one row even for no input
    if isinstance(plan, p.Union):
        return all(is_empty(table, tables) for table in plan.tables)
    if isinstance(plan, p.Join):
        left, right = is_empty(plan.left, tables), is_empty(plan.right, tables)
        return _EMPTY_JOINS[plan.kind](left, right)
    if isinstance(plan, (p.Filter, p.Project, p.Sort, p.Take, p.Serialize, p.Expand)):
        return is_empty(plan.source, tables)
    return False


_EMPTY_JOINS: dict[str, Callable[[bool, bool], bool]] = {
    **dict.fromkeys(["inner", "innerunique", "leftsemi", "rightsemi"], lambda left, right: left or right),
    **dict.fromkeys(["left", "leftanti"], lambda left, right: left),
    **dict.fromkeys(["right", "rightanti"], lambda left, right: right),
    "full": lambda left, right: left and right,
}
