"""Parses scalar expressions: precedence, calls, paths and literals."""

from __future__ import annotations

import re
import uuid
from abc import abstractmethod
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from lakehunt.kql import syntax as s
from lakehunt.kql import times
from lakehunt.kql.lexer import T, Token
from lakehunt.kql.reader import MAX_CHAIN, MAX_DEPTH, Reader, near
from lakehunt.kql.types import BOOL, BY_NAME, DATETIME, DECIMAL, DYNAMIC, GUID, INT, LONG, REAL, STRING, TIMESPAN, Type

COMPARISONS = frozenset(
    [
        *("==", "!=", "<>", "<", ">", "<=", ">=", "=~", "!~", "matches regex"),
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

PRECEDENCE: dict[str, int] = {
    "or": 1,
    "and": 2,
    **dict.fromkeys(sorted(COMPARISONS | MEMBERSHIPS | RANGES), _COMPARISON),
    **dict.fromkeys("+-", 4),
    **dict.fromkeys("*/%", 5),
}
"""Precedence of binary operators."""

_FIRST_WORDS = frozenset(name.split()[0] for name in PRECEDENCE if " " in name)

MAX_EXPONENT = 6_144
"""Maximum exponent of a decimal, as in IEEE 754 decimal128."""

OLD_SPELLINGS = {"containscs": "contains_cs", "notcontains": "!contains", "notcontainscs": "!contains_cs"}
"""Comparisons under the names that they had once."""

UNSUPPORTED_COMPARISONS = {
    **dict.fromkeys(("has_any~", "has_all~", "!has_any"), ""),
    **dict.fromkeys(
        ("like", "notlike", "likecs", "notlikecs"),
        "Kusto does not document what it matches: write contains, startswith, endswith or matches regex",
    ),
}
"""Comparisons that are refused, with an alternative."""


class ScalarParser(Reader):
    """Parses scalar expressions; a `pipeline` may occur instead in parentheses or as an argument."""

    searching = False  # inside `search`, where a bare string is a condition

    @abstractmethod
    def pipeline(self) -> s.Expr:
        """A scalar or tabular expression, followed by any number of operators."""

    def items(self) -> tuple[s.Expr, ...]:
        return self.list(self.item)

    def item(self) -> s.Expr:
        """An expression that may be named: `x = a + b`, `*`, `(a, b) = f()`."""
        return self._named_or(self.expression)

    def argument(self) -> s.Expr:
        """An argument of a call: an item, or a table."""
        return self._named_or(self.pipeline)

    def _named_or(self, read: Callable[[], s.Expr]) -> s.Expr:
        if self.sees("*") and self.peek().text in (",", ")", "|", ";", "}", "by", ""):
            return s.Star(self.next().span)
        start = self.at
        names = self._names()
        if names and self.takes("="):
            value = read()
            return s.Named(names[0].span.to(value.span), tuple(n.text for n in names), value)
        self.at = start
        return read()

    def _names(self) -> list[Token]:
        """The names before a `=`: one, or several in parentheses; none if something else follows."""
        one = self._name_here()
        if one:
            return [one]
        found: list[Token] = []
        if not self.takes("("):
            return found
        while True:
            token = self._name_here()
            if token is None:
                return []
            found.append(token)
            if self.takes(")"):
                return found
            if not self.takes(","):
                return []

    def _name_here(self) -> Token | None:
        return self.bracketed_name() or (self.next() if self.token.kind is T.NAME else None)

    def expression(self) -> s.Expr:
        return self.deeper(lambda: self._binary(PRECEDENCE["or"]))

    def operand(self) -> s.Expr:
        """An expression without comparisons."""
        return self.deeper(lambda: self._binary(PRECEDENCE["+"]))

    def _binary(self, level: int) -> s.Expr:
        """Operators with a precedence of at least `level`. A loop, as real hunts have long chains of `or`."""
        left = self._unary()
        compared, links = False, 0
        while self.token.kind in (T.NAME, T.PUNCTUATION):
            op, name = self.token, self._operator_here()
            binds = PRECEDENCE.get(name, 0)
            if op.text in UNSUPPORTED_COMPARISONS:
                self.unsupported(f"the operator '{op.text}'", hint=UNSUPPORTED_COMPARISONS[op.text])
            if op.text.startswith("!") and not binds:
                self.fail(f"there is no operator '{op.text}'", hint=near(op.text, PRECEDENCE))
            if not binds or binds < level:
                return left
            if compared and binds == _COMPARISON:
                self.fail("comparisons do not chain", hint="put one of them in parentheses")
            compared = binds == _COMPARISON
            links += binds > _COMPARISON
            if links > MAX_CHAIN:
                self.fail(f"more than {MAX_CHAIN} arithmetic operators one after another", "take it apart with let")
            outside, self.searching = self.searching, self.searching and not compared  # `a == "x"` is not a bare term
            if name in MEMBERSHIPS:
                left = self._membership(left)
            elif name in RANGES:
                left = self._between(left)
            else:
                self.at += len(name.split())
                right = self._binary(binds + 1)
                left = s.Binary(left.span.to(right.span), "!=" if name == "<>" else name, left, right, op.span)
            self.searching = outside
        return left

    def _operator_here(self) -> str:
        text = self.token.text
        if text in _FIRST_WORDS:
            two_words = f"{text} {self.peek().text}"
            if two_words in PRECEDENCE:
                return two_words
        return OLD_SPELLINGS.get(text, text)

    def _membership(self, left: s.Expr) -> s.Expr:
        op = self.next()
        if not self.sees("("):
            item = self._binary(PRECEDENCE["+"])
            return s.InList(left.span.to(item.span), op.text, left, (item,), op.span)
        opening = self.next()
        items = self.list(self.pipeline, until=")", opening=opening)
        end = self.next().span
        if not items:
            self.fail_at(op.span.to(end), f"`{op.text}` needs at least one value")
        return s.InList(left.span.to(end), op.text, left, items, op.span)

    def _between(self, left: s.Expr) -> s.Expr:
        op = self.next()
        self.expect("(")
        low = self.expression()
        self.expect("..")
        high = self.expression()
        end = self.expect(")").span
        return s.Between(left.span.to(end), op.text, left, low, high)

    def _unary(self) -> s.Expr:
        if self.token.text in ("-", "+") and self.token.kind is T.PUNCTUATION:
            op = self.next()
            operand = self.deeper(self._unary)
            return s.Unary(op.span.to(operand.span), op.text, operand)
        return self._postfix(self._primary())

    def _postfix(self, value: s.Expr) -> s.Expr:
        steps = 0
        while self.sees(".") or self.sees("["):
            steps += 1
            if steps > MAX_DEPTH:
                self.fail(f"more than {MAX_DEPTH} steps of a path")
            if self.takes(".") and not self._indexed():
                name = self.bracketed_name() or self.name("a name")
                value = s.Path(value.span.to(name.span), value, name.text)
                if self.sees("("):  # cluster("...").database("...").T
                    self.unsupported(
                        "a table of another service", value.span, "register the table, and name it directly"
                    )
            else:
                self.expect("[")
                index = self.expression()
                value = s.Index(value.span.to(self.expect("]").span), value, index)
        return value

    def _indexed(self) -> bool:
        """`value.[index]`, as KQL allows beside `value[index]`; `value.['a name']` is a name."""
        return self.sees("[") and not (self.peek().kind is T.STRING and self.peek(2).text == "]")

    def _primary(self) -> s.Expr:
        token = self.token
        if self.searching and (token.kind is T.STRING or self.peek().text == ":"):
            return self._term()
        if token.kind in _LITERALS:
            return _LITERALS[token.kind](self)
        if token.kind is T.NAME:
            return self._named()
        if self.sees("("):
            opening = self.next()
            inner = self.deeper(self.pipeline)
            self.expect(")", opening=opening)
            return inner
        if self.sees("*") and self._star_is_searched():
            return s.Star(self.next().span)
        bracketed = self.bracketed_name()
        if bracketed:
            return s.Name(bracketed.span, bracketed.text)
        self.fail(f"expected an expression, found {self.shown()}")

    def _star_is_searched(self) -> bool:
        """`* has "x"`: any column."""
        return self.peek().text in COMPARISONS or self.peek().text in MEMBERSHIPS or self.peek().text == "matches"

    def _term(self) -> s.Expr:
        column = None
        start = self.token.span
        if self.peek().text == ":" and self.token.kind is T.NAME:
            column = self.next().text
            self.next()
            term = self.next()
            if term.kind is not T.STRING:
                self.fail_at(term.span, "expected a term in quotes")
            return s.TermSearch(start.to(term.span), str(term.value), column)
        if self.peek().text in COMPARISONS:
            return self._string()
        return s.TermSearch(start, str(self.next().value), None)

    def _named(self) -> s.Expr:
        name = self.next()
        if name.text in ("true", "false"):
            return s.Literal(name.span, BOOL, name.text == "true")
        if not self.sees("("):
            return s.Name(name.span, name.text)
        if name.text == "dynamic":
            return self._dynamic(name)
        if name.text == "typeof":
            self.next()
            named = self.type_name()
            return s.TypeLiteral(name.span.to(self.expect(")").span), named)
        return self.call(name)

    def call(self, name: Token) -> s.Call:
        """The arguments of a function whose name has been consumed."""
        opening = self.expect("(")
        outside, self.searching = self.searching, self.searching and name.text == "not"
        args = self.deeper(lambda: self.list(self.argument, until=")", opening=opening), "calls")
        self.searching = outside
        end = self.next().span
        return s.Call(name.span.to(end), name.text, args, name.span)

    def type_name(self) -> Type:
        kind = self.name("a type")
        if kind.text not in BY_NAME:
            self.fail_at(kind.span, f"there is no type '{kind.text}'", f"types: {', '.join(sorted(BY_NAME))}")
        return BY_NAME[kind.text]

    # Literals

    def _string(self) -> s.Expr:
        first = self.next()
        text, span = str(first.value), first.span
        while self.token.kind is T.STRING:  # 'a' 'b' is 'ab'
            text += str(self.token.value)
            span = span.to(self.next().span)
        return s.Literal(span, STRING, text)

    def _long(self) -> s.Expr:
        token = self.next()
        if (
            not isinstance(token.value, int)
            or token.value >= 2**64
            or (token.value >= 2**63 and token.text[:2] != "0x" and not self._is_smallest_long(token))
        ):
            self.fail_at(token.span, f"{token.text} is larger than a long, which ends at {2**63 - 1}")
        return s.Literal(token.span, LONG, token.value - 2**64 if token.value >= 2**63 else token.value)

    def _is_smallest_long(self, token: Token) -> bool:
        """Whether this is `-9223372036854775808`, whose digits alone are out of range."""
        before = self.tokens[self.at - 2] if self.at >= 2 else None
        return token.value == 2**63 and before is not None and before.text == "-"

    def _real(self) -> s.Expr:
        token = self.next()
        return s.Literal(token.span, REAL, token.value)

    def _timespan(self) -> s.Expr:
        token = self.next()
        return s.Literal(token.span, TIMESPAN, token.value)

    def _typed(self) -> s.Expr:
        token = self.next()
        assert isinstance(token.value, tuple)
        type_name, text = token.value
        kind = BY_NAME[type_name]
        if text == "null":
            return s.Literal(token.span, kind, None)
        value = _TYPED[kind](text)
        if value is None and kind == DATETIME and _PLACEHOLDER.fullmatch(text):  # Sentinel fills in the text
            return s.Call(token.span, "todatetime", (s.Literal(token.span, STRING, text),), token.span)
        if value is None:
            self.fail_at(token.span, f"{text!r} is not a valid {kind}", _FORMS.get(kind, ""))
        return s.Literal(token.span, kind, value)

    def _dynamic(self, name: Token) -> s.Expr:
        self.expect("(")
        value = self._json()
        end = self.expect(")").span
        return s.Literal(name.span.to(end), DYNAMIC, value)

    def _json(self) -> object:
        """The content of `dynamic(...)`: JSON with Kusto's strings and literals."""
        return self.deeper(self._json_value, "values")

    def _json_value(self) -> object:
        if self.takes("["):
            items = list(self.list(self._json, until="]"))
            self.next()
            return items
        if self.takes("{"):
            pairs = self.list(self._json_property, until="}")
            self.next()
            return dict(pairs)
        if self.takes("null"):
            return None
        negative = self.takes("-")
        start = self.token
        literal = self._primary()
        if not isinstance(literal, s.Literal):
            self.fail_at(start.span, f"expected JSON data, found '{start.text}'")
        value = _as_json(literal)
        if negative:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                self.fail_at(start.span, "only a number can be negative")
            return value if value == -(2**63) else -value  # `-9223372036854775808` is negative already
        return value

    def _json_property(self) -> tuple[str, object]:
        if self.token.kind is not T.STRING:
            self.fail(f"expected a property's name in quotes, found {self.shown()}")
        key = str(self.next().value)
        self.expect(":")
        return key, self._json()


def _as_json(literal: s.Literal) -> object:
    """A literal as JSON data; types without a JSON form become text."""
    write = _JSON.get(literal.type)
    return literal.value if write is None or literal.value is None else write(literal.value)


def _real_value(text: str) -> float | None:
    special = {"nan": float("nan"), "+inf": float("inf"), "inf": float("inf"), "-inf": float("-inf")}
    try:
        return special[text] if text in special else float(text)
    except ValueError:
        return None


def _decimal_value(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value.adjusted()) <= MAX_EXPONENT else None


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
_PLACEHOLDER = re.compile(r"\{\{\s*[A-Za-z_][\w.]*\s*\}\}")

_JSON: dict[Type, Callable[..., object]] = {
    DATETIME: times.format_datetime,
    TIMESPAN: times.format_timespan,
    DECIMAL: str,
}
"""The JSON form of literals that are not JSON values."""

_FORMS: dict[Type, str] = {
    DATETIME: "write datetime(2021-03-14) or datetime(2021-03-14T06:40:15.338Z)",
    TIMESPAN: "write 7d, 12h, 30m, 10s, 1ms, or timespan(1.02:03:04)",
}
_LITERALS: dict[T, Callable[[ScalarParser], s.Expr]] = {
    T.STRING: ScalarParser._string,
    T.LONG: ScalarParser._long,
    T.REAL: ScalarParser._real,
    T.TIMESPAN: ScalarParser._timespan,
    T.TYPED: ScalarParser._typed,
}
