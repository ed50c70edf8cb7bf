"""Records of several event tables in one delivery."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from lakehunt.records.defender_streaming import Parsed, parse
from lakehunt.records.event_reader import Fault
from lakehunt.schemas.event_tables import EVENT_TABLES
from tests.support.blobs import record

TABLES = {table.category: table for table in EVENT_TABLES}
NETWORK = "AdvancedHunting-DeviceNetworkEvents"


def parsed(*lines: str | bytes) -> Parsed:
    return parse(pa.array([line.encode() if isinstance(line, str) else line for line in lines], pa.binary()), TABLES)


def test_records_go_to_their_tables_in_order() -> None:
    found = parsed(record(), record(NETWORK, RemotePort=443), record(), record("AdvancedHunting-EmailEvents"))
    assert {name: rows.positions.to_pylist() for name, rows in found.tables.items()} == {
        "DeviceProcessEvents": [0, 2],
        "DeviceNetworkEvents": [1],
    }
    assert {category: positions.to_pylist() for category, positions in found.other.items()} == {
        "AdvancedHunting-EmailEvents": [3]
    }
    assert found.unreadable == {}
    row = found.tables["DeviceNetworkEvents"].events.to_pylist()[0]
    assert (row["RemotePort"], row["Type"], row["event_date"]) == (443, "DeviceNetworkEvents", date(2024, 5, 2))


def test_faults_belong_to_the_table_of_the_category() -> None:
    found = parsed(
        record(NETWORK, RemotePort=2**31),
        json.dumps({"category": NETWORK}),
        json.dumps({"category": NETWORK, "properties": [1]}),
        record("Syslog"),
        json.dumps({"properties": {}}),
        record(NETWORK, RemotePort=1.5, RemoteIP=7),
    )
    assert found.tables["DeviceNetworkEvents"].faults == {
        0: (Fault("RemotePort", "RemotePort: expected a 32-bit integer, found an integer (2147483648)"),),
        1: (Fault(None, "properties: missing"),),
        2: (Fault(None, "properties: expected an object, found an array"),),
        5: (
            Fault("RemoteIP", "RemoteIP: expected a string, found an integer (7)"),
            Fault(
                "RemotePort",
                "RemotePort: expected a 32-bit integer, found a number that is not a 64-bit integer (1.5)",
            ),
        ),
    }
    assert found.tables["DeviceNetworkEvents"].events.num_rows == 4
    assert found.unreadable == {
        3: (Fault("category", "category is Syslog, not that of an event table"),),
        4: (Fault("category", "category: missing, not that of an event table"),),
    }


def test_the_envelope_has_a_row_for_each_record() -> None:
    odd = b'{"a": "\xff"}'
    found = parsed(record(), odd, "[1]", json.dumps({"time": "then", "tenantId": 5, "category": "x", "properties": {}}))
    assert found.envelope.to_pylist() == [
        {
            "exported_at": datetime(2024, 5, 2, 11, 5, tzinfo=UTC),
            "tenant_id": "0f0e",
            "category": "AdvancedHunting-DeviceProcessEvents",
            "text": record(),
            "bytes": None,
        },
        {"exported_at": None, "tenant_id": None, "category": None, "text": None, "bytes": odd},
        {"exported_at": None, "tenant_id": None, "category": None, "text": "[1]", "bytes": None},
        {
            "exported_at": None,
            "tenant_id": None,
            "category": "x",
            "text": '{"time": "then", "tenantId": 5, "category": "x", "properties": {}}',
            "bytes": None,
        },
    ]


@pytest.mark.parametrize("type_", [pa.binary(), pa.large_binary()])
def test_a_part_of_a_block_is_read_in_place(type_: pa.DataType) -> None:
    lines = pa.array([b"x", b"\xff", record().encode(), b"\xfe", b"y"], type_)
    found = parse(lines.slice(1, 3), TABLES)
    assert found.envelope["text"].to_pylist() == [None, record(), None]
    assert found.envelope["bytes"].to_pylist() == [b"\xff", None, b"\xfe"]
    assert found.tables["DeviceProcessEvents"].positions.to_pylist() == [1]
    found.envelope.validate(full=True)


def test_no_record_is_no_table() -> None:
    found = parsed()
    assert (found.envelope.num_rows, found.tables, found.unreadable, found.other) == (0, {}, {}, {})


@pytest.mark.parametrize("table", EVENT_TABLES, ids=lambda table: table.name)
def test_every_declared_table_is_read_into_what_its_table_stores(table) -> None:  # type: ignore[no-untyped-def]
    rows = parsed(record(table.category, **{table.times[0]: "2024-05-02T11:00:00.1234567Z"})).tables[table.name]
    assert rows.faults == {}
    stored = [*table.events.column_names]
    assert rows.events.schema.names == stored[: stored.index("unknown_properties") + 1]
    rows.events.validate(full=True)


def test_a_category_elsewhere_in_the_record_misleads_nobody() -> None:
    lines = [
        record(NETWORK, AdditionalFields='{"category": "AdvancedHunting-DeviceProcessEvents"}'),
        json.dumps({"properties": {"category": NETWORK}, "category": "AdvancedHunting-DeviceProcessEvents"}),
        json.dumps({"category": NETWORK, "properties": {}}).replace("Network", "\\u004eetwork"),
    ]
    found = parsed(*lines)
    assert {name: rows.positions.to_pylist() for name, rows in found.tables.items()} == {
        "DeviceNetworkEvents": [0, 2],
        "DeviceProcessEvents": [1],
    }
