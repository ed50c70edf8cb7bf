"""What a backend can do: the signatures of its scalar, window and aggregate functions. The binder asks, a backend fills
it.

A signature is data. Its parameters have the kinds that Microsoft's binder has (a number, anything that can be ordered,
a constant ...); where a result depends on the arguments in a way that the forms here cannot say, it gives a function of
their types instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lakehunt.kql.types import BOOL, DATETIME, DECIMAL, DYNAMIC, GUID, INT, LONG, NUMERIC, STRING, TIMESPAN, Type


@dataclass(frozen=True)
class Any:
    """A parameter that takes any type (save dynamic unless `dynamic`), and passes it through as it is."""

    dynamic: bool = True


@dataclass(frozen=True)
class OneOf:
    """A parameter that takes each of some types as it is."""

    types: tuple[Type, ...]


@dataclass(frozen=True)
class Same:
    """Parameters that must be brought to one common type, one of `types` where these are given; as a result, that type.

    With `mixed`, arguments that have none in common become dynamic."""

    types: tuple[Type, ...] = ()
    mixed: bool = False


@dataclass(frozen=True)
class Text:
    """A parameter that takes any type and makes it text, as `tostring` does."""


@dataclass(frozen=True)
class Pattern:
    """A regular expression: a string; one that is a constant is checked when the query is bound."""


@dataclass(frozen=True)
class Constant:
    """A parameter whose argument must be a constant of some type; the function is given its Python value."""

    of: Type | OneOf | Any | Pattern


Parameter = Type | Any | OneOf | Same | Text | Pattern | Constant

INTEGER = OneOf((INT, LONG))
NUMBER = OneOf(NUMERIC)
NOT_DYNAMIC = OneOf((*NUMERIC, TIMESPAN, DATETIME, STRING, BOOL, GUID))
STRING_OR_DYNAMIC = OneOf((STRING, DYNAMIC))

TYPE = Type("type")
"""The type of `typeof(long)`; its value is a Type."""

Types = Sequence[Type]


@dataclass(frozen=True)
class NamedType:
    """The result of a function whose last argument names it: `extract(regex, 1, text, typeof(long))`."""


@dataclass(frozen=True)
class ByConstant:
    """The result of a function whose first argument, a constant, decides: the type for its value, else `otherwise`."""

    types: Mapping[str, Type]
    otherwise: Type


Result = Type | Same | NamedType | ByConstant | Callable[[Types], Type]


@dataclass(frozen=True)
class Signature:
    """What a function takes: `parameters`, of which the last `optional` may be left out; then `rest`, a group of
    parameters that may be repeated any number of times; then `last`."""

    parameters: tuple[Parameter, ...]
    returns: Result
    optional: int = 0
    rest: tuple[Parameter, ...] = ()
    last: tuple[Parameter, ...] = ()

    def wanted(self, count: int) -> list[Parameter] | None:
        """The parameter of each of `count` arguments; None where it does not take so many."""
        fixed = len(self.parameters) + len(self.last)
        if len(self.parameters) - self.optional + len(self.last) <= count <= fixed:
            return [*self.parameters[: count - len(self.last)], *self.last]
        if not self.rest or count < fixed or (count - fixed) % len(self.rest):
            return None
        return [*self.parameters, *self.rest * ((count - fixed) // len(self.rest)), *self.last]

    def bind(self, types: Types) -> tuple[list[Type], Type] | None:
        """The types to bring the arguments to, and the result's; None where these arguments do not fit.

        The result of a NamedType is not known from types: it is TYPE, and the caller puts in what is named; nor is
        that of a ByConstant."""
        wanted = self.wanted(len(types))
        if wanted is None:
            return None
        same = _common([t for t, w in zip(types, wanted, strict=True) if isinstance(w, Same)], wanted)
        targets = [_target(t, w, same) for t, w in zip(types, wanted, strict=True)]
        if any(t is None for t in targets):
            return None
        bound = [t for t in targets if t is not None]
        if isinstance(self.returns, Same):
            return None if same is None else (bound, same)
        if isinstance(self.returns, NamedType):
            return bound, TYPE
        if isinstance(self.returns, ByConstant):
            return bound, self.returns.otherwise
        return bound, self.returns if isinstance(self.returns, Type) else self.returns(bound)


@dataclass(frozen=True)
class Scalar:
    """A scalar function: its forms, tried in order."""

    name: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True)
class WindowFunction:
    """A function of a row and its neighbours, as `prev` and `row_number`: it needs rows in order."""

    name: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True)
class Aggregate:
    """An aggregate function: its forms, tried in order.

    `prefix` starts the name of its column (`any` -> `any_FileName`, empty for `take_any`: the argument's
    own name). `columns` is set where one call makes a column of every argument (`any(A, B)`)."""

    name: str
    signatures: tuple[Signature, ...]
    prefix: str
    columns: bool = False


@dataclass(frozen=True)
class Catalog:
    """The functions of a backend, by name.

    `several` has those that make several columns, with the columns' names: a column `min` of `series_stats(x)` is the
    function `series_stats.min`."""

    scalars: dict[str, Scalar] = field(default_factory=dict)
    several: dict[str, tuple[str, ...]] = field(default_factory=dict)
    windows: dict[str, WindowFunction] = field(default_factory=dict)
    aggregates: dict[str, Aggregate] = field(default_factory=dict)

    def names(self) -> list[str]:
        return [*self.scalars, *self.windows, *self.aggregates]


def convertible(source: Type, target: Type) -> bool:
    """Whether Kusto converts `source` to `target` by itself: a number to a wider one."""
    if source == target:
        return True
    return source in NUMERIC and target in NUMERIC and NUMERIC.index(source) < NUMERIC.index(target)


def common_type(types: Types) -> Type | None:
    """The narrowest type that all can be brought to; None where there is none."""
    if not types:
        return None
    if all(t == types[0] for t in types):
        return DYNAMIC if types[0] == DYNAMIC else types[0]  # arrays of different elements have no common one
    if all(t in NUMERIC for t in types):
        return DECIMAL if DECIMAL in types else max(types, key=NUMERIC.index)
    return None


def _common(types: Types, wanted: Sequence[Parameter]) -> Type | None:
    same = common_type(types)
    kinds = [w for w in wanted if isinstance(w, Same)]
    if same is None and kinds and kinds[0].mixed:
        return common_type([t for t in types if t != DYNAMIC]) or DYNAMIC
    if same is None:
        return None
    return None if kinds[0].types and same not in kinds[0].types else same


def _target(given: Type, wanted: Parameter, same: Type | None) -> Type | None:
    if isinstance(wanted, Type):
        return wanted if convertible(given, wanted) else None
    return _TARGETS[type(wanted)](given, wanted, same)


_TARGETS: dict[type, Callable[..., Type | None]] = {
    Constant: lambda given, wanted, same: _target(given, wanted.of, same),
    Same: lambda given, wanted, same: same,
    OneOf: lambda given, wanted, same: given if given in wanted.types else None,
    Any: lambda given, wanted, same: given if wanted.dynamic or given != DYNAMIC else None,
    Text: lambda given, wanted, same: STRING,
    Pattern: lambda given, wanted, same: STRING if given == STRING else None,
}
"""What an argument of a type is brought to for each kind of parameter; None where it does not fit."""
