"""A request, answered: a query by the engine within its limits, a command by `management`."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

from lakehunt.config import Config
from lakehunt.core.errors import LakehuntError
from lakehunt.hunting.query import adhoc
from lakehunt.hunting.query.external_data import NoCopyError
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.kql import syntax as s
from lakehunt.kql.binding.rows import DOTNET_TYPES
from lakehunt.kql.errors import QueryErrors
from lakehunt.kql.parser import parse
from lakehunt.kql.types import Schema
from lakehunt.live.lake import LiveLake, now
from lakehunt.runtime.bounded import StoppedError, TimeLimitError
from lakehunt.runtime.limits import Limits
from lakehunt.serving.kusto import errors, frames, management, parameters, tables, text
from lakehunt.serving.kusto.frames import Rows, Table
from lakehunt.serving.kusto.management import Server
from lakehunt.serving.kusto.memory import Memory
from lakehunt.serving.kusto.requests import Options, Request
from lakehunt.serving.kusto.running import Queries, Query
from lakehunt.serving.kusto.text import Rewritten
from lakehunt.spark.values import as_json

_TOO_LARGE = "spark.driver.maxResultSize"
"""What Spark's error about a result that is too large names."""

_COMMAND = re.compile(r"(?:\s|\ufeff|//[^\n]*(?:\n|$))*\.")


def is_command(text: str) -> bool:
    """Whether a text is a management command: it begins with a point."""
    return _COMMAND.match(text) is not None


class Answers:
    """Answers requests over one lake. Safe to use from several threads."""

    def __init__(self, config: Config, lake: LiveLake, queries: Queries) -> None:
        """`lake` is one of the configuration that `tables.with_own_tables` gives."""
        self._limits = config.limits
        self._lake = lake
        self._without_files = TableCatalog(lake.config.tables, None, lake.config.lookups)
        self._memory = Memory(queries)
        self._server = Server(config.kusto.database, tables.served(config), queries.most, queries.shown, queries.cancel)

    def check(self, request: Request) -> None:
        """Raises KustoError if the request names a database that there is not, or has no text."""
        self._server.check(request.database)
        if not request.text.strip():
            raise errors.bad_request("the query is empty")

    def command(self, request: Request) -> management.Shown:
        """What a command shows, and the operators that follow it. Raises KustoError."""
        return management.run(request.text, self._server)

    def filtered(self, shown: management.Shown, query: Query) -> Table:
        """The table of a command after the operators that follow it. Raises KustoError."""
        made = text.datatable(shown.table.schema, frames.encoded(shown.table.rows, shown.table.schema))
        return self._run(Rewritten.replacing(query.request.text, 0, shown.end, f"{made} "), query)

    def query(self, query: Query) -> tuple[Table, str]:
        """The result of a query, and the text of its `render` operator. Raises KustoError."""
        request = query.request
        try:
            written = text.of_this_database(request.text, self._server.database)
            filled = parameters.filled(written, request.parameters)
        except QueryErrors as found:
            raise errors.of_query(found) from found
        return self._run(filled, query), _render(filled.text)

    def _run(self, asked: Rewritten, query: Query) -> Table:
        options = query.request.options
        catalog = self._lake.tables if options.external_data else self._without_files
        try:
            adhoc.compile_first(asked.text, catalog)
            if options.schema_only:
                return _schema(catalog.bind(asked.text, lambda source, op: None).schema)
            return self._collected(asked.text, catalog, options, query)
        except QueryErrors as found:
            raise errors.of_query(asked.original(found)) from found
        except StoppedError as found:
            raise query.why or errors.cancelled("it was stopped") from found
        except TimeLimitError as found:
            raise errors.timed_out(self._seconds(options)) from found
        except NoCopyError as found:
            raise errors.bad_request(f"{found.message} ({found.hint})") from found
        except LakehuntError as found:
            raise errors.too_large_for_spark() if _TOO_LARGE in found.message else errors.of_lakehunt(found) from found

    def _collected(self, written: str, catalog: TableCatalog, options: Options, query: Query) -> Table:
        most = min(options.records or self._limits.kusto_rows, self._limits.kusto_rows)
        taken = options.take is not None and options.take <= most
        wanted = options.take if options.take is not None and taken else most
        limits = replace(Limits(), rows=wanted, seconds=math.ceil(self._seconds(options)))
        with self._lake.session.lake() as lake, self._memory.watched(lake.spark):
            as_of = now() if options.now is None else options.now
            found = adhoc.collect(lake, written, as_of, None, catalog, limits=limits, cut=True, stop=query.stop)
        rows = [[as_json(v, c.type) for v, c in zip(row, found.schema, strict=True)] for row in found.rows[:wanted]]
        size = min(options.size or self._limits.kusto_bytes, self._limits.kusto_bytes)
        fitting = _fitting(frames.encoded(rows, found.schema), size)
        if fitting < len(rows):
            return Table(found.schema, rows[:fitting], error=errors.too_large(f"{size} bytes"))
        if len(found.rows) > wanted and not taken:
            return Table(found.schema, rows, error=errors.too_large(f"{most} records"))
        return Table(found.schema, rows)

    def _seconds(self, options: Options) -> float:
        return min(options.seconds or self._limits.kusto_seconds, self._limits.kusto_seconds)


_BLOCK = 1000


def _fitting(rows: Rows, size: int) -> int:
    """How many of the rows, from the first one on, are of this many bytes in JSON."""
    total = 0
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        length = len(frames.dumped(block))
        if total + length > size:
            return start + _exactly(block, size - total)
        total += length
    return len(rows)


def _exactly(rows: Rows, size: int) -> int:
    for count, row in enumerate(rows):
        size -= len(frames.dumped(row)) + 1
        if size < 0:
            return count
    return len(rows)


def _schema(schema: Schema) -> Table:
    rows: list[list[Any]] = [[c.name, i, DOTNET_TYPES[c.type.name], c.type.name] for i, c in enumerate(schema)]
    return Table(frames.columns("ColumnName:string, ColumnOrdinal:int, DataType:string, ColumnType:string"), rows)


def _render(query: str) -> str:
    """The text of the query's `render` operator; empty if it has none."""
    body = parse(query).body
    operators = body.operators if isinstance(body, s.Pipeline) else ()
    found = [operator for operator in operators if isinstance(operator, s.Render)]
    return query[found[-1].span.start : found[-1].span.end] if found else ""
