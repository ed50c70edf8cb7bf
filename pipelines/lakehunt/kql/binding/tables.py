"""Binds operators over several tables: join, lookup and union; `searches` binds search and find."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import replace

from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.scope import UNKNOWN, Function, projected, ref
from lakehunt.kql.errors import Kind, KqlError, Span
from lakehunt.kql.result_names import Names
from lakehunt.kql.types import DYNAMIC, STRING, Column, Schema, Type

KINDS: dict[str, str] = {
    "inner": "inner",
    "innerunique": "innerunique",
    "leftouter": "left",
    "rightouter": "right",
    "fullouter": "full",
    **dict.fromkeys(("leftsemi", "semi"), "leftsemi"),
    "rightsemi": "rightsemi",
    **dict.fromkeys(("leftanti", "anti", "leftantisemi"), "leftanti"),
    **dict.fromkeys(("rightanti", "rightantisemi"), "rightanti"),
}


def join(binder: Binder, source: p.Plan, op: s.Join) -> p.Plan:
    right = binder.table(op.right)
    written = op.options.get("kind")
    default = "leftouter" if op.lookup else "innerunique"
    kind = KINDS[written.name if isinstance(written, s.Name) else default]
    keys = _keys(binder, source, right, op.on)
    if not source.schema or not right.schema:
        return p.Join((), source, right, kind, (), ())
    schema, columns = _joined(source, right, kind, {r for _, r in keys} if op.lookup else set())
    return p.Join(schema, source, right, kind, tuple(keys), columns)


def _joined(left: p.Plan, right: p.Plan, kind: str, hidden: set[str]) -> tuple[Schema, tuple[tuple[bool, str], ...]]:
    """The columns of a join: the left table's, then the right one's; a name that is taken is numbered."""
    if kind in ("rightsemi", "rightanti"):
        return right.schema, tuple((False, c.name) for c in right.schema)
    schema, columns = list(left.schema), [(True, c.name) for c in left.schema]
    if kind in ("leftsemi", "leftanti"):
        return tuple(schema), tuple(columns)
    names = Names([*left.names, *(n for n in right.names if n not in left.names)])
    for column in right.schema:
        if column.name not in hidden:
            name = names.unique(column.name) if column.name in left.names else column.name
            schema.append(Column(name, column.type))
            columns.append((False, column.name))
    return tuple(schema), tuple(columns)


def _keys(binder: Binder, left: p.Plan, right: p.Plan, on: Sequence[s.Expr]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for condition in [term for expr in on for term in terms(expr)]:
        names = _pair(condition)
        if names is None:
            hint = "write a column of both tables, or $left.a == $right.b"
            binder.fail(Kind.SEMANTIC, "a join compares columns for equality", condition.span, hint)
            continue
        for name, table in zip(names, (left, right), strict=True):
            if table.schema and name not in table.names:
                binder.no_column(name, condition.span, table.names)
        if names[0] in left.names and names[1] in right.names:
            _check_types(binder, left, right, names, condition)
            pairs.append(names)
    return pairs


def _check_types(binder: Binder, left: p.Plan, right: p.Plan, names: tuple[str, str], on: s.Expr) -> None:
    """A column of both tables has one type there; `$left.a == $right.b` compares an int with a long, too."""
    a, b = (next(c.type for c in t.schema if c.name == n) for n, t in zip(names, (left, right), strict=True))
    integers = {a.name, b.name} <= {"int", "long"} and not isinstance(on, s.Name)
    if a != b and not integers and UNKNOWN not in (a, b):
        hint = "convert one of them before the join"
        binder.fail(Kind.SEMANTIC, f"the keys are a {a} and a {b}, and not comparable", on.span, hint)
    elif DYNAMIC in (a, b):
        binder.fail(Kind.SEMANTIC, "a join's keys cannot be dynamic", on.span, "convert them before: tostring(...)")


def terms(expr: s.Expr, op: str = "and") -> list[s.Expr]:
    """The terms of a chain of `and`, in order."""
    found: list[s.Expr] = []
    while isinstance(expr, s.Binary) and expr.op == op:
        found.append(expr.right)
        expr = expr.left
    return [expr, *reversed(found)]


def _pair(expr: s.Expr) -> tuple[str, str] | None:
    if isinstance(expr, s.Name):
        return expr.name, expr.name
    if not isinstance(expr, s.Binary) or expr.op != "==":
        return None
    sides = {
        side.value.name: side.name
        for side in (expr.left, expr.right)
        if isinstance(side, s.Path) and isinstance(side.value, s.Name)
    }
    return (sides["$left"], sides["$right"]) if set(sides) == {"$left", "$right"} else None


def union(binder: Binder, source: p.Plan, op: s.Union) -> p.Plan:
    named = [(_source_name(binder, source, 0), source)] if source.schema else []
    missing: list[KqlError] = []
    for expr in op.tables:
        with binder.forgiving(_is_fuzzy(op)) as lost:
            found = sources(binder, expr, len(named))
        named.extend([] if lost else found)
        missing.extend(lost)
    if not named:
        binder.errors.extend(missing)
        return p.Values((), ())
    if any(binder.is_lost(table) for _, table in named):
        return p.Values((), ())
    inner = getattr(op.options.get("kind"), "name", "outer") == "inner"
    with_source = op.options.get("withsource")
    name = str(getattr(with_source, "name", None) or getattr(with_source, "value", "")) if with_source else None
    made = united(binder, named, inner, name, op.span)
    return replace(made, left_out=tuple((error.table or error.function, error.span) for error in missing))


def _is_fuzzy(op: s.Union) -> bool:
    option = op.options.get("isfuzzy")
    return str(getattr(option, "name", None) or getattr(option, "value", "")).lower() == "true"


def sources(binder: Binder, expr: s.Expr, position: int) -> list[tuple[str, p.Plan]]:
    """The tables that one argument of a union stands for, with their names: several for a wildcard."""
    if isinstance(expr, s.Name) and "*" in expr.name:
        found = matching(binder, expr.name, expr.span)
        if not found:
            binder.fail(Kind.SEMANTIC, f"no table is named like '{expr.name}'", expr.span, table=expr.name)
        return found
    plan = binder.table(expr)
    return [(_view(binder, expr) or _source_name(binder, plan, position), plan)]


def matching(binder: Binder, pattern: str, span: Span) -> list[tuple[str, p.Plan]]:
    """The stored tables, then the views without parameters (`let V = view () {...}`), whose names match a wildcard."""
    views = [
        name
        for name, variable in binder.variables.items()
        if isinstance(variable, Function) and variable.definition.view and not variable.definition.parameters
    ]
    stored = [n for n in binder.tables if n not in views and fnmatch.fnmatchcase(n, pattern)]
    found: list[tuple[str, p.Plan]] = [(n, p.Scan(binder.tables[n], n, span)) for n in stored]
    return found + [(n, binder.table(s.Name(span, n))) for n in views if fnmatch.fnmatchcase(n, pattern)]


def _source_name(binder: Binder, plan: p.Plan, position: int) -> str:
    """A table's name for `withsource`: its own, or the one given by `as`."""
    default = plan.table if isinstance(plan, p.Scan) else f"union_arg{position}"
    return binder.named.get(id(plan), (plan, default))[1]


