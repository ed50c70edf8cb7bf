"""What a backend can do: the signatures of its scalar and aggregate functions. The binder asks, a backend fills it.

A signature is data. Where a function's result depends on its arguments in a way that the forms here cannot say, it
gives a function of the argument types instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipelines.kql.types import DYNAMIC, NUMERIC, Type


@dataclass(frozen=True)
class Any:
    """A parameter that takes any type (save dynamic unless `dynamic`), and passes it through as it is."""

    dynamic: bool = True


@dataclass(frozen=True)
class Same:
    """Parameters that must be brought to one common type; as a result, that type."""


@dataclass(frozen=True)
class OneOf:
    """A parameter that takes each of some types as it is."""

    types: tuple[Type, ...]


Parameter = Type | Any | Same | OneOf
Result = Type | Same | Callable[[Sequence[Type]], Type]


@dataclass(frozen=True)
class Signature:
    """Parameters, how many of the last are optional, a parameter that may repeat after them, and the result."""

    parameters: tuple[Parameter, ...]
    returns: Result
    optional: int = 0
    rest: Parameter | None = None

    def accepts(self, count: int) -> bool:
        most = count if self.rest is not None else len(self.parameters)
        return len(self.parameters) - self.optional <= count <= most

    def bind(self, types: Sequence[Type]) -> tuple[list[Type], Type] | None:
        """The types to bring the arguments to, and the result's; None where these arguments do not fit."""
        if not self.accepts(len(types)):
            return None
        wanted = [*self.parameters[: len(types)], *[self.rest] * (len(types) - len(self.parameters))]
        same = common_type([t for t, w in zip(types, wanted, strict=True) if isinstance(w, Same)])
        targets = [_target(t, w, same) for t, w in zip(types, wanted, strict=True) if w is not None]
        if any(t is None for t in targets):
            return None
        bound = [t for t in targets if t is not None]
        if isinstance(self.returns, Same):
            return None if same is None else (bound, same)
        return bound, self.returns if isinstance(self.returns, Type) else self.returns(bound)


@dataclass(frozen=True)
class Scalar:
    """A scalar function: its forms, tried in order."""

    name: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True)
class Aggregate:
    """An aggregate function.

    `prefix` starts the name of its column (`any` -> `any_FileName`, empty for `take_any`: the argument's
    own name). `constants` says how many of its last arguments must be constants.
    `columns` is set where one call makes a column of every argument (`any(A, B)`)."""

    name: str
    signatures: tuple[Signature, ...]
    prefix: str
    constants: int = 0
    columns: bool = False


@dataclass(frozen=True)
class Catalog:
    """The functions of a backend, by name."""

    scalars: dict[str, Scalar] = field(default_factory=dict)
    aggregates: dict[str, Aggregate] = field(default_factory=dict)

    def names(self) -> list[str]:
        return [*self.scalars, *self.aggregates]


def convertible(source: Type, target: Type) -> bool:
    """Whether Kusto converts `source` to `target` by itself: a number to a wider one."""
    if source == target:
        return True
    return source in NUMERIC and target in NUMERIC and NUMERIC.index(source) < NUMERIC.index(target)


def common_type(types: Sequence[Type]) -> Type | None:
    """The narrowest type that all can be brought to; None where there is none."""
    if not types:
        return None
    if all(t == types[0] for t in types):
        return DYNAMIC if types[0] == DYNAMIC else types[0]  # arrays of different elements have no common one
    if all(t in NUMERIC for t in types):
        return max(types, key=NUMERIC.index)
    return None


def _target(given: Type, wanted: Parameter, same: Type | None) -> Type | None:
    if isinstance(wanted, Same):
        return same
    if isinstance(wanted, OneOf):
        return given if given in wanted.types else None
    if isinstance(wanted, Any):
        return given if wanted.dynamic or given != DYNAMIC else None
    return wanted if convertible(given, wanted) else None
