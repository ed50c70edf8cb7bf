"""A client cannot keep others from being answered: its statements and idle connections end at their limits."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from py4j.protocol import Py4JError

from lakehunt.core.errors import LakehuntError
from lakehunt.lake.delta_lake import Lake
from lakehunt.runtime import janino
from lakehunt.serving import endpoint
from tests.support.serving import Endpoint, serving

pytestmark = pytest.mark.slow

IDLE = 20

MANY = "(SELECT explode(sequence(1, 3000000)) AS id)"


@pytest.fixture(scope="module")
def limited(hunted: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    limits = f"sql_seconds: 15, sql_rows: 5000, sql_user_statements: 1, sql_connections: 12, sql_idle_seconds: {IDLE}"
    with serving(hunted.root, tmp_path_factory.mktemp("limited"), settings=f"limits: {{{limits}}}") as one:
        yield one


class _Context:
    """Spark's context with two jobs; after so many looks at them, the watch ends."""

    def __init__(self, ended: threading.Event, rounds: int) -> None:
        self.cancelled: list[tuple[int, str]] = []
        self._ended, self._rounds = ended, rounds
        self._jsc = SimpleNamespace(sc=lambda: SimpleNamespace(cancelJob=lambda *job: self.cancelled.append(job)))

    def statusTracker(self) -> Any:  # noqa: N802
        return self

    def getActiveJobsIds(self) -> list[int]:  # noqa: N802
        self._rounds -= 1
        if not self._rounds:
            self._ended.set()
        return [1, 2]


class _Heap:
    """A heap of which this share is in use, until it is collected."""

    def __init__(self, *shares: float) -> None:
        self._shares = iter(shares)
        self.collected = 0

    def share(self) -> float:
        return next(self._shares)

    def collect(self) -> None:
        self.collected += 1


class _Ticking:
    """An event that waits for no time."""

    def __init__(self) -> None:
        self.is_set = False

    def wait(self, seconds: float) -> bool:
        return self.is_set

    def set(self) -> None:
        self.is_set = True


def test_jobs_are_cancelled_before_memory_is_used_up() -> None:
    ended, heap = _Ticking(), _Heap(0.5, 0.95, 0.2)
    context = _Context(cast(threading.Event, ended), rounds=3)
    endpoint._cancel_jobs(context, heap, 60, cast(threading.Event, ended), endpoint._Watch(0))
    why = "the server was short of memory: ask for less, or raise spark.driver.memory"
    assert (context.cancelled, heap.collected) == ([(1, why), (2, why)], 1)


def test_a_call_that_fails_for_want_of_memory_does_not_end_the_watch() -> None:
    class Failing(_Heap):
        def share(self) -> float:
            share = super().share()
            if share < 0:
                raise Py4JError("OutOfMemoryError")
            return share

    ended, heap = _Ticking(), Failing(-1, 0.95)
    context = _Context(cast(threading.Event, ended), rounds=2)
    endpoint._cancel_jobs(context, heap, 60, cast(threading.Event, ended), endpoint._Watch(0))
    assert [job for job, _ in context.cancelled] == [1, 2]


