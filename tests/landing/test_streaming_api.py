"""What each kind of record becomes. All cases are read in one Spark pass."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.sources import defender_streaming
from tests.support.delivered_records import FAULTS, GOOD


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
