"""One real Airflow for all tests that need it, and the spark-submit that its tasks call."""

from __future__ import annotations

import pytest

from scripts import airflow as standalone
from tests.support.airflow import airflow  # noqa: F401 (pytest finds it here)
from tests.support.chance import chance  # noqa: F401
from tests.support.spark_settings import QUICK, QUICK_JVM


@pytest.fixture(scope="session")
def spark_submit() -> str:
    """The one of this environment, soon warm."""
    ours = {"spark.master", "spark.driver.memory", "spark.driver.extraJavaOptions"}
    return standalone.spark_submit(
        *("--driver-memory", "1g"),
        *(word for key, value in QUICK.items() if key not in ours for word in ("--conf", f"{key}={value}")),
        java_options=QUICK_JVM,
    )
