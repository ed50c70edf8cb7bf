"""Compiles operators that expand values or apply a body to groups of rows: mv-expand, mv-apply, partition, scan."""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import Column, Window

from lakehunt.kql import plan as p
from lakehunt.kql.types import DYNAMIC, STRING, Type
from lakehunt.spark import dynamic, trace
from lakehunt.spark.cancelling import not_cancelled
from lakehunt.spark.columns import F, select
from lakehunt.spark.expressions import as_argument, column
from lakehunt.spark.functions.registry import form
from lakehunt.spark.relations import ORDER, WINDOW, Context, Relation, compile_plan, compiles, ready
from lakehunt.spark.scanning import Machine, columns_of


@compiles(p.Expand)
def expand(plan: p.Expand, context: Context) -> Relation:
    values = [item.value for item in plan.items]
    source, expressions = ready(compile_plan(plan.source, context), values, context)
    arrays = [
        _elements(as_argument(expressions.compile(v), v.type), plan.in_arrays).alias(f"e{i}")
        for i, v in enumerate(values)
    ]
    zipped = F.arrays_zip(*arrays)
    if plan.limit < 2**31 - 1:
        zipped = F.slice(zipped, 1, plan.limit)
    kept = [*(column(n) for n in source.names), *source.hidden]
    at = column("$$at")
    exploded = source.frame.select(*kept, F.posexplode(zipped).alias("$$at", "$$element"))
    frame = exploded.filter(not_cancelled(context.spark, at, at))
    made = {
        item.name: _as_type(column("$$element")[f"e{i}"], item.type).alias(item.name)
        for i, item in enumerate(plan.items)
    }
    if plan.index:
        made[plan.index] = column("$$at").cast("bigint").alias(plan.index)
    columns = [made.get(c.name, column(c.name)) for c in plan.schema]
    order = F.struct(column(ORDER).alias("row"), column("$$at").alias("at"))
    hidden = [
        column(n) for n in source.frame.columns if n.startswith(p.HIDDEN) and n != ORDER and not n.startswith(WINDOW)
    ]
    return replace(source, frame=select(frame, *columns, order.alias(ORDER), *hidden), schema=plan.schema)


def _elements(value: Column, in_arrays: bool) -> Column:
    """The elements that a value expands to: an array's elements, a bag's properties, else the value itself."""
    pairs = F.map_entries(dynamic.entries(value))

    def one(entry: Column) -> Column:
        if in_arrays:
            return dynamic.array_of(dynamic.encoded(entry["key"], STRING), entry["value"])
        return dynamic.bag_of([(entry["key"], entry["value"])])

    return (
        F.when(dynamic.is_array(value), dynamic.elements(value))
        .when(dynamic.is_bag(value), F.transform(pairs, one))
        .otherwise(F.array(value))
    )


def _as_type(text: Column, kind: Type) -> Column:
    value = F.nullif(text, F.lit("null"))
    if kind == DYNAMIC:
        return value
    made: Column = form("scalar", f"to{kind}", [DYNAMIC]).call([DYNAMIC], [value], [None])
    return made


@compiles(p.PerGroup)
def within(plan: p.PerGroup, context: Context) -> Relation:
    source = compile_plan(plan.source, context)
    row, outer = plan.given.replace("$$outer", "$$row"), plan.given
    given = _by_key(plan, source, row, context) if plan.rows is None else _by_element(plan, source, row, context)
    body = compile_plan(plan.body, context.with_given(outer, given))
    kept = [column(outer)[n].alias(n) for n in plan.kept]
    names = [n for n in body.names if n not in plan.kept]
    made = [column(n).alias(c.name) for n, c in zip(names, plan.schema[len(kept) :], strict=True)]
    others = [n for n in body.frame.columns if n.startswith(p.HIDDEN) and n not in (row, outer, ORDER)]
    hidden = [_order(body, row).alias(ORDER), *(column(n) for n in others if not n.startswith("$$sort"))]
    return Relation(select(body.frame, *kept, *made, *hidden), plan.schema, (), source.groups, source.carried)


def _by_element(plan: p.PerGroup, source: Relation, row: str, context: Context) -> Relation:
    """The input of the body of `mv-apply`: one group per source row with its elements, which carry the row's
    columns."""
    assert plan.rows is not None
    place = [*(column(n) for n in source.groups), column(ORDER)]
    copy = F.row_number().over(Window.partitionBy(*place).orderBy(column(ORDER)))
    number = F.struct(*(c.alias(f"at{i}") for i, c in enumerate([*place, copy])))
    names = [column(n) for n in source.names]
    frame = source.frame.select(*names, *source.hidden, number.alias(row), F.struct(*names).alias(plan.given))
    marked = replace(source, frame=frame, groups=(row,), carried=(row, plan.given, *source.carried))
    rows = expand(plan.rows, context.with_computed(plan.rows.source, marked))
    return rows.select_columns(plan.rows.made)


def _by_key(plan: p.PerGroup, source: Relation, row: str, context: Context) -> Relation:
    """The input of the body of `partition`: rows with the same key are a group."""
    assert plan.key is not None
    prepared, expressions = ready(source, [plan.key], context)
    key = F.struct(expressions.compile(plan.key).alias("key"))
    frame = prepared.frame.select(*(column(n) for n in source.names), *prepared.hidden, key.alias(row))
    return replace(source, frame=frame, groups=(*source.groups, row), carried=(row, *source.carried))


def _order(body: Relation, row: str) -> Column:
    """Order by group, then by the order of the body's rows."""
    place = column(ORDER)
    if body.sorted_by:
        place = F.row_number().over(Window.partitionBy(column(row)).orderBy(*body.orderings))
    return F.struct(column(row).alias("group"), place.alias("order"))


@compiles(p.ScanRows)
def scan_rows(plan: p.ScanRows, context: Context) -> Relation:
    """Collects the rows of each group in order, and runs the state machine over them."""
    source = compile_plan(plan.source, context)
    numbered = Window.partitionBy(*(column(g) for g in source.groups)).orderBy(*source.orderings)
    kept = [n for n in source.frame.columns if n == trace.TRACE]
    row = F.struct(F.row_number().over(numbered).alias("$$number"), *(column(n) for n in (*source.names, *kept)))
    frame = source.frame.select(row.alias("$$item"), *(column(n) for n in source.carried))
    gathered = frame.groupBy(*(column(g) for g in source.groups)).agg(
        F.array_sort(F.collect_list("`$$item`")).alias("$$rows"),
        *(F.first(column(c)).alias(c) for c in source.carried if c not in source.groups),
    )
    machine = Machine(plan, source.schema, lambda resolve: context.expressions(resolve=resolve))
    carried = [column(c) for c in source.carried]
    matched = gathered.select(
        column("$$rows"), *carried, F.posexplode(machine.matches(column("$$rows"))).alias("$$at", "$$match")
    )
    columns = columns_of(column("$$rows"), column("$$match"), plan, [*source.names, *kept])
    order = F.struct(*(column(g) for g in source.groups), column("$$at").alias("at"))
    frame = matched.select(*columns, order.alias(ORDER), *carried)
    return Relation(frame, plan.schema, (), source.groups, source.carried)
