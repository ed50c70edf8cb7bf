"""The typed plan of a query: names are resolved, every expression has a type, and syntactic sugar is expanded.

A backend needs one function for each class here, and one for each function name in a `Call` or `Aggregation`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property
from typing import Any, TypeVar, cast

from lakehunt.kql.errors import Span
from lakehunt.kql.types import BOOL, Schema, Type

# Scalar expressions


@dataclass(frozen=True)
class Expr:
    type: Type
    span: Span


@dataclass(frozen=True)
class Const(Expr):
    """A constant: None (null), bool, int (also ticks), float, Decimal, str, JSON data for dynamic, or a Type."""

    value: object


@dataclass(frozen=True)
class Now(Expr):
    """`now()`, the same instant in the whole query."""


@dataclass(frozen=True)
class ColumnRef(Expr):
    """A column of the source."""

    name: str


@dataclass(frozen=True)
class Call(Expr):
    """An operator or scalar function, by its KQL name; arguments are already converted to its parameter types.

    `and` and `or` have two or more arguments: a chain is one call, see `chained`."""

    function: str
    args: tuple[Expr, ...]


AS_DYNAMIC = "as dynamic"
"""The function that converts any value to dynamic; `todynamic` would parse a string as JSON."""


PATH = "path"
"""The function that accesses a path in a value; steps are names (strings) and indexes."""

ANY, EVERY = "any", "every"
"""Quantified comparisons: `any ==` of a value and an array or a ListQuery is true if some element is equal."""


@dataclass(frozen=True)
class WindowCall(Call):
    """A window function: it reads neighbouring rows, in order."""


@dataclass(frozen=True)
class LookupCall(Call):
    """A function whose result is found in a table, the rows of `plan`."""

    plan: Plan


@dataclass(frozen=True)
class OuterRef(Expr):
    """A column of the row that the body of `mv-apply` is applied to, `level` bodies further out."""

    name: str
    level: str


@dataclass(frozen=True)
class ScalarQuery(Expr):
    """`toscalar(T)`: the first column of the first row, or null."""

    plan: Plan


@dataclass(frozen=True)
class ListQuery(Expr):
    """The first column of a table, as the list of `in` or `has_any`."""

    plan: Plan


@dataclass(frozen=True)
class Aggregation:
    """An aggregate function with its arguments; `names` are its result columns (several for `any(A, B)`)."""

    names: tuple[str, ...]
    types: tuple[Type, ...]
    function: str
    args: tuple[Expr, ...]
    span: Span


HIDDEN = "$$"
"""Prefix of a backend's own columns; no column of a plan has such a name."""


# Tabular expressions


@dataclass(frozen=True)
class Plan:
    schema: Schema

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.schema]

    @cached_property
    def children(self) -> tuple[Plan, ...]:
        """See `sources`. Kept, because every walk over a plan asks for them."""
        found: list[Plan] = []
        _rebuilt(self, lambda inner: found.append(inner) or inner, top=True)  # type: ignore[func-returns-value]
        return tuple(found)


@dataclass(frozen=True)
class Scan(Plan):
    """A stored table. With `since` or `until` (ticks), rows whose time is outside need not be read."""

    table: str
    span: Span
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True)
class External(Plan):
    """Files outside of the lake, read as text of a format (csv, tsv, txt, json, ...)."""

    addresses: tuple[str, ...]
    format: str
    has_header: bool
    span: Span


@dataclass(frozen=True)
class Ingested(Expr):
    """`ingestion_time()`: when the row was added to its table."""


@dataclass(frozen=True)
class Values(Plan):
    """Rows written out in the query; a row is a tuple of constants."""

    rows: tuple[tuple[object, ...], ...]


@dataclass(frozen=True)
class Filter(Plan):
    """Rows for which the predicate is true (not null, not false)."""

    source: Plan
    predicate: Expr


@dataclass(frozen=True)
class Project(Plan):
    """One expression per column: `extend`, `project` and its variants."""

    source: Plan
    expressions: tuple[Expr, ...]


@dataclass(frozen=True)
class Summarize(Plan):
    """Groups rows: the keys, then the aggregates' columns. Without keys there is one group, even without rows."""

    source: Plan
    keys: tuple[tuple[str, Expr], ...]
    aggregates: tuple[Aggregation, ...]


