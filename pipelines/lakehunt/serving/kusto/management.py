"""Management commands, as far as they show something: each answers with a table. Any other is an error.

Source: learn.microsoft.com/kusto/management, for commands and the columns of their results."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lakehunt import __version__
from lakehunt.kql import times
from lakehunt.kql.binding.rows import DOTNET_TYPES
from lakehunt.kql.errors import KqlError
from lakehunt.kql.lexer import T
from lakehunt.kql.reader import Reader
from lakehunt.kql.types import TICKS_PER_SECOND, Schema
from lakehunt.serving.kusto import text
from lakehunt.serving.kusto.errors import JsonObject, no_database, no_table, not_a_command
from lakehunt.serving.kusto.frames import Table, columns
from lakehunt.serving.kusto.tables import Served

DATABASE_ID = "5c1f6a43-5d4c-4a39-8d0f-5d1f0c8f3a11"
"""Clients tell databases apart by it; a server has one database, and it is always the same."""

MAJOR, MINOR = 1, 0
"""The version of the database's schema."""


@dataclass(frozen=True)
class Running:
    """A query as `.show queries` shows it."""

    client_request_id: str
    text: str
    started: str
    seconds: float
    state: str
    user: str
    application: str
    activity_id: str


@dataclass(frozen=True)
class Server:
    """What commands show."""

    database: str
    tables: Sequence[Served]
    most_queries: int
    running: Callable[[], Sequence[Running]] = field(default=lambda: ())
    cancel: Callable[[str, str], bool] = field(default=lambda client_request_id, reason: False)
    """Cancels the query with this client request id, for this reason; whether there was one."""

    def check(self, database: str) -> None:
        """Raises KustoError if there is no such database."""
        if database.lower() not in (self.database.lower(), *_ANY):
            raise no_database(database, self.database)


_ANY = ("", "netdefaultdb", "default")
"""What requests have where no database was chosen."""


@dataclass(frozen=True)
class Shown:
    """The result of a command. `end` is where it ends in the request's text: operators follow if it is `piped`."""

    table: Table
    end: int
    piped: bool


def run(written: str, server: Server) -> Shown:
    """The result of a command. Raises KustoError if it is not one that this server has."""
    try:
        return _Command(written, server).run()
    except KqlError as error:
        raise not_a_command(written) from error


