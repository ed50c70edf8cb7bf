"""Delta tables: what each one looks like, and the ways to write one so that a repeated write changes nothing.

Tables are path-based, `<lake>/<schema>/<table>`, and stay at Delta reader version 1, so that readers which are not
Spark can open them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delta.tables import DeltaTable
from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipelines.errors import LakehuntError


@dataclass(frozen=True)
class TableColumn:
    """A stored column: its name, its Spark SQL type (`BIGINT`, `ARRAY<STRING>`) and what it means to a reader."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class Table:
    """A table of the lake. `name` is `schema.table`; every column carries a comment."""

    name: str
    comment: str
    columns: Sequence[TableColumn]
    partitioned_by: Sequence[str] = ()

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def ddl(self) -> str:
        """The columns as a Spark schema string, for `createDataFrame`."""
        return ", ".join(f"{_quoted(c.name)} {c.type}" for c in self.columns)


READER_VERSION_1 = {
    "delta.minReaderVersion": "1",
    "delta.minWriterVersion": "2",
    "delta.enableDeletionVectors": "false",
}


class Lake:
    """The tables under one folder or object-store prefix."""

    def __init__(self, spark: SparkSession, root: str) -> None:
        self.spark = spark
        # Delta's SQL takes only absolute paths for names of tables.
        self.root = root.rstrip("/") if "://" in root else str(Path(root).absolute())

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
        """What the table holds; no rows where the lake does not have it yet."""
        if self.exists(table.name):
            return self.read(table.name)
        return self.spark.range(0).select(*(F.lit(None).cast(c.type).alias(c.name) for c in table.columns))

    def local(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> DataFrame:
        """A few rows of the table, from Python values in the order of its columns. They make one file, not several."""
        return self.spark.createDataFrame(rows, table.ddl).coalesce(1)

    def append(self, table: Table, rows: DataFrame) -> None:
        """Adds rows. Only for rows that the caller knows to be new."""
        if not self._created(table, rows):
            self._in_order(table, rows).write.format("delta").mode("append").save(self.path(table.name))

    def replace(self, table: Table, rows: DataFrame, where: str) -> None:
        """Puts `rows` in the place of all rows for which `where` (Spark SQL) is true, in one transaction.

        Delta refuses the write if a row lies outside `where`, so nothing else can change. No rows: the place is
        emptied."""
        if not self._created(table, rows):
            writer = self._in_order(table, rows).write.format("delta").mode("overwrite")
            writer.option("replaceWhere", where).save(self.path(table.name))

    def has_shape(self, table: Table) -> bool:
        """Whether the stored table has exactly these columns, in this order, of these types."""
        stored, wanted = self.read(table.name).schema.fields, self.local(table, []).schema.fields
        return [(f.name, f.dataType) for f in stored] == [(f.name, f.dataType) for f in wanted]

    def overwrite(self, table: Table, rows: DataFrame) -> None:
        """Puts `rows` in the place of the whole table, columns included, in one transaction. Its history keeps what was
        there."""
        writer = self._in_order(table, rows).write.format("delta").mode("overwrite")
        writer.option("overwriteSchema", "true").save(self.path(table.name))

    def insert_new(self, table: Table, rows: DataFrame, key: Sequence[str], within: Column | None = None) -> None:
        """Adds those rows whose `key` the table does not hold yet; `rows` holds each key once.

        `within` is a condition on the target (written with `F.col("target.<column>")`) that limits where a key can
        be, so that Delta reads, and can conflict with, only those partitions."""
        if self._created(table, rows):
            return
        target = DeltaTable.forPath(self.spark, self.path(table.name))
        same = within if within is not None else F.lit(True)
        for name in key:
            same = same & (F.col(f"target.{name}") == F.col(f"new.{name}"))
        values = {name: F.col(f"new.{name}") for name in table.column_names}
        (
            target.alias("target")
            .merge(self._in_order(table, rows).alias("new"), same)
            .whenNotMatchedInsert(values=values)  # type: ignore[arg-type]
            .execute()
        )

    def _created(self, table: Table, rows: DataFrame) -> bool:
        """Makes the table with these rows, in one transaction, and says so; False where it was there already.

        A table that an earlier version of Lakehunt made gets the columns that came later."""
        if self.exists(table.name):
            self._add_missing_columns(table)
            return False
        writer = self._in_order(table, rows).writeTo(self._identifier(table)).using("delta")
        for key, value in (READER_VERSION_1 | {"comment": table.comment}).items():
            writer = writer.tableProperty(key, value)
        if table.partitioned_by:
            writer = writer.partitionedBy(*(F.col(name) for name in table.partitioned_by))
        try:
            writer.create()
        except AnalysisException:
            if self.exists(table.name):  # another run was quicker
                return False
            raise
        return True

    def _add_missing_columns(self, table: Table) -> None:
        present = set(self.read(table.name).columns)
        missing = [column for column in table.columns if column.name not in present]
        if missing:
            added = ", ".join(f"{_quoted(c.name)} {c.type} COMMENT '{_escaped(c.comment)}'" for c in missing)
            self.spark.sql(f"ALTER TABLE {self._identifier(table)} ADD COLUMNS ({added})")

    def _identifier(self, table: Table) -> str:
        return f"delta.{_quoted(self.path(table.name))}"

    @staticmethod
    def _in_order(table: Table, rows: DataFrame) -> DataFrame:
        names = table.column_names
        if set(rows.columns) != set(names):
            odd = sorted(set(rows.columns) ^ set(names))
            raise ValueError(f"rows for {table.name} do not have its columns: {', '.join(odd)}")
        return rows.select(
            *(F.col(_quoted(c.name)).cast(c.type).alias(c.name, metadata={"comment": c.comment}) for c in table.columns)
        )


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def _escaped(text: str) -> str:
    """Text inside a SQL string."""
    return text.replace("\\", "\\\\").replace("'", "\\'")
