"""The tables and views of the endpoint, under the names that clients use.

Spark's catalog is in memory and maps names to paths: nothing is stored, and new rows of a table are visible to the next
query. A table's declaration (`lakehunt.schemas`) says whether it is served. Raw records are not, nor are tables whose
rows are valid only under conditions, such as `hunts.hits`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lakehunt.core.errors import LakehuntError
from lakehunt.lake.delta_lake import Lake
from lakehunt.operations import maintenance
from lakehunt.schemas import registry
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from lakehunt.schemas.hunt_tables import RUNS
from lakehunt.serving import views

TABLES = tuple(table for table in registry.tables() if table.served)
FAMILIES = tuple(family for family in registry.families() if family.served)

SCHEMAS = (*dict.fromkeys((*(table.folder for table in TABLES), *(family.folder for family in FAMILIES))), views.SCHEMA)

_VIEWED = (FINDINGS_ALL.name, RUNS.name)
"""Tables that all views read."""


def name_of(table: str) -> str:
    """The SQL name of a table of the lake: Spark's catalog allows only letters, digits and `_`, so each other character
    of a hunt's id becomes `_`."""
    schema, _, rest = table.partition(".")
    return f"{schema}.{re.sub('[^A-Za-z0-9_]', '_', rest)}"


class SqlCatalog:
    """The names of one lake's tables in Spark's catalog."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._tables: dict[str, str] = {}
        self._views: set[str] = set()

    def make(self) -> None:
        """Creates schemas, tables and views.

        Raises LakehuntError for a lake without findings, or with findings of an earlier version of Lakehunt."""
        self._check()
        for schema in SCHEMAS:
            self._lake.spark.sql(f"CREATE DATABASE IF NOT EXISTS {schema}")
        self.refresh()

    def refresh(self) -> list[str]:
        """Adds tables that are new since the last call, and their views, and returns the names of the tables.

        If the ids of two hunts map to the same name, the first one gets it."""
        new = {name: table for name, table in self._found() if name not in self._tables and self._lake.exists(table)}
        for name, table in new.items():
            self._add(name, table)
        for view in views.VIEWS:
            if view.name not in self._views and (not view.events or view.events in self._tables):
                self._lake.spark.sql(view.spark)
                self._views.add(view.name)
        return list(new)

    def _add(self, name: str, table: str) -> None:
        schema, _, rest = name.partition(".")
        self._lake.spark.catalog.createTable(f"{schema}.`{rest}`", path=self._lake.path(table), source="delta")
        # Queries read the columns from Delta's log, but a driver's list of columns comes from the catalog, which has
        # none.
        session: Any = self._lake.spark._jsparkSession
        columns: Any = self._lake.read(table)._jdf.schema()
        session.sharedState().externalCatalog().alterTableDataSchema(schema, rest, columns)
        self._tables[name] = table

    def _found(self) -> Iterator[tuple[str, str]]:
        """SQL names and table names of possible tables; of equal SQL names the last one counts."""
        for family in FAMILIES:
            for folder in sorted(maintenance.folders(self._lake, family.folder), reverse=True):
                table = f"{family.folder}.{folder}"
                yield name_of(table), table
        for served in TABLES:
            yield name_of(served.name), served.name

    def _check(self) -> None:
        for name in _VIEWED:
            if not self._lake.exists(name):
                raise LakehuntError(
                    f"the lake {self._lake.root} has no table {name}", "run hunts first: lakehunt run SOURCE --as-of T"
                )
        stored = self._lake.read(FINDINGS_ALL.name).columns
        missing = [name for name in FINDINGS_ALL.column_names if name not in stored]
        if missing:
            raise LakehuntError(
                f"{FINDINGS_ALL.name} has no column {missing[0]}: an earlier Lakehunt has written it",
                "the next run of a hunt adds it: lakehunt hunt --as-of T",
            )
