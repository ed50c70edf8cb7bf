"""The messages: new findings of a hunt, by device; a failed run; a warning."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from lakehunt.core.printable import is_hidden

FINDINGS, FAILURE, WARNING = "findings", "failure", "warning"

MOST_COMMANDS, MOST_LETTERS = 5, 500
"""Maximum command lines per device in an alert, and maximum letters of each."""


@dataclass(frozen=True)
class LateLanding:
    """When the first and the last of some late events happened, and when the last of them landed (UTC)."""

    first_seen: datetime
    last_seen: datetime
    landed_at: datetime


@dataclass(frozen=True)
class Device:
    """New findings of a hunt on one device; name and id are None if a finding's events come from several devices.

    `commands` are samples with secrets redacted. `late` is set where the findings are there because of late events."""

    device_id: str | None
    device_name: str | None
    accounts: tuple[str, ...]
    findings: int
    events: int
    first_seen: datetime | None
    last_seen: datetime | None
    commands: tuple[str, ...]
    finding_ids: tuple[str, ...]
    late: LateLanding | None = None

    @property
    def label(self) -> str:
        return self.device_name or self.device_id or "several devices"


@dataclass(frozen=True)
class Alert:
    """One message. `as_of` and all times are UTC. `text` is the problem of a failure or a warning."""

    kind: str
    title: str
    as_of: datetime
    hunt_id: str | None = None
    hunt_name: str | None = None
    severity: str | None = None
    tactics: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    text: str = ""
    evidence: str = ""
    """A command, a query or a link that leads to the events."""
    late: bool = False
    """Whether its findings were not there when their as-of was first asked, because events landed late."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of its items, each of which is sent once: its findings, or the message itself."""
        found = tuple(key for device in self.devices for key in device.finding_ids)
        about = self.as_of.isoformat() if self.kind == FAILURE else self.title  # a warning has no as-of
        return found or (digest(self.kind, self.hunt_id or "", about),)

    @property
    def id(self) -> str:
        """Derived from the content, so that a receiver can recognise an alert that is sent again."""
        return f"lakehunt-{digest(self.kind, self.hunt_id or '', *sorted(self.keys))[:32]}"


def digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def as_json(alert: Alert) -> dict[str, Any]:
    """The alert as JSON (contract: docs/how-to/alerts.md); times as `moment` formats them."""
    return {"version": 1, "id": alert.id, **asdict(alert)}


def moment(value: object) -> str:
    """A time in JSON: ISO 8601 in UTC."""
    assert isinstance(value, datetime)
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def as_text(alert: Alert) -> str:
    """The alert as plain text, which every channel shows unchanged."""
    lines = [alert.text] if alert.text else []
    attack = ", ".join((*alert.tactics, *alert.techniques))
    lines += [f"ATT&CK: {attack}"] if attack else []
    again = ", asked again because events landed late" if alert.late else ""
    lines.append(f"As of {alert.as_of.astimezone(UTC):%Y-%m-%d %H:%M} UTC{again}")
    for device in alert.devices:
        lines += ["", *_device(device)]
    return "\n".join([*lines, *(["", f"Evidence: {alert.evidence}"] if alert.evidence else [])])


def _device(device: Device) -> Sequence[str]:
    count = f"{counted(device.findings, 'finding')} of {device.events} events"
    accounts = f" ({', '.join(device.accounts)})" if device.accounts else ""
    seen = ""
    if device.first_seen and device.last_seen:
        seen = f", {device.first_seen.astimezone(UTC):%Y-%m-%d %H:%M:%S} to {device.last_seen.astimezone(UTC):%H:%M:%S}"
    lines = [f"{device.label}{accounts}: {count}{seen}"]
    if late := device.late:
        first, last, landed = (f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" for at in vars(late).values())
        happened = first if first == last else f"{first} to {last}"
        lines.append(f"    happened {happened}, landed {landed} UTC")
    return [*lines, *(f"    {visible(command)}" for command in device.commands)]


def counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def visible(command: str) -> str:
    """A command line as one line of text, with invisible, bidirectional and line-break characters escaped."""
    shown = "".join(f"\\u{ord(c):04x}" if is_hidden(c) else c for c in command)
    return shown if len(shown) <= MOST_LETTERS else f"{shown[:MOST_LETTERS]}... ({len(command)} characters)"
