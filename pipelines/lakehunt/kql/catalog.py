"""The function catalog: signatures of a backend's scalar, window and aggregate functions, filled by the backend and
read by the binder.

A signature is data. Its parameter kinds are those of Microsoft's binder (a number, anything orderable, a constant ...);
if a result depends on the arguments in a way that these kinds cannot express, it is a function of their types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lakehunt.kql.types import BOOL, DATETIME, DECIMAL, DYNAMIC, GUID, INT, LONG, NUMERIC, STRING, TIMESPAN, Type


@dataclass(frozen=True)
class Any:
    """A parameter that takes any type (except dynamic unless `dynamic`), unconverted."""

    dynamic: bool = True


@dataclass(frozen=True)
class OneOf:
    """A parameter that takes one of several types, unconverted."""

    types: tuple[Type, ...]


@dataclass(frozen=True)
class Same:
    """Parameters that are converted to a common type, one of `types` if given; as a result, that type.

    With `mixed`, arguments without a common type become dynamic."""

    types: tuple[Type, ...] = ()
    mixed: bool = False


@dataclass(frozen=True)
class Text:
    """A parameter that takes any type and converts it to a string like `tostring`."""


@dataclass(frozen=True)
class Pattern:
    """A regular expression: a string. Constants are checked when the query is bound."""


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
    """The parameters of a function: `parameters`, of which the last `optional` may be omitted; then `rest`, a group of
    parameters that may occur any number of times; then `last`."""

    parameters: tuple[Parameter, ...]
    returns: Result
    optional: int = 0
    rest: tuple[Parameter, ...] = ()
    last: tuple[Parameter, ...] = ()

    def wanted(self, count: int) -> list[Parameter] | None:
        """The parameters of `count` arguments; None if the function does not take that many."""
        fixed = len(self.parameters) + len(self.last)
        if len(self.parameters) - self.optional + len(self.last) <= count <= fixed:
            return [*self.parameters[: count - len(self.last)], *self.last]
        if not self.rest or count < fixed or (count - fixed) % len(self.rest):
            return None
        return [*self.parameters, *self.rest * ((count - fixed) // len(self.rest)), *self.last]

    def bind(self, types: Types) -> tuple[list[Type], Type] | None:
        """The types that the arguments are converted to, and the result's type; None if the arguments do not match.

        The result of a NamedType or a ByConstant does not follow from types: for a NamedType it is TYPE, which the
        caller replaces by the named type."""
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
    """A scalar function: its overloads, tried in order."""

    name: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True)
class WindowFunction:
    """A window function such as `prev` or `row_number`: it needs serialized rows."""

    name: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True)
class Aggregate:
    """An aggregate function: its overloads, tried in order.

    `prefix` starts the name of its column (`any` -> `any_FileName`; empty for `take_any`, which keeps the
    argument's name). `columns` is set if a call makes one column per argument (`any(A, B)`)."""

    name: str
    signatures: tuple[Signature, ...]
    prefix: str
    columns: bool = False


@dataclass(frozen=True)
class Catalog:
    """The functions of a backend, by name.

    `several` lists functions that return several columns, with the columns' names: the column `min` of
    `series_stats(x)` is the function `series_stats.min`."""

    scalars: dict[str, Scalar] = field(default_factory=dict)
    several: dict[str, tuple[str, ...]] = field(default_factory=dict)
    windows: dict[str, WindowFunction] = field(default_factory=dict)
    aggregates: dict[str, Aggregate] = field(default_factory=dict)

    def names(self) -> list[str]:
        return [*self.scalars, *self.windows, *self.aggregates]


def convertible(source: Type, target: Type) -> bool:
    """Whether Kusto converts `source` to `target` implicitly: numbers to wider ones."""
    if source == target:
        return True
    return source in NUMERIC and target in NUMERIC and NUMERIC.index(source) < NUMERIC.index(target)


def common_type(types: Types) -> Type | None:
    """The narrowest common type; None if there is none."""
    if not types:
        return None
    if all(t == types[0] for t in types):
        return (
            DYNAMIC if types[0] == DYNAMIC else types[0]
        )  # arrays of different element types have no common array type
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
"""For each kind of parameter, the type that an argument is converted to; None if it does not match."""
