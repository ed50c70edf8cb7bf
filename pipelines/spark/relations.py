"""Typed plans -> Spark DataFrames: one small function for each kind of plan.

Beside the columns that the query has, a frame carries hidden ones, whose names start with `$` as no column of KQL does:

    $order      where the row stands in the written order, by which every free choice is made: an event's
                (Timestamp, ReportId, content), a group's keys, a written row's position
    $sort0...   the values of the last `sort`
    $trace      on request, what a row was made of (see trace.py)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipelines.kql import plan as p
from pipelines.kql.types import DYNAMIC, STRING, Schema
from pipelines.spark import trace
from pipelines.spark.expressions import Expressions, column
from pipelines.spark.functions.registry import CATALOG, Group, aggregate_implementation
from pipelines.spark.values import dynamic_text, literal, spark_type, stored

ORDER = "$order"


@dataclass(frozen=True)
class SortedBy:
    """A hidden column that holds the values of a sort's key."""

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
    """A frame with the columns of `schema` (in a plan's representation, see values.py) and the hidden ones."""

    frame: DataFrame
    schema: Schema
    sorted_by: tuple[SortedBy, ...] = ()

    @property
    def hidden(self) -> list[Column]:
        return [column(name) for name in self.frame.columns if name.startswith("$")]

    @property
    def traced(self) -> bool:
        return trace.TRACE in self.frame.columns

    def keeping(self, names: set[str]) -> Relation:
        """This relation with only these columns, and the hidden ones."""
        kept = tuple(c for c in self.schema if c.name in names)
        return replace(self, frame=self.frame.select(*(column(c.name) for c in kept), *self.hidden), schema=kept)

    @property
    def orderings(self) -> list[Column]:
        """The order of the rows: of the last sort, and among equals the written one."""
        return [*(key.ordering for key in self.sorted_by), column(ORDER).asc()]

    def stored(self) -> DataFrame:
        """The query's columns as they are stored in Delta, in their order; the hidden ones after them."""
        columns = [stored(column(c.name), c.type).alias(c.name) for c in self.schema]
        return self.frame.select(*columns, *self.hidden)

    def in_order(self) -> DataFrame:
        """The query's columns, in a plan's representation, rows in their order."""
        return self.frame.orderBy(*self.orderings).select(*(column(c.name) for c in self.schema))


Scanner = Callable[[p.Scan], Relation]


@dataclass(frozen=True)
class Context:
    """What a plan is compiled against.

    `scan` opens a stored table; `computed` holds relations of parts of the plan that are there already."""

    spark: SparkSession
    now: int
    scan: Scanner
    computed: Mapping[int, Relation] = field(default_factory=dict)

    @property
    def expressions(self) -> Expressions:
        return Expressions(self.now)

    def knowing(self, plan: p.Plan, relation: Relation) -> Context:
        """This context, in which `plan` (this very object) is `relation`."""
        return replace(self, computed={**self.computed, id(plan): relation})


def compile_plan(plan: p.Plan, context: Context) -> Relation:
    """The Spark plan of a typed plan. Nothing runs yet."""
    known = context.computed.get(id(plan))
    return known if known is not None else _PLANS[type(plan)](plan, context)


def _scan(plan: p.Scan, context: Context) -> Relation:
    return context.scan(plan)


def _rows(plan: p.Rows, context: Context) -> Relation:
    fields = [f"{_quoted(c.name)} {spark_type(c.type)}" for c in plan.schema]
    rows = [(*_cells(row, plan), (i,)) for i, row in enumerate(plan.rows)]
    frame = context.spark.createDataFrame(rows, ", ".join([*fields, f"`{ORDER}` struct<position: bigint>"]))
    return Relation(frame, plan.schema)


def _cells(row: tuple[object, ...], plan: p.Rows) -> list[object]:
    return [
        (value or "") if c.type == STRING else dynamic_text(value) if c.type == DYNAMIC else value
        for value, c in zip(row, plan.schema, strict=True)
    ]


