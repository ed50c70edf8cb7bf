"""Binds calls of scalar and window functions, by the signatures of the catalog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from lakehunt.kql import constants, regexes, shapes
from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding import lookups, placeholders, several
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.functions import call_function, is_tabular, option
from lakehunt.kql.binding.scope import UNKNOWN, Function, Scope, converted, projected, ref, unknown
from lakehunt.kql.catalog import (
    TYPE,
    Aggregate,
    ByConstant,
    Constant,
    Parameter,
    Pattern,
    Scalar,
    Signature,
    WindowFunction,
)
from lakehunt.kql.errors import Kind, Span
from lakehunt.kql.lookup_names import GEO_IP
from lakehunt.kql.parser import BIN_AUTO, BIN_AUTO_SIZE
from lakehunt.kql.types import BOOL, DATETIME, DYNAMIC, GUID, INT, LONG, REAL, STRING, TIMESPAN, Type

PACKS = {"pack_all": "bag_pack", "bag_pack_columns": "bag_pack"}
"""Functions of columns, with the function that packs the columns' names and values."""


OF_ALL = frozenset(["pack_array", "estimate_data_size"])
"""Functions that take `*` for all columns."""


def call(binder: Binder, expr: s.Call, scope: Scope) -> p.Expr:
    variable = binder.variables.get(expr.name)
    if isinstance(variable, Function):
        found = call_function(binder, variable, expr, None, scope)
        if isinstance(found, p.Expr):
            return found
        return binder.unknown(
            Kind.SEMANTIC, f"'{expr.name}' gives a table, not a value", expr.span, "use toscalar(...)"
        )
    if expr.name in FORMS:
        return FORMS[expr.name](binder, expr, scope)
    args = [binder.scalar(arg, scope) for arg in _without_star(binder, expr, scope)]
    if expr.name in binder.catalog.windows:
        return _window(binder, expr, args, scope)
    return _scalar(binder, expr, args)


def _scalar(binder: Binder, expr: s.Call, args: list[p.Expr]) -> p.Expr:
    function = binder.catalog.scalars.get(_varying(binder, PACKS.get(expr.name, expr.name), args))
    if function is None:
        binder.no_function(expr, [*binder.catalog.scalars, *binder.catalog.windows, *_functions(binder)])
        return unknown(expr.span)
    bound = signature(binder, function, expr, args)
    if bound is None:
        return unknown(expr.span)
    made, kind = bound
    kind = shapes.shaped(kind, function.name, made)
    return placeholders.instant(
        binder, p.Call(kind, expr.span, _of_constants(binder, function.name, made), tuple(made))
    )


def _varying(binder: Binder, name: str, args: Sequence[p.Expr]) -> str:
    """The name of the function, or of its variant that does without constants, where one is not."""
    if f"{name}.varying" not in binder.catalog.scalars:
        return name
    wanted = binder.catalog.scalars[name].signatures[0].wanted(len(args)) or []
    given = [constants.fold(arg) for arg, one in zip(args, wanted, strict=False) if isinstance(one, Constant)]
    return name if all(isinstance(arg, p.Const) for arg in given) else f"{name}.varying"


def _of_constants(binder: Binder, name: str, args: Sequence[p.Expr]) -> str:
    """The name of the function, or of its variant for constants where Kusto folds those to another value."""
    variant = binder.catalog.scalars.get(f"{name}.constant")
    if variant is None or [arg.type for arg in args] != list(variant.signatures[0].parameters):
        return name
    parts = [part for arg in args for part in p.parts(arg)]
    constant = all(isinstance(part, (p.Const, p.Call)) and not isinstance(part, p.WindowCall) for part in parts)
    return variant.name if constant else name


def _functions(binder: Binder) -> list[str]:
    return [name for name, v in binder.variables.items() if isinstance(v, Function)]


def _without_star(binder: Binder, expr: s.Call, scope: Scope) -> tuple[s.Expr, ...]:
    """`pack_all()` and `pack_array(*)` take the row's columns."""
    if expr.name in PACKS:
        names = expr.args if expr.name == "bag_pack_columns" else [s.Name(expr.span, n) for n in scope.columns or {}]
        return tuple(e for n in names for e in (s.Literal(n.span, STRING, getattr(n, "name", "")), n))
    if len(expr.args) == 1 and isinstance(expr.args[0], s.Star) and expr.name in OF_ALL:
        return tuple(s.Name(expr.span, name) for name in scope.columns or {})
    return expr.args


