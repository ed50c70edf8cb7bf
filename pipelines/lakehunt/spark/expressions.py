"""Compiles typed expressions to Spark columns: operators by tables, functions by the catalog."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from pyspark.sql import Column

from lakehunt.core.errors import LakehuntError
from lakehunt.kql import plan as p
from lakehunt.kql.binding.texts import GROUP, PAIRS, PAIRS_MATCHED, PARSED
from lakehunt.kql.errors import Kind, KqlError
from lakehunt.kql.operators import MEMBERSHIP
from lakehunt.kql.types import BOOL, DATETIME, DYNAMIC, INT, LONG, REAL, STRING, Type
from lakehunt.spark import dynamic
from lakehunt.spark.columns import F
from lakehunt.spark.dynamic import encoded
from lakehunt.spark.functions import operators, regular, text
from lakehunt.spark.functions.compiled import java_function
from lakehunt.spark.functions.registry import form
from lakehunt.spark.functions.strings import refuse
from lakehunt.spark.values import literal, named

INGESTED = "$$ingested"
"""The hidden column with the time, in ticks, at which a row was added to its table."""


SHALLOW = 3
"""Calls inside of each other that are not looked at: plans of ordinary queries are made as fast as they can be."""

MOST_MENTIONS = 256
"""How often an expression may mention what is inside of it. `tolower` mentions its argument 4 times, and 16 of them
inside of each other 4 to the 16th times."""

MOST_KNOWN = 4096

_MENTIONS: dict[tuple[str, tuple[Type, ...], str], tuple[int, ...]] = {}
"""By function, types of arguments and constants: see `Expressions._mentions`."""

_SOMETIMES = frozenset(["coalesce"])
"""Functions whose later arguments are not always computed, and may fail where they are."""


@lru_cache(maxsize=4096)
def column(name: str) -> Column:
    """The column with this exact name, dots and backticks included. It is not bound to a frame: a hunt refers to
    hundreds of columns, and each lookup in a frame is a JVM call."""
    return F.col(f"`{name.replace('`', '``')}`")


@dataclass(frozen=True)
class _Made:
    """A compiled expression: how many calls are inside of each other in it, and how often it mentions what it is made
    of, at most; None if that has not been counted."""

    column: Column
    depth: int
    mentions: int | None


class Queries(Protocol):
    """Compiles subqueries of expressions to columns."""

    def scalar(self, plan: p.Plan) -> Column:
        """The first column of the first row."""

    def values(self, plan: p.Plan) -> Column:
        """The first column of all rows, as an array without nulls."""


class Expressions:
    """Compiles the expressions of one query; `now` is in ticks.

    `done` has the columns of window functions that are already computed (see relations.py), by the expression's id;
    `resolve` resolves names, by default to columns of the frame."""

    def __init__(
        self,
        now: int,
        queries: Queries,
        done: Mapping[int, Column] | None = None,
        resolve: Callable[[str], Column] = column,
    ) -> None:
        self.now = now
        self.queries = queries
        self.done = done or {}
        self.resolve = resolve

    def compile(self, expr: p.Expr) -> Column:
        """The Spark column.

        Iterates over left branches instead of recursing: real hunts have chains of hundreds of operators."""
        return self._made(expr).column

    def _made(self, expr: p.Expr) -> _Made:
        chain: list[p.Call] = []
        while isinstance(expr, p.Call) and expr.args and expr.function not in _WHOLE and id(expr) not in self.done:
            chain.append(expr)
            expr = expr.args[0]
        made = _Made(self._leaf(expr), 0, 1)
        for call in reversed(chain):
            made = self._called(call, [made, *(self._made(arg) for arg in call.args[1:])])
        return made

    def _called(self, call: p.Call, args: list[_Made]) -> _Made:
        """A function of arguments; those that it would mention too often are computed once, before it."""
        depth = 1 + max(arg.depth for arg in args)
        columns = [arg.column for arg in args]
        if depth <= SHALLOW:
            return _Made(self._apply(call, columns), depth, None)
        inside = [
            self._mentions_in(e) if arg.mentions is None else arg.mentions
            for e, arg in zip(call.args, args, strict=True)
        ]
        mentions = [own * inner for own, inner in zip(self._mentions(call), inside, strict=True)]
        often = [i for i, m in enumerate(mentions) if m > max(inside[i], MOST_MENTIONS)]
        often = [i for i in often if i == 0 or call.function not in _SOMETIMES]
        if not often:
            return _Made(self._apply(call, columns), depth, max(mentions))

        def of(parts: Column) -> Column:
            return self._apply(call, [parts[f"_{i}"] if i in often else c for i, c in enumerate(columns)])

        once = named(F.struct(*(columns[i].alias(f"_{i}") for i in often)), of)
        return _Made(once, depth, max(inside[i] if i in often else m for i, m in enumerate(mentions)))

    def _mentions_in(self, expr: p.Expr) -> int:
        """How often a shallow expression mentions what it is made of, at most."""
        if not isinstance(expr, p.Call) or not expr.args or expr.function in _WHOLE or id(expr) in self.done:
            return 1
        of_args = zip(self._mentions(expr), map(self._mentions_in, expr.args), strict=True)
        return max(own * inner for own, inner in of_args)

    def _mentions(self, call: p.Call) -> tuple[int, ...]:
        """How often a function mentions each of its arguments."""
        key = (call.function, tuple(arg.type for arg in call.args), repr(constants(call)))
        if key not in _MENTIONS:
            names = [f"$$argument{i}$" for i in range(len(call.args))]
            written = repr(self._apply(call, [column(name) for name in names]))
            if len(_MENTIONS) >= MOST_KNOWN:
                _MENTIONS.clear()
            _MENTIONS[key] = tuple(max(written.count(name), 1) for name in names)
        return _MENTIONS[key]

    def _leaf(self, expr: p.Expr) -> Column:
        if id(expr) in self.done:
            return self.done[id(expr)]
        if isinstance(expr, p.Call):
            if expr.function in _WHOLE:
                return _WHOLE[expr.function](self, expr)
            return self._apply(expr, [])
        return _LEAVES[type(expr)](self, expr)

    def _constant(self, expr: p.Const) -> Column:
        return F.lit(None) if isinstance(expr.value, Type) else literal(expr.value, expr.type)

    def _now(self, expr: p.Now) -> Column:
        return F.lit(self.now)

    def _ref(self, expr: p.ColumnRef) -> Column:
        return self.resolve(expr.name)

    def _outer(self, expr: p.OuterRef) -> Column:
        return column(expr.level)[expr.name]

    def _ingested(self, expr: p.Ingested) -> Column:
        return column(INGESTED)

    def query(self, expr: p.ScalarQuery | p.ListQuery) -> Column:
        """A subquery: a value or a list of values."""
        try:
            if isinstance(expr, p.ListQuery):
                return self.queries.values(expr.plan)
            found = self.queries.scalar(expr.plan)
        except KqlError:
            raise
        except LakehuntError as error:
            raise KqlError(Kind.UNSUPPORTED, error.message, expr.span, error.hint) from error
        return F.coalesce(found, F.lit("")) if expr.type == STRING else found

    def _logic(self, expr: p.Call) -> Column:
        return _LOGIC[expr.function]([self.compile(term) for term in p.terms(expr, expr.function)])

    def _membership(self, expr: p.Call) -> Column:
        """`in`, `has_any` and their variants; the arguments are the comparisons with each item."""
        negated, op = expr.function.startswith("!"), expr.function.removeprefix("!")
        comparisons = [c for c in expr.args if isinstance(c, p.Call)]
        constants = [_constant(c.args[1]) if c.function in ("==", "=~") else None for c in comparisons]
        strings = all(c.args[0].type == STRING for c in comparisons if c.args)
        if op in ("in", "in~") and strings and None not in constants:
            operand = self.compile(comparisons[0].args[0])
            found = operators.one_of(operand, [c or "" for c in constants], fold=op == "in~")
        else:
            found = _LOGIC["and" if op == "has_all" else "or"]([self.compile(c) for c in comparisons])
            found = F.coalesce(found, F.lit(False))  # a null is in no list
        return ~found if negated else found

    def _listed(self, expr: p.Call) -> Column:
        """`any ==`, `every has`: a comparison with the elements of an array or of a table's column."""
        quantifier, op = expr.function.split(" ")
        value, listed = expr.args
        if isinstance(listed, p.ListQuery):
            items, kind = self.compile(listed), listed.type
        else:
            array = as_argument(self.compile(listed), listed.type)
            items, kind = F.coalesce(dynamic.elements(array), F.array(array)), DYNAMIC
        operand = self.compile(value)
        match = F.exists if quantifier == p.ANY else F.forall
        return F.coalesce(match(items, lambda item: _compared(op, operand, item, (value.type, kind))), F.lit(False))

    def _apply(self, expr: p.Call, args: list[Column]) -> Column:
        for operators_of, build in _OPERATORS:
            if expr.function in operators_of:
                return build(expr, args)
        given = [as_argument(a, e.type) for a, e in zip(args, expr.args, strict=True)]
        return called("scalar", expr, given)


