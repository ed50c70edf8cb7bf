"""One real Airflow for all tests that need it, and the spark-submit that its tasks call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts import airflow as standalone
from tests.support.airflow import Airflow


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    running = Airflow(tmp_path_factory.mktemp("airflow"))
    try:
        running.wait_until_up()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def spark_submit() -> str:
    """The one of this environment, soon warm."""
    settings = {"spark.sql.shuffle.partitions": "1", "spark.databricks.delta.snapshotPartitions": "1"}
    return standalone.spark_submit(
        *("--driver-memory", "1g"),
        *(word for key, value in settings.items() for word in ("--conf", f"{key}={value}")),
        java_options="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    )
