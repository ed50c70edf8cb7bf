"""Where each character of a YAML scalar's text stands in its file: through quotes, escapes, folded lines and
indentation (https://yaml.org/spec/1.2.2/#chapter-6-structural-productions).

The source is read a second time beside the parser's text. Where both differ, nothing is said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Run(NamedTuple):
    """From `line` and `column` of the text on, the text stands as it is at `at_line` and `at_column` of the file, until
    the next run. All numbers count from 1."""

    line: int
    column: int
    at_line: int
    at_column: int


class _Char(NamedTuple):
    """A character of the text, and where it is written; `line`, `column` and `end` count from 0."""

    char: str
    line: int
    column: int
    end: int


_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))")
_LOW_SURROGATE = re.compile(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_NAMED = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
"""What a letter after a backslash stands for."""


def runs(lines: Sequence[str], style: str, line: int, column: int, text: str) -> tuple[Run, ...]:
    """The runs of a scalar's text, by position; none if its characters cannot be found.

    The scalar starts at `line` and `column` (from 0) of the file's lines, with its quote or indicator."""
    if style in ("|", ">"):
        indent = _indent(lines[line + 1 :], text)
        written = _block(lines, line + 1, indent, folded=style == ">") if indent is not None else iter(())
    else:
        written = _flow(lines, line, column + len(style), style)
    found = [one for one, char in zip(written, text, strict=False) if one.char == char]
    return tuple(_runs(found)) if len(found) == len(text) else ()


def _runs(found: Sequence[_Char]) -> Iterator[Run]:
    line, column, expected = 1, 1, (-1, -1)
    for one in found:
        if (one.line, one.column) != expected:
            yield Run(line, column, one.line + 1, one.column + 1)
        expected = one.line, one.column + 1
        line, column = (line + 1, 1) if one.char == "\n" else (line, column + 1)
        if one.char == "\n":
            expected = -1, -1
    if found and (found[-1].char == "\n" or found[-1].end != expected[1]):  # for what ends with the text
        yield Run(line, column, found[-1].line + 1, found[-1].end + 1)


# Plain and quoted text


def _flow(lines: Sequence[str], line: int, column: int, quote: str) -> Iterator[_Char]:
    while True:
        rest = lines[line][column:]
        if not rest.strip(" \t"):
            following = _next_filled(lines, line + 1)
            yield from _fold(line, column, following)
        elif quote == '"' and rest == "\\":  # the line goes on in the next one
            following = _next_filled(lines, line + 1)
            yield from (_Char("\n", empty, 0, 1) for empty in range(line + 1, following))
        else:
            one = _character(lines[line], line, column, quote)
            yield one
            column = one.end
            continue
        if following == len(lines):
            return
        line, column = following, len(lines[following]) - len(lines[following].lstrip(" \t"))


def _next_filled(lines: Sequence[str], line: int) -> int:
    return next((number for number in range(line, len(lines)) if lines[number].strip(" \t")), len(lines))


def _fold(line: int, column: int, following: int) -> Iterator[_Char]:
    """A line break is a blank; with empty lines after it, it is as many line breaks as there are empty lines."""
    if following == line + 1:
        yield _Char(" ", line, column, column + 1)
    else:
        yield _Char("\n", line, column, column + 1)
        yield from (_Char("\n", empty, 0, 1) for empty in range(line + 1, following - 1))


def _character(text: str, line: int, column: int, quote: str) -> _Char:
    if quote == '"' and (escape := _ESCAPE.match(text, column)):
        return _escaped(text, escape, line)
    end = column + (2 if quote == "'" and text.startswith("''", column) else 1)
    return _Char(text[column], line, column, end)


def _escaped(text: str, escape: re.Match[str], line: int) -> _Char:
    digits = escape[1] or escape[2] or escape[3]
    if not digits:
        return _Char(_NAMED.get(escape[4], ""), line, escape.start(), escape.end())
    code, end = int(digits, 16), escape.end()
    low = _LOW_SURROGATE.match(text, end) if 0xD800 <= code < 0xDC00 else None
    if low:
        code, end = 0x10000 + (code - 0xD800) * 0x400 + int(low[1], 16) - 0xDC00, low.end()
    return _Char(chr(code), line, escape.start(), end)


# Blocks


def _indent(lines: Sequence[str], text: str) -> int | None:
    """The indentation that a block loses: its first word stands further right in the file by it."""
    word = re.search(r"[^ \n]", text)
    written = next((line for line in lines if line.strip(" ")), None)
    if word is None or written is None:
        return None
    own = word.start() - text.rfind("\n", 0, word.start()) - 1
    indent = len(written) - len(written.lstrip(" ")) - own
    return indent if indent > 0 else None


def _block(lines: Sequence[str], line: int, indent: int, *, folded: bool) -> Iterator[_Char]:
    """The lines of a block from its first one on, as PyYAML and libyaml fold them."""
    before: int | None = None  # the last line with content
    empty: list[int] = []
    for number in range(line, len(lines)):
        text = lines[number]
        if not text[:indent].strip(" ") and len(text) <= indent:
            empty.append(number)
            continue
        if text[:indent].strip(" "):
            break
        if before is not None:
            yield from _between(lines, before, number, indent, folded=folded and not empty, kept=not folded)
        yield from _ends(lines, empty)
        yield from (_Char(text[at], number, at, at + 1) for at in range(indent, len(text)))
        before, empty = number, []
    yield from _ends(lines, [before, *empty] if before is not None else empty)


def _between(
    lines: Sequence[str], before: int, after: int, indent: int, *, folded: bool, kept: bool
) -> Iterator[_Char]:
    """The break after a line: kept in a literal and beside a line that begins with a blank, else folded to a blank or,
    before empty lines, to nothing."""
    end = len(lines[before])
    if kept or lines[before][indent] in " \t" or lines[after][indent] in " \t":
        yield _Char("\n", before, end, end + 1)
    elif folded:
        yield _Char(" ", before, end, end + 1)


def _ends(lines: Sequence[str], numbers: Sequence[int]) -> Iterator[_Char]:
    return (_Char("\n", number, len(lines[number]), len(lines[number]) + 1) for number in numbers)