def called(kind: str, expr: p.Call | p.Aggregation, args: Sequence[Column], *first: object) -> Column:
    """Applies a function of the catalog to the arguments.

    Raises KqlError, at the call's position, for a constant that the function does not accept."""
    types = argument_types(expr)
    try:
        made: Column = form(kind, expr.function, types).call(types, args, constants(expr), *first)
    except KqlError:
        raise
    except LakehuntError as error:
        raise KqlError(Kind.UNSUPPORTED, error.message, expr.span, error.hint) from error
    return made


def as_argument(value: Column, kind: Type) -> Column:
    """Functions take every dynamic value as JSON text, including typed arrays."""
    return encoded(value, kind) if kind == DYNAMIC else value


def argument_types(expr: p.Call | p.Aggregation) -> tuple[Type, ...]:
    """The types of the arguments as passed to a function."""
    return tuple(DYNAMIC if arg.type == DYNAMIC else arg.type for arg in expr.args)


def constants(expr: p.Call | p.Aggregation) -> list[object]:
    """The values of the constant arguments."""
    return [arg.value if isinstance(arg, p.Const) else None for arg in expr.args]


def _balanced(join: Callable[[Column, Column], Column]) -> Callable[[Sequence[Column]], Column]:
    """Combines terms as a balanced tree: a chain of hundreds would make the stack of Spark's optimizer as deep."""

    def joined(parts: Sequence[Column]) -> Column:
        while len(parts) > 1:
            parts = [
                join(*parts[i : i + 2]) if len(parts[i : i + 2]) == 2 else parts[i] for i in range(0, len(parts), 2)
            ]
        return parts[0]

    return joined


