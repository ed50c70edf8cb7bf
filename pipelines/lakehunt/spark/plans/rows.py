"""Compiles sources, row-by-row operators, and operators that sort or limit rows."""

from __future__ import annotations

import json
from dataclasses import replace

from pyspark.sql import Column, DataFrame, SparkSession, Window

from lakehunt.kql import plan as p
from lakehunt.kql.types import DYNAMIC, REAL, STRING
from lakehunt.spark import inlining
from lakehunt.spark.cancelling import not_cancelled
from lakehunt.spark.columns import F, select
from lakehunt.spark.expressions import column
from lakehunt.spark.relations import ORDER, WINDOW, Context, Relation, SortedBy, compile_plan, compiles, ready
from lakehunt.spark.values import dynamic_text, quotient, spark_type


@compiles(p.Scan)
def scan(plan: p.Scan, context: Context) -> Relation:
    return context.scan(plan)


@compiles(p.External)
def external(plan: p.External, context: Context) -> Relation:
    return context.external(plan)


@compiles(p.Given)
def given(plan: p.Given, context: Context) -> Relation:
    return context.given[plan.name]


@compiles(p.Values)
def rows(plan: p.Values, context: Context) -> Relation:
    """Inline rows, passed to Spark as one JSON text, which needs no Python worker."""
    fields = [f"c{i}: {spark_type(c.type)}" for i, c in enumerate(plan.schema)]
    rows = [{f"c{i}": cell for i, cell in enumerate(_cells(row, plan))} for row in plan.rows]
    schema = f"array<struct<{', '.join(['position: bigint', *fields])}>>"
    text = json.dumps([{"position": i} | row for i, row in enumerate(rows)], default=str)
    frame = context.spark.range(1).select(F.explode(F.from_json(F.lit(text), schema)).alias("$$row"))
    row = column("$$row")
    columns = [row[f"c{i}"].alias(c.name) for i, c in enumerate(plan.schema)]
    return Relation(frame.select(*columns, F.struct(row["position"].alias("position")).alias(ORDER)), plan.schema)


def _cells(row: tuple[object, ...], plan: p.Values) -> list[object]:
    return [
        (value or "") if c.type == STRING else dynamic_text(value) if c.type == DYNAMIC else value
        for value, c in zip(row, plan.schema, strict=True)
    ]


@compiles(p.Range)
def range_(plan: p.Range, context: Context) -> Relation:
    start, stop, step = (context.expressions().compile(e) for e in (plan.start, plan.stop, plan.step))
    made = plan.schema[0]
    size = stop - start
    forward = (size >= 0) & (step > 0) | (size <= 0) & (step < 0)
    counted = _counted(context.spark, F.when(forward, quotient(size, step, made.type)))
    value = (start + F.col("i") * step).cast(spark_type(made.type)).alias(made.name)
    return Relation(counted.select(value, F.struct(F.col("i").alias("position")).alias(ORDER)), plan.schema)


_CHUNK = 1_000_000
"""Numbers of a range that are made at once: its array is kept in memory."""


def _counted(spark: SparkSession, last: Column) -> DataFrame:
    """The numbers from 0 to `last` as column `i`; none if it is null."""
    zero, size = (F.lit(n).cast("bigint") for n in (0, _CHUNK))
    chunk, at = column("$$chunk"), column("$$at")
    chunks = spark.range(1).select(F.explode(F.sequence(zero, F.call_function("div", last, size))).alias("$$chunk"))
    within = F.sequence(zero, F.least(size - 1, last - chunk * size))
    made = chunks.select(chunk, F.explode(within).alias("$$at")).filter(not_cancelled(spark, at, at))
    return made.select((chunk * size + at).alias("i"))


@compiles(p.Filter)
def filter_(plan: p.Filter, context: Context) -> Relation:
    source, expressions = ready(compile_plan(plan.source, context), [plan.predicate], context)
    kept = source.frame.filter(expressions.compile(plan.predicate))
    return replace(source, frame=kept.drop(*(n for n in kept.columns if n.startswith(WINDOW))))


@compiles(p.Project)
def project(plan: p.Project, context: Context) -> Relation:
    source, expressions = ready(inlining.limited(compile_plan(plan.source, context), plan), plan.expressions, context)
    compiled = [expressions.compile(e) for e in plan.expressions]
    columns = [c.alias(named.name) for c, named in zip(compiled, plan.schema, strict=True)]
    frame = select(source.frame, *columns, *source.hidden)
    return replace(source, frame=frame, schema=plan.schema, weights=inlining.weights(plan, source.weights))


@compiles(p.Serialize)
def serialize(plan: p.Serialize, context: Context) -> Relation:
    return compile_plan(plan.source, context)


@compiles(p.Sort)
def sort(plan: p.Sort, context: Context) -> Relation:
    source, expressions = ready(compile_plan(plan.source, context), [k.value for k in plan.keys], context)
    keys = tuple(SortedBy(f"$$sort{i}", k.descending, k.nulls_first) for i, k in enumerate(plan.keys))
    values = [_sortable(expressions.compile(k.value), k).alias(f"$$sort{i}") for i, k in enumerate(plan.keys)]
    kept = [column(n) for n in source.frame.columns if n.startswith(p.HIDDEN) and not n.startswith(("$$sort", WINDOW))]
    frame = select(source.frame, *(column(n) for n in source.names), *kept, *values)
    return replace(source, frame=frame, sorted_by=keys)


def _sortable(value: Column, key: p.SortKey) -> Column:
    """NaN sorts next to the nulls, between them and other values."""
    if key.value.type != REAL:
        return value
    return F.struct(_nan_rank(value, key).alias("rank"), value.alias("value"))


def _nan_rank(value: Column, key: p.SortKey) -> Column:
    null, nan = (0, 1) if key.nulls_first else (4, 3)
    rank = F.when(value.isNull(), null).when(F.isnan(value), nan).otherwise(2)
    return -rank if key.descending else rank


@compiles(p.Take)
def take(plan: p.Take, context: Context) -> Relation:
    source = compile_plan(plan.source, context)
    if not source.groups:
        return replace(source, frame=source.frame.orderBy(*source.orderings).limit(plan.count))
    within = Window.partitionBy(*(column(g) for g in source.groups)).orderBy(*source.orderings)
    numbered = source.frame.withColumn(WINDOW, F.row_number().over(within))
    return replace(source, frame=numbered.filter(column(WINDOW) <= plan.count).drop(WINDOW))
