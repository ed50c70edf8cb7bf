"""Makes operators that multiply rows end when their job is cancelled.

Spark's tasks notice a cancellation where they read a batch of stored rows or write a shuffle. A join or an expansion
that makes millions of rows of a few does neither for hours, while it occupies a core that other hunts need. So its
condition contains a function (`Cancellation.java`) that is always true and ends a cancelled task. The condition of the
rows of a table, each of which may take long, too, is an expression of Spark's (`NotCancelled.java`)."""

from __future__ import annotations

from pyspark.sql import Column, SparkSession
from pyspark.sql.classic.column import Column as ClassicColumn

from lakehunt.kql.types import BOOL, DATETIME, INT, LONG, REAL, STRING, TIMESPAN, Type
from lakehunt.runtime import janino
from lakehunt.spark.columns import F, LazyColumn, called


def not_cancelled(spark: SparkSession, left: Column, right: Column) -> Column:
    """True. The arguments are cheap values of the rows that are combined: otherwise Spark would evaluate it once."""
    function = janino.compile_and_distribute(spark, "Cancellation").newInstance().function()
    return called(function, left, right)


def reads_until_cancelled(spark: SparkSession) -> Column:
    """True, for each row that is read: of no columns, and without the cost of a function."""
    made = janino.compile_and_distribute(spark, "NotCancelled").newInstance().column()
    return LazyColumn.of(ClassicColumn(made))


def cheap_value(value: Column, kind: Type) -> Column:
    """A value that takes no time to pass on, made of a column of this type."""
    if kind == STRING:
        return F.octet_length(value)
    return value if kind in (BOOL, INT, LONG, REAL, DATETIME, TIMESPAN) else F.hash(value)
