"""Binds the plugins of `evaluate` that look places up: `geo_polygon_lookup` and `geo_line_lookup`.

Source: learn.microsoft.com/kusto/query (the page of each plugin); names of columns are those of Microsoft's binder."""

from __future__ import annotations

from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.scope import Scope
from lakehunt.kql.binding.templates import bound, by_name, columns, quoted, takes
from lakehunt.kql.errors import Kind
from lakehunt.kql.result_names import Names
from lakehunt.kql.types import BOOL, NUMERIC

RADIUS, UNMATCHED, AREA, WITH_KEY = OPTIONS = (
    "radius",
    "return_unmatched",
    "lookup_area_radius",
    "return_lookup_key",
)
"""Arguments after the lookup table, its shapes, longitude and latitude: in this order or by name."""


def geo_polygon_lookup(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    given = _options(binder, op)
    if given is None:
        return source
    if RADIUS in given:
        return _lookup(binder, source, op, given, "geo_distance_point_to_polygon({place}, {shape}) <= __radius")
    return _lookup(binder, source, op, given, "geo_point_in_polygon({place}, {shape})")


def geo_line_lookup(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    given = _options(binder, op)
    if given is None:
        return source
    if RADIUS not in given:
        binder.fail(Kind.SEMANTIC, "geo_line_lookup needs a radius", op.plugin.span, "give it after the latitude")
        return source
    return _lookup(binder, source, op, given, "geo_distance_point_to_line({place}, {shape}) <= __radius")


def _options(binder: Binder, op: s.Evaluate) -> dict[str, s.Expr] | None:
    """The optional arguments by name; None after an error."""
    if not takes(binder, op, 4):
        return None
    return by_name(binder, op.plugin, op.plugin.args[4:], OPTIONS, "after four arguments it takes")


def _lookup(binder: Binder, source: p.Plan, op: s.Evaluate, given: dict[str, s.Expr], condition: str) -> p.Plan:
    """Joins each place with every shape for which the condition holds. How large the area is where Kusto looks for
    them (`lookup_area_radius`) decides only how fast it is."""
    table = binder.table(op.plugin.args[0])
    shapes, place = columns(binder, table, op.plugin.args[1:2]), columns(binder, source, op.plugin.args[2:4])
    flags = {name: _is_set(binder, given[name]) for name in (UNMATCHED, WITH_KEY) if name in given}
    if shapes is None or place is None:
        return source
    if AREA in given:
        binder.constant(given[AREA], NUMERIC, "a number of metres")
    radius = binder.scalar(given[RADIUS], Scope()) if RADIUS in given else None
    hidden = Names([*source.names, *table.names])
    row, one, shape = (hidden.unique(name) for name in ("__row", "__one", "__shape"))
    joined = f"""
        let __S = __T | extend {row} = row_number(), {one} = 1;
        __S | join kind=inner (__L | extend {shape} = {quoted(shapes[0])}, {one} = 1) on {one}"""
    ordered = p.Serialize(source.schema, source)
    made = bound(binder, op, joined, ordered, {"__L": table})
    if not made.schema:
        return source
    key = made.names[len(source.names) + 2 + table.names.index(shapes[0])]
    gone = [one, shape, made.names[-1], *([] if flags.get(WITH_KEY) else [quoted(key)])]
    checked = condition.format(place=", ".join(map(quoted, place)), shape=shape)
    found = bound(
        binder,
        op,
        f"__T | where {checked} | project-away {', '.join(gone)}",
        made,
        {} if radius is None else {"__radius": radius},
    )
    if not flags.get(UNMATCHED):
        return bound(binder, op, f"__T | project-away {row}", found, {})
    text = f"""
        let __U = __T | extend {row} = row_number() | join kind=leftanti (__M | distinct {row}) on {row};
        union kind=outer __M, __U | project-away {row}"""
    return bound(binder, op, text, ordered, {"__M": found})


def _is_set(binder: Binder, arg: s.Expr) -> bool:
    return bool(binder.constant(arg, [BOOL], "true or false"))
