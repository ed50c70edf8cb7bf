"""Parses sources: print, range, datatable, externaldata."""

from __future__ import annotations

from collections.abc import Callable

from lakehunt.kql import syntax as s
from lakehunt.kql.errors import Kind, KqlError
from lakehunt.kql.lexer import T
from lakehunt.kql.tabular_parser import TabularParser


class SourceParser(TabularParser):
    """Parses a source, including its name."""

    # Sources

    def _print(self) -> s.Expr:
        start = self.next().span
        items = self.items()
        return s.Print(start.to(items[-1].span), items)

    def _range(self) -> s.Expr:
        start = self.next().span
        name = self.name("a column's name")
        self.expect("from")
        first = self.operand()
        self.expect("to")
        last = self.operand()
        self.expect("step")
        step = self.operand()
        return s.Range(start.to(step.span), name.text, first, last, step)

    def _datatable(self) -> s.Expr:
        start = self.next().span
        self.expect("(")
        columns = tuple((c.name, c.type) for c in self.list(self._captured))
        self.expect(")")
        if self.sees("with"):
            self.unsupported("a datatable's properties")
        self.expect("[")
        values = self.list(self.expression, until="]")
        end = self.next().span
        if len(values) % len(columns):
            raise KqlError(
                Kind.SEMANTIC, f"{len(values)} values do not fill rows of {len(columns)} columns", start.to(end)
            )
        return s.DataTable(start.to(end), columns, values)

    def _externaldata(self) -> s.Expr:
        start = self.next().span
        self.expect("(")
        columns = tuple((c.name, c.type) for c in self.list(self._captured, until=")"))
        self.next()
        self.expect("[")
        addresses = self.list(self._text, until="]")
        end = self.next().span
        options: tuple[tuple[str, str], ...] = ()
        if self.takes("with"):
            self.expect("(")
            options = self.list(self._property, until=")")
            end = self.next().span
        return s.ExternalData(start.to(end), columns, addresses, options)

    def _text(self) -> str:
        if self.token.kind is not T.STRING:
            self.fail(f"expected a text in quotes, found {self.shown()}")
        return str(self.next().value)

    def _property(self) -> tuple[str, str]:
        name = self.name("a property").text
        self.expect("=")
        value = self._name_or_literal()
        return name, value.name if isinstance(value, s.Name) else str(value.value)


SOURCES: dict[str, Callable[[SourceParser], s.Expr]] = {
    "print": SourceParser._print,
    "range": SourceParser._range,
    "datatable": SourceParser._datatable,
    "externaldata": SourceParser._externaldata,
}