class _Command(Reader):
    """Reads one command."""

    def __init__(self, written: str, server: Server) -> None:
        super().__init__(written)
        self.server = server

    def run(self) -> Shown:
        self.expect(".")
        if self.words("show"):
            table = self._show()
        elif self.words("cancel"):
            table = self._cancel()
        else:
            raise not_a_command(self.text)
        if self.sees(";") and self.peek().kind is T.END:
            self.next()
        if not self.at_end() and not self.sees("|"):
            raise not_a_command(self.text)
        return Shown(table, self.token.span.start, self.sees("|"))

    def words(self, *words: str) -> bool:
        """Consumes these words if they are next, in any case. A name may have hyphens: `materialized-views`."""
        at = self.at
        for word in words:
            if self.hyphenated().lower() != word:
                self.at = at
                return False
            self.at += word.count("-") * 2 + 1
        return True

    # .show

    def _show(self) -> Table:
        for words, show in _PLAIN.items():
            if self.words(*words.split()):
                return show(self)
        if self.words("databases"):
            return self._databases()
        if self.words("database"):
            return self._database()
        if self.words("tables"):
            return self._tables(self._listed())
        if self.words("table"):
            return self._table()
        raise not_a_command(self.text)

    def _databases(self) -> Table:
        if self.words("entities"):
            self._options()
            return self._entities()
        for name in self._listed():
            self.server.check(name)
        return self._schema_of_databases() if self.words("schema") else self._list_of_databases()

    def _database(self) -> Table:
        if not self.at_end() and not self.sees("|") and self.token.text.lower() not in ("schema", "details"):
            self.server.check(self._name())
        if self.words("principals"):
            return Table(_PRINCIPALS, [])
        return self._schema_of_databases() if self.words("schema") else self._list_of_databases()

    def _list_of_databases(self) -> Table:
        of, details = self.server, self.words("details") or self.words("verbose")
        first = [of.database, "", f"v{MAJOR}.{MINOR}", True, "ReadOnly", ""]
        if details:
            return Table(_DATABASE_DETAILS, [[*first, *[""] * 7, None, DATABASE_ID]])
        return Table(_DATABASES, [[*first, False, DATABASE_ID, "", ""]])

    def _schema_of_databases(self) -> Table:
        self.words("details")
        newer = self._newer_than()
        if self.words("as", "json"):
            self._options()
            names = [self.server.database] if newer else []
            shown = {"Databases": {name: database_json(self.server) for name in names}}
            return Table(columns("DatabaseSchema:string"), [[json.dumps(shown, ensure_ascii=False)]])
        if self.words("as", "csl", "script"):
            self._options()
            return Table(columns("DatabaseSchemaScript:string"), [[_script(t)] for t in self.server.tables])
        return Table(_SCHEMA, list(self._schema_rows()) if newer else [])

    def _newer_than(self) -> bool:
        """`if_later_than "v1.0"`: whether the schema is newer than that."""
        if not self.words("if_later_than"):
            return True
        version = str(self.next().value).lstrip("v").split(".")
        known = [int(part) for part in version if part.isdecimal() and len(part) < 10]
        return known < [MAJOR, MINOR]

    def _schema_rows(self) -> Iterator[list[Any]]:
        of = self.server
        yield [of.database, "", "", "", False, False, "", f"v{MAJOR}.{MINOR}"]
        for table in of.tables:
            yield [of.database, table.name, "", "", True, False, "", ""]
            for column in table.columns:
                kind = DOTNET_TYPES[column.type.name]
                yield [of.database, table.name, column.name, kind, True, False, "", ""]

    def _entities(self) -> Table:
        of = self.server
        rows = [[of.database, "Table", t.name, t.description, t.folder, "", "", _csl(t.columns), {}] for t in of.tables]
        return Table(_ENTITIES, rows)

    def _tables(self, names: Sequence[str]) -> Table:
        of = self.server
        wanted = [self._served(name) for name in names] or of.tables
        rows = [[t.name, of.database, t.folder, t.description] for t in wanted]
        if not self.words("details"):
            return Table(_TABLES, rows)
        return Table(_TABLE_DETAILS, [[*row, *[None] * 8, *[""] * 7, None, None, "", ""] for row in rows])

    def _table(self) -> Table:
        table = self._served(self._name())
        if self.words("schema", "as", "json"):
            schema = json.dumps(table_json(table), ensure_ascii=False)
        elif self.words("cslschema") or self.words("schema", "as", "csl"):
            schema = _csl(table.columns)
        else:
            return self._tables([table.name])
        row = [table.name, schema, self.server.database, table.folder, table.description]
        return Table(_TABLE_SCHEMA, [row])

    def _queries(self) -> Table:
        rows = [
            [q.client_request_id, q.text, self.server.database, q.started, q.started, _span(q.seconds), q.state,
             q.activity_id, q.user, "", q.application]
            for q in self.server.running()
        ]  # fmt: skip
        return Table(_QUERIES, rows)

    def _capacity(self) -> Table:
        most, now = self.server.most_queries, len(self.server.running())
        return Table(_CAPACITY, [["Queries", most, now, most - now, "RequestRateLimitPolicy/WorkloadGroup/default"]])

    def _version(self) -> Table:
        return Table(_VERSION, [[__version__, None, "Lakehunt", __version__, ""]])

    def _cluster(self) -> Table:
        return Table(_CLUSTER, [["LAKEHUNT", "", "Lakehunt", None, False, None, None, None, ""]])

    # .cancel

    def _cancel(self) -> Table:
        if not self.words("query"):
            raise not_a_command(self.text)
        wanted = self._name()
        reason = "a client asked for it"
        if self.words("with"):
            self.expect("(")
            self.expect("reason")
            self.expect("=")
            reason = self._name()
            self.expect(")")
        return Table(_CANCELLED, [[wanted, self.server.cancel(wanted, reason)]])

    # Parts

    def _name(self) -> str:
        """A name: as it is, in quotes, or as `['a name']` or `["a name"]`."""
        if self.token.kind is T.STRING:
            return str(self.next().value)
        found = self.bracketed_name()
        if found is not None:
            return found.text
        name = self.hyphenated()
        first = self.name("a name")
        self.at += name.count("-") * 2 if name != first.text else 0
        return name

    def _listed(self) -> list[str]:
        """`(a, b)`, if that follows."""
        if not self.takes("("):
            return []
        found = self.list(self._listed_name)
        self.expect(")")
        return list(found)

    def _listed_name(self) -> str:
        name = self._name()
        if self.words("if_later_than"):
            self.next()
        return name

    def _options(self) -> None:
        """`with (...)`, which changes nothing here: there are tables, and nothing that could be left out."""
        if not self.words("with"):
            return
        self.expect("(")
        while not self.takes(")"):
            if self.at_end():
                self.fail("expected `)`")
            self.next()

    def _served(self, name: str) -> Served:
        found = next((table for table in self.server.tables if table.name == name), None)
        if found is None:
            raise no_table(name)
        return found


def _nothing(schema: str) -> Callable[[_Command], Table]:
    shape = columns(schema)

    def show(command: _Command) -> Table:
        command._options()
        return Table(shape, [])

    return show


_PLAIN: dict[str, Callable[[_Command], Table]] = {
    "version": _Command._version,
    "cluster": _Command._cluster,
    "running queries": _Command._queries,
    "queries": _Command._queries,
    "capacity": _Command._capacity,
    "schema": _Command._schema_of_databases,
    "functions": _nothing("Name:string, Parameters:string, Body:string, Folder:string, DocString:string"),
    "materialized-views": _nothing(
        "Name:string, SourceTable:string, Query:string, MaterializedTo:datetime, LastRun:datetime,"
        "LastRunResult:string, IsHealthy:bool, IsEnabled:bool, Status:string, Folder:string, DocString:string,"
        "AutoUpdateSchema:bool, EffectiveDateTime:datetime, LastDefinitionUpdate:datetime, Lookback:timespan,"
        "LookbackColumn:string"
    ),
    "external tables": _nothing(
        "TableName:string, TableType:string, Folder:string, DocString:string, Properties:string,"
        "ConnectionStrings:dynamic, Partitions:dynamic, PathFormat:string"
    ),
    "entity_groups": _nothing("Name:string, Entities:string"),
}
"""`.show` with these words. There are no functions, views or external tables, so some have no rows."""

