"""Both engines make the same of what tests land: the same rows, ids, faults and verdicts, record by record."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.small_tables import LocalTables
from lakehunt.landing.ledger import IngestResult
from lakehunt.landing.local.engine import LocalEngine
from lakehunt.landing.outcomes import PromotionResult
from lakehunt.landing.settings import FileLimits, Settings
from lakehunt.landing.spark.engine import SparkEngine
from lakehunt.quality.data_docs import DataDocs
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import BY_NAME, EVENT_TABLES
from lakehunt.schemas.landing_tables import BATCHES, FILES, QUARANTINE, RECORDS
from tests.support.blobs import NOW, blob, record
from tests.support.delivered_records import FAULTS, GOOD, OTHERS, STORED
from tests.support.paths import PROJECT

SUITES = PROJECT / "expectations"
END = record().encode()
"""A whole object: half of one at the end of a blob has a batch of its own by Spark, if a line end follows."""

TABLES = (RECORDS, QUARANTINE, BATCHES, FILES, *(table.events for table in EVENT_TABLES))


def rows(root: str) -> dict[str, list[str]]:
    """What a lake holds, in order; times as text, as not all are datetimes of Python."""
    tables = LocalTables(root)
    found = {}
    for table in TABLES:
        stored = tables.rows(table)
        columns = {name: stored.column(name) for name in stored.column_names}
        as_text = {name: one.cast(pa.string()) for name, one in columns.items() if pa.types.is_timestamp(one.type)}
        made = pa.table(columns | as_text).to_pylist()
        found[table.name] = sorted(json.dumps(row, default=repr, sort_keys=True) for row in made)
    return found


def both(
    lake: Lake, folder: Path, source: Path, tables: Sequence[str] = tuple(BY_NAME)
) -> tuple[IngestResult, PromotionResult]:
    """Lands a folder by both engines into lakes of their own, and compares these. Returns what they said."""
    settings, docs = Settings(FileLimits(), tables=tuple(tables)), DataDocs()
    alone = str(folder / "alone")
    ingested, promoted = LocalEngine(alone, settings, SUITES, docs, lambda _: None).land(str(source), NOW)
    by_spark = SparkEngine(lake, settings, SUITES, docs, lambda _: None).land(str(source), NOW)
    expected = rows(alone)
    for name, of_spark in rows(lake.root).items():
        assert of_spark == expected[name], name
    assert by_spark == (ingested, promoted)
    return ingested, promoted


def test_records_of_other_tests(lake: Lake, tmp_path: Path, source: Path) -> None:
    faults, stored = (line for line, _ in FAULTS.values()), (line for line, _ in STORED.values())
    lines = [*faults, *GOOD.values(), *OTHERS.values(), *stored]
    delivered = [line.encode() if isinstance(line, str) else line for line in lines]
    blob(source, b"\r\n".join(delivered) + b"\r\n", "all.json")
    blob(source, b"\n\t\n" + b"\n".join(delivered[-9:]) + b'\n{"half', "again.json")
    ingested, promoted = both(lake, tmp_path, source)
    (batch,) = promoted.batches
    assert ingested.delivered == len(lines) + 9
    assert [line for _, line in ingested.pending] == [12]
    assert batch.events > len(GOOD) // 2
    assert batch.duplicates >= 9
    assert batch.quarantined >= len(FAULTS) - 1


def test_samples(lake: Lake, tmp_path: Path) -> None:
    _, promoted = both(lake, tmp_path, PROJECT / "samples/streaming")
    assert sum(batch.events for batch in promoted.batches) > 100


@pytest.mark.slow
def test_real_telemetry(lake: Lake, tmp_path: Path, shared: Path) -> None:
    _, promoted = both(lake, tmp_path, shared / "telemetry/stream")
    assert sum(batch.events for batch in promoted.batches) == 2608


REQUIRED = {"Timestamp": '"2024-05-02T11:00:00.1234567Z"', "DeviceId": '"d1"', "ReportId": "1"}
"""Properties without which few suites let a record be an event."""

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
CATEGORIES = ['"AdvancedHunting-X"', '"AdvancedHunting-Y"', '"x"', "5", "null"]


class Writer:
    """Writes records that are odd in every way, and mostly in a few ways at once."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def lines(self, count: int) -> Iterator[bytes]:
        for _ in range(count):
            yield self.damaged(self.line()).encode()

    def line(self) -> str:
        table = self.random.choice(EVENT_TABLES)
        category = f'"{table.category}"' if self.random.random() < 0.9 else self.random.choice(CATEGORIES)
        members = [("time", self.time()), ("tenantId", self.text()), ("category", category)]
        members.append(("properties", self.event(table) if self.random.random() < 0.95 else self.value()))
        if self.random.random() < 0.1:
            members.pop(self.random.randrange(len(members)))
        self.random.shuffle(members)
        return self.object([(json.dumps(name), value) for name, value in members])

    def event(self, table: EventTable) -> str:
        makers: dict[str, Callable[[], str]] = {
            "datetime": self.time,
            "int": lambda: str(self.random.choice([0, -(2**31), 2**31 - 1, 2**31])),
            "long": lambda: str(self.random.choice([0, 7, -(2**63), 2**63 - 1])),
            "bool": lambda: self.random.choice(["true", "false"]),
            "dynamic": self.value,
        }
        columns = self.random.sample(table.columns, self.random.randint(0, 8))
        members = [
            (json.dumps(c.name), self.value() if self.random.random() < 0.1 else makers.get(c.type, self.text)())
            for c in columns
        ]
        named = {column.name for column in columns}
        if self.random.random() < 0.8:
            members += [(json.dumps(name), value) for name, value in REQUIRED.items() if name not in named]
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


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in range(2, 30))])
def test_odd_records_of_all_tables(lake: Lake, tmp_path: Path, source: Path, seed: int) -> None:
    lines = [*Writer(seed).lines(1500)]
    lines += random.Random(seed).choices(lines, k=200)
    blob(source, b"\n".join([*lines, END]) + b"\n")
    _, promoted = both(lake, tmp_path, source)
    (batch,) = promoted.batches
    assert len(batch.tables) == len(EVENT_TABLES) + 1
    assert min(batch.events, batch.quarantined, batch.duplicates, len(batch.other_tables)) > 0


def test_some_tables(lake: Lake, tmp_path: Path, source: Path) -> None:
    blob(source, b"\n".join([*Writer(0).lines(400), END]) + b"\n")
    _, promoted = both(lake, tmp_path, source, ("DeviceInfo", "DeviceEvents"))
    (batch,) = promoted.batches
    assert {one.table for one in batch.tables} == {"", "DeviceEvents", "DeviceInfo"}
    assert len(batch.other_tables) > len(EVENT_TABLES) - 2


def test_limits(lake: Lake, tmp_path: Path, source: Path) -> None:
    def with_json(name: str, text: str) -> str:
        return record(**{name: "@"}).replace('"@"', text)

    nested = [with_json(name, "[" * n + "]" * n) for n in (50, 98, 5000) for name in ("AdditionalFields", "New")]
    digits = [with_json("New", text) for text in ("1" * 1000, "1" * 1001, "-" + "1" * 1000, "0." + "1" * 999)]
    names = [record(**{"x" * n: 1}) for n in (50_000, 50_001)]
    blob(source, "\n".join([*nested, *digits, *names, END.decode()]) + "\n")
    both(lake, tmp_path, source)
