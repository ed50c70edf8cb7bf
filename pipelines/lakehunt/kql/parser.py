"""Parses KQL into a syntax tree: statements and tabular expressions.

A recursive-descent parser: one small method per construct, and a table from operator names to methods. Operators of KQL
that Lakehunt does not support are refused by name (`UNSUPPORTED_OPERATORS`), so that the message says so.

Source: learn.microsoft.com/kusto/query; where it says nothing, what Microsoft's parser accepts."""

from __future__ import annotations

from functools import lru_cache

from lakehunt.kql import syntax as s
from lakehunt.kql.errors import KqlError, QueryErrors, Span
from lakehunt.kql.lexer import T
from lakehunt.kql.operator_parser import UNSUPPORTED_OPERATORS, OperatorParser
from lakehunt.kql.source_parser import SOURCES, SourceParser

STARTS_WITHOUT_A_SOURCE = frozenset(["union", "search", "find"])


KEPT = 100_000
"""Characters of a query up to which its syntax tree is kept. Longer ones could fill the memory of a server."""


def parse(query: str) -> s.Query:
    """The syntax tree of a query. Kept for the last queries, as a hunt's is compiled, and formatted for its version.

    Raises QueryErrors, with one error, if the text is not KQL or uses an unsupported operator."""
    return _kept(query) if len(query) <= KEPT else _parsed(query)


@lru_cache(maxsize=2_048)
def _kept(query: str) -> s.Query:
    return _parsed(query)


def _parsed(query: str) -> s.Query:
    try:
        return Parser(query).query()
    except KqlError as error:
        raise QueryErrors(query, [error]) from error


def parse_condition(text: str) -> s.Expr:
    """The syntax tree of a standalone scalar expression.

    Raises QueryErrors, with one error, if the text is not exactly one expression."""
    try:
        parser = Parser(text)
        expr = parser.expression()
        if not parser.at_end():
            parser.fail("a condition ends here", hint="write one condition, without a pipe or a semicolon")
        return expr
    except KqlError as error:
        raise QueryErrors(text, [error]) from error


