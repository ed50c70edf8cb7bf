"""What can be asked: the event tables, tables of the configuration, and findings and views, read only.

A table of the lake has the name that SQL clients see, with `_` for the point: `findings_all`, `hunts_runs`,
`bi_new_findings`. There is one database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from lakehunt.config import Config
from lakehunt.kql import types as kql
from lakehunt.kql.types import Column, Schema, Type
from lakehunt.schemas import event_tables, lookups, registry
from lakehunt.schemas.registered_tables import RegisteredTable
from lakehunt.schemas.table import Table
from lakehunt.serving import views
from lakehunt.serving.views import View


@dataclass(frozen=True)
class Served:
    """A table as clients see it: in a folder, with its description and those of its columns."""

    name: str
    columns: Schema
    folder: str
    description: str = ""
    descriptions: Mapping[str, str] = field(default_factory=dict)


def served(config: Config) -> tuple[Served, ...]:
    """All tables, by folder and name."""
    return (*_events(), *_of_lake(), *_of_configuration(config))


def with_own_tables(config: Config) -> Config:
    """The configuration with findings and views as tables of queries. A table of the configuration goes before one of
    the same name."""
    return replace(config, tables={table.name: table for table in _readable()} | dict(config.tables))


def _events() -> Iterator[Served]:
    for table in event_tables.EVENT_TABLES:
        descriptions = {column.name: column.description for column in table.columns}
        yield Served(table.name, table.kql_schema, "Events", f"One row is one {table.event}", descriptions)


def _of_configuration(config: Config) -> Iterator[Served]:
    for table in config.tables.values():
        yield Served(table.name, table.columns, "Tables")
    for lookup in config.lookups.values():
        if lookup.table in lookups.TABLES and lookup.table not in config.tables:
            yield Served(lookup.table, lookup.columns, "Lookups")


# Findings and views

_TABLES = tuple(table for table in registry.tables() if table.served and table.folder != "events")


def _name(name: str) -> str:
    return name.replace(".", "_")


def _columns(table: Table) -> Schema:
    return tuple(Column(c.name, c.kql_type) for c in table.columns)


def _of_lake() -> Iterator[Served]:
    for table in _TABLES:
        descriptions = {column.name: column.comment for column in table.columns}
        yield Served(_name(table.name), _columns(table), "Findings", table.comment, descriptions)
    for view in views.VIEWS:
        yield Served(_view_name(view), view_columns(view), "Views", view.comment, dict(view.columns))


@cache
def _readable() -> tuple[RegisteredTable, ...]:
    tables = (RegisteredTable(_name(table.name), _columns(table), table=table.name) for table in _TABLES)
    return (*tables, *(RegisteredTable(_view_name(v), view_columns(v), query=query(v)) for v in views.VIEWS))


def _view_name(view: View) -> str:
    return _name(f"{views.SCHEMA}.{view.name}")


_COUNTS = frozenset((
    "accounts", "as_ofs", "devices", "events", "findings", "hunts", "new_findings", "recurring_findings",
))  # fmt: skip
_TIMES = frozenset((
    "as_of", "as_of_date", "ever_first_seen", "ever_last_seen", "first_as_of", "first_seen", "last_seen",
    "newest_as_of", "window_end", "window_start",
))  # fmt: skip
_LISTS = frozenset(("evidence", "tactics", "techniques"))


def view_columns(view: View) -> Schema:
    """The columns of a view. What is none of these is text, and a test compares all with Spark's."""
    return tuple(Column(name, _view_type(name)) for name, _ in view.columns)


def _view_type(name: str) -> Type:
    if name.startswith("is_"):
        return kql.BOOL
    kinds = ((_COUNTS, kql.LONG), (_TIMES, kql.DATETIME), (_LISTS, kql.DYNAMIC))
    return next((kind for names, kind in kinds if name in names), kql.STRING)


_READ = re.compile(r"\b(FROM|JOIN)\s+(\w+)\.(\w+)")


def query(view: View) -> str:
    """The query of a view in Spark SQL, over tables of the lake alone, each written as `{findings.all}`: the views that
    it reads stand where they are read."""
    known = {one.name: one for one in views.VIEWS}

    def read(found: re.Match[str]) -> str:
        keyword, schema, name = found.groups()
        place = f"({query(known[name])})" if schema == views.SCHEMA else f"{{{schema}.{name}}}"
        return f"{keyword} {place}"

    return _READ.sub(read, view.query)
