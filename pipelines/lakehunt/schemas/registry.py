"""The registry of all tables. Declarations in any module of this package are found automatically."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from types import ModuleType

from lakehunt import schemas
from lakehunt.schemas.event_tables import EVENT_TABLES
from lakehunt.schemas.table import FOLDERS, Expires, Table, TableFamily


@cache
def tables() -> tuple[Table, ...]:
    """All single tables, in the order of the data flow through their folders, then by name.

    Raises ValueError for a duplicate name, and for a table outside of Lakehunt's folders."""
    found: dict[str, Table] = {}
    values = (value for module in _modules() for value in vars(module).values())
    named = (one for value in values for one in (value if isinstance(value, tuple) else (value,)))
    declared = (one for one in named if isinstance(one, Table))
    for table in (*declared, *(events.events for events in EVENT_TABLES)):
        if found.setdefault(table.name, table) is not table:
            raise ValueError(f"two tables are named {table.name}")
    return tuple(sorted(found.values(), key=lambda table: (FOLDERS.index(table.folder), table.name)))


@cache
def families() -> tuple[TableFamily, ...]:
    """The families of tables, with a member for each hunt."""
    found = {one.name: one for module in _modules() for one in vars(module).values() if isinstance(one, TableFamily)}
    return tuple(found[name] for name in sorted(found))


def declarations() -> tuple[Table | TableFamily, ...]:
    """All declarations, for the documentation."""
    return *tables(), *families()


def named(name: str) -> Table | TableFamily | None:
    """The declaration of the table `folder.table`, by its name now or in earlier lakes; None if it is not a table of
    Lakehunt."""
    own = next((table for table in tables() if name in {table.name, table.formerly}), None)
    return own or next((family for family in families() if family.folder == name.partition(".")[0]), None)


@cache
def former_names() -> dict[str, str]:
    """The names that renamed tables have in lakes of earlier versions, by their names now."""
    return {table.name: table.formerly for table in tables() if table.formerly}


@cache
def retention_kinds() -> tuple[str, ...]:
    """The kinds of rows whose retention can be configured."""
    kinds = (one.retention.kind for one in declarations() if isinstance(one.retention, Expires))
    return tuple(dict.fromkeys(kinds))


def _modules() -> Iterator[ModuleType]:
    for module in pkgutil.iter_modules(schemas.__path__):
        if module.name != __name__.rpartition(".")[2]:
            yield import_module(f"{schemas.__name__}.{module.name}")
