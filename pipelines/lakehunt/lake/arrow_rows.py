"""Rows of a table in Arrow: the declared column types, and Python values. Imports no Spark."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from lakehunt.schemas.table import Table

_SIMPLE = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INT": pa.int32(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "STRING": pa.string(),
    "BINARY": pa.binary(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
}
_TOKEN = re.compile(r"\s*(`(?:[^`]|``)*`|\w+|[<>(),:])")


def arrow_type(declared: str) -> pa.DataType:
    """The Arrow type of a Spark SQL type, such as `ARRAY<STRUCT<hour: TIMESTAMP, events: BIGINT>>`.

    Raises ValueError for a type that no table of a lake has."""
    tokens = _tokens(declared)
    found = _type(tokens, declared)
    if rest := next(tokens, ""):
        raise ValueError(f"{declared!r} is not a type of a column: {rest!r} follows it")
    return found


def schema(table: Table, names: Sequence[str] = ()) -> pa.Schema:
    """The table's columns, or those that are named, with their comments as Delta keeps them."""
    columns = {column.name: column for column in table.columns}
    chosen = [columns[name] for name in names] if names else table.columns
    return pa.schema([pa.field(c.name, arrow_type(c.type), metadata={"comment": c.comment}) for c in chosen])


def no_rows(schema: pa.Schema) -> pa.Table:
    """`schema.empty_table()`, which would import pandas: longer than to read a small table takes."""
    return pa.Table.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)


def arrow_rows(table: Table, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Python values in the order of the table's columns; structs are dictionaries. A time without a zone is in the
    machine's, as Spark collects times.

    Raises ValueError for a row that does not have a value for each column, ArrowInvalid for a value of another type."""
    for row in rows:
        if len(row) != len(table.columns):
            raise ValueError(f"a row for {table.name} has {len(row)} values instead of {len(table.columns)}")
    declared = schema(table)
    values = [[_with_zone(row[place]) for row in rows] for place in range(len(declared))]
    arrays = [pa.array(column, field.type) for column, field in zip(values, declared, strict=True)]
    return pa.Table.from_arrays(arrays, schema=declared)


def _with_zone(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, dict):
        return {key: _with_zone(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_zone(one) for one in value]
    return value


def _tokens(declared: str) -> Iterator[str]:
    place = 0
    while place < len(declared.rstrip()):
        found = _TOKEN.match(declared, place)
        if found is None:
            raise ValueError(f"{declared!r} is not a type of a column")
        yield found[1]
        place = found.end()


def _type(tokens: Iterator[str], declared: str) -> pa.DataType:
    name = next(tokens, "").upper()
    if name in _SIMPLE:
        return _SIMPLE[name]
    opening = next(tokens, "")
    if (name, opening) == ("DECIMAL", "("):
        precision, _, scale, _ = (next(tokens, "") for _ in range(4))
        return pa.decimal128(int(precision), int(scale))
    if (name, opening) == ("ARRAY", "<"):
        element = _type(tokens, declared)
        _expect(tokens, ">", declared)
        return pa.list_(element)
    if (name, opening) == ("STRUCT", "<"):
        return pa.struct(_fields(tokens, declared))
    raise ValueError(f"{declared!r} is not a type of a column")


def _fields(tokens: Iterator[str], declared: str) -> Iterator[pa.Field]:
    following = ","
    while following == ",":
        name = next(tokens, "")
        _expect(tokens, ":", declared)
        yield pa.field(name[1:-1].replace("``", "`") if name.startswith("`") else name, _type(tokens, declared))
        following = next(tokens, "")
    if following != ">":
        raise ValueError(f"{declared!r} is not a type of a column: expected , or >, found {following!r}")


def _expect(tokens: Iterator[str], wanted: str, declared: str) -> None:
    if (found := next(tokens, "")) != wanted:
        raise ValueError(f"{declared!r} is not a type of a column: expected {wanted}, found {found!r}")
