"""Functions that are compiled Java: see `KustoFunctions.java`."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, SparkSession
from pyspark.sql.classic.column import Column as ClassicColumn
from pyspark.sql.classic.column import _to_seq

from lakehunt.runtime import janino


def java_function(name: str, returns: str, value: Column, options: Sequence[str] = ()) -> Column:
    """The Java function `name` of a text or an ARRAY; `returns` is a type of Spark SQL."""
    spark = SparkSession.active()
    function = janino.compile_and_distribute(spark, "KustoFunctions").newInstance()
    function.configure(name, list(options))
    return ClassicColumn(function.function(returns).apply(_to_seq(spark.sparkContext, [value._jc])))
