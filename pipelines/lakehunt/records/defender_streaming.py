"""Records of Defender's Streaming API: one JSON object per line.

    {"time": "...", "tenantId": "...", "category": "AdvancedHunting-DeviceProcessEvents", "properties": {...}}

The event is in `properties`. Its values become typed columns, or faults if they cannot be parsed. Nothing is coerced: a
number in a string column is a fault, not a string.

JSON can hold half of a UTF-16 surrogate pair as an escape (`\\ud83d`), which UTF-8 cannot, and file names and command
lines may contain it. It is stored as U+FFFD; the event's id is of what was delivered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from lakehunt.kql.types import TICKS_PER_DAY, TICKS_PER_MICROSECOND
from lakehunt.records import arrow_columns, event_reader, json_text
from lakehunt.records.event_reader import Envelope, Event, Fault
from lakehunt.records.json_text import NotJsonError, Number, Object, Value
from lakehunt.schemas.event_table import EventTable

MAX_RECORD_BYTES = 16 * 1024 * 1024
"""Larger records are refused without parsing: no event is that large."""

Faults = dict[int, tuple[Fault, ...]]
"""By the position of the record, from 0."""

_ARROW = {
    "string": pa.string(),
    "guid": pa.string(),
    "long": pa.int64(),
    "int": pa.int32(),
    "bool": pa.bool_(),
    "datetime": arrow_columns.TIMESTAMP,
    "dynamic": pa.string(),
}
"""The type that stores each Kusto type."""

_CATEGORY = re.compile(rb'"category"[ \t\r]*:[ \t\r]*"([A-Za-z0-9-]*)"')
_OF_A_TABLE = re.compile("AdvancedHunting-[A-Za-z0-9]+")
"""The category of records that a feed delivers of any table."""

_MAX_SHOWN_CATEGORY = 200


@dataclass(frozen=True)
class TableRows:
    """The records of one event table."""

    positions: pa.Int64Array
    """Of each record among all that were given, ascending."""
    events: pa.RecordBatch
    """A row for each of them, faulty or not: the table's columns, `tick_digits`, `event_id`, `event_date` and
    `unknown_properties`, as the events table stores them."""
    faults: Faults
    """Of the records that are not valid events."""


@dataclass(frozen=True)
class Parsed:
    """What delivered records say."""

    envelope: pa.RecordBatch
    """A row for each record: `exported_at`, `tenant_id`, `category` (null if missing, not a string or no valid time, or
    if the record is not a JSON object), `text`, and `bytes` instead of `text` if the record is not UTF-8."""
    tables: dict[str, TableRows]
    """By the name of the event table; only those that occur."""
    unreadable: Faults
    """Records that belong to no table, and why."""
    other: dict[str, pa.Int64Array]
    """Positions of the records of tables that were not asked for, by category."""


def parse(lines: pa.BinaryArray | pa.LargeBinaryArray, tables: Mapping[str, EventTable]) -> Parsed:
    """Parses delivered records, without line ends and without blank ones. `tables`: those to read, by category.

    Neither a record nor its nesting can make this fail. Raises OverflowError if a column of one table has 2 GiB of
    text."""
    return _Parser(tables).parsed(lines)


def is_complete(line: bytes) -> bool:
    """Whether `line` is exactly one JSON object."""
    return _object(line) is not None


def holds_event(line: bytes) -> bool:
    """Whether a record can be parsed, so that its fields name its device and account."""
    record = _object(line)
    return record is not None and isinstance(_member(record, "properties"), Object)


def fields(line: bytes, names: Sequence[str]) -> dict[str, str | None]:
    """The event's columns `names` in a record as text; None where they cannot be read."""
    record = _object(line)
    event = None if record is None else _member(record, "properties")
    return {name: _as_text(_member(event, name)) if isinstance(event, Object) else None for name in names}


def _object(line: bytes) -> Object | None:
    try:
        value = json_text.parse(line.decode(errors="replace"))
    except NotJsonError:
        return None
    return value if isinstance(value, Object) else None


def _member(record: Object, name: str) -> Value:
    return next((value for own, value in record.members if own == name), None)


def _as_text(value: Value) -> str | None:
    if isinstance(value, str) and not isinstance(value, Number):
        return json_text.well_formed(value)
    return None if value is None else json_text.write(value, event_reader.AS_STORED)


@dataclass
class _Rows:
    """Records of one table, as they are found."""

    positions: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    faults: Faults = field(default_factory=dict)

    def add(self, position: int, event: Event) -> None:
        self.positions.append(position)
        self.events.append(event)
        if event.faults:
            self.faults[position] = event.faults


