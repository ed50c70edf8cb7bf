"""Aggregate functions that count, add up and compare. Source: learn.microsoft.com/kusto/query/aggregation-functions.

An aggregate with a predicate form (`sumif`) is registered once for both: values for which the predicate is not true
become null, and nulls are ignored."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.sql import Column

from lakehunt.kql.catalog import INTEGER, NOT_DYNAMIC, Any, Constant, OneOf, Parameter, Result
from lakehunt.kql.types import BOOL, DATETIME, DECIMAL, DYNAMIC, GUID, INT, LONG, NUMERIC, REAL, STRING, TIMESPAN, Type
from lakehunt.spark.columns import F
from lakehunt.spark.functions.registry import Function, Group, aggregate
from lakehunt.spark.values import spark_type

ORDERED = OneOf((*NUMERIC, TIMESPAN, DATETIME, STRING, BOOL))
"""Types that have a minimum and a maximum; guid has not."""

COUNTED = OneOf((*NUMERIC, TIMESPAN, DATETIME, GUID, DYNAMIC))

NAN = float("nan")


def first_type(types: Sequence[Type]) -> Type:
    """The type of the first argument. A dynamic value is passed as JSON text, so its element type is not kept."""
    return DYNAMIC if types[0] == DYNAMIC else types[0]


def with_predicate(
    name: str, *values: Parameter, returns: Result, options: tuple[Parameter, ...] = ()
) -> Callable[[Function], Function]:
    """Registers `name(values, options)` and `nameif(values, predicate, options)`, with optional options."""

    def enter(function: Function) -> Function:
        def only_where(group: Group, *args: Column) -> Column:
            given, predicate, rest = args[: len(values)], args[len(values)], args[len(values) + 1 :]
            kept: Column = function(group, *(F.when(predicate, value) for value in given), *rest)
            return kept

        count = len(options)
        aggregate(name, *values, *options, returns=returns, prefix=f"{name}_", optional=count)(function)
        conditional = aggregate(
            f"{name}if", *values, BOOL, *options, returns=returns, prefix=f"{name}if_", optional=count
        )
        conditional(only_where)
        return function

    return enter


# Counts


@aggregate("count", returns=LONG, prefix="count_")
def count(group: Group) -> Column:
    return F.count(F.lit(1))


@aggregate("count", COUNTED, returns=LONG, prefix="count_")
def count_of_column(group: Group, value: Column) -> Column:
    """Counts all rows, including nulls."""
    return F.count(F.lit(1))


@aggregate("countif", BOOL, returns=LONG, prefix="countif_")
def countif(group: Group, condition: Column) -> Column:
    return F.count_if(condition)


@with_predicate("dcount", Any(), returns=LONG, options=(Constant(INTEGER),))
def dcount(group: Group, value: Column, accuracy: int | None = None) -> Column:
    """Exact, so within the error of Kusto's estimate at any accuracy. Nulls are ignored."""
    return F.count_distinct(value)


@with_predicate("count_distinct", NOT_DYNAMIC, returns=LONG)
def count_distinct(group: Group, value: Column) -> Column:
    return F.count_distinct(value)


# Sums


def _sum_type(types: Sequence[Type]) -> Type:
    return LONG if types[0] == INT else types[0]


@with_predicate("sum", OneOf((*NUMERIC, TIMESPAN)), returns=_sum_type)
def sum_(group: Group, value: Column) -> Column:
    """0 without values. A long wraps around, as in Kusto."""
    zero = F.lit(0).cast(spark_type(_sum_type(group.types)))
    return F.coalesce(F.sum(value), zero)


def _mean(value: Column) -> Column:
    """The sum (which wraps around for longs) divided by the count; NaN without values."""
    return F.coalesce(F.sum(value).cast("double") / F.count(value), F.lit(NAN))


@with_predicate("avg", OneOf((INT, LONG, REAL)), returns=REAL)
def avg(group: Group, value: Column) -> Column:
    return _mean(value)


@with_predicate("avg", DECIMAL, returns=DECIMAL)
def avg_of_decimals(group: Group, value: Column) -> Column:
    return (F.sum(value) / F.count(value)).cast(spark_type(DECIMAL))


@with_predicate("avg", TIMESPAN, returns=TIMESPAN)
def avg_of_timespans(group: Group, value: Column) -> Column:
    """Truncated to ticks; null without values."""
    return F.call_function("div", F.sum(value), F.count(value))


# Extremes


def is_nan(value: Column, kind: Type) -> Column:
    return F.coalesce(F.isnan(value), F.lit(False)) if kind == REAL else F.lit(False)


@with_predicate("min", ORDERED, returns=first_type)
def min_(group: Group, value: Column) -> Column:
    """NaN if any value is NaN."""
    if group.types[0] != REAL:
        return F.min(value)
    return F.when(F.max(F.isnan(value)), F.lit(NAN)).otherwise(F.min(value))


@with_predicate("max", ORDERED, returns=first_type)
def max_(group: Group, value: Column) -> Column:
    """NaN if any value is NaN, which Spark treats as the largest number."""
    return F.max(value)


# Bits


@aggregate("binary_all_and", INTEGER, returns=first_type, prefix="")
def binary_all_and(group: Group, value: Column) -> Column:
    return F.bit_and(value)


@aggregate("binary_all_or", INTEGER, returns=first_type, prefix="")
def binary_all_or(group: Group, value: Column) -> Column:
    return F.bit_or(value)


@aggregate("binary_all_xor", INTEGER, returns=first_type, prefix="")
def binary_all_xor(group: Group, value: Column) -> Column:
    return F.bit_xor(value)
