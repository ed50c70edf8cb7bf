"""Small tables by delta-rs: rows, older tables, conflicts between processes, and killed writers. No Spark."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, TableFeatures, write_deltalake

from lakehunt.lake import arrow_rows
from lakehunt.lake.small_tables import LocalTables, Made, Read, reachable
from lakehunt.schemas.table import TableColumn
from tests.support.scratch_tables import scratch_table

NUMBERS = scratch_table("some.numbers", TableColumn("n", "BIGINT", "A number"))
LATER = scratch_table("some.numbers", *NUMBERS.columns, TableColumn("named", "STRING", "Its name"), contract=2)
EVERY = scratch_table(
    "some.every.kind",
    TableColumn("text", "STRING", "A text"),
    TableColumn("at", "TIMESTAMP", "A time"),
    TableColumn("day", "DATE", "A day"),
    TableColumn("part", "DOUBLE", "A part"),
    TableColumn("true", "BOOLEAN", "Whether it is"),
    TableColumn("small", "INT", "A small number"),
    TableColumn("digit", "TINYINT", "A digit"),
    TableColumn("exact", "DECIMAL(34,17)", "An exact number"),
    TableColumn("raw", "BINARY", "Bytes"),
    TableColumn("names", "ARRAY<STRING>", "Names"),
    TableColumn("hours", "ARRAY<STRUCT<hour: TIMESTAMP, `of_it`: BIGINT>>", "Hours"),
)
DAILY = scratch_table(
    "some.daily",
    TableColumn("n", "BIGINT", "A number"),
    TableColumn("day", "DATE", "Its day"),
    partitioned_by=("day",),
)


@pytest.fixture
def tables(tmp_path: Path) -> LocalTables:
    return LocalTables(str(tmp_path / "lake"))


def numbers(tables: LocalTables, only: Any = ()) -> list[int]:
    return sorted(tables.rows(NUMBERS, only=only)["n"].to_pylist())


def commits(tables: LocalTables, name: str) -> list[list[dict[str, Any]]]:
    log = Path(tables.path(name), "_delta_log")
    return [[json.loads(line) for line in file.read_text().splitlines()] for file in sorted(log.glob("*.json"))]


def test_rows_of_every_type(tables: LocalTables) -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    row = ("a'b`\"\\\né", at, date(2026, 3, 1), 0.5, True, 7, 3, Decimal("1.5"), b"\x00\xff", ["x", None])
    hours = [{"hour": at, "of_it": 3}, {"hour": None, "of_it": None}]
    tables.append(EVERY, [(*row, hours), (None,) * 11])
    first, second = tables.rows(EVERY).to_pylist()
    assert first == dict(zip(EVERY.column_names, (*row, hours), strict=True))
    assert second == dict.fromkeys(EVERY.column_names)


def test_a_time_of_another_zone_is_the_same_instant(tables: LocalTables) -> None:
    moments = scratch_table("some.moments", TableColumn("at", "TIMESTAMP", "A time"))
    tables.append(moments, [(datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=2))),)])
    assert tables.rows(moments)["at"].to_pylist() == [datetime(2026, 2, 28, 23, tzinfo=UTC)]


def test_a_row_with_too_few_values_is_refused(tables: LocalTables) -> None:
    with pytest.raises(ValueError, match=r"a row for some\.numbers has 2 values instead of 1"):
        tables.append(NUMBERS, [(1, 2)])
    assert tables.rows(NUMBERS).num_rows == 0


@pytest.mark.parametrize(
    "declared", ["", "BIGINTS", "ARRAY<BIGINT", "STRUCT<a BIGINT>", "BIGINT, INT", "STRUCT<a: INT"]
)
def test_what_is_no_type(declared: str) -> None:
    with pytest.raises(ValueError, match="is not a type"):
        arrow_rows.arrow_type(declared)


def test_a_table_that_is_not_there(tables: LocalTables) -> None:
    assert not tables.exists(NUMBERS.name)
    assert tables.version(NUMBERS.name) == -1
    assert tables.rows(NUMBERS).to_pylist() == []
    assert not Path(tables.root).exists()  # reading makes nothing


def test_conditions(tables: LocalTables) -> None:
    tables.append(NUMBERS, [(number,) for number in range(10)])
    assert numbers(tables, [("n", ">=", 2), ("n", "<", 4)]) == [2, 3]
    assert numbers(tables, [("n", "in", [1, 9, 11])]) == [1, 9]
    assert numbers(tables, [("n", "in", [])]) == []
    assert numbers(tables, [("n", "!=", 5), ("n", ">", 4), ("n", "<=", 6)]) == [6]


def test_columns_that_came_later(tables: LocalTables) -> None:
    tables.append(NUMBERS, [(1,)])
    assert tables.rows(LATER).to_pylist() == [{"n": 1, "named": None}]
    assert tables.rows(LATER, only=[("named", "=", "x")]).num_rows == 0
    assert DeltaTable(tables.path(NUMBERS.name)).schema().to_arrow().names == ["n"]  # reading changes nothing
    LocalTables(tables.root).append(LATER, [(2, "two")])
    assert sorted(row["named"] or "" for row in tables.rows(LATER).to_pylist()) == ["", "two"]
    stored = DeltaTable(tables.path(LATER.name))
    assert stored.schema().fields[1].metadata == {"comment": "Its name"}
    assert stored.metadata().configuration["lakehunt.contract"] == "2"
    # A writer of an earlier version, which does not know the column.
    LocalTables(tables.root).append(NUMBERS, [(3,)])
    LocalTables(tables.root).replace(NUMBERS, [(4,)], [("n", ">=", 3)])
    assert tables.rows(LATER, ["n"], [("named", "=", "two")]).to_pylist() == [{"n": 2}]
    assert numbers(tables) == [1, 2, 4]


WRITES: list[Callable[[LocalTables], object]] = [
    lambda tables: tables.append(LATER, [(2, "two")]),
    lambda tables: tables.replace_made(
        LATER, lambda read: (arrow_rows.arrow_rows(LATER, [(2, "two")]), [("n", "=", 2)])
    ),
    lambda tables: tables.replace(LATER, [(2, "two")], [("n", "=", 2)]),
    lambda tables: tables.commit_files_after(
        tables.snapshot(LATER), LATER, tables.write_files(LATER, arrow_rows.arrow_rows(LATER, [(2, "two")]))
    ),
]


@pytest.mark.parametrize("write", WRITES, ids=["append", "replace_made", "replace", "snapshot"])
def test_columns_of_a_table_that_another_process_has_replaced(
    tables: LocalTables, write: Callable[[LocalTables], object]
) -> None:
    tables.append(LATER, [(0, "zero")])
    write_deltalake(tables.path(LATER.name), pa.table({"n": [1]}), mode="overwrite", schema_mode="overwrite")
    write(tables)
    found = sorted(tables.rows(LATER).to_pylist(), key=lambda row: row["n"])
    assert found == [{"n": 1, "named": None}, {"n": 2, "named": "two"}]


def test_replace(tables: LocalTables) -> None:
    tables.append(
        EVERY,
        [
            (name, None, None, 0.0, True, place, 1, None, None, None, None)
            for place, name in enumerate(["a", "it's", 'say "b"', "back\\slash", None])
        ],
    )
    same = ("it's", None, None, 1.0, True, 9, 1, None, None, ["x"], None)
    tables.replace(EVERY, [same], [("text", "in", ["it's", 'say "b"', "back\\slash"])])
    assert sorted((row["text"] or "", row["small"]) for row in tables.rows(EVERY).to_pylist()) == [
        ("", 4), ("a", 0), ("it's", 9),
    ]  # fmt: skip
    tables.replace(EVERY, [], [("small", "=", 9)])
    assert tables.rows(EVERY, ["small"]).num_rows == 2


def test_a_time_is_replaced_to_the_microsecond(tables: LocalTables) -> None:
    """Statistics are cut to milliseconds."""
    moments = scratch_table("some.moments", TableColumn("at", "TIMESTAMP", "A time"))
    early, late = (datetime(2026, 3, 1, 0, 0, 0, 796_000 + micros, tzinfo=UTC) for micros in (123, 999))
    tables.append(moments, [(early,)])
    tables.append(moments, [(late,)])
    tables.replace(moments, [], [("at", ">=", early + timedelta(microseconds=1))])
    assert tables.rows(moments)["at"].to_pylist() == [early]
    assert tables.rows(moments, only=[("at", "=", early)]).num_rows == 1


def test_rows_that_would_not_replace_themselves_are_refused(tables: LocalTables) -> None:
    tables.append(NUMBERS, [(1,)])
    with pytest.raises(ValueError, match=r"rows for some\.numbers do not satisfy"):
        tables.replace(NUMBERS, [(2,)], [("n", "=", 1)])
    assert numbers(tables) == [1]


def test_append_unless(tables: LocalTables) -> None:
    assert tables.append_unless(NUMBERS, [(1,)], [("n", ">=", 1)])
    assert not tables.append_unless(NUMBERS, [(2,)], [("n", ">=", 1)])
    assert tables.append_unless(NUMBERS, [(2,)], [("n", ">=", 2)])
    assert numbers(tables) == [1, 2]
    assert len(list(Path(tables.path(NUMBERS.name)).glob("*.parquet"))) == 2  # what was not added is removed


def test_rows_that_depend_on_what_is_there_are_made_again_if_another_writer_is_ahead(tables: LocalTables) -> None:
    tables.append(NUMBERS, [(1,)])
    before = []

    def next_number(read: Read) -> Made:
        before.append(sorted(read(["n"], [("n", ">", 0)])["n"].to_pylist()))
        if len(before) == 1:
            LocalTables(tables.root).append(NUMBERS, [(2,)])
        made = max(before[-1]) + 1
        return pa.table({"n": [made]}), [("n", "=", made)]

    assert tables.replace_made(NUMBERS, next_number)
    assert before == [[1], [1, 2]]
    assert numbers(tables) == [1, 2, 3]
    assert len(list(Path(tables.path(NUMBERS.name)).glob("*.parquet"))) == 3  # the file of the first try is removed
    version = tables.version(NUMBERS.name)
    none = pa.table({"n": pa.array([], pa.int64())})
    assert not tables.replace_made(NUMBERS, lambda _: None)
    assert tables.replace_made(NUMBERS, lambda _: (none, [("n", "=", 9)]))
    assert tables.version(NUMBERS.name) == version
    assert tables.replace_made(NUMBERS, lambda read: (pa.table({"n": [5]}), [("n", ">=", 2)]))
    assert numbers(tables) == [1, 5]
    assert tables.replace_made(NUMBERS, lambda read: (none, [("n", "=", 5)]))
    assert numbers(tables) == [1]
    with pytest.raises(ValueError, match=r"rows for some\.numbers do not satisfy"):
        tables.replace_made(NUMBERS, lambda read: (pa.table({"n": [2]}), [("n", "=", 1)]))


def test_rows_replaced_by_two_at_once(tables: LocalTables) -> None:
    """The second one fails, and makes its rows again of what the first has left: neither's are lost or there twice."""
    tables.append(NUMBERS, [(1,)])
    tries = []

    def doubled(read: Read) -> Made:
        found = read(["n"], [("n", ">=", 1)])["n"].to_pylist()
        tries.append(found)
        if len(tries) == 1:
            LocalTables(tables.root).replace(NUMBERS, [(7,)], [("n", ">=", 1)])
        return pa.table({"n": [2 * n for n in found]}), [("n", ">=", 1)]

    assert tables.replace_made(NUMBERS, doubled)
    assert tries == [[1], [7]]
    assert numbers(tables) == [14]


