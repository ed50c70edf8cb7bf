"""Names of columns that a query does not name.

Source: Microsoft's binder (`any(X)` -> `any_X`, a path `D.a` -> `D_a`, other expressions `Column1`, ...)."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.kql import syntax as s

NAMED_AFTER_FIRST_ARGUMENT = frozenset(["bin", "floor", "bin_at"])
"""Functions whose result keeps the name of the column that they round."""


def own_name(expr: s.Expr) -> str | None:
    """The name that an expression has by itself: a column's, or a path's with underscores."""
    if isinstance(expr, s.Name):
        return expr.name
    if isinstance(expr, s.Path):
        head = own_name(expr.value)
        return f"{head}_{expr.name}" if head else None
    if isinstance(expr, s.Index) and isinstance(expr.index, s.Literal) and isinstance(expr.index.value, str):
        head = own_name(expr.value)
        return f"{head}_{expr.index.value}" if head else None
    if isinstance(expr, s.Call) and expr.name in NAMED_AFTER_FIRST_ARGUMENT and expr.args:
        return own_name(expr.args[0])
    return None


class Names:
    """The names of one result; a name that is taken gets `1`, `2`, ... after it."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = set(taken)
        self.unnamed = 0

    def unique(self, name: str) -> str:
        candidate, number = name, 0
        while candidate in self.taken:
            number += 1
            candidate = f"{name}{number}"
        self.taken.add(candidate)
        return candidate

    def column(self) -> str:
        """The next of `Column1`, `Column2`, ..."""
        self.unnamed += 1
        while f"Column{self.unnamed}" in self.taken:
            self.unnamed += 1
        self.taken.add(f"Column{self.unnamed}")
        return f"Column{self.unnamed}"
