"""The syntax tree: what the text says, nothing resolved. Every node knows its place.

Source of the operators' forms: learn.microsoft.com/kusto/query."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.kql.errors import Span
from pipelines.kql.types import Type


@dataclass(frozen=True)
class Node:
    span: Span


# Scalar expressions


@dataclass(frozen=True)
class Expr(Node):
    pass


@dataclass(frozen=True)
class Name(Expr):
    """A column, a variable or a table."""

    name: str


@dataclass(frozen=True)
class Literal(Expr):
    """A constant. `value` is None (null), bool, int (also ticks), float, Decimal, str or, for dynamic, JSON data."""

    type: Type
    value: object


@dataclass(frozen=True)
class Star(Expr):
    """`*` as an argument or a column."""


@dataclass(frozen=True)
class Call(Expr):
    """A function called by its name."""

    name: str
    args: tuple[Expr, ...]
    name_span: Span


@dataclass(frozen=True)
class Unary(Expr):
    op: str
    operand: Expr


@dataclass(frozen=True)
class Binary(Expr):
    op: str
    left: Expr
    right: Expr
    op_span: Span


@dataclass(frozen=True)
class InList(Expr):
    """`x in (a, b)` and its relatives `!in`, `in~`, `!in~`, `has_any`, `has_all`. The list may be one pipeline."""

    op: str
    operand: Expr
    items: tuple[Expr, ...]
    op_span: Span


@dataclass(frozen=True)
class Between(Expr):
    """`x between (low .. high)` or `!between`."""

    op: str
    operand: Expr
    low: Expr
    high: Expr


@dataclass(frozen=True)
class Path(Expr):
    """`value.name`."""

    value: Expr
    name: str


@dataclass(frozen=True)
class Index(Expr):
    """`value[index]`."""

    value: Expr
    index: Expr


@dataclass(frozen=True)
class Named(Expr):
    """`name = expression`; several names where a function returns several columns."""

    names: tuple[str, ...]
    value: Expr


# Tabular expressions


@dataclass(frozen=True)
class DataTable(Expr):
    """`datatable (a: long, b: string) [1, 'x', 2, 'y']`."""

    columns: tuple[tuple[str, Type], ...]
    values: tuple[Expr, ...]


@dataclass(frozen=True)
class Print(Expr):
    items: tuple[Expr, ...]


@dataclass(frozen=True)
class Operator(Node):
    """One step of a pipeline."""


@dataclass(frozen=True)
class Pipeline(Expr):
    """`source | operator | operator`."""

    source: Expr
    operators: tuple[Operator, ...]


@dataclass(frozen=True)
class Where(Operator):
    predicate: Expr


@dataclass(frozen=True)
class Extend(Operator):
    items: tuple[Expr, ...]


@dataclass(frozen=True)
class Project(Operator):
    items: tuple[Expr, ...]


@dataclass(frozen=True)
class ProjectAway(Operator):
    """`project-away a, b*`: the names are patterns in which `*` stands for any text."""

    patterns: tuple[Name, ...]


@dataclass(frozen=True)
class ProjectKeep(Operator):
    patterns: tuple[Name, ...]


@dataclass(frozen=True)
class ProjectRename(Operator):
    items: tuple[Expr, ...]


@dataclass(frozen=True)
class Summarize(Operator):
    aggregates: tuple[Expr, ...]
    keys: tuple[Expr, ...]


@dataclass(frozen=True)
class SortKey(Node):
    value: Expr
    descending: bool
    nulls_first: bool


@dataclass(frozen=True)
class Sort(Operator):
    keys: tuple[SortKey, ...]


@dataclass(frozen=True)
class Take(Operator):
    count: Expr


@dataclass(frozen=True)
class Top(Operator):
    count: Expr
    key: SortKey


@dataclass(frozen=True)
class Distinct(Operator):
    items: tuple[Expr, ...]


@dataclass(frozen=True)
class Count(Operator):
    pass


# Statements


@dataclass(frozen=True)
class Let(Node):
    """`let name = value;`"""

    name: str
    value: Expr
    name_span: Span


@dataclass(frozen=True)
class Query(Node):
    """A whole query text: let statements, then one expression."""

    lets: tuple[Let, ...]
    body: Expr
