"""Tokens -> syntax tree.

A recursive-descent parser: one small method for each form, a table from an operator's name to its method. What KQL has
and Lakehunt has not is refused here by name (`UNSUPPORTED_OPERATORS`), so that the message says so.

Source: learn.microsoft.com/kusto/query; where it is silent, what Microsoft's parser accepts."""

from __future__ import annotations

import difflib
import uuid
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import NoReturn, TypeVar

from pipelines.kql import syntax as s
from pipelines.kql import times
from pipelines.kql.errors import Kind, KqlError, QueryErrors, Span
from pipelines.kql.lexer import T, Token, tokens
from pipelines.kql.types import (
    BOOL,
    BY_NAME,
    DATETIME,
    DECIMAL,
    DYNAMIC,
    GUID,
    INT,
    LONG,
    REAL,
    STRING,
    TIMESPAN,
    Type,
)

MAX_DEPTH = 64
"""Nested expressions; deeper ones are refused rather than let Python's stack run out."""

COMPARISONS = frozenset(
    [
        *("==", "!=", "<>", "<", ">", "<=", ">=", "=~", "!~"),
        *(
            negation + name + case
            for name in ("has", "contains", "startswith", "endswith", "hasprefix", "hassuffix")
            for negation in ("", "!")
            for case in ("", "_cs")
        ),
    ]
)
MEMBERSHIPS = frozenset(["in", "!in", "in~", "!in~", "has_any", "has_all"])
RANGES = frozenset(["between", "!between"])

_COMPARISON = 3

_PRECEDENCE: dict[str, int] = {
    "or": 1,
    "and": 2,
    **dict.fromkeys(sorted(COMPARISONS | MEMBERSHIPS | RANGES), _COMPARISON),
    **dict.fromkeys("+-", 4),
    **dict.fromkeys("*/%", 5),
}
"""How tightly each operator binds."""

UNSUPPORTED_COMPARISONS = frozenset(["matches", "!matches", "has_any~", "has_all~", "like", "notlike", "!has_any"])

UNSUPPORTED_OPERATORS = frozenset(
    [
        *("as", "consume", "evaluate", "facet", "find", "fork", "getschema", "graph-match", "graph-merge"),
        *("graph-to-table", "invoke", "join", "lookup", "macro-expand", "make-graph", "make-series", "mv-apply"),
        *("mv-expand", "parse", "parse-kv", "parse-where", "partition", "project-by-names", "project-reorder"),
        *("range", "reduce", "render", "sample", "sample-distinct", "scan", "search", "serialize", "top-hitters"),
        *("top-nested", "union"),
    ]
)
"""Operators that Kusto has and Lakehunt has not."""

Parsed = TypeVar("Parsed")


def parse(query: str) -> s.Query:
    """The syntax tree of a query.

    Raises QueryErrors, with one error, where the text is not KQL or uses an operator that is not supported."""
    try:
        return Parser(query).query()
    except KqlError as error:
        raise QueryErrors(query, [error]) from error


