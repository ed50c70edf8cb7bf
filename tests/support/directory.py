"""A real LDAP server: OpenLDAP's slapd, which Debian has as a package, with TLS, on a port of this machine."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.certificates import Authority

SLAPD, SLAPADD = shutil.which("slapd", path="/usr/sbin:/usr/bin"), shutil.which("slapadd", path="/usr/sbin:/usr/bin")

ANA, BACKUP = "correct-horse-battery", "staple-42-staple"
"""Passwords: ana is a person, backup an account of a machine, elsewhere in the directory."""

_CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
disallow bind_anon
database mdb
suffix "dc=example,dc=com"
directory {folder}/data
"""

_ENTRIES = f"""\
dn: dc=example,dc=com
objectClass: domain
dc: example

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: ou=machines,dc=example,dc=com
objectClass: organizationalUnit
ou: machines

dn: uid=ana,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: ana
cn: Ana
sn: Analyst
userPassword: {ANA}

dn: uid=backup,ou=machines,dc=example,dc=com
objectClass: inetOrgPerson
uid: backup
cn: Backup
sn: Machine
userPassword: {BACKUP}
"""


@contextmanager
def directory(folder: Path, port: int, authority: Authority) -> Iterator[None]:
    """The server, with a certificate of this authority, until the end of the block; its folder may exist already."""
    assert SLAPD is not None
    assert SLAPADD is not None
    folder.mkdir(exist_ok=True)
    certificate, key = authority.issue("directory")
    configuration = folder / "slapd.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, certificate=certificate, key=key))
    if not (folder / "data").exists():
        (folder / "data").mkdir()
        entries = folder / "entries.ldif"
        entries.write_text(_ENTRIES)
        subprocess.run([SLAPADD, "-f", configuration, "-l", entries], check=True, capture_output=True)
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen(
            [SLAPD, "-d", "0", "-f", configuration, "-h", f"ldaps://127.0.0.1:{port}"], stderr=log, stdout=log
        )
    try:
        _wait(server, port, folder / "log")
        yield
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(300):
        assert server.poll() is None, log.read_text()
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.1)
    raise AssertionError(f"slapd does not listen: {log.read_text()}")
