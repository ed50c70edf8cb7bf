"""Making tables: whatever a run that was killed has left, and whoever makes the table at the same time."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.table_maker import LONGEST_COMMIT, TableMaker
from lakehunt.schemas.table import TableColumn
from tests.support.scratch_tables import scratch_table

NUMBERS = scratch_table("some.numbers", TableColumn("n", "BIGINT", "A number"))
LATER = scratch_table("some.numbers", *NUMBERS.columns, TableColumn("named", "STRING", "Its name"))


def begin(lake: Lake, *names: str, age: float) -> Path:
    """A log as a killed run leaves it, without a commit."""
    log = Path(lake.path(NUMBERS.name), "_delta_log")
    log.mkdir(parents=True)
    for name in names:
        (log / name).mkdir() if name.startswith("_") else (log / name).write_text("{")
        os.utime(log / name, (time.time() - age,) * 2)
    return log


@pytest.mark.parametrize(
    "names",
    [(), ("_staged_commits",), (".00000000000000000000.json.0a1b.tmp", "..00000000000000000000.json.0a1b.tmp.crc")],
    ids=["empty", "folder", "half a commit"],
)
@pytest.mark.parametrize("by", ["delta-rs", "Spark"])
def test_a_table_that_a_killed_run_has_begun(lake: Lake, names: tuple[str, ...], by: str) -> None:
    begin(lake, *names, age=2 * LONGEST_COMMIT)
    if by == "Spark":  # as where delta-rs cannot write
        TableMaker(lake.spark).ensure(NUMBERS, lake.path(NUMBERS.name))
    lake.append(NUMBERS, lake.local(NUMBERS, [(1,)]))
    assert [row.n for row in lake.read(NUMBERS.name).collect()] == [1]


def test_what_another_run_may_just_write_is_left_alone(lake: Lake) -> None:
    """Until it is too old to be that."""
    log = begin(lake, ".00000000000000000000.json.0a1b.tmp", age=0)
    seen = []
    watcher = threading.Timer(LONGEST_COMMIT / 2, lambda: seen.extend(path.name for path in log.iterdir()))
    watcher.start()
    TableMaker(lake.spark).ensure(NUMBERS, lake.path(NUMBERS.name))
    watcher.join()
    assert seen == [".00000000000000000000.json.0a1b.tmp"]
    assert lake.exists(NUMBERS.name)


def test_columns_that_came_later_are_null_in_an_older_table(lake: Lake) -> None:
    lake.append(NUMBERS, lake.local(NUMBERS, [(1,)]))
    assert lake.rows(LATER).collect() == [(1, None)]
    assert lake.read(NUMBERS.name).columns == ["n"]  # reading changes nothing


def test_a_lake_whose_path_leads_up_and_down(lake: Lake, tmp_path: Path) -> None:
    """As `lake: ../demo-lake` in the configuration of a folder: Delta takes the two spellings for two places."""
    (tmp_path / "samples").mkdir()
    same = Lake(lake.spark, f"{tmp_path}/samples/../lake")
    same.append(NUMBERS, same.local(NUMBERS, [(1,)]))
    assert [row.n for row in lake.read(NUMBERS.name).collect()] == [1]
