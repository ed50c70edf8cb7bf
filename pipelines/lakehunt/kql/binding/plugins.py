"""Binds plugins of `evaluate` that can be written in KQL: as the query of their template.

Source: learn.microsoft.com/kusto/query (the page of each plugin); the order of columns is the engine's.

`activity` has those that follow users over time."""

from __future__ import annotations

from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.scope import split
from lakehunt.kql.binding.templates import bound, columns, quoted, takes, values
from lakehunt.kql.result_names import Names
from lakehunt.kql.types import BOOL


def _ip_lookup(binder: Binder, source: p.Plan, op: s.Evaluate, version: int) -> p.Plan:
    """`ipv4_lookup(table, column, column of the table, further keys ..., return_unmatched)`."""
    args = [value for _, value in map(split, op.plugin.args)]
    unmatched = len(args) > 3 and _is_bool(binder, args[-1]) and bool(binder.constant(args.pop(), [BOOL], "a bool"))
    if not takes(binder, op, 3):
        return source
    table = binder.table(args[0])
    keys, its_key = columns(binder, source, [args[1], *args[3:]]), columns(binder, table, args[2:])
    if keys is None or its_key is None:
        return source
    ip, *more = keys
    hidden = Names([*source.names, *table.names])
    bits, net, its_bits, its_net = (hidden.unique(name) for name in ("__bits", "__net", "__bits", "__net"))
    renamed = {key: hidden.unique("__key") for key in more}
    shared = "".join(f", {quoted(key)}" for key in more)
    network = quoted(its_key[0])
    length = f"iff({network} has '/', tolong(extract('/([0-9]+)$', 1, {network})), 128)"
    size = f"ipv4_netmask_suffix({network})" if version == 4 else f"iff({network} has ':', 0, 96) + {length}"
    rename = "".join(f" | project-rename {its} = {quoted(key)}" for key, its in renamed.items())
    on = "".join(f", $left.{quoted(key)} == $right.{its}" for key, its in renamed.items())
    text = f"""
        let __N = __L | extend {its_bits} = {size}, {its_net} = parse_ipv{version}({network})
            | where isnotempty({its_net}){rename};
        let __S = __T | mv-expand {bits} = toscalar(__N | summarize make_set({its_bits})) to typeof(long)
            | extend {net} = parse_ipv{version}_mask({quoted(ip)}, {bits}) | where isnotempty({net});
        let __M = __S | join kind=inner __N on $left.{net} == $right.{its_net}, $left.{bits} == $right.{its_bits}{on}
            | project-away {", ".join((bits, net, its_bits, its_net, *renamed.values()))};
        let __U = __T | join kind=leftanti (__M | distinct {quoted(ip)}{shared}) on {quoted(ip)}{shared};
        {"union kind=outer __M, __U" if unmatched else "__M"}"""
    made = bound(binder, op, text, source, {"__L": table})
    return made if version == 4 else _table_first(binder, made, source, op)


def _is_bool(binder: Binder, arg: s.Expr) -> bool:
    return isinstance(arg, s.Literal) and arg.type == BOOL


def _table_first(binder: Binder, made: p.Plan, source: p.Plan, op: s.Evaluate) -> p.Plan:
    """The columns of the lookup table before those of the source, as the engine has them for IPv6."""
    names = [quoted(name) for name in (*made.names[len(source.names) :], *source.names)]
    return bound(binder, op, f"__T | project {', '.join(names)}", made, {})


def ipv4_lookup(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    return _ip_lookup(binder, source, op, 4)


def ipv6_lookup(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    return _ip_lookup(binder, source, op, 6)


def rows_near(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    """`rows_near(condition, rows before and after, rows after)`, of rows in order."""
    if not takes(binder, op, 2, 3):
        return source
    condition = binder.predicate(op.plugin.args[0], source)
    counts = op.plugin.args[1:]
    numbered = bound(binder, op, "__T | extend __row = row_number()", source, {})
    chosen = p.Filter(numbered.schema, numbered, condition)
    text = """
        let __near = __C | mv-expand __row = range(__row - __a, __row + __b) to typeof(long) | distinct __row;
        __T | where __row in (__near) | project-away __row"""
    return bound(binder, op, text, numbered, {"__C": chosen, **values(binder, [counts[0], counts[-1]])})


def schema_merge(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    """`schema_merge(PreserveOrder)`: of schemas as `getschema` gives them, one row per column, at the furthest place it
    has in any. A column at several places is an error unless PreserveOrder is false."""
    if not takes(binder, op, 0, 1) or columns(binder, source, [s.Name(op.span, name) for name in _SCHEMA]) is None:
        return source
    keeps_order = all(binder.constant(split(arg)[1], [BOOL], "true or false") for arg in op.plugin.args)
    moved = "__places > 1" if keeps_order else "false"
    text = f"""
        let __C = __T | summarize __places = dcount(ColumnOrdinal), ColumnOrdinal = tolong(max(ColumnOrdinal)),
            __types = dcount(ColumnType), DataType = min(DataType), ColumnType = min(ColumnType) by ColumnName
            | extend __moved = {moved};
        let __unclear = toscalar(__C | summarize countif(__types > 1) + count() - dcount(ColumnOrdinal) + countif(
            not(__moved) and ColumnOrdinal >= toscalar(__C | count)));
        __C | where assert(__unclear == 0, "schema_merge of columns of several types, or at the same place")
        | sort by __moved asc, ColumnOrdinal asc
        | project ColumnName, ColumnOrdinal = iff(__moved, -1, ColumnOrdinal),
            DataType = iff(__moved, "ERROR(unknown CSL type:{_OUT_OF_ORDER})", DataType),
            ColumnType = iff(__moved, "{_OUT_OF_ORDER}", ColumnType)"""
    return bound(binder, op, text, source, {})


_SCHEMA = ("ColumnName", "ColumnOrdinal", "DataType", "ColumnType")
_OUT_OF_ORDER = "ERROR(columns are out of order)"
