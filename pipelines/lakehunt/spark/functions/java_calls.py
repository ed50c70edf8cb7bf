"""Calls of static methods of the classes in `lakehunt/java` as Spark functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, SparkSession

from lakehunt.runtime import janino, libraries
from lakehunt.runtime.libraries import Library
from lakehunt.spark.columns import called


@dataclass(frozen=True)
class JavaClasses:
    """Classes whose public static methods take and return objects, each after those that it uses, and the libraries
    that they need."""

    names: tuple[str, ...]
    libraries: tuple[Library, ...]

    def call(self, owner: str, method: str, returns: str, arguments: Sequence[Column]) -> Column:
        """The method's value, of a type of Spark SQL, for columns of its parameters' types."""
        spark = SparkSession.active()
        for library in self.libraries:
            libraries.add(spark, library)
        function = janino.compile_and_distribute(spark, "JavaFunction").newInstance()
        classes = janino.compile_together(spark, self.names)
        jvm: Any = spark._jvm
        kind = jvm.org.apache.spark.sql.types.DataType.fromDDL(returns)
        return called(function.of(classes[owner], method, kind), *arguments)
