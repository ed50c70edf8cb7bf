"""Tables that delta-rs and Spark both write: as if one of them had done it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from lakehunt.lake import arrow_rows
from lakehunt.lake.delta_lake import Lake, utc
from lakehunt.lake.small_tables import LocalTables
from lakehunt.lake.table_maker import TableMaker
from lakehunt.runtime import commits
from lakehunt.schemas import registry
from lakehunt.schemas.table import Table, TableColumn
from tests.support.scratch_tables import scratch_table

NUMBERS = scratch_table("some.numbers", TableColumn("n", "BIGINT", "A number"), TableColumn("by", "STRING", "By whom"))
LATER = scratch_table("some.numbers", *NUMBERS.columns, TableColumn("at", "TIMESTAMP", "It's when"), contract=3)
SMALL = scratch_table("some.small", *NUMBERS.columns, small=True)
EVERY = scratch_table(
    "some.every",
    TableColumn("text", "STRING", "A text"),
    TableColumn("at", "TIMESTAMP", "A time"),
    TableColumn("day", "DATE", "A day"),
    TableColumn("part", "DOUBLE", "A part"),
    TableColumn("true", "BOOLEAN", "Whether it is"),
    TableColumn("small", "INT", "A small number"),
    TableColumn("digits", "STRUCT<`at`: TINYINT>", "A digit"),
    TableColumn("exact", "DECIMAL(34,17)", "An exact number"),
    TableColumn("raw", "BINARY", "Bytes"),
    TableColumn("names", "ARRAY<STRING>", "Names"),
    TableColumn("hours", "ARRAY<STRUCT<hour: TIMESTAMP, `of_it`: BIGINT>>", "Hours"),
)


@pytest.fixture
def local(lake: Lake) -> LocalTables:
    return LocalTables(lake.root)


def actions(root: str, table: str, version: int = 0) -> dict[str, Any]:
    log = Path(root, *table.split("."), "_delta_log", f"{version:020}.json")
    return {name: value for line in log.read_text().splitlines() for name, value in json.loads(line).items()}


def as_declared(found: dict[str, Any]) -> tuple[Any, Any]:
    """The protocol, and the metadata without what differs between any two tables."""
    metadata = {key: value for key, value in found["metaData"].items() if key not in {"id", "createdTime"}}
    if metadata.get("name", "") is None:
        del metadata["name"]
    return found["protocol"], metadata | {"schemaString": json.loads(metadata["schemaString"])}


@pytest.mark.parametrize("table", [*registry.tables(), EVERY, LATER], ids=lambda table: table.name)
def test_a_table_is_declared_as_spark_declares_it(spark: Any, tmp_path: Path, table: Table) -> None:
    TableMaker(spark).ensure(table, str(Path(tmp_path, "spark", *table.name.split("."))))
    LocalTables(str(tmp_path / "local")).ensure(table)
    by_spark, by_delta_rs = (as_declared(actions(str(tmp_path / one), table.name)) for one in ("spark", "local"))
    assert by_delta_rs == by_spark


def test_columns_that_came_later_are_added_as_by_spark(spark: Any, tmp_path: Path) -> None:
    for one in ("spark", "local"):
        TableMaker(spark).ensure(NUMBERS, str(tmp_path / one / "some/numbers"))
    TableMaker(spark).ensure(LATER, str(tmp_path / "spark/some/numbers"))
    LocalTables(str(tmp_path / "local")).ensure(LATER)
    for version, kept in ((1, "schemaString"), (2, "configuration")):
        by_spark, by_delta_rs = (
            actions(str(tmp_path / one), NUMBERS.name, version)["metaData"][kept] for one in ("spark", "local")
        )
        assert json.loads(json.dumps(by_delta_rs)) == by_spark


def test_spark_reads_every_type(lake: Lake, local: LocalTables) -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    first = ("a", at, date(2026, 3, 1), 0.5, True, 7, {"at": 3}, Decimal("1.5"), b"\x00\xff", ["x", None],
             [{"hour": at, "of_it": 3}, {"hour": None, "of_it": None}])  # fmt: skip
    local.append(EVERY, [first, (None,) * 11])
    found = [row.asDict(recursive=True) for row in lake.read(EVERY.name).orderBy("text").collect()]
    assert found[0] == dict.fromkeys(EVERY.column_names)
    assert utc(found[1]["at"]) == at
    assert utc(found[1]["hours"][0]["hour"]) == at
    same = {"text", "day", "part", "true", "small", "digits", "exact", "raw", "names"}
    assert {name: found[1][name] for name in same} == {
        name: value for name, value in zip(EVERY.column_names, first, strict=True) if name in same
    }


def test_spark_skips_no_file_that_has_the_row(lake: Lake, local: LocalTables) -> None:
    """Statistics are cut to milliseconds."""
    at = datetime(2026, 3, 1, 12, 0, 0, 123999, tzinfo=UTC)
    local.append(EVERY, [(None, at, *(None,) * 9)])
    assert lake.read(EVERY.name).where("at = TIMESTAMP '2026-03-01T12:00:00.123999Z'").count() == 1
    assert lake.read(EVERY.name).where("at > TIMESTAMP '2026-03-01T12:00:00.123998Z'").count() == 1
    assert lake.read(EVERY.name).where("at > TIMESTAMP '2026-03-01T12:00:00.123999Z'").count() == 0


STEPS = st.lists(
    st.tuples(st.sampled_from(["spark", "delta-rs"]), st.sampled_from(["append", "replace", "unless"]),
              st.integers(0, 4)),
    min_size=3, max_size=7,
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=4)
@given(STEPS)
def test_writes_by_turns_are_as_by_one_writer(tmp_path_factory: pytest.TempPathFactory, spark: Any, steps: Any) -> None:
    lake = Lake(spark, str(tmp_path_factory.mktemp("lake")))
    local = LocalTables(lake.root)
    expected: list[tuple[int, str]] = []
    for place, (engine, what, number) in enumerate(steps):
        by = f"{engine} {place}"
        same = [("n", "=", number)]
        writer: Any = lake if engine == "spark" else local
        if what == "append":
            writer.append(NUMBERS, [(number, by)])
            expected.append((number, by))
        elif what == "replace":
            writer.replace(NUMBERS, [(number, by)], same)
            expected = [row for row in expected if row[0] != number] + [(number, by)]
        else:
            writer.append_unless(NUMBERS, [(number, by)], same)
            if all(row[0] != number for row in expected):
                expected.append((number, by))
        assert sorted((row.n, row.by) for row in lake.read(NUMBERS.name).collect()) == sorted(expected)
        assert sorted((row["n"], row["by"]) for row in local.rows(NUMBERS).to_pylist()) == sorted(expected)


APPENDS = """
import sys
from tests.lake.test_both_engines import NUMBERS
from lakehunt.lake.small_tables import LocalTables
for number in range(int(sys.argv[2])):
    LocalTables(sys.argv[1]).append(NUMBERS, [(number, "delta-rs")])
