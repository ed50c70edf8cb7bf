"""The registry of KQL functions: each is registered once with its name, signature and Spark implementation.

    @scalar("toupper", Text(), returns=STRING)
    def toupper(text: Column) -> Column:
        return F.upper(text)

Arguments are Spark columns in engine types (see `lakehunt.spark.values`), dynamic ones always as JSON text (see
`lakehunt.spark.dynamic`); a `Constant` is passed as its Python value (None for null), and omitted optional arguments
are not passed. Results are in engine types, too.

The binder reads the signatures (`CATALOG`), the compiler the implementations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pyspark.sql import Column

from lakehunt.kql.catalog import Aggregate, Catalog, Constant, Parameter, Result, Scalar, Signature, WindowFunction
from lakehunt.kql.types import Type

Function = Callable[..., Any]
F_ = TypeVar("F_", bound=Function)

CATALOG = Catalog()


@dataclass(frozen=True)
class Form:
    """One overload of a function: its signature and implementation."""

    signature: Signature
    function: Function
    typed: bool

    def call(self, types: Sequence[Type], columns: Sequence[Any], constants: Sequence[object], *first: object) -> Any:
        """Calls the function with `columns`, or with the constant's value for `Constant` parameters."""
        wanted = self.signature.wanted(len(types)) or []
        values = [c if isinstance(w, Constant) else v for w, v, c in zip(wanted, columns, constants, strict=True)]
        return self.function(*first, *((tuple(types),) if self.typed else ()), *values)


@dataclass(frozen=True)
class Group:
    """What an aggregate may need besides its arguments: the deterministic row order, by which ties are broken, and the
    types of the arguments."""

    order: Column
    types: tuple[Type, ...]


_FORMS: dict[tuple[str, str], list[Form]] = {}


def scalar(
    names: str,
    *parameters: Parameter,
    returns: Result,
    optional: int = 0,
    rest: tuple[Parameter, ...] = (),
    last: tuple[Parameter, ...] = (),
    typed: bool = False,
) -> Callable[[F_], F_]:
    """Registers a scalar function under one or several names (`"isnotempty notempty"`).

    Registering it again with other parameters adds an overload; the first matching one is used. See
    `lakehunt.kql.catalog.Signature` for `optional`, `rest` and `last`. With `typed`, the function first gets the types
    of its arguments as a tuple."""
    return _enter("scalar", names, Signature(parameters, returns, optional, rest, last), typed)


def window(names: str, *parameters: Parameter, returns: Result, optional: int = 0) -> Callable[[F_], F_]:
    """Registers a window function. It is called with a `lakehunt.spark.functions.windows.Serial`, then its
    arguments."""
    return _enter("window", names, Signature(parameters, returns, optional), False)


def aggregate(
    names: str,
    *parameters: Parameter,
    returns: Result,
    prefix: str,
    optional: int = 0,
    rest: tuple[Parameter, ...] = (),
    columns: bool = False,
) -> Callable[[F_], F_]:
    """Registers an aggregate function. It is called with a `Group`, then its arguments.

    `prefix` starts the name of its column; see `lakehunt.kql.catalog.Aggregate`."""
    return _enter("aggregate", names, Signature(parameters, returns, optional, rest), False, prefix, columns)


def form(kind: str, name: str, types: Sequence[Type]) -> Form:
    """The overload of a function for arguments of these types, which the binder has checked."""
    for candidate in _FORMS[kind, name]:
        if candidate.signature.bind(types) is not None:
            return candidate
    raise LookupError(f"{name}({', '.join(map(str, types))}) has no implementation")


def _enter(
    kind: str, names: str, signature: Signature, typed: bool, prefix: str = "", columns: bool = False
) -> Callable[[F_], F_]:
    def enter(function: F_) -> F_:
        for name in names.split():
            forms = _FORMS.setdefault((kind, name), [])
            forms.append(Form(signature, function, typed))
            signatures = tuple(f.signature for f in forms)
            if kind == "scalar":
                CATALOG.scalars[name] = Scalar(name, signatures)
            elif kind == "window":
                CATALOG.windows[name] = WindowFunction(name, signatures)
            else:
                CATALOG.aggregates[name] = Aggregate(name, signatures, prefix, columns)
        return function

    return enter
