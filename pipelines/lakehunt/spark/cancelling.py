"""Makes operators that multiply rows end when their job is cancelled.

Spark's tasks notice a cancellation where they read stored rows or write a shuffle. A join or an expansion that makes
millions of rows of a few does neither for hours, while it occupies a core that other hunts need. So its condition
contains a function (`Cancellation.java`) that is always true and ends a cancelled task."""

from __future__ import annotations

from pyspark.sql import Column, SparkSession

from lakehunt.kql.types import BOOL, DATETIME, INT, LONG, REAL, STRING, TIMESPAN, Type
from lakehunt.runtime import janino
from lakehunt.spark.columns import F, called


def not_cancelled(spark: SparkSession, left: Column, right: Column) -> Column:
    """True. The arguments are cheap values of the rows that are combined: otherwise Spark would evaluate it once."""
    function = janino.compile_and_distribute(spark, "Cancellation").newInstance().function()
    return called(function, left, right)


def cheap_value(value: Column, kind: Type) -> Column:
    """A value that takes no time to pass on, made of a column of this type."""
    if kind == STRING:
        return F.octet_length(value)
    return value if kind in (BOOL, INT, LONG, REAL, DATETIME, TIMESPAN) else F.hash(value)
