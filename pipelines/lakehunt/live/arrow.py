"""Rows of a query as an Arrow table.

| Kusto    | Arrow                                  | null |
| -------- | -------------------------------------- | ---- |
| bool     | bool                                   | null |
| int      | int32                                  | null |
| long     | int64                                  | null |
| real     | float64, with NaN and infinities       | null |
| decimal  | decimal128(38, 18)                     | null |
| datetime | timestamp[ns, UTC]                     | null |
| timespan | duration[ns]                           | null |
| guid     | string                                 | null |
| string   | string                                 | the empty string, as in Kusto |
| dynamic  | string, JSON text                      | null |

Kusto counts in ticks of 100 ns, from the year 1 to 9999; 64 bits of nanoseconds hold the years 1677 to 2262, and spans
of up to 292 years. A column with a value beyond has microseconds, and the digit below them is cut off. Each field has
its Kusto type as metadata, `kusto_type`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import pyarrow as pa

from lakehunt.core.errors import LakehuntError
from lakehunt.kql import times
from lakehunt.kql.types import (
    BOOL,
    DATETIME,
    DECIMAL,
    DYNAMIC,
    GUID,
    INT,
    LONG,
    REAL,
    STRING,
    TICKS_PER_MICROSECOND,
    TIMESPAN,
    Column,
    Schema,
    Type,
)
from lakehunt.spark.values import as_json

Unit = Literal["ns", "us"]
"""The unit of datetimes and timespans."""

TYPE = b"kusto_type"
"""The key of a field's metadata that has its Kusto type."""

NANOSECONDS_PER_TICK = 100

_LARGEST = (2**63 - 1) // NANOSECONDS_PER_TICK
"""The last tick whose nanoseconds have 64 bits; the first one is its negative."""

_PLAIN: dict[Type, pa.DataType] = {
    BOOL: pa.bool_(),
    INT: pa.int32(),
    LONG: pa.int64(),
    REAL: pa.float64(),
    DECIMAL: pa.decimal128(38, 18),
}


def table(schema: Schema, rows: Sequence[Sequence[Any]], unit: Unit | None = None) -> pa.Table:
    """Rows of engine types as a table. With a `unit`, all datetimes and timespans have it; else, each column of them
    has nanoseconds where these hold all of its values.

    Raises LakehuntError for a value that nanoseconds do not hold, if they are asked for."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [_array(of, values, unit) for of, values in zip(schema, columns, strict=True)]
    return pa.table(arrays, pa.schema([_field(of, array) for of, array in zip(schema, arrays, strict=True)]))


def stored_table(schema: Schema, rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Rows with the types that the lake stores: a datetime has microseconds, a timespan is its ticks."""
    ticks = tuple(Column(of.name, LONG) if of.type == TIMESPAN else of for of in schema)
    return table(ticks, rows, "us")


def json_text(value: Any, kind: Type) -> str:
    """A dynamic value, which is not null, as JSON."""
    if isinstance(value, str):
        try:
            json.loads(value)
        except ValueError:
            return json.dumps(value, ensure_ascii=False)
        return value
    return json.dumps(as_json(value, kind), ensure_ascii=False, separators=(",", ":"))


def _field(of: Column, array: pa.Array) -> pa.Field:
    return pa.field(of.name, array.type, metadata={TYPE: of.type.name.encode()})


def _array(of: Column, values: Sequence[Any], unit: Unit | None) -> pa.Array:
    if of.type in (DATETIME, TIMESPAN):
        return _times(of, values, unit)
    if of.type in _PLAIN:
        return pa.array(values, _PLAIN[of.type])
    if of.type == DYNAMIC:
        return _texts(None if value is None else json_text(value, of.type) for value in values)
    assert of.type in (STRING, GUID)
    return _texts(values)


def _times(of: Column, ticks: Sequence[int | None], unit: Unit | None) -> pa.Array:
    beyond = next((tick for tick in ticks if tick is not None and abs(tick) > _LARGEST), None)
    if beyond is not None and unit == "ns":
        shown = times.format_datetime(beyond) if of.type == DATETIME else times.format_timespan(beyond)
        raise LakehuntError(
            f"column {of.name} has {shown}, which nanoseconds of 64 bits do not hold",
            'take microseconds: unit="us", or the unit that holds all values of a column: unit=None',
        )
    unit = unit or ("ns" if beyond is None else "us")
    of_unit = _nanoseconds if unit == "ns" else _microseconds
    whole = pa.array([None if tick is None else of_unit(tick) for tick in ticks], pa.int64())
    return whole.cast(pa.timestamp(unit, "UTC") if of.type == DATETIME else pa.duration(unit))


def _nanoseconds(ticks: int) -> int:
    return ticks * NANOSECONDS_PER_TICK


def _microseconds(ticks: int) -> int:
    return ticks // TICKS_PER_MICROSECOND


def _texts(values: Iterable[str | None]) -> pa.Array:
    known = list(values)
    try:
        return pa.array(known, pa.string())
    except UnicodeEncodeError:  # halves of UTF-16 pairs, which UTF-8 does not have
        return pa.array([None if text is None else _well_formed(text) for text in known], pa.string())


def _well_formed(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
