"""The syntax tree, before names and types are resolved. Every node has its position.

Source of the operators' syntax: learn.microsoft.com/kusto/query."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from lakehunt.kql.errors import Span
from lakehunt.kql.types import Type


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
class TypeLiteral(Expr):
    """`typeof(long)`."""

    type: Type


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


@dataclass(frozen=True)
class TermSearch(Expr):
    """A bare term of `search`: `"mimikatz"`, or `column: "mimikatz"`; `*` at either end is a wildcard."""

    text: str
    column: str | None


def rewritten(expr: Expr, change: Callable[[Expr], Expr | None]) -> Expr:
    """The expression with each part replaced for which `change` returns another one; subqueries are not changed."""
    made = change(expr)
    if made is not None:
        return made
    if isinstance(expr, Binary):
        return _rewritten_chain(expr, change)
    changed: dict[str, object] = {}
    for entry in fields(expr):
        value = getattr(expr, entry.name)
        if isinstance(value, Expr) and not isinstance(value, _TABULAR):
            changed[entry.name] = rewritten(value, change)
        elif isinstance(value, tuple) and value and all(isinstance(v, Expr) for v in value):
            changed[entry.name] = tuple(v if isinstance(v, _TABULAR) else rewritten(v, change) for v in value)
    return replace(expr, **changed) if changed else expr  # type: ignore[arg-type]


def parts(expr: Expr) -> list[Expr]:
    """The expression and its parts, without those of subqueries."""
    found: list[Expr] = []
    rewritten(expr, found.append)
    return found


def _rewritten_chain(expr: Binary, change: Callable[[Expr], Expr | None]) -> Expr:
    """Iterative: a chain of hundreds of operators is one deep left branch."""
    chain: list[Binary] = []
    left: Expr = expr
    made = None
    while made is None and isinstance(left, Binary):
        chain.append(left)
        left = left.left
        made = change(left) if isinstance(left, Binary) else None
    result = made if made is not None else rewritten(left, change)
    for link in reversed(chain):
        result = replace(link, left=result, right=rewritten(link.right, change))
    return result


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
class Range(Expr):
    """`range x from 1 to 10 step 2`."""

    name: str
    start: Expr
    stop: Expr
    step: Expr


@dataclass(frozen=True)
class ExternalData(Expr):
    """`externaldata (a: long) ["https://..."] with (format="csv")`."""

    columns: tuple[tuple[str, Type], ...]
    addresses: tuple[str, ...]
    options: tuple[tuple[str, str], ...]


Options = dict[str, "Name | Literal"]
"""Parameters of an operator such as `kind=inner`, without hints."""


@dataclass(frozen=True)
class Operator(Node):
    """One step of a pipeline."""


@dataclass(frozen=True)
class Pipeline(Expr):
    """`source | operator | operator`."""

    source: Expr
    operators: tuple[Operator, ...]


_TABULAR = (Pipeline, DataTable, Print, Range, ExternalData)


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
    """`project-away a, b*`: names may contain `*` wildcards."""

    patterns: tuple[Name, ...]


@dataclass(frozen=True)
class ProjectKeep(Operator):
    patterns: tuple[Name, ...]


@dataclass(frozen=True)
class ProjectByNames(Operator):
    """`project-by-names "a", dynamic(["b", "c*"])`: names, arrays of names, and patterns with `*`."""

    items: tuple[Expr, ...]


@dataclass(frozen=True)
class ProjectRename(Operator):
    items: tuple[Expr, ...]


@dataclass(frozen=True)
class ProjectReorder(Operator):
    """`project-reorder b, a* asc`: each pattern with the order of its columns."""

    patterns: tuple[tuple[Name, str], ...]


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
class Nest(Node):
    """One level of `top-nested`: `3 of State with others = "other" by sum(Damage) desc`; `count` None keeps all."""

    count: Expr | None
    of: Expr
    others: Expr | None
    by: Expr
    descending: bool


@dataclass(frozen=True)
class TopNested(Operator):
    levels: tuple[Nest, ...]


@dataclass(frozen=True)
class Distinct(Operator):
    items: tuple[Expr, ...]


@dataclass(frozen=True)
class Count(Operator):
    """`count as name`."""

    name: str


@dataclass(frozen=True)
class TopHitters(Operator):
    """`top-hitters 3 of State by Damage`; without `by`, the most frequent ones."""

    count: Expr
    of: Name
    by: Expr | None


@dataclass(frozen=True)
class Serialize(Operator):
    items: tuple[Expr, ...]


@dataclass(frozen=True)
class As(Operator):
    name: str


@dataclass(frozen=True)
class GetSchema(Operator):
    pass


@dataclass(frozen=True)
class Render(Operator):
    """`render`: how a portal draws the rows, which it does not change."""


@dataclass(frozen=True)
class Join(Operator):
    """`join kind=inner (right) on key, $left.a == $right.b`; `lookup` if `lookup` is set."""

    right: Expr
    on: tuple[Expr, ...]
    options: Options
    lookup: bool


@dataclass(frozen=True)
class Union(Operator):
    """`union A, B`; as the start of a pipeline, its source is an `Empty`."""

    tables: tuple[Expr, ...]
    options: Options


@dataclass(frozen=True)
class Empty(Expr):
    """The missing source of an operator that starts a pipeline: `union A, B`, `search "x"`, the body of `mv-apply`."""


@dataclass(frozen=True)
class Search(Operator):
    predicate: Expr
    tables: tuple[Expr, ...]
    options: Options


@dataclass(frozen=True)
class Find(Operator):
    """`columns` of `project`: a name, a name with a type, or a star for `pack_all()`; none without `project`."""

    predicate: Expr
    tables: tuple[Expr, ...]
    columns: tuple[Name | Captured | Star, ...]
    options: Options


@dataclass(frozen=True)
class Expanded(Node):
    """One column of `mv-expand` or `mv-apply`: `name = value to typeof(long)`."""

    name: str | None
    value: Expr
    type: Type | None


@dataclass(frozen=True)
class MvExpand(Operator):
    items: tuple[Expanded, ...]
    limit: Expr | None
    options: Options


@dataclass(frozen=True)
class MvApply(Operator):
    items: tuple[Expanded, ...]
    limit: Expr | None
    body: Expr
    options: Options


@dataclass(frozen=True)
class Captured(Node):
    """A column of `parse`: `name: type`."""

    name: str
    type: Type


@dataclass(frozen=True)
class Parse(Operator):
    """`parse text with * "from " host " port " port: int`: texts (Literal), columns (Captured) and `*` in their order.

    With `where`, it is `parse-where`, which drops rows that do not match."""

    value: Expr
    pattern: tuple[Literal | Captured | Star, ...]
    options: Options
    where: bool


@dataclass(frozen=True)
class ParseKv(Operator):
    value: Expr
    columns: tuple[Captured, ...]
    options: Options


@dataclass(frozen=True)
class MakeSeries(Operator):
    """Aggregates with their defaults, over an axis from `start` to `stop` by `step`."""

    aggregates: tuple[tuple[Expr, Expr | None], ...]
    axis: Expr
    start: Expr | None
    stop: Expr | None
    step: Expr
    keys: tuple[Expr, ...]
    options: Options


@dataclass(frozen=True)
class Partition(Operator):
    key: Expr
    body: Expr


@dataclass(frozen=True)
class Step(Node):
    """A step of `scan`: `step name: condition => column = value, ...;`."""

    name: str
    condition: Expr
    assignments: tuple[Expr, ...]
    options: Options


@dataclass(frozen=True)
class Scan(Operator):
    declared: tuple[tuple[Captured, Expr | None], ...]
    steps: tuple[Step, ...]
    options: Options


@dataclass(frozen=True)
class Evaluate(Operator):
    """`evaluate bag_unpack(d) : (a: long)`; `columns` is None where no schema is given."""

    plugin: Call
    columns: tuple[Captured | Star, ...] | None


@dataclass(frozen=True)
class Invoke(Operator):
    call: Call


# Statements


@dataclass(frozen=True)
class Let(Node):
    """`let name = value;`"""

    name: str
    value: Expr
    name_span: Span


@dataclass(frozen=True)
class SetOption(Node):
    """`set name = value;`, an option that results depend on."""

    name: str
    value: Expr


@dataclass(frozen=True)
class Parameter(Node):
    """A parameter of a function: scalar (`type`), or tabular with its required columns."""

    name: str
    type: Type | None
    columns: tuple[Captured, ...]
    default: Expr | None


@dataclass(frozen=True)
class LetFunction(Node):
    """`let name = (a: long, T: (x: long, *)) { body };`"""

    name: str
    parameters: tuple[Parameter, ...]
    body: Query
    name_span: Span
    view: bool


Statement = Let | LetFunction | SetOption
"""What stands before a query's expression."""


@dataclass(frozen=True)
class Query(Node):
    """A whole query text: let statements and options, then one expression."""

    lets: tuple[Statement, ...]
    body: Expr
