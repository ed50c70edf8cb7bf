"""Functions that make several columns: each is a call of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lakehunt.kql import syntax as s
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.scope import Scope, split
from lakehunt.kql.errors import Kind
from lakehunt.kql.result_names import Naming
from lakehunt.kql.types import BOOL, STRING

COLUMN_IF_EXISTS = ("column_ifexists", "columnifexists")

_SORTS = ("array_sort_asc", "array_sort_desc")


def parts(binder: Binder, call: s.Expr, scope: Scope, naming: Naming | None = None) -> list[tuple[str, s.Expr]]:
    """The columns' own names and calls; empty where the expression is a plain value."""
    if not isinstance(call, s.Call):
        return []
    naming = naming or binder.naming(scope)
    if call.name in _SORTS:
        return _sorted(binder, call, scope, naming)
    if call.name not in binder.catalog.several:
        return []
    first = naming.own_name(call.args[0]) if call.args else None
    return [
        (f"{call.name}_{first or ''}_{part}", replace(call, name=f"{call.name}.{part}"))
        for part in binder.catalog.several[call.name]
    ]


def _sorted(binder: Binder, call: s.Call, scope: Scope, naming: Naming) -> list[tuple[str, s.Expr]]:
    """`array_sort_asc(a, b, ...)`: the first array sorted, the others in its order."""
    if not call.args:
        return []
    # Only what may be a constant is bound to learn its type: other expressions are bound later, and may be long.
    last = call.args[-1]
    may_be_one = len(call.args) > 1 and isinstance(last, (s.Literal, s.Name))
    nulls = (last,) if may_be_one and binder.scalar(last, scope).type == BOOL else ()
    first, *others = call.args[: len(call.args) - len(nulls)]
    calls = [replace(call, args=(first, *nulls))]
    calls += [replace(call, name=f"{call.name}.by", args=(first, other, *nulls)) for other in others]
    names = [f"{naming.own_name(array) or f'array{i}'}_sorted" for i, array in enumerate((first, *others))]
    return list(zip(names, calls, strict=True))


def name_of(binder: Binder, value: s.Expr, scope: Scope, naming: Naming | None = None) -> str | None:
    """The own name of the value of a whole column: `column_ifexists("FileName", "")` is `FileName` if there is one."""
    if isinstance(value, s.Call) and value.name in COLUMN_IF_EXISTS and value.args:
        name = binder.constant(value.args[0], [STRING], "a column's name in quotes")
        return name if isinstance(name, str) and name in (scope.columns or {}) else None
    if isinstance(value, s.Index) and isinstance(value.index, s.Literal) and isinstance(value.index.value, int):
        found = parts(binder, value.value, scope, naming)
        if len(found) > 1 and 0 <= value.index.value < len(found):
            return found[value.index.value][0]
    return (naming or binder.naming(scope)).own_name(value)


@dataclass(frozen=True)
class Item:
    """An item with one value: the name that the query gives it, or its own. `part`: one of several of a function."""

    value: s.Expr
    name: str | None
    own: str | None
    part: bool = False


def one_by_one(binder: Binder, items: Sequence[s.Expr], scope: Scope, naming: Naming | None = None) -> list[Item]:
    """The items, one per column: a function with several columns becomes one call for each.

    `(a, b) = series_fit_line(s)` names the first two; `a = series_fit_line(s)` is the first alone, but not of arrays
    that are sorted together."""
    made: list[Item] = []
    for item in items:
        names = item.names if isinstance(item, s.Named) else ()
        call = item.value if isinstance(item, s.Named) else item
        found = parts(binder, call, scope, naming)
        if not found:
            if len(names) > 1:
                binder.fail(Kind.SEMANTIC, "this expression has one value, not several", item.span)
            name, value = split(item)
            made.append(Item(value, name, name_of(binder, value, scope, naming)))
            continue
        if len(names) > len(found):
            binder.fail(Kind.SEMANTIC, "more names than this function has columns", item.span)
        alone = len(names) == 1 and getattr(call, "name", "") in binder.catalog.several
        for i, (own, value) in enumerate(found[:1] if alone else found):
            made.append(Item(value, names[i] if i < len(names) else None, own, True))
    return made
