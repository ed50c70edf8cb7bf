"""The tables and views of the endpoint, under the names by which its clients call them.

Spark's catalog is in memory and holds only names and places: nothing of it is stored, and rows that are added to a
table are there with the next query. What is not served: what was delivered (`raw`, `quarantine`), and the tables by
which Lakehunt keeps account, whose rows count only under conditions (`hunts.hits`, `hunts.passes`, `hunts.alerts`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pipelines.errors import LakehuntError
from pipelines.hunting.findings import ALL, FINDINGS_ALL
from pipelines.hunting.ledger import RUNS
from pipelines.lake import maintenance
from pipelines.lake.tables import Lake
from pipelines.landing.tables import EVENTS
from pipelines.quality.tables import VALIDATIONS
from pipelines.serving import views

FINDINGS = "findings"

TABLES = (EVENTS.name, RUNS.name, VALIDATIONS.name)
"""What is served beside the tables of findings."""

SCHEMAS = (FINDINGS, *(name.partition(".")[0] for name in TABLES), views.SCHEMA)

_VIEWED = (ALL, RUNS.name, EVENTS.name)
"""What the views read."""


def name_of(table: str) -> str:
    """What clients call a table of the lake: Spark's catalog knows letters, digits and `_` only, so a hunt's id has `_`
    for each other character."""
    schema, _, rest = table.partition(".")
    return f"{schema}.{re.sub('[^A-Za-z0-9_]', '_', rest)}"


class Catalog:
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
        folders = sorted(maintenance.folders(self._lake, FINDINGS), reverse=True)
        for table in (*(f"{FINDINGS}.{folder}" for folder in folders), *TABLES):
            yield name_of(table), table

    def _check(self) -> None:
        for name in _VIEWED:
            if not self._lake.exists(name):
                raise LakehuntError(
                    f"the lake {self._lake.root} has no table {name}", "run hunts first: lakehunt run SOURCE --as-of T"
                )
        stored = self._lake.read(ALL).columns
        missing = [name for name in FINDINGS_ALL.column_names if name not in stored]
        if missing:
            raise LakehuntError(
                f"findings.all has no column {missing[0]}: an earlier Lakehunt has written it",
                "the next run of a hunt adds it: lakehunt hunt --as-of T",
            )
