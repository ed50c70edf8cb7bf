"""A lake with what the two seed hunts found at two as-ofs, and its endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lakehunt.lake.delta_lake import Lake
from tests.support.events import store
from tests.support.hunts import H1, H2, run
from tests.support.serving import EVENTS, FIRST, SECOND, Endpoint, contents, serving


@pytest.fixture(scope="session")
def hunted(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(spark, str(tmp_path_factory.mktemp("served") / "lake"))
    store(lake, EVENTS)
    for as_of in (FIRST, SECOND):
        assert [one.error for one in run(lake, H1, H2, as_of=as_of)] == [None, None]
    return lake


@pytest.fixture(scope="session")
def before(hunted: Lake) -> dict[str, str]:
    """What the lake holds before the endpoint starts."""
    return contents(hunted)


@pytest.fixture(scope="session")
def endpoint(hunted: Lake, before: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with serving(hunted.root, tmp_path_factory.mktemp("endpoint"), "--refresh", "1") as one:
        yield one