def test_delete(tables: LocalTables) -> None:
    tables.append(NUMBERS, [(1,), (2,), (3,)])
    version = tables.version(NUMBERS.name)
    tables.delete(NUMBERS.name, [("n", ">", 3)])
    assert tables.version(NUMBERS.name) == version
    tables.delete(NUMBERS.name, [("n", ">", 1)])
    assert numbers(tables) == [1]


def test_overwrite(tables: LocalTables) -> None:
    """Columns, rows and the comment are new, not the properties: with others, nothing is done."""
    tables.append(NUMBERS, [(1,)])
    text = TableColumn("text", "STRING", "A text")
    new = replace(scratch_table(NUMBERS.name, text, *NUMBERS.columns), comment="Another comment")
    rows = arrow_rows.arrow_rows(new, [("x", 1)])
    assert tables.overwrite(new, rows)
    assert tables.rows(new).to_pylist() == [{"text": "x", "n": 1}]
    assert tables.columns(NUMBERS.name) == ["text", "n"]
    stored = DeltaTable(tables.path(NUMBERS.name))
    assert stored.metadata().description == "Another comment"
    assert [field.metadata["comment"] for field in stored.schema().fields] == ["A text", "A number"]
    assert not tables.overwrite(replace(new, statistics=()), rows)
    assert DeltaTable(tables.path(NUMBERS.name)).version() == stored.version()


