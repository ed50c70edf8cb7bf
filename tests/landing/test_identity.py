"""The id of an event: of everything that was delivered, and the same ever since."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from lakehunt.sources import defender_streaming
from tests.support.blobs import record
from tests.support.properties import in_few_queries, many

Event = tuple[str, str]
"""One more property of a record: its name and its value as JSON."""

STORED: dict[str, tuple[str, str]] = {
    "plain": (
        record(),
        "12e8912ce4ab27804ae7fc44253d1dc33ff579e281ff8061b54353120f4cd7a4",
    ),
    "null": (
        record(FileName=None),
        "12e8912ce4ab27804ae7fc44253d1dc33ff579e281ff8061b54353120f4cd7a4",
    ),
    "times": (
        record(Timestamp="1969-12-31T23:59:59.9999999Z", ProcessCreationTime="2024-05-02T11:00:00Z"),
        "3ff63c2e3f57a02daa29b965259c8a44411d7c9a4554430076bb7ff082b55d14",
    ),
    "the last instant": (
        record(Timestamp="9999-12-31T23:59:59.9999999Z"),
        "ccddaac7242bc97a62b66bf40b963b9164ff349ca647634bfff87bc909646868",
    ),
    "characters": (
        record(FileName="é😀\u2028", ProcessCommandLine='a\0"\\b?\ufffd'),
        "5cff63fd24d1099dc455bca726fb8ec27c1eafd8e96abd77e37f5502a8397a67",
    ),
    "a pair of escapes": (
        record(FileName="@").replace("@", r"\ud83d\ude00"),
        "237436607b48f09c5e71c730276cacb83b1f7296f0408ed2559d758c455ef0a9",
    ),
    "numbers": (
        record(ProcessId=-(2**63), ReportId=0, IsProcessRemoteSession=False),
        "ee14e6b032fd11d6adf875fc0af4d9de1fab9481f2a4dcd23bdd1dff5a6e3dd0",
    ),
    "fields as text": (
        record(AdditionalFields='{"b": 1.0, "c": "\\ud83d"}'),
        "daf80f32ee7a88a2dcec1f0489f20283420640478ebb3f409d20e802331764ec",
    ),
    "text that is not JSON": (
        record(AdditionalFields="not json {"),
        "8ec99b1b33b8987f36018c57c7c32ebd5cf311775e2db5d4412b13e11028a7d7",
    ),
    "fields as object": (
        record(AdditionalFields={"k": "x😀é", "b": 1.0, "a": [None, "x", 0.0001, 12345678901234567890, True, 1.5]}),
        "46d701636f53522589a449e59444b1f05f5f79ece17914d8f85901c76cf07589",
    ),
    "fields as array": (
        record(AdditionalFields=[1, {}]),
        "645762eac9a04f7a9ccbe9ae51b1ed45c014e18b340266f72f9b29e76635c0be",
    ),
    "unknown properties": (
        record(New={"x": 1, "a": [1.5, "😀", None]}, Another=None, Score=0.5, Big=10**30),
        "3fc30d02140db9d3719c102d28f03c1d4bf3aee29fd751c015e311a49faff972",
    ),
    "filled by the source": (
        record(TimeGenerated="2024-05-02T11:00:01Z", Type="Mine"),
        "c49df9fad6d92d281accce80c9f40fedf59a22a755e9d69909e49741cb2c7ee4",
    ),
    "another envelope": (
        json.dumps({**json.loads(record()), "time": "x", "Tenant": 1.0}),
        "12e8912ce4ab27804ae7fc44253d1dc33ff579e281ff8061b54353120f4cd7a4",
    ),
}
"""Records with the id that their events have in lakes that exist."""

TEXTS = st.text(st.characters(codec=None) | st.sampled_from("\ud83d\udc00\ude00\ufffd?\0\\u"), max_size=5)
NUMBERS = st.sampled_from(
    [
        "0",
        "-0",
        "0.0",
        "-0.0",
        "1",
        "1.0",
        "1.00",
        "1e0",
        "10e-1",
        "1.5",
        "1.50",
        "15e-1",
        "100",
        "1e2",
        "1E2",
        "1E+2",
        "100.0",
        "0.0001",
        "1e-4",
        "1.0E-4",
        "1e400",
        "2e400",
        "9007199254740993",
        "9007199254740993.0",
        "0.1",
        "0.1000000000000000055",
        "123456789012345678901234567890123456789012",
        "123456789012345678901234567890123456789013",
    ]
)
SCALARS = st.sampled_from(["true", "false", '"1"', '"Infinity"']) | NUMBERS | TEXTS.map(json.dumps)
NESTED = st.lists(SCALARS, max_size=2).map(lambda items: f"[{','.join(items)}]") | st.tuples(TEXTS, SCALARS).map(
    lambda pair: f"{{{json.dumps(pair[0])}:{pair[1]}}}"
)
EVENTS: st.SearchStrategy[Event] = (
    st.tuples(st.sampled_from(["FileName", "ProcessCommandLine", "AdditionalFields"]), TEXTS.map(json.dumps))
    | st.tuples(st.just("AdditionalFields"), NESTED)
    | st.tuples(st.just("New"), SCALARS | NESTED)
    | st.tuples(TEXTS, st.just("1"))
    | st.tuples(st.just("ProcessId"), st.sampled_from(["0", "-0", "7", "-7"]))
)
TICKS = st.integers(0, (datetime.max - datetime.min) // timedelta(microseconds=1) * 10 + 9)


def parsed(spark: SparkSession, texts: Sequence[str | bytes]) -> list[Row]:
    """The event of each record, in order, with its time in ticks since the year 1."""
    given_ = [(i, text, None) if isinstance(text, str) else (i, None, bytearray(text)) for i, text in enumerate(texts)]
    rows = spark.createDataFrame(given_, "i INT, text STRING, bytes BINARY")
    ticks = F.unix_micros("Timestamp") * 10 + F.col("tick_digits.Timestamp") + 621355968000000000
    made = defender_streaming.parse(defender_streaming.with_envelope(rows.coalesce(1)))
    columns = ("event_id", "faults", "FileName", "AdditionalFields", "unknown_properties", ticks.alias("ticks"))
    return made.orderBy("i").select(*columns).collect()


def with_property(event: Event) -> str:
    """A record with one more property."""
    return record(FileName="\1").replace('"FileName": "\\u0001"', f"{json.dumps(event[0])}: {event[1]}")


def delivered(event: Event) -> tuple[bytes, str]:
    """What a property says, to the UTF-16 unit and to the digit."""
    value = json.loads(
        event[1], parse_int=lambda digits: ("number", digits), parse_float=lambda digits: ("number", digits)
    )
    return event[0].encode("utf-16", "surrogatepass"), repr(value)


@in_few_queries
@given(many(EVENTS))
@example([("N\ud83d", "1"), ("N\udc00", "1"), ("N?", "1"), ("N\ufffd", "1")])
def test_records_that_differ_in_one_property_are_different_events(spark: SparkSession, events: list[Event]) -> None:
    events = [event for event in events if event[0] not in ("Timestamp", "DeviceId")]
    found: dict[str, tuple[bytes, str]] = {}
    for event, row in zip(events, parsed(spark, [with_property(event) for event in events]), strict=True):
        assert row.faults == [], event
        assert found.setdefault(row.event_id, delivered(event)) == delivered(event)
    assert len(found) == len({*map(delivered, events)})


@in_few_queries
@given(many(st.dictionaries(st.text('ab"é😀', max_size=3), SCALARS, min_size=2, max_size=4)))
def test_the_order_of_keys_says_nothing(spark: SparkSession, bags: list[dict[str, str]]) -> None:
    def text(pairs: Sequence[tuple[str, str]]) -> str:
        members = ",".join(f"{json.dumps(name)}:{value}" for name, value in pairs)
        return record(FileName="\1").replace('"FileName": "\\u0001"', members)

    generator = random.Random(1)
    shuffled = [text(generator.sample([*bag.items()], len(bag))) for bag in bags]
    ids = [row.event_id for row in parsed(spark, [text([*bag.items()]) for bag in bags] + shuffled)]
    assert ids[: len(bags)] == ids[len(bags) :]


@in_few_queries
@given(many(TICKS))
@example([0, 9, (datetime(1582, 10, 10) - datetime.min) // timedelta(microseconds=1) * 10])
def test_every_instant_from_year_1_to_9999(spark: SparkSession, instants: list[int]) -> None:
    def text(ticks: int) -> str:
        at = datetime.min + timedelta(microseconds=ticks // 10)
        return record(Timestamp=f"{at.isoformat(timespec='microseconds')}{ticks % 10}Z")

    rows = parsed(spark, [text(ticks) for ticks in instants])
    assert [row.ticks for row in rows] == instants
    assert len({row.event_id for row in rows}) == len({*instants})


HALVES = {
    r"a\ud83d": "a\ufffd",
    r"\uDC00b": "\ufffdb",
    r"\ud83d\ude00": "😀",
    r"\ud83d\uD83D\ude00": "\ufffd😀",
    r"\ud83d\ude00\ude00": "😀\ufffd",
    r"\ude00\ud83d": "\ufffd\ufffd",
    r"\\ud83d": r"\ud83d",
    r"\\\ud83d": "\\\ufffd",
}
"""How a text is written in a record, and how it is stored."""

NESTED_FIELDS = (
    r'{"z": ["\ud83d\ude00 é \ud83d", 1.50, 1E5, -0, null, true], "a\udc00": {"\t\u001b\"\\\/": {}}, "e": []}'
)
OTHERS: dict[str, str | bytes] = {
    **{text: with_property(("FileName", f'"{text}"')) for text in HALVES},
    "nested": with_property(("AdditionalFields", NESTED_FIELDS)),
    # Stored, one of the two would hide the other.
    "stored alike": with_property(("N", '1, "@": 2')).replace('"N"', r'"N\ud83d"').replace("@", r"N\udc00"),
    "a control character": with_property(("FileName", '"\1\\ud83d"')),
    "half a pair in UTF-8": b'{"a": "\xed\xa0\xbd"}',
}


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> dict[str, Row]:
    """The events of OTHERS and of STORED, by name."""
    texts = OTHERS | {name: text for name, (text, _) in STORED.items()}
    return dict(zip(texts, parsed(spark, [*texts.values()]), strict=True))


def test_stored_ids_do_not_change(rows: dict[str, Row]) -> None:
    assert {name: rows[name].event_id for name in STORED} == {name: id_ for name, (_, id_) in STORED.items()}


def test_half_a_surrogate_pair_is_stored_as_the_replacement_character(rows: dict[str, Row]) -> None:
    assert {text: rows[text].FileName for text in HALVES} == HALVES


def test_nested_fields_are_stored_as_delivered(rows: dict[str, Row]) -> None:
    assert rows["nested"].AdditionalFields == (
        '{"z":["😀 é \ufffd",1.50,1E5,-0,null,true],"a\ufffd":{"\\t\\u001B\\"\\\\/":{}},"e":[]}'
    )


def test_what_cannot_be_told_apart_is_not_an_event(rows: dict[str, Row]) -> None:
    assert [[fault.why for fault in rows[name].faults] for name in [*OTHERS][-3:]] == [
        ["not JSON, or a key occurs twice"],
        ["not JSON, or a key occurs twice"],
        ["not UTF-8"],
    ]
