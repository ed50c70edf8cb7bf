"""Typed expressions -> Spark columns: one entry of a table for each kind of operator, the catalog for functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from pipelines.kql import plan as p
from pipelines.kql.operators import MEMBERSHIP
from pipelines.kql.types import DATETIME, DYNAMIC, STRING
from pipelines.spark.functions import operators, text
from pipelines.spark.functions.registry import scalar_implementation
from pipelines.spark.values import json_text, literal


def column(name: str) -> Column:
    """The column of this very name: dots and backticks in it are part of it."""
    return F.col(f"`{name.replace('`', '``')}`")


class Expressions:
    """Compiles the expressions of one query; `now` is its one instant, in ticks."""

    def __init__(self, now: int) -> None:
        self.now = now

    def compile(self, expr: p.Expr) -> Column:
        """The Spark column.

        Left branches are walked, not recursed into: real hunts have chains of hundreds of operators."""
        chain: list[p.Apply] = []
        while isinstance(expr, p.Apply) and expr.args and expr.function not in _WHOLE:
            chain.append(expr)
            expr = expr.args[0]
        result = self._leaf(expr)
        for apply in reversed(chain):
            result = self._apply(apply, [result, *(self.compile(arg) for arg in apply.args[1:])])
        return result

    def _leaf(self, expr: p.Expr) -> Column:
        if isinstance(expr, p.Const):
            return literal(expr.value, expr.type)
        if isinstance(expr, p.Now):
            return F.lit(self.now)
        if isinstance(expr, p.Ref):
            return column(expr.name)
        assert isinstance(expr, p.Apply)
        if expr.function in _LOGIC:
            return _LOGIC[expr.function]([self.compile(term) for term in p.terms(expr, expr.function)])
        if expr.function in MEMBERSHIP:
            return self._membership(expr)
        return self._apply(expr, [])

    def _membership(self, expr: p.Apply) -> Column:
        """`in`, `has_any` and their relatives; the arguments are the comparison with each item."""
        negated, op = expr.function.startswith("!"), expr.function.removeprefix("!")
        comparisons = [c for c in expr.args if isinstance(c, p.Apply)]
        constants = [_constant(c.args[1]) for c in comparisons]
        if op in ("in", "in~") and None not in constants:
            operand = self.compile(comparisons[0].args[0])
            found = operators.one_of(operand, [c or "" for c in constants], fold=op == "in~")
        else:
            found = _LOGIC["and" if op == "has_all" else "or"]([self.compile(c) for c in comparisons])
            found = F.coalesce(found, F.lit(False))  # a null is in no list
        return ~found if negated else found

    def _apply(self, expr: p.Apply, args: list[Column]) -> Column:
        for operators_of, build in _OPERATORS:
            if expr.function in operators_of:
                return build(expr, args)
        function = scalar_implementation(expr.function, [arg.type for arg in expr.args])
        return function(*(_as_text(arg, e) for arg, e in zip(args, expr.args, strict=True)))


def _as_text(arg: Column, expr: p.Expr) -> Column:
    return json_text(arg, expr.type) if expr.type == DYNAMIC else arg


def _balanced(join: Callable[[Column, Column], Column]) -> Callable[[Sequence[Column]], Column]:
    """Joins many terms as a shallow tree: a chain of hundreds would be as deep a stack in Spark's optimizer."""

    def joined(parts: Sequence[Column]) -> Column:
        while len(parts) > 1:
            parts = [
                join(*parts[i : i + 2]) if len(parts[i : i + 2]) == 2 else parts[i] for i in range(0, len(parts), 2)
            ]
        return parts[0]

    return joined


_LOGIC: dict[str, Callable[[Sequence[Column]], Column]] = {
    "and": _balanced(lambda a, b: a & b),
    "or": _balanced(lambda a, b: a | b),
}


def _comparison(expr: p.Apply, args: list[Column]) -> Column:
    return operators.COMPARISONS[expr.function](args[0], args[1], expr.args[0].type)


def _arithmetic(expr: p.Apply, args: list[Column]) -> Column:
    result = operators.ARITHMETIC[expr.function](args[0], args[1], (expr.args[0].type, expr.args[1].type))
    return operators.within_calendar(result) if expr.type == DATETIME else result


def _search(expr: p.Apply, args: list[Column]) -> Column:
    return operators.search(expr.function, args[0], args[1], _constant(expr.args[1]))


def _constant(expr: p.Expr) -> str | None:
    return str(expr.value or "") if isinstance(expr, p.Const) and expr.type == STRING else None


def _negate(expr: p.Apply, args: list[Column]) -> Column:
    return -args[0]


_SEARCHES = frozenset(
    [
        "=~",
        "!~",
        *(f"{negation}{name}{case}" for name in text.SEARCHES for negation in ("", "!") for case in ("", "_cs")),
    ]
)

_OPERATORS: list[tuple[frozenset[str], Callable[[p.Apply, list[Column]], Column]]] = [
    (frozenset(operators.COMPARISONS), _comparison),
    (_SEARCHES, _search),
    (frozenset(operators.ARITHMETIC), _arithmetic),
    (frozenset(["negate"]), _negate),
]

_WHOLE = frozenset([*_LOGIC, *MEMBERSHIP])
"""Functions that are compiled as a whole, not argument by argument."""
