"""Keeps credentials out of errors: those inside of addresses, and values of the configuration that are secrets.

Every `LakehuntError` and every described error of Spark or Java goes through `redacted`, so logs, tables of runs,
alerts and pages that show an error show none. Data are never changed: what a query finds is shown as it is.
(lakehunt/alerts/redaction.py is about command lines, which leave the lake in alerts.)"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import quote, quote_plus, unquote

REDACTED = "[redacted]"

SHORTEST = 6
"""Shorter text is not taken for a credential: `?raw=true`, `&v=12`."""

_SCHEME = r"\b[a-z][a-z0-9+.-]{0,30}://"
_END = r"\s\"'`<>"

_ADDRESS = re.compile(rf"{_SCHEME}[^{_END}]+", re.IGNORECASE)

_PAIR = re.compile(rf"(?P<start>{_SCHEME})(?P<secret>[^/?#@:]*:.*)@", re.IGNORECASE)
"""key:secret@, up to the last @, as a secret may hold one; abfss://container@account has no secret."""

_TOKEN = re.compile(r"(?P<start>(?:https?|ftps?)://)(?P<secret>[^/?#@:]+)@", re.IGNORECASE)

_VALUE = re.compile(r"(?P<start>[?&;#](?:[\w.-]{1,40}=(?=[^=&;#]))?)(?P<secret>[^&;#]*)")
"""?name=value&name=value, and Kusto's ;key after an address, which may end in = as base64 does."""

_PUBLIC = re.compile(r";(?:impersonate|managed_identity=[^&;]*)$", re.IGNORECASE)

_hidden: dict[str, None] = {}
"""Values that this process has been told to hide, as Airflow and CI systems do it."""


def hide(values: Iterable[str]) -> None:
    """Redacts these values from now on, wherever an error has them, in any encoding that an address may have."""
    for value in values:
        if len(value) >= SHORTEST:
            _hidden.update(
                dict.fromkeys((value, quote(value), quote(value, safe=""), quote_plus(value), unquote(value)))
            )


def hide_addresses_of(texts: Iterable[str]) -> None:
    """Hides the credentials of all addresses in these texts."""
    found: list[str] = []

    def note(secret: str) -> str:
        found.append(secret)
        return secret

    for text in texts:
        _without(text, note)
    hide(part for secret in found for part in (secret, secret.partition(":")[2]))


def redacted(text: str) -> str:
    """The text without credentials."""
    return _without(_known_replaced(text, lambda secret: REDACTED), lambda secret: REDACTED)


def masked(text: str) -> str:
    """The text with every character of a credential as `*`, for text that has a line of marks below it."""
    return _without(_known_replaced(text, _stars), _stars)


def _stars(secret: str) -> str:
    return "*" * len(secret)


def _known_replaced(text: str, by: Callable[[str], str]) -> str:
    for value in sorted(_hidden, key=len, reverse=True):
        if value in text:
            text = text.replace(value, by(value))
    return text


def _without(text: str, by: Callable[[str], str]) -> str:
    return _ADDRESS.sub(lambda found: _address(found[0], by), text)


def _address(address: str, by: Callable[[str], str]) -> str:
    owner = _PAIR.match(address) or _TOKEN.match(address)
    start = f"{owner['start']}{_secret(owner['secret'], by)}" if owner else ""
    rest = address[owner.end() - 1 :] if owner else address
    cut = min((place for mark in "?;#" if (place := rest.find(mark)) >= 0), default=len(rest))
    head, tail = rest[:cut], rest[cut:]
    if not _PUBLIC.fullmatch(tail):
        tail = _VALUE.sub(lambda found: found["start"] + _value(found["secret"], by), tail)
    return start + head + tail


def _value(value: str, by: Callable[[str], str]) -> str:
    return value if len(value) < SHORTEST else _secret(value, by)


def _secret(secret: str, by: Callable[[str], str]) -> str:
    done = not secret.strip("*") or REDACTED in secret
    return secret if done else by(secret)
