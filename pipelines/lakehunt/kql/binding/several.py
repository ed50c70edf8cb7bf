"""Functions that make several columns: each is a call of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lakehunt.kql import syntax as s
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.scope import Scope, split
from lakehunt.kql.errors import Kind
from lakehunt.kql.result_names import own_name
from lakehunt.kql.types import BOOL

_SORTS = ("array_sort_asc", "array_sort_desc")


def parts(binder: Binder, call: s.Expr, scope: Scope) -> list[tuple[str, s.Expr]]:
    """The columns' own names and calls; empty where the expression makes one column."""
    if not isinstance(call, s.Call):
        return []
    if call.name in _SORTS:
        return _sorted(binder, call, scope)
    first = own_name(call.args[0]) if call.args else None
    return [
        (f"{call.name}_{first or ''}_{part}", replace(call, name=f"{call.name}.{part}"))
        for part in binder.catalog.several.get(call.name, ())
    ]


def _sorted(binder: Binder, call: s.Call, scope: Scope) -> list[tuple[str, s.Expr]]:
    """`array_sort_asc(a, b, ...)`: the first array sorted, the others in its order."""
    if len(call.args) < 2:
        return []
    # Only what may be a constant is bound to learn its type: other expressions are bound later, and may be long.
    last = call.args[-1]
    nulls = (last,) if isinstance(last, (s.Literal, s.Name)) and binder.scalar(last, scope).type == BOOL else ()
    first, *others = call.args[: len(call.args) - len(nulls)]
    if not others:
        return []
    calls = [replace(call, args=(first, *nulls))]
    calls += [replace(call, name=f"{call.name}.by", args=(first, other, *nulls)) for other in others]
    names = [f"{own_name(array) or f'array{i}'}_sorted" for i, array in enumerate((first, *others))]
    return list(zip(names, calls, strict=True))


@dataclass(frozen=True)
class Item:
    """An item with one value: the name that the query gives it, or its own. `part`: one of several of a function."""

    value: s.Expr
    name: str | None
    own: str | None
    part: bool = False


def one_by_one(binder: Binder, items: Sequence[s.Expr], scope: Scope) -> list[Item]:
    """The items, one per column: a function with several columns becomes one call for each.

    `(a, b) = series_fit_line(s)` names the first two; `a = series_fit_line(s)` is the first alone, but not of arrays
    that are sorted together."""
    made: list[Item] = []
    for item in items:
        names = item.names if isinstance(item, s.Named) else ()
        call = item.value if isinstance(item, s.Named) else item
        found = parts(binder, call, scope)
        if not found:
            if len(names) > 1:
                binder.fail(Kind.SEMANTIC, "this expression has one value, not several", item.span)
            name, value = split(item)
            made.append(Item(value, name, own_name(value)))
            continue
        alone = len(names) == 1 and getattr(call, "name", "") in binder.catalog.several
        for i, (own, value) in enumerate(found[:1] if alone else found):
            made.append(Item(value, names[i] if i < len(names) else None, own, True))
    return made
