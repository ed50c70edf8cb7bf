"""A lake whose tables are there, without rows: making them anew for each test takes longer than most tests."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from lakehunt.schemas.hunt_tables import HITS, PASSES, RUNS
from lakehunt.schemas.landing_tables import BATCHES

EVENTS = DEVICE_PROCESS_EVENTS.events


@pytest.fixture(scope="session")
def empty_lake(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty")
    lake = Lake(spark, str(folder))
    for table in (EVENTS, BATCHES, RUNS, HITS, PASSES, FINDINGS_ALL):
        lake.append(table, lake.local(table, []))
    return folder


@pytest.fixture
def lake(spark: Any, tmp_path: Path, empty_lake: Path) -> Lake:
    return Lake(spark, str(shutil.copytree(empty_lake, tmp_path / "lake")))
