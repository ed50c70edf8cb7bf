"""Large tables read by the list of files in their logs: the rows that Delta's own reader gives, without the files that
cannot have any of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame

from lakehunt.lake import logged_files
from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas.table import TableColumn
from tests.support.scratch_tables import scratch_table

COLUMNS = (
    TableColumn("n", "BIGINT", "A number"),
    TableColumn("day", "DATE", "Its day"),
    TableColumn("at", "TIMESTAMP", "Its time"),
    TableColumn("word", "STRING", "A word"),
)
EVENTS = scratch_table("some.events", *COLUMNS, partitioned_by=("day",))
LATER = scratch_table("some.events", *COLUMNS, TableColumn("named", "STRING", "A name"), partitioned_by=("day",))

FIRST = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def row(n: int, day: int = 0, at: timedelta = timedelta()) -> tuple[Any, ...]:
    return n, FIRST + timedelta(day), NOON + timedelta(day) + at, f"w{n}"


def numbers(lake: Lake, condition: str = "true") -> list[int]:
    rows, _ = lake.snapshot(EVENTS)
    return sorted(one.n for one in rows.filter(condition).select("n").collect())


def is_by_its_list(lake: Lake) -> bool:
    assert lake._local is not None
    return logged_files.frame(lake.spark, lake.path(EVENTS.name), lake._local.opened(EVENTS.name)) is not None


def test_a_snapshot_has_the_rows_of_its_version(lake: Lake) -> None:
    lake.append(EVENTS, [row(1), row(2, day=1)])
    rows, version = lake.snapshot(EVENTS)
    lake.append(EVENTS, [row(3)])
    lake.replace(EVENTS, [], [("n", "=", 1)])
    assert sorted(one.n for one in rows.collect()) == [1, 2]
    assert version == lake.version(EVENTS.name) - 2
    assert rows.columns == ["n", "day", "at", "word"]
    assert rows.orderBy("n").collect()[1].day == date(2026, 3, 2)
    assert numbers(lake) == [2, 3]


def test_an_empty_table(lake: Lake) -> None:
    lake.ensure(EVENTS)
    assert numbers(lake, "n > 1") == []


def test_columns_that_came_later_are_null_in_an_older_table(lake: Lake) -> None:
    lake.append(EVENTS, [row(1)])
    rows, _ = lake.snapshot(LATER)
    assert rows.select("n", "named").collect() == [(1, None)]


READ = [
    ("day = DATE '2026-03-01'", [1]),
    ("day IN (DATE '2026-03-02', DATE '2026-04-01')", [2, 3]),
    ("day = DATE '2026-03-01' OR dayofmonth(day) = 3", [1, 4]),
    ("n < 2", [1]),
    ("n <= 1", [1]),
    ("n > 3", [4]),
    ("n >= 4", [4]),
    ("n = 4", [4]),
    ("3 < n", [4]),
    ("1 >= n", [1]),
    ("n <=> 4", [4]),
    ("n BETWEEN 2 AND 3", [2, 3]),
    ("n BETWEEN 1 AND 1 OR n BETWEEN 4 AND 9", [1, 4]),
    ("at >= TIMESTAMP '2026-03-03 12:00:00Z'", [4]),
    ("n >= 4 AND word LIKE 'w%'", [4]),
    ("day > DATE '2026-03-01' AND n <= 3", [2, 3]),
]


@pytest.mark.parametrize(("condition", "found"), READ)
def test_files_that_cannot_have_a_row_are_not_opened(lake: Lake, condition: str, found: list[int]) -> None:
    """They are gone, which nobody notices."""
    for n, day in ((1, 0), (2, 1), (3, 1), (4, 2)):
        lake.append(EVENTS, [row(n, day)])
    assert lake._local is not None
    files = lake._local.opened(EVENTS.name).get_add_actions(flatten=True)
    for name, least in zip(files["path"].to_pylist(), files["min.n"].to_pylist(), strict=True):
        if least not in found:
            Path(lake.path(EVENTS.name), name).unlink()
    assert numbers(lake, condition) == found


def test_a_file_that_is_gone_and_needed(lake: Lake) -> None:
    lake.append(EVENTS, [row(1)])
    rows, _ = lake.snapshot(EVENTS)
    for file in Path(lake.path(EVENTS.name)).rglob("*.parquet"):
        file.unlink()
    with pytest.raises(Exception, match="FILE_NOT_EXIST"):
        rows.collect()


def test_statistics_that_a_writer_cut_to_milliseconds_lose_no_row(lake: Lake) -> None:
    """As Spark's Delta does."""
    lake.append(EVENTS, lake.local(EVENTS, [row(1, at=timedelta(microseconds=999))]))
    assert lake._local is not None
    files = lake._local.opened(EVENTS.name).get_add_actions(flatten=True)
    assert files["max.at"].to_pylist() == [NOON]  # cut
    last = "TIMESTAMP '2026-03-01 12:00:00.000999Z'"
    for condition in (f"at >= {last}", f"at = {last}", "at > TIMESTAMP '2026-03-01 12:00:00Z'"):
        assert numbers(lake, condition) == [1]


