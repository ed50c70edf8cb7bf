"""Queries that run: how they are ended, and why."""

from __future__ import annotations

import pytest

from lakehunt.serving.kusto import errors
from lakehunt.serving.kusto.errors import KustoError
from lakehunt.serving.kusto.frames import Asked
from lakehunt.serving.kusto.memory import Memory
from lakehunt.serving.kusto.requests import Request
from lakehunt.serving.kusto.running import Queries, Query


def query(name: str) -> Query:
    return Query(Asked(name, "2026-03-10T00:00:00Z"), Request("T"))


class _Heap:
    """A heap of which this share is in use, until it is collected."""

    def __init__(self, share: float) -> None:
        self._share = share

    def share(self) -> float:
        return self._share

    def collect(self) -> None:
        self._share = 0.1


def test_a_heap_that_is_nearly_full_ends_all_queries() -> None:
    running = Queries(2)
    one, two = query("1"), query("2")
    memory, heap = Memory(running), _Heap(0.95)
    with running.entered(one):
        memory.look(_Heap(0.8))
        assert not one.stop.is_set()
        with running.entered(two):
            memory.look(heap)
            assert all(q.stop.is_set() and "E_LOW_MEMORY_CONDITION" in str(q.why) for q in (one, two))
    three = query("3")
    with running.entered(three):
        memory.look(heap)
    assert not three.stop.is_set(), "it was collected"


def test_no_more_than_may_run() -> None:
    running = Queries(1)
    with running.entered(query("1")), pytest.raises(KustoError, match="Capacity: 1"), running.entered(query("2")):
        pass
    with running.entered(query("3")):
        assert [shown.client_request_id for shown in running.shown()] == ["3"]


def test_the_first_reason_counts() -> None:
    running = Queries(1)
    one = query("1")
    with running.entered(one):
        assert running.cancel("1", "too dear")
        running.stop()
    assert one.why is not None
    assert "too dear" in one.why.description
    with pytest.raises(KustoError, match="is being stopped"), running.entered(query("2")):
        pass
    assert not running.cancel("1", "again")
    assert errors.stopping().status == 503
