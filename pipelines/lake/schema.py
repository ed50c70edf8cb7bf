"""The columns of DeviceProcessEvents, and how each Kusto type is stored. Imports no Spark."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

SCHEMA_FILE = Path(__file__).with_name("device_process_events.yaml")

STORED_AS = {
    "bool": "BOOLEAN",
    "int": "INT",
    "long": "BIGINT",
    "real": "DOUBLE",
    "decimal": "DECIMAL(34,17)",
    "datetime": "TIMESTAMP",  # microseconds; the 100 ns digit that Spark has no room for is in `tick_digits`
    "timespan": "BIGINT",  # ticks of 100 ns
    "guid": "STRING",
    "string": "STRING",
    "dynamic": "STRING",  # JSON text
}
"""Spark SQL type in which a value of each Kusto type is stored in a Delta table."""


@dataclass(frozen=True)
class EventColumn:
    """One column of DeviceProcessEvents: its name, its Kusto type and its meaning."""

    name: str
    type: str
    description: str


@cache
def device_process_events() -> tuple[EventColumn, ...]:
    """The 73 columns in the order in which KQL sees them."""
    document = yaml.safe_load(SCHEMA_FILE.read_text(encoding="utf-8"))
    return tuple(EventColumn(**column) for column in document["columns"])
