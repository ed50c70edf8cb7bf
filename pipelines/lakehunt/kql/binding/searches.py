"""Binds search and find: the rows of several tables that meet one condition.

`search` is a union with a condition (Microsoft's documentation gives it as `union ... | where ...`, and Microsoft's
binder resolves its columns as those of the union): a column that a table does not have is null there, or the empty
string, and one that has several types has a name for each (`a_long`, `a_string`).

`find` evaluates its condition in each table, with that table's types. Tables that have none of the columns that the
condition names are left out; a column that a table lacks is null there, or the empty string."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.scope import Scope, converted, projected, ref
from lakehunt.kql.binding.tables import brought, matching, sources, terms, types_of, united
from lakehunt.kql.errors import Kind, Span
from lakehunt.kql.result_names import Names
from lakehunt.kql.types import BOOL, DYNAMIC, STRING, Column, Type

TABLE = "$table"
"""The column of a search's result that has the name of the row's table; its condition cannot name it."""


def search(binder: Binder, source: p.Plan, op: s.Search) -> p.Plan:
    named = [("search_arg0", source)] if source.schema else _named(binder, op.tables, op.span)
    if any(binder.is_lost(table) for _, table in named):
        return p.Values((), ())
    sensitive = getattr(op.options.get("kind"), "name", "") == "case_sensitive"
    whole = united(binder, named, False, TABLE, op.predicate.span)
    found: list[p.Plan] = []
    for table in whole.tables:
        values = table.expressions if isinstance(table, p.Project) else ()
        lacking = {c.name for c, value in zip(table.schema, values, strict=True) if isinstance(value, p.Const)}
        row = binder.row(table)
        row = replace(row, columns={n: t for n, t in (row.columns or {}).items() if n != TABLE})
        condition = _Condition(binder, row, lacking, sensitive).bound(op.predicate)
        found.append(p.Filter(table.schema, table, condition))
    return replace(whole, tables=tuple(found))


def _named(binder: Binder, tables: Sequence[s.Expr], span: Span) -> list[tuple[str, p.Plan]]:
    """The tables to look in, with their names: all, if the query names none."""
    if not tables:
        return matching(binder, "*", span)
    return [one for i, expr in enumerate(tables) for one in sources(binder, expr, i)]


@dataclass(frozen=True)
class _Found:
    """A table that find looks in. `rows` are those that meet the condition, with the columns that it reads; `own` are
    the table's own columns, `read` the names of those that the condition reads, `named` of those that it names (a term
    reads all columns, and names none), in its order."""

    name: str
    table: p.Plan
    rows: p.Plan
    own: Mapping[str, Column]
    read: tuple[str, ...]
    named: tuple[str, ...]

    @property
    def is_read(self) -> bool:
        return any(name in self.own for name in self.read)


def find(binder: Binder, source: p.Plan, op: s.Find) -> p.Plan:
    if source.schema:
        hint = "name it in the operator: find in ((T | where ...)) where ..."
        binder.fail(Kind.UNSUPPORTED, "find takes no rows from a pipe", op.span, hint)
        return p.Values((), ())
    named = _named(binder, op.tables, op.span)
    if any(binder.is_lost(table) for _, table in named):
        return p.Values((), ())
    before = len(binder.errors)
    types = types_of(table for _, table in named)
    looked_in = [_found(binder, name, table, types, op) for name, table in named]
    if len(binder.errors) > before:
        return p.Values((), ())
    if not any(one.read for one in looked_in):
        hint = "name a column in it, or write union withsource=source_ *"
        binder.fail(Kind.UNSUPPORTED, "a find whose condition names no column", op.predicate.span, hint)
        return p.Values((), ())
    found = [one for one in looked_in if one.is_read]
    for one in found:
        for name in one.read:
            if name not in one.own and len(types[name]) > 1:
                what = f"'{name}' has several types ({_listed(types[name])}), and the table {one.name} does not have it"
                binder.fail(Kind.UNSUPPORTED, what, op.predicate.span, "name the tables: find in (A, B) where ...")
                return p.Values((), ())
    return _shown(binder, found, types, op)


def _found(binder: Binder, name: str, table: p.Plan, types: Mapping[str, list[Type]], op: s.Find) -> _Found:
    own = {c.name: c for c in table.schema}
    lacking = {n: found[0] for n, found in types.items() if n not in own}
    scope = replace(
        binder.row(table), columns={n: c.type for n, c in own.items()} | lacking, lacking=frozenset(lacking)
    )
    condition = _Condition(binder, scope, lacking).bound(op.predicate)
    refs = [part for part in p.parts(condition) if isinstance(part, p.ColumnRef)]
    read = tuple(dict.fromkeys(part.name for part in sorted(refs, key=lambda part: part.span.start)))
    written = {
        part.name if isinstance(part, s.Name) else part.column
        for part in s.parts(op.predicate)
        if isinstance(part, (s.Name, s.TermSearch))
    }
    nulls = {n: p.Const(lacking[n], op.predicate.span, None) for n in read if n in lacking}
    columns = [(c.name, ref(c, op.predicate.span)) for c in table.schema]
    wide = projected(table, [*columns, *nulls.items()]) if nulls else table
    return _Found(
        name, table, p.Filter(wide.schema, wide, condition), own, read, tuple(n for n in read if n in written)
    )


@dataclass(frozen=True)
class _Asked:
    """A column of find's result: its title there, and which column of the tables it is, with which type."""

    title: str
    name: str
    type: Type
    is_cast: bool