def test_rows_of_few_files(tables: LocalTables) -> None:
    """Files of other days do not count, nor those whose statistics say that they have no such row: none is read."""
    first, second = date(2026, 3, 1), date(2026, 3, 2)
    assert tables.rows_of_few_files(0, DAILY).num_rows == 0
    tables.append(DAILY, [(1, first), (2, first), (3, second)])
    tables.append(DAILY, [(4, second)])
    found = tables.rows_of_few_files(2, DAILY, ["n"], [("n", ">", 1), ("day", "<", second)])
    assert found is not None
    assert found.to_pylist() == [{"n": 2}]
    assert tables.rows_of_few_files(1, DAILY, ["n"], [("n", ">", 1), ("day", "<", second)]) is None
    assert tables.rows_of_few_files(3, DAILY) is None
    assert tables.rows_of_few_files(4, DAILY).num_rows == 4
    for only, count in (
        ([("n", ">=", 4)], 1),
        ([("n", "<", 4)], 3),
        ([("n", "in", [4, 9])], 1),
        ([("n", "=", 3)], 1),
        ([("n", "in", [])], 0),
    ):
        assert tables.rows_of_few_files(max(count - 1, 0), DAILY, ["n"], only) is None or not count
        kept = tables.rows_of_few_files(count, DAILY, ["n"], only)
        assert kept is not None
        assert kept.num_rows <= count


