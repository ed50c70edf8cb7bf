"""`declare query_parameters(n: long, d: dynamic = dynamic([]))`: a statement at the beginning of a query, and the
values that the request has for it. It becomes a `let` for each parameter.

Source: learn.microsoft.com/kusto/query/query-parameters-statement; values of types other than string, and numbers, come
as KQL literals (learn.microsoft.com/kusto/api/rest/request)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lakehunt.kql import syntax as s
from lakehunt.kql.errors import Kind, KqlError, QueryErrors, Span
from lakehunt.kql.parser import Parser, parse_condition
from lakehunt.kql.types import DYNAMIC, STRING, Type
from lakehunt.serving.kusto import text
from lakehunt.serving.kusto.text import Rewritten

_MAY_DECLARE = re.compile(r"\bdeclare\b")


def filled(query: str, values: Mapping[str, Any]) -> Rewritten:
    """The query with its parameters' values. Raises QueryErrors for a parameter without a value, and for a value that
    is not a literal of its type."""
    if _MAY_DECLARE.search(query) is None:
        return Rewritten(query, query)
    try:
        return _filled(query, values)
    except KqlError as error:
        raise QueryErrors(query, [error]) from error


def _filled(query: str, values: Mapping[str, Any]) -> Rewritten:
    parser = _Parser(query)
    parser.options()
    start = parser.token.span.start
    if not (parser.sees("declare") and parser.peek().text == "query_parameters"):
        return Rewritten(query, query)
    declared = parser.declaration()
    lets = [f"let {name} = {_value(name, kind, default, span, values)}" for name, kind, default, span in declared]
    return Rewritten.replacing(query, start, parser.token.span.start, "; ".join(lets))


_QUOTES = ("'", '"', "@", "h", "H", "`", "~")
"""What a string literal begins with."""

Declared = tuple[str, Type, str | None, Span]
"""A parameter: its name, its type, the text of its default, and where it stands."""


class _Parser(Parser):
    def options(self) -> None:
        """Skips `set` statements, which may come first."""
        while self.sees("set"):
            while not self.at_end() and not self.takes(";"):
                self.next()

    def declaration(self) -> tuple[Declared, ...]:
        """The parameters of the statement; its semicolon is not consumed."""
        self.next()
        self.next()
        self.expect("(")
        found = self.list(self._declared_parameter)
        self.expect(")", "`,` or `)`")
        if not self.sees(";"):
            self.fail(f"expected `;` after the parameters, found {self.shown()}")
        return found

    def _declared_parameter(self) -> Declared:
        name = self.name("a parameter's name")
        self.expect(":", "`:` and a type")
        kind = self.type_name()
        default = self.expression() if self.takes("=") else None
        shown = None if default is None else self.text[default.span.start : default.span.end]
        return name.text, kind, shown, name.span


def _value(name: str, kind: Type, default: str | None, span: Span, values: Mapping[str, Any]) -> str:
    """The text of a parameter's value."""
    given = values.get(name)
    if given is None:
        if default is None:
            raise KqlError(Kind.SEMANTIC, f"the query parameter '{name}' has no value", span, "send it in `Parameters`")
        return default
    if kind == STRING and isinstance(given, str):
        # Python's client sends the text itself, Go's sends it as a literal, and Kusto takes both.
        return given if given[:1] in _QUOTES and _literal_type(given) == STRING else text.string(given)
    if isinstance(given, (bool, int, float)) and kind.name in ("bool", "int", "long", "real", "decimal"):
        return text.literal(given, kind)
    if kind == DYNAMIC and isinstance(given, (list, dict)):
        return text.literal(given, kind)
    if isinstance(given, str) and (found := _literal_type(given)) is not None:
        return given if found == kind else f"to{kind}({given})"
    raise KqlError(Kind.SEMANTIC, f"the value of the query parameter '{name}' is not a {kind} literal", span)


def _literal_type(written: str) -> Type | None:
    """The type of a text that is one constant; None for any other text, so that no value becomes part of a query."""
    try:
        found = parse_condition(written)
    except QueryErrors:
        return None
    if isinstance(found, s.Unary) and found.op == "-":
        found = found.operand
    return found.type if isinstance(found, s.Literal) else None
