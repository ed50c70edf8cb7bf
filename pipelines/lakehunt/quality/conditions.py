"""What an expectation says about a single value, apart from what evaluates it: `spark_conditions` and
`arrow_conditions` do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class NotNull:
    """The value is there."""


@dataclass(frozen=True)
class Between:
    """The value is between two bounds. A bound that is None does not exist, one that is not strict belongs to the
    range. NaN is greater than every number."""

    low: Any
    high: Any
    strict_low: bool = False
    strict_high: bool = False


@dataclass(frozen=True)
class LengthBetween:
    """The number of characters (code points) is between two bounds."""

    bounds: Between


@dataclass(frozen=True)
class Matches:
    """A part of the text matches an expression of java.util.regex, as in Great Expectations' Spark engine."""

    regex: str


@dataclass(frozen=True)
class OneOf:
    """The value is one of these. A list with None rules nothing out, as `IN` does in SQL."""

    values: tuple[Any, ...]


Condition = NotNull | Between | LengthBetween | Matches | OneOf
"""All but NotNull hold for null, as in Great Expectations."""


def _bounds(kwargs: Mapping[str, Any]) -> Between:
    strict = [kwargs.get(name, False) for name in ("strict_min", "strict_max")]
    if not all(isinstance(flag, bool) for flag in strict):
        raise ValueError("strict_min and strict_max are true or false")
    return Between(kwargs.get("min_value"), kwargs.get("max_value"), *strict)


_RANGE = ("min_value", "max_value", "strict_min", "strict_max")

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "expect_column_values_to_not_be_null": (),
    "expect_column_values_to_be_between": _RANGE,
    "expect_column_value_lengths_to_be_between": _RANGE,
    "expect_column_values_to_match_regex": ("regex",),
    "expect_column_values_to_be_in_set": ("value_set",),
}
"""The types of expectations that are about single values, and their arguments besides `column` and `mostly`."""


def of(type_: str, kwargs: Mapping[str, Any]) -> Condition:
    """The condition of an expectation of a type in ARGUMENTS.

    Raises ValueError, which says why, for arguments that a value cannot be judged by."""
    match type_:
        case "expect_column_values_to_be_between":
            return _usable(_bounds(kwargs))
        case "expect_column_value_lengths_to_be_between":
            bounds = _usable(_bounds(kwargs))
            if isinstance(bounds.low, str) or isinstance(bounds.high, str):
                raise ValueError("min_value and max_value of a length are numbers")
            return LengthBetween(bounds)
        case "expect_column_values_to_match_regex":
            if not isinstance(regex := kwargs.get("regex"), str):
                raise ValueError("regex is a text")
            return Matches(regex)
        case "expect_column_values_to_be_in_set":
            if not isinstance(values := kwargs.get("value_set"), list):
                raise ValueError("value_set is a list")
            return OneOf(tuple(values))
    return NotNull()


def _usable(bounds: Between) -> Between:
    low, high = bounds.low, bounds.high
    given = [bound for bound in (low, high) if bound is not None]
    if not given:
        raise ValueError("it needs min_value or max_value")
    for bound in given:
        if isinstance(bound, bool) or not isinstance(bound, int | float | str):
            raise ValueError(f"{bound!r} is no number, and no text with a time")
        if isinstance(bound, float) and not math.isfinite(bound):
            raise ValueError(f"{bound} is not a valid bound")
    if len(given) > 1:
        if isinstance(low, str) != isinstance(high, str):
            raise ValueError("min_value and max_value are of different kinds")
        if low > high:
            raise ValueError("min_value is greater than max_value")
    return bounds
