"""Binds sources: tables, variables, calls, and inline rows."""

from __future__ import annotations

from collections.abc import Callable

from lakehunt.kql import constants, kusto_functions
from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding import lookups, several
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.functions import call_function
from lakehunt.kql.binding.scope import UNKNOWN, Function, Scope, Variable, converted, nearest, projected
from lakehunt.kql.errors import Kind
from lakehunt.kql.lookup_names import WATCHLIST, WATCHLIST_NAMES
from lakehunt.kql.result_names import Names
from lakehunt.kql.types import DATETIME, DYNAMIC, INT, LONG, NUMERIC, STRING, TIMESPAN, Column, Type

MAX_ROWS_OF_A_QUERY = 10_000
"""Maximum number of rows of a datatable; more belong in a table."""

EXTERNAL_FORMATS = ("csv", "tsv", "psv", "scsv", "txt", "json", "multijson")
"""Formats of files that `externaldata` can read."""


OTHER_SERVICES = frozenset({"adx", "app", "arg", "cluster", "database", "resource", "workspace"})
"""Functions that lead to tables of other services: `arg("").Resources`, `database("x").T`."""


def of_other_service(binder: Binder, expr: s.Path) -> p.Plan:
    root: s.Expr = expr
    while isinstance(root, s.Path):
        root = root.value
    if isinstance(root, s.Call) and root.name in OTHER_SERVICES:
        what = f"a table of another service, by {root.name}(...), is not supported"
        binder.fail(Kind.UNSUPPORTED, what, expr.span, "register the table, and name it directly", function=root.name)
        return p.Values((), ())
    return binder.not_a_table(expr)


def named_table(binder: Binder, expr: s.Name) -> p.Plan:
    variable = binder.variables.get(expr.name)
    if isinstance(variable, p.Plan):
        return variable
    if isinstance(variable, Function):
        return _table_of(binder, call_function(binder, variable, expr, None, Scope()), expr)
    if expr.name in binder.tables:
        return p.Scan(binder.tables[expr.name], expr.name, expr.span)
    if isinstance(variable, p.Expr) and variable.type is UNKNOWN:
        return p.Values((), ())  # its error is reported
    if variable is not None:
        binder.fail(Kind.SEMANTIC, f"'{expr.name}' is a scalar, not a table", expr.span)
    else:
        known = [*binder.tables, *(n for n, v in binder.variables.items() if isinstance(v, p.Plan))]
        hint = nearest(expr.name, known) or f"register it under `tables` in lakehunt.yaml; known: {', '.join(known)}"
        binder.fail(Kind.SEMANTIC, f"there is no table '{expr.name}'", expr.span, hint, expr.name)
    return p.Values((), ())


def _table_of(binder: Binder, found: Variable, expr: s.Expr) -> p.Plan:
    if isinstance(found, p.Plan):
        return found
    if not (isinstance(found, p.Expr) and found.type is UNKNOWN):
        binder.fail(Kind.SEMANTIC, "this function gives a scalar, not a table", expr.span)
    return p.Values((), ())


def called_table(binder: Binder, expr: s.Call) -> p.Plan:
    variable = binder.variables.get(expr.name)
    if isinstance(variable, Function):
        return _table_of(binder, call_function(binder, variable, expr, None, Scope()), expr)
    if expr.name in LOOKUPS:
        return LOOKUPS[expr.name](binder, expr)
    if expr.name in ("materialize", "view") and len(expr.args) == 1:
        return binder.table(expr.args[0])
    if expr.name == "table" and expr.args:
        name = binder.constant(expr.args[0], [STRING], "a table's name")
        return p.Values((), ()) if name is None else _stored_table(binder, s.Name(expr.args[0].span, str(name)))
    what = f"the tabular function '{expr.name}' is not supported"
    missing = "" if kusto_functions.reason(expr.name) or expr.name in binder.catalog.names() else expr.name
    hint = "see docs/reference/kql-support.md for what there is"
    binder.fail(Kind.UNSUPPORTED, what, expr.name_span, hint, function=missing)
    return p.Values((), ())


def _stored_table(binder: Binder, name: s.Name) -> p.Plan:
    """A table by its name in a text, which no `let` can hide."""
    tables = {n: v for n, v in binder.variables.items() if isinstance(v, p.Plan) and n not in binder.tables}
    with binder.inside(tables):
        return named_table(binder, name)