_LOGIC: dict[str, Callable[[Sequence[Column]], Column]] = {
    "and": _balanced(lambda a, b: a & b),
    "or": _balanced(lambda a, b: a | b),
}


def _comparison(expr: p.Call, args: list[Column]) -> Column:
    kinds = [arg.type for arg in expr.args]
    left, right = (as_argument(a, k) for a, k in zip(args, kinds, strict=True))
    if kinds[0] == DYNAMIC:
        return _with_dynamic(expr.function, left, right, kinds[1])
    if kinds[1] == DYNAMIC:
        return _with_dynamic(_TURNED.get(expr.function, expr.function), right, left, kinds[0])
    return operators.COMPARISONS[expr.function](left, right, kinds[0])


_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _with_dynamic(op: str, value: Column, other: Column, kind: Type) -> Column:
    """Compares a dynamic value with a scalar of the same kind: text, number or bool. How Kusto compares other kinds is
    not known."""
    held = dynamic.kind(value)
    compare = operators.COMPARISONS[op]
    if kind == STRING:
        fits, compared = held == "string", compare(dynamic.text(value), other, STRING)
    elif kind == BOOL:
        fits, compared = held == "bool", compare(value.cast("boolean"), other, BOOL)
    else:
        fits = held.isin("long", "double")
        whole = compare(value.cast("bigint"), other.cast("bigint"), LONG)
        real = compare(value.cast("double"), other.cast("double"), REAL)
        compared = F.when((held == "long") & F.lit(kind != REAL), whole).otherwise(real)
    of_null = F.lit(op == "!=") if op in ("==", "!=") else F.lit(None).cast("boolean")
    wrong = f"{op} of a {kind} and a dynamic value of another type is not supported: convert one"
    return F.when(held == "null", of_null).otherwise(refuse(~fits, wrong, compared))


def _compared(op: str, value: Column, item: Column, kinds: tuple[Type, Type]) -> Column:
    """A comparison of a value with an element that is not a constant."""
    if DYNAMIC in kinds and kinds[0] != kinds[1]:
        text = [dynamic.text(v) if k == DYNAMIC else v for v, k in zip((value, item), kinds, strict=True)]
        if STRING in kinds:
            is_text = dynamic.is_string(item if kinds[1] == DYNAMIC else value)
            if op in ("==", "!="):
                return is_text & (text[0] == text[1])
            return is_text & operators.search(op, text[0], text[1], None)
        return encoded(value, kinds[0]) == encoded(item, kinds[1])
    if op in operators.COMPARISONS:
        return operators.COMPARISONS[op](value, item, kinds[0])
    if kinds[0] == DYNAMIC:
        value, item = dynamic.text(value), dynamic.text(item)
    return operators.search(op, value, item, None)


def _arithmetic(expr: p.Call, args: list[Column]) -> Column:
    result = operators.ARITHMETIC[expr.function](args[0], args[1], (expr.args[0].type, expr.args[1].type))
    return operators.within_calendar(result) if expr.type == DATETIME else result


def _search(expr: p.Call, args: list[Column]) -> Column:
    return operators.search(expr.function, args[0], args[1], _constant(expr.args[1]))


def _matches(expr: p.Call, args: list[Column]) -> Column:
    return regular.matches(args[0], args[1], _constant(expr.args[1]))


