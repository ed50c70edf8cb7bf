"""Functions that are compiled Java: see `KustoFunctions.java`."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, SparkSession

from lakehunt.runtime import janino
from lakehunt.spark.columns import called


def java_function(name: str, returns: str, value: Column, options: Sequence[str] = ()) -> Column:
    """The Java function `name` of a text or an ARRAY; `returns` is a type of Spark SQL."""
    spark = SparkSession.active()
    function = janino.compile_and_distribute(spark, "KustoFunctions").newInstance()
    function.configure(name, list(options))
    return called(function.function(returns), value)
