"""Where a query ends, in what is typed or read.

A query has several lines, and `;` separates its `let` statements from the rest of it. So it ends at an empty line, as
in Kusto.Explorer and in the block mode of Kusto.Cli, or at the end of a line by `;`, once it has more than `let`
statements. Between parentheses, and before a line that goes on with `|`, an empty line is one of the query's, unless
another one follows: what was opened by mistake must not swallow what comes after it. A line that begins with a period,
where no query has begun, is a command of the shell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lakehunt.kql.errors import KqlError
from lakehunt.kql.errors import lines as lines_of
from lakehunt.kql.lexer import T, Token, lexed

COMMAND = "."
"""How a command of the shell begins."""

_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_DECLARING = frozenset(["let", "set", "alias", "declare", "pattern", "restrict"])
"""How statements begin that are not a query."""


class Statement(NamedTuple):
    """A query or a command of the shell, and its first line in what was read, from 1."""

    text: str
    line: int

    @property
    def is_command(self) -> bool:
        return self.text.startswith(COMMAND)


def statements(lines: Iterable[str]) -> Iterator[Statement]:
    """What lines consist of. The last query may be without an end."""
    begun: list[str] = []
    first = blank = 0
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if blank and not text.strip():
            blank += 1
            continue
        if blank and not text.lstrip().startswith("|"):
            yield Statement("\n".join(begun), first)
            begun = []
        elif blank:
            begun += [""] * blank
        blank = 0
        if not begun and not text.strip():
            continue
        first = first if begun else number
        begun.append(text)
        if len(begun) == 1 and text.lstrip().startswith(COMMAND):
            yield Statement(text.strip(), number)
            begun = []
        elif not text.strip():
            begun.pop()
            blank = 1 if _may_end("\n".join(begun)) else 0
            begun += [] if blank else [""]
        elif text.rstrip().endswith(";") and _ends_by_semicolon("\n".join(begun)):
            yield Statement("\n".join(begun), first)
            begun = []
    if _has_code("\n".join(begun)):
        yield Statement("\n".join(begun).rstrip(), first)


def is_whole(text: str) -> bool:
    """Whether Enter, typed at the end of a text, ends what was typed: the text, or its last query, needs no more."""
    *before, last = lines_of(text)
    if not text.strip() or (not any(map(str.strip, before)) and last.lstrip().startswith(COMMAND)):
        return True
    if not last.strip():
        return _may_end("\n".join(before))
    return last.rstrip().endswith(";") and _ends_by_semicolon(text)


def _has_code(text: str) -> bool:
    tokens, error = lexed(text)
    return error is not None or any(token.kind is not T.END for token in tokens)


def _may_end(text: str) -> bool:
    """Whether an empty line after the text ends it: it has more than comments and `let` statements, and nothing is
    open, or the line before is empty, too."""
    tokens, error = lexed(text)
    is_open = _is_open(text, error) if error is not None else _depth(tokens) > 0
    if is_open:
        return text.endswith("\n")
    return error is not None or _last(tokens) is not None


def _ends_by_semicolon(text: str) -> bool:
    tokens, error = lexed(text)
    if error is not None:
        return not _is_open(text, error)
    code = [token for token in tokens if token.kind is not T.END]
    if not code or code[-1].text != ";" or _depth(code) > 0:  # such as one in a comment
        return False
    return _last(code[:-1]) not in (None, *_DECLARING)


def _is_open(text: str, error: KqlError) -> bool:
    """Whether an error is that a string of several lines has no end yet. Others are reported."""
    begin = text[error.span.start :].lstrip("hH")
    return error.message.endswith("never ends") and begin.startswith(("`", "~"))


def _depth(tokens: Iterable[Token]) -> int:
    marks = [token.text for token in tokens if token.kind is T.PUNCTUATION]
    return sum(mark in _OPENING for mark in marks) - sum(mark in _CLOSING for mark in marks)


def _last(tokens: Iterable[Token]) -> str | None:
    """How the last statement begins; None if nothing follows the last semicolon."""
    begins: str | None = None
    depth = 0
    for token in tokens:
        if token.kind is T.END:
            continue
        mark = token.text if token.kind is T.PUNCTUATION else ""
        depth += (mark in _OPENING) - (mark in _CLOSING)
        if mark == ";" and depth <= 0:
            begins = None
        elif begins is None:
            begins = token.text
    return begins
