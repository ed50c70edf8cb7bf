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
from numpy.typing import NDArray

TIMESTAMP = pa.timestamp("us", "UTC")

_MAX_OFFSET = 2**31 - 1


def texts(values: Sequence[Any]) -> pa.StringArray:
    """Strings, which have no halves of surrogate pairs; anything else is null, and must be false. Raises
    OverflowError beyond 2 GiB."""
    known: NDArray[np.bool_] | None = None
    found: Sequence[str] = values
    try:
        joined = "".join(found)
    except TypeError:
        found = [value or "" for value in values]
        joined = "".join(found)
        if not joined and str not in {*map(type, values)}:
            return pa.nulls(len(values), pa.string())
        known = _mask([value.__class__ is str for value in values])
    content = joined.encode()
    if len(content) > _MAX_OFFSET:
        raise OverflowError(f"{len(content)} bytes of text in one column: parse fewer records at once")
    encoded: Sequence[Any] = found if len(content) == len(joined) else [value.encode() for value in found]
    offsets = np.zeros(len(found) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, encoded), np.int32, len(found)), out=offsets[1:])
    buffers = [_validity(known), pa.py_buffer(offsets), pa.py_buffer(content)]
    return pa.Array.from_buffers(pa.string(), len(found), buffers)


def lists_of_texts(values: Sequence[Sequence[str]]) -> pa.ListArray:
    """Lists of strings. Raises OverflowError like `texts`."""
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, values), np.int32, len(values)), out=offsets[1:])
    content = texts([text for some in values for text in some])
    return pa.Array.from_buffers(pa.list_(pa.string()), len(values), [None, pa.py_buffer(offsets)], children=[content])


def numbers(values: Sequence[object], type_: pa.DataType) -> pa.Array:
    """Integers as `type_`: int32, int64, or date32 (days since 1970); anything else is null."""
    try:
        return from_numpy(np.fromiter(values, np.int64, len(values)), type_)
    except TypeError:
        known = _mask([isinstance(value, int) for value in values])
        return from_numpy(
            np.array([value if isinstance(value, int) else 0 for value in values], np.int64), type_, known
        )


def from_numpy(values: NDArray[Any], type_: pa.DataType, known: NDArray[np.bool_] | None = None) -> pa.Array:
    """Integers as `type_`: an integer, date32 (days since 1970) or a timestamp (in its unit since 1970). Null where
    they are not `known`."""
    if known is not None and not known.any():
        return pa.nulls(len(values), type_)
    width = {8: np.int8, 32: np.int32, 64: np.int64}[type_.bit_width]
    content = np.ascontiguousarray(values, width)
    return pa.Array.from_buffers(type_, len(values), [_validity(known), pa.py_buffer(content)])


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


def booleans(values: Sequence[object]) -> pa.BooleanArray:
    """Booleans; anything else is null."""
    try:
        content, known = bytes(values), None  # type: ignore[arg-type]
    except TypeError:
        content = bytes([value is True for value in values])
        known = _mask([isinstance(value, bool) for value in values])
    return pa.Array.from_buffers(pa.bool_(), len(values), [_validity(known), _bits(content)])


def text_or_bytes(lines: pa.Array, not_utf8: Iterable[int]) -> tuple[pa.Array, pa.Array]:
    """`lines` as text, null at the positions `not_utf8`, and as bytes, null at the others; without copying them.

    `text` is a string or a large_string as `lines` are binary or large_binary."""
    text = pa.large_string() if pa.types.is_large_binary(lines.type) else pa.string()
    _, *content = lines.buffers()
    odd = np.zeros(lines.offset + len(lines), bool)
    odd[[lines.offset + position for position in not_utf8]] = True
    if not odd.any():
        return (
            pa.Array.from_buffers(text, len(lines), [None, *content], offset=lines.offset),
            pa.nulls(len(lines), lines.type),
        )
    return (
        pa.Array.from_buffers(text, len(lines), [_bits(~odd), *content], offset=lines.offset),
        pa.Array.from_buffers(lines.type, len(lines), [_bits(odd), *content], offset=lines.offset),
    )


def _mask(values: Sequence[bool]) -> NDArray[np.bool_]:
    return np.frombuffer(bytes(values), np.bool_)


def _validity(known: NDArray[np.bool_] | None) -> pa.Buffer | None:
    return None if known is None or known.all() else _bits(known)


def _bits(values: bytes | NDArray[np.bool_]) -> pa.Buffer:
    """A bit for each value, as Arrow stores them."""
    return pa.py_buffer(np.packbits(np.frombuffer(values, np.uint8), bitorder="little"))