@dataclass(frozen=True)
class SortKey:
    value: Expr
    descending: bool
    nulls_first: bool


@dataclass(frozen=True)
class Sort(Plan):
    source: Plan
    keys: tuple[SortKey, ...]


@dataclass(frozen=True)
class Serialize(Plan):
    """Fixes the order of the rows for window functions."""

    source: Plan


@dataclass(frozen=True)
class Take(Plan):
    """The first rows: in the order of a preceding sort, else in the deterministic row order (docs/reference/kql.md)."""

    source: Plan
    count: int


@dataclass(frozen=True)
class Range(Plan):
    """One column of numbers or times from `start` to `stop` by `step`, all of the column's type."""

    start: Expr
    stop: Expr
    step: Expr


@dataclass(frozen=True)
class Join(Plan):
    """`kind` is one of inner, innerunique, left, right, full, leftsemi, leftanti, rightsemi, rightanti.

    `keys` are the names that must be equal; nulls are equal. `columns` gives the origin of each column of the schema:
    whether it is from the left source, and its name there."""

    left: Plan
    right: Plan
    kind: str
    keys: tuple[tuple[str, str], ...]
    columns: tuple[tuple[bool, str], ...]


@dataclass(frozen=True)
class Union(Plan):
    """The rows of all sources, which all have this schema. `left_out` are tables and functions that do not exist, and
    whose operands `isfuzzy=true` leaves out."""

    tables: tuple[Plan, ...]
    left_out: tuple[tuple[str, Span], ...] = ()


@dataclass(frozen=True)
class Expanded:
    """A column of `mv-expand`: the elements of `value`, converted to `type`."""

    name: str
    value: Expr
    type: Type


@dataclass(frozen=True)
class Expand(Plan):
    """One row per element: the source's columns, those of `items` (replacing columns of the same name, or appended),
    and the element's number (from 0) as `index`. `in_arrays`: a property of a bag is [name, value], not {name:
    value}."""

    source: Plan
    items: tuple[Expanded, ...]
    index: str | None
    in_arrays: bool
    limit: int

    @property
    def made(self) -> set[str]:
        """The names of the elements and of their number."""
        return {item.name for item in self.items} | ({self.index} if self.index else set())


@dataclass(frozen=True)
class Given(Plan):
    """The rows that a body of `mv-apply` or `partition` is applied to."""

    name: str


@dataclass(frozen=True)
class PerGroup(Plan):
    """Applies `body` to each group of source rows with the same `key`.

    Without a key every source row is a group (`mv-apply`); an `OuterRef` of the level `given` reads its columns, which
    precede the body's in the result, except those in `hidden`."""

    source: Plan
    key: Expr | None
    rows: Expand | None
    body: Plan
    given: str
    kept: tuple[str, ...]


@dataclass(frozen=True)
class Nest:
    """A level of `top-nested`: the `count` (None: all) best values of `of` by an aggregate."""

    count: int | None
    name: str
    of: Expr
    aggregate: Aggregation
    descending: bool


@dataclass(frozen=True)
class TopNested(Plan):
    source: Plan
    levels: tuple[Nest, ...]


@dataclass(frozen=True)
class Series(Plan):
    """`make-series`: for each group, the axis, and an array of each aggregate over the bins of the axis.

    Bins start at `start`, or at the group's smallest value, and end before `stop`, or with the largest value.
    `nonempty`: without rows and keys, the result is one series of defaults."""

    source: Plan
    keys: tuple[tuple[str, Expr], ...]
    aggregates: tuple[Aggregation, ...]
    defaults: tuple[Expr, ...]
    axis: tuple[str, Expr]
    start: Expr | None
    stop: Expr | None
    step: Expr
    nonempty: bool


@dataclass(frozen=True)
class Step:
    """A step of `scan`: `assignments` set columns where the condition holds."""

    name: str
    condition: Expr
    assignments: tuple[tuple[str, Expr], ...]
    output: str


@dataclass(frozen=True)
class ScanRows(Plan):
    """The operator `scan`: a state machine over ordered rows; `declared` columns hold its state."""

    source: Plan
    declared: tuple[tuple[str, Expr], ...]
    steps: tuple[Step, ...]
    match_id: str | None