def _shown(binder: Binder, found: Sequence[_Found], types: Mapping[str, list[Type]], op: s.Find) -> p.Plan:
    """The rows, with the name of their table and the columns that the query asks for: those of `project`; without it,
    those that all tables have, those that the condition names, and the others in a bag."""
    option = op.options.get("withsource")
    source_name = str(getattr(option, "name", None) or getattr(option, "value", "")) if option else "source_"
    asked = _asked(binder, types, op.columns) if op.columns else _smart(found)
    names = Names()
    titles = [binder.given(names, title, op.span) for title in (source_name, *(one.title for one in asked))]
    taken = {one.name for one in asked}
    has_rest = any(one.own.keys() - taken for one in found)
    if any(isinstance(column, s.Star) for column in op.columns) or (not op.columns and has_rest):
        titles.append(binder.given(names, "pack_", op.span))
    tables: list[p.Plan] = []
    for one in found:
        values: list[p.Expr] = [p.Const(STRING, op.span, one.name), *(_value(binder, one, a, op.span) for a in asked)]
        if len(values) < len(titles):
            values.append(_packed(binder, [c for n, c in one.own.items() if n not in taken], op.span))
        tables.append(projected(one.rows, list(zip(titles, values, strict=True))))
    return p.Union(tables[0].schema, tuple(tables))


def _asked(binder: Binder, types: Mapping[str, list[Type]], columns: Sequence[s.Node]) -> list[_Asked]:
    found: list[_Asked] = []
    for column in columns:
        if isinstance(column, s.Star) and len(columns) > 1:
            hint = "write project pack_all() alone, or name all columns"
            what = "project of columns and pack_all() in a find is not supported"
            binder.fail(Kind.UNSUPPORTED, what, column.span, hint)
        elif isinstance(column, (s.Name, s.Captured)) and column.name not in types:
            binder.no_column(column.name, column.span, types)
        elif isinstance(column, s.Captured):
            found.append(_Asked(column.name, column.name, column.type, True))
        elif isinstance(column, s.Name) and len(types[column.name]) > 1:
            what = f"'{column.name}' has several types: {_listed(types[column.name])}"
            hint = f"write its type: project {column.name}: {types[column.name][0]}"
            binder.fail(Kind.SEMANTIC, what, column.span, hint)
        elif isinstance(column, s.Name):
            found.append(_Asked(column.name, column.name, types[column.name][0], False))
    return found


