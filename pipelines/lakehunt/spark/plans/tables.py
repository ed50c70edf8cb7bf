"""Compiles operators over several tables: join, lookup, union."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyspark.sql import Column, DataFrame, Window

from lakehunt.core.errors import LakehuntError
from lakehunt.kql import plan as p
from lakehunt.spark import trace
from lakehunt.spark.cancelling import cheap_value, not_cancelled
from lakehunt.spark.columns import F, select
from lakehunt.spark.expressions import column
from lakehunt.spark.relations import ORDER, WINDOW, Context, Relation, compile_plan, compiles, never_null
from lakehunt.spark.values import spark_type


@compiles(p.Join)
def join(plan: p.Join, context: Context) -> Relation:
    left, right = compile_plan(plan.left, context), compile_plan(plan.right, context)
    if left.groups and plan.kind in _KEEPING_RIGHT:
        if right.groups not in ((), left.groups):
            raise LakehuntError(f"a {plan.kind} join with rows of an outer body is not supported")
        right = right if right.groups else context.in_every_group(right, left)
    if plan.kind == "innerunique":
        left = _first_of_each(left, [name for name, _ in plan.keys])
    keys = [*plan.keys, *((g, g) for g in right.groups)]
    if plan.kind in ("rightsemi", "rightanti"):
        swapped = [(b, a) for a, b in keys]
        frame = _half(right, left, swapped, plan.kind.replace("right", "left"))
        return replace(right, frame=frame)
    if plan.kind in ("leftsemi", "leftanti"):
        return replace(left, frame=_half(left, right, keys, plan.kind))
    return _joined(plan, left, right)


_KEEPING_RIGHT = frozenset(["right", "full", "rightsemi", "rightanti"])
"""Joins that return unmatched rows of the right side."""


def _first_of_each(relation: Relation, keys: Sequence[str]) -> Relation:
    """The first row for each key."""
    within = Window.partitionBy(*(column(k) for k in (*relation.groups, *keys))).orderBy(column(ORDER))
    numbered = relation.frame.withColumn(WINDOW, F.row_number().over(within))
    return replace(relation, frame=numbered.filter(column(WINDOW) == 1).drop(WINDOW))


def _half(kept: Relation, other: Relation, keys: Sequence[tuple[str, str]], how: str) -> DataFrame:
    renamed = other.frame.select(*(column(r).alias(f"$$key{i}") for i, (_, r) in enumerate(keys)))
    on = [column(name).eqNullSafe(column(f"$$key{i}")) for i, (name, _) in enumerate(keys)]
    return kept.frame.join(renamed, on, how)


def _joined(plan: p.Join, left: Relation, right: Relation) -> Relation:
    lefts = select(
        left.frame,
        *(column(n).alias(f"$$l{i}") for i, n in enumerate(left.names)),
        *(column(n) for n in left.carried),
        *(column(n).alias(n + "l") for n in (ORDER, trace.TRACE) if n in left.frame.columns),
    )
    rights = select(
        right.frame,
        *(column(n).alias(f"$$r{i}") for i, n in enumerate(right.names)),
        *(column(n).alias(n + "r") for n in right.fixed),
        *(column(n).alias(n + "r") for n in (ORDER, trace.TRACE) if n in right.frame.columns),
    )
    places = {True: {n: f"$$l{i}" for i, n in enumerate(left.names)}}
    places[False] = {n: f"$$r{i}" for i, n in enumerate(right.names)}
    on = [column(places[True][a]).eqNullSafe(column(places[False][b])) for a, b in plan.keys]
    on += [column(g).eqNullSafe(column(g + "r")) for g in right.groups]
    on.append(_not_cancelled(left, right))
    how = {"innerunique": "inner", "inner": "inner", "left": "left", "right": "right", "full": "full"}[plan.kind]
    frame = lefts.join(rights, on, how)
    columns = [
        never_null(column(places[side][name]), c.type).alias(c.name)
        for (side, name), c in zip(plan.columns, plan.schema, strict=True)
    ]
    order = F.struct(column(ORDER + "l").alias("l"), column(ORDER + "r").alias("r"))
    fixed = [F.coalesce(column(n), column(n + "r")) if n in right.fixed else column(n) for n in left.carried]
    hidden = [order.alias(ORDER), *(c.alias(n) for c, n in zip(fixed, left.carried, strict=True))]
    traces = [column(trace.TRACE + side) for side, r in (("l", left), ("r", right)) if r.traced]
    if traces:
        hidden.append(trace.both(*traces).alias(trace.TRACE) if len(traces) == 2 else traces[0].alias(trace.TRACE))
    return Relation(select(frame, *columns, *hidden), plan.schema, (), left.groups, left.carried)


def _not_cancelled(left: Relation, right: Relation) -> Column:
    """A condition of a join that is true until it is cancelled."""
    tokens = (
        cheap_value(column(f"$${side}0"), of.schema[0].type) if of.schema else F.hash(column(ORDER + side))
        for side, of in (("l", left), ("r", right))
    )
    return not_cancelled(left.frame.sparkSession, *tokens)


@compiles(p.Union)
def union(plan: p.Union, context: Context) -> Relation:
    relations = [compile_plan(table, context) for table in plan.tables]
    around = next((r for r in relations if r.groups), None)
    if around is not None:
        relations = [r if r.groups else context.in_every_group(r, around) for r in relations]
        if any(r.groups != around.groups for r in relations):
            raise LakehuntError("a union with rows of an outer body is not supported")
    traced = next((r for r in relations if r.traced), None)
    kinds = [r.frame.schema[ORDER].dataType for r in relations]
    frames = []
    for i, relation in enumerate(relations):
        own = [(column(ORDER) if i == j else F.lit(None).cast(kind)).alias(f"o{j}") for j, kind in enumerate(kinds)]
        hidden = [F.struct(F.lit(i).alias("table"), *own).alias(ORDER)]
        if traced is not None:
            kind = traced.frame.schema[trace.TRACE].dataType
            hidden.append(column(trace.TRACE) if relation.traced else F.lit(None).cast(kind).alias(trace.TRACE))
        columns = [
            column(c.name).cast(spark_type(c.type)).alias(c.name) if not c.type.element else column(c.name)
            for c in plan.schema
        ]
        frames.append(select(relation.frame, *columns, *hidden, *(column(n) for n in relation.carried)))
    united = frames[0]
    for frame in frames[1:]:
        united = united.unionByName(frame)
    return Relation(united, plan.schema, (), relations[0].groups, relations[0].carried)
