"""Binds `evaluate bag_unpack`, and finds out the columns of plugins whose columns depend on the data.

Source: learn.microsoft.com/kusto/query/bag-unpack-plugin; the place of a column that is replaced is the engine's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.scope import converted, projected, ref
from lakehunt.kql.binding.templates import by_name
from lakehunt.kql.errors import Kind
from lakehunt.kql.types import DYNAMIC, STRING, Column

PARAMETERS = ("Column", "OutputColumnPrefix", "columnsConflict", "ignoredProperties")

ERROR, REPLACE_SOURCE, KEEP_SOURCE = CONFLICTS = ("error", "replace_source", "keep_source")
"""What happens to a property that has the name of another column."""


@dataclass(frozen=True)
class Unpacking:
    """The arguments of bag_unpack: names of properties are without the prefix."""

    column: str
    prefix: str
    conflict: str
    ignored: frozenset[str]

    def call(self, call: s.Call) -> s.Call:
        """The call with all arguments as literals, in the order of the parameters."""
        values = ((STRING, self.prefix), (STRING, self.conflict), (DYNAMIC, sorted(self.ignored)))
        return replace(call, args=(s.Name(call.span, self.column), *(s.Literal(call.span, t, v) for t, v in values)))


def bag_unpack(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    given = _unpacking(binder, source, op.plugin)
    if given is None:
        return source
    others = [c for c in source.schema if c.name != given.column]
    unpacked = columns_of(binder, source, replace(op, plugin=given.call(op.plugin)), others)
    placed = unpacked if op.columns is not None else list(_placed(binder, source, op, unpacked, given))
    names = _names_of_properties(op, unpacked, others, given)
    columns = [(made.name, _value(made, made.name in names, others, given, op)) for made in placed]
    return projected(source, columns)


def _unpacking(binder: Binder, source: p.Plan, call: s.Call) -> Unpacking | None:
    """The arguments, by position or name; None after an error."""
    given = by_name(binder, call, call.args, PARAMETERS, "bag_unpack takes")
    if given is None:
        return None
    column = binder.column_of(source, given.get(PARAMETERS[0]), call.span)
    if column is None:
        return None
    prefix = _constant(binder, given, PARAMETERS[1], "a prefix in quotes") or ""
    conflict = _constant(binder, given, PARAMETERS[2], "a text") or ERROR
    if conflict not in CONFLICTS:
        what = f"{conflict!r} is not a way to resolve a conflict of columns"
        binder.fail(Kind.SEMANTIC, what, given[PARAMETERS[2]].span, f"write one of {', '.join(CONFLICTS)}")
        return None
    return Unpacking(column, prefix, conflict, frozenset(_ignored(binder, given)))


def _constant(binder: Binder, given: dict[str, s.Expr], name: str, what: str) -> str:
    value = binder.constant(given[name], [STRING], what) if name in given else ""
    return value if isinstance(value, str) else ""


def _ignored(binder: Binder, given: dict[str, s.Expr]) -> Iterator[str]:
    if PARAMETERS[3] in given:
        found = binder.constant(given[PARAMETERS[3]], [DYNAMIC], "dynamic([...]) with names of properties")
        yield from map(str, found if isinstance(found, list) else [])


def _placed(
    binder: Binder, source: p.Plan, op: s.Evaluate, unpacked: Sequence[Column], given: Unpacking
) -> Iterator[Column]:
    """The source's other columns and those of the bag. One of the bag that has the name of the unpacked column, or
    replaces a column, takes its place."""
    made = {c.name: c for c in unpacked}
    taken = [c.name for c in source.schema if c.name in made and c.name != given.column]
    if taken and given.conflict == ERROR:
        hint = f"give a prefix: bag_unpack({given.column}, '{given.column}_')"
        binder.fail(Kind.UNSUPPORTED, f"there is a column '{min(taken)}' already", op.span, hint)
    for column in source.schema:
        if column.name == given.column or given.conflict == REPLACE_SOURCE:
            yield from [made[column.name]] if column.name in made else [column][: column.name != given.column]
        else:
            yield column
    yield from (c for c in unpacked if c.name not in source.names)


def _names_of_properties(
    op: s.Evaluate, unpacked: Sequence[Column], others: Sequence[Column], given: Unpacking
) -> set[str]:
    """The columns whose values are the bag's. Of a column that is declared in the query and there already, with the
    same type, it is the column's unless the conflict replaces it."""
    if given.conflict == REPLACE_SOURCE:
        if op.columns is None:
            return {c.name for c in unpacked}
        return {c.name for c in op.columns if isinstance(c, s.Captured)}
    return {c.name for c in unpacked if c not in others and (op.columns is not None or c.name not in _names(others))}


def _names(columns: Sequence[Column]) -> set[str]:
    return {c.name for c in columns}


def _value(made: Column, is_property: bool, others: Sequence[Column], given: Unpacking, op: s.Evaluate) -> p.Expr:
    if not is_property:
        return ref(next(c for c in others if c.name == made.name), op.span)
    name = made.name.removeprefix(given.prefix)
    if not made.name.startswith(given.prefix) or name in given.ignored:
        return p.Const(made.type, op.span, None)
    step = p.Const(STRING, op.span, name)
    value: p.Expr = p.Call(DYNAMIC, op.span, p.PATH, (p.ColumnRef(DYNAMIC, op.span, given.column), step))
    return converted(value, made.type)


_EXAMPLES = {
    "bag_unpack": "evaluate bag_unpack(d) : (*, Name: string)",
    "pivot": "evaluate pivot(ActionType, count(), DeviceName) : (DeviceName: string, ProcessCreated: long)",
}
"""For each plugin whose columns depend on data, how a query declares them."""


def columns_of(binder: Binder, source: p.Plan, op: s.Evaluate, kept: Sequence[Column]) -> Sequence[Column]:
    """The columns of a plugin's result: as declared in the query (`*` for `kept`), else those determined from the data,
    if there is any, without the kept ones."""
    if op.columns is not None:
        declared = [c.name for c in op.columns if isinstance(c, s.Captured)]
        binder.distinct_names(declared, op.span)
        found: list[Column] = []
        for column in op.columns:
            others = (c for c in kept if c.name not in declared)
            found.extend(others if isinstance(column, s.Star) else [Column(column.name, column.type)])
        return found
    known = None if binder.errors else binder.schema_of(source, op)
    if known is None and not binder.errors:
        what = f"the columns of {op.plugin.name} depend on the data"
        binder.fail(Kind.UNSUPPORTED, what, op.span, f"give them, for example: {_EXAMPLES[op.plugin.name]}")
    return known or ()
