"""Shared by all binding rules: scopes, functions of `let`, and constructors of typed expressions.

An expression with an error has the type UNKNOWN, which matches every type and so causes no further errors."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lakehunt.kql import constants
from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.errors import Span
from lakehunt.kql.types import BOOL, DYNAMIC, LONG, NUMERIC, REAL, STRING, Column, Type

UNKNOWN = Type("unknown")


@dataclass(frozen=True)
class Scope:
    """The scope of an expression.

    `columns` are those of its row (None outside of a row); `lacking` are those of them that `*` does not stand for, as
    only other tables of a `find` have them; `outer` those of the row around the body of `mv-apply`, and the name of
    that body. `ordered` says whether rows are serialized, as window functions require, `stored` whether they are rows
    of a stored table."""

    columns: Mapping[str, Type] | None = None
    outer: tuple[tuple[str, Mapping[str, Type]], ...] = ()
    ordered: bool = False
    stored: bool = False
    lacking: frozenset[str] = frozenset()

    @property
    def names(self) -> list[str]:
        return [*(self.columns or {}), *(name for _, columns in self.outer for name in columns)]


@dataclass(frozen=True)
class Function:
    """A function defined by `let`, with the variables visible there (a closure)."""

    definition: s.LetFunction
    variables: Mapping[str, Variable]


Variable = p.Plan | p.Expr | Function


def unknown(span: Span) -> p.Expr:
    return p.Const(UNKNOWN, span, None)


def split(item: s.Expr) -> tuple[str | None, s.Expr]:
    """The explicit name of an item, if any, and its expression."""
    return (item.names[0], item.value) if isinstance(item, s.Named) else (None, item)


def element(value: object, span: Span) -> p.Expr:
    """An element of a constant array, as a constant of its own type."""
    for python, kind in ((bool, BOOL), (int, LONG), (float, REAL), (str, STRING)):
        if isinstance(value, python):
            return p.Const(kind, span, value)
    return p.Const(DYNAMIC, span, value)


def converted(expr: p.Expr, to: Type) -> p.Expr:
    if expr.type == to or UNKNOWN in (expr.type, to):
        return expr
    if isinstance(expr, p.Const) and to in NUMERIC and isinstance(expr.value, (int, float)):
        return replace(expr, type=to, value=constants.as_number(expr.value, to))
    return p.Call(to, expr.span, p.AS_DYNAMIC if to == DYNAMIC else f"to{to}", (expr,))


def ref(column: Column, span: Span) -> p.Expr:
    return p.ColumnRef(column.type, span, column.name)


def projected(source: p.Plan, columns: Sequence[tuple[str, p.Expr]]) -> p.Plan:
    schema = tuple(Column(name, value.type) for name, value in columns)
    return p.Project(schema, source, tuple(value for _, value in columns))


def is_ordered(plan: p.Plan) -> bool:
    """Whether the rows of a plan are ordered: by a sort, whose order row-by-row operators keep."""
    while isinstance(plan, (p.Filter, p.Project, p.Take, p.Expand)):
        plan = plan.source
    return isinstance(plan, (p.Sort, p.Serialize, p.Range, p.ScanRows))


def is_stored(plan: p.Plan) -> bool:
    """Whether each row of a plan is one row of a stored table."""
    while isinstance(plan, (p.Filter, p.Project, p.Take, p.Sort, p.Serialize)):
        plan = plan.source
    return isinstance(plan, p.Scan)


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint with the most similar known name, ignoring case."""
    folded = {k.lower(): k for k in known}
    near = difflib.get_close_matches(name.lower(), list(folded), 1, 0.7)
    return f"did you mean '{folded[near[0]]}'?" if near else ""
