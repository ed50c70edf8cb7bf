"""Valid records of any declared event table, at random, each with what its event must hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from lakehunt.schemas.event_table import EventColumn, EventTable
from tests.support.blobs import record

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = datetime(2000, 1, 1), datetime(2099, 12, 31)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
BAGS = st.lists(JSON, max_size=3) | st.dictionaries(TEXTS, JSON, max_size=3)


@dataclass(frozen=True)
class Value:
    """A value as a record has it, and as an event must hold it: a time without its last digit, JSON as data."""

    delivered: Any
    held: Any
    digit: int | None = None
    """The seventh fractional digit of a time."""


@dataclass(frozen=True)
class Delivered:
    """A record as text, and its event: values by column, null where the record has none, and the times' last digits."""

    text: str
    event: dict[str, Any]
    digits: dict[str, int | None]


def same(value: Any) -> Value:
    return Value(value, value)


def time(ticks: int) -> Value:
    """A time so many ticks after `FIRST`."""
    at = FIRST.replace(tzinfo=UTC) + timedelta(microseconds=ticks // 10)
    return Value(f"{at:%Y-%m-%dT%H:%M:%S.%f}{ticks % 10}Z", at, ticks % 10)


TIMES = st.integers(0, (LAST - FIRST) // timedelta(microseconds=1) * 10).map(time)

VALUES: dict[str, st.SearchStrategy[Value]] = {
    "bool": st.booleans().map(same),
    "int": st.integers(-(2**31), 2**31 - 1).map(same),
    "long": st.integers(-(2**63), 2**63 - 1).map(same),
    "datetime": TIMES,
    "string": TEXTS.map(same),
    # Defender's Streaming API has JSON as text
    "dynamic": BAGS.map(lambda bag: Value(json.dumps(bag), bag)),
}


@st.composite
def records(draw: st.DrawFn, table: EventTable) -> Delivered:
    """A record of the table with any of its columns; the event's time and the device are always there."""
    required = {table.times[0]: draw(TIMES), table.device_id: same(draw(TEXTS.filter(bool)))}
    optional = [column for column in table.columns if column.name not in {*required, *table.times, "Type"}]
    chosen = draw(st.lists(st.sampled_from(optional), unique_by=lambda column: column.name, max_size=15))
    values = required | {column.name: draw(_value(column)) for column in chosen}
    time_ = values[table.times[0]]
    of_table = dict.fromkeys(table.times, time_) | {"Type": same(table.name)}
    known = dict.fromkeys(table.column_names, same(None)) | of_table | values
    return Delivered(
        record(table.category, **{name: value.delivered for name, value in values.items()}),
        {name: value.held for name, value in known.items()},
        {name: known[name].digit for name in table.datetime_names},
    )


def _value(column: EventColumn) -> st.SearchStrategy[Value]:
    return st.just(same(None)) | VALUES[column.type]
