"""A result as it is shown."""

from __future__ import annotations

from dataclasses import dataclass

from lakehunt.api import html
from lakehunt.cli import render
from lakehunt.live.result import Result

MOST_ROWS = 50
"""Rows of a result that a notebook shows, unless something else is said; all are counted."""


@dataclass(frozen=True, repr=False)
class QueryResult(Result):
    """The rows of a query, which can be printed, and of which a notebook shows the first `most`."""

    most: int = MOST_ROWS

    def show(self, rows: int = 20, vertical: bool = False) -> None:
        """Prints the first rows as `lakehunt query` does: as a table that fits the terminal, or every value on a line
        of its own."""
        names = [column.name for column in self.schema]
        first = [dict(zip(names, row, strict=True)) for row in self.rows[:rows]]
        title = "" if len(first) == len(self) else f"The first {len(first):,} of {len(self):,} rows"
        form = "vertical" if vertical else "table"
        render.records(form, first, [render.Column(name) for name in names], title=title)

    def __repr__(self) -> str:
        columns = ", ".join(f"{column.name}: {column.type}" for column in self.schema)
        return f"<{len(self):,} {'row' if len(self) == 1 else 'rows'} of ({columns})>"

    def _repr_html_(self) -> str:
        return html.of_result(self, self.most)
