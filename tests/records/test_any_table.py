"""Random records of every declared event table, read into what they hold."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehunt.records.defender_streaming import parse
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import EVENT_TABLES
from tests.support.event_records import records

TABLES = {table.category: table for table in EVENT_TABLES}


@pytest.mark.parametrize("table", EVENT_TABLES, ids=lambda table: table.name)
@settings(max_examples=30)
@given(st.data())
def test_valid_records_become_their_events(table: EventTable, data: st.DataObject) -> None:
    delivered = data.draw(st.lists(records(table), min_size=1, max_size=4))
    parsed = parse(pa.array([one.text.encode() for one in delivered], pa.binary()), TABLES)
    assert (parsed.unreadable, parsed.other, [*parsed.tables]) == ({}, {}, [table.name])
    rows = parsed.tables[table.name]
    assert rows.faults == {}
    json_columns = [column.name for column in table.columns if column.type == "dynamic"]
    for row, one in zip(rows.events.to_pylist(), delivered, strict=True):
        for name in json_columns:
            row[name] = None if row[name] is None else json.loads(row[name])
        assert {name: row[name] for name in table.column_names} == one.event
        assert row["tick_digits"] == one.digits
        assert row["event_date"] == one.event[table.times[0]].date()
