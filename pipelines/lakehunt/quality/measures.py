"""Evaluates expectations over Arrow: the types that most suites consist of, with the answers of Great Expectations'
Spark engine, and without importing it, which takes eight seconds of processor time.

What is not certain here (another type, argument, or kind of value) is Great Expectations' to evaluate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakehunt.quality import arrow_conditions, conditions
from lakehunt.quality.arrow_conditions import MICROSECOND, UnsupportedConditionError, Values
from lakehunt.quality.conditions import Between, Condition, LengthBetween, NotNull
from lakehunt.quality.suites import Expectation


@dataclass(frozen=True)
class Measured:
    """Whether an expectation is met, and the numbers of Great Expectations' result: those of `results.KEPT`, and
    `observed_value`."""

    success: bool
    counts: Mapping[str, Any]


Measure = Callable[[pa.Table], Measured]
"""Evaluates an expectation. Raises UnsupportedConditionError if the column's type makes it Great Expectations' task."""

_RANGE = {"min_value", "max_value", "strict_min", "strict_max"}

SPARK_TYPES: dict[pa.DataType, str] = {
    pa.bool_(): "BooleanType",
    pa.int8(): "ByteType",
    pa.int16(): "ShortType",
    pa.int32(): "IntegerType",
    pa.int64(): "LongType",
    pa.float64(): "DoubleType",
    pa.string(): "StringType",
    pa.large_string(): "StringType",
    pa.binary(): "BinaryType",
    pa.date32(): "DateType",
    MICROSECOND: "TimestampType",
}
"""Suites name types as Spark does."""


def of(rule: Expectation) -> Measure | None:
    """What evaluates an expectation; None if only Great Expectations can, or can say what is wrong with it."""
    column = rule.kwargs.get("column")
    if rule.type == "expect_table_row_count_to_be_between":
        return _row_count(rule.kwargs)
    if not isinstance(column, str) or not column:
        return None
    arguments = {name: value for name, value in rule.kwargs.items() if name != "column"}
    match rule.type:
        case "expect_column_max_to_be_between":
            return _extreme(column, arguments, highest=True)
        case "expect_column_min_to_be_between":
            return _extreme(column, arguments, highest=False)
        case "expect_column_values_to_be_of_type":
            return _type(column, arguments)
    return _values(rule.type, column, arguments) if rule.type in conditions.ARGUMENTS else None


def _values(type_: str, column: str, arguments: Mapping[str, Any]) -> Measure | None:
    mostly = arguments.get("mostly", 1)
    if set(arguments) - {"mostly", *conditions.ARGUMENTS[type_]} or not _is_number(mostly) or not 0 <= mostly <= 1:
        return None
    try:
        condition = _as_read(conditions.of(type_, arguments))
    except ValueError:
        return None
    if isinstance(condition, NotNull):
        return lambda table: _nulls(table[column], mostly)
    return lambda table: _violations(table[column], condition, mostly)


def _as_read(condition: Condition) -> Condition:
    """The condition as Great Expectations reads it: the bounds of values are doubles or times, those of lengths whole
    numbers. Raises ValueError for others."""
    if isinstance(condition, Between):
        return replace(condition, low=_bound(condition.low), high=_bound(condition.high))
    if isinstance(condition, LengthBetween) and any(
        isinstance(bound, float) for bound in (condition.bounds.low, condition.bounds.high)
    ):
        raise ValueError("a length is a whole number")
    return condition


def _bound(bound: Any) -> Any:
    if bound is None:
        return None
    if isinstance(bound, str):
        arrow_conditions.literals([bound], MICROSECOND)  # raises for what is no time
        return bound
    if not math.isfinite(read := float(bound)):
        raise ValueError(f"{bound} is no bound")
    return read


def _nulls(values: Values, mostly: float) -> Measured:
    total, nulls = len(values), values.null_count
    percent = nulls / total * 100 if total else None
    # Of no rows Great Expectations' Spark engine says null: a sum of nothing.
    counts = {"element_count": total, "unexpected_count": nulls if total else None, "unexpected_percent": percent}
    return Measured(total == 0 or (total - nulls) / total >= mostly, counts)


def _violations(values: Values, condition: Condition, mostly: float) -> Measured:
    broken = arrow_conditions.check(condition, values.type)(values)
    total, missing = len(values), values.null_count
    present, wrong = total - missing, pc.sum(broken).as_py() or 0
    of_present = wrong / present * 100 if present else None
    counts = {
        "element_count": total,
        "unexpected_count": wrong if total else None,
        "unexpected_percent": of_present,
        "missing_count": missing,
        "missing_percent": missing / total * 100 if total else None,
        "unexpected_percent_total": wrong / total * 100 if total else None,
        "unexpected_percent_nonmissing": of_present,
    }
    return Measured(present == 0 or (float(present) - float(wrong)) / float(present) >= mostly, counts)


def _row_count(kwargs: Mapping[str, Any]) -> Measure | None:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if set(kwargs) - _RANGE or not _strict_are_flags(kwargs):
        return None
    if any(bound is not None and (not _is_number(bound) or isinstance(bound, float)) for bound in (low, high)):
        return None
    if low is not None and high is not None and low > high:
        return None
    return lambda table: Measured(_within(table.num_rows, low, high, kwargs), {"observed_value": table.num_rows})


def _extreme(column: str, arguments: Mapping[str, Any], highest: bool) -> Measure | None:
    if set(arguments) - _RANGE or not _strict_are_flags(arguments):
        return None
    given = {name: arguments[name] for name in ("min_value", "max_value") if arguments.get(name) is not None}
    try:
        read = {name: _bound(bound) for name, bound in given.items() if _is_number(bound) or isinstance(bound, str)}
    except ValueError:
        return None
    if len(read) < len(given):
        return None
    low, high = read.get("min_value"), read.get("max_value")

    def measure(table: pa.Table) -> Measured:
        values = table[column]
        if not (pa.types.is_signed_integer(values.type) or pa.types.is_float64(values.type)):
            raise UnsupportedConditionError(f"the greatest and least of {values.type}")
        if isinstance(low, str) or isinstance(high, str):
            raise UnsupportedConditionError("a number is compared with a time")
        found = _greatest_or_least(values, highest)
        if found is None or math.isnan(found):
            return Measured(False, {})
        return Measured(_within(found, low, high, arguments), {"observed_value": found})

    return measure


def _greatest_or_least(values: Values, highest: bool) -> Any:
    """None if there is no value. As in Spark, NaN is greater than all numbers; Arrow leaves it out."""
    if pa.types.is_floating(values.type):
        nan = pc.sum(pc.is_nan(values)).as_py() or 0
        if nan and (highest or nan == len(values) - values.null_count):
            return math.nan
    return (pc.max if highest else pc.min)(values).as_py()


def _type(column: str, arguments: Mapping[str, Any]) -> Measure | None:
    wanted = arguments.get("type_")
    if set(arguments) != {"type_"} or wanted not in SPARK_TYPES.values():
        return None

    def measure(table: pa.Table) -> Measured:
        stored = table.schema.field(column).type
        stored = stored.value_type if pa.types.is_dictionary(stored) else stored
        if stored not in SPARK_TYPES:
            raise UnsupportedConditionError(f"the name of {stored}")
        found = SPARK_TYPES[stored]
        return Measured(found == wanted, {"observed_value": found})

    return measure


def _within(value: float, low: float | None, high: float | None, kwargs: Mapping[str, Any]) -> bool:
    above = low is None or (value > low if kwargs.get("strict_min") else value >= low)
    below = high is None or (value < high if kwargs.get("strict_max") else value <= high)
    return above and below


def _strict_are_flags(kwargs: Mapping[str, Any]) -> bool:
    return all(isinstance(kwargs.get(name, False), bool) for name in ("strict_min", "strict_max"))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