def _constant(expr: p.Expr) -> str | None:
    return str(expr.value or "") if isinstance(expr, p.Const) and expr.type == STRING else None


def _negate(expr: p.Call, args: list[Column]) -> Column:
    return -args[0]


def _as_dynamic(expr: p.Call, args: list[Column]) -> Column:
    return encoded(args[0], expr.args[0].type)


def _path(expr: p.Call, args: list[Column]) -> Column:
    """Access to a path. Consecutive names that JSON paths support are combined, so the text is parsed once."""
    value = as_argument(args[0], expr.args[0].type)
    together = ""
    for step, compiled in zip(expr.args[1:], args[1:], strict=True):
        written = _written_step(step)
        if written is not None:
            together += written
            continue
        value = dynamic.member(value, together) if together else value
        together = ""
        value = _STEPS[step.type](value, compiled)
    return dynamic.member(value, together) if together else value


def _written_step(step: p.Expr) -> str | None:
    if not isinstance(step, p.Const):
        return None
    if step.type == STRING and isinstance(step.value, str) and step.value and not set(step.value) & set("'*\\]["):
        return f"['{step.value}']"
    if isinstance(step.value, int) and step.type in (INT, LONG) and step.value >= 0:
        return f"[{step.value}]"
    return None


def _dynamic_step(value: Column, step: Column) -> Column:
    """A step that is itself dynamic: a name, or an index."""
    index = F.when(dynamic.kind(step) == "long", step.cast("bigint"))
    return F.when(dynamic.is_string(step), dynamic.property_of(value, dynamic.text(step))).otherwise(
        dynamic.item(value, index)
    )


_STEPS: dict[Type, Callable[[Column, Column], Column]] = {
    STRING: dynamic.property_of,
    INT: dynamic.item,
    LONG: dynamic.item,
    DYNAMIC: _dynamic_step,
}


def _parsed(expr: p.Call, args: list[Column]) -> Column:
    """The groups of a pattern of `parse`; null if the text does not match."""
    return regular.first_groups(args[0], _constant(expr.args[1]) or "")


def _group(expr: p.Call, args: list[Column]) -> Column:
    return F.coalesce(F.get(args[0], args[1].cast("int")), F.lit(""))


def _pairs(expr: p.Call, args: list[Column]) -> Column:
    options = [_constant(arg) or "" for arg in expr.args[1:]]
    return java_function("parse-kv", "array<string>", args[0], options)


def _pairs_matched(expr: p.Call, args: list[Column]) -> Column:
    pattern, *keys = (_constant(arg) or "" for arg in expr.args[1:])
    rows = dynamic.elements(regular.extract_all(pattern, args[0]))
    matched = F.transform(rows, lambda row: F.transform(dynamic.elements(row), dynamic.text))

    def value_of(found: Column, key: str) -> Column:
        return F.trim(F.get(F.filter(found, lambda pair: F.trim(pair[0]) == key), F.lit(0))[1])

    return named(matched, lambda found: F.array(*(value_of(found, key) for key in keys)))


_SEARCHES = frozenset(
    [
        "=~",
        "!~",
        *(f"{negation}{name}{case}" for name in text.SEARCHES for negation in ("", "!") for case in ("", "_cs")),
    ]
)

_OPERATORS: list[tuple[frozenset[str], Callable[[p.Call, list[Column]], Column]]] = [
    (frozenset(operators.COMPARISONS), _comparison),
    (_SEARCHES, _search),
    (frozenset(["matches regex"]), _matches),
    (frozenset(operators.ARITHMETIC), _arithmetic),
    (frozenset(["negate"]), _negate),
    (frozenset([p.AS_DYNAMIC]), _as_dynamic),
    (frozenset([p.PATH]), _path),
    (frozenset([PARSED]), _parsed),
    (frozenset([GROUP]), _group),
    (frozenset([PAIRS]), _pairs),
    (frozenset([PAIRS_MATCHED]), _pairs_matched),
]

_LISTED = [f"{quantifier} {op}" for quantifier in (p.ANY, p.EVERY) for op in ("==", "=~", "has")]

_WHOLE: dict[str, Callable[[Expressions, p.Call], Column]] = {
    **dict.fromkeys(_LOGIC, Expressions._logic),
    **dict.fromkeys(MEMBERSHIP, Expressions._membership),
    **dict.fromkeys(_LISTED, Expressions._listed),
}
"""Functions that compile their arguments themselves."""

_LEAVES: dict[type[p.Expr], Callable[..., Column]] = {
    p.Const: Expressions._constant,
    p.Now: Expressions._now,
    p.ColumnRef: Expressions._ref,
    p.OuterRef: Expressions._outer,
    p.Ingested: Expressions._ingested,
    p.ScalarQuery: Expressions.query,
    p.ListQuery: Expressions.query,
}
