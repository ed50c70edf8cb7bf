"""Registered tables: a team's own tables, declared in the configuration so that hunts can join them. Imports no Spark.

    tables:
      EmailEvents:
        path: s3a://lake/email_events    # or: table: lookup.email_events, inside the lake
        columns: {Timestamp: datetime, SenderFromAddress: string, AttachmentCount: int, AdditionalFields: dynamic}

Columns are declared, as hunts are checked without opening a table. Types are Kusto's."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from lakehunt.core import object_store, strict_yaml
from lakehunt.kql.types import BY_NAME, Column, Schema
from lakehunt.schemas import event_tables

_KEYS = ("path", "table", "columns")
_IN_LAKE = re.compile(r"[\w-]+\.[\w.-]+")


@dataclass(frozen=True)
class RegisteredTable:
    """A registered Delta table: at `path` (a folder or a URI), or the lake's `table`, or else the rows of a `query`.

    A query is Spark SQL over tables of the lake, each written as `{findings.all}`. Only Lakehunt itself has such: the
    configuration cannot name one."""

    name: str
    columns: Schema
    path: str = ""
    table: str = ""
    query: str = ""


def read(section: strict_yaml.Mapping, base: Path) -> dict[str, RegisteredTable]:
    """The tables of the configuration's section `tables`, by name. Relative folders count from `base`.

    Raises YamlError with the position of an invalid entry."""
    return {name: _table(section, name, base) for name in section}


def _table(section: strict_yaml.Mapping, name: str, base: Path) -> RegisteredTable:
    if name in event_tables.BY_NAME:  # event tables cannot be replaced
        raise section.error(name, f"{name} is Lakehunt's own table", "register the table under another name")
    entry = section[name]
    if not name.strip() or not isinstance(entry, strict_yaml.Mapping):
        what = f"table {name!r}: expected a name with path and columns"
        raise section.error(name, what, "see docs/reference/configuration.md")
    unknown = next((key for key in entry if key not in _KEYS), None)
    if unknown is not None:
        raise entry.error(unknown, f"unknown key {unknown!r}", f"known keys of a table: {', '.join(_KEYS)}")
    if ("path" in entry) == ("table" in entry):
        raise section.error(
            name, f"table {name!r}: expected either path or table", "path: a folder or URI; table: schema.table"
        )
    return RegisteredTable(name, _columns(entry, name), _path(entry, base), _in_lake(entry))


def _path(entry: strict_yaml.Mapping, base: Path) -> str:
    if "path" not in entry:
        return ""
    path = entry.text("path")
    if not path:
        raise entry.error("path", "path: expected a folder or a URI", "name the folder of a Delta table")
    return object_store.one_spelling(path) if "://" in path else str(base / path)


def _in_lake(entry: strict_yaml.Mapping) -> str:
    if "table" not in entry:
        return ""
    table = entry.text("table")
    if not _IN_LAKE.fullmatch(table):
        problem = f"table: expected schema.table inside the lake, found {table[:60]!r}"
        raise entry.value_error("table", problem, "for a table elsewhere write path")
    return table


def _columns(entry: strict_yaml.Mapping, name: str) -> Schema:
    columns = entry.get("columns")
    if not isinstance(columns, strict_yaml.Mapping) or not columns:
        hint = "write for example columns: {Timestamp: datetime, RemoteIP: string}"
        raise entry.error("columns", f"table {name!r}: expected columns with their Kusto types", hint)
    return tuple(_column(columns, column) for column in columns)


def _column(columns: strict_yaml.Mapping, name: str) -> Column:
    if not name or name.startswith("$"):
        raise columns.error(name, f"a column cannot be called {name!r}", "names that start with $ are Lakehunt's own")
    kind = "" if isinstance(columns[name], (dict, list)) else columns.text(name)
    if kind not in BY_NAME:
        near = difflib.get_close_matches(kind.lower(), BY_NAME, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"types: {', '.join(BY_NAME)}"
        raise columns.value_error(name, f"column {name!r}: {kind[:60]!r} is not a Kusto type", hint)
    return Column(name, BY_NAME[kind])
