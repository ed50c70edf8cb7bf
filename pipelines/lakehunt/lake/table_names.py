"""Where the tables of a lake are. Imports no Spark."""

from __future__ import annotations

from collections.abc import Callable

from lakehunt.schemas import registry


class TableNames:
    """The names and paths of tables below `root`. `is_table` says whether there is a Delta table at a path."""

    def __init__(self, root: str, is_table: Callable[[str], bool]) -> None:
        self._root = root
        self._is_table = is_table
        self._stored: dict[str, str] = {}

    def path(self, name: str) -> str:
        """The path of table `schema.table`, which in a lake of an earlier version may have an earlier name."""
        return self._at(self.stored(name))

    def stored(self, name: str) -> str:
        """The name of a table in this lake."""
        former = registry.former_names().get(name)
        if former is None:
            return name
        if name not in self._stored:
            self._stored[name] = former if self._is_table(self._at(former)) else name
        return self._stored[name]

    def _at(self, stored: str) -> str:
        schema, _, table = stored.partition(".")  # only at the first dot: a hunt's id may contain others
        return f"{self._root}/{schema}/{table}"
