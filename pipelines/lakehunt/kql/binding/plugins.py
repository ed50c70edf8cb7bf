"""Binds plugins of `evaluate` that can be written in KQL: as the query of their template.

Source: learn.microsoft.com/kusto/query (the page of each plugin); the order of columns is the engine's.

A template reads `__T`, the source, and `__a`, `__b`, ..., the plugin's arguments: tables and values are bound before,
columns are filled in by name."""

from __future__ import annotations

from collections.abc import Sequence

from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.functions import lets
from lakehunt.kql.binding.scope import Scope, Variable
from lakehunt.kql.errors import Kind
from lakehunt.kql.parser import parse
from lakehunt.kql.result_names import Names
from lakehunt.kql.types import BOOL, INT, LONG

_WHOLE = (INT, LONG)


def _bound(binder: Binder, text: str, source: p.Plan, given: dict[str, Variable]) -> p.Plan:
    tree = parse(text)
    with binder.inside({**binder.variables, "__T": source, **given}):
        lets(binder, tree)
        return binder.table(tree.body)


def _quoted(name: str) -> str:
    return "['" + name.replace("\\", "\\\\").replace("'", "\\'") + "']"


def _columns(binder: Binder, source: p.Plan, args: Sequence[s.Expr]) -> list[str] | None:
    """The names of columns of the source; None after an error."""
    for arg in args:
        if not isinstance(arg, s.Name) or arg.name not in source.names:
            binder.no_column(getattr(arg, "name", ""), arg.span, source.names)
            return None
    return [arg.name for arg in args if isinstance(arg, s.Name)]


def _values(binder: Binder, args: Sequence[s.Expr]) -> dict[str, Variable]:
    return {f"__{letter}": binder.scalar(arg, Scope()) for letter, arg in zip("abcdefgh", args, strict=False)}


def _takes(binder: Binder, op: s.Evaluate, least: int, most: int | None = None) -> bool:
    count = len(op.plugin.args)
    if least <= count <= (most or count):
        return True
    binder.fail(Kind.SEMANTIC, f"{op.plugin.name} does not take {count} arguments", op.plugin.span)
    return False


def _ip_lookup(binder: Binder, source: p.Plan, op: s.Evaluate, version: int) -> p.Plan:
    """`ipv4_lookup(table, column, column of the table, further keys ..., return_unmatched)`."""
    args = [a.value if isinstance(a, s.Named) else a for a in op.plugin.args]
    unmatched = len(args) > 3 and _is_bool(binder, args[-1]) and bool(binder.constant(args.pop(), [BOOL], "a bool"))
    if not _takes(binder, op, 3):
        return source
    table = binder.table(args[0])
    keys, its_key = _columns(binder, source, [args[1], *args[3:]]), _columns(binder, table, args[2:])
    if keys is None or its_key is None:
        return source
    ip, *more = keys
    hidden = Names([*source.names, *table.names])
    bits, net, its_bits, its_net = (hidden.unique(name) for name in ("__bits", "__net", "__bits", "__net"))
    renamed = {key: hidden.unique("__key") for key in more}
    shared = "".join(f", {_quoted(key)}" for key in more)
    network = _quoted(its_key[0])
    length = f"iff({network} has '/', tolong(extract('/([0-9]+)$', 1, {network})), 128)"
    size = f"ipv4_netmask_suffix({network})" if version == 4 else f"iff({network} has ':', 0, 96) + {length}"
    rename = "".join(f" | project-rename {its} = {_quoted(key)}" for key, its in renamed.items())
    on = "".join(f", $left.{_quoted(key)} == $right.{its}" for key, its in renamed.items())
    text = f"""
        let __N = __L | extend {its_bits} = {size}, {its_net} = parse_ipv{version}({network})
            | where isnotempty({its_net}){rename};
        let __S = __T | mv-expand {bits} = toscalar(__N | summarize make_set({its_bits})) to typeof(long)
            | extend {net} = parse_ipv{version}_mask({_quoted(ip)}, {bits}) | where isnotempty({net});
        let __M = __S | join kind=inner __N on $left.{net} == $right.{its_net}, $left.{bits} == $right.{its_bits}{on}
            | project-away {", ".join((bits, net, its_bits, its_net, *renamed.values()))};
        let __U = __T | join kind=leftanti (__M | distinct {_quoted(ip)}{shared}) on {_quoted(ip)}{shared};
        {"union kind=outer __M, __U" if unmatched else "__M"}"""
    made = _bound(binder, text, source, {"__L": table})
    return made if version == 4 else _table_first(binder, made, source, op)


