"""Kusto's operators on Spark columns.

Strings are never null here; every other operand may be. Source of the null rules:
learn.microsoft.com/kusto/query/scalar-data-types/null-values; where it is silent, the engine's answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from pyspark.sql import Column

from lakehunt.kql.types import DECIMAL, REAL, STRING, TIMESPAN, Type
from lakehunt.spark.columns import F
from lakehunt.spark.functions import text
from lakehunt.spark.values import SPARK_TYPES, within_calendar

__all__ = ["ARITHMETIC", "COMPARISONS", "one_of", "search", "within_calendar"]


def equal(left: Column, right: Column, kind: Type) -> Column:
    """`==`: false where one side is null, null where both are, and a NaN equals nothing."""
    if kind == STRING:
        return left == right
    same = left == right
    if kind == REAL:
        same = same & ~F.isnan(left)
    return F.when(left.isNull() & right.isNull(), F.lit(None).cast("boolean")).otherwise(F.coalesce(same, F.lit(False)))


def ordered(compare: Callable[[Column, Column], Column]) -> Callable[[Column, Column, Type], Column]:
    """`<` and its like: null where a side is null; a NaN is in no order (Spark would put it last)."""

    def function(left: Column, right: Column, kind: Type) -> Column:
        compared = compare(left, right)
        return compared & ~F.isnan(left) & ~F.isnan(right) if kind == REAL else compared

    return function


def plus(left: Column, right: Column, kinds: tuple[Type, Type]) -> Column:
    return _narrow(left) + _narrow(right) if kinds[0] == DECIMAL else left + right


def minus(left: Column, right: Column, kinds: tuple[Type, Type]) -> Column:
    return _narrow(left) - _narrow(right) if kinds[0] == DECIMAL else left - right


def divide(left: Column, right: Column, kinds: tuple[Type, Type]) -> Column:
    """Long by long is long, cut towards zero; a timespan by a timespan is a real."""
    if kinds == (TIMESPAN, TIMESPAN):
        return _real_quotient(left.cast("double"), right.cast("double"))
    if kinds[1] == REAL:
        quotient = _real_quotient(left.cast("double"), right)
        return quotient.cast("bigint") if kinds[0] == TIMESPAN else quotient
    return _decimal_quotient(left, right) if kinds[1] == DECIMAL else _whole_quotient(left, right)


def _whole_quotient(left: Column, right: Column) -> Column:
    return F.call_function("div", left, right)


def _real_quotient(left: Column, right: Column) -> Column:
    """IEEE division: by zero it is infinite or NaN, where Spark's is null."""
    by_zero = F.when((left == 0) | F.isnan(left), F.lit(float("nan"))).otherwise(F.signum(left) * F.lit(float("inf")))
    return (
        F.when(left.isNull() | right.isNull(), F.lit(None).cast("double"))
        .when(right == 0, by_zero)
        .otherwise(left / right)
    )


def modulo(left: Column, right: Column, kinds: tuple[Type, Type]) -> Column:
    """Euclidean: never negative."""
    remainder = F.pmod(left, F.abs(right))
    if kinds[1] == DECIMAL:
        return remainder.cast(SPARK_TYPES[DECIMAL])
    if kinds[1] == REAL:
        return F.when((right == 0) & left.isNotNull(), F.lit(float("nan"))).otherwise(remainder)
    return remainder


def multiply(left: Column, right: Column, kinds: tuple[Type, Type]) -> Column:
    if TIMESPAN in kinds and REAL in kinds:
        return (left.cast("double") * right.cast("double")).cast("bigint")
    return _decimal_product(left, right) if kinds[0] == DECIMAL else left * right


# Decimals. Spark gives a result of 38 digits few of them behind the point, so the parts are made so small that 18 stay.


def _narrow(value: Column) -> Column:
    """With room for the digit that a sum may have more."""
    return value.cast("decimal(37,18)")


def _decimal_product(left: Column, right: Column) -> Column:
    """Exact, where it has no more than 18 digits behind the point."""
    (left_whole, left_rest), (right_whole, right_rest) = _whole_and_rest(left), _whole_and_rest(right)
    parts = [left_whole * right_whole, left_whole * right_rest, left_rest * right_whole, left_rest * right_rest]
    return reduce(lambda a, b: _narrow(a) + _narrow(b), parts)


def _whole_and_rest(value: Column) -> tuple[Column, Column]:
    rest = value % F.lit(1).cast("decimal(1,0)")
    return (_narrow(value) - rest).cast("decimal(19,0)"), rest.cast("decimal(18,18)")


DIGITS_AT_ONCE = 6
LARGEST_DIVISOR = 10**12


def _decimal_quotient(left: Column, right: Column) -> Column:
    """Written division, six digits at a time: 18 digits behind the point, the others cut off. By zero it is null."""
    size = F.abs(right)
    rest, places = F.pmod(F.abs(left), size), []
    for place in range(1, 18 // DIGITS_AT_ONCE + 1):
        scaled = rest.cast("decimal(30,18)") * F.lit(10**DIGITS_AT_ONCE).cast(f"decimal({DIGITS_AT_ONCE + 1},0)")
        width = place * DIGITS_AT_ONCE
        unit = F.lit(f"1e-{width}").cast(f"decimal({width},{width})")
        places.append(_whole_quotient(scaled, size).cast(f"decimal({DIGITS_AT_ONCE},0)") * unit)
        rest = F.pmod(scaled, size)
    fraction = reduce(lambda a, b: a + b, places).cast("decimal(18,18)")
    quotient = _whole_quotient(F.abs(left), size).cast("decimal(19,0)") + fraction
    exact = F.when((left < 0) != (right < 0), -quotient).otherwise(quotient).cast(SPARK_TYPES[DECIMAL])
    near = (left.cast("double") / right.cast("double")).cast(SPARK_TYPES[DECIMAL])
    return F.when(size < LARGEST_DIVISOR, exact).otherwise(near)


COMPARISONS: dict[str, Callable[[Column, Column, Type], Column]] = {
    "==": equal,
    "!=": lambda left, right, kind: left != right if kind == STRING else ~equal(left, right, kind),
    "<": ordered(lambda a, b: a < b),
    "<=": ordered(lambda a, b: a <= b),
    ">": ordered(lambda a, b: a > b),
    ">=": ordered(lambda a, b: a >= b),
}

ARITHMETIC: dict[str, Callable[[Column, Column, tuple[Type, Type]], Column]] = {
    "+": plus,
    "-": minus,
    "*": multiply,
    "/": divide,
    "%": modulo,
}


def search(op: str, haystack: Column, needle: Column, constant: str | None) -> Column:
    """A string operator: `has`, `!contains_cs`, `=~`, ... `constant` is the needle where it is one."""
    negated = op.startswith("!")
    name = op.removeprefix("!")
    fold = not name.endswith("_cs")
    name = name.removesuffix("_cs")
    wanted = text.Needle(needle, constant, fold)
    within = text.folded(haystack) if fold else haystack
    found = within == wanted.column if name in ("=~", "~") else text.SEARCHES[name](within, wanted)
    return ~found if negated else found


def one_of(value: Column, constants: list[str], fold: bool) -> Column:
    """`in` and `in~` with a list of constant strings."""
    if fold:
        return text.folded(value).isin([text.fold(c) for c in constants])
    return value.isin(constants)
