"""Writes an expression of java.util.regex for RE2, so that a rule says the same with and without Spark.

Only what both have is written, with the meaning that it has in Java: what is in `\\s`, what `.` leaves out, and that
`$` also matches before a last line terminator. Expressions with anything else, such as `(?i)` or `\\b` (Unicode in one,
ASCII in the other), look-around or `\\p{...}`, are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LINE_TERMINATOR = r"(?:\r\n|[\n\r\x{85}\x{2028}\x{2029}])\z"
"""RE2 for the line terminator at the end of a text, which `$` matches before."""

_SPACE = r"\t\n\x0b\f\r "
_NO_LINE_TERMINATOR = r"[^\n\r\x{85}\x{2028}\x{2029}]"
_ESCAPED = {**{sign: f"\\{sign}" for sign in "dDwWtnrf"}, "s": f"[{_SPACE}]", "S": f"[^{_SPACE}]"}
_IN_CLASS = {**{sign: f"\\{sign}" for sign in "dDwWtnrf"}, "s": _SPACE}
_COUNT = re.compile(r"\{\d+(?:,\d*)?\}")
_CODE = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})")


@dataclass(frozen=True)
class Re2Pattern:
    """`whole` is the expression for RE2. Its `$` are `\\z`: if `before_terminator`, a text also matches if it matches
    without its LINE_TERMINATOR."""

    whole: str
    before_terminator: bool


class UnsupportedRegexError(ValueError):
    """The expression has a part that RE2 does not have, or reads differently."""


def translate(regex: str) -> Re2Pattern:
    """The expression for RE2. Raises UnsupportedRegexError."""
    reader = _Reader(regex)
    return Re2Pattern("".join(reader.read()), reader.ends)


class _Reader:
    def __init__(self, regex: str) -> None:
        self._text, self._at, self._depth, self.ends = regex, 0, 0, False

    def read(self) -> list[str]:
        written, repeatable = [], False
        while self._at < len(self._text):
            sign = self._text[self._at]
            self._at += 1
            if sign in "*+?{":
                if not repeatable:
                    raise self._unsupported("a repetition of nothing, or of a repetition")
                written.append(self._repetition(sign))
                repeatable = False
            else:
                written.append(self._part(sign))
                repeatable = sign not in "^$|("
        if self._depth:
            raise self._unsupported("a group without an end")
        return written

    def _part(self, sign: str) -> str:
        match sign:
            case "\\":
                return self._escape(_ESCAPED)
            case "[":
                return self._class()
            case "(" | ")":
                return self._group(sign)
            case "$":
                if self._depth or self._text[self._at : self._at + 1] not in ("", "|"):
                    raise self._unsupported("$ inside of the expression")
                self.ends = True
        plain = {"$": r"\z", ".": _NO_LINE_TERMINATOR, "}": r"\}", "]": r"\]"}
        return plain.get(sign, sign)

    def _group(self, sign: str) -> str:
        self._depth += 1 if sign == "(" else -1
        if self._depth < 0:
            raise self._unsupported("a group without a beginning")
        if sign == ")" or not self._text.startswith("?", self._at):
            return sign
        if not self._text.startswith("?:", self._at):
            raise self._unsupported("a group that begins with (?")
        self._at += 2
        return "(?:"

    def _repetition(self, sign: str) -> str:
        if sign == "{":
            found = _COUNT.match(self._text, self._at - 1)
            if not found:
                raise self._unsupported("{ without a number")
            sign, self._at = found[0], found.end()
        if self._text.startswith("?", self._at):
            self._at += 1
            return f"{sign}?"
        return sign  # what follows may be `+`: read() refuses a repetition of a repetition

    def _escape(self, known: dict[str, str]) -> str:
        sign = self._text[self._at : self._at + 1]
        if sign in known:
            self._at += 1
            return known[sign]
        if found := _CODE.match(self._text, self._at):
            number = int(found[1] or found[2], 16)
            if not 0xD800 <= number <= 0xDFFF:
                self._at = found.end()
                return f"\\x{{{number:x}}}"
        if not sign or not sign.isascii() or sign.isalnum():
            raise self._unsupported(f"\\{sign}")
        self._at += 1
        return re.escape(sign)

    def _class(self) -> str:
        """A class, after its `[`: no class or intersection in it, and `-` first, last, escaped or in a range."""
        negated = self._text.startswith("^", self._at)
        self._at += negated
        written = ["[^" if negated else "["]
        while not self._text.startswith("]", self._at) or len(written) == 1:
            sign = self._text[self._at : self._at + 1]
            self._at += 1
            if sign in ("", "[", "]", "&", "^"):
                raise self._unsupported(f"{sign or 'no end'} in a class")
            written.append(self._escape(_IN_CLASS) if sign == "\\" else sign)
        self._at += 1
        return "".join([*written, "]"])

    def _unsupported(self, what: str) -> UnsupportedRegexError:
        return UnsupportedRegexError(f"{self._text} has {what}, which RE2 does not have or reads differently")
