"""An endpoint that other machines can reach, with TLS and a real directory: who gets in, and where passwords go."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from lakehunt.lake.delta_lake import Lake
from tests.support.certificates import Authority
from tests.support.directory import ANA, BACKUP, SLAPADD, SLAPD, directory
from tests.support.serving import Endpoint, free_port, serving

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(not (SLAPD and SLAPADD), reason="needs slapd: apt-get install slapd"),
]

STORE = "the keystore's own"
"""The password of the file with the server's key."""


def keystore(folder: Path, certificate: Path, key: Path) -> Path:
    made = folder / "keystore.p12"
    chain = x509.load_pem_x509_certificate(certificate.read_bytes())
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    encryption = serialization.BestAvailableEncryption(STORE.encode())
    made.write_bytes(pkcs12.serialize_key_and_certificates(b"lakehunt", private, chain, None, encryption))  # type: ignore[arg-type]
    return made


def truststore(folder: Path, authority: Authority) -> Path:
    made = folder / "truststore.p12"
    trusted = [pkcs12.PKCS12Certificate(x509.load_pem_x509_certificate(authority.file.read_bytes()), b"authority")]
    encryption = serialization.BestAvailableEncryption(b"changeit")
    made.write_bytes(pkcs12.serialize_java_truststore(trusted, encryption))
    return made


def test_who_gets_in(hunted: Lake, tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    port, folder = free_port(), tmp_path / "directory"
    server = "  spark.hadoop.hive.server2."
    settings = "\n".join(
        (
            f"{server}authentication: LDAP",
            f"{server}authentication.ldap.url: ldaps://127.0.0.1:{port}",
            f"{server}authentication.ldap.baseDN: ou=people,dc=example,dc=com",
            f'{server}use.SSL: "true"',
            f"{server}keystore.path: {keystore(tmp_path, *ours.issue('endpoint'))}",
            f'{server}keystore.password: "{STORE}"',
        )
    )
    java = f"-Djavax.net.ssl.trustStore={truststore(tmp_path, ours)} -Djavax.net.ssl.trustStorePassword=changeit"
    ana = {"user": "ana", "password": ANA, "use_ssl": True, "ca_cert": str(ours.file), "timeout": 60}
    with ExitStack() as running:
        up = running.enter_context(ExitStack())
        up.enter_context(directory(folder, port, ours))
        endpoint = running.enter_context(
            serving(hunted.root, tmp_path, "--host", "0.0.0.0", settings=settings, java=java)
        )

        def comes_in(**other: object) -> bool:
            return came_in(lambda: endpoint.rows("SELECT count(*) FROM bi.new_findings", **(ana | other)))

        assert comes_in()
        wrong: dict[str, dict[str, object]] = {
            "a wrong password": {"password": "wrong"},
            "no password": {"password": ""},
            "somebody who is not in the directory": {"user": "eve"},
            "an account elsewhere in the directory": {"user": "backup", "password": BACKUP},
            "the same, by the name of its entry": {
                "user": "uid=backup,ou=machines,dc=example,dc=com",
                "password": BACKUP,
            },
            "a name that would be a longer path in the directory": {"user": "ana,ou=people"},
            "a client that does not encrypt": {"use_ssl": False, "ca_cert": None},
            "a client that does not trust this server": {"ca_cert": str(theirs.file)},
        }
        assert [case for case, other in wrong.items() if comes_in(**other)] == []
        beeline(endpoint, tmp_path, truststore(tmp_path, ours))

        up.close()
        assert not comes_in(), "the directory is down"
        with directory(folder, port, theirs):
            assert not comes_in(), "something else answers in the directory's place"
        with directory(folder, port, ours):
            assert comes_in()
    told = "".join((tmp_path / name).read_text(errors="replace") for name in ("stderr", "spark.log")) + endpoint.said
    assert [secret for secret in (ANA, BACKUP, STORE) if secret in told] == []


def came_in(ask: Callable[[], list[tuple[object, ...]]]) -> bool:
    try:
        return ask() == [(3,)]
    except Exception:  # noqa: BLE001  (each way to be refused has an error of its own: of TLS, SASL, the socket)
        return False


def beeline(endpoint: Endpoint, folder: Path, trusted: Path) -> None:
    """The client of the guide, with its password in a file."""
    password = folder / "password"
    password.write_text(ANA)
    address = (
        f"jdbc:hive2://127.0.0.1:{endpoint.port}/default;ssl=true;sslTrustStore={trusted};trustStorePassword=changeit"
    )
    tools = Path(sys.executable).parent
    asked = subprocess.run(
        [tools / "beeline", "-u", address, "-n", "ana", "-w", password, "--silent=true",
         "--outputformat=tsv2", "--showHeader=false", "-e", "SELECT count(*) FROM bi.new_findings"],
        capture_output=True, text=True, check=False, timeout=120,
        env=os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert (asked.returncode, asked.stdout.split()[-1:]) == (0, ["3"]), asked.stdout + asked.stderr
