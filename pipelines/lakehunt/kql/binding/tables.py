"""Binds operators over several tables: join, lookup, union, search, find."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.scope import UNKNOWN, Function, converted, projected, ref
from lakehunt.kql.errors import Kind, KqlError, Span
from lakehunt.kql.result_names import Names
from lakehunt.kql.types import BOOL, DYNAMIC, STRING, Column, Schema, Type

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
    for condition in [term for expr in on for term in _terms(expr)]:
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


def _terms(expr: s.Expr, op: str = "and") -> list[s.Expr]:
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
            found = _united(binder, expr, len(named))
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


def _united(binder: Binder, expr: s.Expr, position: int) -> list[tuple[str, p.Plan]]:
    if isinstance(expr, s.Name) and "*" in expr.name:
        found = [n for n in binder.tables if fnmatch.fnmatchcase(n, expr.name)]
        if not found:
            binder.fail(Kind.SEMANTIC, f"no table is named like '{expr.name}'", expr.span)
        return [(n, p.Scan(binder.tables[n], n, expr.span)) for n in found]
    plan = binder.table(expr)
    return [(_view(binder, expr) or _source_name(binder, plan, position), plan)]


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
    found: dict[str, list[Type]] = {}
    for _, table in named:
        for column in table.schema:
            types = found.setdefault(column.name, [])
            if column.type not in types:
                types.append(column.type)
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
            has = original in own and own[original].type == column.type
            # no shape is known of values of several tables
            value = (
                ref(replace(own[original], type=replace(column.type, shape=None)), span)
                if has
                else p.Const(column.type, span, None)
            )
            made.append((column.name, p.Call(DYNAMIC, span, p.AS_DYNAMIC, (value,)) if _is_array(value) else value))
        tables.append(projected(table, made))
    return p.Union(tables[0].schema if tables else (), tuple(tables))


def _is_array(value: p.Expr) -> bool:
    """Whether a dynamic value is a Spark array, which must be converted if others are JSON text."""
    return value.type == DYNAMIC and value.type.element is not None


def search(binder: Binder, source: p.Plan, op: s.Search) -> p.Plan:
    return _searched(binder, source, op.predicate, op.tables, "$table", "search_arg", _is_sensitive(op))


def _is_sensitive(op: s.Search) -> bool:
    return getattr(op.options.get("kind"), "name", "") == "case_sensitive"


def _searched(
    binder: Binder,
    source: p.Plan,
    predicate: s.Expr,
    tables: Sequence[s.Expr],
    source_name: str,
    unnamed: str,
    sensitive: bool,
) -> p.Plan:
    """The rows found by a search, each with the name of its table."""
    if source.schema:
        named = [(f"{unnamed}0", source)]
    elif tables:
        named = [t for i, expr in enumerate(tables) for t in _united(binder, expr, i)]
    else:
        named = [(n, p.Scan(schema, n, predicate.span)) for n, schema in binder.tables.items()]
    found = []
    for name, table in named:
        condition = _Search(binder, table, sensitive).condition(predicate)
        found.append((name, p.Filter(table.schema, table, condition)))
    return united(binder, found, False, source_name, predicate.span)


class _Search:
    """The predicate of a search over one table."""

    def __init__(self, binder: Binder, table: p.Plan, sensitive: bool) -> None:
        self.binder = binder
        self.table = table
        self.sensitive = sensitive

    def condition(self, expr: s.Expr) -> p.Expr:
        if isinstance(expr, s.Star):
            return p.Const(BOOL, expr.span, True)
        if isinstance(expr, s.TermSearch):
            return self._term(expr, expr.text, expr.column)
        if isinstance(expr, s.Binary) and expr.op in ("and", "or"):
            conditions = [self.condition(term) for term in _terms(expr, expr.op)]
            return reduce(lambda a, b: p.Call(BOOL, expr.span, expr.op, (a, b)), conditions[1:], conditions[0])
        if isinstance(expr, s.Call) and expr.name == "not" and len(expr.args) == 1:
            return p.Call(BOOL, expr.span, "not", (self.condition(expr.args[0]),))
        if isinstance(expr, s.Literal) and expr.type != BOOL:
            what = f"a bare {expr.type} in a search is not supported"
            hint = f'look for its text, "{expr.value}", or compare a column with it'
            return self.binder.unknown(Kind.UNSUPPORTED, what, expr.span, hint)
        return self.binder.predicate(expr, self.table)

    def _term(self, expr: s.Expr, text: str, only: str | None) -> p.Expr:
        """Some column has the text as a term; `abc*` starts a term, `*abc` ends one, `*abc*` stands anywhere, and `a*b`
        is looked for as a pattern."""
        if only is not None and only not in self.table.names:
            self.binder.no_column(only, expr.span, self.table.names)
            return p.Const(BOOL, expr.span, None)
        columns = [c for c in self.table.schema if only in (None, c.name)]
        op, needle = self._operator(text)
        checks = [
            p.Call(BOOL, expr.span, op, (converted(ref(c, expr.span), STRING), p.Const(STRING, expr.span, needle)))
            for c in columns
        ]
        if not checks:
            return p.Const(BOOL, expr.span, False)
        return reduce(lambda a, b: p.Call(BOOL, expr.span, "or", (a, b)), checks[1:], checks[0])

    def _operator(self, text: str) -> tuple[str, str]:
        inner = text.strip("*")
        case = "_cs" if self.sensitive else ""
        if "*" in inner:
            pattern = ".*".join(re.escape(part) for part in text.split("*"))
            return "matches regex", pattern if self.sensitive else f"(?i){pattern}"
        starts, ends = text.startswith("*"), text.endswith("*") and len(text) > 1
        if not inner:
            return "contains" + case, ""
        name = {(False, False): "has", (False, True): "hasprefix", (True, False): "hassuffix"}.get(
            (starts, ends), "contains"
        )
        return name + case, inner


def find(binder: Binder, source: p.Plan, op: s.Find) -> p.Plan:
    option = op.options.get("withsource")
    name = getattr(option, "name", None) or "source_"
    if not op.columns:
        hint = "name the columns: find where ... project A, B"
        binder.fail(Kind.UNSUPPORTED, "find without project is not supported", op.span, hint)
        return source
    found = _searched(binder, source, op.predicate, op.tables, name, "find_arg", False)
    wanted = [c.name for c in op.columns if isinstance(c, s.Name)]
    types = {c.name: c.type for c in found.schema}
    columns = [(name, p.ColumnRef(STRING, op.span, name))]
    for column in op.columns:
        if not isinstance(column, s.Name) or column.name not in types:
            binder.no_column(getattr(column, "name", ""), column.span, [n for n in types if n not in wanted])
        else:
            columns.append((column.name, p.ColumnRef(types[column.name], column.span, column.name)))
    return projected(found, columns)
