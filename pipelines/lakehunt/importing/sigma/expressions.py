"""What a Sigma rule asks of an event: tests of fields, joined by and, or, not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from lakehunt.core.strict_yaml import Position
from lakehunt.importing.sigma.patterns import Pattern


@dataclass(frozen=True)
class Like:
    """The whole value is like the pattern, whatever the case unless `cased`."""

    pattern: Pattern
    cased: bool = False


@dataclass(frozen=True)
class Compare:
    """The value, a number, compares so with another one; `operator` is KQL's: `==` `<` `<=` `>` `>=`."""

    operator: str
    number: int | float


@dataclass(frozen=True)
class Exists:
    """Whether there is a value: `null` and the empty text count as none, because a column cannot tell them apart."""

    wanted: bool


@dataclass(frozen=True)
class Matches:
    """The regular expression is found somewhere in the value; `flags` are some of `ims`."""

    regex: str
    flags: str = ""


@dataclass(frozen=True)
class InNetwork:
    """The value is an address of the network, which is in CIDR notation."""

    network: str
    version: int


@dataclass(frozen=True)
class LikeField:
    """The value compares so with that of another field; `how` is `equals`, `contains`, `startswith` or `endswith`."""

    field: str
    how: str = "equals"
    cased: bool = False


@dataclass(frozen=True)
class PartOfTime:
    """A part of the value, a time, is this number; `part` is as in KQL's datetime_part()."""

    part: str
    number: int


Test: TypeAlias = Like | Compare | Exists | Matches | InNetwork | LikeField | PartOfTime


@dataclass(frozen=True)
class FieldTest:
    """A test of one field. `place` is where the rule writes it."""

    field: str
    test: Test
    place: Position


@dataclass(frozen=True)
class Keyword:
    """A pattern that any part of the event may be like."""

    pattern: Pattern
    place: Position


@dataclass(frozen=True)
class And:
    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Or:
    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Not:
    part: Expression


Expression: TypeAlias = FieldTest | Keyword | And | Or | Not


def all_of(parts: list[Expression]) -> Expression:
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def any_of(parts: list[Expression]) -> Expression:
    return parts[0] if len(parts) == 1 else Or(tuple(parts))
