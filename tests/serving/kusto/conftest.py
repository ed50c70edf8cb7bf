"""An endpoint over the lake of the SQL endpoint's tests, in this process and its Spark session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehunt.config import Config
from lakehunt.lake.delta_lake import Lake
from lakehunt.runtime.limits import Limits
from tests.support.kusto import Kusto, kusto


@pytest.fixture(scope="session")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that stands for an address in queries."""
    file = tmp_path_factory.mktemp("external") / "lolbins.csv"
    file.write_text("cmd.exe\nnet.exe\n")
    return file


@pytest.fixture(scope="session")
def endpoint(hunted: Lake, copied: Path) -> Iterator[Kusto]:
    config = Config(
        lake=hunted.root,
        external={"https://example.com/lolbins.csv": str(copied)},
        limits=Limits(kusto_seconds=120, kusto_rows=1000, kusto_bytes=20_000, kusto_queries=3),
    )
    with kusto(config) as one:
        yield one
