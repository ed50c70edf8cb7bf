"""String functions. Source: learn.microsoft.com/kusto/query/string-functions."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from pipelines.kql.types import LONG, STRING
from pipelines.spark.functions.registry import scalar


@scalar("tolower", STRING, returns=STRING)
def tolower(text: Column) -> Column:
    return F.lower(text)


@scalar("toupper", STRING, returns=STRING)
def toupper(text: Column) -> Column:
    return F.upper(text)


@scalar("strlen", STRING, returns=LONG)
def strlen(text: Column) -> Column:
    """In Unicode code points."""
    return F.length(text).cast("bigint")


@scalar("strcat", STRING, returns=STRING, rest=STRING)
def strcat(*texts: Column) -> Column:
    return F.concat(*texts)