class _Parser:
    def __init__(self, tables: Mapping[str, EventTable]) -> None:
        self._readers = {category: event_reader.reader(table) for category, table in tables.items()}
        self._by_name = {category.encode(): reader for category, reader in self._readers.items()}
        self._rows = {category: _Rows() for category in tables}
        self._unreadable: Faults = {}
        self._other: dict[str, list[int]] = {}
        self._not_utf8: list[int] = []

    def parsed(self, lines: pa.BinaryArray | pa.LargeBinaryArray) -> Parsed:
        envelopes = [self._record(position, line) for position, line in enumerate(lines.to_pylist())]
        return Parsed(
            envelope=_envelope(lines, envelopes, self._not_utf8),
            tables={
                reader.table.name: TableRows(_positions(rows.positions), _batch(reader.table, rows.events), rows.faults)
                for reader, rows in zip(self._readers.values(), self._rows.values(), strict=True)
                if rows.positions
            },
            unreadable=self._unreadable,
            other={category: _positions(positions) for category, positions in self._other.items()},
        )

    def _record(self, position: int, line: bytes) -> Envelope:
        guess = _CATEGORY.search(line)
        reader = self._by_name.get(guess[1]) if guess else None
        if reader is not None and len(line) <= MAX_RECORD_BYTES:
            plain = reader.plain(line)
            if plain is not None:
                envelope, event = plain
                self._rows[reader.table.category].add(position, event)
                return envelope
        return self._unusual(position, line)

    def _unusual(self, position: int, line: bytes) -> Envelope:
        try:
            text = line.decode()
        except UnicodeDecodeError:
            text = None
            self._not_utf8.append(position)
        if len(line) > MAX_RECORD_BYTES:
            return self._refuse(position, f"record of {len(line)} bytes is larger than {MAX_RECORD_BYTES}")
        if text is None:
            return self._refuse(position, "not UTF-8")
        try:
            record = json_text.parse(text)
        except NotJsonError:
            return self._refuse(position, "not JSON, or a key occurs twice")
        if not isinstance(record, Object):
            return self._refuse(position, f"not a JSON object: {event_reader.found(record)}")
        envelope = Envelope(*(_string(_member(record, name)) for name in ("time", "tenantId", "category")))
        self._sort(position, record, envelope.category)
        return envelope

    def _refuse(self, position: int, why: str) -> Envelope:
        self._unreadable[position] = (Fault(None, why),)
        return Envelope(None, None, None)

    def _sort(self, position: int, record: Object, category: str | None) -> None:
        """Adds a record to those of its table, to those of other tables, or to the unreadable ones."""
        has_properties = any(name == "properties" for name, _ in record.members)
        properties = _member(record, "properties")
        reader = self._readers.get(category or "")
        if reader is not None:
            event = reader.any(properties) if has_properties else reader.without_properties()
            self._rows[reader.table.category].add(position, event)
        elif not has_properties:
            self._unreadable[position] = (Fault(None, "properties: missing"),)
        elif category is not None and _OF_A_TABLE.fullmatch(category):
            self._other.setdefault(category, []).append(position)
        else:
            self._unreadable[position] = (*event_reader.faults_of(properties), self._category_fault(category))

    def _category_fault(self, category: str | None) -> Fault:
        named = "category: missing" if category is None else f"category is {category[:_MAX_SHOWN_CATEGORY]}"
        known = [*self._readers]
        wanted = known[0] if len(known) == 1 else "that of an event table"
        return Fault("category", f"{named}, not {wanted}")


def _string(value: Value) -> str | None:
    return json_text.well_formed(value) if isinstance(value, str) and not isinstance(value, Number) else None


def _positions(positions: Sequence[int]) -> pa.Int64Array:
    return arrow_columns.numbers(positions, pa.int64())


def _envelope(lines: pa.Array, envelopes: Sequence[Envelope], not_utf8: Iterable[int]) -> pa.RecordBatch:
    times = [None if one.time is None else event_reader.ticks(one.time) for one in envelopes]
    text, as_bytes = arrow_columns.text_or_bytes(lines, not_utf8)
    columns = {
        "exported_at": arrow_columns.numbers(_microseconds(times), arrow_columns.TIMESTAMP),
        "tenant_id": arrow_columns.texts([one.tenant_id for one in envelopes]),
        "category": arrow_columns.texts([one.category for one in envelopes]),
        "text": text,
        "bytes": as_bytes,
    }
    return pa.RecordBatch.from_arrays([*columns.values()], names=[*columns])


def _microseconds(times: Iterable[int | None]) -> list[int | None]:
    return [None if time is None else time // TICKS_PER_MICROSECOND for time in times]


def _batch(table: EventTable, events: Sequence[Event]) -> pa.RecordBatch:
    found = zip(*(event.values for event in events), strict=True)
    values: dict[str, Sequence[Any]] = dict(zip(table.column_names, found, strict=True))
    happened = values[table.times[0]]
    for time in table.times[1:]:  # this source does not deliver TimeGenerated
        values[time] = [first if own is None else own for own, first in zip(values[time], happened, strict=True)]
    if "Type" in values:
        values["Type"] = [table.name if own is None else own for own in values["Type"]]
    columns = {column.name: _column(column.type, values[column.name]) for column in table.columns}
    digits = {
        name: arrow_columns.numbers([None if time is None else time % 10 for time in values[name]], pa.int8())
        for name in table.datetime_names
    }
    days = [None if time is None else time // TICKS_PER_DAY for time in happened]
    columns |= {
        "tick_digits": pa.StructArray.from_arrays([*digits.values()], names=[*digits]),
        "event_id": arrow_columns.texts([event.id for event in events]),
        "event_date": arrow_columns.numbers(days, pa.date32()),
        "unknown_properties": arrow_columns.texts([event.unknown_properties for event in events]),
    }
    return pa.RecordBatch.from_arrays([*columns.values()], names=[*columns])


def _column(type_: str, values: Sequence[Any]) -> pa.Array:
    if type_ == "datetime":
        return arrow_columns.numbers(_microseconds(values), arrow_columns.TIMESTAMP)
    if type_ == "bool":
        return arrow_columns.booleans(values)
    stored = _ARROW[type_]
    return arrow_columns.texts(values) if stored == pa.string() else arrow_columns.numbers(values, stored)
