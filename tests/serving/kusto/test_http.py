"""The server over HTTP and TLS, with requests that need no Spark: commands, refusals, and what is hostile."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from lakehunt.config import Config
from lakehunt.runtime.limits import Limits
from lakehunt.serving.kusto import access, connections
from lakehunt.serving.settings import KustoSettings
from tests.support.certificates import Authority
from tests.support.kusto import Kusto, kusto

PAGE = "https://dataexplorer.azure.com"
SECRET = "a-token-of-32-characters-or-more"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kusto]:
    """On loopback, without a token; for one page."""
    lake = str(tmp_path_factory.mktemp("http") / "lake")
    with kusto(
        Config(lake=lake, kusto=KustoSettings(origins=(PAGE,)), limits=Limits(kusto_request_bytes=10_000))
    ) as one:
        yield one


def test_a_command(plain: Kusto) -> None:
    assert [row[0] for row in plain.show(".show databases")] == ["lakehunt"]


def test_the_headers_of_an_answer(plain: Kusto) -> None:
    one = plain.post("/v1/rest/mgmt", ".show version", {"x-ms-client-request-id": "hunter;1"})
    two = plain.post("/v1/rest/mgmt", ".show version")
    assert one.headers["x-ms-client-request-id"] == "hunter;1"
    assert two.headers["x-ms-client-request-id"].startswith("unspecified;")
    assert one.headers["x-ms-activity-id"] != two.headers["x-ms-activity-id"]
    assert one.headers["Content-Type"] == "application/json; charset=utf-8"
    assert one.headers["Cache-Control"] == "no-store"


def test_grafanas_check_asks_a_command_as_a_query(plain: Kusto) -> None:
    answer = plain.post("/v1/rest/query", ".show databases schema", db="lakehunt", querySource="")
    table = answer.json()["Tables"][0]
    assert [c["ColumnName"] for c in table["Columns"]][:2] == ["DatabaseName", "TableName"]
    assert ["lakehunt", "findings_all", "severity"] in [row[:3] for row in table["Rows"]]
    assert plain.rows(".show databases")[0][0] == "lakehunt"


def test_long_answers_are_compressed_for_who_takes_it(plain: Kusto) -> None:
    body = {"csl": ".show databases schema"}
    raw = requests.post(
        f"{plain.url}/v1/rest/mgmt", json=body, headers={"Accept-Encoding": "gzip"}, stream=True, timeout=60
    ).raw.read(decode_content=False)
    plainly = requests.post(f"{plain.url}/v1/rest/mgmt", json=body, headers={"Accept-Encoding": "identity"}, timeout=60)
    assert json.loads(gzip.decompress(raw)) == plainly.json()
    assert len(raw) * 4 < len(plainly.content)


def test_paths_that_need_no_proof(plain: Kusto) -> None:
    assert requests.get(f"{plain.url}/health", timeout=60).json() == {"status": "ok"}
    assert requests.get(f"{plain.url}/v1/rest/ping", timeout=60).status_code == 200
    # where to log in: clients take 404 for "as in the public cloud", and need not ask if they have a token
    assert requests.get(f"{plain.url}/v1/rest/auth/metadata", timeout=60).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("POST", "/v1/rest/ingest/lakehunt/T", 404), ("PUT", "/v1/rest/mgmt", 405),
     ("POST", "/v1/rest/../../etc/passwd", 404), ("POST", "/v2/rest/mgmt", 404), ("DELETE", "/v2/rest/query", 405)],
)  # fmt: skip
def test_a_path_that_there_is_not(plain: Kusto, method: str, path: str, status: int) -> None:
    answer = requests.request(method, plain.url + path, timeout=60)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == "NotFound"


def test_errors_before_spark(plain: Kusto) -> None:
    error = plain.error("print 1", db="other")
    assert error["code"] == "BadRequest_EntityNotFound"
    assert error["@context"]["clientRequestId"].startswith("unspecified;")
    assert error["@permanent"] is True
    assert plain.error("  ")["code"] == "BadRequest"
    assert plain.error("print 1", path="/v1/rest/mgmt")["code"] == "BadRequest_CommandNotSupported"
    assert plain.error(".drop table X", path="/v1/rest/mgmt")["code"] == "BadRequest_CommandNotSupported"


def test_an_error_of_a_query_has_its_place(plain: Kusto) -> None:
    """It is compiled before Spark is asked for."""
    unknown = plain.error("DeviceProcessEvents\n| where Filename == 'cmd.exe'")
    assert unknown["code"] == "General_BadRequest"
    assert "Semantic error: SEM0100: " in unknown["@message"]
    assert "[line:position=2:9]" in unknown["@message"]
    assert (unknown["@line"], unknown["@pos"]) == (2, 9)
    assert unknown["innererror"]["code"] == unknown["innererror"]["@errorCode"] == "SEM0100"
    assert unknown["innererror"]["@type"] == "Kusto.Data.Exceptions.SemanticException"
    syntax = plain.error("DeviceProcessEvents | where (")
    assert (syntax["@type"], syntax["innererror"]["code"]) == ("Kusto.Data.Exceptions.SyntaxException", "SYN0002")
    function = plain.error("print no_such_function(1)")
    assert function["innererror"]["@type"] in (
        "Kusto.Data.Exceptions.SemanticException", "Kusto.Data.Exceptions.KustoBadRequestException"
    )  # fmt: skip
    table = plain.error("NoSuchTable | count")
    assert "SEM0100" in table["@message"]


# Limits of requests


def test_a_body_that_is_too_long(plain: Kusto) -> None:
    assert plain.error("print " + "1" * 20_000, status=413)["code"] == "RequestEntityTooLarge"
    many = requests.post(f"{plain.url}/v1/rest/mgmt", data=(b" " * 1000 for _ in range(50)), timeout=60)
    assert many.status_code == 413


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"csl": 5}', b"[" * 5_000])
def test_a_body_that_is_none(plain: Kusto, body: bytes) -> None:
    answer = requests.post(f"{plain.url}/v2/rest/query", data=body, timeout=60)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")


def test_a_compressed_body(plain: Kusto) -> None:
    """A small one could unpack to anything."""
    body = gzip.compress(b'{"csl": ".show tables"}')
    answer = requests.post(f"{plain.url}/v1/rest/mgmt", data=body, headers={"Content-Encoding": "gzip"}, timeout=60)
    assert answer.status_code == 400


def test_a_body_that_does_not_come(plain: Kusto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READING", 0.2)
    host, port = plain.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as slow:
        slow.sendall(b"POST /v1/rest/mgmt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        assert b"400" in slow.recv(4096).splitlines()[0]


@pytest.mark.parametrize("sent", [b"", b"G", b"POST /v1/rest/mgmt HTTP/1.1\r\nHost: localhost\r\nA: "])
def test_a_head_that_does_not_come(plain: Kusto, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    """An idle connection ends: it is closed, or reset."""
    monkeypatch.setattr(connections, "READING", 0.2)
    host, port = plain.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as slow:
        slow.sendall(sent)
        with suppress(ConnectionResetError):
            assert slow.recv(4096) == b""


def test_a_connection_is_kept_for_the_next_request(plain: Kusto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READING", 0.2)
    one = http.client.HTTPConnection(plain.url.removeprefix("http://"), timeout=60)
    one.connect()
    first = one.sock
    for _ in range(2):
        one.request("GET", "/health")
        assert one.getresponse().read() == b'{"status":"ok"}'
        time.sleep(0.5)
    assert one.sock is first
    one.close()


def test_what_is_no_http(plain: Kusto) -> None:
    host, port = plain.url.removeprefix("http://").split(":")
    for sent in (b"\x16\x03\x01\x00\xff" * 100, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20_000, b"\r\n" * 1000):
        with socket.create_connection((host, int(port)), timeout=60) as other:
            other.sendall(sent)
            other.shutdown(socket.SHUT_WR)
            try:
                while other.recv(65536):
                    pass
            except ConnectionResetError:
                pass
    assert plain.show(".show version")


# Browsers


def test_names_and_pages(plain: Kusto) -> None:
    assert plain.post("/v1/rest/mgmt", ".show tables", {"Host": "evil.example"}).status_code == 403
    assert plain.post("/v1/rest/mgmt", ".show tables", {"Origin": "https://evil.example"}).status_code == 403
    assert requests.get(f"{plain.url}/health", headers={"Host": "evil.example"}, timeout=60).status_code == 403
    listed = plain.post("/v1/rest/mgmt", ".show tables", {"Origin": PAGE})
    assert (listed.status_code, listed.headers["Access-Control-Allow-Origin"]) == (200, PAGE)


def test_what_a_browser_asks_before(plain: Kusto) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-ms-client-request-id",
        "Access-Control-Request-Private-Network": "true",
    }
    allowed = requests.options(f"{plain.url}/v2/rest/query", headers=asked | {"Origin": PAGE}, timeout=60)
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == PAGE
    assert "authorization" in allowed.headers["Access-Control-Allow-Headers"].lower()
    assert allowed.headers["Access-Control-Allow-Private-Network"] == "true"
    other = requests.options(
        f"{plain.url}/v2/rest/query", headers=asked | {"Origin": "https://evil.example"}, timeout=60
    )
    assert "Access-Control-Allow-Origin" not in other.headers


# Token and TLS


def test_a_token_over_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(access.TOKEN, SECRET)
    with kusto(Config(lake=str(tmp_path / "lake"))) as one:
        refused = one.post("/v1/rest/mgmt", ".show tables", {"Authorization": "Bearer wrong"})
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert refused.json()["error"]["code"] == "Unauthorized"
        assert SECRET not in refused.text
        # it is refused before its body is read
        assert one.post("/v2/rest/query", "x" * 20_000_000).status_code == 401
        allowed = one.post("/v1/rest/mgmt", ".show tables", {"Authorization": f"Bearer {SECRET}"})
        assert allowed.status_code == 200
        assert requests.get(f"{one.url}/health", timeout=60).status_code == 200


def test_mutual_tls(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    certificate, key = ours.issue("server")
    settings = KustoSettings(certificate=certificate, key=key, client_ca=ours.file)
    with kusto(Config(lake=str(tmp_path / "lake"), kusto=settings), scheme="https") as one:

        def status(client: tuple[Path, Path] | None) -> int:
            cert = (str(client[0]), str(client[1])) if client else None
            return requests.post(
                f"{one.url}/v1/rest/mgmt", json={"csl": ".show tables"}, cert=cert, verify=str(ours.file), timeout=60
            ).status_code

        assert status(ours.issue("hunter")) == 200
        for stranger in (None, theirs.issue("stranger")):
            with pytest.raises((requests.exceptions.SSLError, requests.exceptions.ConnectionError)):
                status(stranger)


def test_a_server_that_was_stopped_answers_no_more(tmp_path: Path) -> None:
    with kusto(Config(lake=str(tmp_path / "lake"))) as one:
        assert one.show(".show version")
    with pytest.raises(requests.exceptions.ConnectionError):
        one.show(".show version")