def _window(binder: Binder, expr: s.Call, args: list[p.Expr], scope: Scope) -> p.Expr:
    if not scope.ordered:
        what = f"'{expr.name}' needs rows in order"
        return binder.unknown(Kind.SEMANTIC, what, expr.name_span, "put sort or serialize before it")
    bound = signature(binder, binder.catalog.windows[expr.name], expr, args)
    return unknown(expr.span) if bound is None else p.WindowCall(bound[1], expr.span, expr.name, tuple(bound[0]))


def _now(binder: Binder, expr: s.Call, scope: Scope) -> p.Expr:
    now = p.Now(DATETIME, expr.span)
    return _shifted(binder, "+", now, expr, scope) if expr.args else now


def _ago(binder: Binder, expr: s.Call, scope: Scope) -> p.Expr:
    return _shifted(binder, "-", p.Now(DATETIME, expr.span), expr, scope)


def _shifted(binder: Binder, op: str, now: p.Expr, expr: s.Call, scope: Scope) -> p.Expr:
    args = [binder.scalar(arg, scope) for arg in expr.args]
    if len(args) != 1 or args[0].type not in (TIMESPAN, UNKNOWN):
        return binder.unknown(Kind.SEMANTIC, f"{expr.name} takes one timespan", expr.span, f"write {expr.name}(7d)")
    return p.Call(DATETIME, expr.span, op, (now, args[0]))


def _toscalar(binder: Binder, expr: s.Call, scope: Scope) -> p.Expr:
    if len(expr.args) != 1:
        return binder.unknown(Kind.SEMANTIC, "toscalar takes one argument", expr.span)
    if not is_tabular(binder, expr.args[0]):
        return binder.scalar(expr.args[0], Scope())
    plan = binder.table(expr.args[0])
    if not plan.schema:
        return unknown(expr.span)
    first = plan.schema[0]
    return p.ScalarQuery(first.type, expr.span, projected(plan, [(first.name, ref(first, expr.span))]))


def _ingestion_time(binder: Binder, expr: s.Call, scope: Scope) -> p.Expr:
    if not scope.stored:
        hint = "ask for it in the first steps over a table, before rows are grouped or joined"
        return binder.unknown(Kind.UNSUPPORTED, "ingestion_time() of such rows is not supported", expr.span, hint)
    return p.Ingested(DATETIME, expr.span)


def _column_if_exists(binder: Binder, expr: s.Call, scope: Scope) -> p.Expr:
    if len(expr.args) != 2:
        return binder.unknown(Kind.SEMANTIC, f"{expr.name} takes a column's name and a value", expr.span)
    name = binder.constant(expr.args[0], [STRING], "a column's name in quotes")
    if isinstance(name, str) and name in (scope.columns or {}):
        return binder.scalar(s.Name(expr.args[0].span, name), scope)
    return binder.scalar(expr.args[1], scope)


def _assert(binder: Binder, expr: s.Call, scope: Scope) -> p.Expr:
    args = [binder.scalar(arg, scope) for arg in expr.args]
    if any(isinstance(part, (p.ColumnRef, p.OuterRef)) for arg in args for part in p.parts(arg)):
        what = "the arguments of assert must be constants"
        return binder.unknown(Kind.SEMANTIC, what, expr.span, "they cannot read a row")
    return _scalar(binder, expr, args)


def _rand(binder: Binder, expr: s.Call, scope: Scope) -> p.Expr:
    """Of the instant, the place in the query and the row, so that a run can be repeated."""
    drawn = p.Call(REAL, expr.span, "rand.of", _seed(expr, scope))
    if not expr.args:
        return drawn
    limits = [binder.scalar(arg, scope) for arg in expr.args]
    if len(limits) > 1 or limits[0].type not in (INT, LONG, UNKNOWN):
        return binder.unknown(
            Kind.SEMANTIC, "rand takes one whole number", expr.span, "it draws one of 0, 1, ... below it"
        )
    return _scalar(binder, replace(expr, name="rand.below"), [drawn, *limits])


def _seed(expr: s.Call, scope: Scope) -> tuple[p.Expr, ...]:
    row = (p.ColumnRef(kind, expr.span, name) for name, kind in (scope.columns or {}).items())
    return (p.Now(DATETIME, expr.span), p.Const(LONG, expr.span, expr.span.start), *row)


def _new_guid(binder: Binder, expr: s.Call, scope: Scope) -> p.Expr:
    if expr.args:
        return binder.unknown(Kind.SEMANTIC, "new_guid takes no arguments", expr.span)
    return p.Call(GUID, expr.span, "new_guid.of", _seed(expr, scope))


def _pack_all(binder: Binder, expr: s.Call, scope: Scope) -> p.Expr:
    """`pack_all(true)` leaves nulls and empty texts out."""
    filled = len(expr.args) == 1 and bool(binder.constant(expr.args[0], [BOOL], "true or false"))
    packed = replace(expr, args=expr.args[1:])
    args = [binder.scalar(arg, scope) for arg in _without_star(binder, packed, scope)]
    return _scalar(binder, replace(packed, name="bag_pack.filled") if filled else packed, args)


