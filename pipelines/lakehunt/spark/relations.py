"""Compiled plans (`Relation`) and their environment (`Context`); `plans/` has the function for each kind of plan.

Besides the query's columns, a frame has hidden ones, whose names start with `$$`, which the binder does not allow for
columns of a query:

    $$order      the deterministic row order, which decides wherever Kusto's result is arbitrary: an event's
                 (Timestamp, ReportId, content), a group's keys, a datatable row's position
    $$sort0...   the values of the last `sort`
    $$ingested   when a row was added to its stored table, in ticks; lost when rows are grouped or joined
    $$trace      on request, the provenance of a row (see trace.py)
    $$excluded   on request, which exclusions match an event; dropped before rows are combined
    $$outer1...  in a body of `mv-apply`, columns of the row that the body is applied to
    $$row1...    there, and in `partition`, the key of a group of rows
    $$position   the position of the row in a sort, for aggregates that follow it
    $$window1... the result of a window function, until its step is compiled
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeVar

from pyspark.sql import Column, DataFrame, SparkSession, Window

from lakehunt.core.errors import LakehuntError
from lakehunt.kql import plan as p
from lakehunt.kql.types import STRING, Schema
from lakehunt.kql.types import Column as KqlColumn
from lakehunt.spark import geo_ip, trace
from lakehunt.spark.columns import F, select
from lakehunt.spark.expressions import Expressions, as_argument, called, column
from lakehunt.spark.functions.windows import Serial
from lakehunt.spark.values import literal, spark_type, stored

ORDER = "$$order"
WINDOW = "$$window"
POSITION = "$$position"


@dataclass(frozen=True)
class SortedBy:
    """A hidden column with the values of a sort key."""

    column: str
    descending: bool
    nulls_first: bool

    @property
    def ordering(self) -> Column:
        return getattr(column(self.column), _ORDERINGS[self.descending, self.nulls_first])()  # type: ignore[no-any-return]


_ORDERINGS = {
    (False, True): "asc_nulls_first",
    (False, False): "asc_nulls_last",
    (True, True): "desc_nulls_first",
    (True, False): "desc_nulls_last",
}


@dataclass(frozen=True)
class Relation:
    """A frame with the columns of `schema` (in engine types, see values.py) and the hidden ones.

    `groups` are the hidden columns that separate the groups of a body of `mv-apply` or `partition`, and `carried` those
    that are constant within a group. `weights` are sizes of the columns' expressions (see inlining.py)."""

    frame: DataFrame
    schema: Schema
    sorted_by: tuple[SortedBy, ...] = ()
    groups: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()
    weights: Mapping[str, int] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return [c.name for c in self.schema]

    @property
    def hidden(self) -> list[Column]:
        return [column(n) for n in self.frame.columns if n.startswith(p.HIDDEN) and not n.startswith(WINDOW)]

    @property
    def fixed(self) -> tuple[str, ...]:
        """The hidden columns that are constant within a group: the keys of groups first."""
        return (*self.groups, *(n for n in self.carried if n not in self.groups))

    @property
    def traced(self) -> bool:
        return trace.TRACE in self.frame.columns

    def select_columns(self, names: Set[str]) -> Relation:
        """The relation with only these columns, and the hidden ones."""
        kept = tuple(c for c in self.schema if c.name in names)
        return replace(self, frame=select(self.frame, *(column(c.name) for c in kept), *self.hidden), schema=kept)

    def null_out_unread(self, names: Set[str]) -> Relation:
        """The relation for a reader of only these columns: the others are replaced by nulls."""
        kept = [column(c.name) if c.name in names else _nothing(c) for c in self.schema]
        return replace(self, frame=select(self.frame, *kept, *self.hidden))

    @property
    def orderings(self) -> list[Column]:
        """The order of the rows: the last sort, then the deterministic row order."""
        return [*(key.ordering for key in self.sorted_by), column(ORDER).asc()]

    def stored(self) -> DataFrame:
        """The query's columns in the types stored in Delta, followed by the hidden ones."""
        columns = [stored(column(c.name), c.type).alias(c.name) for c in self.schema]
        return select(self.frame, *columns, *self.hidden)

    def in_order(self) -> DataFrame:
        """The query's columns in engine types, with the rows in order."""
        return select(self.frame.orderBy(*self.orderings), *(column(c.name) for c in self.schema))


@lru_cache(maxsize=4096)
def _nothing(column: KqlColumn) -> Column:
    """A null column of this name and type."""
    return F.lit("" if column.type == STRING else None).cast(spark_type(column.type)).alias(column.name)


Scanner = Callable[[p.Scan], Relation]


def _no_external(plan: p.External) -> Relation:
    raise LakehuntError(f"{plan.addresses[0]} is outside of the lake", "no copy of it is registered")


