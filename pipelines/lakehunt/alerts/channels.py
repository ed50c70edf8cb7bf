"""Where alerts go: the `alerts` section of the configuration. Imports no Spark.

alerts:
  evidence: "lakehunt findings --hunt {hunt_id} --as-of {as_of}"   # where to see the events; part of every alert
  channels:
    soc:   {webhook: "https://soc.example/hooks/lakehunt", secret: env:SOC_WEBHOOK_SECRET}
    slack: {notify: env:SLACK_URL}                   # any address that Apprise knows: Slack, Teams, e-mail, ...
    siem:  {ocsf: /var/log/lakehunt/findings.ndjson}
    lake:  {ocsf: "https://siem.example/ocsf", secret: env:SIEM_SECRET, kinds: [findings]}

`env:NAME` is the value of an environment variable, which keeps secrets out of the file."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehunt.alerts import ocsf
from lakehunt.alerts.alert import FAILURE, FINDINGS, WARNING, Alert, as_json, as_text, moment
from lakehunt.core import strict_yaml
from lakehunt.core.errors import LakehuntError

KINDS = (FINDINGS, FAILURE, WARNING)
TIMEOUT = 30
"""Seconds to wait for a response."""

EVIDENCE = "lakehunt findings --hunt {hunt_id} --as-of {as_of}"


class ChannelError(LakehuntError):
    """An alert that could not be delivered."""


@dataclass(frozen=True)
class Channel:
    """One receiver. `deliver` raises ChannelError, whose message contains no secret."""

    name: str
    kinds: tuple[str, ...]
    deliver: Callable[[Alert], None]


@dataclass(frozen=True)
class AlertSettings:
    """The parsed `alerts` section."""

    channels: tuple[Channel, ...] = ()
    evidence: str = EVIDENCE


# Delivering


def webhook(url: str, secret: str | None, body: Any, message_id: str) -> None:
    """Posts JSON to an address; both address and secret may be `env:NAME`.

    With a secret, it is signed per standardwebhooks.com: over the message id, the time in seconds, and the body.
    Raises ChannelError if the receiver does not accept it."""
    import requests  # noqa: PLC0415  (slow to import, and needed only to send)

    content = json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=moment).encode()
    at = str(int(time.time()))
    headers = {"Content-Type": "application/json", "webhook-id": message_id, "webhook-timestamp": at}
    if secret is not None:
        signed = hmac.new(_key(secret), f"{message_id}.{at}.".encode() + content, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(signed).decode()}"
    try:
        response = requests.post(
            resolve_env(url), data=content, headers=headers, timeout=TIMEOUT, allow_redirects=False
        )
    except requests.RequestException as error:
        raise ChannelError(f"no answer ({type(error).__name__})", "see that the receiver is up") from error
    if not response.ok or response.is_redirect:
        raise ChannelError(f"the receiver answered {response.status_code}", "see the receiver's own log")


def _webhook(url: str, secret: str | None) -> Callable[[Alert], None]:
    return lambda alert: webhook(url, secret, as_json(alert), alert.id)


def _ocsf(target: str, secret: str | None) -> Callable[[Alert], None]:
    def deliver(alert: Alert) -> None:
        records = list(ocsf.detection_findings(alert))
        place = resolve_env(target)
        if place.startswith(("http://", "https://")):
            webhook(place, secret, records, alert.id)
            return
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        try:
            with Path(place).open("a", encoding="utf-8") as file:
                file.write(lines)
        except OSError as error:
            raise ChannelError(f"cannot write {place}: {error.strerror}", "see that its folder is there") from error

    return deliver


def _notify(address: str, _: str | None) -> Callable[[Alert], None]:
    def deliver(alert: Alert) -> None:
        import apprise  # noqa: PLC0415  (knows a hundred services, and takes a second to import)

        service = apprise.Apprise()
        level = apprise.NotifyType.INFO if alert.kind == FINDINGS else apprise.NotifyType.WARNING
        if not service.add(resolve_env(address)):
            raise ChannelError("Apprise does not know this address", "see the list of services of Apprise")
        text = as_text(alert)
        if not service.notify(title=alert.title, body=text, notify_type=level, body_format=apprise.NotifyFormat.TEXT):
            raise ChannelError("the service did not take the message", "see that it is up, and its credentials")

    return deliver


_FORMS: Mapping[str, tuple[Callable[[str, str | None], Callable[[Alert], None]], Sequence[str]]] = {
    "webhook": (_webhook, KINDS),
    "notify": (_notify, KINDS),
    "ocsf": (_ocsf, (FINDINGS,)),
}
"""How a channel delivers, and which kinds it supports."""


def resolve_env(text: str) -> str:
    """The text, or for `env:NAME` the value of the environment variable. Raises ChannelError if it is not set."""
    name = text.removeprefix("env:")
    if name == text:
        return text
    if not os.environ.get(name):
        raise ChannelError(f"the environment has no {name}", "set it where alerts are sent from")
    return os.environ[name]


def _key(secret: str) -> bytes:
    """The key bytes of a secret: `whsec_` and base64 as on standardwebhooks.com, or any other text."""
    text = resolve_env(secret)
    if not text.startswith("whsec_"):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise ChannelError("the secret after whsec_ is not base64", "write it as the receiver gave it") from error


# Reading the configuration


def read(value: object, base: Path) -> AlertSettings:
    """Reads the section of the configuration; relative files are relative to `base`. Secrets are resolved when
    an alert is sent.

    Raises TypeError if it is not a mapping, YamlError with the line of an entry that cannot be used."""
    if not isinstance(value, strict_yaml.Mapping):
        raise TypeError("expected `channels`, each with a webhook, a notify or an ocsf")
    _only(value, ("evidence", "channels"))
    evidence = _evidence(value) if "evidence" in value else EVIDENCE
    named = value.get("channels")
    if named is None:
        return AlertSettings(evidence=evidence)
    if not isinstance(named, strict_yaml.Mapping):
        raise TypeError("channels: expected a name for each")
    return AlertSettings(tuple(_channel(name, named, base) for name in named), evidence)


def _evidence(section: strict_yaml.Mapping) -> str:
    """The `evidence` template; only `{hunt_id}` and `{as_of}` may occur in it."""
    text = _text(section, "evidence")
    try:
        text.format(hunt_id="", as_of="")
    except (LookupError, ValueError, AttributeError) as e:
        hint = "it may name {hunt_id} and {as_of}; write {{ and }} for braces"
        raise section.error("evidence", f"alerts: evidence is {text!r}, which cannot be filled in", hint) from e
    return text


def _channel(name: str, named: strict_yaml.Mapping, base: Path) -> Channel:
    written = named[name]
    if not isinstance(written, strict_yaml.Mapping):
        raise named.error(
            name, f"alerts: {name} is not a valid channel", "write {webhook: ...}, {notify: ...} or {ocsf: ...}"
        )
    _only(written, (*_FORMS, "secret", "kinds"))
    forms = [form for form in _FORMS if form in written]
    if len(forms) != 1:
        raise named.error(name, f"alerts: {name} needs one of {', '.join(_FORMS)}", "see docs/how-to/alerts.md")
    make, supported = _FORMS[forms[0]]
    target = _text(written, forms[0])
    if forms[0] == "ocsf" and "://" not in target and not target.startswith("env:"):
        target = str(base / target)
    secret = _text(written, "secret") if "secret" in written else None
    return Channel(name, _kinds(written, supported), make(target, secret))


def _only(section: strict_yaml.Mapping, known: Sequence[str]) -> None:
    for key in section:
        if key not in known:
            raise section.error(key, f"alerts: unknown key {key!r}", f"known keys: {', '.join(known)}")


def _text(section: strict_yaml.Mapping, key: str) -> str:
    value = section[key]
    if not isinstance(value, str) or not value.strip():
        raise section.error(key, f"alerts: {key} must be text", "see docs/how-to/alerts.md")
    return value


def _kinds(written: strict_yaml.Mapping, supported: Sequence[str]) -> tuple[str, ...]:
    kinds = written.get("kinds", list(supported))
    known = [kind for kind in kinds if kind in supported] if isinstance(kinds, list) else []
    if not isinstance(kinds, list) or not kinds or len(known) < len(kinds):
        raise written.error(
            "kinds", "alerts: kinds has one that this channel cannot send", f"of {', '.join(supported)}"
        )
    return tuple(map(str, known))
