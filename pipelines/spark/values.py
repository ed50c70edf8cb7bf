"""How values of Kusto's types live in a Spark plan, in a Delta table and in JSON.

| Kusto    | in a plan                          | stored in Delta             |
| -------- | ---------------------------------- | --------------------------- |
| bool     | BOOLEAN                            | BOOLEAN                     |
| int      | INT                                | INT                         |
| long     | BIGINT                             | BIGINT                      |
| real     | DOUBLE                             | DOUBLE                      |
| datetime | BIGINT, ticks since 1970           | TIMESTAMP, cut to 1 us      |
| timespan | BIGINT, ticks                      | BIGINT, ticks               |
| guid     | STRING                             | STRING                      |
| string   | STRING, never null                 | STRING, never null          |
| dynamic  | STRING, JSON text; ARRAY<element>  | STRING, JSON text; ARRAY<element> |

A tick is 100 ns, the resolution of Kusto. Spark's TIMESTAMP has microseconds, so a plan counts ticks in a BIGINT and no
comparison at a boundary is ever off by one. A dynamic that is known to be an array of one type, as `make_set` makes it,
is an ARRAY."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from pipelines.kql import times
from pipelines.kql.types import (
    BOOL,
    DATETIME,
    DYNAMIC,
    GUID,
    INT,
    LONG,
    REAL,
    STRING,
    TICKS_PER_MICROSECOND,
    TIMESPAN,
    Type,
)

SPARK_TYPES: dict[Type, str] = {
    BOOL: "boolean",
    INT: "int",
    LONG: "bigint",
    REAL: "double",
    DATETIME: "bigint",
    TIMESPAN: "bigint",
    GUID: "string",
    STRING: "string",
    DYNAMIC: "string",
}
"""Spark SQL type of each Kusto type inside a plan."""

STORED_TYPES: dict[Type, str] = SPARK_TYPES | {DATETIME: "timestamp"}
"""Spark SQL type of each Kusto type in a Delta table."""


def spark_type(kind: Type) -> str:
    return f"array<{SPARK_TYPES[kind.element]}>" if kind.element else SPARK_TYPES[kind]


def stored_type(kind: Type) -> str:
    return f"array<{STORED_TYPES[kind.element]}>" if kind.element else STORED_TYPES[kind]


def literal(value: object, kind: Type) -> Column:
    """A constant of a plan. A null string is the empty one: Kusto's strings are never null."""
    if kind == STRING:
        return F.lit(value or "")
    if kind == DYNAMIC:
        value = dynamic_text(value)
    return F.lit(value).cast(spark_type(kind))


def dynamic_text(value: object) -> str | None:
    """JSON data as a dynamic lives in a plan."""
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def ticks(timestamp: Column, digit: Column | None = None) -> Column:
    """Ticks of a stored TIMESTAMP, with the 100 ns digit that was stored beside it."""
    whole = F.unix_micros(timestamp) * F.lit(TICKS_PER_MICROSECOND)
    return whole if digit is None else whole + F.coalesce(digit, F.lit(0)).cast("bigint")


def timestamp(ticks_column: Column) -> Column:
    """The TIMESTAMP at or just before an instant in ticks."""
    return F.timestamp_micros(_floor_div(ticks_column, TICKS_PER_MICROSECOND))


def moment(instant: int) -> Column:
    """The TIMESTAMP at or just before a known instant in ticks."""
    return F.timestamp_micros(F.lit(instant // TICKS_PER_MICROSECOND))


def _floor_div(value: Column, by: int) -> Column:
    return F.call_function("div", value - F.pmod(value, F.lit(by)), F.lit(by))


def stored(column: Column, kind: Type) -> Column:
    """A plan's value as it is stored."""
    if kind == DATETIME:
        return timestamp(column)
    if kind.element == DATETIME:
        return F.transform(column, timestamp)
    return column.cast(stored_type(kind))


def json_text(column: Column, kind: Type) -> Column:
    """A dynamic value as JSON text, whichever way it lives in the plan."""
    return column if kind.element is None else F.to_json(text_of_time(column, kind))


def text_of_time(column: Column, kind: Type) -> Column:
    """Datetimes as text to the tick, `2021-03-14T06:40:15.3380000Z`; other values as they are."""
    if kind == DATETIME:
        seconds = F.date_format(timestamp(column), "yyyy-MM-dd'T'HH:mm:ss.SSSSSS")
        return F.concat(seconds, F.pmod(column, F.lit(TICKS_PER_MICROSECOND)).cast("string"), F.lit("Z"))
    if kind.element == DATETIME:
        return F.transform(column, lambda t: text_of_time(t, DATETIME))
    return column


def as_json(value: Any, kind: Type) -> Any:
    """A collected value in the form that `query --jsonl` writes: what `json.dumps` takes, exact to the tick."""
    return None if value is None else _AS_JSON.get(kind, _same)(value, kind)


def _same(value: Any, kind: Type) -> Any:
    return value


def _real(value: float, kind: Type) -> object:
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def _dynamic(value: Any, kind: Type) -> object:
    if kind.element is not None:
        return [as_json(item, kind.element) for item in value]
    try:
        return json.loads(value)
    except ValueError:
        return value


_AS_JSON: dict[Type, Callable[[Any, Type], Any]] = {
    REAL: _real,
    DATETIME: lambda value, kind: times.format_datetime(value),
    TIMESPAN: lambda value, kind: times.format_timespan(value),
    DYNAMIC: _dynamic,
}