"""


@pytest.mark.slow
def test_spark_and_another_process_at_once_lose_no_commit(lake: Lake, local: LocalTables) -> None:
    local.ensure(NUMBERS)
    command = [sys.executable, "-c", APPENDS, lake.root, "40"]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    with subprocess.Popen(command, env=environment) as other:
        mine = 0
        while other.poll() is None or mine < 3:
            lake.append(NUMBERS, [(mine, "spark")])
            mine += 1
    assert other.returncode == 0
    wanted = [(number, "delta-rs") for number in range(40)] + [(number, "spark") for number in range(mine)]
    assert sorted((row["by"], row["n"]) for row in local.rows(NUMBERS).to_pylist()) == [(by, n) for n, by in wanted]
    assert lake.read(NUMBERS.name).count() == 40 + mine


def test_a_commit_whose_version_is_taken_is_refused(lake: Lake, local: LocalTables) -> None:
    """By what Spark commits with."""
    assert commits.are_safe(lake.spark, lake.root)
    local.append(NUMBERS, [(1, "delta-rs")])
    session: Any = lake.spark._jsparkSession
    jvm: Any = lake.spark._jvm
    log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(session, lake.path(NUMBERS.name))
    path = jvm.org.apache.hadoop.fs.Path(log.logPath(), f"{1:020}.json")
    before = Path(lake.path(NUMBERS.name), "_delta_log", f"{1:020}.json").read_text()
    lines = jvm.scala.jdk.javaapi.CollectionConverters.asScala(jvm.java.util.List.of("{}").iterator())
    with pytest.raises(Exception, match="FileAlreadyExistsException"):
        log.store().write(path, lines, False, lake.spark._jsc.hadoopConfiguration())  # type: ignore[union-attr]
    assert Path(lake.path(NUMBERS.name), "_delta_log", f"{1:020}.json").read_text() == before
    assert not list(Path(lake.path(NUMBERS.name), "_delta_log").glob(".*.tmp"))


# The lake's own methods, with and without delta-rs


@pytest.fixture(params=["delta-rs", "Spark"])
def either(request: pytest.FixtureRequest, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    if request.param == "Spark":
        monkeypatch.setattr(commits, "are_safe", lambda *_: False)
    return lake


def engine_of(lake: Lake, table: str) -> Callable[[int], str]:
    return lambda version: actions(lake.root, table, version)["commitInfo"]["engineInfo"].partition(":")[0][:6]


def test_small_tables_of_a_lake(either: Lake, request: pytest.FixtureRequest) -> None:
    assert either.few(SMALL) == []
    either.append(SMALL, [(1, "a"), (2, "b")])
    either.append_unless(SMALL, [(3, "c")], [("by", "=", "c")])
    either.append_unless(SMALL, [(4, "c")], [("by", "=", "c")])
    either.replace(SMALL, [(1, "it's \\ new")], [("n", "in", [1, 9])])
    every = [{"n": 1, "by": "it's \\ new"}, {"n": 2, "by": "b"}, {"n": 3, "by": "c"}]
    assert sorted(either.few(SMALL), key=lambda row: row["n"]) == every
    assert either.few(SMALL, ["n"], [("by", "=", "it's \\ new")]) == [{"n": 1}]
    assert [row.asDict() for row in either.rows(SMALL).orderBy("n").collect()] == every
    engine = "Apache" if "[Spark]" in request.node.name else "delta-"
    assert {engine_of(either, SMALL.name)(version) for version in (1, 2, 3)} == {engine}


def test_a_small_table_of_a_lake_in_arrow(either: Lake) -> None:
    hours = TableColumn("hours", "ARRAY<STRUCT<hour: TIMESTAMP, events: BIGINT>>", "Events by hour")
    table = scratch_table("some.nested", NUMBERS.columns[0], hours, small=True)
    assert either.arrow(table).num_rows == 0
    at = datetime(2026, 3, 10, 5, tzinfo=UTC)
    either.append(table, [(1, [{"hour": at, "events": 7}]), (2, None), (3, [])])
    assert either.arrow(table, ["hours"], [("n", "=", 1)]).to_pylist() == [{"hours": [{"hour": at, "events": 7}]}]
    found = either.arrow(table)
    assert found.schema == arrow_rows.schema(table)
    assert sorted(found.to_pylist(), key=lambda row: row["n"])[1:] == [{"n": 2, "hours": None}, {"n": 3, "hours": []}]


def test_a_table_that_is_no_longer_small_is_read_by_spark(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.append(SMALL, [(1, "a")])
    monkeypatch.setattr("lakehunt.lake.delta_lake.MOST_BYTES", 1)
    assert [row.n for row in lake.rows(SMALL).collect()] == [1]
    assert len(lake.rows(SMALL).inputFiles()) == 1