def test_which_tables_delta_rs_may_write(tables: LocalTables) -> None:
    assert tables.may_write(NUMBERS)
    assert not tables.may_write(scratch_table("some.odd", TableColumn("n 1", "BIGINT", "Delta refuses the blank")))
    assert not tables.may_write(scratch_table("some.odd", *NUMBERS.columns, TableColumn("N", "BIGINT", "The same")))
    tables.ensure(NUMBERS)
    assert tables.may_write(NUMBERS)
    DeltaTable(tables.path(NUMBERS.name)).alter.add_feature(TableFeatures.DeletionVectors, True)
    assert not tables.may_write(NUMBERS)


def test_the_shape_of_a_table(tables: LocalTables) -> None:
    tables.ensure(EVERY)
    assert tables.has_shape(EVERY)
    turned = scratch_table(EVERY.name, *EVERY.columns[::-1])
    retyped = scratch_table(EVERY.name, *EVERY.columns[:-1], TableColumn("hours", "ARRAY<BIGINT>", "Hours"))
    assert [tables.has_shape(one) for one in (turned, retyped)] == [False, False]


def test_partitions(tables: LocalTables) -> None:
    days = [date(2026, 3, 1), date(2026, 3, 2)]
    tables.append(DAILY, [(1, days[0]), (2, days[1]), (3, days[0])])
    adds = [action["add"] for action in commits(tables, DAILY.name)[1] if "add" in action]
    assert {add["partitionValues"]["day"]: json.loads(add["stats"]) for add in adds} == {
        "2026-03-01": {"numRecords": 2, "minValues": {"n": 1}, "maxValues": {"n": 3}, "nullCount": {"n": 0}},
        "2026-03-02": {"numRecords": 1, "minValues": {"n": 2}, "maxValues": {"n": 2}, "nullCount": {"n": 0}},
    }
    assert sorted(tables.rows(DAILY, ["n"], [("day", "=", days[0])])["n"].to_pylist()) == [1, 3]
    with pytest.raises(ValueError, match="have no day"):
        tables.append(DAILY, [(1, None)])


