"""Errors in queries, with their positions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from lakehunt.core.credentials import masked
from lakehunt.core.errors import LakehuntError


class Span(NamedTuple):
    """A half-open range of characters of the query text."""

    start: int
    end: int

    def to(self, other: Span) -> Span:
        return Span(self.start, max(self.end, other.end))


class Kind(StrEnum):
    """The kind of an error: not KQL, semantically wrong, or not supported by Lakehunt."""

    SYNTAX = "syntax"
    SEMANTIC = "semantic"
    UNSUPPORTED = "unsupported"


class KqlError(LakehuntError):
    """One error in a query, at `span`; `table`, `function` or `column` is set if that is missing."""

    def __init__(
        self,
        kind: Kind,
        message: str,
        span: Span,
        hint: str = "",
        table: str = "",
        function: str = "",
        column: str = "",
    ) -> None:
        super().__init__(message, hint)
        self.kind = kind
        self.span = span
        self.table = table
        self.function = function
        self.column = column

    def at(self, span: Span) -> KqlError:
        """The error, of another part of the query."""
        return KqlError(self.kind, self.message, span, self.hint, self.table, self.function, self.column)


class QueryErrors(LakehuntError):  # noqa: N818 (it holds the errors of a query)
    """All errors of a query, in order of position. Never empty."""

    def __init__(self, query: str, errors: Sequence[KqlError]) -> None:
        self.query = query
        self.errors = tuple(sorted(errors, key=lambda e: e.span.start))
        super().__init__("\n".join(render(query, error) for error in self.errors))

    def place(self, error: KqlError) -> tuple[int, int]:
        return line_and_column(self.query, error.span.start)


def line_and_column(query: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, both from 1."""
    before = lines(query[:offset])
    return len(before), len(before[-1]) + 1


def lines(text: str) -> list[str]:
    """The lines of a query, as editors number them."""
    return _LINE_BREAK.split(text)


_NOT_PRINTED = re.compile("[\ud800-\udfff]")
"""Halves of UTF-16 pairs, which cannot be encoded."""

_LINE_BREAK = re.compile("\r\n|\r|\n")


def render(query: str, error: KqlError) -> str:
    """The message, followed by the line of the query with the position marked."""
    line, column = line_and_column(query, error.span.start)
    text = masked(lines(query)[line - 1])
    width = max(1, min(error.span.end - error.span.start, len(text) - column + 1))
    pad = "".join("\t" if c == "\t" else " " for c in text[: column - 1])
    text = _NOT_PRINTED.sub("\ufffd", text)
    shown = f"{line}:{column}: {error.message}\n    {text}\n    {pad}{'^' * width}"
    return f"{shown}\n    hint: {error.hint}" if error.hint else shown
