"""A pack from a folder of hunts, such as `lakehunt import` makes of Sigma's rules: all hunts in it that compile.

    lakehunt import SIGMA --category process_creation --into FOLDER
    python -m benchmarks.hunting --events 10_000_000 --sigma FOLDER --json

Hunts that only filter process events by plain conditions are also written as SQL, from their plans."""

# The SQL is put together from plans, whose texts are quoted.

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.pack import EVENTS, WINDOW, Hunt, quoted
from lakehunt.hunting import compile_check
from lakehunt.hunting.compile_check import CheckedFile
from lakehunt.hunting.compiled_hunt import query_period
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.kql import plan as p
from lakehunt.kql.types import INT, LONG, STRING, TICKS_PER_DAY

SAMPLE = 150
"""Hunts whose SQL the peer runs; its time for all is estimated by their number."""

COMPARED = ("Timestamp", "DeviceId", "ReportId", "FileName", "ProcessCommandLine")
"""Columns that the SQL selects and that both sides' findings are compared by. Lakehunt stores all of a query's."""


class InexpressibleError(Exception):
    """A condition that the SQL of this benchmark has no form for."""


def hunts(folder: Path, days: int) -> list[Hunt]:
    """The hunts of a folder and below that compile, in order of their paths; `sql` is empty where there is none, or
    where the hunt's window is not of `days`.

    Raises SystemExit if there are none."""
    checked = compile_check.check_files([folder], TableCatalog())
    found = [_hunt(one, days) for one in checked if one.ok and one.plan]
    if not found:
        raise SystemExit(f"no hunt in {folder} compiles")
    return found


def sample(pack: Sequence[Hunt], size: int = SAMPLE) -> list[Hunt]:
    """So many hunts that have SQL, from all over the pack; all of them if there are not more."""
    known = [hunt for hunt in pack if hunt.sql]
    return [known[place * len(known) // size] for place in range(size)] if len(known) > size else known


def _hunt(checked: CheckedFile, days: int) -> Hunt:
    assert checked.plan is not None
    assert checked.hunt is not None
    text = checked.file.read_text(encoding="utf-8")
    in_window = query_period(checked.hunt) == days * TICKS_PER_DAY
    return Hunt(checked.hunt.id, checked.hunt.name, text, _sql(checked.plan) if in_window else "", COMPARED)


def _sql(plan: p.Plan) -> str:
    try:
        conditions = list(map(condition, _filters(plan)))
    except InexpressibleError:
        return ""
    where = "\n  AND ".join([WINDOW, *conditions])
    return f"SELECT {', '.join(COMPARED)}\nFROM {EVENTS}\nWHERE {where}"


def _filters(plan: p.Plan) -> list[p.Expr]:
    """The conditions of a query that only filters process events, the first one first."""
    found: list[p.Expr] = []
    while isinstance(plan, p.Filter):
        found += reversed(p.terms(plan.predicate, "and"))
        plan = plan.source
    if not isinstance(plan, p.Scan) or plan.table != EVENTS:
        raise InexpressibleError
    return found[::-1]


def condition(expr: p.Expr) -> str:
    """A condition in SQL; never null. Raises InexpressibleError."""
    if not isinstance(expr, p.Call):
        raise InexpressibleError
    if expr.function in ("and", "or"):
        return f"({f' {expr.function.upper()} '.join(map(condition, p.terms(expr, expr.function)))})"
    if expr.function in _NEGATIONS:
        return f"NOT {_apply(_NEGATIONS[expr.function], expr)}"
    return _apply(expr.function, expr)


def _apply(function: str, expr: p.Call) -> str:
    if function == "not":
        return condition(expr.args[0])
    if function in ("in", "in~"):
        return _one_of(expr, fold=function == "in~")
    if function == "isempty":
        return f"({_text(expr.args[0], fold=False)} = '')"
    form = _FORMS.get(function.removesuffix("_cs"))
    if form is None:
        raise InexpressibleError
    return form(expr, not (function.endswith("_cs") or function == "=="))


_NEGATIONS = {
    **{f"!{name}": name for name in ("in", "in~", "contains", "startswith", "endswith")},
    **{f"!{name}_cs": f"{name}_cs" for name in ("contains", "startswith", "endswith")},
    "not": "not",
    "isnotempty": "isempty",
    "!=": "==",
    "!~": "=~",
}


def _one_of(expr: p.Call, fold: bool) -> str:
    checks = [arg for arg in expr.args if isinstance(arg, p.Call) and arg.function in ("==", "=~")]
    if len(checks) != len(expr.args):
        raise InexpressibleError
    return f"({_text(checks[0].args[0], fold)} IN ({', '.join(_word(one.args[1], fold) for one in checks)}))"


def _equal(expr: p.Call, fold: bool) -> str:
    left, right = expr.args
    if isinstance(left, p.ColumnRef) and left.type in (INT, LONG) and isinstance(right, p.Const):
        return f"coalesce({left.name} = {right.value}, false)"
    return f"({_text(left, fold)} = {_word(right, fold)})"


def _called(name: str) -> Callable[[p.Call, bool], str]:
    return lambda expr, fold: f"{name}({_text(expr.args[0], fold)}, {_word(expr.args[1], fold)})"


_FORMS: dict[str, Callable[[p.Call, bool], str]] = {
    "==": _equal,
    "=~": _equal,
    "contains": _called("contains"),
    "startswith": _called("starts_with"),
    "endswith": _called("ends_with"),
}


def _text(expr: p.Expr, fold: bool) -> str:
    """A text column. Kusto knows no null text: it is the empty one."""
    if not isinstance(expr, p.ColumnRef) or expr.type != STRING:
        raise InexpressibleError
    return f"lower(coalesce({expr.name}, ''))" if fold else f"coalesce({expr.name}, '')"


def _word(expr: p.Expr, fold: bool) -> str:
    if not isinstance(expr, p.Const) or expr.type != STRING:
        raise InexpressibleError
    text = str(expr.value or "")
    return quoted(text.lower() if fold else text)
