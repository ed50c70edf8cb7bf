"""Aggregate functions that choose a row of the group: `take_any`, `arg_max` and their variants.

Source: learn.microsoft.com/kusto/query/take-any-aggregation-function and arg-max-aggregation-function. Where Kusto's
choice is arbitrary, the earliest row of the group is chosen here."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column

from lakehunt.kql.catalog import Any
from lakehunt.kql.types import BOOL, DATETIME, DECIMAL, INT, LONG, REAL, STRING, TIMESPAN, Type
from lakehunt.spark.columns import F
from lakehunt.spark.functions.aggregates import ORDERED, first_type, is_nan
from lakehunt.spark.functions.registry import Group, aggregate


def _is_given(value: Column, kind: Type) -> Column:
    """Neither null nor the empty string."""
    return value != "" if kind == STRING else value.isNotNull()


def _row(values: tuple[Column, ...]) -> Column:
    """One field for each column that the aggregate makes."""
    return F.struct(*(value.alias(f"_{i}") for i, value in enumerate(values)))


@aggregate("any", Any(), rest=(Any(),), returns=first_type, prefix="any_", columns=True)
@aggregate("take_any", Any(), rest=(Any(),), returns=first_type, prefix="", columns=True)
def any_(group: Group, *values: Column) -> Column:
    """All values from one row: the earliest in which every argument has a value, else the earliest in which the most
    have. An argument that has none anywhere is null, or the empty string."""
    given = sum((F.when(_is_given(v, t), 1).otherwise(0) for v, t in zip(values, group.types, strict=True)), F.lit(0))
    return F.min_by(F.when(given > 0, _row(values)), F.when(given > 0, F.struct((-given).alias("n"), group.order)))


@aggregate("anyif", Any(), BOOL, returns=first_type, prefix="anyif_")
@aggregate("take_anyif", Any(), BOOL, returns=first_type, prefix="")
def anyif(group: Group, value: Column, predicate: Column) -> Column:
    kept = predicate & _is_given(value, group.types[0])
    return F.min_by(F.when(kept, value), F.when(kept, F.struct(group.order)))


def _reversed_text(value: Column) -> Column:
    """A text with the reverse sort order: its bytes as inverted digits, followed by a mark that is greater than all
    digits."""
    turned = F.translate(F.hex(F.encode(value, "UTF-8")), "0123456789ABCDEF", "FEDCBA9876543210")
    return F.concat(turned, F.lit("~"))


_REVERSED: dict[Type, Callable[[Column], Column]] = {
    BOOL: lambda v: ~v,
    INT: F.bitwise_not,
    LONG: F.bitwise_not,
    REAL: lambda v: -v,
    DECIMAL: lambda v: -v,
    DATETIME: F.bitwise_not,
    TIMESPAN: F.bitwise_not,
    STRING: _reversed_text,
}
"""For each type, a conversion to a value with the reverse sort order."""


def _first_by(group: Group, key: Column, values: tuple[Column, ...]) -> Column:
    """The earliest row with the smallest key. A NaN comes before every number; a row whose value is null is chosen
    only where all are."""
    value, kind = values[0], group.types[0]
    rank = (value.isNull().alias("null"), (~is_nan(value, kind)).alias("number"), key.alias("key"), group.order)
    return F.min_by(_row(values), F.struct(*rank))


@aggregate("arg_min", ORDERED, rest=(Any(),), returns=first_type, prefix="", columns=True)
def arg_min(group: Group, *values: Column) -> Column:
    return _first_by(group, values[0], values)


@aggregate("arg_max", ORDERED, rest=(Any(),), returns=first_type, prefix="", columns=True)
def arg_max(group: Group, *values: Column) -> Column:
    return _first_by(group, _REVERSED[group.types[0]](values[0]), values)