def _is_bool(binder: Binder, arg: s.Expr) -> bool:
    return isinstance(arg, s.Literal) and arg.type == BOOL


def _table_first(binder: Binder, made: p.Plan, source: p.Plan, op: s.Evaluate) -> p.Plan:
    """The columns of the lookup table before those of the source, as the engine has them for IPv6."""
    names = [_quoted(name) for name in (*made.names[len(source.names) :], *source.names)]
    return _bound(binder, f"__T | project {', '.join(names)}", made, {})


def ipv4_lookup(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    return _ip_lookup(binder, source, op, 4)


def ipv6_lookup(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    return _ip_lookup(binder, source, op, 6)


def rows_near(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    """`rows_near(condition, rows before and after, rows after)`, of rows in order."""
    if not _takes(binder, op, 2, 3):
        return source
    condition = binder.predicate(op.plugin.args[0], source)
    counts = op.plugin.args[1:]
    numbered = _bound(binder, "__T | extend __row = row_number()", source, {})
    chosen = p.Filter(numbered.schema, numbered, condition)
    text = """
        let __near = __C | mv-expand __row = range(__row - __a, __row + __b) to typeof(long) | distinct __row;
        __T | where __row in (__near) | project-away __row"""
    return _bound(binder, text, numbered, {"__C": chosen, **_values(binder, [counts[0], counts[-1]])})


def rolling_percentile(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    """`rolling_percentile(value, percentile, index, size of a bin, bins per window, dimensions ...)`."""
    args = op.plugin.args
    if not _takes(binder, op, 5):
        return source
    names = _columns(binder, source, [args[0], args[2], *args[5:]])
    percentile, bins = (binder.constant(args[i], _WHOLE, "a number") for i in (1, 4))
    if names is None or percentile is None or bins is None:
        return source
    value, index, *dimensions = map(_quoted, names)
    by = "".join(f", {name}" for name in dimensions)
    named = _quoted(f"rolling_{bins}_percentile_{names[0]}_{percentile}")
    text = f"""
        let __B = __T | project {index} = bin({index}, __a), {value}{by};
        __B | mv-expand __k = range(0, {bins} - 1) to typeof(long) | extend {index} = {index} + __k * __a
        | join kind=inner (__B | distinct {index}{by}) on {index}{by}
        | summarize {named} = percentile({value}, {percentile}) by {index}{by}"""
    return _bound(binder, text, source, _values(binder, [args[3]]))


def activity_counts_metrics(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    """`activity_counts_metrics(id, time, start, end, step, dimensions ...)`."""
    args = op.plugin.args
    if not _takes(binder, op, 5):
        return source
    names = _columns(binder, source, [*args[:2], *args[5:]])
    if names is None:
        return source
    user, time, *dimensions = map(_quoted, names)
    by = "".join(f", {name}" for name in dimensions)
    changed = " or ".join(f"prev({name}) != {name}" for name in dimensions) or "false"
    text = f"""
        let __B = __T | where {time} between (__a .. __b)
            | project {time} = bin_at({time}, __c, __a), __id = {user}{by};
        let __F = __B | summarize {time} = min({time}) by __id{by} | summarize new_dcount = count() by {time}{by};
        __B | summarize ['count'] = count(), dcount = dcount(__id) by {time}{by}
        | lookup kind=leftouter __F on {time}{by} | extend new_dcount = coalesce(new_dcount, 0)
        | sort by {"".join(f"{name} asc, " for name in dimensions)}{time} asc
        | extend aggregated_dcount = row_cumsum(new_dcount, {changed})"""
    return _bound(binder, text, source, _values(binder, args[2:5]))


def dcount_intersect(binder: Binder, source: p.Plan, op: s.Evaluate) -> p.Plan:
    """`dcount_intersect(hll, hll, ...)`: `s0` counts the first set, `s1` the first two, ..."""
    names = _columns(binder, source, op.plugin.args) if _takes(binder, op, 2) else None
    if names is None:
        return source
    sets = list(map(_quoted, names))
    shared = ["set_intersect(" + ", ".join(sets[: i + 1]) + ")" if i else sets[0] for i in range(len(sets))]
    made = ", ".join(f"s{i} = dcount_hll({one})" for i, one in enumerate(shared))
    return _bound(binder, f"__T | extend {made}", source, {})
