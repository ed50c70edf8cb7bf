"""Operators that expand values, or apply other operators to parts of a table: mv-expand, mv-apply, partition, scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lakehunt.kql import constants, shapes
from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding import several
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.scope import UNKNOWN, Scope, converted, is_ordered, projected, ref, unknown
from lakehunt.kql.errors import Kind
from lakehunt.kql.result_names import Names
from lakehunt.kql.types import BOOL, DYNAMIC, LONG, NUMERIC, Column, Type

MAX_EXPANDED = 2_147_483_647
"""The default limit of expanded elements per value, as in Kusto."""


def mv_expand(binder: Binder, source: p.Plan, op: s.MvExpand) -> p.Plan:
    return _expand(binder, source, op.items, op.limit, op.options)


def _expand(
    binder: Binder, source: p.Plan, given: Sequence[s.Expanded], limit: s.Expr | None, options: s.Options
) -> p.Expand:
    items: list[p.Expanded] = []
    names, declared = Names(source.names), Names()
    for item in given:
        scope = binder.row(source)
        value = binder.scalar(item.value, scope)
        if value.type not in (DYNAMIC, UNKNOWN):
            what = f"only dynamic values can be expanded, this is a {value.type}"
            binder.fail(Kind.SEMANTIC, what, item.span, "parse_json(...) reads text")
            value = unknown(item.span)
        named = item.name or _own_name(binder, item.value, scope)
        name = binder.given(declared, named, item.span) if named else names.column()
        element = replace(DYNAMIC, shape=shapes.part(shapes.of(value.type), None))
        items.append(p.Expanded(name, value, item.type or element))
    kind = options.get("kind") or options.get("bagexpansion")
    index = getattr(options.get("with_itemindex"), "name", None)
    index = Names([*source.names, *(i.name for i in items)]).unique(index) if index else None
    made = {i.name: Column(i.name, i.type) for i in items}
    schema = [made.pop(c.name, c) for c in source.schema]
    schema = [*schema, *made.values(), *([Column(index, LONG)] if index else [])]
    count = binder.row_count(limit) if limit else MAX_EXPANDED
    in_arrays = getattr(kind, "name", "bag") == "array"
    return p.Expand(tuple(schema), source, tuple(items), index, in_arrays, count)


def _own_name(binder: Binder, value: s.Expr, scope: Scope) -> str | None:
    made = several.parts(binder, value, scope)
    return made[0][0] if made else several.name_of(binder, value, scope)


def mv_apply(binder: Binder, source: p.Plan, op: s.MvApply) -> p.Plan:
    rows = _expand(binder, source, op.items, op.limit, op.options)
    inside = tuple(c for c in rows.schema if c.name in rows.made)
    body, given = _body(binder, op.body, inside, {c.name: c.type for c in source.schema})
    bare = {i.value.name for i in op.items if isinstance(i.value, s.Name) and i.name is None}
    gone = {*bare, *body.names}  # of a column that is expanded without another name, only the body's is left
    kept = tuple(c for c in source.schema if c.name not in gone)
    applied = p.PerGroup((*kept, *body.schema), source, None, rows, body, given, tuple(c.name for c in kept))
    types = {c.name: c for c in applied.schema}
    order = dict.fromkeys([*(n for n in source.names if n in types), *applied.names])
    return projected(applied, [(n, ref(types[n], op.span)) for n in order])


def _body(binder: Binder, body: s.Expr, schema: Sequence[Column], outer: dict[str, Type]) -> tuple[p.Plan, str]:
    assert isinstance(body, s.Pipeline)
    binder.bodies += 1
    name = f"$$outer{binder.bodies}"
    outside = binder.outer
    binder.outer = (*outside, (name, outer))
    plan = binder.steps(p.Given(tuple(schema), name), body.operators)
    binder.outer = outside
    return plan, name


def partition(binder: Binder, source: p.Plan, op: s.Partition) -> p.Plan:
    key = binder.scalar(op.key, binder.row(source))
    assert isinstance(op.body, s.Pipeline)
    binder.bodies += 1
    name = f"$$outer{binder.bodies}"
    body = binder.steps(p.Given(source.schema, name), op.body.operators)
    return p.PerGroup(body.schema, source, key, None, body, name, ())


def scan(binder: Binder, source: p.Plan, op: s.Scan) -> p.Plan:
    if not is_ordered(source):
        binder.fail(Kind.SEMANTIC, "'scan' needs rows in order", op.span, "put sort or serialize before it")
    scope = Scope(outer=binder.outer)
    declared: list[tuple[str, p.Expr]] = []
    for column, default in op.declared:
        value = constants.fold(binder.scalar(default, scope)) if default else p.Const(column.type, column.span, None)
        declared.append((column.name, converted(value, column.type)))
    match_id = getattr(op.options.get("with_match_id"), "name", None)
    state = {name: value.type for name, value in declared}
    columns = {c.name: c.type for c in source.schema}
    steps = [_step(binder, step, op, columns, state) for step in op.steps]
    made = [Column(n, v.type) for n, v in declared] + ([Column(match_id, LONG)] if match_id else [])
    binder.distinct_names([*source.names, *(c.name for c in made)], op.span)
    return p.ScanRows((*source.schema, *made), source, tuple(declared), tuple(steps), match_id)


def _step(binder: Binder, step: s.Step, op: s.Scan, columns: dict[str, Type], state: dict[str, Type]) -> p.Step:
    """Binds a step, whose expressions see the row's columns, the state by bare name, and a step's state as `s.name`."""
    names = {f"{other.name}.{n}": t for other in op.steps for n, t in {**columns, **state}.items()}
    scope = Scope({**columns, **state, **names}, binder.outer)
    known = {other.name for other in op.steps}
    condition = binder.scalar(_flattened(step.condition, known), scope)
    if condition.type not in (BOOL, UNKNOWN):
        binder.fail(Kind.SEMANTIC, f"expected a condition, found a {condition.type}", step.condition.span)
    assignments: list[tuple[str, p.Expr]] = []
    for item in step.assignments:
        name = item.names[0] if isinstance(item, s.Named) else ""
        if not isinstance(item, s.Named) or name not in state:
            binder.fail(Kind.SEMANTIC, "a step assigns to declared columns", item.span)
            continue
        value = binder.scalar(_flattened(item.value, known), scope)
        kind = state[name]
        if value.type != kind and not (value.type in NUMERIC and kind in NUMERIC) and value.type is not UNKNOWN:
            binder.fail(Kind.SEMANTIC, f"'{name}' is a {kind}, this is a {value.type}", item.span)
            value = unknown(item.span)
        assignments.append((name, converted(value, kind)))
    output = getattr(step.options.get("output"), "name", "all")
    if output == "last":
        binder.fail(Kind.UNSUPPORTED, "a step of scan with output=last is not supported", step.span)
    return p.Step(step.name, condition, tuple(assignments), output)


def _flattened(expr: s.Expr, steps: set[str]) -> s.Expr:
    """`s1.count` as a single name, if `s1` is a step."""

    def change(part: s.Expr) -> s.Expr | None:
        if isinstance(part, s.Path) and isinstance(part.value, s.Name) and part.value.name in steps:
            return s.Name(part.span, f"{part.value.name}.{part.name}")
        return None

    return s.rewritten(expr, change)
