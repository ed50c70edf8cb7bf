"""The project's samples, landed without Spark, as `make demo` lands them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from lakehunt.landing.local.engine import LocalEngine
from lakehunt.landing.settings import FileLimits, Settings
from lakehunt.quality.data_docs import DataDocs
from lakehunt.schemas.event_tables import BY_NAME
from tests.support.paths import PROJECT


def land(lake: Path) -> None:
    """Lands the samples into a new lake."""
    settings = Settings(FileLimits(), tables=tuple(BY_NAME))
    engine = LocalEngine(str(lake), settings, PROJECT / "expectations", DataDocs(), lambda _: None)
    engine.ingest(str(PROJECT / "samples" / "streaming"), datetime(2026, 3, 10, tzinfo=UTC))
    engine.promote()
