"""A cluster of two workers, and one real Airflow for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehunt.core.errors import LakehuntError
from lakehunt.runtime import java
from tests.support.airflow import airflow  # noqa: F401 (pytest finds it here)
from tests.support.chance import chance  # noqa: F401
from tests.support.cluster import Cluster, cluster


@pytest.fixture(scope="session", autouse=True)
def _java() -> None:
    try:
        java.found()
    except LakehuntError as none:
        pytest.skip(f"a cluster's processes cannot be started: {none}")


@pytest.fixture
def two_workers(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    with cluster(folder, workers=2) as running:
        yield running
