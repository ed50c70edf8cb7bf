"""The lake's Delta tables, and the ways to write one so that a repeated write changes nothing.

Tables are path-based, `<lake>/<schema>/<table>`, and stay at Delta reader version 1, so that readers which are not
Spark can open them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.readwriter import DataFrameWriterV2

from lakehunt.core.errors import LakehuntError
from lakehunt.core.sql import quoted_name
from lakehunt.lake.retry import retried
from lakehunt.lake.table_maker import TableMaker, identifier
from lakehunt.schemas.table import Table

KILLED_AFTER = timedelta(days=1)
"""A run that was started so long ago, and has not ended, was killed."""


class Lake:
    """The tables under one folder or object-store prefix."""

    def __init__(self, spark: SparkSession, root: str) -> None:
        self.spark = spark
        # Delta's SQL takes only absolute paths for names of tables.
        self.root = root.rstrip("/") if "://" in root else str(Path(root).absolute())
        self._maker = TableMaker(spark)

    def path(self, name: str) -> str:
        """Where table `schema.table` lies. Only the first dot separates: a hunt's id may hold others."""
        schema, _, table = name.partition(".")
        return f"{self.root}/{schema}/{table}"

    def exists(self, name: str) -> bool:
        return bool(DeltaTable.isDeltaTable(self.spark, self.path(name)))

    def read(self, name: str) -> DataFrame:
        """The newest version of the table.

        Raises LakehuntError where the lake has no such table."""
        if not self.exists(name):
            raise LakehuntError(
                f"the lake {self.root} has no table {name}",
                "land events first: lakehunt land SOURCE --lake DIR",
            )
        return self.spark.read.format("delta").load(self.path(name))

    def rows(self, table: Table) -> DataFrame:
        """What the table holds, columns that an older table lacks as nulls; no rows where the lake does not have it."""
        if self.exists(table.name):
            stored = self.read(table.name)
            later = {c.name: F.lit(None).cast(c.type) for c in table.columns if c.name not in stored.columns}
            return stored.withColumns(later) if later else stored
        return self.spark.range(0).select(*(F.lit(None).cast(c.type).alias(c.name) for c in table.columns))

    def local(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> DataFrame:
        """A few rows of the table, from Python values in the order of its columns. They make one file, not several."""
        return few_rows(self.spark, {c.name: c.type for c in table.columns}, rows)

    def append(self, table: Table, rows: DataFrame) -> None:
        """Adds rows. Only for rows that the caller knows to be new."""
        self._maker.ensure(table, self.path(table.name))
        self._in_order(table, rows).write.format("delta").mode("append").save(self.path(table.name))

    def append_unless(self, table: Table, rows: DataFrame, taken: Column) -> None:
        """Adds rows, but none if the table holds one for which `taken` is true, or another writer adds one first."""
        self._maker.ensure(table, self.path(table.name))

        def write() -> None:
            # The table is read in the transaction that writes: Delta lets nobody come between.
            there = self.read(table.name).where(taken).select(F.lit(1).alias("$$taken")).limit(1)
            free = self._in_order(table, rows).join(there, F.lit(True), "left_anti")
            free.write.format("delta").mode("append").save(self.path(table.name))

        retried(write)

    def replace(self, table: Table, rows: DataFrame | Callable[[], DataFrame], where: str) -> None:
        """Puts `rows` in the place of all rows for which `where` (Spark SQL) is true, in one transaction.

        Delta refuses the write if a row lies outside `where`, so nothing else can change. No rows: the place is
        emptied. Where another write to the place comes between, this one is done again, and stays. Rows that depend on
        what the table holds are given by a function, which is then called again."""
        self._maker.ensure(table, self.path(table.name))
        made = rows if callable(rows) else lambda: rows

        def write() -> None:
            writer = self._in_order(table, made()).write.format("delta").mode("overwrite")
            writer.option("replaceWhere", where).save(self.path(table.name))

        retried(write)

    def has_shape(self, table: Table) -> bool:
        """Whether the stored table has exactly these columns, in this order, of these types."""
        stored, wanted = self.read(table.name).schema.fields, self.local(table, []).schema.fields
        return [(f.name, f.dataType) for f in stored] == [(f.name, f.dataType) for f in wanted]

    def overwrite(self, table: Table, rows: DataFrame) -> None:
        """Puts `rows` in the place of the whole table, columns included, in one transaction. Its history keeps what was
        there."""
        self._writer(table, rows).createOrReplace()

    def insert_new(self, table: Table, rows: DataFrame, key: Sequence[str], within: Column | None = None) -> None:
        """Adds those rows whose `key` the table does not hold yet; `rows` holds each key once.

        `within` is a condition on the target (written with `F.col("target.<column>")`) that limits where a key can
        be, so that Delta reads, and can conflict with, only those partitions."""
        self._maker.ensure(table, self.path(table.name))
        same = within if within is not None else F.lit(True)
        for name in key:
            same = same & (F.col(f"target.{name}") == F.col(f"new.{name}"))
        values = {name: F.col(f"new.{name}") for name in table.column_names}
        new = self._in_order(table, rows).alias("new")

        def merge() -> None:
            target = DeltaTable.forPath(self.spark, self.path(table.name)).alias("target")
            target.merge(new, same).whenNotMatchedInsert(values=values).execute()  # type: ignore[arg-type]

        retried(merge)

    def remove(self, name: str, rows: DataFrame, key: Sequence[str], emptied: Sequence[str] = ()) -> int:
        """Deletes the rows of a table whose `key` is in `rows`, or sets their columns `emptied` to null. Returns how
        many there were.

        Unlike that of a DELETE, the commit names no value of a row: a log keeps its commits for a month."""
        keys = rows.select(*key).distinct().alias("gone")
        same = F.lit(True)
        for column in key:
            same = same & (F.col(f"target.{column}") == F.col(f"gone.{column}"))

        def merge() -> int:
            target = DeltaTable.forPath(self.spark, self.path(name)).alias("target").merge(keys, same)
            if emptied:
                done = target.whenMatchedUpdate(set={column: F.lit(None) for column in emptied}).execute()
            else:
                done = target.whenMatchedDelete().execute()
            return int(done.collect()[0].num_affected_rows)

        return retried(merge)

    def _writer(self, table: Table, rows: DataFrame) -> DataFrameWriterV2:
        """Writes the rows with all that makes the table: properties, comment, partitions."""
        writer = self._in_order(table, rows).writeTo(self.identifier(table.name)).using("delta")
        for key, value in (table.properties | {"comment": table.comment}).items():
            writer = writer.tableProperty(key, value)
        if table.partitioned_by:
            writer = writer.partitionedBy(*(F.col(name) for name in table.partitioned_by))
        return writer

    def identifier(self, name: str) -> str:
        """The table's name in Spark SQL."""
        return identifier(self.path(name))

    @staticmethod
    def _in_order(table: Table, rows: DataFrame) -> DataFrame:
        names = table.column_names
        if set(rows.columns) != set(names):
            odd = sorted(set(rows.columns) ^ set(names))
            raise ValueError(f"rows for {table.name} do not have its columns: {', '.join(odd)}")
        return rows.select(
            *(
                F.col(quoted_name(c.name)).cast(c.type).alias(c.name, metadata={"comment": c.comment})
                for c in table.columns
            )
        )


def few_rows(spark: SparkSession, columns: Mapping[str, str], rows: Sequence[tuple[Any, ...]]) -> DataFrame:
    """Rows from Python values in the order of the columns, which have Spark SQL types.

    They go to Spark as JSON text: what `createDataFrame` does starts a Python process for them, which takes longer
    than anything else that is done with a few rows."""
    fields = ", ".join(f"{quoted_name(name)}: {type_}" for name, type_ in columns.items())
    lines = json.dumps([dict(zip(columns, row, strict=True)) for row in rows], default=_as_json)
    made = F.explode(F.from_json(F.lit(lines), f"ARRAY<STRUCT<{fields}>>", {"mode": "FAILFAST"}))
    return spark.range(1, numPartitions=1).select(made.alias("row")).select("row.*")


def utc(at: datetime) -> datetime:
    """A time as Spark hands it out: of the machine's own time zone, without saying so."""
    return at.astimezone(UTC)


def _as_json(value: object) -> str:
    """A value that JSON has no form for, as Spark reads it back: times in UTC, to the microsecond."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form here")
