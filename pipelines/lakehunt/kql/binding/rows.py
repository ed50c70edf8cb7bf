"""Binds row-by-row operators, and those that sort or limit rows: where, extend, project, sort, take, ..."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding import lookups, several
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.functions import call_function
from lakehunt.kql.binding.scope import Function, Scope, projected, ref, split
from lakehunt.kql.errors import Kind, Span
from lakehunt.kql.lookup_names import FILE_PROFILE
from lakehunt.kql.result_names import Names
from lakehunt.kql.types import DYNAMIC, INT, STRING, Column


def where(binder: Binder, source: p.Plan, op: s.Where) -> p.Plan:
    predicate = binder.predicate(op.predicate, source)
    if isinstance(source, p.Join) and _is_about_left(predicate, source):
        left = p.Filter(source.left.schema, source.left, predicate)
        return replace(source, left=left)
    return p.Filter(source.schema, source, predicate)


def _is_about_left(predicate: p.Expr, join: p.Join) -> bool:
    """Whether a condition on an innerunique join is about the left side alone. The join keeps any one row of each key
    there; Kusto applies such a condition before it chooses."""
    kept = {c.name for c, (left, _) in zip(join.schema, join.columns, strict=True) if left}
    read = p.references(predicate)
    plain = not any(isinstance(part, (p.WindowCall, p.OuterRef)) for part in p.parts(predicate))
    return join.kind == "innerunique" and bool(read) and plain and read <= kept


def extend(binder: Binder, source: p.Plan, op: s.Extend) -> p.Plan:
    return _extended(binder, source, op.items)


def serialize(binder: Binder, source: p.Plan, op: s.Serialize) -> p.Plan:
    """Unlike `extend`, it replaces no column by a computed value: a name that is taken is numbered. A column that is
    read as it is, `serialize a` or `serialize b = a`, has its name."""
    serialized = p.Serialize(source.schema, source)
    if not op.items:
        return serialized
    columns = {c.name: ref(c, op.span) for c in source.schema}
    scope, names, declared = binder.row(serialized), Names(taken=source.names), Names()
    for item in several.one_by_one(binder, op.items, scope):
        value = binder.scalar(item.value, scope)
        if isinstance(item.value, s.Name):
            columns[binder.given(declared, item.name or item.value.name, item.value.span)] = value
        elif item.name:
            columns[binder.given(names, item.name, item.value.span)] = value
        else:
            columns[names.unique(item.own) if item.own else names.column()] = value
    return projected(serialized, list(columns.items()))


def _extended(binder: Binder, source: p.Plan, items: Sequence[s.Expr]) -> p.Plan:
    scope = binder.row(source)
    columns = {c.name: ref(c, Span(0, 0)) for c in source.schema}
    given = several.one_by_one(binder, items, scope)
    names = Names([*columns, *(item.name for item in given if item.name)])
    taken = Names()
    for item in given:
        if item.name:
            binder.given(taken, item.name, item.value.span)
        elif isinstance(item.value, s.Name) and item.value.name in columns:  # it is there, and stays as it is
            binder.given(taken, item.value.name, item.value.span)
            continue
        name = item.name or (taken.unique(item.own) if item.own and item.part else item.own) or names.column()
        columns[name] = binder.scalar(item.value, scope)
    return projected(source, list(columns.items()))


def project(binder: Binder, source: p.Plan, op: s.Project) -> p.Plan:
    return projected(source, new_columns(binder, source, op.items, Names()))


def new_columns(binder: Binder, source: p.Plan, items: Sequence[s.Expr], names: Names) -> list[tuple[str, p.Expr]]:
    """The columns of a list of items, as in `project`, `distinct` and the keys of `summarize`."""
    scope = binder.row(source)
    columns: list[tuple[str, p.Expr]] = []
    for item in several.one_by_one(binder, items, scope):
        value = item.value
        if isinstance(value, s.Star):
            columns.extend((names.unique(c.name), ref(c, value.span)) for c in source.schema)
            continue
        given = item.name or (value.name if isinstance(value, s.Name) else None)
        if given:
            final = binder.given(names, given, value.span)
        else:
            final = names.unique(item.own) if item.own else names.column()
        columns.append((final, binder.scalar(value, scope)))
    return columns


def project_away(binder: Binder, source: p.Plan, op: s.ProjectAway) -> p.Plan:
    gone = {n for pattern in op.patterns for n in _matching(binder, source, pattern)}
    return projected(source, [(c.name, ref(c, op.span)) for c in source.schema if c.name not in gone])


def project_keep(binder: Binder, source: p.Plan, op: s.ProjectKeep) -> p.Plan:
    kept = {n for pattern in op.patterns for n in _matching(binder, source, pattern)}
    return projected(source, [(c.name, ref(c, op.span)) for c in source.schema if c.name in kept])


def project_by_names(binder: Binder, source: p.Plan, op: s.ProjectByNames) -> p.Plan:
    """The columns that are named, in that order; a name that no column has is ignored."""
    order: list[str] = []
    for item in op.items:
        given = binder.constant(item, [STRING, DYNAMIC], "a name in quotes, or an array of names")
        for name in given if isinstance(given, list) else [given]:
            order.extend(n for n in _like(source, str(name)) if n not in order)
    types = {c.name: c.type for c in source.schema}
    return projected(source, [(n, p.ColumnRef(types[n], op.span, n)) for n in order])


def project_reorder(binder: Binder, source: p.Plan, op: s.ProjectReorder) -> p.Plan:
    order: list[str] = []
    binder.distinct_names((pattern.name for pattern, _ in op.patterns), op.span)
    for pattern, direction in op.patterns:
        found = [n for n in _matching(binder, source, pattern) if n not in order]
        order.extend(_ORDERS[direction](found))
    order.extend(n for n in source.names if n not in order)
    types = {c.name: c.type for c in source.schema}
    return projected(source, [(n, p.ColumnRef(types[n], op.span, n)) for n in order])


def _numbered(name: str) -> tuple[tuple[str, int], ...]:
    """A natural sort key: `a2` before `a10`."""
    return tuple((text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", name))


_ORDERS: dict[str, Callable[[list[str]], list[str]]] = {
    "": list,
    "asc": sorted,
    "desc": lambda names: sorted(names, reverse=True),
    "granny-asc": lambda names: sorted(names, key=_numbered),
    "granny-desc": lambda names: sorted(names, key=_numbered, reverse=True),
}


def _matching(binder: Binder, source: p.Plan, pattern: s.Name) -> list[str]:
    matched = _like(source, pattern.name)
    if not matched and source.schema:
        binder.no_column(pattern.name, pattern.span, source.names)
    return matched


def _like(source: p.Plan, pattern: str) -> list[str]:
    """The columns whose names match a pattern with `*`."""
    escaped = pattern.replace("[", "[[]").replace("?", "[?]")
    return [n for n in source.names if fnmatch.fnmatchcase(n, escaped)]


def project_rename(binder: Binder, source: p.Plan, op: s.ProjectRename) -> p.Plan:
    renamed: dict[str, str] = {}
    for name, value in map(split, op.items):
        if name is None or not isinstance(value, s.Name):
            binder.fail(Kind.SEMANTIC, "project-rename takes `new = old`", value.span)
        elif value.name not in source.names:
            binder.no_column(value.name, value.span, source.names)
        elif name in renamed.values() or name in source.names:
            binder.taken(name, value.span)
        elif value.name in renamed:
            binder.fail(Kind.SEMANTIC, f"'{value.name}' is renamed to '{renamed[value.name]}' already", value.span)
        else:
            renamed[value.name] = name
    return projected(source, [(renamed.get(c.name, c.name), ref(c, op.span)) for c in source.schema])


def sort(binder: Binder, source: p.Plan, op: s.Sort) -> p.Plan:
    return p.Sort(source.schema, source, tuple(_sort_key(binder, key, source) for key in op.keys))


def _sort_key(binder: Binder, key: s.SortKey, source: p.Plan) -> p.SortKey:
    value = binder.scalar(split(key.value)[1], binder.row(source))
    if value.type.name == "dynamic":
        binder.fail(Kind.SEMANTIC, "rows cannot be sorted by a dynamic value", key.span, "convert it: tostring(...)")
    return p.SortKey(value, key.descending, key.nulls_first)


def top(binder: Binder, source: p.Plan, op: s.Top) -> p.Plan:
    ordered = p.Sort(source.schema, source, (_sort_key(binder, op.key, source),))
    return p.Take(source.schema, ordered, binder.row_count(op.count))


def take(binder: Binder, source: p.Plan, op: s.Take) -> p.Plan:
    return p.Take(source.schema, source, binder.row_count(op.count))


def as_(binder: Binder, source: p.Plan, op: s.As) -> p.Plan:
    named = replace(source)
    binder.variables[op.name] = named
    binder.named[id(named)] = (named, op.name)
    return named


def render(binder: Binder, source: p.Plan, op: s.Render) -> p.Plan:
    return source


def getschema(binder: Binder, source: p.Plan, op: s.GetSchema) -> p.Plan:
    names = ("ColumnName", "ColumnOrdinal", "DataType", "ColumnType")
    columns = tuple(Column(n, INT if n == "ColumnOrdinal" else STRING) for n in names)
    rows = tuple((c.name, i, DOTNET_TYPES.get(c.type.name, ""), c.type.name) for i, c in enumerate(source.schema))
    return p.Values(columns, rows)


DOTNET_TYPES = {
    "bool": "System.SByte",
    "int": "System.Int32",
    "long": "System.Int64",
    "real": "System.Double",
    "decimal": "System.Data.SqlTypes.SqlDecimal",
    "datetime": "System.DateTime",
    "timespan": "System.TimeSpan",
    "guid": "System.Guid",
    "string": "System.String",
    "dynamic": "System.Object",
}
"""The .NET types shown by `getschema`."""


def invoke(binder: Binder, source: p.Plan, op: s.Invoke) -> p.Plan:
    if op.call.name == FILE_PROFILE:
        return lookups.file_profile(binder, source, op.call)
    function = binder.variables.get(op.call.name)
    if not isinstance(function, Function):
        what = f"the function '{op.call.name}' is not supported"
        binder.fail(Kind.UNSUPPORTED, what, op.call.name_span, "define it with let", function=op.call.name)
        return source
    found = call_function(binder, function, op.call, source, Scope())
    return found if isinstance(found, p.Plan) else source
