"""Lands by either engine, with the same arguments: `engine` says by which.

    from tests.support.landing import both_engines, ingest, promote  # noqa: F401 (a fixture)

in a module of tests runs each of them by Spark and in processes of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from lakehunt.lake.delta_lake import Lake
from lakehunt.landing.engines import Engine
from lakehunt.landing.ledger import IngestResult
from lakehunt.landing.local.engine import LocalEngine
from lakehunt.landing.outcomes import PromotionResult
from lakehunt.landing.settings import FileLimits, Settings
from lakehunt.landing.spark.engine import SparkEngine
from lakehunt.quality.data_docs import DataDocs
from lakehunt.schemas.event_tables import BY_NAME

Say = Callable[[str], None]

SPARK, LOCAL = "spark", "local"

_ENGINE = [SPARK]


@pytest.fixture(autouse=True, params=[SPARK, LOCAL])
def both_engines(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs each test of a module by both engines; a mark `spark_only` says that it is about Spark's."""
    if request.param == LOCAL and request.node.get_closest_marker("spark_only"):
        pytest.skip("about the inside of Spark's engine")
    _ENGINE[0] = request.param
    yield request.param
    _ENGINE[0] = SPARK


def engine(
    lake: Lake,
    suites: Path,
    docs: DataDocs = DataDocs(),  # noqa: B008
    say: Say = lambda _: None,
    limits: FileLimits = FileLimits(),  # noqa: B008
    tables: tuple[str, ...] = tuple(BY_NAME),
) -> Engine:
    """The engine by which the test lands."""
    settings = Settings(limits, tables=tables)
    if _ENGINE[0] == SPARK:
        return SparkEngine(lake, settings, suites, docs, say)
    return LocalEngine(lake.root, settings, suites, docs, say)


def ingest(
    lake: Lake,
    source: str,
    landed_at: datetime,
    say: Say,
    limits: FileLimits = FileLimits(),  # noqa: B008
) -> IngestResult:
    return engine(lake, Path("nowhere"), say=say, limits=limits).ingest(source, landed_at)


def promote(lake: Lake, suites: Path, docs: DataDocs, say: Say) -> PromotionResult:
    return engine(lake, suites, docs, say).promote()