@dataclass(frozen=True)
class Pivot(Plan):
    """One column for each of `values` of the key column: an aggregate over the rows with that value."""

    source: Plan
    pivoted: str
    values: tuple[str, ...]
    aggregate: Aggregation
    keys: tuple[str, ...]


Part = TypeVar("Part")


def sources(plan: Plan) -> tuple[Plan, ...]:
    """The direct children of a plan, including those in its expressions, in field order."""
    return plan.children


def with_sources(plan: Plan, new: Callable[[Plan], Plan]) -> Plan:
    """The plan with each direct child replaced."""
    return _rebuilt(plan, new, top=True)


def _rebuilt(part: Part, new: Callable[[Plan], Plan], top: bool = False) -> Part:
    """A part of a tree with its plans replaced; the same object if nothing changed."""
    if isinstance(part, Plan) and not top:
        return new(part)  # type: ignore[return-value]
    if isinstance(part, tuple) and not hasattr(part, "_fields"):
        items = tuple(_rebuilt(item, new) for item in part)
        return part if all(a is b for a, b in zip(items, part, strict=True)) else items  # type: ignore[return-value]
    if not isinstance(part, _NODES) or (isinstance(part, Expr) and not _has_query(part)):
        return part
    changed = {}
    node: Any = type(part)
    for entry in _field_names(node):
        value = getattr(part, entry)
        made = _rebuilt(value, new)
        if made is not value:
            changed[entry] = made
    return replace(part, **changed) if changed else part


def _has_query(expr: Expr) -> bool:
    """Whether the expression contains a plan. Iterative, as there are chains of hundreds of `or`."""
    return any(isinstance(part, (ScalarQuery, ListQuery, LookupCall)) for part in parts(expr))


@cache
def _field_names(node: Any) -> tuple[str, ...]:
    """The fields that may contain a plan or an expression."""
    return tuple(f.name for f in fields(node) if f.name not in _PLAIN)


_PLAIN = ("schema", "span", "type", "types", "names", "name", "left_out")

_NODES = (Plan, Call, ScalarQuery, ListQuery, Aggregation, SortKey, Expanded, Nest, Step)


def walk(plan: Plan) -> Iterator[Plan]:
    """This plan and its descendants, top down."""
    waiting = [plan]
    while waiting:
        step = waiting.pop()
        yield step
        waiting.extend(reversed(sources(step)))


def distinct(plan: Plan) -> Iterator[Plan]:
    """This plan and its descendants, each object once, however often it is used."""
    waiting, seen = [plan], {id(plan)}
    while waiting:
        step = waiting.pop()
        yield step
        new = [source for source in sources(step) if id(source) not in seen]
        seen.update(id(source) for source in new)
        waiting.extend(new)


def chained(op: str, conditions: Sequence[Expr], span: Span) -> Expr:
    """The conditions joined by `and` or `or`, in their order; the condition itself if there is only one.

    A chain is one call, however long it is and wherever its parentheses are: as both operators are associative, the
    value is the same, and no plan is as deep as a hunt has conditions."""
    parts = [part for condition in conditions for part in _operands(condition, op)]
    return Call(BOOL, span, op, tuple(parts)) if len(parts) > 1 else parts[0]


def _operands(expr: Expr, op: str) -> tuple[Expr, ...]:
    return expr.args if isinstance(expr, Call) and expr.function == op else (expr,)


def terms(expr: Expr, op: str) -> list[Expr]:
    """The terms of a chain of `and` or `or`, in order."""
    found: list[Expr] = []
    waiting = [expr]
    while waiting:
        term = waiting.pop()
        if isinstance(term, Call) and term.function == op:
            waiting.extend(reversed(term.args))
        else:
            found.append(term)
    return found


def parts(expr: Expr) -> Iterator[Expr]:
    """This expression and its descendants, except those of subqueries."""
    waiting = [expr]
    while waiting:
        part = waiting.pop()
        yield part
        if isinstance(part, Call):
            waiting.extend(part.args)


def expressions(plan: Plan) -> Iterator[Expr]:
    """All expressions, and their parts, of a plan and its descendants."""
    for step in walk(plan):
        for entry in _field_names(cast(Any, type(step))):
            yield from _expressions_in(getattr(step, entry))


