"""Limits how large expressions become when Spark inlines the columns that they read.

Spark's optimizer merges consecutive `extend` and `project` steps. A step that reads a computed column twice doubles its
expression: 40 times over, planning never ends, and cannot be cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lakehunt.kql import plan as p
from lakehunt.spark.columns import F, select
from lakehunt.spark.expressions import column
from lakehunt.spark.relations import Relation

MOST = 2_000
"""Maximum parts of an expression after inlining."""

HEAVY = 16
"""Columns with more parts than this are kept from being inlined where an expression would be too large."""


def weights(plan: p.Project, source: Mapping[str, int]) -> dict[str, int]:
    """How many parts the expression of each column has after inlining; the columns of the source have `source`."""
    return {c.name: _weight(e, source) for c, e in zip(plan.schema, plan.expressions, strict=True)}


def _weight(expr: p.Expr, source: Mapping[str, int]) -> int:
    return sum(source.get(one.name, 1) if isinstance(one, p.ColumnRef) else 1 for one in p.parts(expr))


def limited(source: Relation, plan: p.Project) -> Relation:
    """The source of a projection, with heavy columns kept from being inlined into it if it would be too large."""
    if max(weights(plan, source.weights).values(), default=0) <= MOST:
        return source
    # Spark does not inline a non-deterministic expression. (It would see through a condition on `rand`.)
    kept = [
        F.when(F.monotonically_increasing_id() >= 0, column(n)).alias(n)
        if source.weights.get(n, 1) > HEAVY
        else column(n)
        for n in source.names
    ]
    return replace(source, frame=select(source.frame, *kept, *source.hidden), weights={})
