"""Expectations of a suite as conditions on single rows: to quarantine records, and to check daily volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehunt.core.errors import LakehuntError
from lakehunt.quality.suites import Expectation, Suite

Arguments = dict[str, Any]


@dataclass(frozen=True)
class RowRule:
    """A rule on one column: `broken` is true for a row that violates it, and `why` is the message."""

    column: str
    broken: Column
    why: str


def row_rules(suite: Suite) -> tuple[RowRule, ...]:
    """The rules of `suite` with `on_failure: quarantine`.

    Raises LakehuntError for a rule that cannot be evaluated row by row."""
    return tuple(_rule(rule, suite) for rule in suite.expectations if rule.quarantines)


def rules(suite: Suite) -> tuple[RowRule, ...]:
    """All rules of `suite`, in order. Raises LakehuntError like `row_rules`."""
    return tuple(_rule(rule, suite) for rule in suite.expectations)


def _rule(rule: Expectation, suite: Suite) -> RowRule:
    allowed, column = {"column", *_ARGUMENTS.get(rule.type, ())}, rule.column
    if rule.type not in _PREDICATES or column is None:
        raise LakehuntError(
            f"{suite.file}: {rule.type} cannot judge single rows",
            f"these can: {', '.join(sorted(_PREDICATES))}",
        )
    if odd := sorted(set(rule.kwargs) - allowed):
        raise LakehuntError(
            f"{suite.file}: {rule.type} with {odd[0]!r} cannot judge single rows", f"leave {odd[0]!r} out"
        )
    holds, why = _PREDICATES[rule.type](F.col(f"`{column}`"), rule.kwargs)
    return RowRule(column, ~F.coalesce(holds, F.lit(True)), f"{column}: {why}")


def _not_null(column: Column, _: Arguments) -> tuple[Column, str]:
    return column.isNotNull(), "missing"


def _between(column: Column, kwargs: Arguments) -> tuple[Column, str]:
    return _within(column, kwargs), _outside(kwargs)


def _length(column: Column, kwargs: Arguments) -> tuple[Column, str]:
    return _within(F.length(column), kwargs), f"length {_outside(kwargs)}"


def _regex(column: Column, kwargs: Arguments) -> tuple[Column, str]:
    return column.rlike(kwargs["regex"]), f"does not match {kwargs['regex']}"


def _in_set(column: Column, kwargs: Arguments) -> tuple[Column, str]:
    return column.isin(list(kwargs["value_set"])), "none of the allowed values"


def _within(column: Column, kwargs: Arguments) -> Column:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    above = column >= F.lit(low) if low is not None else F.lit(True)
    return above & (column <= F.lit(high)) if high is not None else above


def _outside(kwargs: Arguments) -> str:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if high is None:
        return f"less than {low}"
    return f"more than {high}" if low is None else f"not between {low} and {high}"


_PREDICATES: dict[str, Callable[[Column, Arguments], tuple[Column, str]]] = {
    "expect_column_values_to_not_be_null": _not_null,
    "expect_column_values_to_be_between": _between,
    "expect_column_value_lengths_to_be_between": _length,
    "expect_column_values_to_match_regex": _regex,
    "expect_column_values_to_be_in_set": _in_set,
}
"""For each type of expectation: the condition (null passes, as in Great Expectations), and the message."""

_ARGUMENTS: dict[str, Iterable[str]] = {
    "expect_column_values_to_be_between": ("min_value", "max_value"),
    "expect_column_value_lengths_to_be_between": ("min_value", "max_value"),
    "expect_column_values_to_match_regex": ("regex",),
    "expect_column_values_to_be_in_set": ("value_set",),
}
