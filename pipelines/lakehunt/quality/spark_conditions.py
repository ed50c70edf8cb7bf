"""Conditions on single values as Spark columns."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehunt.quality.conditions import Between, Condition, LengthBetween, Matches, NotNull, OneOf


def broken(condition: Condition, column: str) -> Column:
    """True for the rows that violate the condition, else false; never null."""
    value = F.col(f"`{column}`")
    if isinstance(condition, NotNull):
        return value.isNull()
    return value.isNotNull() & ~F.coalesce(_holds(condition, value), F.lit(True))


def _holds(condition: Between | LengthBetween | Matches | OneOf, value: Column) -> Column:
    match condition:
        case Between():
            return _within(value, condition)
        case LengthBetween(bounds):
            return _within(F.length(value), bounds)
        case Matches(regex):
            return value.rlike(regex)
        case OneOf(values):
            return value.isin(list(values))


def _within(value: Column, bounds: Between) -> Column:
    low, high = F.lit(bounds.low), F.lit(bounds.high)
    above = F.lit(True) if bounds.low is None else value > low if bounds.strict_low else value >= low
    below = F.lit(True) if bounds.high is None else value < high if bounds.strict_high else value <= high
    return above & below
