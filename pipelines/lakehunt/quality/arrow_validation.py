"""Validates a batch over Arrow. Imports neither Spark nor, for the expectations that most suites consist of, Great
Expectations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from lakehunt.quality import arrow_measures, suites
from lakehunt.quality.measures import Measure, Measured
from lakehunt.quality.suite_validator import SuiteValidator
from lakehunt.quality.suites import Expectation


class ArrowValidator(SuiteValidator[pa.Table]):
    """Runs suites on Arrow tables, whose columns have the types of a lake's tables (`arrow_measures.SPARK_TYPES`), and
    Great Expectations' pandas engine for the rest."""

    engine = "pandas"

    def _measured(self, wanted: Sequence[Measure | None], frame: pa.Table) -> list[Measured | None]:
        return arrow_measures.measured(wanted, frame)

    def _for_engine(self, frame: pa.Table, rules: Sequence[Expectation]) -> Any:
        return frame.select(_needed(rules) or frame.column_names).to_pandas()


def _needed(rules: Sequence[Expectation]) -> list[str]:
    """The columns that expectations about columns are about; none if one may need any column."""
    if any(not suites.named_columns(rule.kwargs) or "row_condition" in rule.kwargs for rule in rules):
        return []
    return list(dict.fromkeys(name for rule in rules for name in suites.named_columns(rule.kwargs)))