_DATABASES = columns(
    "DatabaseName:string, PersistentStorage:string, Version:string, IsCurrent:bool, DatabaseAccessMode:string,"
    "PrettyName:string, ReservedSlot1:bool, DatabaseId:guid, InTransitionTo:string, SuspensionState:string"
)
_DATABASE_DETAILS = columns(
    "DatabaseName:string, PersistentStorage:string, Version:string, IsCurrent:bool, DatabaseAccessMode:string,"
    "PrettyName:string, AuthorizedPrincipals:string, RetentionPolicy:string, MergePolicy:string, CachingPolicy:string,"
    "ShardingPolicy:string, StreamingIngestionPolicy:string, IngestionBatchingPolicy:string, TotalSize:real,"
    "DatabaseId:guid"
)
_SCHEMA = columns(
    "DatabaseName:string, TableName:string, ColumnName:string, ColumnType:string, IsDefaultTable:bool,"
    "IsDefaultColumn:bool, PrettyName:string, Version:string"
)
_ENTITIES = columns(
    "DatabaseName:string, EntityType:string, EntityName:string, DocString:string, Folder:string,"
    "CslInputSchema:string, Content:string, CslOutputSchema:string, Properties:dynamic"
)
_TABLES = columns("TableName:string, DatabaseName:string, Folder:string, DocString:string")
_TABLE_DETAILS = columns(
    "TableName:string, DatabaseName:string, Folder:string, DocString:string, TotalExtents:long, TotalExtentSize:real,"
    "TotalOriginalSize:real, TotalRowCount:long, HotExtents:long, HotExtentSize:real, HotOriginalSize:real,"
    "HotRowCount:long, AuthorizedPrincipals:string, RetentionPolicy:string, CachingPolicy:string,"
    "ShardingPolicy:string, MergePolicy:string, StreamingIngestionPolicy:string, IngestionBatchingPolicy:string,"
    "MinExtentsCreationTime:datetime, MaxExtentsCreationTime:datetime, RowOrderPolicy:string, TableId:string"
)
_TABLE_SCHEMA = columns("TableName:string, Schema:string, DatabaseName:string, Folder:string, DocString:string")
_PRINCIPALS = columns(
    "Role:string, PrincipalType:string, PrincipalDisplayName:string, PrincipalObjectId:string, PrincipalFQN:string,"
    "Notes:string"
)
_QUERIES = columns(
    "ClientActivityId:string, Text:string, Database:string, StartedOn:datetime, LastUpdatedOn:datetime,"
    "Duration:timespan, State:string, RootActivityId:guid, User:string, FailureReason:string, Application:string"
)
_CAPACITY = columns("Resource:string, Total:long, Consumed:long, Remaining:long, Origin:string")
_VERSION = columns(
    "BuildVersion:string, BuildTime:datetime, ServiceType:string, ProductVersion:string, ServiceOffering:string"
)
_CLUSTER = columns(
    "NodeId:string, Address:string, Name:string, StartTime:datetime, IsAdmin:bool, MachineTotalMemory:long,"
    "MachineAvailableMemory:long, ProcessorCount:int, EnvironmentDescription:string"
)
_CANCELLED = columns("ClientRequestId:string, RunningQueryCanceled:bool")


# Schemas as texts


def database_json(server: Server) -> JsonObject:
    """The database in the form of `.show database schema as json`."""
    return {
        "Name": server.database,
        "Tables": {table.name: table_json(table) for table in server.tables},
        "ExternalTables": {},
        "MaterializedViews": {},
        "EntityGroups": {},
        "MajorVersion": MAJOR,
        "MinorVersion": MINOR,
        "Functions": {},
        "DatabaseAccessMode": "ReadOnly",
    }


def table_json(table: Served) -> JsonObject:
    """A table in the form of `.show table T schema as json`."""
    described = [
        {
            "Name": column.name,
            "Type": DOTNET_TYPES[column.type.name],
            "CslType": column.type.name,
            "DocString": table.descriptions.get(column.name, ""),
        }
        for column in table.columns
    ]
    return {
        "Name": table.name,
        "Folder": table.folder,
        "DocString": table.description,
        "OrderedColumns": described,
    }


def _csl(schema: Schema) -> str:
    return ",".join(f"{_named(column.name)}:{column.type}" for column in schema)


def _named(name: str) -> str:
    """A name as commands write it."""
    return name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else f"[{text.string(name)}]"


def _script(table: Served) -> str:
    return f".create-merge table {_named(table.name)} ({_csl(table.columns)})"


def _span(seconds: float) -> str:
    return times.format_timespan(round(seconds * TICKS_PER_SECOND))
