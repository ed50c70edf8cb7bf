"""Texts of queries that the server writes: literals, and what stands in the place of the beginning of a query."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from lakehunt.kql.errors import KqlError, QueryErrors, Span
from lakehunt.kql.lexer import tokens
from lakehunt.kql.types import Schema, Type


@dataclass(frozen=True)
class Rewritten:
    """A query of which the first characters were replaced: errors are shown in what the client wrote."""

    text: str
    written: str
    start: int = 0
    """Up to here nothing was replaced, in either text."""
    end: int = 0
    """Where what was replaced ends in what the client wrote."""

    @staticmethod
    def replacing(written: str, start: int, end: int, by: str) -> Rewritten:
        return Rewritten(written[:start] + by + written[end:], written, start, end)

    def original(self, errors: QueryErrors) -> QueryErrors:
        """The errors of `text`, at their places in `written`; those of the replacement at what it stands for."""
        if self.text == self.written:
            return errors
        return QueryErrors(self.written, [self._moved(error) for error in errors.errors])

    def _moved(self, error: KqlError) -> KqlError:
        return error.at(Span(self._place(error.span.start), self._place(error.span.end)))

    def _place(self, at: int) -> int:
        grown = len(self.text) - len(self.written)
        if at <= self.start:
            return at
        return at - grown if at >= self.end + grown else self.start


def of_this_database(query: str, database: str) -> str:
    """The query with blanks for `database("name").` where that is the name, so that nothing else moves."""
    if "database" not in query:
        return query
    try:
        found = tokens(query)
    except KqlError:  # which is said when it is compiled
        return query
    for before, *named in zip([None, *found], found, found[1:], found[2:], found[3:], found[4:], strict=False):
        texts = [named[0].text, named[1].text, str(named[2].value).lower(), named[3].text, named[4].text]
        if texts == ["database", "(", database.lower(), ")", "."] and (before is None or before.text != "."):
            start, end = named[0].span.start, named[4].span.end
            query = query[:start] + _NOT_A_BREAK.sub(" ", query[start:end]) + query[end:]
    return query


_NOT_A_BREAK = re.compile(r"[^\r\n]")


def string(value: str) -> str:
    """A string literal."""
    return json.dumps(value, ensure_ascii=False).translate(_CONTROL)


_CONTROL = {0x7F: "\\u007f", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def literal(value: Any, kind: Type) -> str:
    """The literal of a JSON value (datetimes and timespans as text) of a type."""
    if kind.name == "string":
        return string(value or "")
    if value is None:
        return f"{kind}(null)"
    if kind.name == "dynamic":
        return f"dynamic({json.dumps(value)})"
    return f"{kind}({str(value).lower() if isinstance(value, bool) else value})"


def datatable(schema: Schema, rows: list[list[Any]]) -> str:
    """An expression with these rows, on one line."""
    columns = ", ".join(f"['{column.name}']: {column.type}" for column in schema)
    values = ", ".join(literal(value, column.type) for row in rows for value, column in zip(row, schema, strict=True))
    return f"datatable({columns})[{values}]"