def _smart(found: Sequence[_Found]) -> list[_Asked]:
    """The columns that all tables have, then others that the condition names; several for one of several types."""
    common = [n for n in found[0].own if all(n in one.own for one in found)]
    named = [n for one in found for n in one.named]
    types = types_of(one.table for one in found)
    return [
        _Asked(f"{name}_{kind}" if len(types[name]) > 1 else name, name, kind, False)
        for name in dict.fromkeys([*common, *named])
        for kind in types[name]
    ]


def _value(binder: Binder, found: _Found, asked: _Asked, span: Span) -> p.Expr:
    own = found.own.get(asked.name)
    if own is None or own.type == asked.type or not asked.is_cast:
        return brought(own, asked.type, span)
    scope = Scope({own.name: own.type})
    return _without_shape(binder.scalar(s.Call(span, f"to{asked.type}", (s.Name(span, own.name),), span), scope))


def _packed(binder: Binder, columns: Sequence[Column], span: Span) -> p.Expr:
    """A bag of columns, of which null and empty ones are part, as of `pack_all()`."""
    if not columns:
        return p.Const(DYNAMIC, span, {})
    pairs = [part for c in columns for part in (s.Literal(span, STRING, c.name), s.Name(span, c.name))]
    scope = Scope({c.name: c.type for c in columns})
    return _without_shape(binder.scalar(s.Call(span, "bag_pack", tuple(pairs), span), scope))


def _without_shape(value: p.Expr) -> p.Expr:
    """No shape is known of values of several tables."""
    return replace(value, type=replace(value.type, shape=None))


def _listed(types: Sequence[Type]) -> str:
    return " and ".join(str(one) for one in types)


class _Condition:
    """The condition of a search for rows of one table. `scope` has the columns that it may name; `lacking` are those
    of them that only other tables have, where no term can be found."""

    def __init__(self, binder: Binder, scope: Scope, lacking: Collection[str], sensitive: bool = False) -> None:
        self.binder = binder
        self.scope = scope
        self.lacking = lacking
        self.sensitive = sensitive

    def bound(self, expr: s.Expr) -> p.Expr:
        if isinstance(expr, s.Star):
            return p.Const(BOOL, expr.span, True)
        if isinstance(expr, s.TermSearch):
            return self._term(expr, expr.text, expr.column)
        if isinstance(expr, s.Binary) and expr.op in ("and", "or"):
            conditions = [self.bound(term) for term in terms(expr, expr.op)]
            return p.chained(expr.op, conditions, expr.span)
        if isinstance(expr, s.Call) and expr.name == "not" and len(expr.args) == 1:
            return p.Call(BOOL, expr.span, "not", (self.bound(expr.args[0]),))
        if isinstance(expr, s.Literal) and expr.type != BOOL:
            what = f"a bare {expr.type} in a search is not supported"
            hint = f'look for its text, "{expr.value}", or compare a column with it'
            return self.binder.unknown(Kind.UNSUPPORTED, what, expr.span, hint)
        return self.binder.condition(expr, self.scope)

    def _term(self, expr: s.Expr, text: str, only: str | None) -> p.Expr:
        """Some column has the text as a term; `abc*` starts a term, `*abc` ends one, `*abc*` stands anywhere, and `a*b`
        is looked for as a pattern."""
        known = self.scope.columns or {}
        if only is not None and only not in known:
            self.binder.no_column(only, expr.span, known)
            return p.Const(BOOL, expr.span, None)
        columns = [Column(n, t) for n, t in known.items() if n == only or (only is None and n not in self.lacking)]
        op, needle = self._operator(text)
        checks = [
            p.Call(BOOL, expr.span, op, (converted(ref(c, expr.span), STRING), p.Const(STRING, expr.span, needle)))
            for c in columns
        ]
        if not checks:
            return p.Const(BOOL, expr.span, False)
        return p.chained("or", checks, expr.span)

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
