"""Records of Defender's Streaming API: one JSON object per line.

    {"time": "...", "tenantId": "...", "category": "AdvancedHunting-DeviceProcessEvents", "properties": {...}}

The event is in `properties`. Its values become typed columns, or faults if they cannot be parsed. Nothing is coerced: a
number in a string column is a fault, not a string.

JSON can hold half of a UTF-16 surrogate pair as an escape (`\\ud83d`), which UTF-8 cannot, and file names and command
lines may contain it. It is stored as U+FFFD; the event's id is of what was delivered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import pyarrow as pa

from lakehunt.records import arrow_columns, event_reader, json_text, table_rows
from lakehunt.records.event_reader import Fault
from lakehunt.records.json_text import NotJsonError, Number, Object, Value
from lakehunt.records.table_rows import Faults, RowsBuilder, TableRows
from lakehunt.schemas.event_table import EventTable

MAX_RECORD_BYTES = 16 * 1024 * 1024
"""Larger records are refused without parsing: no event is that large."""

_CATEGORY = re.compile(rb'"category"[ \t\r]*:[ \t\r]*"([A-Za-z0-9-]*)"')
_OF_A_TABLE = re.compile("AdvancedHunting-[A-Za-z0-9]+")
"""The category of records that a feed delivers of any table."""

_MAX_SHOWN_CATEGORY = 200

Envelope = tuple[Any, Any, Any]
"""The members `time`, `tenantId` and `category` around an event; not a string where one is missing or null."""


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


def fields(line: bytes, names: Sequence[str]) -> dict[str, str | None] | None:
    """The event's columns `names` in a record as text, None where they are missing; None if the record cannot be
    parsed, so that its fields do not name its device and account."""
    record = _object(line)
    event = None if record is None else _member(record, "properties")
    if not isinstance(event, Object):
        return None
    values = dict(event.members)
    return {name: _as_text(values.get(name)) for name in names}


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


_AT_ONCE = 1_000
"""Records of which the decoded values are in memory at the same time: few enough for the caches of a processor."""

_envelope_of = attrgetter("time", "tenantId", "category")


class _Parser:
    def __init__(self, tables: Mapping[str, EventTable]) -> None:
        self._rows = {category: RowsBuilder(table) for category, table in tables.items()}
        self._by_name = {category.encode(): rows for category, rows in self._rows.items()}
        self._envelopes: list[Envelope] = []
        self._unreadable: Faults = {}
        self._other: dict[str, list[int]] = {}
        self._not_utf8: list[int] = []

    def parsed(self, lines: pa.BinaryArray | pa.LargeBinaryArray) -> Parsed:
        for start in range(0, len(lines), _AT_ONCE):
            self._read(start, lines.slice(start, _AT_ONCE).to_pylist())
        found = {builder.reader.table.name: builder.rows() for builder in self._rows.values()}
        return Parsed(
            envelope=_envelope(lines, self._envelopes, self._not_utf8),
            tables={name: rows for name, rows in found.items() if rows is not None},
            unreadable=self._unreadable,
            other={category: arrow_columns.numbers(found, pa.int64()) for category, found in self._other.items()},
        )

    def _read(self, start: int, lines: Sequence[bytes]) -> None:
        """Reads some records, of which the first one is at position `start`."""
        plain = {position: self._plain(position, line) for position, line in enumerate(lines, start)}
        for rows in self._rows.values():
            plain |= dict.fromkeys(rows.without_odd(), None)
        self._envelopes += (
            self._unusual(position, lines[position - start]) if envelope is None else envelope
            for position, envelope in plain.items()
        )
        for rows in self._rows.values():
            rows.store()

    def _plain(self, position: int, line: bytes) -> Envelope | None:
        """Reads a record if it is plain."""
        guess = _CATEGORY.search(line)
        rows = self._by_name.get(guess[1]) if guess else None
        if rows is None or len(line) > MAX_RECORD_BYTES or (record := rows.reader.plain(line)) is None:
            return None
        rows.add_plain(position, record)
        return _envelope_of(record)

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
        time, tenant_id, category = (_string(_member(record, name)) for name in ("time", "tenantId", "category"))
        self._sort(position, record, category)
        return time, tenant_id, category

    def _refuse(self, position: int, why: str) -> Envelope:
        self._unreadable[position] = (Fault(None, why),)
        return None, None, None

    def _sort(self, position: int, record: Object, category: str | None) -> None:
        """Adds a record to those of its table, to those of other tables, or to the unreadable ones."""
        has_properties = any(name == "properties" for name, _ in record.members)
        properties = _member(record, "properties")
        rows = self._rows.get(category or "")
        if rows is not None:
            rows.add(position, rows.reader.any(properties) if has_properties else rows.reader.without_properties())
        elif not has_properties:
            self._unreadable[position] = (Fault(None, "properties: missing"),)
        elif category is not None and _OF_A_TABLE.fullmatch(category):
            self._other.setdefault(category, []).append(position)
        else:
            self._unreadable[position] = (*event_reader.faults_of(properties), self._category_fault(category))

    def _category_fault(self, category: str | None) -> Fault:
        named = "category: missing" if category is None else f"category is {category[:_MAX_SHOWN_CATEGORY]}"
        known = [*self._rows]
        wanted = known[0] if len(known) == 1 else "that of an event table"
        return Fault("category", f"{named}, not {wanted}")


def _string(value: Value) -> str | None:
    return json_text.well_formed(value) if isinstance(value, str) and not isinstance(value, Number) else None


def _envelope(lines: pa.Array, envelopes: Sequence[Envelope], not_utf8: Iterable[int]) -> pa.RecordBatch:
    times, tenant_ids, categories = zip(*envelopes, strict=True) if envelopes else ((), (), ())
    text, as_bytes = arrow_columns.text_or_bytes(lines, not_utf8)
    columns = {
        "exported_at": table_rows.microseconds(event_reader.all_ticks(times)),
        "tenant_id": arrow_columns.texts(tenant_ids),
        "category": arrow_columns.texts(categories),
        "text": text,
        "bytes": as_bytes,
    }
    return pa.RecordBatch.from_arrays([*columns.values()], names=[*columns])
