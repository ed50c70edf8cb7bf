"""Row-level analysis of plans: which expressions depend on one row only, and predicate pushdown.

A condition above an operator may also hold for its input: a filter on sorted rows can be applied before sorting.
`passed_down` returns the conditions that hold for an operator's input, in terms of the input's columns. The time window
of a query, its row-level predicates and its prefilter are all derived from it.

`take`, `top` and `summarize` pass nothing down, as their output depends on all rows of their input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lakehunt.kql import plan as p
from lakehunt.kql.errors import Span
from lakehunt.kql.types import NUMERIC

LARGEST = 20_000
"""Maximum number of parts of a condition that is passed down. Substituting columns can double it with each `extend`."""


@dataclass(frozen=True)
class Condition:
    """A necessary condition for a row to contribute to the result.

    If it is `separable`, failing rows can be dropped, as they do not affect other rows. It is not if a window function
    above reads neighbouring rows (`prev`)."""

    expr: p.Expr
    separable: bool = True


Conditions = tuple[Condition, ...]


def passed_down(plan: p.Plan, above: Conditions) -> list[tuple[p.Plan, Conditions]]:
    """The children of a plan, in the order of `plan.sources`, with the conditions that hold for their rows if those
    `above` hold for the rows of the plan."""
    rule = _RULES.get(type(plan))
    of_rows = rule(plan, above) if rule else ()
    sources = p.sources(plan)
    # the operator's inputs come first, then subqueries in expressions
    return list(zip(sources, (*of_rows, *((),) * (len(sources) - len(of_rows))), strict=True))


def scans(plan: p.Plan, above: Conditions = ()) -> Iterator[tuple[p.Scan, Conditions]]:
    """Each scan of a stored table in a plan, with the conditions that hold for its rows."""
    if isinstance(plan, p.Scan):
        yield plan, above
    for source, conditions in passed_down(plan, above):
        yield from scans(source, conditions)


# Operators


def _filter(plan: p.Filter, above: Conditions) -> tuple[Conditions]:
    own = (Condition(term) for term in p.terms(plan.predicate, "and"))
    return (_below_expressions([plan.predicate], (*above, *own)),)


def _project(plan: p.Project, above: Conditions) -> tuple[Conditions]:
    made = dict(zip(plan.names, plan.expressions, strict=True))
    return (_below_expressions(plan.expressions, _rewritten(above, made)),)


def _sort(plan: p.Sort, above: Conditions) -> tuple[Conditions]:
    return (_below_expressions([key.value for key in plan.keys], above),)


def _serialize(plan: p.Serialize, above: Conditions) -> tuple[Conditions]:
    return (above,)


def _union(plan: p.Union, above: Conditions) -> tuple[Conditions, ...]:
    return (above,) * len(plan.tables)


def _expand(plan: p.Expand, above: Conditions) -> tuple[Conditions]:
    """Conditions on other columns than the expanded ones hold for the source row."""
    made = {item.name for item in plan.items} | {plan.index}
    kept: dict[str, p.Expr] = {
        c.name: p.ColumnRef(c.type, _REPLACED, c.name) for c in plan.schema if c.name not in made
    }
    return (_below_expressions([item.value for item in plan.items], _rewritten(above, kept)),)


_FROM_LEFT = frozenset(["inner", "left", "leftsemi", "leftanti"])
_FROM_RIGHT = frozenset(["inner", "innerunique", "right", "rightsemi", "rightanti"])
"""Joins in which each result row has a row of the left side, or of the right one. `innerunique` picks one left row per
key, so all of them matter; in an outer join, a row without a match depends on all rows of the other side."""


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
"""Pushdown rules of row-by-row operators; other operators pass nothing down."""


_REPLACED = Span(0, 0)
"""Placeholder position of a column; `_renamed` replaces it by that of the column it is substituted for."""


def _below_expressions(read: Iterable[p.Expr], conditions: Conditions) -> Conditions:
    """The conditions below an operator with these expressions."""
    if not any(has_window_function(expr) for expr in read):
        return conditions
    return tuple(replace(condition, separable=False) for condition in conditions)


def has_window_function(expr: p.Expr) -> bool:
    """Whether the expression contains a window function, so it depends on other rows."""
    return any(isinstance(part, p.WindowCall) for part in p.parts(expr))


def _rewritten(conditions: Conditions, made: Mapping[str, p.Expr]) -> Conditions:
    """The conditions with each column replaced by its definition; those where this is impossible are left out."""
    new = ((condition, _substituted(condition.expr, made)) for condition in conditions)
    return tuple(replace(condition, expr=expr) for condition, expr in new if expr is not None)


def _substituted(expr: p.Expr, made: Mapping[str, p.Expr]) -> p.Expr | None:
    """The expression with each column replaced by its definition; None if one has no definition, or if the result is
    too large."""
    size = 0
    for part in p.parts(expr):
        if isinstance(part, p.ColumnRef) and part.name not in made:
            return None
        size += sum(1 for _ in p.parts(made[part.name])) if isinstance(part, p.ColumnRef) else 1
        if size > LARGEST:
            return None
    return p.transformed(expr, lambda part: _renamed(part, made[part.name]) if isinstance(part, p.ColumnRef) else part)


def _renamed(column: p.ColumnRef, made: p.Expr) -> p.Expr:
    """The definition of a column; a renamed column keeps the position where the query reads it."""
    return replace(made, span=column.span) if isinstance(made, p.ColumnRef) else made


# Expressions of one row


def is_of_one_row(expr: p.Expr) -> bool:
    """Whether an expression depends only on its row, so it has the same value whenever it is evaluated."""
    return next(beyond_one_row(expr), None) is None


def beyond_one_row(expr: p.Expr) -> Iterator[p.Expr]:
    """The parts of an expression that depend on more than the row: now(), other rows, another table."""
    return (part for part in p.parts(expr) if not isinstance(part, (p.Const, p.ColumnRef)) and type(part) is not p.Call)


_FALSE_FOR_EMPTY = frozenset(
    [
        *("==", "=~", "has", "has_cs", "hasprefix", "hasprefix_cs", "hassuffix", "hassuffix_cs"),
        *("contains", "contains_cs", "startswith", "startswith_cs", "endswith", "endswith_cs"),
    ]
)
"""Comparisons that are false if their left side is null or an empty string, and the right side is not."""


def is_false(expr: p.Expr) -> bool:
    """Whether a condition is known to be false for every row: in a union, a column that a table lacks is a constant
    there, null or the empty string. Does not know all such conditions."""
    if not isinstance(expr, p.Call):
        return isinstance(expr, p.Const) and expr.value is False
    if expr.function == "and":
        return any(map(is_false, expr.args))
    if expr.function in ("or", "in", "in~", "has_any"):
        return all(map(is_false, expr.args))
    if expr.function in ("isnotempty", "isnotnull"):
        return _is_empty(expr.args[0])
    if expr.function not in _FALSE_FOR_EMPTY:
        return False
    left, right = expr.args
    return _is_empty(left) and isinstance(right, p.Const) and not _is_empty(right)


def _is_empty(expr: p.Expr) -> bool:
    if isinstance(expr, p.Call) and expr.type in NUMERIC and expr.function == f"to{expr.type}":
        return _is_empty(expr.args[0])
    return isinstance(expr, p.Const) and expr.value in (None, "")


# Parts of a plan


def row_local_parts(plan: p.Plan) -> list[p.Plan]:
    """The row-by-row parts of a plan: a stored table with the filters and projections over it. One for each scan of a
    table, those in subqueries of expressions first."""
    if not _is_row_local(plan):
        return _distinct(part for source in p.sources(plan) for part in row_local_parts(source))
    steps = [(step, getattr(step, "source", None)) for step in p.walk(plan)]
    inside = [source for step, below in steps for source in p.sources(step) if source is not below]
    return _distinct([*(part for source in inside for part in row_local_parts(source)), plan])


def _is_row_local(plan: p.Plan) -> bool:
    while isinstance(plan, (p.Filter, p.Project)):
        read = [plan.predicate] if isinstance(plan, p.Filter) else plan.expressions
        if any(has_window_function(expr) for expr in read):
            return False
        plan = plan.source
    return isinstance(plan, p.Scan)


def _distinct(plans: Iterable[p.Plan]) -> list[p.Plan]:
    return list({id(plan): plan for plan in plans}.values())
