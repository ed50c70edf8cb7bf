"""Aggregate functions that collect the values of a group into a dynamic value: lists, sets and bags.

Source: learn.microsoft.com/kusto/query/make-list-aggregation-function and its neighbours. A list follows the order of
the rows; a set, whose order Kusto leaves open, is sorted here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.sql import Column

from lakehunt.core.errors import LakehuntError
from lakehunt.kql.catalog import INTEGER, NOT_DYNAMIC, Constant
from lakehunt.kql.types import BOOL, DYNAMIC, STRING, Type, array_of
from lakehunt.spark import dynamic
from lakehunt.spark.columns import F
from lakehunt.spark.functions.compiled import java_function
from lakehunt.spark.functions.registry import Group, aggregate

MAX_SIZE = 1_048_576
"""Default and maximum number of values."""

MAX_OLD_SIZE = 128
"""Default number of values of the old names (`makeset`, `makelist`, `make_dictionary`)."""

SIZE = Constant(INTEGER)


def _array_type(types: Sequence[Type]) -> Type:
    return array_of(types[0])


def _limit(size: int | None) -> int:
    if size is None or size < 1:
        raise LakehuntError("the size of a list, a set or a bag must be a number from 1 on")
    return min(size, MAX_SIZE)


def bound(value: Column, body: Callable[[Column], Column]) -> Column:
    """`body(value)`, with the value computed only once, however often the body uses it."""
    return F.transform(F.array(value), body)[0]


def _in_order(group: Group, value: Column, kept: Column) -> Column:
    """The values of the kept rows as an ARRAY, in the order of the rows."""
    rows = F.collect_list(F.when(kept, F.struct(group.order.alias("order"), value.alias("value"))))
    return F.transform(F.array_sort(rows), lambda row: row["value"])


def _flat(texts: Column) -> Column:
    """The elements of JSON arrays, and other JSON texts unchanged. Null is kept as the JSON null."""
    parts = F.transform(
        texts,
        lambda t: F.when(dynamic.is_array(t), dynamic.elements(t)).otherwise(F.array(F.coalesce(t, F.lit("null")))),
    )
    return F.flatten(parts)


# Lists


def _list(group: Group, value: Column, kept: Column, size: int | None) -> Column:
    if group.types[0] == DYNAMIC:
        return dynamic.array(F.slice(_flat(_in_order(group, value, kept)), 1, _limit(size)))
    return F.slice(_in_order(group, value, kept & value.isNotNull()), 1, _limit(size))


@aggregate("make_list", NOT_DYNAMIC, SIZE, returns=_array_type, prefix="list_", optional=1)
@aggregate("make_list", DYNAMIC, SIZE, returns=DYNAMIC, prefix="list_", optional=1)
def make_list(group: Group, value: Column, size: int | None = MAX_SIZE) -> Column:
    """Nulls are dropped, the empty string is kept. A dynamic array adds each of its elements, and a dynamic null is
    kept."""
    return _list(group, value, F.lit(True), size)


@aggregate("make_list_if", NOT_DYNAMIC, BOOL, SIZE, returns=_array_type, prefix="list_", optional=1)
@aggregate("make_list_if", DYNAMIC, BOOL, SIZE, returns=DYNAMIC, prefix="list_", optional=1)
def make_list_if(group: Group, value: Column, predicate: Column, size: int | None = MAX_SIZE) -> Column:
    return _list(group, value, predicate, size)


@aggregate("makelist", NOT_DYNAMIC, SIZE, returns=_array_type, prefix="list_", optional=1)
@aggregate("makelist", DYNAMIC, SIZE, returns=DYNAMIC, prefix="list_", optional=1)
def makelist(group: Group, value: Column, size: int | None = MAX_OLD_SIZE) -> Column:
    return make_list(group, value, size)


@aggregate("make_list_with_nulls", NOT_DYNAMIC, returns=_array_type, prefix="list_")
def make_list_with_nulls(group: Group, value: Column) -> Column:
    return F.slice(_in_order(group, value, F.lit(True)), 1, MAX_SIZE)


@aggregate("make_list_with_nulls", DYNAMIC, returns=DYNAMIC, prefix="list_")
def make_list_with_nulls_of_dynamic(group: Group, value: Column) -> Column:
    return make_list(group, value)


# Sets


@aggregate("make_set", NOT_DYNAMIC, SIZE, returns=_array_type, prefix="set_", optional=1)
def make_set(group: Group, value: Column, size: int | None = MAX_SIZE) -> Column:
    """Distinct values in sorted order, the first `size` of them: nulls are dropped, the empty string is kept."""
    return F.slice(F.array_sort(F.collect_set(value)), 1, _limit(size))


@aggregate("make_set", DYNAMIC, SIZE, returns=DYNAMIC, prefix="set_", optional=1)
def make_set_of_dynamic(group: Group, value: Column, size: int | None = MAX_SIZE) -> Column:
    return _set_of_dynamic(value, F.lit(True), size)


def _set_of_dynamic(value: Column, kept: Column, size: int | None) -> Column:
    """Arrays add each of their elements. Values are compared by their JSON text."""
    texts = F.collect_set(F.when(kept, F.coalesce(value, F.lit("null"))))
    return dynamic.array(F.slice(F.array_sort(F.array_distinct(_flat(texts))), 1, _limit(size)))


@aggregate("make_set_if", NOT_DYNAMIC, BOOL, SIZE, returns=_array_type, prefix="set_", optional=1)
def make_set_if(group: Group, value: Column, predicate: Column, size: int | None = MAX_SIZE) -> Column:
    return make_set(group, F.when(predicate, value), size)


@aggregate("make_set_if", DYNAMIC, BOOL, SIZE, returns=DYNAMIC, prefix="set_", optional=1)
def make_set_if_of_dynamic(group: Group, value: Column, predicate: Column, size: int | None = MAX_SIZE) -> Column:
    return _set_of_dynamic(value, predicate, size)


@aggregate("makeset", NOT_DYNAMIC, SIZE, returns=_array_type, prefix="set_", optional=1)
def makeset(group: Group, value: Column, size: int | None = MAX_OLD_SIZE) -> Column:
    return make_set(group, value, size)


@aggregate("makeset", DYNAMIC, SIZE, returns=DYNAMIC, prefix="set_", optional=1)
def makeset_of_dynamic(group: Group, value: Column, size: int | None = MAX_OLD_SIZE) -> Column:
    return make_set_of_dynamic(group, value, size)


# Bags


def _bag(group: Group, value: Column, kept: Column, size: int | None) -> Column:
    """The properties of all bags; the earliest row wins. Values that are not bags are ignored."""
    bags = _in_order(group, value, kept & dynamic.is_bag(value))
    properties = F.flatten(F.transform(bags, lambda bag: F.map_entries(dynamic.entries(bag))))
    placed = F.transform(properties, lambda p, i: F.struct(p["key"].alias("n"), i.alias("i"), p["value"].alias("t")))

    def first_of_each(sorted_by_name: Column) -> Column:
        return F.filter(sorted_by_name, lambda p, i: (i == 0) | (p["n"] != F.get(sorted_by_name, i - 1)["n"]))

    def in_order(named: Column) -> Column:
        return F.array_sort(F.transform(named, lambda p: F.struct(p["i"], p["n"], p["t"])))

    chosen = in_order(bound(F.array_sort(placed), first_of_each))
    written = F.transform(
        F.slice(chosen, 1, _limit(size)),
        lambda p: F.concat(dynamic.encoded(p["n"], STRING), F.lit(":"), F.coalesce(p["t"], F.lit("null"))),
    )
    return F.concat(F.lit("{"), F.array_join(written, ","), F.lit("}"))


@aggregate("make_bag", DYNAMIC, SIZE, returns=DYNAMIC, prefix="bag_", optional=1)
def make_bag(group: Group, value: Column, size: int | None = MAX_SIZE) -> Column:
    return _bag(group, value, F.lit(True), size)


@aggregate("make_bag_if", DYNAMIC, BOOL, SIZE, returns=DYNAMIC, prefix="bag_", optional=1)
def make_bag_if(group: Group, value: Column, predicate: Column, size: int | None = MAX_SIZE) -> Column:
    return _bag(group, value, predicate, size)


@aggregate("make_dictionary", DYNAMIC, SIZE, returns=DYNAMIC, prefix="dictionary_", optional=1)
def make_dictionary(group: Group, value: Column, size: int | None = MAX_OLD_SIZE) -> Column:
    return make_bag(group, value, size)


# Schemas


@aggregate("buildschema", DYNAMIC, returns=DYNAMIC, prefix="schema_")
def buildschema(group: Group, value: Column) -> Column:
    """The types at each place, in the order of their appearance."""
    return java_function("buildschema", "string", _in_order(group, value, value.isNotNull()))
