"""Bounds on what a query becomes when its `let` names and functions are put in their places.

Each name is bound once, and its plan or expression is shared by all who use it. Spark has no shared parts: there, a
name that uses its predecessor twice, 25 times over, would be 33 million copies. Sizes are those of the tree that Spark
would see, computed once for each shared part."""

from __future__ import annotations

from lakehunt.kql import plan as p

MAX_STEPS = 5_000
"""Of a plan; a read of a table is one."""

MAX_DEPTH = 1_000
"""Of steps one above another. Kusto takes some 500."""

MAX_PARTS = 100_000
"""Of an expression."""

FOLDED_FROM = 64
"""Parts from which a constant expression is computed where it is bound."""


class Sizes:
    """Sizes of plans and expressions, by identity."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[p.Plan | p.Expr, int, int]] = {}  # with the object, so that its id stays its own

    def steps(self, plan: p.Plan) -> int:
        return self._of(plan)[0]

    def depth(self, plan: p.Plan) -> int:
        return self._of(plan)[1]

    def parts(self, expr: p.Expr) -> int:
        return self._of(expr)[0]

    def _of(self, whole: p.Plan | p.Expr) -> tuple[int, int]:
        waiting = [whole]
        while waiting:
            node = waiting[-1]
            below = () if id(node) in self._known else _below(node)
            missing = [part for part in below if id(part) not in self._known]
            if missing:
                waiting.extend(missing)
                continue
            waiting.pop()
            if id(node) not in self._known:
                sizes = [self._known[id(part)] for part in below]
                depth = 1 + max((deep for _, _, deep in sizes), default=0)
                self._known[id(node)] = (node, 1 + sum(size for _, size, _ in sizes), depth)
        return self._known[id(whole)][1:]


def _below(node: p.Plan | p.Expr) -> tuple[p.Plan | p.Expr, ...]:
    if isinstance(node, p.Plan):
        return p.sources(node)
    if isinstance(node, p.Call):
        return node.args
    return (node.plan,) if isinstance(node, (p.ScalarQuery, p.ListQuery)) else ()
