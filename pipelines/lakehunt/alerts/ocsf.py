"""Findings as Detection Findings of the Open Cybersecurity Schema Framework (class 2004), for SIEMs and lakes.

Source: schema.ocsf.io, version 1.3.0."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from lakehunt import __version__
from lakehunt.alerts.alert import Alert, Device
from lakehunt.hunting.content import attack

VERSION = "1.3.0"

_SEVERITIES = {"Informational": 1, "Low": 2, "Medium": 3, "High": 4}


def detection_findings(alert: Alert) -> Iterator[dict[str, Any]]:
    """One record for each device of an alert about findings."""
    for device in alert.devices:
        yield _record(alert, device)


def _record(alert: Alert, device: Device) -> dict[str, Any]:
    severity = alert.severity if alert.severity in _SEVERITIES else "Unknown"
    return {
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": 1,
        "activity_name": "Create",
        "type_uid": 200401,
        "type_name": "Detection Finding: Create",
        "time": _millis(device.last_seen or alert.as_of),
        "severity_id": _SEVERITIES.get(severity, 0),
        "severity": severity,
        "status_id": 1,
        "status": "New",
        "message": f"{alert.hunt_name or alert.title}, new on {device.label}: {device.findings}",
        "count": device.findings,
        "metadata": {
            "version": VERSION,
            "uid": f"{alert.id}-{device.device_id or device.device_name or 'several'}",
            "product": {"name": "lakehunt", "vendor_name": "lakehunt", "version": __version__},
        },
        "finding_info": _info(alert, device),
        **_resources(device),
        "evidences": [_evidence(device, command) for command in device.commands] or [_evidence(device, None)],
        "unmapped": {"finding_ids": list(device.finding_ids), "events": device.events, **_late(device)},
    }


def _late(device: Device) -> dict[str, Any]:
    """When late events happened and landed; OCSF has no field for the latter."""
    if device.late is None:
        return {}
    return {"late": {f"{name}_time": _millis(at) for name, at in vars(device.late).items()}}


def _info(alert: Alert, device: Device) -> dict[str, Any]:
    info: dict[str, Any] = {
        "uid": device.finding_ids[0],
        "title": alert.hunt_name or alert.title,
        "desc": alert.evidence,
        "created_time": _millis(alert.as_of),
        "analytic": {"type_id": 1, "type": "Rule", "uid": alert.hunt_id or "", "name": alert.hunt_name or alert.title},
        "types": ["Threat hunt"],
    }
    if device.first_seen and device.last_seen:
        info |= {"first_seen_time": _millis(device.first_seen), "last_seen_time": _millis(device.last_seen)}
    if attacks := _attacks(alert):
        info["attacks"] = attacks
    return info


def _attacks(alert: Alert) -> list[dict[str, Any]]:
    """One entry per tactic and per technique: a hunt does not say which technique belongs to which tactic."""
    labels = attack.normalised(alert.tactics, alert.techniques)
    tactics = [{"tactic": {"uid": one.id, "name": one.name}} for one in labels.tactics]
    return [{"version": attack.version(), **one} for one in (*tactics, *map(_technique, labels.techniques))]


def _technique(found: attack.AttackEntry) -> dict[str, Any]:
    whole, _, part = found.id.partition(".")
    name, _, own = found.name.partition(": ")
    technique = {"technique": {"uid": whole, "name": name or whole}}
    return technique | {"sub_technique": {"uid": found.id, "name": own or found.id}} if part else technique


def _resources(device: Device) -> dict[str, Any]:
    named = {"uid": device.device_id, "name": device.device_name}
    known = {key: value for key, value in named.items() if value}
    return {"resources": [{**known, "type": "device"}]} if known else {}


def _evidence(device: Device, command: str | None) -> dict[str, Any]:
    process = {} if command is None else {"process": {"cmd_line": command}}
    return {"data": {"accounts": list(device.accounts)}, **process}


def _millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)
