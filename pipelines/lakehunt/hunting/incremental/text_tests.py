"""Conditions on an event's texts that are no search for keywords, and that the matcher evaluates itself: regular
expressions, comparisons of two columns, and lengths. Each is evaluated at most once for an event, however many hunts
have it, and only where the keywords of one of these hunts occur."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from lakehunt.kql import plan as p
from lakehunt.kql import regexes
from lakehunt.kql.types import STRING

LONGEST = 2**31 - 1
"""No text is longer."""


class Kind(IntEnum):
    """As `TextTest.java` has them."""

    MATCHES = 0
    SAME = 1
    SAME_IN_ANY_CASE = 2
    LENGTH = 3


@dataclass(frozen=True)
class TextTest:
    """A regular expression that the first column matches, two columns that are equal, or a length (in characters, from
    `least` to `most`) of the first column."""

    kind: Kind
    columns: tuple[str, ...]
    pattern: str = ""
    least: int = 0
    most: int = 0

    @property
    def is_certain(self) -> bool:
        """Whether the answer never is maybe. Texts beyond ASCII are only compared in any case by Spark."""
        return self.kind != Kind.SAME_IN_ANY_CASE

    @property
    def program(self) -> str:
        """The regular expression for `RegexProgram.java`."""
        return regexes.translated(self.pattern).program if self.kind == Kind.MATCHES else ""


def text_test(condition: p.Call) -> TextTest | None:
    """The test that a condition is equivalent to; None if there is none. `condition` has no `!`."""
    if len(condition.args) != 2:
        return None
    left, right = condition.args
    if condition.function == "matches regex":
        return _matches(left, right)
    if condition.function in ("==", "=~"):
        kind = Kind.SAME if condition.function == "==" else Kind.SAME_IN_ANY_CASE
        if _is_text(left) and _is_text(right):
            return TextTest(kind, (_name(left), _name(right)))
    if condition.function in _TURNED and isinstance(left, p.Const):
        return _length(_TURNED[condition.function], right, left)
    return _length(condition.function, left, right)


def _matches(where: p.Expr, what: p.Expr) -> TextTest | None:
    if not _is_text(where) or not isinstance(what, p.Const):
        return None
    return TextTest(Kind.MATCHES, (_name(where),), pattern=str(what.value or ""))


def _length(operator: str, of: p.Expr, number: p.Expr) -> TextTest | None:
    """A comparison of `strlen` with an integer."""
    if not isinstance(of, p.Call) or of.function != "strlen" or not _is_text(of.args[0]) or operator not in _RANGES:
        return None
    if not isinstance(number, p.Const) or not isinstance(number.value, int) or isinstance(number.value, bool):
        return None
    least, most = _RANGES[operator](number.value)
    return TextTest(Kind.LENGTH, (_name(of.args[0]),), least=_within(least), most=_within(most))


def _within(number: int) -> int:
    return max(-1, min(number, LONGEST))


_RANGES: Mapping[str, Callable[[int], tuple[int, int]]] = {
    "==": lambda n: (n, n),
    "<": lambda n: (0, n - 1),
    "<=": lambda n: (0, n),
    ">": lambda n: (n + 1, LONGEST),
    ">=": lambda n: (n, LONGEST),
}
_TURNED = {"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _is_text(expr: p.Expr) -> bool:
    return isinstance(expr, p.ColumnRef) and expr.type == STRING


def _name(expr: p.Expr) -> str:
    assert isinstance(expr, p.ColumnRef)
    return expr.name
