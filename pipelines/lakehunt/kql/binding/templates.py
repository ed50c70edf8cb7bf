"""Queries that plugins of `evaluate` stand for.

A template reads `__T`, the source, and `__a`, `__b`, ..., the plugin's arguments: tables and values are bound before,
columns are filled in by name."""

from __future__ import annotations

from collections.abc import Sequence

from lakehunt.kql import plan as p
from lakehunt.kql import syntax as s
from lakehunt.kql.binding.binder import Binder
from lakehunt.kql.binding.functions import lets
from lakehunt.kql.binding.scope import Scope, Variable, split
from lakehunt.kql.errors import Kind
from lakehunt.kql.parser import parse


def bound(binder: Binder, op: s.Evaluate, text: str, source: p.Plan, given: dict[str, Variable]) -> p.Plan:
    """The plan of a template. An error in it is one of the plugin's arguments, and others follow from the first."""
    tree, before = parse(text), len(binder.errors)
    with binder.inside({**binder.variables, "__T": source, **given}):
        lets(binder, tree)
        made = binder.table(tree.body)
    binder.errors[before:] = [error.at(op.plugin.span) for error in binder.errors[before:][:1]]
    return made


def quoted(name: str) -> str:
    return "['" + name.replace("\\", "\\\\").replace("'", "\\'") + "']"


def columns(binder: Binder, source: p.Plan, args: Sequence[s.Expr]) -> list[str] | None:
    """The names of columns of the source; None after an error."""
    names = [binder.column_of(source, arg, arg.span) for arg in args]
    return None if None in names else [name for name in names if name is not None]


def by_name(
    binder: Binder, call: s.Call, args: Sequence[s.Expr], parameters: Sequence[str], hint: str
) -> dict[str, s.Expr] | None:
    """Arguments that are given by position or by name, by their names; None after an error."""
    given: dict[str, s.Expr] = {}
    for at, arg in enumerate(args):
        own, value = split(arg)
        name = own or "".join(parameters[at : at + 1])
        if name not in parameters or name in given:
            binder.fail(Kind.SEMANTIC, f"{call.name} has no such argument", arg.span, f"{hint} {', '.join(parameters)}")
            return None
        given[name] = value
    return given


def values(binder: Binder, args: Sequence[s.Expr]) -> dict[str, Variable]:
    return {f"__{letter}": binder.scalar(arg, Scope()) for letter, arg in zip("abcdefgh", args, strict=False)}


def takes(binder: Binder, op: s.Evaluate, least: int, most: int | None = None) -> bool:
    count = len(op.plugin.args)
    if least <= count <= (most or count):
        return True
    binder.fail(Kind.SEMANTIC, f"{op.plugin.name} does not take {count} arguments", op.plugin.span)
    return False
