"""Rows of ledgers, written without Spark."""

from __future__ import annotations

from typing import Any

from lakehunt.lake.small_tables import LocalTables
from lakehunt.schemas.table import Table


def append(lake: LocalTables, table: Table, *rows: dict[str, Any]) -> None:
    """Appends rows, of which only some columns are given; the others are null."""
    for row in rows:
        assert set(row) <= set(table.column_names)
    lake.append(table, [tuple(row.get(name) for name in table.column_names) for row in rows])
