"""Conditions and conversions."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from pipelines.kql.catalog import Any, OneOf, Same
from pipelines.kql.types import (
    BOOL,
    DATETIME,
    DYNAMIC,
    GUID,
    INT,
    LONG,
    REAL,
    STRING,
    TICKS_PER_DAY,
    TICKS_PER_HOUR,
    TICKS_PER_MINUTE,
    TICKS_PER_SECOND,
    TIMESPAN,
)
from pipelines.spark.functions.registry import scalar
from pipelines.spark.values import text_of_time


@scalar("not", BOOL, returns=BOOL)
def not_(condition: Column) -> Column:
    return ~condition


@scalar("isempty", STRING, returns=BOOL)
def isempty(text: Column) -> Column:
    return text == ""


@scalar("isnotempty notempty", STRING, returns=BOOL)
def isnotempty(text: Column) -> Column:
    return text != ""


@scalar("isnull", STRING, returns=BOOL)
def isnull_of_string(text: Column) -> Column:
    """A string is never null."""
    return F.lit(False)


@scalar("isnotnull notnull", STRING, returns=BOOL)
def isnotnull_of_string(text: Column) -> Column:
    return F.lit(True)


@scalar("isempty isnull", Any(), returns=BOOL)
def isnull(value: Column) -> Column:
    return value.isNull()


@scalar("isnotempty notempty isnotnull notnull", Any(), returns=BOOL)
def isnotnull(value: Column) -> Column:
    return value.isNotNull()


@scalar("iff iif", BOOL, Same(), Same(), returns=Same())
def iff(condition: Column, then: Column, otherwise: Column) -> Column:
    """A null condition is not true."""
    return F.when(condition, then).otherwise(otherwise)


@scalar("coalesce", STRING, STRING, returns=STRING, rest=STRING)
def coalesce_of_strings(*texts: Column) -> Column:
    """The first that is not empty: Kusto has no null strings."""
    return reduce(lambda later, text: F.when(text != "", text).otherwise(later), reversed(texts[:-1]), texts[-1])


@scalar("coalesce", Same(), Same(), returns=Same(), rest=Same())
def coalesce(*values: Column) -> Column:
    return F.coalesce(*values)


@scalar("tolong", OneOf((INT,)), returns=LONG)
def tolong(value: Column) -> Column:
    return value.cast("bigint")


@scalar("toreal todouble", OneOf((INT, LONG)), returns=REAL)
def toreal(value: Column) -> Column:
    return value.cast("double")


@scalar("tostring", OneOf((STRING, DYNAMIC)), returns=STRING)
@scalar("tostring", OneOf((INT, LONG, GUID)), returns=STRING)
def tostring(value: Column) -> Column:
    """The text; of null, the empty one."""
    return F.coalesce(value.cast("string"), F.lit(""))


@scalar("tostring", BOOL, returns=STRING)
def tostring_of_bool(value: Column) -> Column:
    return F.coalesce(F.initcap(value.cast("string")), F.lit(""))


@scalar("tostring", DATETIME, returns=STRING)
def tostring_of_datetime(value: Column) -> Column:
    """`2021-03-14T06:40:15.3380000Z`: seven digits, always."""
    return F.coalesce(text_of_time(value, DATETIME), F.lit(""))


@scalar("tostring", TIMESPAN, returns=STRING)
def tostring_of_timespan(value: Column) -> Column:
    """`[-][d.]hh:mm:ss[.fffffff]`."""
    size = F.abs(value)

    def part(unit: int, below: int) -> Column:
        return F.lpad(F.call_function("div", F.pmod(size, F.lit(below)), F.lit(unit)).cast("string"), 2, "0")

    days = F.call_function("div", size, F.lit(TICKS_PER_DAY))
    fraction = F.pmod(size, F.lit(TICKS_PER_SECOND))
    text = F.concat(
        F.when(value < 0, "-").otherwise(""),
        F.when(days > 0, F.concat(days.cast("string"), F.lit("."))).otherwise(""),
        part(TICKS_PER_HOUR, TICKS_PER_DAY),
        F.lit(":"),
        part(TICKS_PER_MINUTE, TICKS_PER_HOUR),
        F.lit(":"),
        part(TICKS_PER_SECOND, TICKS_PER_MINUTE),
        F.when(fraction > 0, F.concat(F.lit("."), F.lpad(fraction.cast("string"), 7, "0"))).otherwise(""),
    )
    return F.coalesce(text, F.lit(""))
