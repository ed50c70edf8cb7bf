"""Results of expectations, which never hold a value of the data: command lines may hold secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import version
from itertools import groupby
from typing import Any

from lakehunt.quality.suites import Expectation

KEPT = (
    "element_count",
    "unexpected_count",
    "unexpected_percent",
    "missing_count",
    "missing_percent",
    "unexpected_percent_total",
    "unexpected_percent_nonmissing",
)
"""What is kept of a result of Great Expectations: numbers. `observed_value` is kept only if it is a number or the name
of a type."""


@dataclass(frozen=True)
class ExpectationResult:
    """The result of one expectation for one batch. `counts` has keys of KEPT, and `observed_value`; `raised` says that
    it could not be evaluated."""

    suite: str
    position: int
    expectation: Expectation
    success: bool
    counts: Mapping[str, Any]
    raised: bool = False

    @property
    def observed(self) -> str | None:
        value = self.counts.get("observed_value")
        return None if value is None else str(value)

    @property
    def element_count(self) -> int | None:
        return self.counts.get("element_count")

    @property
    def unexpected_count(self) -> int | None:
        return self.counts.get("unexpected_count")

    @property
    def unexpected_percent(self) -> float | None:
        return self.counts.get("unexpected_percent")

    @property
    def message(self) -> str:
        """A message: the rule, and how many rows violate it."""
        if self.unexpected_count is not None and self.element_count is not None:
            return f"{self.expectation.title}: {self.unexpected_count} of {self.element_count} rows are not"
        return f"{self.expectation.title}: observed {self.observed if self.observed is not None else 'nothing usable'}"


@cache
def gx_version() -> str:
    """The version of Great Expectations, without importing it: read of its installed files, which takes
    milliseconds."""
    return version("great-expectations")


def documents(batch: int, results: list[ExpectationResult], at: datetime) -> Iterator[dict[str, Any]]:
    """For each suite its results for a batch, in the JSON form of Great Expectations' validation results."""
    for name, of_suite in groupby(results, key=lambda one: one.suite):
        found = list(of_suite)
        met = sum(one.success for one in found)
        yield {
            "success": met == len(found),
            "suite_name": name,
            "results": [_document(one) for one in found],
            "statistics": {
                "evaluated_expectations": len(found),
                "successful_expectations": met,
                "unsuccessful_expectations": len(found) - met,
                "success_percent": 100 * met / len(found) if found else None,
            },
            "meta": {
                "run_id": {"run_name": f"batch {batch}", "run_time": at.isoformat()},
                "great_expectations_version": gx_version(),
            },
        }


def _document(result: ExpectationResult) -> dict[str, Any]:
    message = "the expectation could not be evaluated" if result.raised else None
    return {
        "success": result.success,
        "expectation_config": result.expectation.as_json(result.position),
        "result": dict(result.counts),
        "exception_info": {
            "raised_exception": result.raised,
            "exception_message": message,
            "exception_traceback": "" if result.raised else None,
        },
    }
