"""Tables that only a test knows."""

from __future__ import annotations

from typing import Any

from lakehunt.schemas.table import KeptForever, NotErased, Table, TableColumn

FOR_A_TEST = {
    "retention": KeptForever("a test's"),
    "erasure": NotErased("a test's"),
    "served": False,
    "written": "by a test",
}
"""The decisions about a table that only a test knows."""


def scratch_table(name: str, *columns: TableColumn, **more: Any) -> Table:
    """A table that is not Lakehunt's; `more` as for `Table`."""
    return Table(name, "A test's table", columns, **(FOR_A_TEST | more))
