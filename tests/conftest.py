"""One Spark session for the whole run; a lake of its own for every test that asks for one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.config import Config

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def spark() -> Iterator[object]:
    from pipelines.lake import session

    settings = {
        "spark.master": "local[2]",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.adaptive.enabled": "false",
        "spark.driver.extraJavaOptions": "-XX:+UseSerialGC",
    }
    if os.environ.get("FAST"):
        settings |= {
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            "spark.sql.shuffle.partitions": "1",
            "spark.databricks.delta.snapshotPartitions": "1",
            "spark.sql.codegen.wholeStage": "false",
            "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        }
    running = session.start(Config(spark=settings))
    yield running
    running.stop()


@pytest.fixture
def lake(spark, tmp_path):  # type: ignore[no-untyped-def]
    from pipelines.lake.tables import Lake

    return Lake(spark, str(tmp_path / "lake"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material beside a developer's checkout; tests that need it are skipped without it."""
    folder = Path(os.environ.get("LAKEHUNT_SHARED", SHARED))
    if not folder.is_dir():
        pytest.skip(f"needs the reference material at {folder}, which is not part of the project")
    return folder
