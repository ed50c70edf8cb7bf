"""Datetime and timespan functions, on ticks. Source: learn.microsoft.com/kusto/query/datetime-timespan-functions."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from pipelines.kql.times import FIRST_TICK
from pipelines.kql.types import DATETIME, LONG, TICKS_PER_DAY, TIMESPAN
from pipelines.spark.functions.registry import scalar


def _floored(value: Column, size: Column) -> Column:
    """Down to a multiple of `size`, also below zero; a size that is not positive gives null."""
    return F.when(size > 0, value - F.pmod(value, size))


@scalar("bin floor", LONG, LONG, returns=LONG)
@scalar("bin floor", TIMESPAN, TIMESPAN, returns=TIMESPAN)
def bin_(value: Column, size: Column) -> Column:
    return _floored(value, size)


@scalar("bin floor", DATETIME, TIMESPAN, returns=DATETIME)
def bin_of_datetime(value: Column, size: Column) -> Column:
    start = F.lit(FIRST_TICK)  # bins count from the year 1
    return _floored(value - start, size) + start


@scalar("startofday", DATETIME, LONG, returns=DATETIME, optional=1)
def startofday(value: Column, offset: Column | None = None) -> Column:
    """Midnight, UTC, of the day that lies `offset` days later."""
    day = _floored(value, F.lit(TICKS_PER_DAY))
    return day if offset is None else day + offset * F.lit(TICKS_PER_DAY)
