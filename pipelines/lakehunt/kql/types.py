"""Kusto's scalar types, and schemas.

Source: learn.microsoft.com/kusto/query/scalar-data-types."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shape:
    """What is known of a dynamic value: an "array" and its elements, a "bag" and some of its properties, or a value of
    the type `kind`. None stands for any value."""

    kind: str
    element: Shape | None = None
    properties: tuple[tuple[str, Shape | None], ...] = ()


@dataclass(frozen=True)
class Type:
    """A scalar type.

    `element` is set for a dynamic value that is known to be an array of one type, such as `make_set(FileName)`. It
    only affects how the value is stored, and `shape` how its parts are named; comparisons ignore them."""

    name: str
    element: Type | None = field(default=None, compare=False)
    shape: Shape | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.name


BOOL = Type("bool")
INT = Type("int")
LONG = Type("long")
REAL = Type("real")
DECIMAL = Type("decimal")
DATETIME = Type("datetime")
TIMESPAN = Type("timespan")
GUID = Type("guid")
STRING = Type("string")
DYNAMIC = Type("dynamic")

NUMERIC = (INT, LONG, REAL, DECIMAL)

BY_NAME: dict[str, Type] = {
    **{t.name: t for t in (BOOL, INT, LONG, REAL, DECIMAL, DATETIME, TIMESPAN, GUID, STRING, DYNAMIC)},
    "boolean": BOOL,
    "double": REAL,
    "date": DATETIME,
    "time": TIMESPAN,
    "uuid": GUID,
    "uniqueid": GUID,
}
"""Types by their names in KQL, including synonyms."""


def array_of(element: Type) -> Type:
    """The dynamic type of arrays of `element`."""
    return Type("dynamic", element)


@dataclass(frozen=True)
class Column:
    """A column of a table or of a result."""

    name: str
    type: Type


Schema = tuple[Column, ...]

TICKS_PER_MICROSECOND = 10
TICKS_PER_MILLISECOND = 10_000
TICKS_PER_SECOND = 10_000_000
TICKS_PER_MINUTE = 60 * TICKS_PER_SECOND
TICKS_PER_HOUR = 60 * TICKS_PER_MINUTE
TICKS_PER_DAY = 24 * TICKS_PER_HOUR
