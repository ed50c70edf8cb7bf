"""Constant folding: the values of literals, `now()`, and arithmetic on them."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from lakehunt.kql import plan as p
from lakehunt.kql.types import DATETIME, DECIMAL, INT, LONG, REAL, STRING, TICKS_PER_DAY, TIMESPAN, Type


def fold(expr: p.Expr) -> p.Expr:
    """The expression folded to a constant if its value is known before the query runs, else unchanged."""
    if not isinstance(expr, p.Call) or isinstance(expr, (p.WindowCall, p.LookupCall)):
        return expr
    rule = _FOLDS.get(expr.function)
    args = [fold(arg) for arg in expr.args]
    if rule is None or not all(isinstance(arg, p.Const) for arg in args):
        return expr
    values = [arg.value for arg in args if isinstance(arg, p.Const)]
    if any(value is None for value in values):
        return p.Const(expr.type, expr.span, None) if expr.function == "negate" else expr
    if expr.function != "strcat" and not {arg.type for arg in args} <= {INT, LONG, REAL, DATETIME, TIMESPAN}:
        return expr
    try:
        made = rule(*values)
    except (ValueError, OverflowError):  # NaN and infinity have no integer value
        return expr
    return p.Const(expr.type, expr.span, as_number(made, expr.type) if expr.type != STRING else made)


def as_number(value: Any, kind: Type) -> Any:
    """A Python number as a constant of the type; long wraps around, as in Kusto."""
    if kind == REAL:
        return float(str(value)) if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else value
    if kind == DECIMAL:
        return Decimal(str(value))
    if kind in (INT, LONG) and isinstance(value, float) and not math.isfinite(value):
        return None
    if kind in (INT, LONG):
        bits = 32 if kind == INT else 64
        return (int(value) + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
    return value


def evaluate(expr: p.Expr, now: int) -> Any | None:
    """The constant's value (ticks for datetimes and timespans); None if it is null or not supported here.

    `now` is in ticks. Supports what time filters consist of; other expressions need a backend."""
    if isinstance(expr, p.Const):
        return expr.value
    if isinstance(expr, p.Now):
        return now
    if not isinstance(expr, p.Call) or expr.type not in (DATETIME, TIMESPAN, LONG):
        return None
    rule = _RULES.get(expr.function)
    args = [evaluate(arg, now) for arg in expr.args]
    if len(args) == 1 and expr.function == f"to{expr.type}" and expr.args[0].type == expr.type:
        return args[0]
    if rule is None or any(not isinstance(arg, int) for arg in args):
        return None
    return rule(*args)


_RULES: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "negate": lambda a: -a,
    "startofday": lambda day, offset=0: day - day % TICKS_PER_DAY + offset * TICKS_PER_DAY,
}

_FOLDS: dict[str, Callable[..., Any]] = {
    **{name: _RULES[name] for name in ("+", "-", "*", "negate")},
    "strcat": lambda *texts: "".join(texts),
    **dict.fromkeys(("tolong", "tolong.constant"), lambda value: int(value) if abs(value) < 2**63 else -(2**63)),
    "toreal": float,
}
"""Functions that are folded where a constant is required."""
