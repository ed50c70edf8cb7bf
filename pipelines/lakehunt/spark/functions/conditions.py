"""Conditional functions and null checks.

Source: learn.microsoft.com/kusto/query/scalar-functions (conditional functions)."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from pyspark.sql import Column

from lakehunt.kql.catalog import NOT_DYNAMIC, Parameter, Same
from lakehunt.kql.types import BOOL, DYNAMIC, STRING
from lakehunt.spark import dynamic
from lakehunt.spark.columns import F
from lakehunt.spark.functions.registry import scalar


@scalar("not", BOOL, returns=BOOL)
def not_(condition: Column) -> Column:
    return ~condition


@scalar("isempty", STRING, returns=BOOL)
def isempty(text: Column) -> Column:
    return text == ""


@scalar("isempty", DYNAMIC, returns=BOOL)
def isempty_of_dynamic(value: Column) -> Column:
    """Null and the empty string are; an empty array and an empty bag are not."""
    return dynamic.text(_known(value)) == ""


@scalar("isnull", STRING, returns=BOOL)
def isnull_of_string(text: Column) -> Column:
    """A string is never null."""
    return F.lit(False)


@scalar("isnull", DYNAMIC, returns=BOOL)
def isnull_of_dynamic(value: Column) -> Column:
    return _known(value).isNull()


@scalar("isempty isnull", NOT_DYNAMIC, returns=BOOL)
def isnull(value: Column) -> Column:
    return value.isNull()


def _known(value: Column) -> Column:
    """A dynamic value, with the null that JSON has a word for as a null."""
    return F.when(value != dynamic.NULL, value)


_OPPOSITES: tuple[tuple[str, Parameter, Callable[[Column], Column]], ...] = (
    ("isnotempty notempty", STRING, isempty),
    ("isnotempty notempty", DYNAMIC, isempty_of_dynamic),
    ("isnotnull notnull", STRING, isnull_of_string),
    ("isnotnull notnull", DYNAMIC, isnull_of_dynamic),
    ("isnotempty notempty isnotnull notnull", NOT_DYNAMIC, isnull),
)


def _opposite(of: Callable[[Column], Column]) -> Callable[[Column], Column]:
    return lambda value: ~of(value)


for _names, _parameter, _of in _OPPOSITES:
    scalar(_names, _parameter, returns=BOOL)(_opposite(_of))


@scalar("iff iif", BOOL, Same(mixed=True), Same(mixed=True), returns=Same())
def iff(condition: Column, then: Column, otherwise: Column) -> Column:
    """A null condition is not true."""
    return F.when(condition, then).otherwise(otherwise)


@scalar(
    "case",
    BOOL,
    Same(mixed=True),
    returns=Same(),
    rest=(BOOL, Same(mixed=True)),
    last=(Same(mixed=True),),
)
def case(*arguments: Column) -> Column:
    """The value after the first true condition, else the last value."""
    result = arguments[-1]
    for at in range(len(arguments) - 3, -1, -2):
        result = F.when(arguments[at], arguments[at + 1]).otherwise(result)
    return result


@scalar("coalesce", STRING, STRING, returns=STRING, rest=(STRING,))
def coalesce_of_strings(*texts: Column) -> Column:
    """The first that is not empty: Kusto has no null strings."""
    return reduce(lambda later, text: F.when(text != "", text).otherwise(later), reversed(texts[:-1]), texts[-1])


@scalar("coalesce", DYNAMIC, DYNAMIC, returns=DYNAMIC, rest=(DYNAMIC,))
def coalesce_of_dynamic(*values: Column) -> Column:
    return F.coalesce(*(_known(value) for value in values))


@scalar("coalesce", Same(), Same(), returns=Same(), rest=(Same(),))
def coalesce(*values: Column) -> Column:
    return F.coalesce(*values)


@scalar("assert", BOOL, STRING, returns=BOOL)
def assert_(condition: Column, message: Column) -> Column:
    """True, or an error with the message."""
    failed = F.raise_error(F.concat(F.lit("assert() has failed with message: "), message))
    return F.when(condition, F.lit(True)).otherwise(failed)
