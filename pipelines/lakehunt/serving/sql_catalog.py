"""The tables and views of the endpoint, under the names by which its clients call them.

Spark's catalog is in memory and holds only names and places: nothing of it is stored, and rows that are added to a
table are there with the next query. A table's declaration (`lakehunt.schemas`) says whether it is served. What was
delivered is not, nor are tables whose rows count only under conditions, such as `hunts.hits`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lakehunt.core.errors import LakehuntError
from lakehunt.lake.delta_lake import Lake
from lakehunt.operations import maintenance
from lakehunt.schemas import registry
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from lakehunt.schemas.hunt_tables import RUNS
from lakehunt.serving import views

TABLES = tuple(table for table in registry.tables() if table.served)
FAMILIES = tuple(family for family in registry.families() if family.served)

SCHEMAS = (*dict.fromkeys((*(table.folder for table in TABLES), *(family.folder for family in FAMILIES))), views.SCHEMA)

_VIEWED = (FINDINGS_ALL.name, RUNS.name, DEVICE_PROCESS_EVENTS.events.name)
"""What the views read."""


def name_of(table: str) -> str:
    """What clients call a table of the lake: Spark's catalog knows letters, digits and `_` only, so a hunt's id has `_`
    for each other character."""
    schema, _, rest = table.partition(".")
    return f"{schema}.{re.sub('[^A-Za-z0-9_]', '_', rest)}"


class SqlCatalog:
    """The names of one lake in Spark's catalog: of each the table that it stands for."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._tables: dict[str, str] = {}

    def make(self) -> None:
        """Makes schemas, tables and views.

        Raises LakehuntError for a lake without findings, or with ones that an earlier Lakehunt has written."""
        self._check()
        for schema in SCHEMAS:
            self._lake.spark.sql(f"CREATE DATABASE IF NOT EXISTS {schema}")
        self.refresh()
        for view in views.VIEWS:
            self._lake.spark.sql(view.spark)

    def refresh(self) -> list[str]:
        """Adds the tables that have come since the last time, and returns their names.

        Of two hunts whose ids differ in other characters than letters and digits alone, the first has the name."""
        new = {name: table for name, table in self._found() if name not in self._tables and self._lake.exists(table)}
        for name, table in new.items():
            self._add(name, table)
        return list(new)

    def _add(self, name: str, table: str) -> None:
        schema, _, rest = name.partition(".")
        self._lake.spark.catalog.createTable(f"{schema}.`{rest}`", path=self._lake.path(table), source="delta")
        # Queries take the columns from Delta's log. A driver's list of columns comes from the catalog, which has none.
        session: Any = self._lake.spark._jsparkSession
        columns: Any = self._lake.read(table)._jdf.schema()
        session.sharedState().externalCatalog().alterTableDataSchema(schema, rest, columns)
        self._tables[name] = table

    def _found(self) -> Iterator[tuple[str, str]]:
        """Names of what may be a table, and the tables; the one that has a name comes last."""
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