def _view(binder: Binder, expr: s.Expr) -> str | None:
    """The name of a view (`let V = view () {...}`), which `withsource` uses like a table's name."""
    variable = binder.variables.get(expr.name) if isinstance(expr, (s.Name, s.Call)) else None
    return variable.definition.name if isinstance(variable, Function) and variable.definition.view else None


def united(
    binder: Binder, named: Sequence[tuple[str, p.Plan]], inner: bool, with_source: str | None, span: Span
) -> p.Union:
    """All rows, each brought to the columns of the whole: a column that a table has not is null there (or the empty
    string), one that has several types becomes one for each (`a_long`, `a_string`; `a_long1` if that is taken)."""
    found = types_of(table for _, table in named)
    if inner:
        found = {n: t for n, t in found.items() if all(n in table.names for _, table in named)}
    names = Names()
    columns = [
        (Column(names.unique(f"{n}_{t}" if len(types) > 1 else n), t), n) for n, types in found.items() for t in types
    ]
    if with_source is not None and with_source in names.taken:
        binder.taken(with_source, span)
    tables: list[p.Plan] = []
    for name, table in named:
        own = {c.name: c for c in table.schema}
        made: list[tuple[str, p.Expr]] = [(with_source, p.Const(STRING, span, name))] if with_source else []
        for column, original in columns:
            made.append((column.name, brought(own.get(original), column.type, span)))
        tables.append(projected(table, made))
    return p.Union(tables[0].schema if tables else (), tuple(tables))


def types_of(tables: Iterable[p.Plan]) -> dict[str, list[Type]]:
    """The types that each column has in some table, in the order of the tables."""
    found: dict[str, list[Type]] = {}
    for table in tables:
        for column in table.schema:
            types = found.setdefault(column.name, [])
            if column.type not in types:
                types.append(column.type)
    return found


def brought(own: Column | None, kind: Type, span: Span) -> p.Expr:
    """The value of a column in a row of several tables: null, or the empty string, unless the row's table has it with
    this type."""
    if own is None or own.type != kind:
        return p.Const(kind, span, None)
    value = ref(replace(own, type=replace(kind, shape=None)), span)  # no shape is known of values of several tables
    return p.Call(DYNAMIC, span, p.AS_DYNAMIC, (value,)) if _is_array(value) else value


def _is_array(value: p.Expr) -> bool:
    """Whether a dynamic value is a Spark array, which must be converted if others are JSON text."""
    return value.type == DYNAMIC and value.type.element is not None
