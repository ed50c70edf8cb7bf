"""Default names of columns that a query does not name.

Source: Microsoft's binder (`any(X)` -> `any_X`, a path `D.a` -> `D_a`, other expressions `Column1`, ...)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from lakehunt.kql import syntax as s

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

PREFIXED = {name: name for name in ("strlen", "string_size", "percentile_tdigest", "dcount_hll")} | {"gettype": "type"}
"""Functions whose result is named after themselves and their first argument: `strlen(Url)` is `strlen_Url`."""

FIXED = {"ingestion_time": "$IngestionTime"}


def own_name(expr: s.Expr, aggregates: Mapping[str, str] = MappingProxyType({})) -> str | None:
    """The default name of an expression: of a column, of a path with underscores, of the converted argument; or None.

    `aggregates` are the prefixes of aggregate functions, where they are allowed: `round(avg(x), 2)` is `avg_x`."""
    if isinstance(expr, s.Name):
        return expr.name
    if isinstance(expr, s.Named):  # an argument that the query names: `make_set(x = FileName)` is `set_x`
        return expr.names[0]
    if isinstance(expr, (s.Path, s.Index)):
        return _name_of_path(expr, aggregates)
    if isinstance(expr, s.Call):
        return _name_of_call(expr, aggregates)
    return None


def _name_of_path(path: s.Path | s.Index, aggregates: Mapping[str, str]) -> str | None:
    """`D.a[0]` is `D_a_0`; where the value has no name of its own, the steps alone: `parse_path(P).Filename` is
    `Filename`."""
    steps: list[s.Path | s.Index] = []
    value: s.Expr = path
    while isinstance(value, (s.Path, s.Index)):
        steps.append(value)
        value = value.value
    head = own_name(value, aggregates)
    if isinstance(value, s.Call) and value.name == "split" and len(steps) > 1 and isinstance(steps[-1], s.Index):
        head = None  # an element of `split` has a name, but not before further steps
        steps.pop()
    return "_".join([*([head] if head else []), *map(_step, reversed(steps))]) or None


def _step(expr: s.Path | s.Index) -> str:
    if isinstance(expr, s.Path):
        return expr.name
    return str(expr.index.value) if isinstance(expr.index, s.Literal) else ""


def _name_of_call(call: s.Call, aggregates: Mapping[str, str]) -> str | None:
    if call.name in FIXED:
        return FIXED[call.name]
    first = own_name(call.args[0], aggregates) if call.args else None
    if call.name in aggregates:
        prefix = aggregates[call.name]
        return f"{prefix}{first or ''}" if prefix else None  # `tostring(take_any(x))` has no name
    if call.name in PREFIXED:
        return f"{PREFIXED[call.name]}_{first or ''}"
    if call.name in NAMED_AFTER_FIRST_ARGUMENT or (call.name in NAMED_AFTER_ONLY_ARGUMENT and len(call.args) == 1):
        return first
    return None


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
