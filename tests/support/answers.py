"""Rows of queries that read no table."""

from __future__ import annotations

from typing import Any

from lakehunt.hunting.query.adhoc import query
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake

NOW = times.parse_datetime("2021-03-21T06:40:15.3380000Z")
AT_ONCE = 200
"""So many expressions in one query: it costs far more to start than to run."""


def rows(spark: Any, text: str) -> list[list[Any]]:
    """The rows of a query that reads no table."""
    return query(Lake(spark, "none"), text, NOW).rows
