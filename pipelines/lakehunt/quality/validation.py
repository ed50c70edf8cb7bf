"""Validates a batch by Spark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame

from lakehunt.quality import spark_measures
from lakehunt.quality.measures import Measure, Measured
from lakehunt.quality.suite_validator import SuiteValidator
from lakehunt.quality.suites import Expectation


class Validator(SuiteValidator[DataFrame]):
    """Runs suites on Spark DataFrames: one aggregation a suite, and Great Expectations' Spark engine for the rest."""

    engine = "spark"

    def _measured(self, wanted: Sequence[Measure | None], frame: DataFrame) -> list[Measured | None]:
        return spark_measures.measured(wanted, frame)

    def _for_engine(self, frame: DataFrame, rules: Sequence[Expectation]) -> Any:
        return frame
