"""Binds `let` variables and functions, and calls of these functions."""

from __future__ import annotations

from lakehunt.kql import constants
from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.scope import UNKNOWN, Function, Scope, Variable, converted, unknown
from lakehunt.kql.errors import Kind, Span
from lakehunt.kql.lookup_names import WATCHLIST, WATCHLIST_NAMES
from lakehunt.kql.types import DYNAMIC, NUMERIC, Column

MAX_CALLS = 32
"""Maximum depth of calls of a query's functions."""

MAX_BODIES = 2_000
"""Bodies of functions that are bound for one query. Calls with other arguments double with each level."""


def option(name: str) -> str:
    """The variable that holds an option of `set`; no `let` can give that name."""
    return f"set {name}"


def lets(binder: Binder, tree: s.Query) -> None:
    known: set[str] = set()
    for let in tree.lets:
        if isinstance(let, s.SetOption):
            binder.variables[option(let.name)] = constants.fold(binder.scalar(let.value, Scope()))
            continue
        if let.name in known:
            what = f"a variable '{let.name}' is there already"
            binder.fail(Kind.SEMANTIC, what, let.name_span, "give it another name")
        known.add(let.name)
        if isinstance(let, s.LetFunction):
            binder.variables[let.name] = Function(let, dict(binder.variables))
        else:
            binder.variables[let.name] = value(binder, let.value)


def value(binder: Binder, expr: s.Expr) -> p.Plan | p.Expr:
    """A table or a scalar, whichever the expression is."""
    if is_tabular(binder, expr):
        return binder.bounded(binder.table(expr), expr.span)
    return binder.settled(binder.scalar(expr, Scope()), expr.span)


def is_tabular(binder: Binder, expr: s.Expr) -> bool:
    if isinstance(expr, s.Name):
        variable = binder.variables.get(expr.name)
        if isinstance(variable, Function):
            return gives_table(binder, variable)
        return isinstance(variable, p.Plan) or (variable is None and expr.name in binder.tables)
    if isinstance(expr, s.Call):
        variable = binder.variables.get(expr.name)
        if isinstance(variable, Function):
            return gives_table(binder, variable)
        return expr.name in ("materialize", "table", "view", WATCHLIST, WATCHLIST_NAMES)
    return isinstance(expr, (s.Pipeline, s.Print, s.DataTable, s.Range, s.ExternalData))


def gives_table(binder: Binder, function: Function) -> bool:
    """Whether a function returns a table."""
    with binder.inside(function.variables):
        for parameter in function.definition.parameters:
            if parameter.type is None:
                binder.variables[parameter.name] = p.Values((), ())
            else:
                binder.variables[parameter.name] = p.Const(parameter.type, parameter.span, None)
        for let in function.definition.body.lets:
            if isinstance(let, s.LetFunction):
                binder.variables[let.name] = Function(let, dict(binder.variables))
            elif isinstance(let, s.Let):
                tabular = is_tabular(binder, let.value)
                binder.variables[let.name] = p.Values((), ()) if tabular else unknown(let.span)
        return is_tabular(binder, function.definition.body.body)


def call_function(
    binder: Binder, function: Function, call: s.Call | s.Name, first: p.Plan | None, scope: Scope
) -> Variable:
    """The body of a function, its parameters bound to the arguments (and to `first`, where it is invoked). Calls with
    the same arguments share it: a body depends on nothing else."""
    arguments = _arguments(binder, function.definition, call, first, scope)
    key = (id(function), *(_key(argument) for argument in arguments.values()))
    if key in binder.called:
        return binder.called[key][1]
    reported = len(binder.errors)
    _check_what_is_read(binder, function, arguments, call)
    result = _called(binder, function, arguments, call)
    if len(binder.errors) == reported:  # an error may be taken back, and is then due for the next call
        binder.called[key] = ((function, *arguments.values()), result)
    return result


def _check_what_is_read(
    binder: Binder, function: Function, arguments: dict[str, Variable], call: s.Call | s.Name
) -> None:
    """A body reads only the columns that the parameters of its tables declare; further columns pass through it."""
    tables = [parameter for parameter in function.definition.parameters if parameter.type is None]
    if not tables or id(function) in binder.tried:
        return
    binder.tried[id(function)] = function
    declared = {t.name: _declared(t) for t in tables}
    outside, binder.read = binder.read, set()
    with binder.trial() as errors:
        _called(binder, function, {**arguments, **declared}, call)
    further = {c.name: (t, c) for t in tables for c in _further(t, arguments[t.name])}
    for error in errors:
        if error.column:
            hint = _declaration(*further[error.column]) if error.column in further else error.hint
            binder.fail(error.kind, error.message, error.span, hint, column=error.column)
    for name in sorted(binder.read & set(further)):
        what = f"'{name}' is a variable in {function.definition.name}, and a column that it does not declare"
        binder.fail(Kind.UNSUPPORTED, what, call.span, f"rename the variable, or {_declaration(*further[name])}")
    binder.read |= outside


