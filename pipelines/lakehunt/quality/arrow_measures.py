"""Measures a batch over Arrow. The columns of tables have the types of a lake's tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakehunt.quality import arrow_conditions
from lakehunt.quality.arrow_conditions import MICROSECOND, Check, UnsupportedConditionError, Values
from lakehunt.quality.conditions import Between, Condition, NotNull
from lakehunt.quality.measures import Extreme, Measure, Measured, OfType, RowCount, Violations

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


def measured(wanted: Sequence[Measure | None], table: pa.Table) -> list[Measured | None]:
    """The answers to what expectations ask for; None where a column's type makes it Great Expectations' task."""
    return [None if one is None else _measured(one, table) for one in wanted]


def _measured(measure: Measure, table: pa.Table) -> Measured | None:
    try:
        return _answer(measure, table)
    except UnsupportedConditionError:
        return None


def _answer(measure: Measure, table: pa.Table) -> Measured:
    match measure:
        case RowCount():
            return measure.judged(table.num_rows)
        case OfType(column):
            return measure.judged(_name(table.schema.field(column).type))
        case Extreme(column):
            require(measure, table.schema.field(column).type)
            return measure.judged(_greatest_or_least(table[column], measure))
        case Violations(column, condition):
            values = table[column]
            broken = _check(condition, values.type)
            wrong = values.null_count if isinstance(condition, NotNull) else pc.sum(broken(values)).as_py() or 0
            return measure.judged(len(values), values.null_count, wrong)


def _name(type_: pa.DataType) -> str:
    stored = type_.value_type if pa.types.is_dictionary(type_) else type_
    if stored not in SPARK_TYPES:
        raise UnsupportedConditionError(f"the name of {stored}")
    return SPARK_TYPES[stored]


def _greatest_or_least(values: Values, measure: Extreme) -> Any:
    """None if there is no value. As in Spark, NaN is greater than all numbers; Arrow leaves it out."""
    if pa.types.is_floating(values.type):
        nan = pc.sum(pc.is_nan(values)).as_py() or 0
        if nan and (measure.greatest or nan == len(values) - values.null_count):
            return math.nan
    return (pc.max if measure.greatest else pc.min)(values).as_py()


def require(measure: Violations | Extreme, type_: pa.DataType) -> None:
    """Raises UnsupportedConditionError if it is Great Expectations' task to judge values of a type, or to say that it
    cannot."""
    match measure:
        case Violations(_, condition):
            _check(condition, type_)
        case Extreme():
            if not (pa.types.is_signed_integer(type_) or pa.types.is_float64(type_)):
                raise UnsupportedConditionError(f"the greatest and least of {type_}")
            if _of_times(measure.bounds):
                raise UnsupportedConditionError("a number is compared with a time")


def _check(condition: Condition, type_: pa.DataType) -> Check:
    if isinstance(condition, Between) and _of_times(condition) and not type_.equals(MICROSECOND):
        raise UnsupportedConditionError(f"{type_} is compared with a time")
    return arrow_conditions.check(condition, type_)


def _of_times(bounds: Between) -> bool:
    """Great Expectations reads every text as a time."""
    return isinstance(bounds.low, str) or isinstance(bounds.high, str)
