"""Colours of KQL while it is typed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.lexers import Lexer

from lakehunt.cli.shell.completion import STARTS, WORDS
from lakehunt.cli.shell.statements import COMMAND
from lakehunt.kql.lexer import T, Token, lexed
from lakehunt.kql.operator_parser import OPERATORS
from lakehunt.kql.operators import BINARY, MEMBERSHIP

STYLES = {
    "kql.command": "bold",
    "kql.comment": "ansigray italic",
    "kql.error": "ansired underline",
    "kql.function": "ansiblue",
    "kql.keyword": "ansimagenta",
    "kql.number": "ansicyan",
    "kql.operator": "ansimagenta bold",
    "kql.string": "ansigreen",
    "kql.table": "ansiyellow",
}

_KEYWORDS = frozenset([*WORDS, *STARTS, *BINARY, *MEMBERSHIP])
_COMMENT = re.compile("//[^\r\n]*")
_NAMED = {T.STRING: "kql.string", **dict.fromkeys((T.LONG, T.REAL, T.TIMESPAN, T.TYPED), "kql.number")}


class Part(NamedTuple):
    """A part of a text, and the class of its style."""

    start: int
    end: int
    style: str


class KqlLexer(Lexer):
    """Gives prompt_toolkit the colours of KQL in which `is_table` knows the tables."""

    def __init__(self, is_table: Callable[[str], bool]) -> None:
        self._is_table = is_table

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        lines: list[StyleAndTextTuples] = [[]]
        text, at = document.text, 0
        for part in parts(text, self._is_table):
            _add(lines, "", text[at : part.start])
            _add(lines, f"class:{part.style}", text[part.start : part.end])
            at = part.end
        _add(lines, "", text[at:])
        return lambda number: lines[number] if number < len(lines) else []


def _add(lines: list[StyleAndTextTuples], style: str, text: str) -> None:
    first, *others = text.split("\n")
    lines[-1].append((style, first))
    lines += [[(style, other)] for other in others]


def parts(text: str, is_table: Callable[[str], bool]) -> Iterator[Part]:
    """The parts of a text that have a style, in order: those of a query, or a command of the shell."""
    if text.lstrip().startswith(COMMAND):
        begin = len(text) - len(text.lstrip())
        yield Part(begin, begin + len(text.lstrip().split()[0]), "kql.command")
        return
    tokens, error = lexed(text)
    at = 0
    end_of_operator = 0
    for place, token in enumerate(tokens):
        yield from _comments(text, at, token.span.start)
        at = token.span.end
        if token.span.start < end_of_operator or token.kind is T.END:
            continue
        name = _operator(text, tokens, place)
        if name:
            end_of_operator = token.span.start + len(name)
            yield Part(token.span.start, end_of_operator, "kql.operator")
        elif style := _style(tokens, place, is_table):
            yield Part(token.span.start, token.span.end, style)
    if error is not None:
        broken = error.span.start if error.message.endswith("never ends") else max(at, error.span.start)
        yield from _comments(text, at, broken)
        unfinished = text[broken:].startswith(('"', "'", "@", "h", "H", "`", "~"))
        yield Part(broken, len(text), "kql.string" if unfinished else "kql.error")


def _comments(text: str, start: int, end: int) -> Iterator[Part]:
    yield from (Part(start + m.start(), start + m.end(), "kql.comment") for m in _COMMENT.finditer(text[start:end]))


def _operator(text: str, tokens: Sequence[Token], place: int) -> str | None:
    """The name of the operator that begins with a token; such a name may have hyphens."""
    if not place or tokens[place - 1].text != "|" or tokens[place].kind is not T.NAME:
        return None
    m = re.compile(r"[\w-]+").match(text, tokens[place].span.start)
    return m[0] if m and m[0] in OPERATORS else None


def _style(tokens: Sequence[Token], place: int, is_table: Callable[[str], bool]) -> str | None:
    token = tokens[place]
    if token.kind in _NAMED or token.text == "|":
        return _NAMED.get(token.kind, "kql.operator")
    if token.text.lstrip("!").rstrip("~") in _KEYWORDS or token.text in _KEYWORDS:
        return "kql.keyword" if token.text[:1].isalpha() or token.text[:1] == "!" else None
    if token.kind is not T.NAME:
        return None
    following = tokens[place + 1] if place + 1 < len(tokens) else None
    if following is not None and following.text == "(" and following.span.start == token.span.end:
        return "kql.function"
    return "kql.table" if is_table(token.text) else None
