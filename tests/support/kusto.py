"""The Kusto endpoint in this process, and requests to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from lakehunt.config import Config
from lakehunt.live.lake import LiveLake
from lakehunt.serving.endpoint import Address
from tests.support.serving import free_port


@dataclass(frozen=True)
class Kusto:
    """Where an endpoint listens."""

    url: str
    said: list[str]

    def post(self, path: str, csl: str, headers: Mapping[str, str] | None = None, **body: Any) -> requests.Response:
        return requests.post(self.url + path, json={"csl": csl} | body, headers=headers, timeout=60)

    def show(self, command: str) -> list[list[Any]]:
        """The rows of a command."""
        answer = self.post("/v1/rest/mgmt", command)
        assert answer.status_code == 200, answer.text
        rows: list[list[Any]] = answer.json()["Tables"][0]["Rows"]
        return rows

    def frames(self, csl: str, options: Mapping[str, Any] | None = None, **properties: Any) -> list[dict[str, Any]]:
        """The frames of a query's answer in version 2."""
        answer = self.post("/v2/rest/query", csl, properties={"Options": options or {}} | properties)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = json.loads(answer.content)
        return found

    def rows(self, csl: str, options: Mapping[str, Any] | None = None, **properties: Any) -> list[list[Any]]:
        """The rows of its primary table."""
        (table,) = (f for f in self.frames(csl, options, **properties) if f.get("TableKind") == "PrimaryResult")
        rows: list[list[Any]] = table["Rows"]
        return rows

    def error(self, csl: str, status: int = 400, path: str = "/v2/rest/query", **body: Any) -> dict[str, Any]:
        """The error that a request is answered with."""
        answer = self.post(path, csl, **body)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()["error"]
        return found


@contextmanager
def kusto(config: Config, lake: LiveLake | None = None, scheme: str = "http") -> Iterator[Kusto]:
    """An endpoint for this configuration, on loopback. Spark starts with the first query."""
    from lakehunt.serving.kusto import access, server, tables

    address = Address("127.0.0.1", free_port())
    live = lake or LiveLake(tables.with_own_tables(config))
    said: list[str] = []
    try:
        with server.listening(config, address, live, access.check(address, config.kusto), said.append):
            yield Kusto(f"{scheme}://{address}", said)
    finally:
        live.close()
    assert said == []
