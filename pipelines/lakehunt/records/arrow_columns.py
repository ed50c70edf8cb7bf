"""Arrow arrays from Python values.

Made of buffers: `pyarrow.array` and `pyarrow.scalar` import pandas when they are first called, which takes longer than
parsing a thousand records, and `array` takes twice as long for texts."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

TIMESTAMP = pa.timestamp("us", "UTC")

_MAX_OFFSET = 2**31 - 1


def texts(values: Sequence[str | None]) -> pa.StringArray:
    """Strings, which have no halves of surrogate pairs. Raises OverflowError beyond 2 GiB."""
    missing = values.count(None)
    if missing == len(values):
        return pa.nulls(len(values), pa.string())
    known: Sequence[Any] = [value or "" for value in values] if missing else values
    joined = "".join(known)
    content = joined.encode()
    if len(content) > _MAX_OFFSET:
        raise OverflowError(f"{len(content)} bytes of text in one column: parse fewer records at once")
    encoded = known if len(content) == len(joined) else [value.encode() for value in known]
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, encoded), np.int32, len(values)), out=offsets[1:])
    buffers = [_validity(values, missing), pa.py_buffer(offsets), pa.py_buffer(content)]
    return pa.Array.from_buffers(pa.string(), len(values), buffers)


def numbers(values: Sequence[int | None], type_: pa.DataType) -> pa.Array:
    """Integers as `type_`: int8, int32, int64, date32 (days since 1970) or a timestamp (in its unit since 1970)."""
    missing = values.count(None)
    if missing == len(values):
        return pa.nulls(len(values), type_)
    code = {8: "b", 32: "i", 64: "q"}[type_.bit_width]
    content = array(code, [value or 0 for value in values])
    return pa.Array.from_buffers(type_, len(values), [_validity(values, missing), pa.py_buffer(content)])


def repeated(value: Any, count: int, type_: pa.DataType) -> pa.Array:
    """A number, or a time with a zone, so many times: as int64, float64 or a timestamp in microseconds."""
    if isinstance(value, datetime):
        value = (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    content = array("d" if pa.types.is_floating(type_) else "q", [value]) * count
    return pa.Array.from_buffers(type_, count, [None, pa.py_buffer(content)])


def whole(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else combined.chunk(0)


def booleans(values: Sequence[bool | None]) -> pa.BooleanArray:
    return pa.Array.from_buffers(
        pa.bool_(), len(values), [_validity(values, values.count(None)), _bits(map(bool, values))]
    )


def text_or_bytes(lines: pa.Array, not_utf8: Iterable[int]) -> tuple[pa.Array, pa.Array]:
    """`lines` as text, null at the positions `not_utf8`, and as bytes, null at the others; without copying them.

    `text` is a string or a large_string as `lines` are binary or large_binary."""
    odd = bytearray(lines.offset + len(lines))
    for position in not_utf8:
        odd[lines.offset + position] = True
    _, *content = lines.buffers()
    text = pa.large_string() if pa.types.is_large_binary(lines.type) else pa.string()
    buffers = [_bits(not one for one in odd), *content], [_bits(map(bool, odd)), *content]
    return (
        pa.Array.from_buffers(text, len(lines), buffers[0], offset=lines.offset),
        pa.Array.from_buffers(lines.type, len(lines), buffers[1], offset=lines.offset),
    )


def _validity(values: Sequence[object], missing: int) -> pa.Buffer | None:
    return _bits([value is not None for value in values]) if missing else None


def _bits(values: Iterable[bool]) -> pa.Buffer:
    """A bit for each value, as Arrow stores them."""
    return pa.py_buffer(np.packbits(np.frombuffer(bytes(values), np.uint8), bitorder="little"))
