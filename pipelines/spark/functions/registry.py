"""Where each KQL function is entered, once: its name, what it takes and gives, and how Spark computes it.

    @scalar("toupper", STRING, returns=STRING)
    def toupper(text: Column) -> Column:
        return F.upper(text)

The binder reads the signatures (`CATALOG`), the compiler the implementations (`scalar_implementation`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pyspark.sql import Column

from pipelines.kql.catalog import Aggregate, Catalog, Parameter, Result, Scalar, Signature
from pipelines.kql.types import Type

ScalarFunction = Callable[..., Column]
F_ = TypeVar("F_", bound=Callable[..., Column])

CATALOG = Catalog()
_SCALARS: dict[str, list[tuple[Signature, ScalarFunction]]] = {}


@dataclass(frozen=True)
class Group:
    """What an aggregate may need besides its arguments: the row's place in the written order, for a choice that must
    not depend on chance, and the types of the arguments."""

    order: Column
    types: tuple[Type, ...]


AggregateFunction = Callable[..., Column]
_AGGREGATES: dict[str, AggregateFunction] = {}


def scalar(
    names: str, *parameters: Parameter, returns: Result, optional: int = 0, rest: Parameter | None = None
) -> Callable[[F_], F_]:
    """Enters a scalar function under one or several names (`"isnotempty notempty"`).

    Entered again with other parameters, it has one more form; the first that fits is used."""

    def enter(function: F_) -> F_:
        signature = Signature(parameters, returns, optional, rest)
        for name in names.split():
            known = CATALOG.scalars.get(name)
            CATALOG.scalars[name] = Scalar(name, (*(known.signatures if known else ()), signature))
            _SCALARS.setdefault(name, []).append((signature, function))
        return function

    return enter


def aggregate(
    names: str,
    *parameters: Parameter,
    returns: Result,
    prefix: str,
    optional: int = 0,
    constants: int = 0,
    columns: bool = False,
) -> Callable[[F_], F_]:
    """Enters an aggregate function. It is called with a `Group`, then its arguments as columns (constants as they are).

    See `pipelines.kql.catalog.Aggregate` for prefix, constants and columns."""

    def enter(function: F_) -> F_:
        for name in names.split():
            entry = Aggregate(name, (Signature(parameters, returns, optional),), prefix, constants, columns)
            CATALOG.aggregates[name] = entry
            _AGGREGATES[name] = function
        return function

    return enter


def scalar_implementation(name: str, types: Sequence[Type]) -> ScalarFunction:
    """How Spark computes the function for arguments of these types; they were checked by the binder."""
    for signature, function in _SCALARS[name]:
        if signature.bind(types) is not None:
            return function
    raise LookupError(f"{name}({', '.join(map(str, types))}) has no implementation")


def aggregate_implementation(name: str) -> AggregateFunction:
    return _AGGREGATES[name]
