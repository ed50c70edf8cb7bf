"""The event tables: one YAML file each, in this folder."""

from __future__ import annotations

from pathlib import Path

from lakehunt.schemas.event_table import EventTable, load

EVENT_TABLES: tuple[EventTable, ...] = tuple(map(load, sorted(Path(__file__).parent.glob("*.yaml"))))

BY_NAME = {table.name: table for table in EVENT_TABLES}

DEVICE_PROCESS_EVENTS = BY_NAME["DeviceProcessEvents"]


def kql_name(event_table: str | None) -> str:
    """What the column `event_table` of a lake's tables says: a KQL name, or empty for records of no table. Rows of
    versions that had one event table are null there."""
    return DEVICE_PROCESS_EVENTS.name if event_table is None else event_table
