"""The typed tree: what a query means. Names are resolved, every expression has a type, sugar is gone.

A backend needs one function for each class here, and one for each function name in an `Apply` or `Aggregation`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pipelines.kql.errors import Span
from pipelines.kql.types import Schema, Type

# Scalar expressions


@dataclass(frozen=True)
class Expr:
    type: Type
    span: Span


@dataclass(frozen=True)
class Const(Expr):
    """A constant: None (null), bool, int (also ticks), float, Decimal, str, or JSON data for dynamic."""

    value: object


@dataclass(frozen=True)
class Now(Expr):
    """The one instant that a whole query calls now."""


@dataclass(frozen=True)
class Ref(Expr):
    """A column of the source."""

    name: str


@dataclass(frozen=True)
class Apply(Expr):
    """An operator or scalar function, by its KQL name, on arguments of the types that it asked for."""

    function: str
    args: tuple[Expr, ...]


@dataclass(frozen=True)
class Aggregation:
    """An aggregate function on its arguments; `names` are the columns it makes (several for `any(A, B)`)."""

    names: tuple[str, ...]
    types: tuple[Type, ...]
    function: str
    args: tuple[Expr, ...]
    span: Span


# Tabular expressions


@dataclass(frozen=True)
class Plan:
    schema: Schema

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.schema]


@dataclass(frozen=True)
class Scan(Plan):
    """A stored table. Where `since` or `until` is set, rows whose time lies outside (in ticks) need not be read."""

    table: str
    span: Span
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True)
class Rows(Plan):
    """Rows written out in the query; a row is a tuple of constants."""

    rows: tuple[tuple[object, ...], ...]


@dataclass(frozen=True)
class Filter(Plan):
    """Rows for which the predicate is true (not null, not false)."""

    source: Plan
    predicate: Expr


@dataclass(frozen=True)
class Project(Plan):
    """One expression for each column: `extend`, `project` and all of its family."""

    source: Plan
    expressions: tuple[Expr, ...]


@dataclass(frozen=True)
class Summarize(Plan):
    """Groups: the keys, then the aggregates' columns. Without keys there is one group, even if there are no rows."""

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
class Take(Plan):
    """The first rows: in the order of a sort before it, else in the written order (see docs/kql.md, determinism)."""

    source: Plan
    count: int


def sources(plan: Plan) -> tuple[Plan, ...]:
    """The plans that this one reads directly."""
    source = getattr(plan, "source", None)
    return () if source is None else (source,)


def with_sources(plan: Plan, new: list[Plan]) -> Plan:
    """The same step over other sources, given in the order of `sources`."""
    return replace(plan, source=new[0]) if new else plan  # type: ignore[call-arg]


def walk(plan: Plan) -> Iterator[Plan]:
    """This plan and all beneath it, top down."""
    yield plan
    for source in sources(plan):
        yield from walk(source)


def terms(expr: Expr, op: str) -> list[Expr]:
    """The terms of a chain of `and` or `or`, in order."""
    found: list[Expr] = []
    waiting = [expr]
    while waiting:
        term = waiting.pop()
        if isinstance(term, Apply) and term.function == op:
            waiting.extend(reversed(term.args))
        else:
            found.append(term)
    return found


def references(expr: Expr) -> set[str]:
    """Names of all columns that an expression reads."""
    found: set[str] = set()
    waiting = [expr]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Ref):
            found.add(part.name)
        elif isinstance(part, Apply):
            waiting.extend(part.args)
    return found


def needed(plan: Plan, part: Plan) -> set[str]:
    """Names of the columns of `part`, a plan beneath `plan` on its one line of sources, that `plan` reads."""
    wanted = set(plan.names)
    while plan is not part:
        wanted = _read_by(plan, wanted)
        (plan,) = sources(plan)
    return wanted


def _read_by(step: Plan, wanted: set[str]) -> set[str]:
    """The columns that a step needs of its source to give the wanted ones."""
    if isinstance(step, Filter):
        return wanted | references(step.predicate)
    if isinstance(step, Sort):
        return wanted.union(*(references(key.value) for key in step.keys))
    if isinstance(step, Project):
        return set().union(*(references(expr) for expr in step.expressions))
    if isinstance(step, Summarize):
        read = [*(key for _, key in step.keys), *(arg for a in step.aggregates for arg in a.args)]
        return set().union(*(references(expr) for expr in read))
    return wanted
