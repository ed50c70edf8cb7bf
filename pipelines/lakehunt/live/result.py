"""What a query has answered, with Kusto's types."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lakehunt.hunting.query.adhoc import Collected
from lakehunt.kql.types import Schema


@dataclass(frozen=True)
class Result:
    """The rows of a query that was asked as of an instant, in ticks, and took so many seconds."""

    collected: Collected
    as_of: int
    seconds: float

    @property
    def schema(self) -> Schema:
        """The columns, with their Kusto types."""
        return self.collected.schema

    @cached_property
    def rows(self) -> list[list[Any]]:
        """The rows as lists of JSON values: see `lakehunt.spark.values.as_json`. A decimal is a number."""
        return self.collected.answer().rows
