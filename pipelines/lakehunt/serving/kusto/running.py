"""The queries that run now: how many there may be, and how one is cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lakehunt.serving.kusto.errors import KustoError, cancelled, stopping, throttled
from lakehunt.serving.kusto.frames import Asked
from lakehunt.serving.kusto.management import Running
from lakehunt.serving.kusto.requests import Request


@dataclass(eq=False)
class Query:
    """A query that runs. `stop` is set once it is to end."""

    asked: Asked
    request: Request
    began: float = field(default_factory=time.monotonic)
    stop: threading.Event = field(default_factory=threading.Event)
    why: KustoError | None = None
    """The error that it ends with, if it was stopped."""

    def end(self, why: KustoError) -> None:
        """Ends it with this error. The first one counts."""
        if self.why is None:
            self.why = why
        self.stop.set()


class Queries:
    """Queries that run, at most so many. Safe to use from several threads."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._running: list[Query] = []
        self._stopping = False

    @contextmanager
    def entered(self, query: Query) -> Iterator[None]:
        """While the query runs. Raises KustoError if there are too many, or the server is being stopped."""
        with self._lock:
            if self._stopping:
                raise stopping()
            if len(self._running) >= self.most:
                raise throttled(self.most)
            self._running.append(query)
        try:
            yield
        finally:
            with self._lock:
                self._running.remove(query)

    def shown(self) -> list[Running]:
        """The queries, the oldest first."""
        with self._lock:
            running = list(self._running)
        return [_shown(query) for query in running]

    def cancel(self, client_request_id: str, reason: str) -> bool:
        """Cancels the queries with this id; whether there were any."""
        with self._lock:
            found = [query for query in self._running if query.asked.client_request_id == client_request_id]
        for query in found:
            query.end(cancelled(reason))
        return bool(found)

    def end(self, why: KustoError) -> None:
        """Ends all queries that run, with this error."""
        with self._lock:
            running = list(self._running)
        for query in running:
            query.end(why)

    def stop(self) -> None:
        """Ends all queries, and lets no other one begin."""
        with self._lock:
            self._stopping = True
        self.end(stopping())


def _shown(query: Query) -> Running:
    asked, request = query.asked, query.request
    return Running(
        asked.client_request_id,
        request.text,
        asked.at,
        time.monotonic() - query.began,
        "Cancelled" if query.stop.is_set() else "InProgress",
        request.user,
        request.application,
        asked.activity_id,
    )
