"""A token stream: the base of all parts of the parser."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import NoReturn, TypeVar

from lakehunt.kql.errors import Kind, KqlError, Span, line_and_column
from lakehunt.kql.lexer import T, Token, tokens

MAX_DEPTH = 500
"""Maximum nesting of expressions; deeper ones are refused before Python's stack overflows."""

MAX_CHAIN = 1_000
"""Maximum arithmetic operators one after another: each is applied to the result of those before it, which is as deep.
`and` and `or` have no maximum: a chain of them is one part of the plan."""

OPERATOR_NAMES = frozenset(
    ["where", "extend", "project", "summarize", "join", "sort", "order", "take", "limit", "top", "distinct", "count"]
)
"""Operators before which a `|` is most often forgotten."""

Parsed = TypeVar("Parsed")


class Reader:
    """Reads the tokens of a query in order; every failure is a KqlError with a position."""

    def __init__(self, query: str) -> None:
        self.text = query
        self.tokens = tokens(query)
        self.at = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def peek(self, ahead: int = 1) -> Token:
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def next(self) -> Token:
        token = self.token
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def at_end(self) -> bool:
        return self.token.kind is T.END

    def sees(self, text: str) -> bool:
        """Whether this name or punctuation is next."""
        return self.token.text == text and self.token.kind in (T.NAME, T.PUNCTUATION)

    def takes(self, text: str) -> bool:
        """Consumes this name or punctuation if it is next."""
        if not self.sees(text):
            return False
        self.next()
        return True

    def expect(self, text: str, what: str = "", opening: Token | None = None) -> Token:
        """Consumes this name or punctuation; `opening` is the bracket that it closes."""
        if not self.sees(text):
            self.fail(f"expected {what or f'`{text}`'}, found {self.shown()}", self._meant(opening))
        return self.next()

    def _meant(self, opening: Token | None) -> str:
        """What an unexpected token was probably meant to be."""
        if self.token.text == "=":
            return "write == to compare"
        if self.token.text in OPERATOR_NAMES and self.token.kind is T.NAME:
            return f"write | before {self.token.text}"
        if opening is not None:
            line, column = line_and_column(self.text, opening.span.start)
            return f"it closes the `{opening.text}` at {line}:{column}"
        return ""

    def name(self, what: str) -> Token:
        bracketed = self.bracketed_name()
        if bracketed:
            return bracketed
        if self.token.kind is not T.NAME:
            self.fail(f"expected {what}, found {self.shown()}")
        return self.next()

    def bracketed_name(self) -> Token | None:
        """`['a name']`; None, with nothing consumed, if something else follows."""
        one, two, three = (*self.tokens[self.at : self.at + 3], None, None)[:3]
        if one is None or two is None or three is None:
            return None
        if one.text != "[" or one.kind is T.STRING or two.kind is not T.STRING or three.text != "]":
            return None
        self.at += 3
        return Token(T.NAME, str(two.value), one.span.to(three.span), two.value)

    def hyphenated(self) -> str:
        """The name at the current position, with its hyphenated parts (`project-away`)."""
        name, i = self.token.text, self.at
        while (
            self.tokens[i + 1 : i + 3]
            and self.tokens[i + 1].text == "-"
            and self.tokens[i + 2].kind is T.NAME
            and self.tokens[i].span.end == self.tokens[i + 1].span.start
            and self.tokens[i + 1].span.end == self.tokens[i + 2].span.start
        ):
            name += "-" + self.tokens[i + 2].text
            i += 2
        return name

    def list(
        self, read: Callable[[], Parsed], until: str | None = None, opening: Token | None = None
    ) -> tuple[Parsed, ...]:
        """Comma-separated items; with `until`, zero or more up to that bracket, which is not consumed."""
        items: list[Parsed] = []
        while until is None or not self.sees(until):
            items.append(read())
            if not self.sees(","):
                break
            self.next()
        if until is not None and not self.sees(until):
            self.fail(f"expected `,` or `{until}`, found {self.shown()}", self._meant(opening))
        return tuple(items)

    def deeper(self, read: Callable[[], Parsed], what: str = "expressions") -> Parsed:
        """Reads a construct that may be nested, with a limit on the depth."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"more than {MAX_DEPTH} nested {what}")
        try:
            return read()
        finally:
            self.depth -= 1

    def shown(self) -> str:
        return "the end of the query" if self.token.kind is T.END else f"'{self.token.text[:40]}'"

    def fail(self, message: str, hint: str = "") -> NoReturn:
        self.fail_at(self.token.span, message, hint)

    def fail_at(self, span: Span, message: str, hint: str = "") -> NoReturn:
        raise KqlError(Kind.SYNTAX, message, span, hint)

    def unsupported(self, what: str, span: Span | None = None, hint: str = "") -> NoReturn:
        shown = hint or "see docs/reference/kql-support.md for what there is"
        raise KqlError(Kind.UNSUPPORTED, f"{what} is not supported", span or self.token.span, shown)


def near(name: str, known: Iterable[str]) -> str:
    """A hint with the most similar known name."""
    found = difflib.get_close_matches(name, list(known), 1)
    return f"did you mean '{found[0]}'?" if found else ""
