"""Kusto's operators on Spark columns.

Strings are never null here; every other operand may be. Source of the null rules:
learn.microsoft.com/kusto/query/scalar-data-types/null-values; where it is silent, the engine's answers."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column
from pyspark.sql import functions as F

from pipelines.kql import times
from pipelines.kql.types import REAL, STRING, TIMESPAN, Type
from pipelines.spark.functions import text


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


def divide(left: Column, right: Column, kinds: tuple[Type, Type]) -> Column:
    """Long by long is long, cut towards zero; a timespan by a timespan is a real."""
    if kinds == (TIMESPAN, TIMESPAN):
        return _real_quotient(left.cast("double"), right.cast("double"))
    if kinds[1] == REAL:
        quotient = _real_quotient(left.cast("double"), right)
        return quotient.cast("bigint") if kinds[0] == TIMESPAN else quotient
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
    return F.pmod(left, F.abs(right))


def multiply(left: Column, right: Column, kinds: tuple[Type, Type]) -> Column:
    if TIMESPAN in kinds and REAL in kinds:
        return (left.cast("double") * right.cast("double")).cast("bigint")
    return left * right


def within_calendar(instant: Column) -> Column:
    """A sum that leaves Kusto's calendar, the years 1 to 9999, is null."""
    return F.when((instant >= times.FIRST_TICK) & (instant <= times.LAST_TICK), instant)


COMPARISONS: dict[str, Callable[[Column, Column, Type], Column]] = {
    "==": equal,
    "!=": lambda left, right, kind: left != right if kind == STRING else ~equal(left, right, kind),
    "<": ordered(lambda a, b: a < b),
    "<=": ordered(lambda a, b: a <= b),
    ">": ordered(lambda a, b: a > b),
    ">=": ordered(lambda a, b: a >= b),
}

ARITHMETIC: dict[str, Callable[[Column, Column, tuple[Type, Type]], Column]] = {
    "+": lambda left, right, kinds: left + right,
    "-": lambda left, right, kinds: left - right,
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
