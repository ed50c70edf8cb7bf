"""Leaves out what no step of a plan reads: columns of tables, and expressions of `extend` and `project`.

Spark does the same, but only once it has resolved all of them: of a table with 80 columns that takes longer than a
small query over two of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lakehunt.kql import plan as p

Wanted = frozenset[str]


def pruned(plan: p.Plan, wanted: Wanted | None = None) -> p.Plan:
    """The plan with the same result, in which scans and projections have only columns that are read. `wanted`: those of
    the result that are read, by default all."""
    wanted = frozenset(plan.names) if wanted is None else wanted
    rule = _RULES.get(type(plan))
    return rule(plan, wanted) if rule else p.with_sources(plan, pruned)


def _above(step: Any, read: Wanted) -> p.Plan:
    """A step over its source, of which it reads these columns; subqueries in its expressions keep all of theirs."""
    return p.with_sources(step, lambda source: pruned(source, read if source is step.source else None))


def _narrowed(step: p.Plan) -> p.Plan:
    """A step that has the columns of its source, which may have become fewer."""
    schema = step.children[0].schema
    return step if step.schema is schema else replace(step, schema=schema)


def _scan(step: p.Scan, wanted: Wanted) -> p.Plan:
    kept = tuple(column for column in step.schema if column.name in wanted)
    return step if len(kept) == len(step.schema) else replace(step, schema=kept)


def _filter(step: p.Filter, wanted: Wanted) -> p.Plan:
    return _narrowed(_above(step, wanted | p.references(step.predicate)))


def _sort(step: p.Sort, wanted: Wanted) -> p.Plan:
    return _narrowed(_above(step, wanted.union(*(p.references(key.value) for key in step.keys))))


def _passing(step: p.Take | p.Serialize, wanted: Wanted) -> p.Plan:
    return _narrowed(_above(step, wanted))


def _project(step: p.Project, wanted: Wanted) -> p.Plan:
    made = [(column, expr) for column, expr in zip(step.schema, step.expressions, strict=True) if column.name in wanted]
    if len(made) < len(step.schema):
        step = replace(step, schema=tuple(c for c, _ in made), expressions=tuple(e for _, e in made))
    return _above(step, frozenset().union(*(p.references(expr) for expr in step.expressions)))


def _summarize(step: p.Summarize, wanted: Wanted) -> p.Plan:
    read = [*(key for _, key in step.keys), *(arg for one in step.aggregates for arg in one.args)]
    return _above(step, frozenset().union(*map(p.references, read)))


_RULES: dict[type[p.Plan], Callable[[Any, Wanted], p.Plan]] = {
    p.Scan: _scan,
    p.Filter: _filter,
    p.Sort: _sort,
    p.Take: _passing,
    p.Serialize: _passing,
    p.Project: _project,
    p.Summarize: _summarize,
}
"""Steps that can do with fewer columns; others get all columns of their sources."""
