"""Who may ask. On loopback everybody on the machine; elsewhere only who has the server's token, or a certificate of the
configured authority, and only over TLS.

A browser is no proof of who asks: any page may send requests to an address of this machine, also under a name of its
own (DNS rebinding). So a request needs a known name of the host, and one that comes from a page needs a page that is
listed under `kusto.origins`."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import socket
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lakehunt.core import credentials
from lakehunt.core.errors import LakehuntError, UsageError
from lakehunt.serving import endpoint
from lakehunt.serving.endpoint import Address
from lakehunt.serving.kusto.errors import forbidden, unauthorized
from lakehunt.serving.settings import KustoSettings

TOKEN = "LAKEHUNT_KUSTO_TOKEN"  # noqa: S105 (the name of a variable)
"""The environment variable with the token."""

SHORTEST = 16
"""Characters of a token."""

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Access:
    """`token` is the digest of the token, None if there is none; `hosts` are known names, None: any."""

    token: bytes | None
    hosts: frozenset[str] | None
    origins: frozenset[str]

    def check(self, headers: Mapping[str, str]) -> None:
        """Raises KustoError (401, 403) unless a request with these headers may be answered."""
        self.check_place(headers)
        if self.token is None:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(_digest(given.strip()), self.token):
            raise unauthorized()

    def check_place(self, headers: Mapping[str, str]) -> None:
        """Raises KustoError (403) for a request to a name that is not this server's, or from a page that is not
        listed."""
        host = _without_port(headers.get("host", "")).lower()
        if self.hosts is not None and host not in self.hosts:
            raise forbidden(f"'{host[:80]}' is not a name of this server: list it under `kusto.hosts`")
        origin = headers.get("origin")
        if origin is not None and origin not in self.origins:
            raise forbidden(f"pages of {origin[:80]} may not ask this server: list it under `kusto.origins`")
        if origin is None and headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise forbidden("other pages may not ask this server")


def check(address: Address, settings: KustoSettings) -> Access:
    """What a server at this address checks. Needs no Spark.

    Raises UsageError if other machines can reach it and clients need not prove who they are, or would send their token
    in the clear; LakehuntError for a token or a file that cannot be used, and if the port is taken."""
    try:
        is_loopback = address.is_loopback
    except socket.gaierror as error:
        what = f"no address of this machine: {address.host} ({error.strerror})"
        raise UsageError(what, "name one: --host") from error
    token = _token(settings)
    for name in ("certificate", "key", "client_ca"):
        file = getattr(settings, name)
        if file is not None and not file.is_file():
            raise LakehuntError(f"kusto.{name}: there is no file {file}", "see docs/how-to/kusto-clients.md")
    _check_certificate(settings)
    if not is_loopback:
        _check_open(address, settings, token)
    endpoint.check_free(address)
    origins = frozenset(settings.origins)
    return Access(None if token is None else _digest(token), _hosts(address, settings), origins)


def _check_certificate(settings: KustoSettings) -> None:
    if settings.certificate is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(settings.certificate, settings.key, password="")
        if settings.client_ca is not None:
            context.load_verify_locations(settings.client_ca)
    except (ssl.SSLError, OSError) as error:
        hint = "certificate and client_ca are PEM files, and key is the certificate's, in PEM and without a password"
        raise LakehuntError(f"kusto: the files for TLS cannot be used: {error}", hint) from error


def _check_open(address: Address, settings: KustoSettings, token: str | None) -> None:
    elsewhere = f"other machines can reach {address.host}"
    if token is None and settings.client_ca is None:
        raise UsageError(
            f"{elsewhere}, and clients need not prove who they are",
            f"set kusto.token_file or {TOKEN}, or kusto.client_ca (docs/how-to/kusto-clients.md), "
            "or serve on 127.0.0.1",
        )
    if settings.certificate is None:
        raise UsageError(
            f"{elsewhere}, and clients would send their token without encryption",
            "set kusto.certificate and kusto.key (docs/how-to/kusto-clients.md), or serve on 127.0.0.1 behind a proxy",
        )


def _token(settings: KustoSettings) -> str | None:
    """The token from the environment, or else from the file."""
    named = os.environ.get(TOKEN)
    if named is None and settings.token_file is None:
        return None
    token = named if named is not None else _from_file(settings.token_file)
    where = TOKEN if named is not None else f"kusto.token_file, {settings.token_file},"
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise LakehuntError(
            f"{where} is not a token: it needs {SHORTEST} or more printable characters and no spaces",
            "make one: openssl rand -hex 32",
        )
    credentials.hide([token])
    return token


def _from_file(file: Path | None) -> str:
    assert file is not None
    try:
        mode, text = file.stat().st_mode, file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not ASCII"
        raise LakehuntError(
            f"kusto.token_file {file} cannot be read: {why}", "make one: openssl rand -hex 32"
        ) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise LakehuntError(f"other users can read kusto.token_file {file}", f"make it yours alone: chmod 600 {file}")
    return text


def _hosts(address: Address, settings: KustoSettings) -> frozenset[str] | None:
    """The names that requests may use: what is configured, and where the server listens."""
    known = {name.lower() for name in settings.hosts}
    own = address.host.lower()
    if address.is_loopback:
        return frozenset((*known, *_LOOPBACK, _bracketed(own)))
    if not known:
        return None  # all that ask have proved who they are
    return frozenset((*known, _bracketed(own)))


def _bracketed(host: str) -> str:
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host


def _without_port(host: str) -> str:
    """The name in a `Host` header."""
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]


def _digest(token: str) -> bytes:
    """Of equal length for all tokens, so that comparing takes the same time."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
