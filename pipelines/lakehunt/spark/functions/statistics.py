"""Aggregate functions of statistics: variance, covariance, percentiles.

Source: learn.microsoft.com/kusto/query/variance-aggregation-function, percentiles-aggregation-function and their
neighbours; the rounding of a variance is the engine's, and in no documentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from pyspark.sql import Column

from lakehunt.core.errors import LakehuntError
from lakehunt.kql.catalog import INTEGER, NUMBER, Constant, OneOf
from lakehunt.kql.types import DATETIME, DECIMAL, DYNAMIC, INT, LONG, NUMERIC, REAL, TIMESPAN, Type, array_of
from lakehunt.spark.columns import F
from lakehunt.spark.functions.aggregates import with_predicate
from lakehunt.spark.functions.collecting import bound
from lakehunt.spark.functions.registry import Group, aggregate
from lakehunt.spark.values import spark_type

# Variance


def _rounded(variance: Column) -> Column:
    """Rounded to ten decimals, as in the engine; numbers too large for decimals are unchanged."""
    scale = F.lit(1e10)
    return F.when(F.abs(variance) < 9e5, F.rint(variance * scale) / scale).otherwise(variance)


def _variance(of: Callable[[Column], Column], value: Column) -> Column:
    """0 for fewer than two values."""
    return _rounded(F.coalesce(of(value.cast("double")), F.lit(0.0)))


@with_predicate("variance", NUMBER, returns=REAL)
def variance(group: Group, value: Column) -> Column:
    return _variance(F.var_samp, value)


@with_predicate("variancep", NUMBER, returns=REAL)
def variancep(group: Group, value: Column) -> Column:
    return _variance(F.var_pop, value)


@with_predicate("stdev", NUMBER, returns=REAL)
def stdev(group: Group, value: Column) -> Column:
    """The root of the variance, which was rounded before."""
    return F.sqrt(_variance(F.var_samp, value))


@aggregate("stdevp", NUMBER, returns=REAL, prefix="stdevp_")
def stdevp(group: Group, value: Column) -> Column:
    return F.sqrt(_variance(F.var_pop, value))


@with_predicate("covariance", NUMBER, NUMBER, returns=REAL)
def covariance(group: Group, x: Column, y: Column) -> Column:
    return F.covar_samp(x.cast("double"), y.cast("double"))


@with_predicate("covariancep", NUMBER, NUMBER, returns=REAL)
def covariancep(group: Group, x: Column, y: Column) -> Column:
    return F.covar_pop(x.cast("double"), y.cast("double"))


# Percentiles

RANKED = OneOf((*NUMERIC, DATETIME, TIMESPAN))
LISTED = OneOf((INT, LONG, DATETIME, TIMESPAN))
"""Types with supported arrays of percentiles; the engine's format of reals in them is not known."""

PERCENTILE = Constant(NUMBER)

_WIDENED = {INT: LONG, DECIMAL: REAL}


def _percentile_type(types: Sequence[Type]) -> Type:
    return _WIDENED.get(types[0], types[0])


def _percentiles_type(types: Sequence[Type]) -> Type:
    return array_of(_percentile_type(types))


def _rank(percentile: object, count: Column) -> Column:
    """The nearest rank, from 1, of a percentile among `count` sorted values; the 0th is the smallest."""
    if isinstance(percentile, bool) or not isinstance(percentile, (int, float, Decimal)) or not 0 <= percentile <= 100:
        raise LakehuntError(f"a percentile is a number from 0 to 100, not {percentile}")
    return F.greatest(F.lit(1), F.ceil(F.lit(float(percentile)) * count / F.lit(100.0)))


def _ranked(group: Group, value: Column) -> Column:
    """The values, sorted, as an ARRAY."""
    return F.sort_array(F.collect_list(value.cast(spark_type(_percentile_type(group.types)))))


def _at(sorted_values: Column, percentile: object) -> Column:
    """Null where there is no value."""
    return F.get(sorted_values, (_rank(percentile, F.size(sorted_values)) - 1).cast("int"))


def _weighted(group: Group, value: Column, weight: Column) -> Column:
    """The values with the weights before and with each, sorted, as an ARRAY: a value stands there as often as its
    weight says. The last element's weight is the sum of all."""
    kept = value.isNotNull() & (weight > 0)
    pair = F.struct(value.cast(spark_type(_percentile_type(group.types))).alias("v"), weight.cast("bigint").alias("w"))
    return F.sort_array(F.collect_list(F.when(kept, pair)))