@pytest.mark.parametrize("mixed", [lambda n: n // 2_000, lambda n: n % 3 > 1, lambda n: n % 1_000 == 0])
def test_rows_of_a_partition_keep_their_order(tables: LocalTables, mixed: Callable[[int], int]) -> None:
    days = [date(2026, 3, 1), date(2026, 3, 2)]
    rows = [(n, days[mixed(n)]) for n in range(4_000)]
    tables.append(DAILY, rows)
    for day in days:
        found = tables.rows(DAILY, ["n"], [("day", "=", day)])["n"].to_pylist()
        assert found == [n for n, of_it in rows if of_it == day]


def test_statistics_are_of_declared_columns_only(tables: LocalTables) -> None:
    """Texts stay out of the log, which is kept after `forget`."""
    tables.append(EVERY, [("secret", *(None,) * 8, ["secret"], None)])
    tables.replace(EVERY, [("secret too", *(None,) * 4, 3, *(None,) * 5)], [("small", "=", 3)])
    log = Path(tables.path(EVERY.name), "_delta_log")
    adds = [json.loads(action["add"]["stats"]) for commit in commits(tables, EVERY.name)[1:] for action in commit
            if "add" in action]  # fmt: skip
    assert len(adds) == 2
    for found in adds:
        assert set(found["nullCount"]) == {"at", "day", "part", "small"}
    assert not any("secret" in file.read_text() for file in log.glob("*.json"))


def test_a_ledger_notes_the_versions_of_what_it_vouches_for(tables: LocalTables) -> None:
    ledger = scratch_table("some.ledger", *NUMBERS.columns, vouches_for=(NUMBERS.name, "some.other"))
    tables.append(ledger, [(1,)])
    tables.append(NUMBERS, [(1,)])
    tables.append(ledger, [(2,)])
    notes = [commit[0]["commitInfo"].get("userMetadata") for commit in commits(tables, ledger.name)]
    assert notes == [None, None, 'lakehunt: versions {"some.numbers": 1}']


def test_a_lake_with_an_odd_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    odd = "a lake/ü@+,=:~-1.0_é"
    assert reachable(odd)
    tables = LocalTables(odd)
    tables.append(NUMBERS, [(1,)])
    tables.replace(NUMBERS, [(2,)], [("n", "in", [1, 2])])
    assert numbers(tables) == [2]
    assert (tmp_path / odd / "some/numbers/_delta_log").is_dir()
    assert tables.version(NUMBERS.name) == 2


def test_what_killed_runs_left(tables: LocalTables) -> None:
    log = Path(tables.path(NUMBERS.name), "_delta_log")
    (log / "_staged_commits").mkdir(parents=True)
    (log / ".00000000000000000000.json.0a1b.tmp").write_text("{")
    tables.append(NUMBERS, [(1,)])
    assert numbers(tables) == [1]


def test_a_lake_that_delta_rs_cannot_commit_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reachable(str(tmp_path / "lake"))
    assert reachable("s3a://lakes/one")
    assert not reachable("s3a://lakes/50%20")
    assert not reachable("abfss://lake@account.example/lake")
    assert not reachable(str(tmp_path / "50%20"))  # which delta-rs takes for a space
    assert not reachable(str(tmp_path / "[lake]"))  # on which it panics

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "hardlink_to", refused)
    assert not reachable(str(tmp_path / "lake"))
    assert list(tmp_path.iterdir()) == []


# Several processes


def append_many(root: str, first: int, count: int) -> None:
    tables = LocalTables(root)
    for number in range(first, first + count):
        tables.append(NUMBERS, [(number,)])


def replace_many(root: str, mine: int, count: int) -> None:
    """Each time the one row is replaced by one that is one greater, whoever wrote it."""
    tables = LocalTables(root)
    for _ in range(count):
        tables.replace(NUMBERS, [(mine,)], [("n", ">=", 1000)])


def take_many(root: str, count: int, taken: Any) -> None:
    tables = LocalTables(root)
    for number in range(count):
        taken.append(tables.append_unless(NUMBERS, [(number,)], [("n", "=", number)]))


def run_together(*calls: tuple[Any, ...]) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=call[0], args=call[1:]) for call in calls]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(processes)