class Parser:
    """Reads one query, front to back, with one token of look-ahead."""

    def __init__(self, query: str) -> None:
        self.tokens = tokens(query)
        self.at = 0
        self.depth = 0

    # Statements

    def query(self) -> s.Query:
        start = self.token.span
        lets: list[s.Let] = []
        body: s.Expr | None = None
        while not self._at_end():
            if self._is("let"):
                lets.append(self._let())
            elif body is None:
                body = self.pipeline()
            else:
                self._fail("a query has one result, this is a second one", hint="put a semicolon only after a let")
            if not self._at_end():
                self._expect(";", "the statement's end (`;`) or the next operator (`|`)")
        if body is None:
            self._fail("there is no query here", hint="a query starts with a table's name")
        return s.Query(start.to(body.span), tuple(lets), body)

    def _let(self) -> s.Let:
        start = self._next().span
        name = self._name("a name")
        self._expect("=", "`=`")
        if self._is("(") and self._is_function():
            self._unsupported("functions defined by `let`")
        value = self.pipeline()
        return s.Let(start.to(value.span), name.text, value, name.span)

    def _is_function(self) -> bool:
        """`(a: long, ...) {`: a parenthesis that closes before a brace."""
        depth = 0
        for token in self.tokens[self.at :]:
            depth += (token.text == "(") - (token.text == ")")
            if depth == 0:
                following = self.tokens[self.tokens.index(token, self.at) + 1]
                return following.text == "{"
        return False

    # Tabular expressions

    def pipeline(self) -> s.Expr:
        """A scalar or tabular expression, followed by any number of operators."""
        source = self._source()
        operators: list[s.Operator] = []
        while self._is("|"):
            self._next()
            operators.append(self._operator())
        if not operators:
            return source
        return s.Pipeline(source.span.to(operators[-1].span), source, tuple(operators))

    def _source(self) -> s.Expr:
        reader = _SOURCES.get(self.token.text) if self.token.kind is T.NAME else None
        if reader and (self.token.text == "print" or self._peek().text == "("):
            return reader(self)
        if self.token.kind is T.NAME and self._operator_name() in UNSUPPORTED_OPERATORS - {"as", "range"}:
            following = self.tokens[self.at + 1]
            if following.kind in (T.NAME, T.STRING) or following.text in ("(", "*", "-"):
                self._unsupported(f"the operator '{self._operator_name()}'")
        return self.expression()

    def _operator(self) -> s.Operator:
        name = self._operator_name()
        start = self.token.span
        if name in _OPERATORS:
            self.at += 1 + 2 * name.count("-")
            return _OPERATORS[name](self, start)
        if name in UNSUPPORTED_OPERATORS:
            self._unsupported(f"the operator '{name}'")
        self._fail(
            f"expected an operator such as where or summarize, found {self._shown()}",
            hint=_near(name, [*_OPERATORS, *UNSUPPORTED_OPERATORS]),
        )

    def _operator_name(self) -> str:
        """The name at this place, with its hyphenated parts (`project-away`)."""
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

    def _where(self, start: Span) -> s.Operator:
        predicate = self.expression()
        return s.Where(start.to(predicate.span), predicate)

    def _extend(self, start: Span) -> s.Operator:
        items = self._items()
        return s.Extend(start.to(items[-1].span), items)

    def _project(self, start: Span) -> s.Operator:
        items = self._items()
        return s.Project(start.to(items[-1].span), items)

    def _project_rename(self, start: Span) -> s.Operator:
        items = self._items()
        return s.ProjectRename(start.to(items[-1].span), items)

    def _project_away(self, start: Span) -> s.Operator:
        patterns = self._list(self._pattern)
        return s.ProjectAway(start.to(patterns[-1].span), patterns)

    def _project_keep(self, start: Span) -> s.Operator:
        patterns = self._list(self._pattern)
        return s.ProjectKeep(start.to(patterns[-1].span), patterns)

    def _distinct(self, start: Span) -> s.Operator:
        items = self._items()
        return s.Distinct(start.to(items[-1].span), items)

    def _count(self, start: Span) -> s.Operator:
        return s.Count(start)

    def _take(self, start: Span) -> s.Operator:
        count = self.expression()
        return s.Take(start.to(count.span), count)

    def _top(self, start: Span) -> s.Operator:
        count = self.expression()
        self._expect("by", "`by`")
        key = self._sort_key()
        return s.Top(start.to(key.span), count, key)

    def _sort(self, start: Span) -> s.Operator:
        self._expect("by", "`by`")
        keys = self._list(self._sort_key)
        return s.Sort(start.to(keys[-1].span), keys)

    def _sort_key(self) -> s.SortKey:
        value = self._item()
        span = value.span
        descending = True
        if self.token.text in ("asc", "desc"):
            descending = self.token.text == "desc"
            span = span.to(self._next().span)
        nulls_first = not descending
        if self._is("nulls"):
            self._next()
            if self.token.text not in ("first", "last"):
                self._fail(f"expected `first` or `last`, found {self._shown()}")
            nulls_first = self.token.text == "first"
            span = span.to(self._next().span)
        return s.SortKey(span, value, descending, nulls_first)

    def _summarize(self, start: Span) -> s.Operator:
        if self.token.kind is T.NAME and self.token.text.startswith("hint"):
            self._unsupported("a hint of summarize")
        aggregates = () if self._is("by") else self._items()
        keys: tuple[s.Expr, ...] = ()
        if self._is("by"):
            self._next()
            keys = self._items()
        last = (*aggregates, *keys)[-1]
        return s.Summarize(start.to(last.span), aggregates, keys)

    def _print(self) -> s.Expr:
        start = self._next().span
        items = self._items()
        return s.Print(start.to(items[-1].span), items)

    def _datatable(self) -> s.Expr:
        start = self._next().span
        self._expect("(", "`(`")
        columns = self._list(self._column)
        self._expect(")", "`)`")
        self._expect("[", "`[`")
        values: list[s.Expr] = []
        while not self._is("]"):
            values.append(self.expression())
            if not self._is("]"):
                self._expect(",", "`,` or `]`")
        end = self._next().span
        if len(values) % len(columns):
            raise KqlError(
                Kind.SEMANTIC, f"{len(values)} values do not fill rows of {len(columns)} columns", start.to(end)
            )
        return s.DataTable(start.to(end), columns, tuple(values))

    def _column(self) -> tuple[str, Type]:
        name = self._name("a column's name")
        self._expect(":", "`:` and a type")
        kind = self._name("a type")
        if kind.text not in BY_NAME:
            self._fail_at(kind.span, f"there is no type '{kind.text}'", f"types: {', '.join(sorted(BY_NAME))}")
        return name.text, BY_NAME[kind.text]

    # Scalar expressions

    def _items(self) -> tuple[s.Expr, ...]:
        return self._list(self._item)

    def _item(self) -> s.Expr:
        """An expression that may be named: `x = a + b`, `*`, `(a, b) = f()`."""
        if self._is("*"):
            return s.Star(self._next().span)
        if self.token.kind is T.NAME and self._peek().text == "=":
            name = self._next()
            self._next()
            value = self.expression()
            return s.Named(name.span.to(value.span), (str(name.value),), value)
        bracketed = self._bracketed_name()
        if bracketed:
            if self._is("="):
                self._next()
                value = self.expression()
                return s.Named(bracketed.span.to(value.span), (bracketed.text,), value)
            self.at -= 3
        return self.expression()

    def expression(self) -> s.Expr:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self._fail(f"more than {MAX_DEPTH} nested expressions")
        try:
            return self._binary(_PRECEDENCE["or"])
        finally:
            self.depth -= 1

    def _binary(self, level: int) -> s.Expr:
        """Operators that bind as tightly as `level` or tighter. Long `or` chains of real hunts make it a loop."""
        left = self._unary()
        compared = False
        while self.token.kind in (T.NAME, T.PUNCTUATION):
            op = self.token
            binds = _PRECEDENCE.get(op.text, 0)
            if op.text in UNSUPPORTED_COMPARISONS:
                self._unsupported(f"the operator '{op.text}'")
            if op.text.startswith("!") and not binds:
                self._fail(f"there is no operator '{op.text}'", hint=_near(op.text, _PRECEDENCE))
            if not binds or binds < level:
                return left
            if compared and binds == _COMPARISON:
                self._fail("comparisons do not chain", hint="put one of them in parentheses")
            compared = binds == _COMPARISON
            if op.text in MEMBERSHIPS:
                left = self._membership(left)
            elif op.text in RANGES:
                left = self._between(left)
            else:
                self._next()
                right = self._binary(binds + 1)
                name = "!=" if op.text == "<>" else op.text
                left = s.Binary(left.span.to(right.span), name, left, right, op.span)
        return left

    def _membership(self, left: s.Expr) -> s.Expr:
        op = self._next()
        if not self._is("("):
            item = self._binary(_PRECEDENCE["+"])
            return s.InList(left.span.to(item.span), op.text, left, (item,), op.span)
        self._expect("(", "`(`")
        items: list[s.Expr] = []
        while not self._is(")"):
            items.append(self.pipeline())
            if not self._is(")"):
                self._expect(",", "`,` or `)`")
        end = self._next().span
        if not items:
            self._fail_at(op.span.to(end), f"`{op.text}` needs at least one value")
        return s.InList(left.span.to(end), op.text, left, tuple(items), op.span)

    def _between(self, left: s.Expr) -> s.Expr:
        op = self._next()
        self._expect("(", "`(`")
        low = self.expression()
        self._expect("..", "`..`")
        high = self.expression()
        end = self._expect(")", "`)`").span
        return s.Between(left.span.to(end), op.text, left, low, high)

    def _unary(self) -> s.Expr:
        if self.token.text in ("-", "+") and self.token.kind is T.PUNCTUATION:
            op = self._next()
            self.depth += 1
            if self.depth > MAX_DEPTH:
                self._fail(f"more than {MAX_DEPTH} nested expressions")
            operand = self._unary()
            self.depth -= 1
            return s.Unary(op.span.to(operand.span), op.text, operand)
        return self._postfix(self._primary())

    def _postfix(self, value: s.Expr) -> s.Expr:
        while self._is(".") or self._is("["):
            if self._is("."):
                self._next()
                name = self._bracketed_name() or self._name("a name")
                value = s.Path(value.span.to(name.span), value, name.text)
            else:
                self._next()
                index = self.expression()
                value = s.Index(value.span.to(self._expect("]", "`]`").span), value, index)
        return value

    def _primary(self) -> s.Expr:
        token = self.token
        if token.kind in _LITERALS:
            return _LITERALS[token.kind](self)
        if token.kind is T.NAME:
            return self._named()
        if self._is("("):
            self._next()
            inner = self.pipeline()
            self._expect(")", "`)`")
            return inner
        bracketed = self._bracketed_name()
        if bracketed:
            return s.Name(bracketed.span, bracketed.text)
        self._fail(f"expected an expression, found {self._shown()}")

    def _named(self) -> s.Expr:
        name = self._next()
        if name.text in ("true", "false"):
            return s.Literal(name.span, BOOL, name.text == "true")
        if not self._is("("):
            return s.Name(name.span, name.text)
        if name.text == "dynamic":
            return self._dynamic(name)
        self._next()
        args: list[s.Expr] = []
        while not self._is(")"):
            args.append(self._item())
            if not self._is(")"):
                self._expect(",", "`,` or `)`")
        end = self._next().span
        return s.Call(name.span.to(end), name.text, tuple(args), name.span)

    # Literals

    def _string(self) -> s.Expr:
        first = self._next()
        text, span = str(first.value), first.span
        while self.token.kind is T.STRING:  # 'a' 'b' is 'ab'
            text += str(self.token.value)
            span = span.to(self._next().span)
        return s.Literal(span, STRING, text)

    def _long(self) -> s.Expr:
        token = self._next()
        if (
            not isinstance(token.value, int)
            or token.value >= 2**64
            or (token.value >= 2**63 and token.text[:2] != "0x")
        ):
            self._fail_at(token.span, f"{token.text} is larger than a long, which ends at {2**63 - 1}")
        return s.Literal(token.span, LONG, token.value - 2**64 if token.value >= 2**63 else token.value)

    def _real(self) -> s.Expr:
        token = self._next()
        return s.Literal(token.span, REAL, token.value)

    def _timespan(self) -> s.Expr:
        token = self._next()
        return s.Literal(token.span, TIMESPAN, token.value)

    def _typed(self) -> s.Expr:
        token = self._next()
        assert isinstance(token.value, tuple)
        type_name, text = token.value
        kind = BY_NAME[type_name]
        if text == "null":
            return s.Literal(token.span, kind, None)
        value = _TYPED[kind](text)
        if value is None:
            self._fail_at(token.span, f"{text!r} is no {kind}", _FORMS.get(kind, ""))
        return s.Literal(token.span, kind, value)

    def _dynamic(self, name: Token) -> s.Expr:
        self._expect("(", "`(`")
        value = self._json()
        end = self._expect(")", "`)`").span
        return s.Literal(name.span.to(end), DYNAMIC, value)

    def _json(self) -> object:
        """The data inside `dynamic(...)`: JSON, with Kusto's strings and literals."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self._fail(f"more than {MAX_DEPTH} nested values")
        try:
            return self._json_value()
        finally:
            self.depth -= 1

    def _json_value(self) -> object:
        if self._is("["):
            return self._json_array()
        if self._is("{"):
            return self._json_object()
        if self._is("null"):
            self._next()
            return None
        negative = self._is("-")
        if negative:
            self._next()
        start = self.token
        literal = self._primary()
        if not isinstance(literal, s.Literal) or literal.type not in (BOOL, LONG, REAL, STRING):
            self._fail_at(start.span, f"expected JSON data, found '{start.text}'")
        if negative:
            if not isinstance(literal.value, (int, float)):
                self._fail_at(start.span, "only a number can be negative")
            return -literal.value
        return literal.value

    def _json_array(self) -> list[object]:
        self._next()
        items: list[object] = []
        while not self._is("]"):
            items.append(self._json())
            if not self._is("]"):
                self._expect(",", "`,` or `]`")
        self._next()
        return items

    def _json_object(self) -> dict[str, object]:
        self._next()
        items: dict[str, object] = {}
        while not self._is("}"):
            if self.token.kind is not T.STRING:
                self._fail(f"expected a property's name in quotes, found {self._shown()}")
            key = str(self._next().value)
            self._expect(":", "`:`")
            items[key] = self._json()
            if not self._is("}"):
                self._expect(",", "`,` or `}`")
        self._next()
        return items

    # Names and tokens

    def _bracketed_name(self) -> Token | None:
        """`['a name']` where a name can stand; None, with nothing read, where there is none."""
        one, two, three = (*self.tokens[self.at : self.at + 3], None, None)[:3]
        if one is None or two is None or three is None:
            return None
        if one.text != "[" or one.kind is T.STRING or two.kind is not T.STRING or three.text != "]":
            return None
        self.at += 3
        return Token(T.NAME, str(two.value), one.span.to(three.span), two.value)

    def _pattern(self) -> s.Name:
        """A column's name in which `*` may stand for any text; the parts touch one another."""
        bracketed = self._bracketed_name()
        if bracketed:
            return s.Name(bracketed.span, bracketed.text)
        start = self.token
        text, span = "", start.span
        while (self.token.kind is T.NAME or self._is("*")) and (not text or self.token.span.start == span.end):
            text += self.token.text
            span = span.to(self._next().span)
        if not text:
            self._fail(f"expected a column's name, found {self._shown()}")
        return s.Name(span, text)

    def _list(self, read: Callable[[], Parsed]) -> tuple[Parsed, ...]:
        items = [read()]
        while self._is(","):
            self._next()
            items.append(read())
        return tuple(items)

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def _peek(self) -> Token:
        return self.tokens[min(self.at + 1, len(self.tokens) - 1)]

    def _next(self) -> Token:
        token = self.token
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def _at_end(self) -> bool:
        return self.token.kind is T.END

    def _is(self, text: str) -> bool:
        return self.token.text == text and self.token.kind in (T.NAME, T.PUNCTUATION)

    def _expect(self, text: str, what: str) -> Token:
        if not self._is(text):
            self._fail(f"expected {what}, found {self._shown()}")
        return self._next()

    def _name(self, what: str) -> Token:
        bracketed = self._bracketed_name()
        if bracketed:
            return bracketed
        if self.token.kind is not T.NAME:
            self._fail(f"expected {what}, found {self._shown()}")
        return self._next()

    def _shown(self) -> str:
        return "the end of the query" if self.token.kind is T.END else f"'{self.token.text[:40]}'"

    def _fail(self, message: str, hint: str = "") -> NoReturn:
        self._fail_at(self.token.span, message, hint)

    def _fail_at(self, span: Span, message: str, hint: str = "") -> NoReturn:
        raise KqlError(Kind.SYNTAX, message, span, hint)

    def _unsupported(self, what: str) -> NoReturn:
        raise KqlError(Kind.UNSUPPORTED, f"{what} is not supported", self.token.span, "see docs/kql.md for what is")


