"""Aggregate functions. Source: learn.microsoft.com/kusto/query/aggregation-functions.

Where Kusto may choose (`any`, the order of a set), the choice here is a rule: the earliest row of the group in the
written order, sets in sorted order."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from pipelines.kql.catalog import Any, OneOf
from pipelines.kql.types import (
    BOOL,
    DATETIME,
    GUID,
    INT,
    LONG,
    REAL,
    STRING,
    TIMESPAN,
    Type,
    array_of,
)
from pipelines.spark.functions.registry import Group, aggregate
from pipelines.spark.values import literal

MAX_SET_SIZE = 1_048_576
"""Values that `make_set` holds when no size is given, and at most."""

MAX_OLD_SET_SIZE = 128
"""Values that the old name `makeset` holds when no size is given."""

ORDERED = OneOf((INT, LONG, REAL, DATETIME, TIMESPAN, STRING))
SCALARS = OneOf((BOOL, INT, LONG, REAL, DATETIME, TIMESPAN, GUID, STRING))


def _is_given(value: Column, kind: Type) -> Column:
    """Neither null nor the empty string."""
    return value != "" if kind == STRING else value.isNotNull()


def _null(kind: Type) -> Column:
    return literal(None, kind)


@aggregate("any", Any(), returns=STRING, prefix="any_", columns=True)
@aggregate("take_any", Any(), returns=STRING, prefix="", columns=True)
def any_(group: Group, *values: Column) -> Column:
    """A struct with one field for each argument, all from one row: the earliest in which every argument has a value,
    else the earliest in which the most have. An argument that has none anywhere is null, or the empty string."""
    given = sum((F.when(_is_given(v, t), 1).otherwise(0) for v, t in zip(values, group.types, strict=True)), F.lit(0))
    row = F.struct(*(v.alias(f"_{i}") for i, v in enumerate(values)))
    return F.min_by(F.when(given > 0, row), F.when(given > 0, F.struct((-given).alias("missing"), group.order)))


@aggregate("count", returns=LONG, prefix="count_")
def count(group: Group) -> Column:
    return F.count(F.lit(1))


@aggregate("countif", BOOL, returns=LONG, prefix="countif_")
def countif(group: Group, condition: Column) -> Column:
    return F.count_if(condition)


@aggregate("dcount", SCALARS, LONG, returns=LONG, prefix="dcount_", optional=1, constants=1)
def dcount(group: Group, value: Column, accuracy: Column | None = None) -> Column:
    """Exact, so within Kusto's estimate at any accuracy. Nulls count for nothing."""
    return F.count_distinct(value)


@aggregate("min", ORDERED, returns=lambda types: types[0], prefix="min_")
def min_(group: Group, value: Column) -> Column:
    return F.min(value)


@aggregate("max", ORDERED, returns=lambda types: types[0], prefix="max_")
def max_(group: Group, value: Column) -> Column:
    return F.max(value)


def _sum_type(types: Sequence[Type]) -> Type:
    return LONG if types[0] == INT else types[0]


@aggregate("sum", OneOf((INT, LONG, REAL, TIMESPAN)), returns=_sum_type, prefix="sum_")
def sum_(group: Group, value: Column) -> Column:
    """Of nothing: 0. In a long it wraps, as Kusto's does."""
    return F.coalesce(F.sum(value), F.lit(0))


@aggregate("avg", OneOf((INT, LONG, REAL)), returns=REAL, prefix="avg_")
def avg(group: Group, value: Column) -> Column:
    """The sum, which wraps where it is of longs, by the count. Of nothing: NaN."""
    return F.coalesce(F.sum(value).cast("double") / F.count(value), F.lit(float("nan")))


def _set_type(types: Sequence[Type]) -> Type:
    return array_of(types[0])


@aggregate("make_set", SCALARS, LONG, returns=_set_type, prefix="set_", optional=1, constants=1)
def make_set(group: Group, value: Column, size: Column | None = None) -> Column:
    """Distinct values in sorted order, the first `size` of them: nulls are dropped, the empty string is kept."""
    limit = F.lit(MAX_SET_SIZE) if size is None else F.least(size.cast("int"), F.lit(MAX_SET_SIZE))
    return F.slice(F.array_sort(F.collect_set(value)), F.lit(1), limit)


@aggregate("makeset", SCALARS, LONG, returns=_set_type, prefix="set_", optional=1, constants=1)
def makeset(group: Group, value: Column, size: Column | None = None) -> Column:
    return make_set(group, value, F.lit(MAX_OLD_SET_SIZE) if size is None else size)