@pytest.mark.slow
def test_no_commit_of_two_processes_is_lost(tables: LocalTables) -> None:
    run_together((append_many, tables.root, 0, 30), (append_many, tables.root, 100, 30),
                 (replace_many, tables.root, 1000, 10), (replace_many, tables.root, 1001, 10))  # fmt: skip
    found = numbers(tables)
    assert found[:-1] == [*range(30), *range(100, 130)]
    assert found[-1] in {1000, 1001}


@pytest.mark.slow
def test_one_of_two_processes_takes_a_number(tables: LocalTables) -> None:
    with multiprocessing.get_context("spawn").Manager() as manager:
        taken = manager.list()
        run_together((take_many, tables.root, 30, taken), (take_many, tables.root, 30, taken))
        assert sorted(taken) == [False] * 30 + [True] * 30
    assert numbers(tables) == list(range(30))


WRITER = """
import sys
from tests.lake.test_small_tables import NUMBERS
from lakehunt.lake.small_tables import LocalTables
tables = LocalTables(sys.argv[1])
for number in range(10_000):
    tables.append(NUMBERS, [(number,)])
    print(number, flush=True)
    if number % 5 == 4:
        tables.replace(NUMBERS, [(number,)], [("n", ">=", number - 1), ("n", "<=", number)])
"""


@pytest.mark.slow
def test_killed_writers_leave_a_table_that_can_be_read(tables: LocalTables) -> None:
    """Every number that was said to be written is there, unless it was replaced, and at most one that was not."""
    chance = random.Random(5)
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(root / "pipelines")])}
    for kill in range(3):
        lake = f"{tables.root}-{kill}"
        with subprocess.Popen([sys.executable, "-c", WRITER, lake], stdout=subprocess.PIPE, env=environment) as writer:
            assert writer.stdout
            writer.stdout.readline()
            time.sleep(chance.uniform(0, 0.5))
            writer.send_signal(signal.SIGKILL)
            said = 1 + writer.stdout.read().count(b"\n")
        after = LocalTables(lake)
        found = numbers(after)
        assert set(found) >= {number for number in range(said) if number % 5 != 3}
        assert set(found) <= set(range(said + 1))
        assert len(found) == len(set(found))
        after.append(NUMBERS, [(-1,)])
        assert numbers(after)[0] == -1


def test_no_spark_is_imported() -> None:
    code = "import sys, lakehunt.lake.small_tables; assert not {'pyspark', 'delta', 'py4j'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_rows_of_a_table_of_arrow_may_have_another_order(tables: LocalTables) -> None:
    tables.append(LATER, pa.table({"named": ["one"], "n": [1]}))
    assert tables.rows(LATER).to_pylist() == [{"n": 1, "named": "one"}]
    with pytest.raises(ValueError, match="do not have its columns: named"):
        tables.append(LATER, pa.table({"n": [1]}))
