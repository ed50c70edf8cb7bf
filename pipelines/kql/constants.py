"""The value of an expression that reads no row: literals, `now()`, and arithmetic on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipelines.kql import plan as p
from pipelines.kql.types import DATETIME, LONG, TICKS_PER_DAY, TIMESPAN


def evaluate(expr: p.Expr, now: int) -> Any | None:
    """The constant's value (ticks for datetimes and timespans); None where it is null or not known here.

    `now` is in ticks. Knows what time filters are made of; for the rest a backend has to be asked."""
    if isinstance(expr, p.Const):
        return expr.value
    if isinstance(expr, p.Now):
        return now
    if not isinstance(expr, p.Apply) or expr.type not in (DATETIME, TIMESPAN, LONG):
        return None
    rule = _RULES.get(expr.function)
    args = [evaluate(arg, now) for arg in expr.args]
    if rule is None or any(not isinstance(arg, int) for arg in args):
        return None
    return rule(*args)


_RULES: dict[str, Callable[..., int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "negate": lambda a: -a,
    "startofday": lambda day, offset=0: day - day % TICKS_PER_DAY + offset * TICKS_PER_DAY,
}
