"""Alerts as they are told, and receivers that are really there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lakehunt.alerts.alert import FINDINGS, Alert, Device

AT = datetime(2026, 3, 10, tzinfo=UTC)
SEEN = datetime(2026, 3, 9, 12, 30, tzinfo=UTC)


def device(name: str | None = "web01.contoso.example", *ids: str, command: str = "cmd.exe /c whoami") -> Device:
    uid = None if name is None else f"id-of-{name}"
    return Device(uid, name, ("apppool",), len(ids or ("f1",)), 7, SEEN, SEEN, (command,), ids or ("f1",))


def alert(*devices: Device) -> Alert:
    return Alert(
        FINDINGS,
        "Web shells: 1 new finding on 1 device",
        AT,
        "0b9c1c7e",
        "Web shells",
        "High",
        ("InitialAccess", "CommandAndControl"),
        ("T1190", "T1505.003"),
        devices or (device(),),
        evidence="lakehunt findings --hunt 0b9c1c7e --as-of 2026-03-10T00:00:00Z",
    )


class Receiver:
    """An HTTP server on loopback; `answer` is the status that it gives, `posts` what it was sent."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hook"
        self.answer = 204
        self.posts: list[tuple[dict[str, str], bytes]] = []


@contextmanager
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.posts.append((dict(self.headers), body))
            self.send_response(made.answer)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Receiver(server.server_port)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
