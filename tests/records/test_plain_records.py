"""The two ways to read a record say the same, and what the quick one cannot tell it leaves to the other."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lakehunt.records import event_reader, json_text
from lakehunt.records.event_reader import Times, all_ticks, ticks
from lakehunt.records.json_text import Object
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS, EVENT_TABLES
from tests.support.blobs import record
from tests.support.event_records import records

TIME = "2024-02-29T23:59:59.1234567Z"

NEARLY_TIMES = st.builds(
    lambda place, letter, text: text[:place] + letter + text[place + 1 :],
    st.integers(0, len(TIME)),
    st.sampled_from([*"0123456789-:.TZ /", "", "é", "２", "00"]),
    st.sampled_from([TIME, "0001-01-01T00:00:00.0000000Z", "9999-12-31T23:59:59.9999999Z"]),
)
TIMES = st.lists(st.none() | st.text(max_size=30) | NEARLY_TIMES | NEARLY_TIMES.map(lambda text: text[:19] + "Z"))


@settings(max_examples=200)
@given(TIMES)
@example([None, TIME, "2023-02-29T00:00:00.0000000Z", "0000-01-01T00:00:00.0000000Z", "2024-13-01T00:00:00.0000000Z"])
@example(["2024-01-01T24:00:00.0000000Z", "2024-01-01T00:60:00.0000000Z", "2024-01-01T00:00:60.0000000Z", "2024-01-01"])
def test_many_times_are_read_as_one_is(texts: list[str | None]) -> None:
    one_by_one = [None if text is None else ticks(text) for text in texts]
    found = all_ticks(texts)
    known = zip(found.ticks.tolist(), found.known, strict=True)
    assert [since if is_known else None for since, is_known in known] == one_by_one
    assert [*found.odd] == [since is None and text is not None for text, since in zip(texts, one_by_one, strict=True)]


PIECES = [
    " ",
    "0",
    "-0",
    "1.0",
    "null",
    '"',
    "\\",
    r"\"",
    r"\u0041",
    "\t",
    "{",
    "}",
    "[]",
    ",",
    ":",
    "é",
    "\x01",
    r"\ud83d",
]


@st.composite
def lines(draw: st.DrawFn, table: EventTable) -> bytes:
    """Records as the service writes them, some in other forms, some with a member twice or a few letters changed."""
    written = json.loads(draw(records(table)).text)
    if draw(st.booleans()):
        members = [*written["properties"].items()]
        written["properties"] = dict(random.Random(draw(st.integers(0, 9))).sample(members, len(members)))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    text = json.dumps(written, separators=separators, ensure_ascii=draw(st.booleans()))
    if draw(st.booleans()):
        members = text.split(separators[0])
        members.insert(draw(st.integers(0, len(members))), draw(st.sampled_from(members)))
        text = separators[0].join(members)
    for place in draw(st.lists(st.integers(0, len(text)), max_size=3)):
        text = text[:place] + draw(st.sampled_from(PIECES)) + text[place + draw(st.integers(0, 2)) :]
    return text.encode()


@pytest.mark.parametrize("table", EVENT_TABLES, ids=lambda table: table.name)
@settings(max_examples=100)
@given(st.data())
def test_what_is_plain_is_read_alike_to_the_letter(table: EventTable, data: st.DataObject) -> None:
    reader = event_reader.reader(table)
    line = data.draw(lines(table))
    read = reader.plain(line)
    if read is None or any(isinstance(value, Times) and value.odd[0] for value in reader.values([read]).values()):
        return
    written = json_text.parse(line.decode())  # would raise for a key that occurs twice
    assert isinstance(written, Object)
    around = dict(written.members)
    event = reader.any(around["properties"])
    assert event.faults == ()
    assert event.unknown_properties is None
    values = reader.values([read])
    assert [_first(column) for column in values.values()] == [*event.values]
    assert reader.ids(values) == [event.id]
    assert (read.time or None, read.category) == (around.get("time"), around["category"])


def _first(column: Sequence[Any] | Times) -> Any:
    if isinstance(column, Times):
        return int(column.ticks[0]) if column.known[0] else None
    return column[0] if isinstance(column[0], str | int) else None


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("text", ["", "a", "é😀", r"C:\\Windows\\", 'say "a" \\', "\b\f\n\r\t\x7f", "\x01"])
def test_valid_records_are_plain(text: str, separators: tuple[str, str]) -> None:
    written = json.loads(record(FileName=text, ProcessId=0, AccountName=None, IsProcessRemoteSession=False))
    line = json.dumps(written, separators=separators, ensure_ascii=False).encode()
    assert event_reader.reader(DEVICE_PROCESS_EVENTS).plain(line).properties.FileName == text


def test_nothing_shorter_hides_a_key_that_occurs_twice() -> None:
    written = json.loads(record(FileName="a", ProcessId=0))
    line = json.dumps(written, separators=(",", ":")).encode()
    reader = event_reader.reader(DEVICE_PROCESS_EVENTS)
    assert reader.plain(line) is not None
    for twice in (b'"FileName":"a",', b'"FileName":null,', b'"FileName" : "",', b'"ProcessId":7,', b'"time":"",'):
        for before in (b'"FileName"', b'"ProcessId"', b'"time"'):
            if twice.split(b":")[0].strip() in line:
                assert reader.plain(line.replace(before, twice + before, 1)) is None
    assert reader.plain(line.replace(b'"ProcessId":0', b'"ProcessId":-0')) is None
