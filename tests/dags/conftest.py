"""One real Airflow for all tests that need it, and the spark-submit that its tasks call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts import airflow as standalone
from tests.support.airflow import Airflow
from tests.support.spark_settings import QUICK, QUICK_JVM


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
    ours = {"spark.master", "spark.driver.memory", "spark.driver.extraJavaOptions"}
    return standalone.spark_submit(
        *("--driver-memory", "1g"),
        *(word for key, value in QUICK.items() if key not in ours for word in ("--conf", f"{key}={value}")),
        java_options=QUICK_JVM,
    )
