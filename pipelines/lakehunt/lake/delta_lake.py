"""The lake's Delta tables, with idempotent writes.

Tables are path-based, `<lake>/<schema>/<table>`, and stay at Delta reader version 1, so that readers other than Spark
can open them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.readwriter import DataFrameWriter, DataFrameWriterV2

from lakehunt.core import object_store
from lakehunt.core.errors import LakehuntError
from lakehunt.core.object_store import ObjectStore
from lakehunt.core.sql import quoted_name
from lakehunt.lake import arrow_rows, logged_files, small_tables, versions, where
from lakehunt.lake import format as lake_format
from lakehunt.lake.file_ranges import FileRanges, Range
from lakehunt.lake.filesystem import FileSystem
from lakehunt.lake.logged_files import LoggedTable
from lakehunt.lake.retry import retried
from lakehunt.lake.small_tables import LocalTables, Made, Read, Stamp
from lakehunt.lake.table_maker import TableMaker, identifier
from lakehunt.lake.table_names import TableNames
from lakehunt.lake.where import Where
from lakehunt.runtime import commits
from lakehunt.schemas.table import Table

KILLED_AFTER = timedelta(days=1)
"""A run that has not ended after this time is taken to be killed."""

MOST_BYTES = 32 * 1024 * 1024
"""Size of the files of a small table up to which its rows are read without Spark: a larger one has not been small."""


MOST_ROWS = 500_000
"""Rows of the files of another table up to which it is searched without Spark."""


_LOGGED: dict[tuple[SparkSession, str], tuple[object, LoggedTable]] = {}
"""For a session and the path of a table the version that was read last, after what tells it from others."""

_MOST_LOGGED = 64
"""Versions that are kept: those that were asked for last."""

_RANGES = FileRanges()


class Lake:
    """The tables under one folder or object-store prefix. `store` says where S3 is."""

    def __init__(self, spark: SparkSession, root: str, store: ObjectStore | None = None) -> None:
        self.spark = spark
        self._store = store or ObjectStore()
        root = object_store.one_spelling(root)
        # Delta's SQL accepts only absolute paths as table names, and refuses to create a table at one with `..` in it.
        self.root = root.rstrip("/") if "://" in root else os.path.normpath(Path(root).absolute())
        if "://" in self.root:
            lake_format.check_once(self.root, lambda: FileSystem(spark).read(f"{self.root}/{lake_format.FILE}"))
        else:
            lake_format.check(self.root, self._store)
        self._maker = TableMaker(spark)
        self._names = TableNames(self.root, self._is_table)

    @cached_property
    def _local(self) -> LocalTables | None:
        """Reads and writes small tables, where no commit of Spark's or its own can be lost."""
        given = dict(self.spark.sparkContext.getConf().getAll())
        alone = object_store.is_s3(self.root) and not self._store.is_known_to(given)
        safe = commits.are_safe(self.spark, self.root) and small_tables.reachable(self.root) and not alone
        return LocalTables(self.root, self._store) if safe else None

    def _without_spark(self, table: Table) -> LocalTables | None:
        return self._local if table.small else None

    def path(self, name: str) -> str:
        """The path of table `schema.table`, which in a lake of an earlier version may have an earlier name."""
        return self._names.path(name)

    def stored_name(self, name: str) -> str:
        """The name of a table in this lake."""
        return self._names.stored(name)

    def exists(self, name: str) -> bool:
        return self._is_table(self.path(name))

    def _is_table(self, path: str) -> bool:
        if self._local is not None:
            return self._local.is_table(path)
        return bool(DeltaTable.isDeltaTable(self.spark, path))

    def version(self, name: str) -> int:
        """The newest version of a table."""
        if self._local is not None:
            return self._local.version(name)
        return int(DeltaTable.forPath(self.spark, self.path(name)).history(1).select("version").collect()[0][0])

    def commits(self, name: str, newest: int) -> list[dict[str, Any]]:
        """What a table's log says of that many of its newest commits: `version`, `operation`, `operationParameters`,
        `operationMetrics` and `userMetadata`, where it has them."""
        if self._local is not None:
            return self._local.commits(name, newest)
        return [row.asDict() for row in DeltaTable.forPath(self.spark, self.path(name)).history(newest).collect()]

    def read(self, name: str) -> DataFrame:
        """The newest version of the table.

        Raises LakehuntError if the lake has no such table."""
        if not self.exists(name):
            raise LakehuntError(
                f"the lake {self.root} has no table {name}",
                "land events first: lakehunt land SOURCE --lake DIR",
            )
        return self.spark.read.format("delta").load(self.path(name))

    def rows(self, table: Table) -> DataFrame:
        """The table's rows; empty if the table does not exist. Columns that an older table lacks are null."""
        local = self._without_spark(table)
        if local is not None and local.bytes(table.name) <= MOST_BYTES:
            return self.frame(table, local.rows(table))
        if self.exists(table.name):
            return _with_all_columns(table, self.read(table.name))
        return self.frame(table, arrow_rows.no_rows(arrow_rows.schema(table)))

    def snapshot(self, table: Table) -> tuple[DataFrame, int]:
        """The rows of a large table that exists, and its version now: where the log is read without Spark, later
        commits do not change them; else they may only add to them. Not for what is written depending on them: Delta
        does not know that they were read. Columns that an older table lacks are null."""
        if (logged := self.logged(table)) is not None:
            return logged.frame, logged.version
        version = self.version(table.name)
        return self.rows(table), version

    def logged(self, table: Table) -> LoggedTable | None:
        """The newest version of a large table that exists, as its log describes it, with the columns that an older
        table lacks. None where only Spark reads the log. What was made of a version is kept for the next question."""
        if self._local is None:
            return None
        path, stamp = self.path(table.name), self._local.stamp(table.name)
        kept = _LOGGED.pop((self.spark, path), None)
        if kept is None or stamp is None or kept[0] != (stamp, table):
            found = logged_files.table(self.spark, path, self._local.opened(table.name))
            if found is None:
                return None
            kept = (stamp, table), replace(found, frame=_with_all_columns(table, found.frame))
        _LOGGED[self.spark, path] = kept
        if len(_LOGGED) > _MOST_LOGGED:
            _LOGGED.pop(next(iter(_LOGGED)), None)
        return kept[1]

    def stamp(self, name: str) -> Stamp | None:
        """What changes with every commit to a table; None where it is not known."""
        return None if self._local is None else self._local.stamp(name)

    def ranges(self, table: Table, paths: Sequence[str], column: str) -> list[Range] | None:
        """The range of a column of whole numbers in each of these files of a table; None if one is not known, or if a
        row may have no value."""
        if self._local is None:
            return None
        return _RANGES.of(self._local.files_of(table.name), self.path(table.name), paths, column)

    def local(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> DataFrame:
        """A few rows for the table, from Python values in the order of its columns. They are written as one file."""
        return few_rows(self.spark, {c.name: c.type for c in table.columns}, rows)

    def few(self, table: Table, columns: Sequence[str] = (), only: Where = ()) -> list[dict[str, Any]]:
        """The rows for which the conditions hold, which are few, with these columns (none named: all). Times are in
        UTC. Empty if the table does not exist."""
        if (found := self._without_spark_if_few(table, columns, only)) is not None:
            return found.to_pylist()  # type: ignore[no-any-return]
        rows = self.rows(table).where(where.spark_sql(only)).select(*map(quoted_name, columns or table.column_names))
        return [_in_utc(row.asDict(recursive=True)) for row in rows.collect()]

    def _without_spark_if_few(self, table: Table, columns: Sequence[str], only: Where) -> pa.Table | None:
        if (local := self._without_spark(table)) is not None:
            return local.rows(table, columns, only)
        return self.rows_in_memory(table, MOST_ROWS, columns, only)

    def ensure(self, table: Table) -> None:
        """Creates the empty table, without Spark where that is safe, as Spark takes a query for it; if it exists, adds
        the columns that it lacks. One that exists may have features that only Spark knows."""
        if self._local is not None and not self._local.exists(table.name) and self._local.may_write(table):
            self._local.ensure(table)
        else:
            self._maker.ensure(table, self.path(table.name))

    def arrow(self, table: Table, columns: Sequence[str] = (), only: Where = ()) -> pa.Table:
        """The rows that `few` gives, as an Arrow table."""
        if (found := self._without_spark_if_few(table, columns, only)) is not None:
            return found
        rows = self.rows(table).where(where.spark_sql(only)).select(*map(quoted_name, columns or table.column_names))
        return rows.toArrow().cast(arrow_rows.schema(table, columns))

    def rows_in_memory(self, table: Table, most: int, columns: Sequence[str] = (), only: Where = ()) -> pa.Table | None:
        """The rows that `arrow` gives, read without Spark; None if the files to be read have more than `most` rows, or
        if only Spark may read the table."""
        readable = self._local is not None and self._local.may_write(table)
        return self._local.rows_of_few_files(most, table, columns, only) if self._local and readable else None

    def append(self, table: Table, rows: DataFrame | Sequence[tuple[Any, ...]]) -> None:
        """Appends rows, which the caller knows to be new: a frame, or Python values in the order of its columns."""
        if not isinstance(rows, DataFrame):
            if (local := self._without_spark(table)) is not None:
                return local.append(table, rows)
            rows = self.local(table, rows)
        self.ensure(table)
        return self._write(table, rows, "append").save(self.path(table.name))

    def _write(self, table: Table, rows: DataFrame, mode: str) -> DataFrameWriter:
        writer = self._in_order(table, rows).write.format("delta").mode(mode)
        note = versions.note(self.spark, table, self.stored_name, self.path)
        return writer if note is None else writer.option("userMetadata", note)

    def append_unless(self, table: Table, rows: DataFrame | Sequence[tuple[Any, ...]], taken: Where) -> None:
        """Appends rows unless the table has a row for which `taken` holds, or a concurrent writer adds one first."""
        if not isinstance(rows, DataFrame) and (local := self._without_spark(table)) is not None:
            local.append_unless(table, rows, taken)
            return
        new = self._in_order(table, rows if isinstance(rows, DataFrame) else self.local(table, rows))
        self.ensure(table)

        def write() -> None:
            # The table is read in the same transaction, so Delta detects a concurrent append.
            blocking = self.read(table.name).where(where.spark_sql(taken)).select(F.lit(1).alias("$$taken")).limit(1)
            free = new.join(blocking, F.lit(True), "left_anti")
            free.write.format("delta").mode("append").save(self.path(table.name))

        retried(write)

    def replace(
        self,
        table: Table,
        rows: DataFrame | Sequence[tuple[Any, ...]] | Callable[[], DataFrame],
        replaced: Where,
    ) -> None:
        """Replaces all rows for which the conditions hold by `rows`, in one transaction.

        Rows for which they do not hold are refused, so nothing else can change. Without rows, the matching ones are
        only deleted. On a conflict with another write this one is retried, and wins. Rows that depend on the table's
        content must be given as a function, which is called for each attempt."""
        make_rows: Callable[[], DataFrame]
        if callable(rows):
            make_rows = rows
        elif isinstance(rows, DataFrame):
            frame = rows
            make_rows = lambda: frame  # noqa: E731
        elif (local := self._without_spark(table)) is not None:
            local.replace(table, rows, replaced)
            return
        else:
            few = rows
            make_rows = lambda: self.local(table, few)  # noqa: E731
        self.ensure(table)

        def write() -> None:
            writer = self._write(table, make_rows(), "overwrite")
            writer.option("replaceWhere", where.spark_sql(replaced)).save(self.path(table.name))

        retried(write)

    def replace_made(self, table: Table, make: Callable[[Read], Made | None]) -> bool:
        """Replaces rows by those that are made of what the table holds, as `LocalTables.replace_made`, whatever the
        table's size. Where only Spark may write the table nothing is done, and the answer is False."""
        return self._local is not None and self._local.may_write(table) and self._local.replace_made(table, make)

    def delete(self, name: str, deleted: Where) -> None:
        """Deletes the rows of a table, whatever its columns, for which the conditions hold; there may be none."""
        if self._local is not None and self._local.is_plain(name):
            self._local.delete(name, deleted)
        else:
            retried(lambda: DeltaTable.forPath(self.spark, self.path(name)).delete(where.spark_sql(deleted)))

    def columns(self, name: str) -> list[str]:
        """The names of the columns of a stored table."""
        return self._local.columns(name) if self._local is not None else self.read(name).columns

    def has_shape(self, table: Table) -> bool:
        """Whether the stored table has exactly these columns, in this order, of these types."""
        if self._local is not None:
            return self._local.has_shape(table)
        stored, wanted = self.read(table.name).schema.fields, self.local(table, []).schema.fields
        return [(f.name, f.dataType) for f in stored] == [(f.name, f.dataType) for f in wanted]

    def overwrite(self, table: Table, rows: DataFrame | pa.Table) -> None:
        """Replaces the whole table, columns included, in one transaction. Earlier versions stay in its history."""
        if not isinstance(rows, DataFrame):
            if self._local is not None and self._local.may_write(table) and self._local.overwrite(table, rows):
                return
            rows = self.frame(table, rows)
        self._writer(table, rows).createOrReplace()

    def frame(self, table: Table, rows: pa.Table) -> DataFrame:
        """Rows of a table as a frame of Spark's."""
        if rows.num_rows:
            return self.spark.createDataFrame(rows)
        # PySpark 4.1 raises for nested columns without chunks (findings/pyspark-arrow-without-chunks.sh). By the limit,
        # Spark's optimizer knows that there are no rows.
        none = self.spark.range(0).limit(0)
        return none.select(*(F.lit(None).cast(c.type).alias(c.name) for c in table.columns))

    @staticmethod
    def write_copy(rows: DataFrame, path: str) -> None:
        """Writes the content of a file, as a Delta table of its own at a path that names this content: whoever writes
        there writes the same."""
        rows.write.format("delta").mode("overwrite").save(path)

    @staticmethod
    def read_through(rows: DataFrame) -> None:
        """Reads all rows and keeps none."""
        rows.write.format("noop").mode("overwrite").save()

    def insert_new(self, table: Table, rows: DataFrame, key: Sequence[str], within: Column | None = None) -> None:
        """Inserts the rows whose `key` is not in the table yet; keys in `rows` are unique.

        `within` is a condition on the target (on `F.col("target.<column>")`) that limits the merge to some partitions:
        Delta reads, and can conflict with, only those."""
        self.ensure(table)
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
        """Deletes the rows of a table whose `key` is in `rows`, or sets their columns `emptied` to null. Returns their
        number.

        Uses MERGE: a DELETE would write values of the rows into the Delta log, which keeps its commits for a month."""
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
        """A writer of the rows with the table's properties, comment and partitions."""
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


def _with_all_columns(table: Table, stored: DataFrame) -> DataFrame:
    later = {c.name: F.lit(None).cast(c.type) for c in table.columns if c.name not in stored.columns}
    return stored.withColumns(later) if later else stored


def few_rows(spark: SparkSession, columns: Mapping[str, str], rows: Sequence[tuple[Any, ...]]) -> DataFrame:
    """A frame from Python values in the order of `columns`, which maps names to Spark SQL types.

    The values are passed as JSON text: `createDataFrame` would start a Python worker, which for a few rows takes longer
    than everything else."""
    fields = ", ".join(f"{quoted_name(name)}: {type_}" for name, type_ in columns.items())
    lines = json.dumps([dict(zip(columns, row, strict=True)) for row in rows], default=_as_json)
    parsed = F.explode(F.from_json(F.lit(lines), f"ARRAY<STRUCT<{fields}>>", {"mode": "FAILFAST"}))
    return spark.range(1, numPartitions=1).select(parsed.alias("row")).select("row.*")


def _in_utc(value: Any) -> Any:
    """A row that was collected from Spark, with all times in UTC."""
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, dict):
        return {key: _in_utc(one) for key, one in value.items()}
    return [_in_utc(one) for one in value] if isinstance(value, list) else value


def utc(at: datetime) -> datetime:
    """A time collected from Spark, which is naive and in the machine's time zone, in UTC."""
    return at.astimezone(UTC)


def _as_json(value: object) -> str:
    """A date or time as JSON text that Spark can parse: times in UTC, with microseconds."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form here")
