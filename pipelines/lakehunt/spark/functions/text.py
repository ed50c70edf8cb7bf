"""Kusto's text search: by terms, and case-insensitive beyond ASCII.

A term is a maximal run of Unicode letters and numbers. `has` finds a needle whose edges, where they are term characters
themselves, do not touch another one in the text: `'shipping' has 'ping'` is false, `'a_b' has 'a'` true.
Source: learn.microsoft.com/kusto/query/datatypes-string-operators; where it is silent, the engine's answers."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from pyspark.sql import Column

from lakehunt.spark.columns import F

TERM = r"[\p{L}\p{N}]"


def folded(text: Column) -> Column:
    """Case-folded text. The two lower-case forms of sigma are the same letter."""
    return F.replace(F.lower(text), F.lit("ς"), F.lit("σ"))


class Needle:
    """The search text: a constant or a column.

    For a constant, its properties are computed here once instead of for every row."""

    def __init__(self, column: Column, constant: str | None, any_case: bool) -> None:
        self.constant = fold(constant) if any_case and constant is not None else constant
        self.column = F.lit(self.constant) if self.constant is not None else folded(column) if any_case else column

    def bounded(self, text: Column, before: bool, after: bool) -> Column:
        """Whether `text` contains the needle with the requested term boundaries (at edges that are term characters)."""
        found = text.contains(self.column)
        if self.constant is None:
            return found & F.rlike(text, self._pattern_of_column(before, after))
        pattern = self._pattern(self.constant, before, after)
        return found if pattern is None else found & text.rlike(pattern)

    @staticmethod
    def _pattern(needle: str, before: bool, after: bool) -> str | None:
        """A regular expression, or None if `contains` is sufficient."""
        left = f"(?<!{TERM})" if before and needle and _is_term(needle[0]) else ""
        right = f"(?!{TERM})" if after and needle and _is_term(needle[-1]) else ""
        return f"{left}{quoted(needle)}{right}" if left or right else None

    def _pattern_of_column(self, before: bool, after: bool) -> Column:
        quoted = F.regexp_replace(self.column, r"([^\p{L}\p{N}])", r"\\$1")
        left = F.when(self.column.rlike(f"^{TERM}"), F.lit(f"(?<!{TERM})")).otherwise(F.lit(""))
        right = F.when(self.column.rlike(f"{TERM}$"), F.lit(f"(?!{TERM})")).otherwise(F.lit(""))
        return F.concat(left if before else F.lit(""), quoted, right if after else F.lit(""))


def fold(text: str) -> str:
    """As `folded`, for a constant."""
    return text.lower().replace("ς", "σ")


def _is_term(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN"


def quoted(text: str) -> str:
    """The text as a Java regular expression that matches only itself."""
    return "".join(c if _is_term(c) else f"\\x{{{ord(c):x}}}" for c in text)


Search = Callable[[Column, Needle], Column]

SEARCHES: dict[str, Search] = {
    "has": lambda text, needle: needle.bounded(text, before=True, after=True),
    "hasprefix": lambda text, needle: needle.bounded(text, before=True, after=False),
    "hassuffix": lambda text, needle: needle.bounded(text, before=False, after=True),
    "contains": lambda text, needle: text.contains(needle.column),
    "startswith": lambda text, needle: text.startswith(needle.column),
    "endswith": lambda text, needle: text.endswith(needle.column),
}
"""The searches by the operator's name without `!` and `_cs`."""
