"""Asks the value of many expressions in few queries: a query costs far more to start than to run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipelines.hunting.query import query
from pipelines.kql import times
from pipelines.lake.tables import Lake

NOW = times.parse_datetime("2021-03-21T06:40:15.3380000Z")
AT_ONCE = 200


def rows(spark: Any, text: str) -> list[list[Any]]:
    """The rows of a query that reads no table."""
    return query(Lake(spark, "none"), text, NOW).rows


def values(spark: Any, expressions: Iterable[str], source: str = "print") -> dict[str, Any]:
    """The value of each scalar expression."""
    asked = list(expressions)
    found: dict[str, Any] = {}
    for start in range(0, len(asked), AT_ONCE):
        some = asked[start : start + AT_ONCE]
        made = ", ".join(f"x{i} = {expression}" for i, expression in enumerate(some))
        found |= dict(zip(some, rows(spark, f"{source} {made}")[0], strict=True))
    return found


def aggregates(spark: Any, table: str, expressions: Iterable[str]) -> dict[str, Any]:
    """The value of each aggregate over all rows of a table."""
    return values(spark, expressions, f"{table} | summarize")
