"""The hunts' own tables, `findings.<hunt>`: the query's columns, typed by the binder, then the run's."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import starmap

from lakehunt.core.errors import LakehuntError
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings.identity import descriptions
from lakehunt.kql import plan as p
from lakehunt.lake.small_tables import LocalTables
from lakehunt.schemas.event_tables import EVENT_TABLES
from lakehunt.schemas.finding_tables import FINDINGS_ALL, HUNT_FINDINGS
from lakehunt.schemas.table import Table, TableColumn
from lakehunt.spark import values


def own_table(hunt: Hunt, plan: p.Plan) -> Table:
    """The declaration of the hunt's own table, whose query has this plan."""
    events = {table.name: {c.name: c.description for c in table.columns} for table in EVENT_TABLES}
    described = descriptions(plan, hunt.query, events)
    columns = [
        TableColumn(c.name, values.stored_type(c.type), f"{described[c.name]} (Kusto {c.type})".strip())
        for c in plan.schema
    ]
    return HUNT_FINDINGS.table(hunt.id, f"Findings of the hunt {hunt.name}", columns)


AT_ONCE = 8
"""Tables that are made at the same time: making one mostly waits for the disk or the store."""


def create_tables(lake: LocalTables, hunts: Sequence[tuple[Hunt, p.Plan]]) -> list[str]:
    """Makes `findings.all`, and the own table of each hunt (with its plan) that has none, without rows and without
    Spark: for readers that expect a table before its hunt has found anything. Returns the names of those that were
    made; an existing one stays as it is.

    Raises LakehuntError if Delta refuses the name of a column."""
    tables = [FINDINGS_ALL, *starmap(own_table, hunts)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        new = [
            table
            for table, known in zip(tables, pool.map(lake.exists, (t.name for t in tables)), strict=True)
            if not known
        ]
        for table in new:
            if not lake.may_write(table):
                hint = "rename the column with project-rename: letters, digits and _ are always possible"
                raise LakehuntError(f"{table.name}: Delta has no columns with such names as in its hunt's result", hint)
        list(pool.map(lake.ensure, new))
    return [table.name for table in new]
