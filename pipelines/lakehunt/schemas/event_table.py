"""Event tables: a YAML file next to this module declares a table of Defender, and the rest is derived from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from lakehunt.kql.types import BY_NAME, Column, Schema
from lakehunt.schemas.table import Erasure, Expires, Match, Table, TableColumn

STORED_AS = {
    "bool": "BOOLEAN",
    "int": "INT",
    "long": "BIGINT",
    "real": "DOUBLE",
    "decimal": "DECIMAL(34,17)",
    "datetime": "TIMESTAMP",  # microseconds; the 100 ns digit, which it cannot hold, is in `tick_digits`
    "timespan": "BIGINT",  # ticks of 100 ns
    "guid": "STRING",
    "string": "STRING",
    "dynamic": "STRING",  # JSON text
}
"""The Spark SQL type that stores each Kusto type in Delta."""

BATCH = TableColumn("batch", "BIGINT", "Number of the delivery, from 1; each one that brought records has its own")
FILE = TableColumn("file", "STRING", "Blob that the record came in, full path or URI")
LINE = TableColumn("line", "BIGINT", "Line of the record in that blob (after decompression), from 1")
LANDED_AT = TableColumn("landed_at", "TIMESTAMP", "When the record was landed (UTC)")
EXPORTED_AT = TableColumn(
    "exported_at", "TIMESTAMP", "When the service received the event (UTC), according to the record"
)

EVENT_KEY = ("event_date", "event_id")
"""The key of a stored event."""

SUBJECT = ("device_id", "device_name", "account_name")
"""What says whom a finding is about, under the names of findings' columns."""


@dataclass(frozen=True)
class EventColumn:
    """A column of an event table: its name, its Kusto type and its meaning."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class EventTable:
    """A table of events as declared in its YAML file: one table in KQL, and one in the lake."""

    name: str
    """In KQL: `DeviceProcessEvents`."""
    stored_as: str
    """In the lake: `events.<stored_as>`."""
    category: str
    """The `category` of its records in the Streaming API."""
    suite: str
    """The file of its Great Expectations suite."""
    event: str
    """A description of a row."""
    times: tuple[str, ...]
    """Columns with the event's time; the first one determines its partition (day)."""
    sequence: str
    """The column that orders events with the same time."""
    device_id: str
    device_name: str
    account_name: str | None
    """Columns that say whom a finding is about; no account: its events are of a device only."""
    device_columns: tuple[str, ...]
    account_columns: tuple[str, ...]
    """All columns that name the device or an account. One may hold several as a JSON array."""
    command_line: str | None
    """The column with the command line that tells most about an event, if there is one."""
    few_values: tuple[str, ...]
    """Columns of text with few distinct values: names of programs, kinds of events. Every hit has them."""
    sensitive_columns: tuple[str, ...]
    """Columns that may contain secrets: their values are never repeated in messages."""
    known_values: Mapping[str, tuple[str, ...]] = field(hash=False)
    """For columns whose values are listed by Microsoft: the values. Others may come, and its suite warns about them."""
    columns: tuple[EventColumn, ...]
    """In the order of the KQL schema."""

    @property
    def subject_columns(self) -> tuple[str, str, str | None]:
        """The columns that hold what `SUBJECT` names, in its order; None: the table has none."""
        return self.device_id, self.device_name, self.account_name

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def datetime_names(self) -> tuple[str, ...]:
        """The columns of type datetime."""
        return tuple(column.name for column in self.columns if column.type == "datetime")

    @cached_property
    def kql_schema(self) -> Schema:
        """The KQL schema."""
        return tuple(Column(column.name, BY_NAME[column.type]) for column in self.columns)

    @cached_property
    def events(self) -> Table:
        digits = ", ".join(f"`{name}`: TINYINT" for name in self.datetime_names)
        return Table(
            f"events.{self.stored_as}",
            f"One row is one {self.event}, however often it was delivered: the columns of {self.name}, then provenance",
            (
                *(TableColumn(c.name, STORED_AS[c.type], c.description) for c in self.columns),
                TableColumn("tick_digits", f"STRUCT<{digits}>", "Seventh fractional digit (100 ns) of each time"),
                TableColumn(
                    "event_id", "STRING", "SHA-256 of the record's content; the same when it is delivered again"
                ),
                TableColumn("event_date", "DATE", f"Day of {self.times[0]} (UTC)"),
                TableColumn("unknown_properties", "STRING", "Delivered properties without a column, as JSON"),
                EXPORTED_AT,
                LANDED_AT,
                BATCH,
                FILE,
                LINE,
            ),
            partitioned_by=("event_date",),
            # Event time and landing time: hunts, promotion and passes over new batches filter by them. Other
            # numbers (process ids, sizes) span their whole range in every file.
            statistics=(*self.times, "exported_at", "landed_at", "batch", "line"),
            retention=Expires("events", "event_date"),
            erasure=Erasure(Match.EVENT, EVENT_KEY, self.device_columns, self.account_columns),
            served=True,
            written="once per event, however often it is delivered",
        )


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Every command loads these files at start, and libyaml's loader is fifty times faster."""


def load(file: Path) -> EventTable:
    """The event table that a YAML file declares."""
    declared: Mapping[str, Any] = yaml.load(file.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 (both are safe)
    return EventTable(
        name=declared["table"],
        stored_as=declared["stored_as"],
        category=declared["category"],
        suite=declared["suite"],
        event=declared["event"],
        times=tuple(declared["times"]),
        sequence=declared["sequence"],
        device_id=declared["device"]["id"],
        device_name=declared["device"]["name"],
        account_name=declared["account"]["name"] if "account" in declared else None,
        device_columns=tuple(declared["device_columns"]),
        account_columns=tuple(declared["account_columns"]),
        command_line=declared.get("command_line"),
        few_values=tuple(declared["few_values"]),
        sensitive_columns=tuple(declared["sensitive_columns"]),
        known_values={name: tuple(values) for name, values in declared.get("known_values", {}).items()},
        columns=tuple(EventColumn(**column) for column in declared["columns"]),
    )
