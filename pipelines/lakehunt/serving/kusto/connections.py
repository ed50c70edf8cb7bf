"""Connections that end if no request comes: uvicorn waits for ever for the head of one, so that a few hundred idle
sockets would keep everybody else out."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

READING = 30.0
"""Seconds that a client may take to send the head of a request, and as many for its body."""

KEPT = 60
"""Seconds that a connection is kept between two requests."""


class Connection(H11Protocol):
    """HTTP/1.1, on a connection that ends if the head of a request takes too long."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_within(READING)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:  # the head is there
            self._expect_within(None)

    def on_response_complete(self) -> None:
        self._expect_within(KEPT + READING)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_within(None)
        super().connection_lost(exc)

    def _expect_within(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)
