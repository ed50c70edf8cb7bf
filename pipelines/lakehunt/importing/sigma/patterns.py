"""Sigma's strings: text with wildcards, and the modifiers that change text.

`*` is any number of characters, `?` is one; a backslash before one of them, or before another backslash, makes it an
ordinary character, and is itself ordinary before anything else
(https://sigmahq.io/sigma-specification/specification/sigma-rules-specification.html#escaping)."""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Wildcard(Enum):
    """A part of a pattern that stands for other characters."""

    MANY = "*"
    ONE = "?"


Part: TypeAlias = "str | Wildcard"

_ESCAPABLE = frozenset("*?\\")
_DASHES = "-/–—―"
_DASH = re.compile(r"\B[-/]\b")
_PLACEHOLDER = re.compile(r"%[^%\s]+%")
_MOST_VARIANTS = 3125  # of five dashes at five places


@dataclass(frozen=True)
class Pattern:
    """A Sigma string: literal texts, never empty, between wildcards."""

    parts: tuple[Part, ...] = ()

    @classmethod
    def of(cls, *parts: Part) -> Pattern:
        """A pattern in its shortest form: neighbouring texts are joined, and `**` is `*`."""
        short: list[Part] = []
        for part in parts:
            last = short[-1] if short else None
            if isinstance(part, str) and isinstance(last, str):
                short[-1] = last + part
            elif part and not (part is Wildcard.MANY and last is Wildcard.MANY):
                short.append(part)
        return cls(tuple(short))

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """The pattern that a rule writes."""
        parts: list[Part] = []
        at = 0
        while at < len(text):
            character, following = text[at], text[at + 1 : at + 2]
            if character == "\\" and following and following in _ESCAPABLE:
                parts.append(following)
                at += 1
            elif character in "*?":
                parts.append(Wildcard(character))
            else:
                parts.append(character)
            at += 1
        return cls.of(*parts)

    @property
    def literal(self) -> str | None:
        """The text of a pattern without wildcards; None for others."""
        if not self.parts:
            return ""
        (first, *others) = self.parts
        return first if isinstance(first, str) and not others else None

    @property
    def texts(self) -> tuple[str, ...]:
        """The literal texts, in order."""
        return tuple(part for part in self.parts if isinstance(part, str))

    def between(self, before: bool, after: bool) -> Pattern:
        """The pattern with anything before it, after it, or both."""
        many = (Wildcard.MANY,)
        return Pattern.of(*(many if before else ()), *self.parts, *(many if after else ()))

    def written(self) -> str:
        """The pattern as a rule may write it."""
        escaped = (re.sub(r"([*?\\])", r"\\\1", part) if isinstance(part, str) else part.value for part in self.parts)
        return "".join(escaped)


def placeholder(pattern: Pattern) -> str:
    """The first `%placeholder%` of a pattern; '' if it has none."""
    found = next(filter(None, map(_PLACEHOLDER.search, pattern.texts)), None)
    return found[0] if found else ""


def with_any_dash(pattern: Pattern) -> list[Pattern]:
    """The pattern with every kind of dash, and a slash, in place of each `-` or `/` that starts a word.

    Raises ValueError if there would be too many."""
    marked = "".join(part if isinstance(part, str) else "\x00" for part in pattern.parts)
    places = [found.start() for found in _DASH.finditer(marked)]
    if len(_DASHES) ** len(places) > _MOST_VARIANTS:
        raise ValueError(f"windash would give more than {_MOST_VARIANTS} values")
    wildcards = [part for part in pattern.parts if isinstance(part, Wildcard)]
    return [_replaced(marked, wildcards, places, dashes) for dashes in itertools.product(_DASHES, repeat=len(places))]


def _replaced(marked: str, wildcards: list[Wildcard], places: list[int], dashes: tuple[str, ...]) -> Pattern:
    characters = list(marked)
    for place, dash in zip(places, dashes, strict=True):
        characters[place] = dash
    following = iter(wildcards)
    return Pattern.of(*(next(following) if character == "\x00" else character for character in characters))


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def base64_at_any_offset(data: bytes) -> Iterator[str]:
    """What all texts in Base64 have in common that contain the data, for each of its three possible offsets."""
    for offset in range(3):
        start, end = (0, 2, 3)[offset], (None, -3, -2)[(len(data) + offset) % 3]
        yield base64.b64encode(b" " * offset + data)[start:end].decode()
