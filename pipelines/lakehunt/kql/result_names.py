"""Default names of columns that a query does not name.

Source: Microsoft's binder (`any(X)` -> `any_X`, a path `D.a` -> `D_a`, other expressions `Column1`, ...)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from lakehunt.kql import shapes
from lakehunt.kql import syntax as s
from lakehunt.kql.types import Shape

NAMED_AFTER_FIRST_ARGUMENT = frozenset(
    [
        "abs",
        "acos",
        "asin",
        "atan",
        "atan2",
        "bin",
        "bin_at",
        "bin_auto",
        "binary_all_and",
        "binary_all_or",
        "binary_all_xor",
        "binary_and",
        "binary_not",
        "binary_or",
        "binary_shift_left",
        "binary_shift_right",
        "binary_xor",
        "bitset_count_ones",
        "ceiling",
        "cos",
        "erf",
        "erfc",
        "exp",
        "exp10",
        "exp2",
        "floor",
        "format_bytes",
        "format_datetime",
        "format_timespan",
        "gamma",
        "log",
        "log10",
        "log2",
        "loggamma",
        "parse_csv",
        "parse_json",
        "parse_xml",
        "parsejson",
        "pow",
        "rand",
        "round",
        "series_fill_backward",
        "series_fill_const",
        "series_fill_forward",
        "series_fill_linear",
        "series_fir",
        "series_iir",
        "series_outliers",
        "sin",
        "split",
        "sqrt",
        "startofday",
        "take_anyif",
        "tan",
        "tobool",
        "toboolean",
        "todatetime",
        "todecimal",
        "todouble",
        "todynamic",
        "toguid",
        "tohex",
        "toint",
        "tolong",
        "toobject",
        "toreal",
        "tostring",
        "totime",
        "totimespan",
    ]
)
"""Functions whose result keeps the name of their first argument: `tostring(Port)` is `Port`."""

NAMED_AFTER_ONLY_ARGUMENT = frozenset(["make_datetime", "make_timespan"])

PREFIXED = {
    **{name: name for name in ("strlen", "string_size", "percentile_tdigest", "dcount_hll", "hll_merge", "repeat")},
    "gettype": "type",
    "treepath": "tree",
}
"""Functions whose result is named after themselves and their first argument: `strlen(Url)` is `strlen_Url`."""

FIXED = {"ingestion_time": "$IngestionTime"}


@dataclass(frozen=True)
class Naming:
    """The default names of expressions over some rows.

    `shape_of` tells what is known of a dynamic value. `aggregates` are the prefixes of aggregate functions, where they
    are allowed: `round(avg(x), 2)` is `avg_x`."""

    shape_of: Callable[[s.Expr], Shape | None]
    aggregates: Mapping[str, str] = field(default_factory=dict)

    def own_name(self, expr: s.Expr) -> str | None:
        """That of a column, of a path with underscores, of the converted argument; or None."""
        if isinstance(expr, s.Name):
            return expr.name
        if isinstance(expr, s.Named):  # an argument that the query names: `make_set(x = FileName)` is `set_x`
            return expr.names[0]
        if isinstance(expr, (s.Path, s.Index)):
            return self._of_path(expr)
        if isinstance(expr, s.Call):
            return self._of_call(expr)
        return None

    def _of_path(self, path: s.Path | s.Index) -> str | None:
        """`D.a[0]` is `D_a_0`. What has no name of its own is left out, and so is all before a part of what has no
        parts: `parse_path(P).Filename` is `Filename`, `split(Path, "/")[0].x` is `x`."""
        steps: list[s.Path | s.Index] = []
        value: s.Expr = path
        while isinstance(value, (s.Path, s.Index)):
            steps.append(value)
            value = value.value
        head = self.own_name(value)
        parts = [head] if head else []
        shape = self.shape_of(value) if parts or len(steps) > 1 else None
        for step in reversed(steps):
            if shapes.is_value(shape):
                parts = []
            parts.append(_step(step))
            shape = shapes.part(shape, _constant(step))
        return "_".join(parts) or None

    def _of_call(self, call: s.Call) -> str | None:
        if call.name in FIXED:
            return FIXED[call.name]
        first = self.own_name(call.args[0]) if call.args else None
        if call.name in self.aggregates:
            prefix = self.aggregates[call.name]
            return f"{prefix}{first or ''}" if prefix else None  # `tostring(take_any(x))` has no name
        if call.name in PREFIXED:
            return f"{PREFIXED[call.name]}_{first or ''}"
        if call.name in NAMED_AFTER_FIRST_ARGUMENT or (call.name in NAMED_AFTER_ONLY_ARGUMENT and len(call.args) == 1):
            return first
        return None


def _step(expr: s.Path | s.Index) -> str:
    if isinstance(expr, s.Path):
        return expr.name
    return str(expr.index.value) if isinstance(expr.index, s.Literal) else ""


def _constant(expr: s.Path | s.Index) -> object:
    """The name or position that a step leads to, if it is a constant."""
    if isinstance(expr, s.Path):
        return expr.name
    return expr.index.value if isinstance(expr.index, s.Literal) else None


class Names:
    """The names of one result, in the order of its columns; a name that is taken is suffixed with `1`, `2`, ...

    `existing` are those of columns that are there before; what has no name gets none of them."""

    def __init__(self, existing: Iterable[str] = (), taken: Iterable[str] = ()) -> None:
        self.existing = frozenset(existing)
        self.taken = {*self.existing, *taken}
        self.declared: set[str] = set()
        self.unnamed = 0

    def given(self, name: str) -> str | None:
        """The final name of a column that a query names, or reads as it is; None if it named another one so."""
        if name in self.declared:
            return None
        self.declared.add(name)
        return self.unique(name)

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
        while f"Column{self.unnamed}" in self.existing:
            self.unnamed += 1
        return self.unique(f"Column{self.unnamed}")
