"""What of a plan depends on one row at a time, and how far conditions reach down a plan.

A condition above an operator may hold for the rows beneath it, too: what `where` asks of sorted rows, it asks of the
rows before they were sorted. `passed_down` says which conditions hold for the rows that an operator reads, written with
the columns that these have. The time window of a query, its row-level conditions and its prefilter all rest on it.

`take`, `top` and `summarize` pass nothing down: which rows they let through, or what they make of them, depends on all
that they read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lakehunt.kql import plan as p
from lakehunt.kql.errors import Span

LARGEST = 20_000
"""Parts of a condition that is still worth passing down. Columns computed from columns can double with each `extend`,
when they are written out."""


@dataclass(frozen=True)
class Condition:
    """What must be true of a row so that it, or what is made of it, is in the result.

    A row that fails may be left out where it is `separable`: it changes nothing about other rows. Where a window
    function above looks at neighbours (`prev`), it is not."""

    expr: p.Expr
    separable: bool = True


Conditions = tuple[Condition, ...]


def passed_down(plan: p.Plan, above: Conditions) -> list[tuple[p.Plan, Conditions]]:
    """The plans that this one reads, in the order of `plan.sources`, and the conditions that hold for their rows if
    those `above` hold for the rows of this one."""
    rule = _RULES.get(type(plan))
    of_rows = rule(plan, above) if rule else ()
    sources = p.sources(plan)
    # first those whose rows the operator handles; the others are queries inside of expressions
    return list(zip(sources, (*of_rows, *((),) * (len(sources) - len(of_rows))), strict=True))


def scans(plan: p.Plan, above: Conditions = ()) -> Iterator[tuple[p.Scan, Conditions]]:
    """Each read of a stored table beneath a plan, with the conditions that hold for its rows."""
    if isinstance(plan, p.Scan):
        yield plan, above
    for source, conditions in passed_down(plan, above):
        yield from scans(source, conditions)


# Operators


def _filter(plan: p.Filter, above: Conditions) -> tuple[Conditions]:
    own = (Condition(term) for term in p.terms(plan.predicate, "and"))
    return (_around([plan.predicate], (*above, *own)),)


def _project(plan: p.Project, above: Conditions) -> tuple[Conditions]:
    made = dict(zip(plan.names, plan.expressions, strict=True))
    return (_around(plan.expressions, _rewritten(above, made)),)


def _sort(plan: p.Sort, above: Conditions) -> tuple[Conditions]:
    return (_around([key.value for key in plan.keys], above),)


def _serialize(plan: p.Serialize, above: Conditions) -> tuple[Conditions]:
    return (above,)


def _union(plan: p.Union, above: Conditions) -> tuple[Conditions, ...]:
    return (above,) * len(plan.tables)


def _expand(plan: p.Expand, above: Conditions) -> tuple[Conditions]:
    """Each element has the other columns of its row."""
    made = {item.name for item in plan.items} | {plan.index}
    kept: dict[str, p.Expr] = {
        c.name: p.ColumnRef(c.type, _REPLACED, c.name) for c in plan.schema if c.name not in made
    }
    return (_around([item.value for item in plan.items], _rewritten(above, kept)),)


_FROM_LEFT = frozenset(["inner", "left", "leftsemi", "leftanti"])
_FROM_RIGHT = frozenset(["inner", "innerunique", "right", "rightsemi", "rightanti"])
"""Joins each of whose rows is made of one row of the left side, or of the right one. `innerunique` chooses a left row
for each key, so all of them count; an outer join's row without a partner is there because the other side has none."""


def _join(plan: p.Join, above: Conditions) -> tuple[Conditions, Conditions]:
    sides: list[Conditions] = []
    for is_left, kinds in ((True, _FROM_LEFT), (False, _FROM_RIGHT)):
        given = zip(plan.schema, plan.columns, strict=True)
        own: dict[str, p.Expr] = {
            c.name: p.ColumnRef(c.type, _REPLACED, name) for c, (left, name) in given if left is is_left
        }
        sides.append(_rewritten(above, own) if plan.kind in kinds else ())
    return sides[0], sides[1]


