"""Expectations of a suite as conditions on single rows: to quarantine records, and to check daily volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lakehunt.core.errors import LakehuntError
from lakehunt.quality import conditions
from lakehunt.quality.conditions import Between, Condition, LengthBetween, Matches, NotNull
from lakehunt.quality.suites import Expectation, Suite

if TYPE_CHECKING:
    import pyarrow as pa

    from lakehunt.quality.arrow_conditions import Check


@dataclass(frozen=True)
class RowRule:
    """A rule on one column: `why` is the message about a row that violates it, `place` is where it is written."""

    column: str
    condition: Condition
    why: str
    place: str


def row_rules(suite: Suite) -> tuple[RowRule, ...]:
    """The rules of `suite` with `on_failure: quarantine`.

    Raises LakehuntError for a rule that cannot be evaluated row by row."""
    return tuple(_rule(rule, suite) for rule in suite.expectations if rule.quarantines)


def rules(suite: Suite) -> tuple[RowRule, ...]:
    """All rules of `suite`, in order. Raises LakehuntError like `row_rules`."""
    return tuple(_rule(rule, suite) for rule in suite.expectations)


def arrow_checks(rules: Sequence[RowRule], schema: pa.Schema) -> tuple[Check, ...]:
    """For each rule a function from the values of its column (pa.Array) to a pa.BooleanArray without nulls, true for
    the rows that violate the rule.

    Raises LakehuntError for a rule that has no meaning for its column's type, and for a regular expression that needs
    Spark."""
    return tuple(_arrow_check(rule, schema) for rule in rules)


def _arrow_check(rule: RowRule, schema: pa.Schema) -> Check:
    from lakehunt.quality import arrow_conditions  # noqa: PLC0415  # the report does without it

    try:
        return arrow_conditions.check(rule.condition, schema.field(rule.column).type)
    except arrow_conditions.UnsupportedConditionError as error:
        hint = "correct the rule; see docs/how-to/expectations.md"
        raise LakehuntError(f"{rule.place}, {rule.column}: {error}", hint) from error


def _rule(rule: Expectation, suite: Suite) -> RowRule:
    column = rule.column
    if rule.type not in conditions.ARGUMENTS or column is None:
        raise LakehuntError(
            f"{suite.file}: {rule.type} cannot judge single rows",
            f"these can: {', '.join(sorted(conditions.ARGUMENTS))}",
        )
    if odd := sorted(set(rule.kwargs) - {"column", *conditions.ARGUMENTS[rule.type]}):
        raise LakehuntError(
            f"{suite.file}: {rule.type} with {odd[0]!r} cannot judge single rows", f"leave {odd[0]!r} out"
        )
    place = f"{suite.file}: {rule.type}"
    try:
        condition = conditions.of(rule.type, rule.kwargs)
    except ValueError as error:
        raise LakehuntError(f"{place} of {column}: {error}", "see docs/how-to/expectations.md") from error
    return RowRule(column, condition, f"{column}: {_why(condition)}", place)


def _why(condition: Condition) -> str:
    match condition:
        case NotNull():
            return "missing"
        case Between():
            return _outside(condition)
        case LengthBetween(bounds):
            return f"length {_outside(bounds)}"
        case Matches(regex):
            return f"does not match {regex}"
    return "none of the allowed values"


def _outside(bounds: Between) -> str:
    low: Any = f"{bounds.low} or less" if bounds.strict_low else f"less than {bounds.low}"
    high: Any = f"{bounds.high} or more" if bounds.strict_high else f"more than {bounds.high}"
    if bounds.high is None:
        return str(low)
    if bounds.low is None:
        return str(high)
    if bounds.strict_low or bounds.strict_high:
        return f"{low}, or {high}"
    return f"not between {bounds.low} and {bounds.high}"
