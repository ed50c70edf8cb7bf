"""What Great Expectations itself says of a batch."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql import DataFrame

from lakehunt.quality.gx_engine import Engine
from lakehunt.quality.results import ExpectationResult
from lakehunt.quality.suites import Suite


def great_expectations(suite: Suite, frame: DataFrame) -> list[ExpectationResult]:
    """The results of all expectations of the suite, by Great Expectations' Spark engine."""
    engine = Engine("spark")
    engine.add(suite, list(enumerate(suite.expectations, start=1)))
    return engine.validate(1, suite.name, frame, datetime(2024, 5, 2, tzinfo=UTC))
