"""Conditions on single values over Arrow: the same answers as `spark_conditions`, without Spark.

Values for Arrow are made from buffers: `pa.scalar` and `pa.array` import pandas, which takes longer than landing a
few records.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakehunt.quality import re2_patterns
from lakehunt.quality.conditions import Between, Condition, LengthBetween, Matches, NotNull, OneOf
from lakehunt.quality.re2_patterns import Re2Pattern

Values = Any
"""A pa.Array or pa.ChunkedArray. pyarrow has no types for its functions."""

Check = Callable[[Values], Values]
"""From a column's values to booleans without nulls: true where the condition is violated."""

MICROSECOND = pa.timestamp("us", tz="UTC")
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.\d{1,6})?Z?)?")
_INT64 = range(-(1 << 63), 1 << 63)


class UnsupportedConditionError(ValueError):
    """A condition that cannot be evaluated for columns of a type."""


def check(condition: Condition, type_: pa.DataType) -> Check:
    """What finds violations of the condition in columns of a type.

    Raises UnsupportedConditionError, which says why, if values of the type cannot be judged by it."""
    if isinstance(condition, NotNull):
        return pc.is_null  # type: ignore[no-any-return]
    if pa.types.is_dictionary(type_):
        decoded = check(condition, type_.value_type)
        return lambda values: decoded(_decoded(values))
    holds = _holds(condition, type_)
    # Kleene's `and`: false and null is false.
    return lambda values: pc.and_kleene(pc.is_valid(values), pc.invert(holds(values)))


def _decoded(values: Values) -> Values:
    if isinstance(values, pa.ChunkedArray):
        return pa.chunked_array([chunk.dictionary_decode() for chunk in values.chunks], values.type.value_type)
    return values.dictionary_decode()


def _holds(condition: Between | LengthBetween | Matches | OneOf, type_: pa.DataType) -> Check:
    """Null where the value is null."""
    match condition:
        case Between():
            return _between(condition, type_)
        case LengthBetween(bounds):
            _need_text(type_, "a length")
            within = _between(bounds, pa.int64())
            return lambda values: within(pc.cast(pc.utf8_length(values), pa.int64()))
        case Matches(regex):
            _need_text(type_, "a regular expression")
            return partial(_matches, _re2(regex))
        case OneOf(allowed):
            return _one_of(allowed, type_)


def _need_text(type_: pa.DataType, what: str) -> None:
    if not _is_text(type_):
        raise UnsupportedConditionError(f"{what} is for text, and the column has {type_}")


def _is_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))


def _re2(regex: str) -> Re2Pattern:
    try:
        pattern = re2_patterns.translate(regex)
        pc.match_substring_regex(literals([""], pa.string()), pattern.whole)
    except re2_patterns.UnsupportedRegexError as error:
        raise UnsupportedConditionError(str(error)) from error
    except pa.ArrowInvalid as error:
        raise UnsupportedConditionError(f"{regex} is not an expression for RE2: {error}") from error
    return pattern


def _matches(pattern: Re2Pattern, texts: Values) -> Values:
    found = pc.match_substring_regex(texts, pattern.whole)
    if not pattern.before_terminator:
        return found
    ended = pc.match_substring_regex(texts, re2_patterns.LINE_TERMINATOR)
    if not pc.any(ended).as_py():
        return found
    without = pc.replace_substring_regex(texts, re2_patterns.LINE_TERMINATOR, "", max_replacements=1)
    return pc.or_(found, pc.and_(ended, pc.match_substring_regex(without, pattern.whole)))


def _between(bounds: Between, type_: pa.DataType) -> Check:
    parts = []
    if bounds.low is not None:
        parts.append(_compared(pc.greater if bounds.strict_low else pc.greater_equal, bounds.low, type_, nan=True))
    if bounds.high is not None:
        parts.append(_compared(pc.less if bounds.strict_high else pc.less_equal, bounds.high, type_, nan=False))
    if len(parts) == 1:
        return parts[0]
    return lambda values: pc.and_(*(part(values) for part in parts))


