"""HTTP: the paths of Kusto's REST protocol, over Starlette and uvicorn (the extra `lakehunt[kusto]`).

| path                        | what                                                             |
| --------------------------- | ---------------------------------------------------------------- |
| POST, GET /v2/rest/query    | a query; or a command, as Grafana sends it                       |
| POST, GET /v1/rest/query    | the same, answered in version 1                                  |
| POST, GET /v1/rest/mgmt     | a command                                                        |
| GET /v1/rest/ping, /health  | whether the server answers: needs no token                       |

GET /v1/rest/auth/metadata, by which clients ask where to log in, is answered with 404: there is no such place."""

from __future__ import annotations

import asyncio
import gzip
import math
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from lakehunt.config import Config
from lakehunt.core.errors import LakehuntError
from lakehunt.core.progress import Progress
from lakehunt.kql import times
from lakehunt.live.lake import LiveLake
from lakehunt.runtime.error_text import describe
from lakehunt.serving import endpoint
from lakehunt.serving.endpoint import Address
from lakehunt.serving.kusto import connections, errors, frames, requests, tables
from lakehunt.serving.kusto.access import Access
from lakehunt.serving.kusto.answering import Answers, is_command
from lakehunt.serving.kusto.connections import Connection
from lakehunt.serving.kusto.errors import KustoError
from lakehunt.serving.kusto.frames import Asked, Table
from lakehunt.serving.kusto.requests import Request
from lakehunt.serving.kusto.running import Queries, Query

_JSON = "application/json; charset=utf-8"

CONNECTIONS = 500
"""At the same time; a further one is answered with the status 503."""

_COMPRESSED = 1024
"""Bytes from which an answer is compressed, if the client accepts that."""

_STOPPING = 20.0
"""Seconds that queries have to end when the server is stopped."""

V1, V2, COMMAND = "v1", "v2", "mgmt"


@dataclass(frozen=True)
class _Answer:
    """A status and a body."""

    status: int
    body: bytes


class App:
    """The paths and what they answer."""

    def __init__(self, config: Config, lake: LiveLake, access: Access, say: Progress) -> None:
        self._most_bytes = config.limits.kusto_request_bytes
        self._access = access
        self._say = say
        self.queries = Queries(config.limits.kusto_queries)
        self._answers = Answers(config, lake, self.queries)
        # One more than queries may run: the next one is told so, and commands need not wait.
        self._threads = ThreadPoolExecutor(config.limits.kusto_queries + 4, "lakehunt-kusto")
        origins = config.kusto.origins
        # Azure Data Explorer's page asks with credentials, and from the internet for what is on this machine.
        cors = Middleware(
            CORSMiddleware, allow_origins=origins, allow_credentials=True, allow_methods=["GET", "POST"],
            allow_headers=["*"], expose_headers=["x-ms-client-request-id", "x-ms-activity-id"],
            allow_private_network=True, max_age=600,
        )  # fmt: skip
        both = ["GET", "POST"]
        routes = [
            Route("/v1/rest/query", self._endpoint(V1), methods=both),
            Route("/v2/rest/query", self._endpoint(V2), methods=both),
            Route("/v1/rest/mgmt", self._endpoint(COMMAND), methods=both),
            Route("/v1/rest/ping", self._health),
            Route("/health", self._health),
        ]
        self.asgi = Starlette(
            routes=routes,
            middleware=[cors] if origins else [],
            exception_handlers={404: self._unknown, 405: self._unknown},
        )

    def close(self) -> None:
        """Ends all queries."""
        self.queries.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    # Paths

    async def _health(self, http: HttpRequest) -> Response:
        asked = Asked(_id(http.headers), _now())
        try:
            self._access.check_place(http.headers)
        except KustoError as error:
            return _response(asked, error.status, frames.failure(asked, error), http.headers)
        body = b'"Pong!"' if http.url.path.endswith("ping") else b'{"status":"ok"}'
        return _response(asked, 200, body, http.headers)

    async def _unknown(self, http: HttpRequest, error: Exception) -> Response:
        asked = Asked(_id(http.headers), _now())
        status = getattr(error, "status_code", 404)
        found = errors.not_found(f"there is no {http.method} {http.url.path[:200]}")
        return _response(asked, status, frames.failure(asked, found), http.headers)

    def _endpoint(self, form: str) -> Callable[[HttpRequest], Awaitable[Response]]:
        async def answer(http: HttpRequest) -> Response:
            asked = Asked(_id(http.headers), _now())
            try:
                self._access.check(http.headers)
                request = await self._read(http)
                asked = replace(asked, client_request_id=request.client_request_id)
                found = await self._answered(http, asked, request, form)
            except KustoError as error:
                found = _Answer(error.status, frames.failure(asked, error))
            except Exception as error:  # noqa: BLE001 (whatever a request raises, the server goes on)
                self._say(f"a request failed: {describe(error)}")
                found = _Answer(520, frames.failure(asked, errors.failed(describe(error))))
            return await asyncio.to_thread(_response, asked, found.status, found.body, http.headers)

        return answer

    async def _read(self, http: HttpRequest) -> Request:
        if http.method == "GET":
            return requests.of(dict(http.query_params), http.headers)
        if http.headers.get("content-encoding", "identity") != "identity":
            raise errors.bad_request("the body of a request is not to be compressed")
        body = bytearray()
        try:
            async with asyncio.timeout(connections.READING):
                async for part in http.stream():
                    body += part
                    if len(body) > self._most_bytes:
                        raise errors.too_long(self._most_bytes)
        except TimeoutError:
            raise errors.bad_request(f"the request did not arrive within {connections.READING:g} s") from None
        except ClientDisconnect:
            raise errors.bad_request("the client closed the connection") from None
        return requests.read(bytes(body), http.headers)

    async def _answered(self, http: HttpRequest, asked: Asked, request: Request, form: str) -> _Answer:
        """Answers in a thread; if the client goes away, its query is cancelled."""
        self._answers.check(request)
        query = Query(asked, request)
        work = asyncio.get_running_loop().run_in_executor(self._threads, self._work, query, form)
        gone = asyncio.create_task(_disconnected(http))
        try:
            first: set[asyncio.Future[Any]] = {work, gone}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                query.end(errors.cancelled("the client closed the connection"))
            body = await work
        finally:
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone
        return _Answer(200, body)

    def _work(self, query: Query, form: str) -> bytes:
        request = query.request
        if form != COMMAND and not is_command(request.text):
            with self.queries.entered(query):
                table, render = self._answers.query(query)
                return _encoded(query, table, render, form)
        shown = self._answers.command(request)
        if not shown.piped:
            return _encoded(query, shown.table, "", form)
        with self.queries.entered(query):
            return _encoded(query, self._answers.filtered(shown, query), "", form)