def _expressions_in(value: object) -> Iterator[Expr]:
    if isinstance(value, Expr):
        yield from parts(value)
    elif isinstance(value, tuple):
        for item in value:
            yield from _expressions_in(item)
    elif isinstance(value, (Aggregation, SortKey, Expanded, Nest, Step)):
        for entry in _field_names(cast(Any, type(value))):
            yield from _expressions_in(getattr(value, entry))


def references(expr: Expr) -> set[str]:
    """Names of all columns that an expression reads."""
    return {part.name for part in parts(expr) if isinstance(part, ColumnRef)}


def transformed(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """The expression with `change` applied to every part, bottom up.

    Iterates over left branches instead of recursing: real hunts have chains of hundreds of operators."""
    chain: list[Call] = []
    while isinstance(expr, Call) and expr.args:
        chain.append(expr)
        expr = expr.args[0]
    result = change(expr)
    for apply in reversed(chain):
        rest = (transformed(arg, change) for arg in apply.args[1:])
        result = change(replace(apply, args=(result, *rest)))
    return result


def needed(plan: Plan, part: Plan) -> set[str]:
    """Names of the columns that `plan` reads of `part`, a descendant (compared by identity)."""
    return all_needed(plan).get(id(part), set())


def all_needed(plan: Plan) -> dict[int, set[str]]:
    """For each step of a plan, by its id, the names of its columns that the steps above it read."""
    found = {id(plan): set(plan.names)}
    for step in _top_down(plan):
        read: dict[int, set[str]] = {}
        for source, names in _read_by(step, found[id(step)]):
            read.setdefault(id(source), set()).update(names)
        for source in sources(step):
            found.setdefault(id(source), set()).update(read.get(id(source), source.names))
    return found


def _top_down(plan: Plan) -> list[Plan]:
    """Each step once, after all the steps that read it."""
    below: list[Plan] = []
    done: set[int] = set()
    waiting: list[tuple[Plan, bool]] = [(plan, False)]
    while waiting:
        step, is_after = waiting.pop()
        if is_after:
            below.append(step)
        elif id(step) not in done:
            done.add(id(step))
            waiting.append((step, True))
            waiting.extend((source, False) for source in sources(step))
    return below[::-1]


Reads = Iterator[tuple[Plan, set[str]]]
"""The children of a step, each with the columns that the step needs to produce the wanted ones."""


def _read_by(step: Plan, wanted: set[str]) -> Reads:
    """The columns that a step reads of its children; a child of which it needs all columns is left out."""
    reads = _READS.get(type(step))
    if reads:
        yield from reads(step, wanted)


def _read_by_filter(step: Filter, wanted: set[str]) -> Reads:
    yield step.source, wanted | references(step.predicate)


def _read_by_sort(step: Sort, wanted: set[str]) -> Reads:
    yield step.source, wanted.union(*(references(key.value) for key in step.keys))


def _read_by_project(step: Project, wanted: set[str]) -> Reads:
    made = zip(step.names, step.expressions, strict=True)
    yield step.source, set().union(*(references(expr) for name, expr in made if name in wanted))


def _read_by_summarize(step: Summarize, wanted: set[str]) -> Reads:
    read = [*(key for _, key in step.keys), *(arg for a in step.aggregates for arg in a.args)]
    yield step.source, set().union(*(references(expr) for expr in read))


def _read_by_take(step: Take | Serialize, wanted: set[str]) -> Reads:
    yield step.source, wanted


def _read_by_union(step: Union, wanted: set[str]) -> Reads:
    yield from ((table, wanted) for table in step.tables)


def _read_by_join(step: Join, wanted: set[str]) -> Reads:
    given = [side for column, side in zip(step.schema, step.columns, strict=True) if column.name in wanted]
    yield step.left, {name for is_left, name in given if is_left} | {left for left, _ in step.keys}
    yield step.right, {name for is_left, name in given if not is_left} | {right for _, right in step.keys}


_READS: dict[type[Plan], Callable[[Any, set[str]], Reads]] = {
    Filter: _read_by_filter,
    Sort: _read_by_sort,
    Project: _read_by_project,
    Summarize: _read_by_summarize,
    Take: _read_by_take,
    Serialize: _read_by_take,
    Union: _read_by_union,
    Join: _read_by_join,
}
