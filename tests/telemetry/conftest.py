"""Real telemetry of other people's labs, landed once for all tests of this folder.

Needs the reference material beside the checkout; what uses it is skipped without it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines import landing
from pipelines.config import PROJECT
from pipelines.lake.tables import Lake
from pipelines.quality.data_docs import DataDocs


def quiet(step: str) -> None:
    """No progress wanted."""


@pytest.fixture(scope="package")
def landed(spark: Any, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, landing.Settlement]:
    lake = Lake(spark, str(tmp_path_factory.mktemp("telemetry")))
    source = str(shared / "telemetry" / "stream")
    delivery = landing.deliver(lake, source, datetime(2026, 1, 1, tzinfo=UTC), quiet)
    assert delivery.delivered == 2_608
    return lake, landing.settle(lake, PROJECT / "expectations", DataDocs(), quiet)
