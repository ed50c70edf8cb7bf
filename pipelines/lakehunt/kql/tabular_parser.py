"""Parser methods that sources and operators share: options, columns with their types."""

from __future__ import annotations

from abc import abstractmethod

from lakehunt.kql import syntax as s
from lakehunt.kql.lexer import T
from lakehunt.kql.reader import near
from lakehunt.kql.scalar_parser import ScalarParser
from lakehunt.kql.types import Type


class TabularParser(ScalarParser):
    """Parses parts of tabular expressions; `query` parses a body."""

    @abstractmethod
    def query(self, until: str | None = None) -> s.Query:
        """Let statements and one expression, up to the end or a closing brace (not consumed)."""

    def _options(self, known: dict[str, tuple[str, ...] | None]) -> s.Options:
        """`kind=inner hint.strategy=shuffle`: the parameters after an operator's name; hints are ignored.

        `known` has the allowed values of each parameter, None for any."""
        found: s.Options = {}
        while self.token.kind is T.NAME:
            if self.token.text == "hint" and self.peek().text == ".":
                self.at += 3
                self.expect("=")
                self.next()
                continue
            if self.token.text not in known or self.peek().text != "=":
                return found
            name = self.next().text
            self.next()
            found[name] = self._option(name, known[name])
        return found

    def _option(self, name: str, allowed: tuple[str, ...] | None) -> s.Name | s.Literal:
        value = self._name_or_literal()
        shown = value.name if isinstance(value, s.Name) else str(value.value)
        if allowed is not None and shown not in allowed:
            self.fail_at(
                value.span, f"there is no {name} '{shown}'", near(shown, allowed) or f"one of {', '.join(allowed)}"
            )
        return value

    def _name_or_literal(self) -> s.Name | s.Literal:
        if self.token.kind is T.NAME and self.token.text not in ("true", "false"):
            token = self.next()
            return s.Name(token.span, token.text)
        value = self.operand()
        if not isinstance(value, s.Literal):
            self.fail_at(value.span, "expected a name or a constant")
        return value

    def _captured(self, default: Type | None = None) -> s.Captured:
        name = self.name("a column's name")
        if default is not None and not self.sees(":"):
            return s.Captured(name.span, name.text, default)
        self.expect(":", "`:` and a type")
        return s.Captured(name.span, name.text, self.type_name())

    def _column_or_star(self) -> s.Captured | s.Star:
        return s.Star(self.next().span) if self.sees("*") else self._captured()
