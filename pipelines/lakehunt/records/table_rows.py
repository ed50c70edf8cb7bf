"""The records of one event table as rows of its events table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lakehunt.kql.types import TICKS_PER_DAY, TICKS_PER_MICROSECOND
from lakehunt.records import arrow_columns, event_reader
from lakehunt.records.event_reader import Event, Fault, Times, Values
from lakehunt.schemas.event_table import EventTable

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


class RowsBuilder:
    """Collects the records of one table. `store` makes rows of what was added since it was last called, so that decoded
    records need not be in memory all at once."""

    def __init__(self, table: EventTable) -> None:
        self.reader = event_reader.reader(table)
        self._plain: list[tuple[int, Any]] = []
        self._values: Values = {}
        self._events: list[tuple[int, Event]] = []
        self._positions: list[NDArray[np.int64]] = []
        self._batches: list[pa.RecordBatch] = []
        self._faults: Faults = {}

    def add_plain(self, position: int, record: Any) -> None:
        """Adds what `EventReader.plain` has read."""
        self._plain.append((position, record))

    def without_odd(self) -> list[int]:
        """Removes the plain records that hold a text in place of a time, and returns their positions: they have to be
        read one by one."""
        self._values = self.reader.values(record for _, record in self._plain)
        odd = np.logical_or.reduce([time.odd for time in self._values.values() if isinstance(time, Times)])
        if not odd.any():
            return []
        positions = [self._plain[place][0] for place in np.flatnonzero(odd)]
        self._plain = [one for one, is_odd in zip(self._plain, odd, strict=True) if not is_odd]
        self._values = self.reader.values(record for _, record in self._plain)
        return positions

    def add(self, position: int, event: Event) -> None:
        """Adds a record that was read one by one."""
        self._events.append((position, event))
        if event.faults:
            self._faults[position] = event.faults

    def store(self) -> None:
        """Makes rows, in the order of their positions."""
        batches = []
        if self._plain:
            batches.append(_batch(self.reader.table, self._values, self.reader.ids(self._values)))
        if self._events:
            events = [event for _, event in self._events]
            ids, unknown = [event.id for event in events], [event.unknown_properties for event in events]
            batches.append(_batch(self.reader.table, self.reader.values_of(events), ids, unknown))
        positions = np.array([position for position, _ in (*self._plain, *self._events)], np.int64)
        if len(batches) > 1:
            order = np.argsort(positions)
            positions = positions[order]
            batches = [pa.concat_batches(batches).take(arrow_columns.from_numpy(order, pa.int64()))]
        self._batches += batches
        self._positions.append(positions)
        self._plain, self._values, self._events = [], {}, []

    def rows(self) -> TableRows | None:
        """All that was stored; None if there is nothing."""
        if not self._batches:
            return None
        positions = arrow_columns.from_numpy(np.concatenate(self._positions), pa.int64())
        return TableRows(positions, pa.concat_batches(self._batches), self._faults)


def _batch(
    table: EventTable, found: Values, ids: Sequence[str], unknown_properties: Sequence[str | None] | None = None
) -> pa.RecordBatch:
    values = dict(found)
    happened = values[table.times[0]]
    assert isinstance(happened, Times)
    for name in table.times[1:]:  # this source does not deliver TimeGenerated
        values[name] = _filled(values[name], happened)
    if "Type" in values:
        values["Type"] = [own if isinstance(own, str) else table.name for own in values["Type"]]
    columns = {column.name: _column(column.type, values[column.name]) for column in table.columns}
    digits = {name: _of_times(values[name], pa.int8(), lambda ticks: ticks % 10) for name in table.datetime_names}
    columns |= {
        "tick_digits": pa.StructArray.from_arrays([*digits.values()], names=[*digits]),
        "event_id": arrow_columns.texts(ids),
        "event_date": _of_times(happened, pa.date32(), lambda ticks: ticks // TICKS_PER_DAY),
        "unknown_properties": arrow_columns.texts(unknown_properties or [None] * len(ids)),
    }
    return pa.RecordBatch.from_arrays([*columns.values()], names=[*columns])


def _filled(times: Any, others: Times) -> Times:
    """Times, or the others where there is none."""
    return Times(np.where(times.known, times.ticks, others.ticks), times.known | others.known, times.odd)


def _column(type_: str, values: Any) -> pa.Array:
    if type_ == "datetime":
        return microseconds(values)
    if type_ == "bool":
        return arrow_columns.booleans(values)
    stored = _ARROW[type_]
    return arrow_columns.texts(values) if stored == pa.string() else arrow_columns.numbers(values, stored)


def _of_times(times: Any, type_: pa.DataType, number: Callable[[NDArray[np.int64]], NDArray[np.int64]]) -> pa.Array:
    return arrow_columns.from_numpy(number(times.ticks), type_, times.known)


def microseconds(times: Times) -> pa.Array:
    return _of_times(times, arrow_columns.TIMESTAMP, lambda ticks: ticks // TICKS_PER_MICROSECOND)