def _declared(table: s.Parameter) -> p.Plan:
    columns = tuple(Column(c.name, c.type) for c in table.columns)
    return p.Values(columns or (_ANY,), ())


_ANY = Column("*", UNKNOWN)
"""Stands for the columns of `T: (*)`, of which no body reads any by name."""


def _further(table: s.Parameter, argument: Variable) -> list[Column]:
    """The columns of a table that its parameter does not declare."""
    declared = {c.name for c in table.columns}
    return [c for c in argument.schema if c.name not in declared] if isinstance(argument, p.Plan) else []


def _declaration(table: s.Parameter, column: Column) -> str:
    return f"declare it: {table.name}: ({column.name}: {column.type}, ...)"


def _key(argument: Variable) -> object:
    return (argument.type, repr(argument.value)) if isinstance(argument, p.Const) else id(argument)


def _called(binder: Binder, function: Function, arguments: dict[str, Variable], call: s.Call | s.Name) -> Variable:
    definition = function.definition
    binder.bound_bodies += 1
    if binder.bound_bodies > MAX_BODIES:
        what = f"with all calls put in place, this is more than {MAX_BODIES} functions"
        binder.fail(Kind.UNSUPPORTED, what, call.span, "use each function fewer times")
        return unknown(call.span)
    binder.calls += 1
    if binder.calls > MAX_CALLS:
        binder.fail(Kind.UNSUPPORTED, f"more than {MAX_CALLS} functions that call one another", call.span)
        return unknown(call.span)
    with binder.inside({**function.variables, **arguments}):
        lets(binder, definition.body)
        result = value(binder, definition.body.body)
    binder.calls -= 1
    return result


def _arguments(
    binder: Binder, definition: s.LetFunction, call: s.Call | s.Name, first: p.Plan | None, scope: Scope
) -> dict[str, Variable]:
    given: list[s.Expr] = list(call.args) if isinstance(call, s.Call) else []
    named = {g.names[0]: g.value for g in given if isinstance(g, s.Named)}
    plain = [g for g in given if not isinstance(g, s.Named)]
    bound: dict[str, Variable] = {}
    parameters = list(definition.parameters)
    if first is not None and parameters:
        table = parameters.pop(0)
        _check_columns(binder, table, first, call.span)
        bound[table.name] = first
    for parameter in parameters:
        value = named.pop(parameter.name, None) or (plain.pop(0) if plain else parameter.default)
        if value is None:
            binder.fail(Kind.SEMANTIC, f"{definition.name} needs a value for '{parameter.name}'", call.span)
            bound[parameter.name] = unknown(call.span) if parameter.type else p.Values((), ())
        else:
            bound[parameter.name] = _argument(binder, parameter, value, scope)
    for extra in [*plain, *named.values()]:
        binder.fail(Kind.SEMANTIC, f"{definition.name} has no parameter for this", extra.span)
    return bound


def _check_columns(binder: Binder, parameter: s.Parameter, table: p.Plan, span: Span) -> None:
    """Whether a table has the columns that a parameter names, each of its type."""
    types = {c.name: c.type for c in table.schema}
    for column in parameter.columns:
        if not types:
            continue
        if column.name not in types:
            binder.no_column(column.name, span, table.names)
        elif types[column.name] not in (column.type, UNKNOWN):
            what = f"'{parameter.name}' needs a column '{column.name}' of {column.type}, this one is a"
            binder.fail(Kind.SEMANTIC, f"{what} {types[column.name]}", span, f"convert it: to{column.type}(...)")


def _argument(binder: Binder, parameter: s.Parameter, value: s.Expr, scope: Scope) -> Variable:
    if parameter.type is None:
        table = binder.table(value)
        _check_columns(binder, parameter, table, value.span)
        return table
    bound = binder.scalar(value, scope)
    if bound.type in (UNKNOWN, parameter.type):
        return bound
    if (bound.type in NUMERIC and parameter.type in NUMERIC) or DYNAMIC in (bound.type, parameter.type):
        return converted(bound, parameter.type)
    what = f"'{parameter.name}' is a {parameter.type}, this is a {bound.type}"
    binder.fail(Kind.SEMANTIC, what, value.span, f"convert it: to{parameter.type}(...)")
    return unknown(value.span)
