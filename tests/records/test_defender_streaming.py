"""What each kind of record of process events becomes."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lakehunt.records import defender_streaming
from lakehunt.records.defender_streaming import MAX_RECORD_BYTES, Parsed
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from tests.support.blobs import record
from tests.support.delivered_records import (
    EVENTS,
    FAULTS,
    GOOD,
    HALVES,
    OTHERS,
    SCALARS,
    STORED,
    TICKS,
    Event,
    delivered,
    with_property,
)

NAME, CATEGORY = DEVICE_PROCESS_EVENTS.name, DEVICE_PROCESS_EVENTS.category
SINCE_YEAR_1 = (datetime(1970, 1, 1) - datetime.min) // timedelta(microseconds=1) * 10


def parse(*lines: str | bytes) -> Parsed:
    as_bytes = [line.encode() if isinstance(line, str) else line for line in lines]
    return defender_streaming.parse(pa.array(as_bytes, pa.binary()), {CATEGORY: DEVICE_PROCESS_EVENTS})


def rows(*lines: str | bytes) -> list[dict[str, Any]]:
    """The events of good records, in order, with their time in ticks since the year 1."""
    found = parse(*lines)
    events = found.tables[NAME]
    assert (events.faults, found.unreadable, found.other) == ({}, {}, {})
    times = events.events["Timestamp"].cast(pa.int64()).to_pylist()
    made = events.events.to_pylist()
    return [
        row | {"ticks": SINCE_YEAR_1 + time * 10 + row["tick_digits"]["Timestamp"]}
        for row, time in zip(made, times, strict=True)
    ]


def reasons(line: str | bytes) -> list[str]:
    found = parse(line)
    faults = found.unreadable | (found.tables[NAME].faults if NAME in found.tables else {})
    return sorted(fault.why for fault in faults.get(0, ()))


def one(line: str) -> dict[str, Any]:
    return rows(line)[0]


@pytest.mark.parametrize("case", [case for case in FAULTS if case != "another table"])
def test_faults(case: str) -> None:
    line, expected = FAULTS[case]
    assert reasons(line) == expected


@pytest.mark.parametrize("case", GOOD)
def test_good_records_have_no_fault(case: str) -> None:
    assert one(GOOD[case])["event_id"]


def test_stored_ids_do_not_change() -> None:
    assert {name: one(text)["event_id"] for name, (text, _) in STORED.items()} == {
        name: id_ for name, (_, id_) in STORED.items()
    }


def test_null_and_empty_differ() -> None:
    plain, null, empty = rows(GOOD["plain"], GOOD["null"], GOOD["empty"])
    assert (null["FileName"], empty["FileName"]) == (None, "")
    assert plain["event_id"] == null["event_id"] != empty["event_id"]


def test_event_id_is_of_the_content_alone() -> None:
    ids = {case: one(text)["event_id"] for case, text in GOOD.items()}
    same = ("plain", "other envelope", "keys in another order", "null")
    assert len({ids[case] for case in same}) == 1
    assert len({*ids.values()}) == len(GOOD) - 3


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
def test_times_are_floored_and_the_tick_is_kept(case: str, second: int, microsecond: int, tick: int) -> None:
    row = one(GOOD[case])
    time, digits = row["Timestamp"], row["tick_digits"]
    assert (time.second, time.microsecond, digits["Timestamp"]) == (second, microsecond, tick)
    assert (row["TimeGenerated"], digits["TimeGenerated"]) == (time, tick)
    assert digits["ProcessCreationTime"] is None


@given(st.lists(TICKS, min_size=1))
@example([0, 9, (datetime(1582, 10, 10) - datetime.min) // timedelta(microseconds=1) * 10])
def test_every_instant_from_year_1_to_9999(instants: list[int]) -> None:
    def text(ticks: int) -> str:
        at = datetime.min + timedelta(microseconds=ticks // 10)
        return record(Timestamp=f"{at.isoformat(timespec='microseconds')}{ticks % 10}Z")

    made = rows(*map(text, instants))
    assert [row["ticks"] for row in made] == instants
    assert len({row["event_id"] for row in made}) == len({*instants})


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-02T11:00:00.Z", "2024-05-02T11:00:00.1234567Z\n", " 2024-05-02T11:00:00Z", "2024-05-02t11:00:00Z",
        "2024-05-02T11:00:00z", "２024-05-02T11:00:00Z", "2024-05-02T11:00:0Z", "2024-05-02T11:00:00.12345６Z",
        "2024-05-02T11:60:00Z", "2024-13-02T11:00:00Z", "1900-02-29T00:00:00Z", "2024-05-02T11:00:00,5Z",
        "2024-05-02T24:00:00Z", "2024-05-02T11:00:-1Z", "2024-05-02T11:00:00.-234567Z", "20240502T110000Z",
    ],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    assert reasons(record(Timestamp=text)) == [
        f"Timestamp: expected a UTC time like 2024-01-31T23:59:59.1234567Z, found a string ({text})"
    ]


def test_additional_fields_are_json_text() -> None:
    found = [one(GOOD[f"fields as {kind}"])["AdditionalFields"] for kind in ("text", "object", "array")]
    assert found == ['{"b": 1.0}', '{"b":1.0,"a":[null,"x"]}', "[1]"]


def test_nested_fields_are_stored_as_delivered() -> None:
    assert one(str(OTHERS["nested"]))["AdditionalFields"] == (
        '{"z":["😀 é \ufffd",1.50,1E5,-0,null,true],"a\ufffd":{"\\t\\u001B\\"\\\\/":{}},"e":[]}'
    )


def test_half_a_surrogate_pair_is_stored_as_the_replacement_character() -> None:
    assert {text: one(str(OTHERS[text]))["FileName"] for text in HALVES} == HALVES


def test_what_cannot_be_told_apart_is_not_an_event() -> None:
    assert [reasons(OTHERS[name]) for name in [*OTHERS][-3:]] == [
        ["not JSON, or a key occurs twice"],
        ["not JSON, or a key occurs twice"],
        ["not UTF-8"],
    ]


def test_unknown_properties_are_kept() -> None:
    assert one(GOOD["unknown"])["unknown_properties"] == '{"Another":null,"New":{"x":1}}'
    assert one(GOOD["plain"])["unknown_properties"] is None


def test_values_of_columns() -> None:
    row = one(GOOD["numbers"])
    assert (row["ProcessId"], row["IsProcessRemoteSession"], row["IsInitiatingProcessRemoteSession"]) == (
        -(2**63),
        False,
        None,
    )
    assert one(GOOD["NUL as an escape"])["ProcessCommandLine"] == "a\0b"
    assert one(GOOD["filled by the source"])["TimeGenerated"].second == 1
    assert (one(GOOD["filled by the source"])["Type"], one(GOOD["plain"])["Type"]) == ("Mine", NAME)


DUPLICATES = [
    lambda name, text: text.replace(f'"{name}":', f'"{name}": null, "{name}":', 1),
    lambda name, text: text.replace(f'"{name}":', f'"{name}" :"\\u0022\\u0022\\\\", "{name}":', 1),
    lambda name, text: text.replace(f'"{name}":', f'"\\u{ord(name[0]):04x}{name[1:]}": 1, "{name}":', 1),
    lambda name, text: text.replace(f'"{name}":', f'"{name}": "null:null,", "{name}":', 1),
]
"""Ways to write a key twice that a count of something in the text might miss."""


@pytest.mark.parametrize("duplicate", DUPLICATES)
@pytest.mark.parametrize("name", ["time", "category", "properties", "Timestamp", "DeviceId", "ProcessId", "FileName"])
def test_a_key_that_occurs_twice(name: str, duplicate: Any) -> None:
    line = record(FileName='a "b" \\', ProcessId=7, ProcessCommandLine="\\")
    assert reasons(line) == []
    assert reasons(duplicate(name, line)) == ["not JSON, or a key occurs twice"]


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":', '{"AdditionalFields":'])
@pytest.mark.parametrize("name", ["AdditionalFields", "New", "FileName"])
def test_no_nesting_is_more_than_a_fault(name: str, opening: str) -> None:
    line = record(**{name: "@"}).replace('"@"', opening * 500_000)
    assert reasons(line) == ["not JSON, or a key occurs twice"]


def test_a_string_without_end_is_read_once() -> None:
    assert reasons('{"properties": ' + "[" * 101 + '"' + r"\"" * 5_000_000) == ["not JSON, or a key occurs twice"]


def test_deep_nesting_is_kept() -> None:
    nested = "[" * 98 + "]" * 98  # and the record, and its properties
    assert one(record(AdditionalFields="@").replace('"@"', nested))["AdditionalFields"] == nested


def test_a_record_may_be_as_large_as_the_limit() -> None:
    text = "x" * (MAX_RECORD_BYTES - len(record(FileName="")))
    assert one(record(FileName=text))["FileName"] == text


@given(st.lists(EVENTS, min_size=1, max_size=20))
@example([("N\ud83d", "1"), ("N\udc00", "1"), ("N?", "1"), ("N\ufffd", "1")])
def test_records_that_differ_in_one_property_are_different_events(events: list[Event]) -> None:
    events = [event for event in events if event[0] not in ("Timestamp", "DeviceId")]
    found: dict[str, tuple[bytes, str]] = {}
    for event in events:
        id_ = one(with_property(event))["event_id"]
        assert found.setdefault(id_, delivered(event)) == delivered(event)
    assert len(found) == len({*map(delivered, events)})


@given(st.dictionaries(st.text('ab"é😀', max_size=3), SCALARS, min_size=2, max_size=4))
def test_the_order_of_keys_says_nothing(bag: dict[str, str]) -> None:
    def text(pairs: Sequence[tuple[str, str]]) -> str:
        members = ",".join(f"{json.dumps(name)}:{value}" for name, value in pairs)
        return record(FileName="\1").replace('"FileName": "\\u0001"', members)

    shuffled = random.Random(1).sample([*bag.items()], len(bag))
    assert one(text([*bag.items()]))["event_id"] == one(text(shuffled))["event_id"]


@given(st.binary(max_size=40) | st.text('{}[]":,\\u0d8 propetisca1.e-', max_size=40).map(str.encode))
def test_no_bytes_make_it_fail(line: bytes) -> None:
    found = parse(line, record(), line)
    assert found.tables[NAME].positions.to_pylist() == [1]
    assert {*found.unreadable} == {0, 2}


@given(st.integers(0, len(record(FileName="\ud83d😀", ProcessId=1, New=[1.5], AdditionalFields={"a": {}})) - 1))
def test_half_a_record_is_none(cut: int) -> None:
    line = record(FileName="\ud83d😀", ProcessId=1, New=[1.5], AdditionalFields={"a": {}}).encode()
    assert reasons(line[:cut]) == ["not JSON, or a key occurs twice"]
    assert not defender_streaming.is_complete(line[:cut])
    assert defender_streaming.is_complete(line)


def test_fields_of_a_record() -> None:
    line = record(DeviceName="d\ud83d", ProcessId=7, AccountName=None, AdditionalFields={"a": 1.50}).encode()
    names = ["DeviceName", "ProcessId", "AccountName", "AccountSid", "AdditionalFields"]
    assert defender_streaming.fields(line, names) == {
        "DeviceName": "d\ufffd",
        "ProcessId": "7",
        "AccountName": None,
        "AccountSid": None,
        "AdditionalFields": '{"a":1.5}',
    }


@pytest.mark.parametrize("line", [b"", b"x", b"[1]", b'{"properties": 5}', b"{}", b'{"properties": {}} x'])
def test_what_holds_no_event(line: bytes) -> None:
    assert defender_streaming.fields(line, ["DeviceId"]) is None


def test_parsing_imports_neither_pandas_nor_spark() -> None:
    program = (
        "import sys, pyarrow as pa\n"
        "from lakehunt.records.defender_streaming import parse\n"
        "from lakehunt.schemas.event_tables import EVENT_TABLES\n"
        "line = sys.stdin.buffer.read()\n"
        "offsets = pa.py_buffer(bytes(4) + len(line).to_bytes(4, 'little'))\n"
        "lines = pa.Array.from_buffers(pa.binary(), 1, [None, offsets, pa.py_buffer(line)])\n"
        "found = parse(lines, {table.category: table for table in EVENT_TABLES})\n"
        "print(*found.tables, *({'pandas', 'pyspark', 'deltalake'} & {*sys.modules}))"
    )
    line = record(New=[1], ProcessId=5).encode()
    done = subprocess.run([sys.executable, "-c", program], input=line, capture_output=True, check=True)
    assert done.stdout.decode().split() == [NAME]
