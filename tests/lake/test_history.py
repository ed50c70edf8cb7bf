"""What a table's history says of its rows, whichever engine wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, Field, write_deltalake
from deltalake.schema import PrimitiveType

from lakehunt.lake import history
from lakehunt.lake.delta_lake import Lake


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
    last = history.version(lake, "events.some")
    assert last == 5
    assert history.last_destructive_commit(lake, "events.some", 0, last) is None
    DeltaTable(path).delete("n = 1")
    assert history.last_destructive_commit(lake, "events.some", 0, last + 1) == last + 1