def test_a_spark_that_does_not_answer_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a thread of the JVM that should answer has died for want of memory."""
    never = threading.Event()
    context = SimpleNamespace(statusTracker=lambda: SimpleNamespace(getActiveJobsIds=never.wait))
    monkeypatch.setattr(janino, "compile_class", lambda *_: SimpleNamespace(newInstance=lambda: None))
    monkeypatch.setattr(endpoint, "_FAREWELL", 0.1)
    lake = cast(Lake, SimpleNamespace(spark=SimpleNamespace(sparkContext=context)))
    with endpoint._cancelling(lake, 60) as watch:
        watch.check()
        watch.looked -= 121
        with pytest.raises(LakehuntError, match="Spark has not answered for 120 s"):
            watch.check()


def test_the_share_of_the_heap_in_use(spark: Any) -> None:
    heap = janino.compile_class(spark, "HeapUse").newInstance()
    heap.collect()
    assert 0 < heap.share() < 1


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


LONG = "SELECT count(*) FROM range(0, 4000000, 1, 400) WHERE sha2(repeat(CAST(id AS STRING), 1000), 512) LIKE 'zz%'"
"""A job of 400 tasks, half a minute of two cores."""


@pytest.mark.campaign  # on a busy machine the short statement is at its limit, too
def test_statements_of_a_user_wait_for_each_other_and_nobody_else_does(limited: Endpoint) -> None:
    ended: list[str] = []
    short = "SELECT count(*) FROM range(10)"
    begun = threading.Event()

    def fetch() -> None:
        with limited.cursor(user="ana") as long:
            long.execute(LONG)
            begun.set()
            try:
                long.fetchall()  # computes it
            finally:
                ended.append("first")

    with ThreadPoolExecutor() as pool:
        with limited.cursor(user="eve") as other:
            other.execute(short)  # so that the next time is no first time
            assert other.fetchall() == [(10,)]
            first = pool.submit(fetch)
            assert begun.wait(60)
            # Another user's job has its share of the cores at once, and does not wait for the last of 400 tasks.
            other.execute(short)
            assert other.fetchall() == [(10,)]
            ended.append("other")
        second = pool.submit(limited.rows, short, user="ana")
        second.add_done_callback(lambda _: ended.append("second"))
        assert second.result(timeout=90) == [(10,)]
    assert ended == ["other", "first", "second"], ended
    assert re.search(r"limits\.sql_seconds|timed out|Already open", str(first.exception()))


@pytest.mark.campaign
def test_a_statement_does_not_wait_for_ever(limited: Endpoint) -> None:
    """One is worked on for its 15 seconds, while the others wait; at least one of these has then waited long enough."""
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(limited.rows, LONG, user="ana") for _ in range(3)]
        errors = [str(one.exception(timeout=90)) for one in asked]
    waited = "the statement waited for 15 s: no more than 1 of this user's may run at the same time; ask again later"
    assert any(waited in error for error in errors), errors
    assert not all(waited in error for error in errors), errors
    assert limited.rows("SELECT 1", user="ana") == [(1,)]


def test_a_result_with_too_many_rows_is_an_error_that_names_the_limit(limited: Endpoint) -> None:
    """A client gets rows in parts of 1,024: none gets a part of a result for the whole, and a result may be as large as
    the limit, whatever the client has asked before."""
    said = r"the result has more than 5,000 rows, the limit: .* raise limits\.sql_rows in the configuration"
    with limited.cursor() as cursor:
        for rows in (5001, 5000, 5000):
            cursor.execute(f"SELECT id, id + 1 FROM range({rows}) ORDER BY id")
            if rows > 5000:
                with pytest.raises(Exception, match=said):
                    cursor.fetchall()
            else:
                assert cursor.fetchall() == [(i, i + 1) for i in range(rows)]
    assert limited.rows(f"SELECT count(*) FROM {MANY}") == [(3_000_000,)]


def test_if_spark_ends_so_does_the_command(hunted: Lake, tmp_path: Path) -> None:
    """As when the kernel ends it for want of memory: whatever supervises the command starts it again."""
    with serving(hunted.root, tmp_path, code=1) as one:
        assert one.rows("SELECT 1") == [(1,)]
        (jvm,) = children(one.process.pid)
        os.kill(jvm, signal.SIGKILL)
        one.process.wait(timeout=60)
        said = one.errors.read_text()
    assert "lakehunt: Spark has ended, and with it the server\n" in said
    assert "start it again" in said


def children(process: int) -> list[int]:
    """The processes that a process has started."""
    return [int(one) for file in Path(f"/proc/{process}/task").glob("*/children") for one in file.read_text().split()]


def test_idle_connections_are_closed(limited: Endpoint) -> None:
    with ExitStack() as opened:
        idle = [opened.enter_context(socket.create_connection(("127.0.0.1", limited.port))) for _ in range(12)]
        for one in idle:
            one.settimeout(IDLE + 60)
            assert one.recv(1) == b""
        assert limited.rows("SELECT 1") == [(1,)]