def test_unknown_statistics_keep_a_file(lake: Lake) -> None:
    lake.append(EVENTS, [(None, FIRST, None, None), row(2)])
    lake.append(EVENTS, [(None, FIRST, NOON, None)])
    assert numbers(lake, "n = 2") == [2]
    rows, _ = lake.snapshot(EVENTS)
    assert rows.filter("n IS NULL").count() == 2


@pytest.mark.parametrize(
    "made",
    ["delta.enableDeletionVectors=true", "delta.columnMapping.mode=name"],
)
def test_what_only_delta_can_read_is_read_by_delta(lake: Lake, made: str) -> None:
    name, _, value = made.partition("=")
    rows = lake.local(EVENTS, [row(1), row(2), row(3)]).coalesce(1)
    rows.write.format("delta").option(name, value).save(lake.path(EVENTS.name))
    if "Vectors" in made:
        lake.spark.sql(f"DELETE FROM {lake.identifier(EVENTS.name)} WHERE n = 1")
    else:
        lake.spark.sql(f"ALTER TABLE {lake.identifier(EVENTS.name)} RENAME COLUMN word TO name")
        lake.spark.sql(f"ALTER TABLE {lake.identifier(EVENTS.name)} RENAME COLUMN name TO word")
        lake.spark.sql(f"DELETE FROM {lake.identifier(EVENTS.name)} WHERE n = 1")
    assert not is_by_its_list(lake)
    assert numbers(lake) == [2, 3]


def test_a_clone_whose_files_are_elsewhere_is_read_by_delta(lake: Lake, tmp_path: Path) -> None:
    origin = Lake(lake.spark, str(tmp_path / "origin"))
    origin.append(EVENTS, [row(1)])
    lake.spark.sql(f"CREATE TABLE {lake.identifier(EVENTS.name)} SHALLOW CLONE {origin.identifier(EVENTS.name)}")
    assert not is_by_its_list(lake)
    assert numbers(lake) == [1]


def test_a_partition_that_is_no_day_is_read_by_delta(lake: Lake) -> None:
    lake.local(EVENTS, [row(1)]).write.format("delta").partitionBy("word").save(lake.path(EVENTS.name))
    assert not is_by_its_list(lake)
    assert numbers(lake) == [1]


def test_a_day_without_a_value(lake: Lake) -> None:
    lake.append(EVENTS, [(1, None, NOON, ""), row(2)])
    assert is_by_its_list(lake)
    assert numbers(lake, "day IS NULL") == [1]
    assert numbers(lake, "day IS NOT NULL") == [2]


NUMBER = st.one_of(st.none(), st.integers(-3, 3))
COMPARED = st.sampled_from(["=", "<=>", "<", "<=", ">", ">="])


def comparison() -> st.SearchStrategy[str]:
    literals = st.one_of(
        st.tuples(st.just("n"), st.integers(-3, 3).map(str)),
        st.tuples(st.just("day"), st.integers(0, 3).map(lambda n: f"DATE '{FIRST + timedelta(n)}'")),
        st.tuples(st.just("at"), st.integers(-3, 3).map(lambda n: f"TIMESTAMP '2026-03-01 12:00:00.00000{n % 4}Z'")),
    )
    one = st.builds(
        lambda of, by, turn: f"{of[1]} {by} {of[0]}" if turn else f"{of[0]} {by} {of[1]}",
        literals,
        COMPARED,
        st.booleans(),
    )
    return st.recursive(
        one,
        lambda part: st.one_of(
            st.builds("({} AND {})".format, part, part),
            st.builds("({} OR {})".format, part, part),
            st.builds("(NOT {})".format, part),
        ),
        max_leaves=6,
    )


@pytest.fixture(scope="module")
def several(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, DataFrame]]:
    """A table of some files with nulls, by both writers, and its rows by Delta's reader, held in memory."""
    lake = Lake(spark, str(tmp_path_factory.mktemp("several")))
    for n in range(-2, 3):
        rows = [
            (n, FIRST + timedelta(abs(n)), NOON + timedelta(microseconds=abs(n)), "a"),
            (None if n % 2 else n + 1, FIRST + timedelta(abs(n)), None if n % 2 else NOON, None),
            (None, None if n > 1 else FIRST, None, "b"),
        ]
        lake.append(EVENTS, rows if n % 2 else lake.local(EVENTS, rows))
    rows = lake.read(EVENTS.name).cache()
    yield lake, rows
    rows.unpersist()


@settings(max_examples=60)
@given(condition=comparison())
def test_any_condition_finds_what_deltas_reader_finds(several: tuple[Lake, DataFrame], condition: str) -> None:
    lake, stored = several
    ours, _ = lake.snapshot(EVENTS)
    found = [sorted(map(repr, rows.filter(condition).collect())) for rows in (ours, stored)]
    assert found[0] == found[1]