LOOKUPS: dict[str, Callable[[Binder, s.Call], p.Plan]] = {
    WATCHLIST: lookups.watchlist,
    WATCHLIST_NAMES: lookups.watchlist_names,
}
"""Tabular functions of Sentinel that look something up."""


def print_(binder: Binder, expr: s.Print) -> p.Plan:
    names = Names()
    columns: list[tuple[str, p.Expr]] = []
    for i, item in enumerate(expr.items):
        made = several.one_by_one(binder, [item], Scope())
        for one in made:
            own = one.own if len(made) > 1 and one.own else f"print_{i}"
            final = binder.given(names, one.name, one.value.span) if one.name else names.unique(own)
            columns.append((final, binder.scalar(one.value, Scope())))
    return projected(p.Values((), ((),)), columns)


def datatable(binder: Binder, expr: s.DataTable) -> p.Plan:
    binder.distinct_names((name for name, _ in expr.columns), expr.span)
    width = len(expr.columns)
    if len(expr.values) > width * MAX_ROWS_OF_A_QUERY:
        binder.fail(Kind.UNSUPPORTED, f"a datatable of more than {MAX_ROWS_OF_A_QUERY} rows", expr.span)
        return p.Values((), ())
    cells = [_cell(binder, v, expr.columns[i % width][1]) for i, v in enumerate(expr.values)]
    rows = tuple(tuple(cells[i : i + width]) for i in range(0, len(cells), width))
    return p.Values(tuple(Column(name, kind) for name, kind in expr.columns), rows)


def _cell(binder: Binder, value: s.Expr, kind: Type) -> object:
    bound = constants.fold(binder.scalar(value, Scope()))
    if bound.type is UNKNOWN:
        return None
    if not isinstance(bound, p.Const):
        binder.fail(Kind.SEMANTIC, "a datatable's values are constants", value.span)
        return None
    if bound.value is None:
        return "" if kind == STRING else None
    if bound.type != kind and not (bound.type in NUMERIC and kind in NUMERIC) and kind != DYNAMIC:
        binder.fail(Kind.SEMANTIC, f"expected a {kind}, found a {bound.type}", value.span)
        return None
    return constants.as_number(bound.value, kind) if kind in NUMERIC else bound.value


def externaldata(binder: Binder, expr: s.ExternalData) -> p.Plan:
    options = {name.lower(): value.lower() for name, value in expr.options}
    address = expr.addresses[0].partition("?")[0].partition(";")[0] if expr.addresses else ""
    kind = options.get("format") or address.rpartition(".")[2].lower()
    if kind not in EXTERNAL_FORMATS:
        hint = f"write with (format=...): {', '.join(EXTERNAL_FORMATS)}"
        binder.fail(Kind.UNSUPPORTED, f"externaldata of the format '{kind}' is not supported", expr.span, hint)
    binder.distinct_names((name for name, _ in expr.columns), expr.span)
    columns = tuple(Column(name, kind) for name, kind in expr.columns)
    return p.External(columns, expr.addresses, kind, options.get("ignorefirstrecord") == "true", expr.span)


def range_(binder: Binder, expr: s.Range) -> p.Plan:
    start, stop, step = (binder.scalar(e, Scope()) for e in (expr.start, expr.stop, expr.step))
    if UNKNOWN in (start.type, stop.type, step.type):
        return p.Range((Column(expr.name, UNKNOWN),), start, stop, step)
    kind = start.type
    if kind in NUMERIC and stop.type in NUMERIC and step.type in NUMERIC:
        kind = max((start.type, stop.type, step.type), key=NUMERIC.index)
        kind = LONG if kind == INT else kind
        start, stop, step = (converted(e, kind) for e in (start, stop, step))
    elif not (start.type == stop.type and kind in (DATETIME, TIMESPAN) and step.type == TIMESPAN):
        what = f"a range from {start.type} to {stop.type} by {step.type}"
        binder.fail(Kind.SEMANTIC, f"there is no {what}", expr.span)
    return p.Range((Column(expr.name, kind),), start, stop, step)


SOURCES: dict[type[s.Expr], Callable[..., p.Plan]] = {
    s.Name: named_table,
    s.Call: called_table,
    s.Path: of_other_service,
    s.Print: print_,
    s.DataTable: datatable,
    s.Range: range_,
    s.ExternalData: externaldata,
}
