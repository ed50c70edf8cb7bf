"""Tells several queries in one text apart, as Kusto's tools do: blank lines separate them.

A text that is one query stays one, blank lines or not. In other texts a blank line does not separate what belongs
together: a `let` from what follows, a comment from the query below it, an operator from its pipeline, what stands in
brackets or in a string of several lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lakehunt.kql.errors import KqlError, QueryErrors
from lakehunt.kql.parser import parse

_MOST = 500
"""Queries in one text; one with more is generated, or not KQL."""

_LONGEST = 4
"""Pieces between blank lines that are tried as one query: with more, a long text would take quadratic time."""

_TOKEN = re.compile(
    r"//[^\n]*|```.*?```|~~~.*?~~~|```|~~~|@'(?:''|[^'])*'|@\"(?:\"\"|[^\"])*\""
    r"|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|\w+|\S",
    re.DOTALL,
)
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_QUOTES = frozenset({"```", "~~~"})
_GOES_ON = frozenset("|;,=([{")
_CONTINUES = frozenset("|;,)]}")


@dataclass(frozen=True)
class Part:
    """One of the queries in a text, which starts `line` lines below the text's first one."""

    text: str
    line: int
    valid: bool = True


@dataclass(frozen=True)
class _Piece:
    """The lines from `start` to before `end`, and what matters of their text: the first and the last token, how many
    brackets stay open, whether a string of several lines does, and whether what ends with a semicolon is a query."""

    start: int
    end: int
    first: str
    last: str
    depth: int
    in_string: bool
    ended: bool

    @classmethod
    def of(cls, start: int, end: int, text: str, tokens: Sequence[str]) -> _Piece:
        depth = sum((token in _OPENING) - (token in _CLOSING) for token in tokens)
        in_string = sum(token in _QUOTES for token in tokens) % 2 == 1
        ended = tokens[-1] == ";" and _is_query(text)
        return cls(start, end, tokens[0], tokens[-1], depth, in_string, ended)

    def goes_on(self, following: _Piece) -> bool:
        """Whether it cannot end here, or the following piece cannot start there."""
        if self.depth > 0 or self.in_string or following.first in _CONTINUES:
            return True
        return self.last in _GOES_ON and not self.ended

    def with_(self, following: _Piece) -> _Piece:
        depth, in_string = self.depth + following.depth, self.in_string != following.in_string
        return _Piece(self.start, following.end, self.first, following.last, depth, in_string, following.ended)


def split(text: str) -> list[Part]:
    """The queries of a text, in order; the text itself if it is one query, or if none can be told apart.

    Parts that are not valid are returned, too: they are for an error message."""
    if _is_query(text):
        return [Part(text, 0)]
    lines = text.split("\n")
    pieces = _joined(_pieces(lines))
    parts = list(_without_gaps(lines, _queries(lines, pieces))) if len(pieces) <= _MOST else []
    return parts if len(parts) > 1 and any(part.valid for part in parts) else [Part(text, 0, valid=False)]


def _is_query(text: str) -> bool:
    try:
        parse(text)
    except (QueryErrors, KqlError, RecursionError):
        return False
    return True


def _tokens(text: str) -> tuple[str, ...]:
    return tuple(token for token in _TOKEN.findall(text) if not token.startswith("//"))


def _pieces(lines: Sequence[str]) -> Iterator[_Piece]:
    """The runs of lines between blank lines. Comments alone belong to what follows, at the end to nothing."""
    comments: int | None = None
    for start, end in _runs(lines):
        text = "\n".join(lines[start:end])
        if tokens := _tokens(text):
            yield _Piece.of(start if comments is None else comments, end, text, tokens)
            comments = None
        elif comments is None:
            comments = start


def _runs(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """First line, and line after the last one, of each run of lines that are not blank."""
    start: int | None = None
    for number, line in enumerate([*lines, ""]):
        if line.strip():
            start = number if start is None else start
        elif start is not None:
            yield start, number
            start = None


def _joined(pieces: Iterator[_Piece]) -> list[_Piece]:
    joined: list[_Piece] = []
    for piece in pieces:
        if joined and joined[-1].goes_on(piece):
            joined[-1] = joined[-1].with_(piece)
        else:
            joined.append(piece)
    return joined


def _queries(lines: Sequence[str], pieces: Sequence[_Piece]) -> Iterator[tuple[int, int, bool]]:
    """First line, line after the last one and validity of each query. Several pieces are one query if they parse."""
    at = 0
    while at < len(pieces):
        ends = range(min(at + _LONGEST, len(pieces)), at, -1)
        start = pieces[at].start
        end = next((end for end in ends if _is_query("\n".join(lines[start : pieces[end - 1].end]))), None)
        yield start, pieces[(end or at + 1) - 1].end, end is not None
        at = end or at + 1


def _without_gaps(lines: Sequence[str], found: Iterator[tuple[int, int, bool]]) -> Iterator[Part]:
    """The parts; neighbours that are not valid are one, because what they are cannot be told."""
    invalid: tuple[int, int] | None = None
    for start, end, valid in found:
        if not valid:
            invalid = (invalid[0] if invalid else start, end)
            continue
        if invalid:
            yield Part("\n".join(lines[slice(*invalid)]), invalid[0], valid=False)
            invalid = None
        yield Part("\n".join(lines[start:end]), start)
    if invalid:
        yield Part("\n".join(lines[slice(*invalid)]), invalid[0], valid=False)
