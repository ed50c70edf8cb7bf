"""Binds scalar expressions: names, operators, lists, ranges and paths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

from lakehunt.kql import constants, operators, shapes
from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding import placeholders, several
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.calls import call, check_pattern
from lakehunt.kql.binding.functions import call_function, gives_table, is_tabular
from lakehunt.kql.binding.scope import UNKNOWN, Function, Scope, converted, element, projected, ref, unknown
from lakehunt.kql.catalog import TYPE
from lakehunt.kql.errors import Kind, Span
from lakehunt.kql.types import BOOL, DATETIME, DYNAMIC, INT, LONG, STRING, TIMESPAN, Shape, Type

_DESCRIBED: dict[type, str] = {s.Star: "`*`", s.Named: "named expression", s.TermSearch: "search term"}

_ON_VALUES = frozenset(["==", "!=", "<", "<=", ">", ">="])
"""Comparisons of a column by value; other operators use its text."""


def literal(binder: Binder, expr: s.Literal, scope: Scope) -> p.Expr:
    kind = replace(expr.type, shape=shapes.literal(expr.value)) if expr.type == DYNAMIC else expr.type
    const = p.Const(kind, expr.span, expr.value)
    return placeholders.text(binder, const) if expr.type == STRING and "{{" in str(expr.value) else const


def type_literal(binder: Binder, expr: s.TypeLiteral, scope: Scope) -> p.Expr:
    return p.Const(TYPE, expr.span, expr.type)


def name(binder: Binder, expr: s.Name, scope: Scope) -> p.Expr:
    if scope.columns is not None and expr.name in scope.columns:
        return p.ColumnRef(scope.columns[expr.name], expr.span, expr.name)
    for level, columns in reversed(scope.outer):
        if expr.name in columns:
            return p.OuterRef(columns[expr.name], expr.span, expr.name, level)
    variable = binder.variables.get(expr.name)
    if isinstance(variable, Function) and not gives_table(binder, variable):
        variable = call_function(binder, variable, expr, None, scope)
    if isinstance(variable, p.Expr):
        binder.read.add(expr.name)
        return variable
    if variable is not None or expr.name in binder.tables:
        return binder.unknown(Kind.SEMANTIC, f"'{expr.name}' is a table, not a value", expr.span, "use toscalar(...)")
    if expr.name in binder.unseen:
        what = f"'{expr.name}' differs from row to row, and this table is read once for all rows"
        return binder.unknown(Kind.SEMANTIC, what, expr.span, "join the tables")
    if scope.columns or scope.columns is None or not binder.errors:
        binder.no_column(expr.name, expr.span, [*scope.names, *binder.variables, *binder.tables])
    return unknown(expr.span)


def unary(binder: Binder, expr: s.Unary, scope: Scope) -> p.Expr:
    operand = binder.scalar(expr.operand, scope)
    if operand.type is UNKNOWN:
        return operand
    result = operators.unary(expr.op, operand.type)
    if result is None:
        return binder.unknown(Kind.SEMANTIC, f"'{expr.op}' is not defined for a {operand.type}", expr.span)
    made = converted(operand, result)
    return made if expr.op == "+" else constants.fold(p.Call(result, expr.span, "negate", (made,)))


def binary(binder: Binder, expr: s.Binary, scope: Scope) -> p.Expr:
    # Iterative: a chain of hundreds of `or` is one deep left branch.
    chain: list[s.Binary] = []
    leftmost: s.Expr = expr
    while isinstance(leftmost, s.Binary):
        chain.append(leftmost)
        leftmost = leftmost.left
    if isinstance(leftmost, s.Star):
        return _any_column(binder, chain, leftmost, scope)
    return _linked(binder, binder.scalar(leftmost, scope), chain[::-1], scope)


def _linked(binder: Binder, left: p.Expr, links: Sequence[s.Binary], scope: Scope) -> p.Expr:
    """A chain of operators from its left operand on."""
    for op, same in groupby(links, key=lambda link: link.op):
        if op in operators.LOGIC:
            left = _logic(binder, op, left, list(same), scope)
        else:
            for link in same:
                left = operation(binder, op, left, binder.scalar(link.right, scope), link.span, link.op_span)
    return left


def _logic(binder: Binder, op: str, left: p.Expr, links: Sequence[s.Binary], scope: Scope) -> p.Expr:
    """A chain of `and` or `or`. It is one call, so that the plan is not as deep as the chain is long."""
    conditions, kind = [left], left.type
    for link in links:
        right = binder.scalar(link.right, scope)
        conditions.append(right)
        if UNKNOWN in (kind, right.type):
            kind = UNKNOWN
        elif operators.BINARY[op](kind, right.type) is None:
            kind = _undefined(binder, op, kind, right.type, link.op_span).type
        else:
            kind = BOOL
    span = links[-1].span
    return unknown(span) if kind is UNKNOWN else p.chained(op, conditions, span)


def _any_column(binder: Binder, chain: list[s.Binary], star: s.Star, scope: Scope) -> p.Expr:
    """`* has "x"`: a disjunction over all columns that the operator is defined for."""
    found: list[p.Expr] = []
    link = chain[-1]
    value = binder.scalar(link.right, scope)
    columns = {n: t for n, t in (scope.columns or {}).items() if n not in scope.lacking}
    if link.op.startswith("!"):
        columns = {n: t for n, t in columns.items() if t == STRING}
        if len(columns) > 1:
            hint = "write the condition for each column"
            return binder.unknown(Kind.UNSUPPORTED, f"'* {link.op}' of several columns", link.span, hint)
    for name, kind in columns.items():
        column = p.ColumnRef(kind, star.span, name)
        operand = column if link.op in _ON_VALUES else converted(column, STRING)
        typing = operators.BINARY[link.op](operand.type, value.type) if value.type is not UNKNOWN else None
        if typing is not None:
            found.append(operation(binder, link.op, operand, value, link.span, link.op_span))
    left = p.chained("or", found, link.span) if found else p.Const(BOOL, link.span, False)
    return _linked(binder, left, chain[-2::-1], scope)


def operation(binder: Binder, op: str, left: p.Expr, right: p.Expr, span: Span, op_span: Span) -> p.Expr:
    if UNKNOWN in (left.type, right.type):
        return unknown(span)
    if op == "matches regex":
        right = constants.fold(right)
        if isinstance(right, p.Const) and right.type == STRING:
            check_pattern(binder, str(right.value or ""), right.span)
    typing = operators.BINARY[op](left.type, right.type)
    if typing is None:
        return _undefined(binder, op, left.type, right.type, op_span)
    return p.Call(typing[2], span, op, (converted(left, typing[0]), converted(right, typing[1])))


def _undefined(binder: Binder, op: str, left: Type, right: Type, span: Span) -> p.Expr:
    later = DYNAMIC in (left, right) or (op in ("==", "!=") and STRING in (left, right))
    return binder.unknown(
        Kind.UNSUPPORTED if later else Kind.SEMANTIC,
        f"'{op}' is not {'supported' if later else 'defined'} for {left} and {right}",
        span,
        "convert one side, for example with tostring(...)" if later else "",
    )


def in_list(binder: Binder, expr: s.InList, scope: Scope) -> p.Expr:
    if isinstance(expr.operand, s.Star):
        return binder.unknown(Kind.UNSUPPORTED, f"'{expr.op}' of any column is not supported", expr.span)
    operand = binder.scalar(expr.operand, scope)
    comparison = operators.MEMBERSHIP[expr.op]
    checks: list[p.Expr] = []
    for item in expr.items:
        checks.extend(_checks(binder, comparison, expr, operand, item, scope))
    if operand.type is UNKNOWN or any(c.type is UNKNOWN for c in checks):
        return unknown(expr.span)
    if not checks:
        return p.Const(BOOL, expr.span, expr.op.startswith("!") or expr.op == "has_all")
    return p.Call(BOOL, expr.span, expr.op, tuple(checks))


def _checks(binder: Binder, op: str, expr: s.InList, operand: p.Expr, item: s.Expr, scope: Scope) -> list[p.Expr]:
    """The comparisons for one item of a list: with the item, or with each of its elements."""
    if is_tabular(binder, item):
        plan = binder.table(item)
        if not plan.schema:
            return [unknown(item.span)]
        first = plan.schema[0]
        listed: p.Expr = p.ListQuery(first.type, item.span, projected(plan, [(first.name, ref(first, item.span))]))
        return [_one_of(binder, op, expr, operand, listed, first.type)]
    value = binder.scalar(item, scope)
    if value.type != DYNAMIC:
        return [operation(binder, op, operand, _as_text(operand, value), value.span, expr.op_span)]
    if isinstance(value, p.Const) and isinstance(value.value, list):
        return [
            operation(binder, op, operand, _as_text(operand, element(e, value.span)), value.span, expr.op_span)
            for e in value.value
            if e is not None
        ]
    return [_one_of(binder, op, expr, operand, value, DYNAMIC)]


def _as_text(operand: p.Expr, item: p.Expr) -> p.Expr:
    """An integer in a list of texts, `has_any (12)`, as its text."""
    is_number = operand.type == STRING and item.type in (INT, LONG) and isinstance(item, p.Const)
    return p.Const(STRING, item.span, str(item.value)) if is_number and isinstance(item, p.Const) else item


def _one_of(binder: Binder, op: str, expr: s.InList, operand: p.Expr, listed: p.Expr, kind: Type) -> p.Expr:
    """`op` with any (for has_all, every) element of a list that is not a constant."""
    if UNKNOWN in (operand.type, kind):
        return unknown(expr.span)
    if kind != DYNAMIC and operators.BINARY[op](operand.type, kind) is None:
        return _undefined(binder, op, operand.type, kind, expr.op_span)
    name = p.EVERY if expr.op == "has_all" else p.ANY
    return p.Call(BOOL, expr.span, f"{name} {op}", (operand, listed))


def between(binder: Binder, expr: s.Between, scope: Scope) -> p.Expr:
    operand, low, high = (binder.scalar(e, scope) for e in (expr.operand, expr.low, expr.high))
    if operand.type == DATETIME and low.type == DATETIME and high.type == TIMESPAN:
        high = p.Call(DATETIME, high.span, "+", (low, high))
    lower = operation(binder, ">=", operand, low, expr.span, expr.low.span)
    upper = operation(binder, "<=", operand, high, expr.span, expr.high.span)
    if UNKNOWN in (lower.type, upper.type):
        return unknown(expr.span)
    inside = p.chained("and", (lower, upper), expr.span)
    return inside if expr.op == "between" else p.Call(BOOL, expr.span, "not", (inside,))


def path(binder: Binder, expr: s.Path, scope: Scope) -> p.Expr:
    return _step(binder, expr, p.Const(STRING, expr.span, expr.name), scope)


def index(binder: Binder, expr: s.Index, scope: Scope) -> p.Expr:
    index = constants.fold(binder.scalar(expr.index, scope))
    if index.type not in (STRING, INT, LONG, DYNAMIC, UNKNOWN):
        binder.fail(Kind.SEMANTIC, f"an index is a number or a name, this is a {index.type}", expr.index.span)
    parts = several.parts(binder, expr.value, scope)
    if len(parts) > 1 and isinstance(index, p.Const) and isinstance(index.value, int) and 0 <= index.value < len(parts):
        return binder.scalar(parts[index.value][1], scope)
    return _step(binder, expr, index, scope)


def _step(binder: Binder, expr: s.Path | s.Index, step: p.Expr, scope: Scope) -> p.Expr:
    value = binder.scalar(expr.value, scope)
    if UNKNOWN in (value.type, step.type):
        return unknown(expr.span)
    if value.type != DYNAMIC:
        return binder.unknown(Kind.SEMANTIC, f"a {value.type} has no parts", expr.span, "parse_json(...) reads text")
    shape = shapes.of(value.type)
    if isinstance(expr, s.Index):
        problem = _misstep(shape, step.type)
        if problem:
            return binder.unknown(Kind.SEMANTIC, problem, expr.index.span, "parse_json(...) reads text")
    kind = replace(DYNAMIC, shape=shapes.part(shape, step.value if isinstance(step, p.Const) else None))
    if isinstance(value, p.Call) and value.function == p.PATH:
        return p.Call(kind, expr.span, p.PATH, (*value.args, step))
    return p.Call(kind, expr.span, p.PATH, (value, step))


def _misstep(shape: Shape | None, index: Type) -> str:
    """What is wrong with an index of a value of which that much is known, if anything."""
    if shape is None or index == DYNAMIC:
        return ""
    if shapes.is_value(shape):
        return f"a {shape.kind} has no parts"
    if shape.kind == "array":
        return "the index of an array is a number" if index == STRING else ""
    return "" if index == STRING else "the index of a bag is a name"


def misplaced(binder: Binder, expr: s.Expr, scope: Scope) -> p.Expr:
    return binder.unknown(Kind.SEMANTIC, f"a {_DESCRIBED.get(type(expr), 'table')} cannot be used here", expr.span)


SCALARS: dict[type[s.Expr], Callable[..., p.Expr]] = {
    s.Literal: literal,
    s.TypeLiteral: type_literal,
    s.Name: name,
    s.Call: call,
    s.Unary: unary,
    s.Binary: binary,
    s.InList: in_list,
    s.Between: between,
    s.Path: path,
    s.Index: index,
    **dict.fromkeys(
        (s.Star, s.Named, s.TermSearch, s.Pipeline, s.Print, s.DataTable, s.Range, s.ExternalData, s.Empty),
        misplaced,
    ),
}
