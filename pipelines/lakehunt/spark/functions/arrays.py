"""Functions of dynamic arrays. Source: learn.microsoft.com/kusto/query/scalar-functions (dynamic and array functions);
where it is silent, the engine's answers.

Arrays are split into the JSON texts of their elements and rebuilt. For other values the result is null, unless stated
otherwise."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from pyspark.sql import Column

from lakehunt.kql.catalog import INTEGER, NOT_DYNAMIC, NUMBER, Any, Constant, Text
from lakehunt.kql.types import BOOL, DATETIME, DYNAMIC, LONG, REAL, STRING, TIMESPAN, Type, array_of
from lakehunt.kql.types import TICKS_PER_HOUR as HOUR
from lakehunt.spark import dynamic
from lakehunt.spark.columns import F
from lakehunt.spark.functions.registry import scalar
from lakehunt.spark.values import named

MAX_LENGTH = 1_048_576
"""Maximum number of elements of `range` and `repeat`."""


def _slice(texts: Column, start: Column, count: Column) -> Column:
    """`count` elements from `start`, which counts from 0."""
    return F.slice(texts, (start + 1).cast("int"), F.greatest(count, F.lit(0)).cast("int"))


def _rebuilt(array: Column, change: Callable[[Column], Column]) -> Column:
    """The array of the changed elements."""
    return dynamic.array(named(dynamic.elements(array), change))


@scalar("array_length arraylength", DYNAMIC, returns=LONG)
def array_length(array: Column) -> Column:
    return named(array, lambda a: F.when(dynamic.is_array(a), F.json_array_length(a))).cast("bigint")


@scalar("array_concat", rest=(DYNAMIC,), returns=DYNAMIC)
def array_concat(*arrays: Column) -> Column:
    """Arguments that are not arrays are ignored."""
    none = F.array().cast("array<string>")
    return dynamic.array(F.concat(*(F.coalesce(dynamic.elements(a), none) for a in arrays)))


@scalar("array_reverse", DYNAMIC, returns=DYNAMIC)
def array_reverse(array: Column) -> Column:
    return _rebuilt(array, F.reverse)


@scalar("array_slice", DYNAMIC, INTEGER, INTEGER, returns=DYNAMIC)
def array_slice(array: Column, start: Column, end: Column) -> Column:
    """From `start` to `end`, inclusive; negative indexes count from the end. Indexes out of range are ignored."""

    def change(texts: Column) -> Column:
        size = F.size(texts)
        first = F.greatest(_from_end(start, size), F.lit(0))
        last = F.least(_from_end(end, size), size - 1)
        return _slice(texts, first, last - first + 1)

    return _rebuilt(array, change)


def _from_end(index: Column, size: Column) -> Column:
    return F.when(index < 0, size + index).otherwise(index)


@scalar("array_split", DYNAMIC, INTEGER, returns=DYNAMIC)
def array_split_at(array: Column, index: Column) -> Column:
    return _split(array, F.array(index.cast("bigint")))


@scalar("array_split", DYNAMIC, DYNAMIC, returns=DYNAMIC)
def array_split(array: Column, indices: Column) -> Column:
    """Before each index; a negative one counts from the end."""
    return _split(array, F.transform(dynamic.elements(indices), lambda i: i.cast("bigint")))


def _split(array: Column, indices: Column) -> Column:
    def parts(texts: Column) -> Column:
        size = F.size(texts).cast("bigint")
        inner = F.transform(indices, lambda i: F.least(F.greatest(_from_end(i, size), F.lit(0)), size))
        starts = F.concat(F.array(F.lit(0).cast("bigint")), inner)
        ends = F.concat(inner, F.array(size))
        cuts = F.zip_with(starts, ends, lambda a, b: _slice(texts, a, b - a))
        return F.transform(cuts, dynamic.array)

    return _rebuilt(array, parts)


@scalar("array_rotate_left", DYNAMIC, INTEGER, returns=DYNAMIC)
def array_rotate_left(array: Column, count: Column) -> Column:
    def change(texts: Column) -> Column:
        size = F.size(texts)
        by = F.pmod(count.cast("bigint"), size)
        turned = F.concat(_slice(texts, by, size), _slice(texts, F.lit(0), by))
        return F.when(size == 0, texts).otherwise(turned)

    return _rebuilt(array, change)


@scalar("array_rotate_right", DYNAMIC, INTEGER, returns=DYNAMIC)
def array_rotate_right(array: Column, count: Column) -> Column:
    return array_rotate_left(array, -count)


@scalar("array_shift_left", DYNAMIC, INTEGER, Any(), optional=1, returns=DYNAMIC, typed=True)
def array_shift_left(types: tuple[Type, ...], array: Column, count: Column, filler: Column | None = None) -> Column:
    """Elements shifted out on one side are replaced by the filler on the other; by default null, or the empty string if
    the elements are strings."""
    given = None if filler is None else dynamic.encoded(filler, types[2])

    def change(texts: Column) -> Column:
        size = F.size(texts)
        by = F.least(F.greatest(count, -size), size)
        strings = F.exists(texts, lambda t: F.startswith(t, F.lit('"')))
        default = F.when(strings, '""').otherwise(dynamic.NULL) if given is None else given
        fill = F.array_repeat(F.coalesce(default, F.lit(dynamic.NULL)), F.abs(by).cast("int"))
        left = F.concat(_slice(texts, by, size), fill)
        return F.when(by >= 0, left).otherwise(F.concat(fill, _slice(texts, F.lit(0), size + by)))

    return _rebuilt(array, change)


@scalar("array_shift_right", DYNAMIC, INTEGER, Any(), optional=1, returns=DYNAMIC, typed=True)
def array_shift_right(types: tuple[Type, ...], array: Column, count: Column, filler: Column | None = None) -> Column:
    return array_shift_left(types, array, -count, filler)


@scalar("array_sort_asc", DYNAMIC, Constant(BOOL), optional=1, returns=DYNAMIC)
def array_sort_asc(array: Column, nulls_last: bool | None = True) -> Column:
    """Numbers, then strings, then everything else; nulls at the end, or first where `nulls_last` is false."""
    return _sorted(array, nulls_last, descending=False)


@scalar("array_sort_desc", DYNAMIC, Constant(BOOL), optional=1, returns=DYNAMIC)
def array_sort_desc(array: Column, nulls_last: bool | None = True) -> Column:
    return _sorted(array, nulls_last, descending=True)


@scalar("array_sort_asc.by", DYNAMIC, DYNAMIC, Constant(BOOL), optional=1, returns=DYNAMIC)
def array_sort_asc_by(first: Column, array: Column, nulls_last: bool | None = True) -> Column:
    """A later array of `array_sort_asc(first, ..., array, ...)`: in the order of the first; null where its length is
    another."""
    return _sorted(first, nulls_last, descending=False, other=array)


@scalar("array_sort_desc.by", DYNAMIC, DYNAMIC, Constant(BOOL), optional=1, returns=DYNAMIC)
def array_sort_desc_by(first: Column, array: Column, nulls_last: bool | None = True) -> Column:
    return _sorted(first, nulls_last, descending=True, other=array)


def _sorted(array: Column, nulls_last: bool | None, descending: bool, other: Column | None = None) -> Column:
    """Sorts by a key for which descending order is the exact reverse for comparable values only."""
    turn = -1 if descending else 1

    def change(texts: Column) -> Column:
        ordered = F.array_sort(F.transform(texts, key))
        turned = F.reverse(ordered) if descending else ordered
        return turned["text"] if other is None else named(dynamic.elements(other), lambda o: along(texts, turned, o))

    def along(texts: Column, ordered: Column, others: Column) -> Column:
        moved = F.transform(ordered, lambda k: F.get(others, F.abs(k["place"])))
        return F.when(F.size(texts) == F.size(others), moved)

    def key(text: Column, place: Column) -> Column:
        first = F.substring(text, 1, 1)
        group = F.when(first == '"', 1).when(first.rlike("[-0-9]"), 0).otherwise(2)
        null = F.when(text == dynamic.NULL, 1 if nulls_last is not False else -1).otherwise(0)
        return F.struct(
            (null * turn).alias("null"),
            (group * turn).alias("group"),
            dynamic.number(text).alias("number"),
            text.cast("bigint").alias("long"),
            F.when(first == '"', dynamic.text(text)).alias("string"),
            (place * turn).alias("place"),
            text.alias("text"),
        )

    return _rebuilt(array, change)


def same(text: Column, wanted: Column) -> Column:
    """Whether two elements are equal: numbers by value, anything else by its JSON."""
    return (text == wanted) | F.coalesce(dynamic.number(text) == dynamic.number(wanted), F.lit(False))


@scalar(
    "array_index_of",
    DYNAMIC,
    Any(),
    INTEGER,
    INTEGER,
    Constant(INTEGER),
    optional=3,
    returns=LONG,
    typed=True,
)
def array_index_of(
    types: tuple[Type, ...],
    array: Column,
    value: Column,
    start: Column | None = None,
    length: Column | None = None,
    occurrence: int | None = 1,
) -> Column:
    """The index of the value, from 0; -1 if it is not found. A negative start counts from the end; a length of -1 is
    unlimited. Null for an invalid length or occurrence."""
    first = F.lit(0) if start is None else start
    count = F.lit(-1) if length is None else length
    nth = 1 if occurrence is None else occurrence
    wanted = F.coalesce(dynamic.encoded(value, types[1]), F.lit(dynamic.NULL))

    def found(texts: Column) -> Column:
        size = F.size(texts)
        begin = F.greatest(_from_end(first, size), F.lit(0))
        end = F.when(count < 0, size).otherwise(begin + count)
        hits = F.filter(
            F.transform(texts, lambda t, i: F.when((i >= begin) & (i < end) & same(t, wanted), i)),
            lambda i: i.isNotNull(),
        )
        place = F.coalesce(F.get(hits, F.lit(nth - 1)).cast("bigint"), F.lit(-1))
        return F.when((count >= -1) & (nth > 0), place)

    def search(texts: Column) -> Column:
        return F.when(texts.isNotNull(), found(texts))

    return named(dynamic.elements(array), search)


@scalar("array_iff array_iif", DYNAMIC, Any(), Any(), returns=DYNAMIC, typed=True)
def array_iff(types: tuple[Type, ...], conditions: Column, then: Column, otherwise: Column) -> Column:
    """For each condition the element at the same index, or the value if it is not an array. Numbers except 0 are true;
    other conditions that are not booleans give null."""
    thens, others = (dynamic.encoded(v, t) for v, t in zip((then, otherwise), types[1:], strict=True))

    def choose(parts: Column) -> Column:
        return F.transform(
            parts["conditions"],
            lambda c, i: F.when(_holds(c), pick(parts["then"], parts["thens"], i)).when(
                ~_holds(c), pick(parts["other"], parts["others"], i)
            ),
        )

    def pick(value: Column, texts: Column, place: Column) -> Column:
        return F.when(texts.isNotNull(), F.get(texts, place)).otherwise(value)

    parts = F.struct(
        dynamic.elements(conditions).alias("conditions"),
        thens.alias("then"),
        dynamic.elements(thens).alias("thens"),
        others.alias("other"),
        dynamic.elements(others).alias("others"),
    )
    return dynamic.array(named(parts, choose))


def _holds(condition: Column) -> Column:
    """Null where the element is neither a boolean nor a number."""
    return F.when(condition == "true", True).when(condition == "false", False).otherwise(dynamic.number(condition) != 0)


@scalar("strcat_array array_strcat", DYNAMIC, Text(), returns=STRING)
def strcat_array(array: Column, delimiter: Column) -> Column:
    """A null element is an empty text."""

    def plain(json: Column) -> Column:
        return F.when(json == dynamic.NULL, "").otherwise(dynamic.text(json))

    texts = F.transform(dynamic.elements(array), plain)
    joined = named(texts, lambda t: F.aggregate(t, F.lit(""), lambda a, b: F.concat(a, delimiter, b)))
    return F.coalesce(named(F.struct(joined.alias("all"), delimiter.alias("by")), _without_first), F.lit(""))


def _without_first(joined: Column) -> Column:
    """The delimiter also stands before the first element."""
    return F.substr(joined["all"], F.length(joined["by"]) + 1)


@scalar("pack_array", rest=(Any(),), returns=DYNAMIC, typed=True)
def pack_array(types: tuple[Type, ...], *values: Column) -> Column:
    return dynamic.array_of(*(dynamic.encoded(v, t) for v, t in zip(values, types, strict=True)))


@scalar("zip", DYNAMIC, DYNAMIC, rest=(DYNAMIC,), returns=DYNAMIC)
def zip_(*arrays: Column) -> Column:
    """An array of the elements at each index; null after the end of a shorter array."""
    texts = F.arrays_zip(*(dynamic.elements(a).alias(f"_{i}") for i, a in enumerate(arrays)))
    return dynamic.array(F.transform(texts, lambda row: dynamic.array_of(*(row[f"_{i}"] for i in range(len(arrays))))))


# Generated arrays


def _places(count: Column) -> Column:
    """0, 1, ... up to `count`, which may be none."""
    size = F.greatest(F.least(count, F.lit(MAX_LENGTH)), F.lit(0))
    return F.slice(F.sequence(F.lit(0), F.greatest(size, F.lit(1)).cast("int") - 1), 1, size.cast("int"))


@scalar("range", INTEGER, INTEGER, INTEGER, optional=1, returns=array_of(LONG))
def range_of_longs(start: Column, stop: Column, step: Column | None = None) -> Column:
    return _range_of_integers(start, stop, F.lit(1) if step is None else step)


def _range_of_integers(start: Column, stop: Column, step: Column) -> Column:
    """Empty where the step leads away from the stop; null where it is 0."""
    first, by = start.cast("bigint"), step.cast("bigint")
    count = F.when((stop - first) * F.signum(by) < 0, 0).otherwise(F.call_function("div", stop - first, by) + 1)
    return F.when(count.isNotNull(), F.transform(_places(count), lambda i: first + i * by))


@scalar("range", NUMBER, NUMBER, NUMBER, optional=1, returns=array_of(REAL))
def range_of_reals(start: Column, stop: Column, step: Column | None = None) -> Column:
    first, last = start.cast("double"), stop.cast("double")
    by = F.lit(1.0) if step is None else step.cast("double")
    count = F.when((last - first) * F.signum(by) < 0, 0).otherwise(F.floor((last - first) / by) + 1)
    return F.when(count.isNotNull(), F.transform(_places(count), lambda i: first + i * by))


@scalar("range", TIMESPAN, TIMESPAN, TIMESPAN, optional=1, returns=array_of(TIMESPAN))
def range_of_timespans(start: Column, stop: Column, step: Column | None = None) -> Column:
    return _range_of_integers(start, stop, F.lit(HOUR) if step is None else step)


@scalar("range", DATETIME, DATETIME, TIMESPAN, optional=1, returns=array_of(DATETIME))
def range_of_datetimes(start: Column, stop: Column, step: Column | None = None) -> Column:
    return _range_of_integers(start, stop, F.lit(HOUR) if step is None else step)


@scalar("repeat", NOT_DYNAMIC, INTEGER, returns=lambda types: array_of(types[0]))
def repeat(value: Column, count: Column) -> Column:
    """Null where the count is negative."""
    size = F.least(count, F.lit(MAX_LENGTH)).cast("int")
    return F.when(count >= 0, F.array_repeat(value, size))


# Sets


def _set(texts: Column) -> Column:
    return F.array_distinct(texts)


def _of_sets(arrays: tuple[Column, ...], join: Callable[[Column, Column], Column]) -> Column:
    """Sets joined in turn; the order is that of the first appearance."""
    first, *others = (dynamic.elements(a) for a in arrays)
    return dynamic.array(reduce(join, others, _set(first)))


@scalar("set_union", DYNAMIC, DYNAMIC, rest=(DYNAMIC,), returns=DYNAMIC)
def set_union(*arrays: Column) -> Column:
    return _of_sets(arrays, F.array_union)


@scalar("set_intersect", DYNAMIC, DYNAMIC, rest=(DYNAMIC,), returns=DYNAMIC)
def set_intersect(*arrays: Column) -> Column:
    return _of_sets(arrays, F.array_intersect)


@scalar("set_difference", DYNAMIC, DYNAMIC, rest=(DYNAMIC,), returns=DYNAMIC)
def set_difference(*arrays: Column) -> Column:
    return _of_sets(arrays, F.array_except)


@scalar("set_has_element", DYNAMIC, Any(), returns=BOOL, typed=True)
def set_has_element(types: tuple[Type, ...], array: Column, value: Column) -> Column:
    wanted = F.coalesce(dynamic.encoded(value, types[1]), F.lit(dynamic.NULL))
    return F.exists(dynamic.elements(array), lambda t: same(t, wanted))


@scalar("set_equals", DYNAMIC, DYNAMIC, returns=BOOL)
def set_equals(left: Column, right: Column) -> Column:
    """Whether both have the same distinct elements."""

    def equal(sets: Column) -> Column:
        a, b = sets["a"], sets["b"]
        return (F.size(F.array_except(a, b)) == 0) & (F.size(F.array_except(b, a)) == 0)

    return named(_both(left, right), equal)


@scalar("jaccard_index", DYNAMIC, DYNAMIC, returns=REAL)
def jaccard_index(left: Column, right: Column) -> Column:
    """The size of the intersection divided by the size of the union; NaN if both are empty."""

    def index(sets: Column) -> Column:
        a, b = sets["a"], sets["b"]
        all_, both = F.size(F.array_union(a, b)), F.size(F.array_intersect(a, b))
        return F.when(a.isNull() | b.isNull(), None).when(all_ == 0, F.lit(float("nan"))).otherwise(both / all_)

    return named(_both(left, right), index)


def _both(left: Column, right: Column) -> Column:
    return F.struct(dynamic.elements(left).alias("a"), dynamic.elements(right).alias("b"))
