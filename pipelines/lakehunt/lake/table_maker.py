"""Makes the tables of a lake, and brings older ones up to their declaration."""

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
"""Seconds after which a file that a commit begins with, and then gives its name, belongs to a run that was killed."""


def identifier(path: str) -> str:
    """The name in Spark SQL of the table in a folder."""
    return f"delta.{quoted_name(path)}"


class TableMaker:
    """Remembers which tables have the properties of their declaration: asking takes a query."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self._with_properties: set[str] = set()

    def ensure(self, table: Table, path: str) -> None:
        """Makes the table in a folder, without rows, unless it is there: then it gets the columns that came later.

        Not together with its first rows: a query that fails would leave a log without a version."""
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
                if DeltaTable.isDeltaTable(self._spark, path):  # another run was quicker
                    return
                if attempt == ATTEMPTS - 1:
                    raise
            self._remove_beginnings(path)
            pause(attempt)  # another run may be just about to make it

    def _builder(self, table: Table, path: str) -> Any:
        builder = DeltaTable.createIfNotExists(self._spark).location(path).comment(table.comment)
        for key, value in table.properties.items():
            builder = builder.property(key, value)
        for column in table.columns:
            builder = builder.addColumn(column.name, column.type, comment=column.comment)
        return builder.partitionedBy(*table.partitioned_by) if table.partitioned_by else builder

    def _remove_beginnings(self, path: str) -> None:
        """What is left of a run that was killed just before a table's first commit: Delta takes it for a table that it
        cannot read. Something young may be of a run that makes the table now; a folder that holds it stays, too."""
        files, log = FileSystem(self._spark), f"{path}/_delta_log"
        before = time.time() - LONGEST_COMMIT
        with suppress(Py4JJavaError):
            for entry in files.entries(log):
                begun = entry.is_folder or entry.name.startswith(".")
                if begun and entry.modified < before:
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
        """Once per table and process. The protocol of a table that is there stays as it is."""
        if path in self._with_properties or not table.partitioned_by:  # the others are small
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