def weighted_at(pairs: Column, percentile: object) -> Column:
    """The first value up to which the weights reach the percentile's place."""
    total = F.aggregate(pairs, F.lit(0).cast("bigint"), lambda sum_, pair: sum_ + pair["w"])

    def found(rank: Column) -> Column:
        start = F.struct(F.lit(0).cast("bigint").alias("w"), F.get(pairs, F.lit(0))["v"].alias("v"))

        def step(state: Column, pair: Column) -> Column:
            reached = state["w"] >= rank
            return F.struct(
                (state["w"] + pair["w"]).alias("w"), F.when(reached, state["v"]).otherwise(pair["v"]).alias("v")
            )

        return F.aggregate(pairs, start, step)["v"]

    return bound(_rank(percentile, total), found)


def _array(values: Sequence[Column]) -> Column:
    """Null where there was nothing to rank."""
    return F.when(values[0].isNotNull(), F.array(*values))


def _struct(values: Sequence[Column]) -> Column:
    return F.struct(*(value.alias(f"_{i}") for i, value in enumerate(values)))


@aggregate("percentile", RANKED, PERCENTILE, returns=_percentile_type, prefix="percentile_")
def percentile_(group: Group, value: Column, percentile: object) -> Column:
    """The nearest-rank percentile. Kusto estimates it; this is exact."""
    return bound(_ranked(group, value), lambda values: _at(values, percentile))


@aggregate(
    "percentiles",
    RANKED,
    PERCENTILE,
    rest=(PERCENTILE,),
    returns=_percentile_type,
    prefix="percentile_",
    columns=True,
)
def percentiles(group: Group, value: Column, *wanted: object) -> Column:
    return bound(_ranked(group, value), lambda values: _struct([_at(values, p) for p in wanted]))


@aggregate("percentilew", RANKED, INTEGER, PERCENTILE, returns=_percentile_type, prefix="percentile_")
def percentilew(group: Group, value: Column, weight: Column, percentile: object) -> Column:
    return bound(_weighted(group, value, weight), lambda pairs: weighted_at(pairs, percentile))


@aggregate(
    "percentilesw",
    RANKED,
    INTEGER,
    PERCENTILE,
    rest=(PERCENTILE,),
    returns=_percentile_type,
    prefix="percentile_",
    columns=True,
)
def percentilesw(group: Group, value: Column, weight: Column, *wanted: object) -> Column:
    return bound(_weighted(group, value, weight), lambda pairs: _struct([weighted_at(pairs, p) for p in wanted]))


@aggregate(
    "percentiles_array", LISTED, PERCENTILE, rest=(PERCENTILE,), returns=_percentiles_type, prefix="percentiles_"
)
def percentiles_array(group: Group, value: Column, *wanted: object) -> Column:
    return bound(_ranked(group, value), lambda values: _array([_at(values, p) for p in wanted]))


def _listed(wanted: object) -> list[object]:
    if not isinstance(wanted, list) or not wanted:
        raise LakehuntError("the percentiles must be numbers or an array of them")
    return wanted


@aggregate("percentiles_array", LISTED, Constant(DYNAMIC), returns=_percentiles_type, prefix="percentiles_")
def percentiles_array_of_list(group: Group, value: Column, wanted: object) -> Column:
    return percentiles_array(group, value, *_listed(wanted))


@aggregate(
    "percentilesw_array",
    LISTED,
    INTEGER,
    PERCENTILE,
    rest=(PERCENTILE,),
    returns=_percentiles_type,
    prefix="percentiles_",
)
def percentilesw_array(group: Group, value: Column, weight: Column, *wanted: object) -> Column:
    return bound(_weighted(group, value, weight), lambda pairs: _array([weighted_at(pairs, p) for p in wanted]))


@aggregate("percentilesw_array", LISTED, INTEGER, Constant(DYNAMIC), returns=_percentiles_type, prefix="percentiles_")
def percentilesw_array_of_list(group: Group, value: Column, weight: Column, wanted: object) -> Column:
    return percentilesw_array(group, value, weight, *_listed(wanted))