_RULES: dict[type[p.Plan], Callable[[Any, Conditions], tuple[Conditions, ...]]] = {
    p.Filter: _filter,
    p.Project: _project,
    p.Sort: _sort,
    p.Serialize: _serialize,
    p.Union: _union,
    p.Expand: _expand,
    p.Join: _join,
}
"""What each operator that handles a row at a time passes down to its sources; any other passes nothing."""


_REPLACED = Span(0, 0)
"""The place of a column until it takes that of the one for which it is read (`_instead`)."""


def _around(read: Iterable[p.Expr], conditions: Conditions) -> Conditions:
    """The conditions beneath an operator that reads these expressions."""
    if not any(looks_around(expr) for expr in read):
        return conditions
    return tuple(replace(condition, separable=False) for condition in conditions)


def looks_around(expr: p.Expr) -> bool:
    """Whether a window function is in the expression: it depends on other rows."""
    return any(isinstance(part, p.WindowCall) for part in p.parts(expr))


def _rewritten(conditions: Conditions, made: Mapping[str, p.Expr]) -> Conditions:
    """The conditions that can be written with what makes each column, so written."""
    new = ((condition, _over(condition.expr, made)) for condition in conditions)
    return tuple(replace(condition, expr=expr) for condition, expr in new if expr is not None)


def _over(expr: p.Expr, made: Mapping[str, p.Expr]) -> p.Expr | None:
    """The expression with each column replaced by what makes it; None where something else makes it, or where that is
    too large."""
    size = 0
    for part in p.parts(expr):
        if isinstance(part, p.ColumnRef) and part.name not in made:
            return None
        size += sum(1 for _ in p.parts(made[part.name])) if isinstance(part, p.ColumnRef) else 1
        if size > LARGEST:
            return None
    return p.transformed(expr, lambda part: _instead(part, made[part.name]) if isinstance(part, p.ColumnRef) else part)


def _instead(column: p.ColumnRef, made: p.Expr) -> p.Expr:
    """What makes a column; one that only has another name stays where the query reads it."""
    return replace(made, span=column.span) if isinstance(made, p.ColumnRef) else made


# Expressions of one row


def is_of_one_row(expr: p.Expr) -> bool:
    """Whether an expression depends on nothing but its row: it comes out the same whenever it is asked."""
    return next(beyond_one_row(expr), None) is None


def beyond_one_row(expr: p.Expr) -> Iterator[p.Expr]:
    """The parts of an expression that depend on more than the row: on now(), on other rows, on another table."""
    return (part for part in p.parts(expr) if not isinstance(part, (p.Const, p.ColumnRef)) and type(part) is not p.Call)


# Parts of a plan


def row_local_parts(plan: p.Plan) -> list[p.Plan]:
    """The parts of a plan that need one row at a time: a stored table and the filters and projections over it. One for
    each time that a table is read, those inside of expressions first."""
    if not _is_row_local(plan):
        return _distinct(part for source in p.sources(plan) for part in row_local_parts(source))
    steps = [(step, getattr(step, "source", None)) for step in p.walk(plan)]
    inside = [source for step, below in steps for source in p.sources(step) if source is not below]
    return _distinct([*(part for source in inside for part in row_local_parts(source)), plan])


def _is_row_local(plan: p.Plan) -> bool:
    while isinstance(plan, (p.Filter, p.Project)):
        read = [plan.predicate] if isinstance(plan, p.Filter) else plan.expressions
        if any(looks_around(expr) for expr in read):
            return False
        plan = plan.source
    return isinstance(plan, p.Scan)


def _distinct(plans: Iterable[p.Plan]) -> list[p.Plan]:
    return list({id(plan): plan for plan in plans}.values())
