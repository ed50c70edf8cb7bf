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
from tests.support.delivered_records import (
    EVENTS,
    HALVES,
    OTHERS,
    SCALARS,
    STORED,
    TICKS,
    Event,
    delivered,
    with_property,
)
from tests.support.properties import in_few_queries, many


def parsed(spark: SparkSession, texts: Sequence[str | bytes]) -> list[Row]:
    """The event of each record, in order, with its time in ticks since the year 1."""
    given_ = [(i, text, None) if isinstance(text, str) else (i, None, bytearray(text)) for i, text in enumerate(texts)]
    rows = spark.createDataFrame(given_, "i INT, text STRING, bytes BINARY")
    ticks = F.unix_micros("Timestamp") * 10 + F.col("tick_digits.Timestamp") + 621355968000000000
    made = defender_streaming.parse(defender_streaming.with_envelope(rows.coalesce(1)))
    columns = ("event_id", "faults", "FileName", "AdditionalFields", "unknown_properties", ticks.alias("ticks"))
    return made.orderBy("i").select(*columns).collect()


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
