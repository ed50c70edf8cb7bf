"""A lake made from the project's samples, by landing without Spark, as `make demo` fills one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehunt.landing.local.engine import LocalEngine
from lakehunt.landing.settings import FileLimits, Settings
from lakehunt.quality.data_docs import DataDocs
from lakehunt.schemas.event_tables import BY_NAME
from tests.support.paths import PROJECT


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the lake `demo-lake`."""
    folder = tmp_path_factory.mktemp("samples")
    settings = Settings(FileLimits(), tables=tuple(BY_NAME))
    engine = LocalEngine(str(folder / "demo-lake"), settings, PROJECT / "expectations", DataDocs(), lambda _: None)
    engine.ingest(str(PROJECT / "samples" / "streaming"), datetime(2026, 3, 10, tzinfo=UTC))
    engine.promote()
    return folder
