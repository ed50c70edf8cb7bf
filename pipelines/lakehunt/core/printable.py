"""Text that attackers wrote, for people to read: what would hide, turn or break it is written out.

A command line may hold line breaks, terminal escapes, marks that turn the direction of writing, or characters that show
as nothing. Everything that prints one, on a terminal or a page, does it through here."""

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
"""Characters that Python calls printable and that no font shows: Unicode's Default_Ignorable_Code_Point of categories
Lo and Mn, and the blank braille pattern."""


def is_hidden(character: str) -> bool:
    """Whether a character is one that a reader would not see, or that changes how others are seen: controls, marks of
    direction, line and paragraph separators, every blank but the space."""
    return not character.isprintable() or character in _SHOWS_NOTHING


def printable(text: str) -> str:
    """The text on one line, hidden characters as Python escapes: `\\n`, `\\x1b`, `\\u202e`."""
    return "".join(_escaped(c) if is_hidden(c) else c for c in text)


def truncated(text: str, most: int) -> str:
    """`visible`, of at most so many characters of the text; what was cut off is counted."""
    return printable(text) if len(text) <= most else f"{printable(text[:most])}… ({len(text):,} characters)"


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """The text in pieces: (text, "") for what shows as it is, (escape, name) for each hidden character."""
    for hidden, run in groupby(text, is_hidden):
        if hidden:
            yield from ((_escaped(c), _name(c)) for c in run)
        else:
            yield "".join(run), ""


def to_json(value: Any) -> str:
    """The value as JSON, indented, in which hidden characters are escapes: a reader gets them back as they were."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    return "".join(json.dumps(c)[1:-1] if c != "\n" and is_hidden(c) else c for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _name(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'control character')}"
