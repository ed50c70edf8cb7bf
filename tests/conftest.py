"""One Spark session for each process of tests; a lake of its own for every test that asks for one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from lakehunt.config import Config
from tests.support import spark_settings
from tests.support.balance import (  # noqa: F401 (pytest finds them here)
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_xdist_make_scheduler,
)

SHARED = Path(__file__).resolve().parents[2] / "shared"

# The same inputs in each run: what fails, fails again. `make campaign` draws others, and prints what repeats a failure.
hypothesis.settings.register_profile(
    "tests",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile("campaign", hypothesis.settings.get_profile("tests"), derandomize=False)
hypothesis.settings.load_profile("tests")


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    from lakehunt.runtime import session

    lasting = {"spark.driver.extraJavaOptions": spark_settings.LASTING_JVM}
    running = session.start(Config(spark=spark_settings.QUICK | lasting))
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def _compiled(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compiled code, where a test is marked `compiled`: by default Spark interprets in tests."""
    if request.node.get_closest_marker("compiled") is None:
        yield
        return
    from lakehunt.runtime import session

    running = request.getfixturevalue("spark")
    running.conf.set(session.CODEGEN, "")
    try:
        with session.codegen(running, on=True):
            yield
    finally:
        running.conf.set(session.CODEGEN, "never")


@pytest.fixture
def lake(spark: Any, tmp_path: Path) -> Any:
    from lakehunt.lake.delta_lake import Lake

    return Lake(spark, str(tmp_path / "lake"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material beside a developer's checkout; tests that need it are skipped without it."""
    folder = Path(os.environ.get("LAKEHUNT_SHARED", SHARED))
    if not folder.is_dir():
        pytest.skip(f"needs the reference material at {folder}, which is not part of the project")
    return folder