def _compared(comparison: Callable[[Values, Any], Values], bound: Any, type_: pa.DataType, nan: bool) -> Check:
    """`nan` is what the comparison says of NaN; Arrow says false."""
    compared = _common_type([bound], type_)
    literal = literals([bound], compared)[0]

    def holds(values: Values) -> Values:
        # Spark, too, rounds whole numbers to the nearest double.
        values = values if values.type.equals(compared) else pc.cast(values, compared, safe=False)
        found = comparison(values, literal)
        return pc.or_(found, pc.is_nan(values)) if nan and pa.types.is_floating(compared) else found

    return holds


def _one_of(allowed: Sequence[Any], type_: pa.DataType) -> Check:
    if None in allowed:
        return pc.is_valid  # type: ignore[no-any-return]
    if pa.types.is_boolean(type_):
        if not all(isinstance(value, bool) for value in allowed):
            raise UnsupportedConditionError("value_set has other values than the column's true and false")
        numbers = literals([int(value) for value in set(allowed)], pa.int64())
        return lambda values: pc.is_in(pc.cast(values, pa.int64()), value_set=numbers)
    if any(isinstance(value, bool) for value in allowed):
        raise UnsupportedConditionError(f"value_set has true or false, and the column has {type_}")
    compared = _common_type(allowed, type_)
    if pa.types.is_floating(compared) and not pa.types.is_floating(type_):
        raise UnsupportedConditionError(f"value_set has fractions, and the column has {type_}")
    zeros = (-0.0,) if pa.types.is_floating(compared) and 0 in allowed else ()  # is_in tells them apart
    known = literals([*allowed, *zeros], compared)
    return lambda values: pc.is_in(pc.cast(values, compared), value_set=known)


def _common_type(literal: Sequence[Any], type_: pa.DataType) -> pa.DataType:
    """The type in which values of a column's type are compared with literals, as Spark chooses it."""
    texts = [isinstance(value, str) for value in literal]
    if _is_text(type_) and all(texts):
        return pa.large_string() if pa.types.is_large_string(type_) else pa.string()
    if type_.equals(MICROSECOND) and all(texts):
        return type_
    if (pa.types.is_signed_integer(type_) or pa.types.is_float64(type_)) and not any(texts):
        if not all(isinstance(value, int | float) for value in literal):
            raise UnsupportedConditionError("a number is compared with numbers")
        fractions = pa.types.is_floating(type_) or any(isinstance(value, float) for value in literal)
        return pa.float64() if fractions else pa.int64()
    raise UnsupportedConditionError(
        f"the column has {type_}, which is not compared with {', '.join(map(repr, literal))}"
    )


def literals(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """Texts, numbers, or times in ISO 8601 (UTC), as an Arrow array of a type of text, int64, float64 or timestamp.

    Raises UnsupportedConditionError for what is no such time, or too large a number."""
    if _is_text(type_):
        encoded = [value.encode() for value in values]
        offsets = array("q" if pa.types.is_large_string(type_) else "i", [0, *accumulate(map(len, encoded))])
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
        return pa.Array.from_buffers(type_, len(values), buffers)
    numbers: array[Any]
    if pa.types.is_floating(type_):
        numbers = array("d", map(float, values))
    else:
        whole = [_micros(value) if pa.types.is_timestamp(type_) else value for value in values]
        if not all(number in _INT64 for number in whole):
            raise UnsupportedConditionError("a number has more than 64 bits")
        numbers = array("q", whole)
    return pa.Array.from_buffers(type_, len(values), [None, pa.py_buffer(numbers)])


def _micros(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text) if _TIME.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None:
        raise UnsupportedConditionError(f"{text!r} is not a time, such as 2024-05-02T10:00:00")
    since = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
