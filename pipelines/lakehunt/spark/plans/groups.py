"""Compiles aggregating operators: summarize, top-nested, make-series, pivot."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.sql import Column, DataFrame, Window

from lakehunt.kql import plan as p
from lakehunt.spark import trace
from lakehunt.spark.columns import F, select
from lakehunt.spark.expressions import Expressions, argument_types, as_argument, called, column
from lakehunt.spark.functions.registry import CATALOG, Group, form
from lakehunt.spark.relations import ORDER, POSITION, Context, Relation, compile_plan, compiles, never_null, ready
from lakehunt.spark.values import quotient, spark_type


@compiles(p.Summarize)
def summarize(plan: p.Summarize, context: Context) -> Relation:
    read = [*(key for _, key in plan.keys), *(arg for a in plan.aggregates for arg in a.args)]
    source, expressions = ready(compile_plan(plan.source, context), read, context)
    keys = [expressions.compile(key).alias(name) for name, key in plan.keys]
    groups = [column(g) for g in source.groups]
    made = [_aggregated(a, expressions, source).alias(f"$$made{i}") for i, a in enumerate(plan.aggregates)]
    frame = source.frame
    if source.sorted_by and any(a.function in _IN_ORDER for a in plan.aggregates):
        frame = frame.withColumn(POSITION, F.row_number().over(Window.partitionBy(*groups).orderBy(*source.orderings)))
    if source.traced:
        frame = trace.ranked(frame, [*groups, *keys], column(ORDER))
        made.append(trace.combined().alias(trace.TRACE))
    made.extend(F.first(column(c)).alias(c) for c in source.carried if c not in source.groups)
    if not keys and source.groups and _may_be_empty(plan.source):
        summarized = _of_every_group(source, frame, made, context)
    else:
        grouped = frame.groupBy(*groups, *keys) if keys or groups else frame
        summarized = grouped.agg(*made) if made else frame.select(*groups, *keys).distinct()
    order = F.struct(*(column(name).alias(f"k{i}") for i, (name, _) in enumerate(plan.keys)), F.lit(0).alias("k"))
    if source.groups:
        order = F.struct(*groups, order.alias("keys"))
    columns = [column(name) for name, _ in plan.keys]
    for i, aggregation in enumerate(plan.aggregates):
        columns.extend(_outputs(aggregation, column(f"$$made{i}")))
    kept = [column(n) for n in summarized.columns if n in (trace.TRACE, *source.groups, *source.carried)]
    frame = select(summarized, *columns, order.alias(ORDER), *kept)
    return Relation(frame, plan.schema, (), source.groups, source.carried)


def _may_be_empty(plan: p.Plan) -> bool:
    """Whether a body may lose all rows of a group before it summarizes them."""
    while not isinstance(plan, p.Given):
        if not isinstance(plan, (p.Project, p.Sort, p.Serialize)):
            return True
        plan = plan.source
    return False


def _of_every_group(source: Relation, frame: DataFrame, made: Sequence[Column], context: Context) -> DataFrame:
    """The aggregates of each group, including groups that have lost all of their rows."""
    every = context.every_group(source)
    inner = frame.groupBy(*(column(g).alias(f"{g}?") for g in source.groups)).agg(*made)
    if trace.TRACE in every.columns:
        every = every.withColumnRenamed(trace.TRACE, "$$row trace")
    names = [n for n in inner.columns if n.startswith("$$made") or n == trace.TRACE]
    values = F.struct(*(column(n) for n in names))
    nothing = frame.limit(0).agg(*made).select(values.alias("$$nothing"))
    found = inner.select(*(column(f"{g}?") for g in source.groups), values.alias("$$found"))
    on = [column(g).eqNullSafe(column(f"{g}?")) for g in source.groups]
    joined = every.join(found, on, "left").crossJoin(nothing)
    either = F.when(column("$$found").isNotNull(), column("$$found")).otherwise(column("$$nothing"))
    made_ = {n: either[n] for n in names}
    if "$$row trace" in every.columns:
        made_[trace.TRACE] = F.coalesce(column("$$found")[trace.TRACE], column("$$row trace"))
    return joined.select(*(column(n) for n in source.fixed), *(value.alias(n) for n, value in made_.items()))


_IN_ORDER = frozenset(
    ["make_list", "makelist", "make_list_if", "make_list_with_nulls", "make_bag", "make_bag_if", "make_dictionary"]
)
"""Aggregates that respect the order of sorted rows; others use the deterministic row order."""


def _aggregated(aggregation: p.Aggregation, expressions: Expressions, source: Relation | None = None) -> Column:
    sorted_rows = source is not None and source.sorted_by and aggregation.function in _IN_ORDER
    args = [expressions.compile(arg) for arg in aggregation.args]
    if not CATALOG.aggregates[aggregation.function].columns:  # those pass values through as they are
        args = [as_argument(a, e.type) for a, e in zip(args, aggregation.args, strict=True)]
    order = column(POSITION if sorted_rows else ORDER)
    return called("aggregate", aggregation, args, Group(order, argument_types(aggregation)))


def _alone(aggregation: p.Aggregation, expressions: Expressions) -> Column:
    """An aggregate of one column."""
    made = _aggregated(aggregation, expressions)
    return made["_0"] if CATALOG.aggregates[aggregation.function].columns else made


def _outputs(aggregation: p.Aggregation, made: Column) -> list[Column]:
    """The columns of an aggregate; several (`any(A, B)`) are fields of a struct until here."""
    if CATALOG.aggregates[aggregation.function].columns:
        values = [made[f"_{i}"] for i in range(len(aggregation.names))]
    else:
        values = [made]
    pairs = zip(values, aggregation.names, aggregation.types, strict=True)
    return [never_null(v, t).alias(name) for v, name, t in pairs]


@compiles(p.TopNested)
def top_nested(plan: p.TopNested, context: Context) -> Relation:
    """Keeps the best groups of each level within those of the level above, and joins the levels from the top down."""
    read = [e for level in plan.levels for e in (level.of, *level.aggregate.args)]
    source, expressions = ready(compile_plan(plan.source, context), read, context)
    own = [f"$$key{i}" for i in range(len(plan.levels))]
    frame = select(
        source.frame,
        *(column(n) for n in source.names),
        *source.hidden,
        *(expressions.compile(level.of).alias(k) for k, level in zip(own, plan.levels, strict=True)),
    )
    result: DataFrame | None = None
    for i, level in enumerate(plan.levels):
        above, here = [*source.fixed, *own[:i]], [*source.fixed, *own[: i + 1]]
        made = _alone(level.aggregate, expressions).alias(f"$$value{i}")
        rows = frame if i == len(own) - 1 else frame.drop(trace.TRACE)  # a result's trace is that of its last level
        grouped = trace.grouped(rows, [column(k) for k in here], [made], column(ORDER))
        kept = _best(level, grouped, f"$$value{i}", above, here[-1])
        names = [n for n in kept.columns if n not in here]
        renamed = kept.select(*(column(k).alias(f"{k}?") for k in here), *(column(n) for n in names))
        frame = frame.join(renamed.drop(*names), _equal(here), "leftsemi")
        result = kept if result is None else _beneath(result, renamed, above, here[-1])
    assert result is not None
    pairs = [(f"$$key{i}", f"$$value{i}") for i in range(len(plan.levels))]
    columns = [column(n) for pair in pairs for n in pair]
    named = [never_null(c, k.type).alias(k.name) for c, k in zip(columns, plan.schema, strict=True)]
    order = F.struct(*(column(k) for k in own))
    return Relation(
        select(result, *named, order.alias(ORDER), *_kept(source)), plan.schema, (), source.groups, source.carried
    )


def _best(level: p.Nest, grouped: DataFrame, value: str, above: Sequence[str], key: str) -> DataFrame:
    """The best groups of a level within each group of the level above."""
    if level.count is None:
        return grouped
    best = column(value).desc_nulls_last() if level.descending else column(value).asc_nulls_last()
    ranks = Window.partitionBy(*(column(k) for k in above)).orderBy(best, column(key))
    ranked = grouped.withColumn("$$best", F.row_number().over(ranks))
    return ranked.filter(column("$$best") <= level.count).drop("$$best")


def _beneath(result: DataFrame, level: DataFrame, above: Sequence[str], key: str) -> DataFrame:
    """The levels so far joined with the next one, whose keys have a `?` after their names."""
    joined = result.join(level, _equal(above), "inner").drop(*(f"{k}?" for k in above))
    return joined.withColumnRenamed(f"{key}?", key)


def _equal(keys: Sequence[str]) -> list[Column]:
    return [column(k).eqNullSafe(column(f"{k}?")) for k in keys]


def _kept(source: Relation) -> list[Column]:
    """The hidden columns of groups, and the trace."""
    return [column(n) for n in (*source.fixed, *([trace.TRACE] if source.traced else []))]


@compiles(p.Series)
def series(plan: p.Series, context: Context) -> Relation:
    """Bins of each group, numbered from the start of its axis; then, for each group, arrays over all numbers."""
    _, axis = plan.axis
    read = [*(k for _, k in plan.keys), axis, *(arg for a in plan.aggregates for arg in a.args)]
    source, expressions = ready(compile_plan(plan.source, context), read, context)
    own = [f"$$key{i}" for i in range(len(plan.keys))]
    start, stop = (None if e is None else expressions.compile(e) for e in (plan.start, plan.stop))
    frame = _on_axis(plan, source, expressions, (start, stop))
    grouped = _bins(plan, frame, [*source.fixed, *own], expressions)
    if plan.nonempty and not own and start is not None:
        grouped = _of_every_series(grouped, source, context).withColumn("$$start", start)
    last = column("$$last") if stop is None else _last_before(stop, expressions.compile(plan.step), axis)
    numbers = F.when(last >= 0, F.sequence(F.lit(0).cast("bigint"), last))
    laid = grouped.withColumn("$$numbers", numbers).filter(column("$$numbers").isNotNull())
    columns = [*(column(k) for k in own), *_arrays(plan, expressions)]
    named = [c.alias(k.name) for c, k in zip(columns, plan.schema, strict=True)]
    order = F.struct(*(column(k) for k in own), F.lit(0).alias("k"))
    return Relation(
        select(laid, *named, order.alias(ORDER), *_kept(source)), plan.schema, (), source.groups, source.carried
    )


def _on_axis(
    plan: p.Series, source: Relation, expressions: Expressions, limits: tuple[Column | None, Column | None]
) -> DataFrame:
    """The source's rows within the limits, with keys, the start of the group's axis and the bin number."""
    _, axis = plan.axis
    start, stop = limits
    frame = source.frame.withColumn("$$axis", expressions.compile(axis))
    for i, (_, expr) in enumerate(plan.keys):
        frame = frame.withColumn(f"$$key{i}", expressions.compile(expr))
    frame = frame.filter(column("$$axis").isNotNull())
    if start is not None:
        frame = frame.filter(column("$$axis") >= start)
    if stop is not None:
        frame = frame.filter(column("$$axis") < stop)
    step = expressions.compile(plan.step)
    if start is None:
        keys = [*source.fixed, *(f"$$key{i}" for i in range(len(plan.keys)))]
        smallest = F.min("`$$axis`").over(Window.partitionBy(*(column(k) for k in keys)))
        types = [axis.type, plan.step.type]
        start = form("scalar", "bin", types).call(types, [smallest, step], [None] * 2)
    frame = frame.withColumn("$$start", start)
    return frame.withColumn("$$bin", quotient(column("$$axis") - column("$$start"), step, axis.type))


def _bins(plan: p.Series, frame: DataFrame, keys: Sequence[str], expressions: Expressions) -> DataFrame:
    """One row per series: its bins by number, and the last bin number."""
    made = [_alone(a, expressions).alias(f"$$made{i}") for i, a in enumerate(plan.aggregates)]
    by_series = [column(k) for k in (*keys, "$$start")]
    bins = trace.grouped(frame, [*by_series, column("$$bin")], made, column(ORDER))
    entry = F.struct(column("$$bin"), F.struct(*(column(f"$$made{i}") for i in range(len(made)))))
    laid_out = [F.map_from_entries(F.collect_list(entry)).alias("$$bins"), F.max("`$$bin`").alias("$$last")]
    return trace.grouped(bins, by_series, laid_out, column("$$bin"))


def _last_before(stop: Column, step: Column, axis: p.Expr) -> Column:
    """The number of the last bin that starts before the end of the axis."""
    whole = quotient(stop - column("$$start"), step, axis.type)
    return F.when(column("$$start") + whole * step < stop, whole).otherwise(whole - 1)


def _arrays(plan: p.Series, expressions: Expressions) -> list[Column]:
    """The array of each aggregate, and the axis, over the numbers of the bins."""
    _, axis = plan.axis
    step = expressions.compile(plan.step)
    arrays = []
    for i, (default, aggregation) in enumerate(zip(plan.defaults, plan.aggregates, strict=True)):
        missing = expressions.compile(default).cast(spark_type(aggregation.types[0]))
        arrays.append(F.transform(column("$$numbers"), _at_bin(f"$$made{i}", missing)))
    times = F.transform(column("$$numbers"), lambda n: (column("$$start") + n * step).cast(spark_type(axis.type)))
    return [*arrays, times]


def _of_every_series(grouped: DataFrame, source: Relation, context: Context) -> DataFrame:
    """A row also where there is none: for each group of a body, or for the whole table."""
    if not source.groups:
        return context.spark.range(1).join(grouped, how="left")
    again = grouped.select(*(column(n).alias(f"{n}?" if n in source.fixed else n) for n in grouped.columns))
    on = [column(g).eqNullSafe(column(f"{g}?")) for g in source.groups]
    return context.every_group(source).drop(trace.TRACE).join(again, on, "left")


def _at_bin(name: str, missing: Column) -> Callable[[Column], Column]:
    def value(number: Column) -> Column:
        found = F.element_at(column("$$bins"), number)
        return F.when(found.isNotNull(), found[name]).otherwise(missing)

    return value


@compiles(p.Pivot)
def pivot(plan: p.Pivot, context: Context) -> Relation:
    source, expressions = ready(compile_plan(plan.source, context), plan.aggregate.args, context)
    types = {c.name: c.type for c in source.schema}
    tostring = form("scalar", "tostring", [types[plan.pivoted]])
    frame = source.frame.withColumn("$$name", tostring.call([types[plan.pivoted]], [column(plan.pivoted)], [None]))
    by_row = [column(k) for k in (*source.fixed, *plan.keys)]
    made = [_alone(plan.aggregate, expressions).alias("$$cell")]
    cells = trace.grouped(frame, [*by_row, column("$$name")], made, column(ORDER))
    entry = F.struct(column("$$name"), column("$$cell"))
    laid_out = [F.map_from_entries(F.collect_list(entry)).alias("$$cells")]
    grouped = trace.grouped(cells, by_row, laid_out, column("$$name"))
    empty = F.lit(0) if plan.aggregate.function in _ZERO_OF_NOTHING else F.lit(None)
    columns = []
    for shown in plan.schema:
        value = column(shown.name)
        if shown.name not in plan.keys:
            cell = F.element_at(column("$$cells"), F.lit(shown.name))
            value = never_null(F.coalesce(cell, empty.cast(spark_type(shown.type))), shown.type).alias(shown.name)
        columns.append(value)
    order = F.struct(*(column(k) for k in plan.keys), F.lit(0).alias("k"))
    return Relation(
        select(grouped, *columns, order.alias(ORDER), *_kept(source)), plan.schema, (), source.groups, source.carried
    )


_ZERO_OF_NOTHING = frozenset(["count", "countif", "sum", "sumif", "dcount", "dcountif"])
