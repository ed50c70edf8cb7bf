"""Reads a large table by the list of files in its Delta log, which delta-rs reads.

Spark's own reader of Delta runs jobs to read a log: 15 of the 69 processor seconds of a small day's run. A
list of files with their partitions and statistics is all that a query needs (`lakehunt/java/LoggedFiles.java`), where
the files hold just the rows and columns of the table: without deletion vectors, column mapping and other features."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from lakehunt.runtime import janino

_WITHOUT_FEATURES = 1
"""The version that the protocol gives to a table that every reader can read."""

_COUNTED = ("byte", "short", "integer", "long", "date", "timestamp")
"""Types whose statistics are whole numbers."""


@dataclass(frozen=True)
class LoggedTable:
    """A version of a table, with what its log says of it."""

    frame: DataFrame
    """Its rows: later commits do not change them."""
    version: int
    paths: Sequence[str]
    """Of its files, below its folder."""
    ranges: Mapping[str, tuple[int, int]]
    """For columns of whole numbers, days and times that have a value in every row, as far as statistics say so: two
    between which all are. Times are in microseconds since 1970."""


def frame(spark: SparkSession, path: str, opened: DeltaTable) -> DataFrame | None:
    """The rows of the opened version of the table at this path. None if only Delta can read the table."""
    found = table(spark, path, opened)
    return None if found is None else found.frame


def table(spark: SparkSession, path: str, opened: DeltaTable) -> LoggedTable | None:
    """The opened version of the table at this path. None if only Delta can read the table."""
    if opened.protocol().min_reader_version != _WITHOUT_FEATURES:
        return None
    types = {field["name"]: field["type"] for field in json.loads(opened.schema().to_json())["fields"]}
    days = opened.metadata().partition_columns
    actions = pa.table(opened.get_add_actions(flatten=True))
    paths = actions.column("path").to_pylist()
    if any(types[name] != "date" for name in days) or any(one.startswith("/") or ":/" in one for one in paths):
        return None  # of a partition that is no day; of a clone, whose files are elsewhere
    counted = [name for name in types if types[name] in _COUNTED and f"min.{name}" in actions.column_names]
    numbers = ["size_bytes", "modification_time", *(f"partition.{name}" for name in days)]
    numbers += [f"{bound}.{name}" for name in counted for bound in ("min", "max")]
    rows = zip(paths, *(_whole_numbers(actions.column(name)) for name in numbers), strict=True)
    lines = "\n".join("\t".join("" if value is None else str(value) for value in row) for row in rows)
    made = (
        janino.compile_class(spark, "LoggedFiles")
        .newInstance()
        .open(
            spark._jsparkSession,
            path,
            opened.version(),
            opened.schema().to_json(),
            "\t".join(days),
            "\t".join(counted),
            lines,
        )
    )
    files = [unquote(one) for one in paths]
    times = {name for name in counted if types[name] == "timestamp"}
    ranges = {name: found for name in counted if (found := _range(actions, name, name in times)) is not None}
    return LoggedTable(DataFrame(made, spark), opened.version(), files, ranges)


_CUT = 999
"""How much later, in microseconds, a time may be than its statistics say: writers may cut them to milliseconds."""


def _range(actions: pa.Table, name: str, is_time: bool) -> tuple[int, int] | None:
    """Values between which a column is in all rows; None if they are not known, or a row may have no value."""
    if not actions.num_rows or f"null_count.{name}" not in actions.column_names:
        return None
    bounds = [_whole_numbers(actions.column(f"{bound}.{name}")) for bound in ("min", "max")]
    least, greatest = ([value for value in values if value is not None] for values in bounds)
    empty = actions.column(f"null_count.{name}").to_pylist()
    if len(least) + len(greatest) < 2 * actions.num_rows or any(count != 0 for count in empty):
        return None
    return min(least), max(greatest) + (_CUT if is_time else 0)


def _whole_numbers(column: Any) -> list[int | None]:
    """Days since 1970, microseconds since then, or the numbers that they are."""
    return column.cast(pa.int32() if pa.types.is_date32(column.type) else pa.int64()).to_pylist()  # type: ignore[no-any-return]
