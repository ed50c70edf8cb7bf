"""Where each KQL function is entered, once: its name, what it takes and gives, and how Spark computes it.

    @scalar("toupper", Text(), returns=STRING)
    def toupper(text: Column) -> Column:
        return F.upper(text)

An argument arrives as a Spark column in a plan's representation (see `lakehunt.spark.values`), a dynamic one always as
its JSON text (see `lakehunt.spark.dynamic`), a `Constant` as its Python value (None for null), an optional one that is
left out not at all. A result is in a plan's representation, too.

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
    """One form of a function: its signature and how Spark computes it."""

    signature: Signature
    function: Function
    typed: bool

    def call(self, types: Sequence[Type], columns: Sequence[Any], constants: Sequence[object], *first: object) -> Any:
        """The result for these arguments: `columns` where a parameter takes a column, else the constant's value."""
        wanted = self.signature.wanted(len(types)) or []
        values = [c if isinstance(w, Constant) else v for w, v, c in zip(wanted, columns, constants, strict=True)]
        return self.function(*first, *((tuple(types),) if self.typed else ()), *values)


@dataclass(frozen=True)
class Group:
    """What an aggregate may need besides its arguments: the row's place in the written order, by which every choice is
    made that must not depend on chance, and the types of the arguments."""

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
    """Enters a scalar function under one or several names (`"isnotempty notempty"`).

    Entered again with other parameters, it has one more form; the first that fits is used. See
    `lakehunt.kql.catalog.Signature` for `optional`, `rest` and `last`. With `typed`, the function is given the types
    of its arguments, as a tuple, before them."""
    return _enter("scalar", names, Signature(parameters, returns, optional, rest, last), typed)


def window(names: str, *parameters: Parameter, returns: Result, optional: int = 0) -> Callable[[F_], F_]:
    """Enters a window function. It is called with a `lakehunt.spark.functions.windows.Serial`, then its arguments."""
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
    """Enters an aggregate function. It is called with a `Group`, then its arguments.

    `prefix` starts the name of its column; see `lakehunt.kql.catalog.Aggregate`."""
    return _enter("aggregate", names, Signature(parameters, returns, optional, rest), False, prefix, columns)


def form(kind: str, name: str, types: Sequence[Type]) -> Form:
    """The form of a function for arguments of these types; they were checked by the binder."""
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