def _encoded(query: Query, table: Table, render: str, form: str) -> bytes:
    if form == COMMAND:
        return frames.command(table)
    drawn, options = frames.visualization(render), query.request.options
    if form == V1:
        return frames.version_1(query.asked, table, drawn)
    return frames.version_2(query.asked, table, drawn, options.fragmented, options.errors_at_end, options.defer_errors)


async def _disconnected(http: HttpRequest) -> None:
    """Returns once the client has closed the connection."""
    while (await http.receive())["type"] != "http.disconnect":
        pass


def _response(asked: Asked, status: int, body: bytes, headers: Mapping[str, str]) -> Response:
    sent = {
        "Content-Type": _JSON,
        "x-ms-client-request-id": asked.client_request_id,
        "x-ms-activity-id": asked.activity_id,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    if status == 401:
        sent["WWW-Authenticate"] = "Bearer"
    if len(body) >= _COMPRESSED and "gzip" in headers.get("accept-encoding", ""):
        sent |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        body = gzip.compress(body, 4)
    return Response(body, status, sent)


def _id(headers: Mapping[str, str]) -> str:
    """The client request id of a request whose body is not read (yet)."""
    return requests.of({"csl": ""}, headers).client_request_id


def _now() -> str:
    return times.format_datetime(times.from_datetime(datetime.now(UTC)))


# The server


def serve(config: Config, address: Address, access: Access, say: Progress, on_ready: Callable[[Address], None]) -> None:
    """Serves clients until the process gets SIGINT or SIGTERM.

    `on_ready` is called once clients can connect; Spark starts meanwhile.
    Raises LakehuntError if the server does not start, or stops by itself."""
    lake = LiveLake(tables.with_own_tables(_with_defaults(config)), idle=math.inf)
    failures: list[LakehuntError] = []
    starting = threading.Thread(target=_start, args=(lake, say, failures), name="lakehunt-begin", daemon=True)
    starting.start()
    try:
        with endpoint.stop_signal() as stop, listening(config, address, lake, access, say) as thread:
            on_ready(address)
            while not stop.wait(_WATCHED):
                if failures:
                    raise failures[0]
                if not thread.is_alive():
                    raise LakehuntError("the server has ended by itself", "start it again")
            say("stopping")
    finally:
        lake.close()


def _start(lake: LiveLake, say: Progress, failures: list[LakehuntError]) -> None:
    """Starts Spark. A server without it is of no use: whatever supervises the process may start it again."""
    try:
        with lake.session.spark():
            say("Spark has started")
    except LakehuntError as error:
        failures.append(error)


@contextmanager
def listening(
    config: Config, address: Address, lake: LiveLake, access: Access, say: Progress
) -> Iterator[threading.Thread]:
    """A server in a thread of its own, until the end of the block, which ends all queries. `lake` is one of a
    configuration that `tables.with_own_tables` gives.

    Raises LakehuntError if it does not start."""
    app = App(config, lake, access, say)
    server = uvicorn.Server(_settings(config, address, app))
    thread = threading.Thread(target=server.run, name="lakehunt-http", daemon=True)
    thread.start()
    try:
        while thread.is_alive() and not server.started:
            time.sleep(0.02)
        if not server.started:
            raise LakehuntError(f"cannot listen on {address}", "choose another --port or --host")
        yield thread
    finally:
        app.close()
        server.should_exit = True
        thread.join(_STOPPING)


_WATCHED = 1.0
"""Seconds after which the end of the server is noticed."""


def _with_defaults(config: Config) -> Config:
    """A result that takes more of the JVM's memory than this fails, and not the server."""
    return replace(config, spark={"spark.driver.maxResultSize": "256m"} | dict(config.spark))


def _settings(config: Config, address: Address, app: App) -> uvicorn.Config:
    of = config.kusto
    tls = {} if of.certificate is None else {"ssl_certfile": str(of.certificate), "ssl_keyfile": str(of.key)}
    mutual = {} if of.client_ca is None else {"ssl_ca_certs": str(of.client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    settings: dict[str, Any] = {**tls, **mutual}
    return uvicorn.Config(
        app.asgi,
        host=address.host,
        port=address.port,
        http=Connection,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=connections.KEPT,
        timeout_graceful_shutdown=round(_STOPPING / 2),
        **settings,
    )
