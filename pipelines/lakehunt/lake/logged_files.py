"""Reads a large table by the list of files in its Delta log, which delta-rs reads.

Spark's own reader of Delta runs jobs to read a log: 15 of the 69 processor seconds of a small day's run. A
list of files with their partitions and statistics is all that a query needs (`lakehunt/java/LoggedFiles.java`), where
the files hold just the rows and columns of the table: without deletion vectors, column mapping and other features."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from lakehunt.runtime import janino

_WITHOUT_FEATURES = 1
"""The version that the protocol gives to a table that every reader can read."""

_COUNTED = ("byte", "short", "integer", "long", "date", "timestamp")
"""Types whose statistics are whole numbers."""


def frame(spark: SparkSession, path: str, opened: DeltaTable) -> DataFrame | None:
    """The rows of the opened version of the table at this path: later commits do not change them. None if only Delta
    can read the table."""
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
    return DataFrame(made, spark)


def _whole_numbers(column: Any) -> list[int | None]:
    """Days since 1970, microseconds since then, or the numbers that they are."""
    return column.cast(pa.int32() if pa.types.is_date32(column.type) else pa.int64()).to_pylist()  # type: ignore[no-any-return]
