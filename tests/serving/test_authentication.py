"""An endpoint that other machines can reach: TLS, and a directory that is asked for every password."""

from __future__ import annotations

import shutil
import signal
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehunt.lake.delta_lake import Lake
from tests.support.serving import Endpoint, serving

pytestmark = pytest.mark.slow

WHO, PASSWORD = b"uid=ana,ou=people,dc=example,dc=com", b"correct horse"


class Directory(socketserver.BaseRequestHandler):
    """As much of an LDAP server (RFC 4511) as a simple bind takes: it knows one person."""

    def handle(self) -> None:
        while message := self.request.recv(4096):
            if message[5] != 0x60:  # not a bind: the client says goodbye
                return
            simple = bytes([4, len(WHO)]) + WHO + bytes([0x80, len(PASSWORD)]) + PASSWORD
            code = 0 if simple in message else 49  # success, or invalidCredentials
            self.request.sendall(bytes([0x30, 12, 2, 1, message[4], 0x61, 7, 0x0A, 1, code, 4, 0, 4, 0]))


@pytest.fixture
def directory() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Directory) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


def keystore(folder: Path) -> Path:
    made = folder / "keystore.p12"
    options = ("-alias", "lakehunt", "-keyalg", "RSA", "-dname", "CN=localhost", "-storetype", "PKCS12")
    command = ["keytool", "-genkeypair", *options, "-keystore", str(made), "-storepass", "changeit"]
    subprocess.run(command, check=True, capture_output=True)
    return made


def rows(endpoint: Endpoint, **who: object) -> list[tuple[object, ...]]:
    return endpoint.rows("SELECT count(*) FROM bi.new_findings", **who)


@pytest.mark.skipif(not shutil.which("keytool"), reason="needs keytool, which comes with Java")
def test_who_may_come_in(hunted: Lake, directory: int, tmp_path: Path) -> None:
    server = "  spark.hadoop.hive.server2."
    settings = "\n".join(
        (
            f"{server}authentication: LDAP",
            f"{server}authentication.ldap.url: ldap://127.0.0.1:{directory}",
            f"{server}authentication.ldap.baseDN: ou=people,dc=example,dc=com",
            f'{server}use.SSL: "true"',
            f"{server}keystore.path: {keystore(tmp_path)}",
            f"{server}keystore.password: changeit",
        )
    )
    with serving(hunted.root, tmp_path, "--host", "0.0.0.0", settings=settings, end=signal.SIGINT) as endpoint:
        assert f"jdbc:hive2://0.0.0.0:{endpoint.port}/default;ssl=true" in endpoint.said
        ana = {"user": "ana", "password": PASSWORD.decode(), "use_ssl": True, "timeout": 30}
        assert rows(endpoint, **ana) == [(3,)]
        for wrong in ({"password": "wrong"}, {"password": ""}, {"user": "eve"}, {"use_ssl": False}):
            with pytest.raises(Exception):  # noqa: B017, PT011  (each has an error of its own, of TLS or of SASL)
                rows(endpoint, **(ana | wrong))
        assert rows(endpoint, **ana) == [(3,)]