@dataclass(frozen=True)
class Context:
    """The environment of compilation.

    `scan` reads a stored table, `external` reads files outside of the lake; `computed` has relations of parts of the
    plan that are already compiled, `given` those that bodies are applied to."""

    spark: SparkSession
    now: int
    scan: Scanner
    external: Callable[[p.External], Relation] = _no_external
    computed: Mapping[int, Relation] = field(default_factory=dict)
    given: Mapping[str, Relation] = field(default_factory=dict)

    def expressions(
        self, done: Mapping[int, Column] | None = None, resolve: Callable[[str], Column] = column
    ) -> Expressions:
        return Expressions(self.now, _Queries(self), done, resolve)

    def with_computed(self, plan: p.Plan, relation: Relation) -> Context:
        """The context in which `plan` (by identity) compiles to `relation`."""
        return replace(self, computed={**self.computed, id(plan): relation})

    def with_given(self, name: str, relation: Relation) -> Context:
        return replace(self, given={**self.given, name: relation})

    def every_group(self, source: Relation) -> DataFrame:
        """One row for each group that the body around `source` is applied to: its fixed columns, and the trace of the
        row that was expanded to the group."""
        outer = source.groups[-1].replace("$$row", "$$outer")
        given = self.given[outer].frame
        kept = [n for n in given.columns if n in source.fixed or (n == trace.TRACE and outer in given.columns)]
        return given.select(*(column(n) for n in kept)).dropDuplicates(list(source.groups))

    def in_every_group(self, relation: Relation, source: Relation) -> Relation:
        """A table from outside of the body around `source`, repeated for each group."""
        frame = relation.frame.crossJoin(self.every_group(source).drop(trace.TRACE))
        return replace(relation, frame=frame, groups=source.groups, carried=source.carried)


@dataclass(frozen=True)
class _Queries:
    """Subqueries of expressions, as Spark's scalar subqueries."""

    context: Context

    def scalar(self, plan: p.Plan) -> Column:
        relation = self._table(plan)
        first = relation.frame.orderBy(*relation.orderings).limit(1).select(column(relation.schema[0].name))
        return first.scalar()

    def _table(self, plan: p.Plan) -> Relation:
        relation = compile_plan(plan, self.context)
        if relation.groups:
            raise LakehuntError("a query within an expression cannot read the rows of a body", "use join or summarize")
        return relation

    def values(self, plan: p.Plan) -> Column:
        relation = self._table(plan)
        return relation.frame.agg(F.collect_set(column(relation.schema[0].name))).scalar()


Compiler = Callable[[Any, Context], Relation]
_PLANS: dict[type[p.Plan], Compiler] = {}
C = TypeVar("C", bound=Compiler)


def compiles(kind: type[p.Plan]) -> Callable[[C], C]:
    """Registers the function that compiles this kind of plan."""

    def enter(function: C) -> C:
        _PLANS[kind] = function
        return function

    return enter


def compile_plan(plan: p.Plan, context: Context) -> Relation:
    """Compiles a typed plan. Nothing is executed yet."""
    known = context.computed.get(id(plan))
    return known if known is not None else _PLANS[type(plan)](plan, context)


# Window functions


class _Staging(Serial):
    """An ordered relation to which columns for window functions are added."""

    def __init__(self, source: Relation) -> None:
        object.__setattr__(self, "order", source.orderings)
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "made", 0)

    source: Relation
    made: int

    def staged(self, value: Column) -> Column:
        name = f"{WINDOW}{self.made}"
        object.__setattr__(self, "made", self.made + 1)
        object.__setattr__(self, "source", replace(self.source, frame=self.source.frame.withColumn(name, value)))
        return column(name)

    def located(self, address: Column, networks: DataFrame) -> Column:
        """A column with what is known of an address."""
        name = f"{WINDOW}{self.made}"
        object.__setattr__(self, "made", self.made + 1)
        found = geo_ip.located(self.source.frame, address, networks, name)
        object.__setattr__(self, "source", replace(self.source, frame=found))
        return column(name)

    def rows(self, *run: Column) -> Any:
        return Window.partitionBy(*(column(g) for g in self.source.groups), *run).orderBy(*self.order)


def ready(source: Relation, exprs: Iterable[p.Expr], context: Context) -> tuple[Relation, Expressions]:
    """The source with a column for each window function, lookup and subquery in the expressions, and their compiler.

    Inner ones come first: Spark cannot compute one window function from another in the same step."""
    parts = [part for expr in exprs for part in reversed(list(p.parts(expr)))]
    staged = [part for part in parts if isinstance(part, (p.WindowCall, p.LookupCall, p.ScalarQuery, p.ListQuery))]
    if not staged:
        return source, context.expressions()
    staging, done = _Staging(source), dict[int, Column]()
    for part in staged:
        expressions = context.expressions(done)
        # Spark does not support subqueries in lambdas of higher-order functions, so they become columns, too
        if isinstance(part, p.LookupCall):
            done[id(part)] = staging.located(expressions.compile(part.args[0]), compile_plan(part.plan, context).frame)
            continue
        made = _over(part, expressions, staging) if isinstance(part, p.WindowCall) else expressions.query(part)
        done[id(part)] = staging.staged(made)
    return staging.source, context.expressions(done)


def _over(over: p.WindowCall, expressions: Expressions, staging: _Staging) -> Column:
    args = [as_argument(expressions.compile(arg), arg.type) for arg in over.args]
    plain = [a if isinstance(e, p.Const) else staging.staged(a) for a, e in zip(args, over.args, strict=True)]
    return called("window", over, plain, staging)


def never_null(value: Column, kind: object) -> Column:
    return F.coalesce(value, literal("", STRING)) if kind == STRING else value
