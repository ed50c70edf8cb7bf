"""Binds the functions that look something up in a table of the configuration: watchlists, FileProfile, GeoIP."""

from __future__ import annotations

from dataclasses import replace

from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.scope import UNKNOWN, Scope, projected, ref, unknown
from lakehunt.kql.errors import Kind
from lakehunt.kql.lookup_names import FILE_ID, GEO_IP, NETWORKS, PROFILES, WATCHLIST, watchlist_name, watchlist_table
from lakehunt.kql.result_names import Names
from lakehunt.kql.types import BOOL, DYNAMIC, NUMERIC, STRING, Column


def watchlist(binder: Binder, expr: s.Call) -> p.Plan:
    """`_GetWatchlist('name')`."""
    if len(expr.args) != 1:
        binder.fail(Kind.SEMANTIC, f"{WATCHLIST} takes the name of a watchlist", expr.span)
        return p.Values((), ())
    name = binder.constant(expr.args[0], [STRING], "the name of a watchlist")
    if not isinstance(name, str):
        return p.Values((), ())
    table = watchlist_table(name)
    if table not in binder.lookups:
        known = ", ".join(_watchlists(binder)) or "none"
        hint = (
            "name its file under `lookups: watchlists` in lakehunt.yaml; without `columns` there, they are read from "
            f"the file (known: {known})"
        )
        binder.fail(Kind.SEMANTIC, f"there is no watchlist '{name}'", expr.span, hint, table)
        return p.Values((), ())
    return p.Scan(binder.lookups[table], table, expr.span)


def watchlist_names(binder: Binder, expr: s.Call) -> p.Plan:
    """`_GetWatchlistAlias()`: the names of all watchlists."""
    return p.Values((Column("WatchlistAlias", STRING),), tuple((name,) for name in _watchlists(binder)))


def _watchlists(binder: Binder) -> list[str]:
    return sorted(name for table in binder.lookups if (name := watchlist_name(table)) is not None)


def geo_info(binder: Binder, expr: s.Call, scope: Scope) -> p.Expr:
    """`geo_info_from_ip_address(address)`."""
    args = [binder.scalar(arg, scope) for arg in expr.args]
    if len(args) != 1 or args[0].type not in (STRING, UNKNOWN):
        hint = "convert it with tostring(...)"
        return binder.unknown(Kind.SEMANTIC, f"{GEO_IP} takes one address, a string", expr.span, hint)
    if NETWORKS not in binder.lookups:
        hint = f"name a file of MaxMind's format (.mmdb) as `lookups: {GEO_IP}` in lakehunt.yaml"
        binder.fail(Kind.UNSUPPORTED, f"{GEO_IP} needs a GeoIP file", expr.name_span, hint, NETWORKS)
        return unknown(expr.span)
    networks = p.Scan(binder.lookups[NETWORKS], NETWORKS, expr.span)
    return p.LookupCall(DYNAMIC, expr.span, GEO_IP, tuple(args), networks)


def file_profile(binder: Binder, source: p.Plan, call: s.Call) -> p.Plan:
    """`invoke FileProfile(column, limit)`: each row with what is known of the file that the column names by its hash.

    Every row is enriched: the limit saves a service calls, which a lookup does not need."""
    if PROFILES not in binder.lookups:
        hint = "write `lookups: {FileProfile: lake}` for prevalence in the lake, or name a file with its columns"
        what = "FileProfile asks a Microsoft service, and lakehunt.yaml names nothing in its place"
        binder.fail(Kind.UNSUPPORTED, what, call.name_span, hint, PROFILES)
        return p.Values((), ())
    name = _file_column(binder, source, call)
    if name is None or not source.schema:
        return source
    key = Names(source.names).unique(FILE_ID)
    lowered = p.Call(STRING, call.span, "tolower", (p.ColumnRef(STRING, call.span, name),))
    left = projected(source, [*((c.name, ref(c, call.span)) for c in source.schema), (key, lowered)])
    right = p.Scan(binder.lookups[PROFILES], PROFILES, call.span)
    added = tuple(c for c in right.schema if c.name not in (FILE_ID, *source.names))
    columns = (*((True, c.name) for c in source.schema), *((False, c.name) for c in added))
    joined = p.Join((*source.schema, *added), left, right, "left", ((key, FILE_ID),), columns)
    return _with_availability(joined, call, "ProfileAvailability" in {c.name for c in added})


def _file_column(binder: Binder, source: p.Plan, call: s.Call) -> str | None:
    """The column with the hash: a name, or its text; SHA1 if none is given."""
    if len(call.args) > 2:
        binder.fail(Kind.SEMANTIC, "FileProfile takes a column and a number of rows", call.span)
    if len(call.args) > 1:
        binder.constant(call.args[1], NUMERIC, "a number of rows")
    first = call.args[0] if call.args else s.Name(call.span, "SHA1")
    name = first.name if isinstance(first, s.Name) else binder.constant(first, [STRING], "a column's name")
    if not isinstance(name, str):
        return None
    kinds = {c.name: c.type for c in source.schema}
    if name not in kinds and source.schema:
        binder.no_column(name, first.span, kinds)
        return None
    if kinds.get(name) not in (STRING, UNKNOWN, None):
        binder.fail(Kind.SEMANTIC, f"FileProfile needs a hash, '{name}' is a {kinds[name]}", first.span)
        return None
    return name


def _with_availability(joined: p.Join, call: s.Call, added: bool) -> p.Plan:
    """Rows of files that nothing is known of say so."""
    if not added:
        return joined
    span = call.span
    column = p.ColumnRef(STRING, span, "ProfileAvailability")
    empty = p.Call(BOOL, span, "isempty", (column,))
    value = p.Call(STRING, span, "iff", (empty, p.Const(STRING, span, "Missing"), column))
    made = [(c.name, value if c.name == column.name else ref(c, span)) for c in joined.schema]
    return replace(projected(joined, made), schema=joined.schema)