def _filter(plan: p.Filter, context: Context) -> Relation:
    source = compile_plan(plan.source, context)
    return replace(source, frame=source.frame.filter(context.expressions.compile(plan.predicate)))


def _project(plan: p.Project, context: Context) -> Relation:
    source = compile_plan(plan.source, context)
    compiled = [context.expressions.compile(e) for e in plan.expressions]
    columns = [c.alias(named.name) for c, named in zip(compiled, plan.schema, strict=True)]
    return replace(source, frame=source.frame.select(*columns, *source.hidden), schema=plan.schema)


def _summarize(plan: p.Summarize, context: Context) -> Relation:
    source = compile_plan(plan.source, context)
    keys = [context.expressions.compile(key).alias(name) for name, key in plan.keys]
    made = [_aggregation(a, context).alias(f"$made{i}") for i, a in enumerate(plan.aggregates)]
    frame = source.frame
    if source.traced:
        frame = trace.ranked(frame, keys, column(ORDER))
        made.append(trace.combined().alias(trace.TRACE))
    grouped = frame.groupBy(*keys) if keys else frame
    summarized = grouped.agg(*made) if made else frame.select(*keys).distinct()
    order = (
        F.struct(*(column(name).alias(f"k{i}") for i, (name, _) in enumerate(plan.keys)))
        if keys
        else F.struct(F.lit(0))
    )
    columns = [column(name) for name, _ in plan.keys]
    for i, aggregation in enumerate(plan.aggregates):
        columns.extend(_outputs(aggregation, column(f"$made{i}")))
    kept = [column(trace.TRACE)] if source.traced else []
    return Relation(summarized.select(*columns, order.alias(ORDER), *kept), plan.schema)


def _aggregation(aggregation: p.Aggregation, context: Context) -> Column:
    function = aggregate_implementation(aggregation.function)
    args = [context.expressions.compile(arg) for arg in aggregation.args]
    return function(Group(column(ORDER), tuple(arg.type for arg in aggregation.args)), *args)


def _outputs(aggregation: p.Aggregation, made: Column) -> list[Column]:
    """The columns of an aggregate; one that makes several (`any(A, B)`) is a struct until here."""
    if CATALOG.aggregates[aggregation.function].columns:
        values = [made[f"_{i}"] for i in range(len(aggregation.names))]
    else:
        values = [made]
    pairs = zip(values, aggregation.names, aggregation.types, strict=True)
    return [_never_null(v, t).alias(name) for v, name, t in pairs]


def _never_null(value: Column, kind: object) -> Column:
    return F.coalesce(value, literal("", STRING)) if kind == STRING else value


def _sort(plan: p.Sort, context: Context) -> Relation:
    source = compile_plan(plan.source, context)
    keys = tuple(SortedBy(f"$sort{i}", k.descending, k.nulls_first) for i, k in enumerate(plan.keys))
    values = [context.expressions.compile(k.value).alias(f"$sort{i}") for i, k in enumerate(plan.keys)]
    kept = [h for h, name in _named_hidden(source) if not name.startswith("$sort")]
    frame = source.frame.select(*(column(c.name) for c in source.schema), *kept, *values)
    return Relation(frame, source.schema, keys)


def _named_hidden(source: Relation) -> list[tuple[Column, str]]:
    return [(column(name), name) for name in source.frame.columns if name.startswith("$")]


def _take(plan: p.Take, context: Context) -> Relation:
    source = compile_plan(plan.source, context)
    return replace(source, frame=source.frame.orderBy(*source.orderings).limit(plan.count))


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


_PLANS: dict[type[p.Plan], Callable[..., Relation]] = {
    p.Scan: _scan,
    p.Rows: _rows,
    p.Filter: _filter,
    p.Project: _project,
    p.Summarize: _summarize,
    p.Sort: _sort,
    p.Take: _take,
}