def _bin_auto(binder: Binder, expr: s.Call, scope: Scope) -> p.Expr:
    """`bin_at`, or `bin`, by the options of the query."""
    args = [binder.scalar(arg, scope) for arg in expr.args]
    size, at = (binder.variables.get(option(name)) for name in BIN_AUTO)
    if not isinstance(size, p.Expr):
        what = "bin_auto needs the size of bins"
        return binder.unknown(Kind.UNSUPPORTED, what, expr.span, f"put set {BIN_AUTO_SIZE} = 1h; before the query")
    if isinstance(at, p.Expr):
        return _scalar(binder, replace(expr, name="bin_at"), [*args, size, at])
    return _scalar(binder, replace(expr, name="bin"), [*args, size])


def _column_names_of(binder: Binder, expr: s.Call, scope: Scope) -> p.Expr:
    if len(expr.args) != 1:
        return binder.unknown(Kind.SEMANTIC, f"{expr.name} takes one table", expr.span)
    return p.Const(DYNAMIC, expr.span, binder.table(expr.args[0]).names)


def signature(
    binder: Binder, function: Scalar | WindowFunction | Aggregate, call: s.Call, args: list[p.Expr]
) -> tuple[list[p.Expr], Type] | None:
    """The converted arguments and the result type, by the first matching signature."""
    if any(arg.type is UNKNOWN for arg in args):
        return None
    for signature in function.signatures:
        bound = signature.bind([arg.type for arg in args])
        if bound is not None:
            made = [converted(arg, to) for arg, to in zip(args, bound[0], strict=True)]
            made = _constants(binder, call, signature, made)
            named = made[-1] if bound[1] == TYPE else None
            if isinstance(named, p.Const) and isinstance(named.value, Type):
                return made, named.value
            return made, _by_constant(signature, made) or bound[1]
    given = ", ".join(str(arg.type) for arg in args)
    if any(signature.wanted(len(args)) is not None for signature in function.signatures):
        hint = "convert the argument, for example with tostring(...)"
        binder.fail(Kind.UNSUPPORTED, f"{call.name}({given}) is not supported", call.span, hint)
    else:
        binder.fail(Kind.SEMANTIC, f"{call.name} does not take {len(args)} arguments", call.span)
    return None


def _by_constant(signature: Signature, args: Sequence[p.Expr]) -> Type | None:
    first = args[0] if args else None
    if isinstance(signature.returns, ByConstant) and isinstance(first, p.Const):
        return signature.returns.types.get(str(first.value).lower())
    return None


def _constants(binder: Binder, call: s.Call, signature: Signature, args: Sequence[p.Expr]) -> list[p.Expr]:
    """The arguments, with constants folded where required; reports arguments that are not constant or not a valid
    regex."""
    checked: list[p.Expr] = []
    for wanted, given in zip(signature.wanted(len(args)) or [], args, strict=True):
        arg = constants.fold(given) if isinstance(wanted, (Constant, Pattern)) else given
        if isinstance(wanted, Constant) and not isinstance(arg, p.Const):
            binder.fail(Kind.SEMANTIC, f"this argument of {call.name} must be a constant", arg.span)
        elif _is_pattern(wanted) and isinstance(arg, p.Const):
            check_pattern(binder, str(arg.value or ""), arg.span)
        checked.append(arg)
    return checked


def check_pattern(binder: Binder, text: str, span: Span, groups: int = regexes.MAX_GROUPS) -> None:
    problem = regexes.problem(text, groups)
    if problem:
        hint = f"at character {problem.at + 1} of the pattern"
        binder.fail(Kind.UNSUPPORTED, str(problem), span, hint)


def _is_pattern(parameter: Parameter) -> bool:
    return isinstance(parameter, Pattern) or (isinstance(parameter, Constant) and isinstance(parameter.of, Pattern))


FORMS: dict[str, Callable[[Binder, s.Call, Scope], p.Expr]] = {
    "now": _now,
    "ago": _ago,
    "assert": _assert,
    "bin_auto": _bin_auto,
    "new_guid": _new_guid,
    "pack_all": _pack_all,
    "rand": _rand,
    "toscalar": _toscalar,
    **dict.fromkeys(several.COLUMN_IF_EXISTS, _column_if_exists),
    "ingestion_time": _ingestion_time,
    "column_names_of": _column_names_of,
    GEO_IP: lookups.geo_info,
}
"""Special forms: calls whose value depends on more than the values of their arguments."""
