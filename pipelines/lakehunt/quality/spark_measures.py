"""Measures a batch by Spark: all that is asked of it in one aggregation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.errors import IllegalArgumentException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StringType

from lakehunt.quality import arrow_measures, spark_conditions
from lakehunt.quality.arrow_conditions import UnsupportedConditionError
from lakehunt.quality.conditions import Matches, NotNull
from lakehunt.quality.measures import Extreme, Measure, Measured, OfType, RowCount, Violations

_ARROW_TYPES = {name: type_ for type_, name in arrow_measures.SPARK_TYPES.items()}
_ROWS = "rows"


def measured(wanted: Sequence[Measure | None], frame: DataFrame) -> list[Measured | None]:
    """The answers to what expectations ask for; None where a column's type makes it Great Expectations' task."""
    types = {field.name: field.dataType for field in frame.schema}
    known = [one if one is not None and _is_known(one, types, frame.sparkSession) else None for one in wanted]
    asked: dict[str, Column] = {}
    for position, one in enumerate(known):
        asked |= _aggregates(one, str(position))
    found = frame.agg(*(column.alias(name) for name, column in asked.items())).collect()[0].asDict() if asked else {}
    return [None if one is None else _judged(one, str(at), found, types) for at, one in enumerate(known)]


def _is_known(measure: Measure, types: Mapping[str, DataType], spark: SparkSession) -> bool:
    """Whether Spark's answer for a column of this type is certain to be that of Great Expectations."""
    match measure:
        case RowCount():
            return True
        case OfType(column) | Violations(column, NotNull()):
            return column in types
        case Violations(column, Matches(regex)):
            return isinstance(types.get(column), StringType) and _is_regex(regex, spark)
    arrow_type = _ARROW_TYPES.get(type(types.get(measure.column)).__name__)
    if arrow_type is None:
        return False
    try:
        arrow_measures.require(measure, arrow_type)
    except UnsupportedConditionError:
        return False
    return True


def _is_regex(regex: str, spark: SparkSession) -> bool:
    """An expression that Java cannot read would fail the whole aggregation."""
    jvm: Any = spark._jvm
    try:
        jvm.java.util.regex.Pattern.compile(regex)
    except IllegalArgumentException:
        return False
    return True


def _aggregates(measure: Measure | None, name: str) -> dict[str, Column]:
    """What has to be aggregated, by the names of the columns. `name` is for what no other measure needs."""
    match measure:
        case RowCount():
            return {_ROWS: F.count("*")}
        case Violations(column, condition):
            nulls, wrong = F.isnull(_column(column)), spark_conditions.broken(condition, column)
            return {_ROWS: F.count("*"), _nulls(column): F.count_if(nulls), name: F.count_if(wrong)}
        case Extreme(column):
            return {name: (F.max if measure.greatest else F.min)(_column(column))}
    return {}


def _judged(measure: Measure, name: str, found: Mapping[str, Any], types: Mapping[str, DataType]) -> Measured:
    match measure:
        case RowCount():
            return measure.judged(found[_ROWS])
        case Violations(column):
            return measure.judged(found[_ROWS], found[_nulls(column)], found[name])
        case Extreme():
            return measure.judged(found[name])
        case OfType(column):
            return measure.judged(type(types[column]).__name__)


def _column(name: str) -> Column:
    return F.col(f"`{name}`")


def _nulls(column: str) -> str:
    return f"nulls of {column}"
