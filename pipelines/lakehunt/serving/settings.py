"""The `kusto` section of the configuration: how `lakehunt serve --kusto` is reached. Imports no Spark.

kusto:
  database: lakehunt                        # the name of the lake's database
  token_file: /etc/lakehunt/kusto-token     # what clients send as a bearer token; or $LAKEHUNT_KUSTO_TOKEN
  certificate: /etc/lakehunt/server.pem     # TLS: the server's certificate and its chain
  key: /etc/lakehunt/server.key             # its private key, which needs no password
  client_ca: /etc/lakehunt/clients.pem      # mutual TLS: clients need a certificate of this authority
  origins: [https://dataexplorer.azure.com] # pages that a browser lets ask
  hosts: [lakehunt.example.com]             # names by which clients reach it, besides the one it listens on
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehunt.core import strict_yaml

_PLACES = ("token_file", "certificate", "key", "client_ca")
_LISTS = ("origins", "hosts")
KEYS = ("database", *_PLACES, *_LISTS)

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}")
_DATABASE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True)
class KustoSettings:
    """The section; files are absolute, and None where there is none."""

    database: str = "lakehunt"
    token_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


def read(value: object, base: Path) -> KustoSettings:
    """Reads the section; relative files count from `base`.

    Raises TypeError if it is not a mapping, YamlError with the line of an invalid entry."""
    if not isinstance(value, strict_yaml.Mapping):
        raise TypeError(f"expected a mapping of {', '.join(KEYS)}")
    found: dict[str, Any] = {}
    for key in value:
        if key not in KEYS:
            raise value.error(key, f"kusto: unknown key {key!r}", f"known keys: {', '.join(KEYS)}")
        found[key] = _list(value, key) if key in _LISTS else _text(value, key)
    if "database" in found and not _DATABASE.fullmatch(found["database"]):
        raise value.error("database", "kusto: database is not a name", "write letters, digits, and _ . - between them")
    for name in _PLACES:
        if name in found:
            found[name] = base / found[name]
    _check_pairs(value)
    return KustoSettings(**found)


def _check_pairs(section: strict_yaml.Mapping) -> None:
    for one, other in (("certificate", "key"), ("key", "certificate"), ("client_ca", "certificate")):
        if one in section and other not in section:
            raise section.error(one, f"kusto: {one} needs {other}", "TLS needs certificate and key")


def _text(section: strict_yaml.Mapping, key: str) -> str:
    text = section[key]
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise section.error(key, f"kusto: {key} is {text!r}", "write text")
    return text


def _list(section: strict_yaml.Mapping, key: str) -> tuple[str, ...]:
    form, example = (_ORIGIN, "https://dataexplorer.azure.com") if key == "origins" else (_HOST, "lakehunt.example.com")
    found: Any = section[key]
    wrong = not isinstance(found, list) or any(not isinstance(one, str) or not form.fullmatch(one) for one in found)
    if wrong:
        raise section.error(key, f"kusto: {key} is not a list of such entries", f"write for example [{example}]")
    return tuple(found)