class Parser(OperatorParser, SourceParser):
    """Parses one query, from start to end."""

    # Statements

    def query(self, until: str | None = None) -> s.Query:
        """Let statements and one expression, up to the end or a closing brace (not consumed)."""
        start = self.token.span
        lets: list[s.Statement] = []
        body: s.Expr | None = None
        while not self.at_end() and not (until and self.sees(until)):
            if self.sees("let"):
                lets.append(self._let())
            elif self.sees("set") and self.peek().text in (*OPTIONS, *BIN_AUTO):
                lets.extend(self._set())
            elif self.token.text in STATEMENTS and self.peek().kind is T.NAME:
                self.unsupported(f"the statement '{self.token.text}'", hint=STATEMENTS[self.token.text])
            elif body is None:
                body = self.pipeline()
            else:
                self.fail("a query has one result, this is a second one", hint="put a semicolon only after a let")
            if not self.at_end() and not (until and self.sees(until)):
                self.expect(";", "the statement's end (`;`) or the next operator (`|`)")
        if body is None:
            self.fail("there is no query here", hint="a query starts with a table's name")
        return s.Query(start.to(body.span), tuple(lets), body)

    def _set(self) -> list[s.Statement]:
        """`set notruncation`: an option that does not change results is read over."""
        start, name = self.next().span, self.next().text
        if name in BIN_AUTO:
            self.expect("=")
            value = self.expression()
            return [s.SetOption(start.to(value.span), name, value)]
        if self.takes("="):
            self.expression()
        return []

    def _let(self) -> s.Let | s.LetFunction:
        start = self.next().span
        name = self.name("a name")
        self.expect("=")
        view = self.takes("view")
        if self.sees("(") and self._is_function():
            parameters = self._parameters()
            self.expect("{")
            body = self.deeper(lambda: self.query(until="}"), "functions")
            end = self.expect("}").span
            return s.LetFunction(start.to(end), name.text, parameters, body, name.span, view)
        value = self.pipeline()
        return s.Let(start.to(value.span), name.text, value, name.span)

    def _is_function(self) -> bool:
        """Whether a function follows: a parenthesis whose closing one is followed by a brace, `(a: long, ...) {`."""
        depth = 0
        for i, token in enumerate(self.tokens[self.at :], self.at):
            if token.kind is T.PUNCTUATION:
                depth += (token.text == "(") - (token.text == ")")
            if depth == 0:
                return self.tokens[i + 1].text == "{"
        return False

    def _parameters(self) -> tuple[s.Parameter, ...]:
        self.expect("(")
        found = self.list(self._parameter, until=")")
        self.next()
        return found

    def _parameter(self) -> s.Parameter:
        name = self.name("a parameter's name")
        self.expect(":", "`:` and a type")
        if self.takes("("):
            declared = self.list(self._column_or_star, until=")")
            if not declared:
                self.fail(f"expected a column and its type, found {self.shown()}", "write (*) for any columns")
            columns = tuple(c for c in declared if isinstance(c, s.Captured))
            return s.Parameter(name.span.to(self.next().span), name.text, None, columns, None)
        kind = self.type_name()
        default = self.expression() if self.takes("=") else None
        return s.Parameter(name.span, name.text, kind, (), default)

    # Tabular expressions

    def pipeline(self) -> s.Expr:
        source = self._source()
        operators: list[s.Operator] = []
        if self.token.text in STARTS_WITHOUT_A_SOURCE and isinstance(source, s.Empty):
            operators.append(self._operator())
        while self.takes("|"):
            operators.append(self._operator())
        if not operators:
            return source
        return s.Pipeline(source.span.to(operators[-1].span), source, tuple(operators))

    def _source(self) -> s.Expr:
        if self.token.kind is not T.NAME:
            return self.expression()
        following = self.peek()
        reader = SOURCES.get(self.token.text)
        if reader and (
            self.token.text == "print" or (following.text == "(") == (self.token.text in ("datatable", "externaldata"))
        ):
            return reader(self)
        opens = following.kind in (T.NAME, T.STRING) or following.text in ("(", "*", "-", "[")
        if self.token.text in STARTS_WITHOUT_A_SOURCE and opens and following.text not in COMPARING:
            return s.Empty(Span(self.token.span.start, self.token.span.start))
        name = self.hyphenated()
        if name in UNSUPPORTED_OPERATORS and (following.kind in (T.NAME, T.STRING) or following.text in ("(", "-")):
            self.unsupported(f"the operator '{name}'", hint=UNSUPPORTED_OPERATORS[name])
        return self.expression()


COMPARING = frozenset(["==", "!=", "=~", "<", ">", "<=", ">=", "=", "has", "contains"])
"""Tokens after a column that has the name of a source, as in `find == 1`."""

OPTIONS = frozenset(
    [
        "maxmemoryconsumptionperiterator",
        "max_memory_consumption_per_query_per_node",
        "norequesttimeout",
        "notruncation",
        "query_results_cache_force_refresh",
        "query_results_cache_max_age",
        "query_results_cache_per_shard",
        "queryconsistency",
        "request_app_name",
        "request_description",
        "request_readonly",
        "servertimeout",
    ]
)
"""Options of `set` that do not change the result of a query."""

BIN_AUTO = BIN_AUTO_SIZE, BIN_AUTO_AT = "query_bin_auto_size", "query_bin_auto_at"
"""Options of `set` that bin_auto reads."""

STATEMENTS: dict[str, str] = {
    "set": "remove it: only those of bin_auto, and options that do not change results, are read",
    "alias": "",
    "declare": "use let instead of a query parameter",
    "pattern": "",
    "restrict": "",
}
"""Statements of Kusto that Lakehunt does not support, with an alternative."""
