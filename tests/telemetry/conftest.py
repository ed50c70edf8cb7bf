"""Real telemetry of other people's labs, landed once for all tests of this folder.

Needs the reference material beside the checkout; what uses it is skipped without it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lakehunt.lake.delta_lake import Lake
from lakehunt.landing.outcomes import PromotionResult
from lakehunt.quality.data_docs import DataDocs
from tests.support.landing import ingest, promote
from tests.support.paths import PROJECT


def quiet(step: str) -> None:
    """No progress wanted."""


@pytest.fixture(scope="package")
def landed(spark: Any, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, PromotionResult]:
    lake = Lake(spark, str(tmp_path_factory.mktemp("telemetry")))
    source = str(shared / "telemetry" / "stream")
    delivery = ingest(lake, source, datetime(2026, 1, 1, tzinfo=UTC), quiet)
    assert delivery.delivered == 2_608
    return lake, promote(lake, PROJECT / "expectations", DataDocs(), quiet)
