"""Puts hand-made events straight into a lake's events table, for tests that are not about landing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.landing_tables import BATCHES

EVENTS = DEVICE_PROCESS_EVENTS.events

DEFAULTS: dict[str, Any] = {
    "Timestamp": "2026-03-01T12:00:00Z",
    "DeviceId": "device-1",
    "DeviceName": "web01.contoso.example",
    "ActionType": "ProcessCreated",
    "FileName": "cmd.exe",
    "FolderPath": r"C:\Windows\System32\cmd.exe",
    "ProcessCommandLine": "cmd.exe /c whoami",
    "InitiatingProcessFileName": "w3wp.exe",
    "InitiatingProcessParentFileName": "svchost.exe",
    "AccountName": "apppool",
    "ReportId": 1,
}
"""A process event that both seed hunts find."""

_TIMES = [c.name for c in DEVICE_PROCESS_EVENTS.columns if c.type == "datetime"]


def event(**columns: Any) -> dict[str, Any]:
    """The default event with some columns changed."""
    return DEFAULTS | columns


def store(lake: Lake, events: Iterable[Mapping[str, Any]]) -> int:
    """Adds the events as a batch of their own, as landing would have written it; its number."""
    batch = lake.rows(BATCHES).count() + 1
    lake.append(EVENTS, lake.local(EVENTS, [_row(e, batch) for e in events]))
    settle(lake, batch)
    return batch


def settle(lake: Lake, batch: int, outcome: str = "settled") -> None:
    """Says what became of a batch."""
    at = times.to_datetime(0)
    lake.append(BATCHES, lake.local(BATCHES, [(batch, at, 0, 0, 0, 0, outcome, None, [], None)]))


def _row(columns: Mapping[str, Any], batch: int) -> tuple[Any, ...]:
    unknown = set(columns) - set(EVENTS.column_names)
    assert not unknown, f"no columns of an event: {unknown}"
    ticks = {name: times.parse_datetime(columns[name]) for name in _TIMES if columns.get(name)}
    ticks.setdefault("TimeGenerated", ticks["Timestamp"])
    digest = hashlib.sha256(json.dumps(columns, sort_keys=True).encode()).hexdigest()
    made = dict(columns) | {
        **{name: times.to_datetime(t) for name, t in ticks.items() if t is not None},
        "tick_digits": {name: (ticks.get(name) or 0) % 10 for name in _TIMES},
        "event_id": digest,
        "landed_at": times.to_datetime(ticks["Timestamp"] or 0) + timedelta(hours=1),
        "event_date": times.to_datetime(ticks["Timestamp"] or 0).date(),
        "batch": batch,
        "file": "test",
        "line": 1,
    }
    return tuple(made.get(name) for name in EVENTS.column_names)
