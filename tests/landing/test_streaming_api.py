"""What each kind of record becomes. All cases are read in one Spark pass."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.sources import defender_streaming
from tests.support.blobs import record

FAULTS: dict[str, tuple[str | bytes, list[str]]] = {
    "text where a long belongs": (record(ProcessId="7"), ["ProcessId: expected a long, found a string (7)"]),
    "1.0 is no long": (
        record(ProcessId=1.0),
        ["ProcessId: expected a long, found a number that is not a 64-bit integer (1)"],
    ),
    "beyond int64": (
        record(LogonId=2**63),
        ["LogonId: expected a long, found a number that is not a 64-bit integer (9223372036854775808)"],
    ),
    "boolean as text": (
        record(IsProcessRemoteSession="true"),
        ["IsProcessRemoteSession: expected a boolean, found a string (true)"],
    ),
    "every reason, and no command line in one": (
        record(FileName=5, ProcessCommandLine=6, DeviceName=[1]),
        [
            "DeviceName: expected a string, found an array",
            "FileName: expected a string, found an integer (5)",
            "ProcessCommandLine: expected a string, found an integer",
        ],
    ),
    "long values are cut": (
        record(ProcessId="x" * 50),
        [f"ProcessId: expected a long, found a string ({'x' * 40}…)"],
    ),
    "AdditionalFields as a number": (
        record(AdditionalFields=5),
        ["AdditionalFields: expected text, an object or an array, found an integer"],
    ),
    "another table": (
        record(category="AdvancedHunting-DeviceNetworkEvents"),
        ["category is AdvancedHunting-DeviceNetworkEvents, not AdvancedHunting-DeviceProcessEvents"],
    ),
    "not JSON": ("nope", ["not JSON, or a key occurs twice"]),
    "cut off": (record()[:-5], ["not JSON, or a key occurs twice"]),
    "rest after the object": (record() + " x", ["not JSON, or a key occurs twice"]),
    "two objects on a line": (record() + record(), ["not JSON, or a key occurs twice"]),
    "object and a bracket": (record() + "] x", ["not JSON, or a key occurs twice"]),
    "object and an element": (record() + ",1] x", ["not JSON, or a key occurs twice"]),
    "a key twice": ('{"a": 1, "a": 2}', ["not JSON, or a key occurs twice"]),
    "raw NUL": (record(FileName="?").replace("?", "\0"), ["not JSON, or a key occurs twice"]),
    "array": ("[1]", ["not a JSON object: an array"]),
    "just null": ("null", ["not a JSON object: null"]),
    "no properties": ('{"time": "2024-05-02T11:05:00Z"}', ["properties: missing"]),
    "properties as text": (
        '{"category": "AdvancedHunting-DeviceProcessEvents", "properties": "{}"}',
        ["properties: expected an object, found a string"],
    ),
    "not UTF-8": (b'{"a": "\xff"}', ["not UTF-8"]),
    "too large": (
        record(FileName="x" * defender_streaming.MAX_RECORD_BYTES),
        [f"record of {len(record(FileName='')) + defender_streaming.MAX_RECORD_BYTES} bytes is larger than 16777216"],
    ),
} | {
    f"Timestamp {text}": (
        record(Timestamp=text),
        [f"Timestamp: expected a UTC time like 2024-01-31T23:59:59.1234567Z, found a string ({text})"],
    )
    for text in (
        "2021-02-30T00:00:00Z",
        "2021-01-01T25:00:00Z",
        "2021-01-01T00:00:60Z",
        "2021-01-01T00:00:00",
        "2021-01-01T00:00:00+01:00",
        "2021-01-01 00:00:00Z",
        "2021-01-01T00:00:00.12345678Z",
        "0000-01-01T00:00:00Z",
        "",
    )
}

GOOD: dict[str, str] = {
    "plain": record(),
    "other envelope": json.dumps({**json.loads(record()), "time": "2024-05-03T00:00:00Z", "Tenant": "x"}),
    "keys in another order": json.dumps(
        {
            "properties": {"DeviceId": "d1", "Timestamp": "2024-05-02T11:00:00.1234567Z"},
            **{k: v for k, v in json.loads(record()).items() if k != "properties"},
        }
    ),
    "null": record(FileName=None),
    "empty": record(FileName=""),
    "NUL as an escape": record(ProcessCommandLine="a\0b"),
    "tick": record(Timestamp="2024-05-02T11:00:00.1234568Z"),
    "six digits": record(Timestamp="2024-05-02T11:00:00.123456Z"),
    "no fraction": record(Timestamp="2024-05-02T11:00:00Z"),
    "before 1970": record(Timestamp="1969-12-31T23:59:59.9999999Z"),
    "fields as text": record(AdditionalFields='{"b": 1.0}'),
    "fields as object": record(AdditionalFields={"b": 1.0, "a": [None, "x"]}),
    "fields as array": record(AdditionalFields=[1]),
    "unknown": record(New={"x": 1}, Another=None),
    "numbers": record(ProcessId=-(2**63), IsProcessRemoteSession=False),
    "filled by the source": record(TimeGenerated="2024-05-02T11:00:01Z", Type="Mine"),
}


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> dict[str, Row]:
    texts: dict[str, Any] = GOOD | {name: text for name, (text, _) in FAULTS.items()}
    given = [(k, *((v, None) if isinstance(v, str) else (None, bytearray(v)))) for k, v in texts.items()]
    frame = spark.createDataFrame(given, "case STRING, text STRING, bytes BINARY").coalesce(1)
    read = defender_streaming.parse(defender_streaming.with_envelope(frame)).drop("text", "bytes")
    return {row.case: row for row in read.collect()}


@pytest.mark.parametrize("case", FAULTS)
def test_faults(rows: dict[str, Row], case: str) -> None:
    assert sorted(fault.why for fault in rows[case].faults) == FAULTS[case][1]


@pytest.mark.parametrize("case", GOOD)
def test_good_records_have_no_fault(rows: dict[str, Row], case: str) -> None:
    assert rows[case].faults == []


def test_null_and_empty_differ(rows: dict[str, Row]) -> None:
    assert (rows["null"].FileName, rows["empty"].FileName) == (None, "")
    assert rows["plain"].event_id == rows["null"].event_id != rows["empty"].event_id


def test_event_id_is_of_the_content_alone(rows: dict[str, Row]) -> None:
    same = {rows[case].event_id for case in ("plain", "other envelope", "keys in another order")}
    different = {
        rows[case].event_id for case in GOOD if case not in ("other envelope", "keys in another order", "null")
    }
    assert len(same) == 1
    assert len(different) == len(GOOD) - 3


@pytest.mark.parametrize(
    ("case", "second", "microsecond", "tick"),
    [
        ("plain", 0, 123456, 7),
        ("tick", 0, 123456, 8),
        ("six digits", 0, 123456, 0),
        ("no fraction", 0, 0, 0),
        ("before 1970", 59, 999999, 9),
    ],
)
def test_times_are_floored_and_the_tick_is_kept(
    rows: dict[str, Row], case: str, second: int, microsecond: int, tick: int
) -> None:
    row = rows[case]
    assert (row.Timestamp.second, row.Timestamp.microsecond, row.tick_digits.Timestamp) == (second, microsecond, tick)
    assert (row.TimeGenerated, row.tick_digits.TimeGenerated) == (row.Timestamp, tick)


def test_additional_fields_are_json_text(rows: dict[str, Row]) -> None:
    found = [rows[f"fields as {kind}"].AdditionalFields for kind in ("text", "object", "array")]
    assert found == ['{"b": 1.0}', '{"b":1.0,"a":[null,"x"]}', "[1]"]


def test_unknown_properties_are_kept(rows: dict[str, Row]) -> None:
    assert json.loads(rows["unknown"].unknown_properties) == {"New": {"x": 1}, "Another": None}
    assert rows["plain"].unknown_properties is None


def test_nul_in_a_command_line_is_data(rows: dict[str, Row]) -> None:
    assert rows["NUL as an escape"].ProcessCommandLine == "a\0b"


def test_extremes_and_falsehood(rows: dict[str, Row]) -> None:
    assert (rows["numbers"].ProcessId, rows["numbers"].IsProcessRemoteSession) == (-(2**63), False)


def test_what_the_source_says_is_not_filled_in(rows: dict[str, Row]) -> None:
    row = rows["filled by the source"]
    assert (row.TimeGenerated.second, row.tick_digits.TimeGenerated, row.Type) == (1, 0, "Mine")


def test_all_columns_in_place(rows: dict[str, Row]) -> None:
    assert {column.name for column in DEVICE_PROCESS_EVENTS.columns} <= set(rows["plain"].asDict())
