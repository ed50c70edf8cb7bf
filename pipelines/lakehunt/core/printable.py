"""Shows text written by attackers safely, by escaping characters that would hide, reorder or break it.

A command line may contain line breaks, terminal escapes, bidirectional controls or invisible characters. All code that
shows one, on a terminal or a page, uses this module."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from itertools import chain, groupby
from typing import Any

_SHOWS_NOTHING = frozenset(
    map(
        chr,
        chain(
            (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
            range(0x180B, 0x1810),
            range(0xFE00, 0xFE10),
            range(0xE0100, 0xE01F0),
        ),
    )
)
"""Characters that are printable for Python but invisible: Unicode's Default_Ignorable_Code_Point of categories Lo and
Mn, and the blank braille pattern."""


def is_hidden(character: str) -> bool:
    """Whether a character is invisible or changes how others appear: controls, bidirectional marks, line and paragraph
    separators, every blank except the space."""
    return not character.isprintable() or character in _SHOWS_NOTHING


class _Shown(dict[int, str]):
    """How each character is shown; filled as characters are met, as a text may have millions of them."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        return self.setdefault(code, _escaped(character) if is_hidden(character) else character)


_SHOWN = _Shown()


def printable(text: str) -> str:
    """The text on one line, with hidden characters as Python escapes: `\\n`, `\\x1b`, `\\u202e`."""
    return text if text.isprintable() and _SHOWS_NOTHING.isdisjoint(text) else text.translate(_SHOWN)


def truncated(text: str, most: int) -> str:
    """`printable` of at most `most` characters of the text, followed by the number of characters cut off."""
    return printable(text) if len(text) <= most else f"{printable(text[:most])}… ({len(text):,} characters)"


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """Splits the text: (text, "") for visible text, (escape, name) for each hidden character."""
    for hidden, run in groupby(text, is_hidden):
        if hidden:
            yield from ((_escaped(c), _name(c)) for c in run)
        else:
            yield "".join(run), ""


def to_json(value: Any) -> str:
    """The value as indented JSON with hidden characters escaped; a JSON parser restores them."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    return "".join(json.dumps(c)[1:-1] if c != "\n" and is_hidden(c) else c for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _name(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'control character')}"
