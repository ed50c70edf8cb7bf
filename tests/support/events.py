"""Puts hand-made events straight into a lake's event tables, for tests that are not about landing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import BY_NAME, DEVICE_PROCESS_EVENTS
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

NETWORK_DEFAULTS: dict[str, Any] = {
    "Timestamp": "2026-03-01T12:00:30Z",
    "DeviceId": "device-1",
    "DeviceName": "web01.contoso.example",
    "ActionType": "ConnectionSuccess",
    "RemoteIP": "203.0.113.7",
    "RemotePort": 443,
    "InitiatingProcessFileName": "cmd.exe",
    "InitiatingProcessParentFileName": "w3wp.exe",
    "InitiatingProcessAccountName": "apppool",
    "ReportId": 1,
}
"""A connection of the process of the default event, of DeviceNetworkEvents."""


def event(**columns: Any) -> dict[str, Any]:
    """The default event with some columns changed."""
    return DEFAULTS | columns


def connection(**columns: Any) -> dict[str, Any]:
    """The default connection with some columns changed."""
    return NETWORK_DEFAULTS | columns


def store(lake: Lake, events: Iterable[Mapping[str, Any]], table: str = DEVICE_PROCESS_EVENTS.name) -> int:
    """Adds events of a table as a batch of their own, as landing would have written it; its number."""
    return store_delivery(lake, {table: events})


def store_delivery(lake: Lake, delivered: Mapping[str, Iterable[Mapping[str, Any]]]) -> int:
    """Adds events of several tables (by KQL name) as one batch; its number."""
    batch = max((row.batch for row in lake.rows(BATCHES).select("batch").collect()), default=0) + 1
    for name, events in delivered.items():
        table = BY_NAME[name]
        lake.append(table.events, lake.local(table.events, [_row(table, e, batch) for e in events]))
        settle(lake, batch, table=name)
    return batch


def settle(lake: Lake, batch: int, outcome: str = "settled", table: str = DEVICE_PROCESS_EVENTS.name) -> None:
    """Says what became of a batch's records of a table."""
    row = (batch, times.to_datetime(0), 0, 0, 0, 0, outcome, None, [], table)
    lake.append(BATCHES, lake.local(BATCHES, [row]))


def _row(table: EventTable, columns: Mapping[str, Any], batch: int) -> tuple[Any, ...]:
    unknown = set(columns) - set(table.events.column_names)
    assert not unknown, f"no columns of {table.name}: {unknown}"
    ticks = {name: times.parse_datetime(columns[name]) for name in table.datetime_names if columns.get(name)}
    ticks.setdefault("TimeGenerated", ticks["Timestamp"])
    digest = hashlib.sha256(json.dumps(columns, sort_keys=True).encode()).hexdigest()
    made = dict(columns) | {
        **{name: times.to_datetime(t) for name, t in ticks.items() if t is not None},
        "tick_digits": {name: (ticks.get(name) or 0) % 10 for name in table.datetime_names},
        "event_id": digest,
        "landed_at": times.to_datetime(ticks["Timestamp"] or 0) + timedelta(hours=1),
        "event_date": times.to_datetime(ticks["Timestamp"] or 0).date(),
        "batch": batch,
        "file": "test",
        "line": 1,
    }
    return tuple(made.get(name) for name in table.events.column_names)
