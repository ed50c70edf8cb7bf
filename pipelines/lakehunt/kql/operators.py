"""Operand and result types of Kusto's operators. Part of the language, the same for every backend.

Source: Microsoft's binder, tried with each pair of types."""

from __future__ import annotations

from collections.abc import Callable

from lakehunt.kql.catalog import common_type
from lakehunt.kql.types import BOOL, DATETIME, DYNAMIC, GUID, INT, LONG, NUMERIC, REAL, STRING, TIMESPAN, Type

Typing = tuple[Type, Type, Type]
"""The types that the left and right operand are converted to, and the result's type."""


def _equality(left: Type, right: Type) -> Typing | None:
    if {left, right} in ({STRING, INT}, {STRING, LONG}):
        return (STRING, STRING, BOOL)  # Kusto compares the number's text
    same = common_type([left, right])
    comparable = (BOOL, *NUMERIC, DATETIME, TIMESPAN, GUID, STRING)
    return (same, same, BOOL) if same is not None and same in comparable else _with_dynamic(left, right, STRING, BOOL)


def _with_dynamic(left: Type, right: Type, *others: Type) -> Typing | None:
    """A dynamic value is compared with a number, or one of `others`, by the value it holds."""
    if DYNAMIC not in (left, right) or not {left, right} & {INT, LONG, REAL, *others}:
        return None
    return (left, right, BOOL)


def _order(left: Type, right: Type) -> Typing | None:
    same = common_type([left, right])
    return (
        (same, same, BOOL)
        if same is not None and same in (*NUMERIC, DATETIME, TIMESPAN, BOOL)
        else _with_dynamic(left, right)
    )


def _text(left: Type, right: Type) -> Typing | None:
    """A dynamic value is searched as text."""
    return (STRING, STRING, BOOL) if left in (STRING, DYNAMIC) and right == STRING else None


def _logic(left: Type, right: Type) -> Typing | None:
    return (BOOL, BOOL, BOOL) if (left, right) == (BOOL, BOOL) else None


def _arithmetic(left: Type, right: Type) -> Typing | None:
    if left not in NUMERIC or right not in NUMERIC:
        return None
    same = common_type([left, right])
    wide = LONG if same in (INT, LONG) else same  # int + int is long
    return (wide, wide, wide) if wide else None


def _first(*rules: Callable[[Type, Type], Typing | None]) -> Callable[[Type, Type], Typing | None]:
    def rule(left: Type, right: Type) -> Typing | None:
        return next((typing for r in rules if (typing := r(left, right))), None)

    return rule


def _exactly(*forms: Typing) -> Callable[[Type, Type], Typing | None]:
    def rule(left: Type, right: Type) -> Typing | None:
        return next((form for form in forms if form[:2] == (left, right)), None)

    return rule


def _scaled(left: Type, right: Type) -> Typing | None:
    """A timespan times a number, in either order."""
    if left == TIMESPAN and right in NUMERIC:
        number = LONG if right in (INT, LONG) else REAL
        return (TIMESPAN, number, TIMESPAN)
    if right == TIMESPAN and left in NUMERIC:
        number = LONG if left in (INT, LONG) else REAL
        return (number, TIMESPAN, TIMESPAN)
    return None


def _divided(left: Type, right: Type) -> Typing | None:
    return _scaled(left, right) if left == TIMESPAN else None


_TEXT_OPERATORS = [
    negation + name + case
    for name in ("has", "contains", "startswith", "endswith", "hasprefix", "hassuffix")
    for negation in ("", "!")
    for case in ("", "_cs")
]

LOGIC = ("and", "or")

BINARY: dict[str, Callable[[Type, Type], Typing | None]] = {
    **dict.fromkeys(("==", "!="), _equality),
    **dict.fromkeys(("<", "<=", ">", ">="), _order),
    **dict.fromkeys(("=~", "!~", "matches regex", *_TEXT_OPERATORS), _text),
    **dict.fromkeys(LOGIC, _logic),
    "+": _first(
        _arithmetic,
        _exactly((DATETIME, TIMESPAN, DATETIME), (TIMESPAN, DATETIME, DATETIME), (TIMESPAN, TIMESPAN, TIMESPAN)),
    ),
    "-": _first(
        _arithmetic,
        _exactly((DATETIME, TIMESPAN, DATETIME), (DATETIME, DATETIME, TIMESPAN), (TIMESPAN, TIMESPAN, TIMESPAN)),
    ),
    "*": _first(_arithmetic, _scaled),
    "/": _first(_arithmetic, _exactly((TIMESPAN, TIMESPAN, REAL)), _divided),
    "%": _first(_arithmetic, _exactly((TIMESPAN, TIMESPAN, TIMESPAN))),
}
"""Typing of each binary operator; None if it is not defined for the operands."""

MEMBERSHIP: dict[str, str] = {"in": "==", "!in": "==", "in~": "=~", "!in~": "=~", "has_any": "has", "has_all": "has"}
"""The comparison that each list operator applies to every item."""


def unary(op: str, operand: Type) -> Type | None:
    """The type of `-x` and `+x`: an int is negated as a long, as the least int has no negative."""
    if op == "-" and operand == INT:
        return LONG
    return operand if operand in (*NUMERIC, TIMESPAN) else None
