"""Records are the same events, faults and ids to both hosts: Spark's expressions and the parser without Spark.

`docs/decisions/0029-parser-without-spark.md` names what differs on purpose; the comparison leaves out exactly that."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from hypothesis import given
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehunt.records import defender_streaming as records
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.sources import defender_streaming as spark_host
from tests.support.blobs import record
from tests.support.delivered_records import EVENTS, FAULTS, GOOD, OTHERS, STORED, Event, with_property
from tests.support.properties import in_few_queries, many

NAME, CATEGORY = DEVICE_PROCESS_EVENTS.name, DEVICE_PROCESS_EVENTS.category
SAMPLES = Path(__file__).parents[2] / "samples" / "streaming"


class Reading(NamedTuple):
    """What a host makes of a record."""

    faults: list[tuple[str | None, str]]
    columns: dict[str, Any]
    """With `tick_digits` and `unknown_properties`, times in microseconds; empty if the record is of no table."""
    event_id: str | None
    """None with a fault: nothing stores it."""
    envelope: tuple[int | None, str | None, str | None]


def by_spark(spark: SparkSession, lines: Sequence[bytes]) -> list[Reading]:
    def row(place: int, line: bytes) -> tuple[int, str | None, bytearray | None]:
        try:
            return place, line.decode(), None
        except UnicodeDecodeError:
            return place, None, bytearray(line)

    frame = spark.createDataFrame([row(*one) for one in enumerate(lines)], "i INT, text STRING, bytes BINARY")
    columns = [
        F.unix_micros(column.name).alias(column.name) if column.type == "datetime" else F.col(column.name)
        for column in DEVICE_PROCESS_EVENTS.columns
    ]
    others = ("tick_digits", "unknown_properties", "event_id", "faults", "tenant_id", "category")
    exported = F.unix_micros("exported_at").alias("exported_at")
    parsed = spark_host.parse(spark_host.with_envelope(frame.coalesce(1)))
    made: list[Reading] = []
    for found in parsed.orderBy("i").select(*columns, *others, exported).collect():
        row_ = found.asDict(recursive=True)
        faults = [(fault["column"], fault["why"]) for fault in row_["faults"]]
        values = {name: row_[name] for name in (*DEVICE_PROCESS_EVENTS.column_names, *others[:2])}
        envelope = (row_["exported_at"], row_["tenant_id"], row_["category"])
        made.append(_comparable(Reading(faults, values, row_["event_id"], envelope)))
    return made


def without_spark(lines: Sequence[bytes]) -> list[Reading]:
    found = records.parse(pa.array(lines, pa.binary()), {CATEGORY: DEVICE_PROCESS_EVENTS})
    envelopes = [
        found.envelope["exported_at"].cast(pa.int64()).to_pylist(),
        found.envelope["tenant_id"].to_pylist(),
        found.envelope["category"].to_pylist(),
    ]
    faults = found.unreadable | {
        place: (records.Fault("category", f"category is {category}, not {CATEGORY}"),)
        for category, places in found.other.items()
        for place in places.to_pylist()
    }
    values: dict[int, dict[str, Any]] = {}
    if NAME in found.tables:
        rows = found.tables[NAME]
        faults |= rows.faults
        columns = {
            field.name: (column.cast(pa.int64()) if pa.types.is_timestamp(field.type) else column).to_pylist()
            for field, column in zip(rows.events.schema, rows.events.columns, strict=True)
        }
        del columns["event_date"]
        for i, place in enumerate(rows.positions.to_pylist()):
            values[place] = {name: column[i] for name, column in columns.items()}
    made: list[Reading] = []
    for place, envelope in enumerate(zip(*envelopes, strict=True)):
        row = values.get(place, {})
        id_ = row.pop("event_id", None)
        own = [tuple(fault) for fault in faults.get(place, ())]
        made.append(_comparable(Reading(own, row, id_, envelope)))
    return made


def _comparable(reading: Reading) -> Reading:
    """`reading` without what differs on purpose."""
    faults, columns, id_, envelope = reading
    if any(why.startswith("not JSON") for _, why in faults):
        envelope = (None, None, None)
    if any(column == "category" for column, _ in faults):
        faults = [(column, why) for column, why in faults if column == "category"]
    of_the_table = envelope[2] == CATEGORY
    return Reading(faults, columns if of_the_table else {}, None if faults else id_, envelope)


def check(spark: SparkSession, lines: Sequence[str | bytes]) -> None:
    given_ = [line.encode() if isinstance(line, str) else line for line in lines]
    for line, theirs, ours in zip(given_, by_spark(spark, given_), without_spark(given_), strict=True):
        assert ours == theirs, line[:2000]


def test_rows_of_other_tests(spark: SparkSession) -> None:
    faults = [line for name, (line, _) in FAULTS.items() if name != "too large"]
    check(spark, [*faults, *GOOD.values(), *OTHERS.values(), *(text for text, _ in STORED.values())])


def test_samples(spark: SparkSession) -> None:
    check(spark, _lines(SAMPLES))


def test_real_telemetry(spark: SparkSession, shared: Path) -> None:
    folder = shared / "telemetry" / "stream"
    if not folder.is_dir():
        pytest.skip("the reference material has no stream")
    check(spark, _lines(folder)[:1000])


def _lines(folder: Path) -> list[bytes]:
    files = sorted(folder.rglob("PT1H.json"))
    return [line for file in files for line in file.read_bytes().split(b"\n") if line.strip()]


@in_few_queries
@given(many(EVENTS))
def test_records_with_any_property(spark: SparkSession, events: list[Event]) -> None:
    check(spark, [with_property(event) for event in events])


NUMBERS = [
    *("0", "-0", "0.0", "-0.0", "1.0", "1.00", "1e0", "15e-1", "100.0", "1E+2", "0.0001", "1e400", "-1e400", "0.00"),
    *("9007199254740993.0", "0.1000000000000000055", "9223372036854775807", "9223372036854775808", "+1", "NaN", "1e"),
    *("-9223372036854775808", "00", "01", "1.", ".5", "12345678901234567890.50"),
]
PIECES = [
    *("a", "é", "😀", "?", "\ufffd", "\x7f", "\u2028", "{", ",", ":", "null", " "),
    *(rf"\u{unit}" for unit in ("d83d", "de00", "D83D", "0000", "001b", "007F", "00e9")),
    *(r"\ud83d\ude00", r"\n", r"\"", r"\\", r"\/", r"\b", r"\f", r"\\u001b", r"\x", "\t", '"'),
]
TIMES = [
    *("2024-05-02T11:00:00.1234567Z", "2024-05-02T11:00:00Z", "2021-02-29T00:00:00Z", "2024-05-02T24:00:00Z"),
    *("0001-01-01T00:00:00.0000001Z", "9999-12-31T23:59:59.9999999Z", "1582-10-10T00:00:00.5Z", "0000-01-01T00:00:00Z"),
    *(" 2024-05-02T11:00:00Z", "2024-05-02T11:00:00.Z", "2024-05-02T11:00:00.12345678Z", "2024-05-02t11:00:00Z"),
]
CATEGORIES = [*[f'"{CATEGORY}"'] * 9, '"AdvancedHunting-X"', '"x"', "5", "null"]


class Writer:
    """Writes records that are odd in every way, and mostly in a few ways at once."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def lines(self, count: int) -> Iterator[bytes]:
        for _ in range(count):
            yield self.damaged(self.line()).encode()

    def line(self) -> str:
        members = [("time", self.time()), ("tenantId", self.text()), ("category", self.random.choice(CATEGORIES))]
        members.append(("properties", self.event() if self.random.random() < 0.95 else self.value()))
        if self.random.random() < 0.1:
            members.pop(self.random.randrange(len(members)))
        self.random.shuffle(members)
        return self.object([(json.dumps(name), value) for name, value in members])

    def event(self) -> str:
        makers: dict[str, Callable[[], str]] = {
            "datetime": self.time,
            "long": lambda: str(self.random.choice([0, 7, -(2**63), 2**63 - 1])),
            "bool": lambda: self.random.choice(["true", "false"]),
            "dynamic": self.value,
        }
        columns = self.random.sample(DEVICE_PROCESS_EVENTS.columns, self.random.randint(0, 8))
        members = [
            (json.dumps(c.name), self.value() if self.random.random() < 0.1 else makers.get(c.type, self.text)())
            for c in columns
        ]
        if self.random.random() < 0.4:
            members.append(("AdditionalFields", self.value()))
            members[-1] = ('"New"' if self.random.random() < 0.5 else self.text(), members[-1][1])
        return self.object(members)

    def time(self) -> str:
        return json.dumps(self.random.choice(TIMES))

    def text(self) -> str:
        return '"' + "".join(self.random.choices(PIECES, [20] * (len(PIECES) - 3) + [1] * 3, k=3)) + '"'

    def value(self, depth: int = 0) -> str:
        kind = self.random.random()
        if kind < 0.3:
            return self.text()
        if kind < 0.6:
            return self.random.choice(NUMBERS) if kind < 0.5 else f"{self.random.uniform(-1e6, 1e6):.5f}"
        if kind < 0.75 or depth > 3:
            return self.random.choice(["true", "false", "null"])
        inside = [self.value(depth + 1) for _ in range(self.random.randint(0, 3))]
        if kind < 0.87:
            return f"[{','.join(inside)}]"
        return self.object([(self.text(), one) for one in inside])

    def object(self, members: Sequence[tuple[str, str]]) -> str:
        def space() -> str:
            return self.random.choice(["", "", "", "", "", " ", "\t", "\r"])

        written = (f"{space()}{name}{space()}:{space()}{value}{space()}" for name, value in members)
        return f"{{{','.join(written)}}}"

    def damaged(self, line: str) -> str:
        kind, place = self.random.random(), self.random.randrange(len(line))
        if kind < 0.03:
            return line[:place] or "x"
        if kind < 0.06:
            return line[:place] + self.random.choice('{}[],:"\\x0 ') + line[place + 1 :]
        if kind < 0.08:
            return line + self.random.choice(["x", "{}", ",1", "]", "] x", ",1] x", "#", "/*"])
        return line


@pytest.mark.parametrize("seed", [1, 2])
def test_odd_records(spark: SparkSession, seed: int) -> None:
    check(spark, [*Writer(seed).lines(700)])


def test_limits(spark: SparkSession) -> None:
    def with_json(name: str, text: str) -> str:
        return record(**{name: "@"}).replace('"@"', text)

    nested = [with_json(name, "[" * n + "]" * n) for n in (50, 98, 5000) for name in ("AdditionalFields", "New")]
    digits = [with_json("New", text) for text in ("1" * 1000, "1" * 1001, "-" + "1" * 1000, "0." + "1" * 999)]
    names = [record(**{"x" * n: 1}) for n in (50_000, 50_001)]
    check(spark, nested + digits + names)
