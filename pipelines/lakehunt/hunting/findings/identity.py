"""The identity of findings across runs, and descriptions of their columns."""

from __future__ import annotations

from collections.abc import Mapping

from lakehunt.kql import plan as p


def identity(plan: p.Plan) -> tuple[str, ...] | None:
    """Names of the columns that identify a finding: the keys of the last `summarize`, as far as they are still
    there. None where the rows have no such keys; a row is then what its events are.

    Counts and sets are excluded: they change from day to day while the finding stays the same."""
    if isinstance(plan, p.Summarize):
        return tuple(name for name, _ in plan.keys)
    if isinstance(plan, (p.Filter, p.Sort, p.Take)):
        return identity(plan.source)
    if isinstance(plan, p.Project):
        return _renamed(plan, identity(plan.source))
    return None


def _renamed(plan: p.Project, keys: tuple[str, ...] | None) -> tuple[str, ...] | None:
    made: dict[str, str] = {}
    for name, expr in zip(plan.names, plan.expressions, strict=True):
        if isinstance(expr, p.ColumnRef):
            made.setdefault(expr.name, name)
    if keys is None or any(key not in made for key in keys):
        return None
    return tuple(made[key] for key in keys)


Known = Mapping[str, Mapping[str, str]]
"""Descriptions of columns, by table name."""


def descriptions(plan: p.Plan, query: str, known: Known) -> dict[str, str]:
    """Comments for the result's columns: the description of the source column, or else the KQL that computes it."""
    return {column.name: _described(plan, column.name, query, known) for column in plan.schema}


def _described(plan: p.Plan, name: str, query: str, known: Known) -> str:
    if isinstance(plan, p.Scan):
        return known.get(plan.table, {}).get(name) or f"{name} of {plan.table}"
    if isinstance(plan, p.Project):
        return _made_by(dict(zip(plan.names, plan.expressions, strict=True))[name], plan.source, query, known)
    if isinstance(plan, p.Summarize):
        keys = dict(plan.keys)
        if name in keys:
            return _made_by(keys[name], plan.source, query, known)
        made = next(a for a in plan.aggregates if name in a.names)
        return " ".join(query[made.span.start : made.span.end].split())
    source = next((source for source in p.sources(plan) if name in source.names), None)
    return _described(source, name, query, known) if source else ""


def _made_by(expr: p.Expr, source: p.Plan, query: str, known: Known) -> str:
    if isinstance(expr, p.ColumnRef):
        return _described(source, expr.name, query, known)
    return " ".join(query[expr.span.start : expr.span.end].split())
