"""What a table's history says of its rows, whichever engine wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, Field, write_deltalake
from deltalake.schema import PrimitiveType

from lakehunt.lake import history
from lakehunt.lake.delta_lake import Lake
from lakehunt.runtime import commits
from lakehunt.schemas.table import TableColumn
from tests.support.scratch_tables import scratch_table


def test_what_delta_rs_does_without_losing_rows_is_no_loss(spark: Any, tmp_path: Path) -> None:
    lake, rows = Lake(spark, str(tmp_path)), pa.table({"n": [1, 2]})
    path = str(tmp_path / "events" / "some")
    write_deltalake(path, rows)
    write_deltalake(path, rows, mode="append")
    stored = DeltaTable(path)
    stored.alter.add_columns([Field("added", PrimitiveType("string"))])
    stored.alter.set_table_properties({"delta.checkpointInterval": "20"})
    stored.alter.set_table_description("described")
    stored.optimize.compact()
    last = lake.version("events.some")
    assert last == 5
    assert history.last_destructive_commit(lake, "events.some", 0, last) is None
    DeltaTable(path).delete("n = 1")
    assert history.last_destructive_commit(lake, "events.some", 0, last + 1) == last + 1


def test_a_commit_that_is_no_longer_in_the_log_may_have_been_a_loss(spark: Any, tmp_path: Path) -> None:
    lake, rows = Lake(spark, str(tmp_path)), pa.table({"n": [1, 2]})
    path = tmp_path / "events" / "some"
    for _ in range(3):
        write_deltalake(str(path), rows, mode="append")
    DeltaTable(str(path)).create_checkpoint()
    write_deltalake(str(path), rows, mode="append")
    (path / "_delta_log" / f"{1:020}.json").unlink()
    assert lake.version("events.some") == 3
    assert history.last_destructive_commit(lake, "events.some", 1, 3) is None
    assert history.last_destructive_commit(lake, "events.some", 0, 3) == 1


@pytest.mark.parametrize("by", ["delta-rs", "Spark"])
def test_what_spark_does(lake: Lake, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    """Read by either."""
    if by == "Spark":
        monkeypatch.setattr(commits, "are_safe", lambda *_: False)
    table = scratch_table("some.numbers", TableColumn("n", "BIGINT", "A number"))
    lake.append(table, lake.local(table, [(1,), (2,)]))
    lake.insert_new(table, lake.local(table, [(2,), (3,)]), ["n"])
    added = lake.version(table.name)
    assert history.last_destructive_commit(lake, table.name, 0, added) is None
    lake.replace(table, lake.local(table, [(1,)]), [("n", "=", 1)])
    assert lake.version(table.name) == added + 1
    assert history.last_destructive_commit(lake, table.name, 0, added + 1) == added + 1
    lake.append(table, lake.local(table, [(4,)]))
    assert history.last_destructive_commit(lake, table.name, added + 1, added + 2) is None
    assert history.last_destructive_commit(lake, table.name, 0, added + 2) == added + 1