def _near(name: str, known: Iterable[str]) -> str:
    """A hint that names what was probably meant."""
    found = difflib.get_close_matches(name, list(known), 1)
    return f"did you mean '{found[0]}'?" if found else ""


def _real_value(text: str) -> float | None:
    special = {"nan": float("nan"), "+inf": float("inf"), "inf": float("inf"), "-inf": float("-inf")}
    try:
        return special[text] if text in special else float(text)
    except ValueError:
        return None


def _decimal_value(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _integer_value(bits: int) -> Callable[[str], int | None]:
    def read(text: str) -> int | None:
        try:
            value = int(text, 0)
        except ValueError:
            return None
        return value if -(2 ** (bits - 1)) <= value < 2 ** (bits - 1) else None

    return read


def _guid_value(text: str) -> str | None:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


_TYPED: dict[Type, Callable[[str], object | None]] = {
    BOOL: lambda text: {"true": True, "false": False, "1": True, "0": False}.get(text.lower()),
    INT: _integer_value(32),
    LONG: _integer_value(64),
    REAL: _real_value,
    DECIMAL: _decimal_value,
    DATETIME: times.parse_datetime,
    TIMESPAN: times.parse_timespan,
    GUID: _guid_value,
}
_FORMS: dict[Type, str] = {
    DATETIME: "write datetime(2021-03-14) or datetime(2021-03-14T06:40:15.338Z)",
    TIMESPAN: "write 7d, 12h, 30m, 10s, 1ms, or timespan(1.02:03:04)",
}
_LITERALS: dict[T, Callable[[Parser], s.Expr]] = {
    T.STRING: Parser._string,
    T.LONG: Parser._long,
    T.REAL: Parser._real,
    T.TIMESPAN: Parser._timespan,
    T.TYPED: Parser._typed,
}
_SOURCES: dict[str, Callable[[Parser], s.Expr]] = {
    "print": Parser._print,
    "datatable": Parser._datatable,
}
_OPERATORS: dict[str, Callable[[Parser, Span], s.Operator]] = {
    "where": Parser._where,
    "filter": Parser._where,
    "extend": Parser._extend,
    "project": Parser._project,
    "project-away": Parser._project_away,
    "project-keep": Parser._project_keep,
    "project-rename": Parser._project_rename,
    "summarize": Parser._summarize,
    "sort": Parser._sort,
    "order": Parser._sort,
    "take": Parser._take,
    "limit": Parser._take,
    "top": Parser._top,
    "distinct": Parser._distinct,
    "count": Parser._count,
}
