"""The expectations that most suites consist of: what has to be measured of a batch, and Great Expectations' answer to
what was measured.

`arrow_measures` and `spark_measures` measure, without importing Great Expectations, which takes eight seconds of
processor time. The answers are those of Great Expectations' Spark engine. What is not certain here (another type or
argument) is Great Expectations' to evaluate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lakehunt.quality import arrow_conditions, conditions
from lakehunt.quality.arrow_conditions import MICROSECOND
from lakehunt.quality.conditions import Between, Condition, LengthBetween, NotNull
from lakehunt.quality.suites import Expectation


@dataclass(frozen=True)
class Measured:
    """Whether an expectation is met, and the numbers of Great Expectations' result: those of `results.KEPT`, and
    `observed_value`."""

    success: bool
    counts: Mapping[str, Any]


@dataclass(frozen=True)
class Violations:
    """How many values of a column violate a condition; a share `mostly` of those that are not null may not."""

    column: str
    condition: Condition
    mostly: float

    def judged(self, total: int, missing: int, wrong: int) -> Measured:
        """The answer for `total` rows: the column is null in `missing` of them, and breaks the condition in `wrong`."""
        if isinstance(self.condition, NotNull):
            # Of no rows Great Expectations' Spark engine says null: a sum of nothing.
            counts = {
                "element_count": total,
                "unexpected_count": missing if total else None,
                "unexpected_percent": _percent(missing, total),
            }
            return Measured(total == 0 or (total - missing) / total >= self.mostly, counts)
        present = total - missing
        counts = {
            "element_count": total,
            "unexpected_count": wrong if total else None,
            "unexpected_percent": _percent(wrong, present),
            "missing_count": missing,
            "missing_percent": _percent(missing, total),
            "unexpected_percent_total": _percent(wrong, total),
            "unexpected_percent_nonmissing": _percent(wrong, present),
        }
        return Measured(present == 0 or (float(present) - float(wrong)) / float(present) >= self.mostly, counts)


@dataclass(frozen=True)
class RowCount:
    """How many rows there are."""

    bounds: Between

    def judged(self, rows: int) -> Measured:
        """The answer for a number of rows."""
        return Measured(_within(rows, self.bounds), {"observed_value": rows})


@dataclass(frozen=True)
class Extreme:
    """The greatest, or the least, number of a column. NaN is greater than all numbers."""

    column: str
    bounds: Between
    greatest: bool

    def judged(self, found: float | None) -> Measured:
        """The answer for an extreme; None if there is no value."""
        if found is None or math.isnan(found):
            return Measured(False, {})
        return Measured(_within(found, self.bounds), {"observed_value": found})


@dataclass(frozen=True)
class OfType:
    """The name of a column's type, as Spark has it."""

    column: str
    wanted: str

    def judged(self, found: str) -> Measured:
        """The answer for the name of a type."""
        return Measured(found == self.wanted, {"observed_value": found})


Measure = Violations | RowCount | Extreme | OfType

TYPES = frozenset(
    [
        *("BooleanType", "ByteType", "ShortType", "IntegerType", "LongType", "DoubleType", "StringType", "BinaryType"),
        *("DateType", "TimestampType"),
    ]
)
"""The types that a suite may ask for here."""

_RANGE = {"min_value", "max_value", "strict_min", "strict_max"}


def of(rule: Expectation) -> Measure | None:
    """What an expectation asks for; None if only Great Expectations can evaluate it, or say what is wrong with it."""
    column = rule.kwargs.get("column")
    if rule.type == "expect_table_row_count_to_be_between":
        return _row_count(rule.kwargs)
    if not isinstance(column, str) or not column:
        return None
    arguments = {name: value for name, value in rule.kwargs.items() if name != "column"}
    match rule.type:
        case "expect_column_max_to_be_between":
            return _extreme(column, arguments, greatest=True)
        case "expect_column_min_to_be_between":
            return _extreme(column, arguments, greatest=False)
        case "expect_column_values_to_be_of_type":
            wanted = arguments.get("type_")
            return OfType(column, wanted) if set(arguments) == {"type_"} and wanted in TYPES else None
    return _violations(rule.type, column, arguments) if rule.type in conditions.ARGUMENTS else None


def _violations(type_: str, column: str, arguments: Mapping[str, Any]) -> Violations | None:
    mostly = arguments.get("mostly", 1)
    if set(arguments) - {"mostly", *conditions.ARGUMENTS[type_]} or not _is_number(mostly) or not 0 <= mostly <= 1:
        return None
    try:
        return Violations(column, _as_read(conditions.of(type_, arguments)), mostly)
    except ValueError:
        return None


def _as_read(condition: Condition) -> Condition:
    """The condition as Great Expectations reads it: the bounds of values are doubles or times, those of lengths whole
    numbers. Raises ValueError for others."""
    if isinstance(condition, Between):
        return replace(condition, low=_bound(condition.low), high=_bound(condition.high))
    if isinstance(condition, LengthBetween) and any(
        isinstance(bound, float) for bound in (condition.bounds.low, condition.bounds.high)
    ):
        raise ValueError("a length is a whole number")
    return condition


def _bound(bound: Any) -> Any:
    if bound is None:
        return None
    if isinstance(bound, str):
        arrow_conditions.literals([bound], MICROSECOND)  # raises for what is not a time
        return bound
    if not math.isfinite(read := float(bound)):
        raise ValueError(f"{bound} is not a valid bound")
    return read


def _row_count(kwargs: Mapping[str, Any]) -> RowCount | None:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if set(kwargs) - _RANGE or not _strict_are_flags(kwargs):
        return None
    if any(bound is not None and (not _is_number(bound) or isinstance(bound, float)) for bound in (low, high)):
        return None
    if low is not None and high is not None and low > high:
        return None
    return RowCount(_between(low, high, kwargs))


def _extreme(column: str, arguments: Mapping[str, Any], greatest: bool) -> Extreme | None:
    if set(arguments) - _RANGE or not _strict_are_flags(arguments):
        return None
    given = {name: arguments[name] for name in ("min_value", "max_value") if arguments.get(name) is not None}
    try:
        read = {name: _bound(bound) for name, bound in given.items() if _is_number(bound) or isinstance(bound, str)}
    except ValueError:
        return None
    if len(read) < len(given):
        return None
    return Extreme(column, _between(read.get("min_value"), read.get("max_value"), arguments), greatest)


def _between(low: Any, high: Any, kwargs: Mapping[str, Any]) -> Between:
    return Between(low, high, kwargs.get("strict_min", False), kwargs.get("strict_max", False))


def _within(value: float, bounds: Between) -> bool:
    above = bounds.low is None or (value > bounds.low if bounds.strict_low else value >= bounds.low)
    below = bounds.high is None or (value < bounds.high if bounds.strict_high else value <= bounds.high)
    return bool(above and below)


def _percent(part: int, whole: int) -> float | None:
    return part / whole * 100 if whole else None


def _strict_are_flags(kwargs: Mapping[str, Any]) -> bool:
    return all(isinstance(kwargs.get(name, False), bool) for name in ("strict_min", "strict_max"))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
