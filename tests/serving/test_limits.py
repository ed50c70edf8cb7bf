"""A client cannot keep others from being answered: its statements and idle connections end at their limits."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lakehunt.lake.delta_lake import Lake
from tests.support.serving import Endpoint, serving

pytestmark = pytest.mark.slow

IDLE = 20

MANY = "(SELECT explode(sequence(1, 3000000)) AS id)"


@pytest.fixture(scope="module")
def limited(hunted: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    limits = f"limits: {{sql_seconds: 15, sql_connections: 12, sql_idle_seconds: {IDLE}}}"
    with serving(hunted.root, tmp_path_factory.mktemp("limited"), settings=limits) as one:
        yield one


@pytest.mark.campaign
def test_a_statement_that_needs_too_much_memory_ends_alone(hunted: Lake, tmp_path: Path) -> None:
    """Three million strings of 400 characters as one value, in a server of its own with 1 GB: a JVM that is short of
    memory is slow, and may end connections of others. A slow machine may not get as far, and impyla may fail to close
    the statement ("Already open")."""
    with serving(hunted.root, tmp_path, settings="limits: {sql_seconds: 60}") as limited:
        with pytest.raises(Exception, match=r"(?i)memory|bigger than|limits\.sql_seconds|timed out|Already open"):
            limited.rows(f"SELECT collect_list(repeat(CAST(id AS STRING), 60)) FROM {MANY}")
        assert limited.rows("SELECT 1") == [(1,)]


def test_a_statement_ends_after_its_seconds(limited: Endpoint) -> None:
    started = time.monotonic()
    with pytest.raises(Exception, match=r"limits\.sql_seconds|timed out|Already open"):
        limited.rows(f"SELECT count(*) FROM {MANY} WHERE sha2(repeat(CAST(id AS STRING), 1000), 512) LIKE 'zz%'")
    assert time.monotonic() - started < 90
    assert limited.rows("SELECT 1") == [(1,)]


def test_idle_connections_are_closed(limited: Endpoint) -> None:
    with ExitStack() as opened:
        idle = [opened.enter_context(socket.create_connection(("127.0.0.1", limited.port))) for _ in range(12)]
        for one in idle:
            one.settimeout(IDLE + 60)
            assert one.recv(1) == b""
        assert limited.rows("SELECT 1") == [(1,)]
