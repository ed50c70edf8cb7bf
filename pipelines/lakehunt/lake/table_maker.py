"""Creates the tables of a lake, and migrates older ones to their declaration."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from delta.tables import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from lakehunt.core.sql import quoted_name, string_literal
from lakehunt.lake.filesystem import FileSystem
from lakehunt.lake.retry import ATTEMPTS, CONFLICTS, pause
from lakehunt.schemas.table import CONTRACT, Table

LONGEST_COMMIT = 5
"""Seconds after which the temporary file of a commit is taken to be of a killed run."""


def identifier(path: str) -> str:
    """The Spark SQL name of the table at a path."""
    return f"delta.{quoted_name(path)}"


class TableMaker:
    """Creates tables. Remembers which ones have their declared properties, as checking takes a query."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self._with_properties: set[str] = set()

    def ensure(self, table: Table, path: str) -> None:
        """Creates the empty table at a path; if it exists, adds the columns that it lacks.

        Not done together with the first write: if its query failed, a Delta log without a version would remain."""
        if DeltaTable.isDeltaTable(self._spark, path):
            self._add_missing_columns(table, path)
            self._add_missing_properties(table, path)
            return
        builder = self._builder(table, path)
        for attempt in range(ATTEMPTS):
            try:
                builder.execute()
                return
            except (AnalysisException, *CONFLICTS):
                if DeltaTable.isDeltaTable(self._spark, path):  # created by another run meanwhile
                    return
                if attempt == ATTEMPTS - 1:
                    raise
            self._remove_unfinished(path)
            pause(attempt)  # another run may be creating it

    def _builder(self, table: Table, path: str) -> Any:
        builder = DeltaTable.createIfNotExists(self._spark).location(path).comment(table.comment)
        for key, value in table.properties.items():
            builder = builder.property(key, value)
        for column in table.columns:
            builder = builder.addColumn(column.name, column.type, comment=column.comment)
        return builder.partitionedBy(*table.partitioned_by) if table.partitioned_by else builder

    def _remove_unfinished(self, path: str) -> None:
        """Removes what a run left that was killed just before a table's first commit: Delta takes it for a corrupt
        table. Recent files may be of a run that is creating the table, so they stay, and so does their folder."""
        files, log = FileSystem(self._spark), f"{path}/_delta_log"
        before = time.time() - LONGEST_COMMIT
        with suppress(Py4JJavaError):
            for entry in files.entries(log):
                is_unfinished = entry.is_folder or entry.name.startswith(".")
                if is_unfinished and entry.modified < before:
                    files.remove(entry.path)
            files.remove(log)

    def _add_missing_columns(self, table: Table, path: str) -> None:
        present = set(self._spark.read.format("delta").load(path).columns)
        missing = [column for column in table.columns if column.name not in present]
        if missing:
            added = ", ".join(f"{quoted_name(c.name)} {c.type} COMMENT {string_literal(c.comment)}" for c in missing)
            self._spark.sql(f"ALTER TABLE {identifier(path)} ADD COLUMNS ({added})")
            if table.contract is not None:
                self._set_properties(path, {CONTRACT: str(table.contract)})

    def _add_missing_properties(self, table: Table, path: str) -> None:
        """Once per table and process. The protocol versions of an existing table are not changed."""
        if path in self._with_properties or not table.partitioned_by:  # unpartitioned tables are small
            return
        rows = self._spark.sql(f"SHOW TBLPROPERTIES {identifier(path)}").collect()
        stored = {row.key: row.value for row in rows}
        wanted = {key: value for key, value in table.properties.items() if not key.endswith("Version")}
        self._set_properties(path, {key: value for key, value in wanted.items() if stored.get(key) != value})
        self._with_properties.add(path)

    def _set_properties(self, path: str, properties: dict[str, str]) -> None:
        if properties:
            pairs = (f"{string_literal(key)} = {string_literal(value)}" for key, value in properties.items())
            self._spark.sql(f"ALTER TABLE {identifier(path)} SET TBLPROPERTIES ({', '.join(pairs)})")
