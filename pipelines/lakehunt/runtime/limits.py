"""What one hunt, query or SQL statement may cost: the `limits` section of the configuration. Imports no Spark.

limits:
  seconds: 900            # a hunt, or a query
  rows: 500000            # of the result of a hunt, or of a query
  scan_seconds: 3600      # reading new events for all hunts together
  sql_seconds: 600        # a statement of a SQL client
  sql_rows: 1000000       # of its result
  sql_statements: 16      # of all SQL clients at the same time
  sql_user_statements: 4  # of one user
  sql_connections: 1000   # SQL clients at the same time
  sql_idle_seconds: 1800  # after which the connection of a SQL client is closed
  kusto_seconds: 240      # a query of a client that speaks Kusto
  kusto_rows: 500000      # of its result
  kusto_bytes: 67108864   # of its result, as JSON
  kusto_queries: 8        # at the same time
  kusto_request_bytes: 8388608  # of a request
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from lakehunt.core import strict_yaml
from lakehunt.core.errors import LakehuntError


@dataclass(frozen=True)
class Limits:
    """All limits are whole numbers greater than zero."""

    seconds: int = 900
    rows: int = 500_000
    scan_seconds: int = 3600
    sql_seconds: int = 600
    sql_rows: int = 1_000_000
    sql_statements: int = 16
    sql_user_statements: int = 4
    sql_connections: int = 1000
    sql_idle_seconds: int = 1800
    kusto_seconds: int = 240
    kusto_rows: int = 500_000
    kusto_bytes: int = 64 << 20
    kusto_queries: int = 8
    kusto_request_bytes: int = 8 << 20


class LimitError(LakehuntError):
    """Something would have exceeded a limit."""


KEYS = tuple(field.name for field in fields(Limits))


def read(value: object, base: Path) -> Limits:
    """Reads the section of the configuration.

    Raises TypeError if it is not a mapping, YamlError with the line of an invalid entry."""
    if not isinstance(value, strict_yaml.Mapping):
        raise TypeError("expected names of limits, each with a number")
    return Limits(**{key: _number(value, key) for key in value})


def _number(section: strict_yaml.Mapping, key: str) -> int:
    value: Any = section[key]
    if key not in KEYS:
        raise section.error(key, f"limits: unknown key {key!r}", f"known keys: {', '.join(KEYS)}")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
        raise section.error(key, f"limits: {key} is {value!r}", "write a whole number greater than zero, such as 900")
    return value
