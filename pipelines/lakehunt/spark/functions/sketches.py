"""`hll` and `tdigest`, and what reads them. Source: learn.microsoft.com/kusto/query/using-hll-tdigest.

Kusto estimates; here they hold all values, so that results are exact. A value of `hll` is the array of its distinct
values, one of `tdigest` an array of a version, values and weights, as Kusto's. Their form is not to be relied upon."""

from __future__ import annotations

from pyspark.sql import Column

from lakehunt.core.errors import LakehuntError
from lakehunt.kql.catalog import INTEGER, NUMBER, TYPE, Any, Constant, NamedType, OneOf
from lakehunt.kql.types import BOOL, DYNAMIC, INT, LONG, REAL, Type
from lakehunt.spark import dynamic
from lakehunt.spark.columns import F
from lakehunt.spark.functions.registry import Group, aggregate, form, scalar
from lakehunt.spark.functions.statistics import weighted_at
from lakehunt.spark.values import named

ACCURACY = Constant(INTEGER)

# Distinct values


def _distinct(texts: Column) -> Column:
    return dynamic.array(F.array_sort(F.array_distinct(texts)))


@aggregate("hll", Any(), ACCURACY, returns=DYNAMIC, prefix="hll_", optional=1)
def hll(group: Group, value: Column, accuracy: int | None = None) -> Column:
    """Nulls are ignored."""
    return _distinct(F.collect_set(dynamic.encoded(value, group.types[0])))


@aggregate("hll_if", Any(), BOOL, ACCURACY, returns=DYNAMIC, prefix="hll_if_", optional=1)
def hll_if(group: Group, value: Column, predicate: Column, accuracy: int | None = None) -> Column:
    return hll(group, F.when(predicate, value))


@aggregate("hll_merge", DYNAMIC, returns=DYNAMIC, prefix="hll_merge_")
def hll_merge(group: Group, sketch: Column) -> Column:
    return _distinct(F.flatten(F.collect_set(dynamic.elements(sketch))))


@scalar("hll_merge", DYNAMIC, DYNAMIC, rest=(DYNAMIC,), returns=DYNAMIC)
def hll_merge_of_columns(*sketches: Column) -> Column:
    none = F.array().cast("array<string>")
    return _distinct(F.concat(*(F.coalesce(dynamic.elements(sketch), none) for sketch in sketches)))


@scalar("dcount_hll", DYNAMIC, returns=LONG)
def dcount_hll(sketch: Column) -> Column:
    return F.size(dynamic.elements(sketch)).cast("bigint")


# Ranks

MEASURED = OneOf((INT, LONG, REAL))


def _written(pairs: Column) -> Column:
    """The sketch of an ARRAY of structs of a value's text and its weight."""

    def made(found: Column) -> Column:
        weights = F.transform(found, lambda pair: pair["w"].cast("string"))
        return dynamic.array_of(F.lit("[7]"), dynamic.array(found["v"]), dynamic.array(weights))

    return named(pairs, made)


def _read(sketch: Column) -> Column:
    """An ARRAY of structs of a number, its text and its weight, sorted."""

    def pairs(parts: Column) -> Column:
        values, weights = (dynamic.elements(F.get(parts, F.lit(i))) for i in (1, 2))
        return F.array_sort(F.zip_with(values, weights, _pair))

    return named(dynamic.elements(sketch), pairs)


def _pair(text: Column, weight: Column) -> Column:
    return F.struct(dynamic.number(text).alias("n"), text.alias("v"), weight.cast("bigint").alias("w"))


@aggregate("tdigest", MEASURED, INTEGER, returns=DYNAMIC, prefix="tdigest_", optional=1)
def tdigest(group: Group, value: Column, weight: Column | None = None) -> Column:
    """Nulls, and values without weight, are ignored."""
    weighs = F.lit(1).cast("bigint") if weight is None else weight.cast("bigint")
    kept = value.isNotNull() & (weighs > 0)
    pair = F.struct(value.alias("n"), dynamic.encoded(value, group.types[0]).alias("v"), weighs.alias("w"))
    return _written(F.array_sort(F.collect_list(F.when(kept, pair))))


@aggregate("tdigest_merge merge_tdigest", DYNAMIC, returns=DYNAMIC, prefix="merge_tdigests_")
def tdigest_merge(group: Group, sketch: Column) -> Column:
    return _written(F.array_sort(F.flatten(F.collect_list(_read(sketch)))))


@scalar("merge_tdigest tdigest_merge", rest=(DYNAMIC,), returns=DYNAMIC)
def merge_tdigest(*sketches: Column) -> Column:
    return _written(F.array_sort(F.concat(*(_read(sketch) for sketch in sketches))))


def _percentile(sketch: Column, percentile: object) -> Column:
    """The value's text; null where there is none."""
    return named(_read(sketch), lambda pairs: weighted_at(pairs, percentile))


@scalar("percentile_tdigest", DYNAMIC, Constant(NUMBER), returns=DYNAMIC)
def percentile_tdigest(sketch: Column, percentile: object) -> Column:
    return _percentile(sketch, percentile)


_CONVERSIONS = {INT: "toint", LONG: "tolong", REAL: "toreal"}


@scalar("percentile_tdigest", DYNAMIC, Constant(NUMBER), Constant(TYPE), returns=NamedType())
def percentile_tdigest_as(sketch: Column, percentile: object, kind: Type) -> Column:
    """The value as `typeof(...)` says."""
    if kind not in _CONVERSIONS:
        raise LakehuntError(f"percentile_tdigest of {kind} values is not supported", "only of numbers")
    convert = form("scalar", _CONVERSIONS[kind], [DYNAMIC])
    value: Column = convert.call([DYNAMIC], [_percentile(sketch, percentile)], [None])
    return value


def _rank(pairs: Column, value: Column) -> Column:
    return F.aggregate(pairs, F.lit(0.0), lambda sum_, pair: sum_ + F.when(pair["n"] <= value, pair["w"]).otherwise(0))


@scalar("rank_tdigest", DYNAMIC, NUMBER, returns=REAL)
def rank_tdigest(sketch: Column, value: Column) -> Column:
    """How many values are not larger."""
    return _rank(_read(sketch), value.cast("double"))


@scalar("percentrank_tdigest", DYNAMIC, NUMBER, returns=REAL)
def percentrank_tdigest(sketch: Column, value: Column) -> Column:
    def percent(pairs: Column) -> Column:
        return _rank(pairs, value.cast("double")) * 100.0 / _rank(pairs, F.lit(float("inf")))

    return named(_read(sketch), percent)
