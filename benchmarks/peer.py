"""The peer: DuckDB with two threads, on the very files of the lake, with SQL that asks the same as each hunt."""

# The SQL is the pack's own.
# ruff: noqa: S608

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from benchmarks.pack import EVENTS, Hunt

THREADS = 2
RUN_COLUMNS = 4
"""Columns that `findings/<hunt id>` has after the query's own: as_of, hunt_version, finding_id, ordinal."""

Rows = Counter[tuple[Hashable, ...]]
"""Rows of a result in no order, each with how often it is there."""


def run(lake: Path, hunts: Iterable[Hunt], as_of: datetime, days: int, into: Path) -> float:
    """Runs every hunt and writes each result to `into/<hunt id>.parquet`; seconds, with opening the files.

    The table's files are listed before the clock starts, as that is Delta's part, not the peer's."""
    files = files_of(lake)
    into.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with duckdb.connect(config={"threads": THREADS}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        # The footers of the files are read once, not once for each hunt.
        connection.execute("SET parquet_metadata_cache = true")
        listed = ", ".join(f"'{file}'" for file in files)
        connection.execute(f"CREATE VIEW {EVENTS} AS SELECT * FROM read_parquet([{listed}], hive_partitioning = true)")
        for hunt in hunts:
            connection.execute(f"COPY ({hunt.sql_as_of(as_of, days)}) TO '{into / hunt.id}.parquet'")
    return time.perf_counter() - started


def files_of(lake: Path) -> list[str]:
    """The files that the events table consists of now."""
    return DeltaTable(str(lake / "events" / "device_process_events")).file_uris()


def rows(hunt: Hunt, into: Path) -> Rows:
    """What the peer found."""
    return _counted(pq.read_table(into / f"{hunt.id}.parquet"))


def findings(hunt: Hunt, lake: Path, as_of: datetime) -> Rows:
    """What Lakehunt found, without the run's own columns."""
    folder = lake / "findings" / hunt.id
    if not (folder / "_delta_log").is_dir():
        return Counter()
    table = DeltaTable(str(folder)).to_pyarrow_table()
    own = table.num_columns - RUN_COLUMNS
    of_run = [at.as_py() == as_of for at in table.column(own)]
    shown = list(hunt.columns) or table.column_names[:own]
    return _counted(table.filter(pa.array(of_run, pa.bool_())).select(shown))


def _counted(table: pa.Table) -> Rows:
    columns = [[_comparable(value) for value in column.to_pylist()] for column in table.columns]
    return Counter(zip(*columns, strict=True))


def _comparable(value: object) -> Hashable:
    """A value of either side in one form: sets in order, times without a zone, no difference between null and ''."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(sorted(value))
    assert isinstance(value, Hashable)
    return value
