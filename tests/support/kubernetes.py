"""What spark-submit sends to Kubernetes, kept by an endpoint that answers as an API server would whose one pod ends."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml


@dataclass
class ApiServer:
    """Where it answers, how the driver's pod shall end, and what it was sent."""

    url: str
    exit_code: int = 0
    sent: list[dict[str, Any]] = field(default_factory=list)
    _events: queue.Queue[dict[str, Any]] = field(default_factory=queue.Queue)

    def keep(self, made: dict[str, Any]) -> dict[str, Any]:
        """Keeps an object, and lets a pod run and end."""
        self.sent.append(made)
        stored = made | {"metadata": made["metadata"] | {"uid": f"uid-{len(self.sent)}", "resourceVersion": "1"}}
        if made["kind"] == "Pod":
            self._events.put({"type": "ADDED", "object": stored | {"status": {"phase": "Pending"}}})
            self._events.put({"type": "MODIFIED", "object": stored | {"status": self._ended(made)}})
        return stored

    def watched(self) -> Iterator[dict[str, Any]]:
        """What a watch is told."""
        while (event := self._events.get())["object"]["status"]["phase"] == "Pending":
            yield event
        yield event

    def _ended(self, pod: dict[str, Any]) -> dict[str, Any]:
        container = pod["spec"]["containers"][0]
        at = {"startedAt": "2026-03-10T00:00:00Z", "finishedAt": "2026-03-10T00:01:00Z"}
        reason = "Error" if self.exit_code else "Completed"
        ended = {"terminated": {"exitCode": self.exit_code, "reason": reason, **at}}
        status = {"name": container["name"], "image": container["image"], "state": ended, "ready": False}
        return {"phase": "Failed" if self.exit_code else "Succeeded", "containerStatuses": [status]}


@contextmanager
def api_server(exit_code: int = 0) -> Iterator[ApiServer]:
    """An endpoint on loopback; the driver's pod ends with this exit code."""
    kept = ApiServer("", exit_code)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self._answer(HTTPStatus.CREATED, kept.keep(self._sent()))

        def do_PATCH(self) -> None:  # an object that is applied
            self._answer(HTTPStatus.OK, kept.keep(self._sent()))

        def do_GET(self) -> None:
            if "Upgrade" in self.headers:
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, {})  # a watch without a web socket follows
            elif "watch=true" not in self.path:
                self._answer(HTTPStatus.NOT_FOUND, {"kind": "Status", "code": 404})
            else:
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Type", "application/json")
                self.send_header("Connection", "close")
                self.end_headers()
                for event in kept.watched():
                    self.wfile.write(json.dumps(event).encode() + b"\n")
                    self.wfile.flush()
                self.close_connection = True

        def log_message(self, *_: object) -> None: ...

        def _sent(self) -> dict[str, Any]:
            found: dict[str, Any] = yaml.safe_load(self.rfile.read(int(self.headers["Content-Length"])))
            return found

        def _answer(self, status: HTTPStatus, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"k8s://http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
