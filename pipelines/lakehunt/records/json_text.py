"""JSON to the letter: values that keep what was written, and the texts that ids and columns are made of.

What parsers usually lose is what an event's id needs: how a number was written, which half of a surrogate pair stood
alone, that a key occurred twice."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn, TypeAlias

MAX_DEPTH = 100
"""Levels of nesting, the record's own object included. More would exhaust Python's stack."""

MAX_NUMBER_DIGITS = 1000
MAX_NAME_CHARACTERS = 50_000

HALF_A_PAIR = re.compile("[\ud800-\udfff]")
"""JSON can hold half of a UTF-16 surrogate pair as an escape, which UTF-8 cannot."""


class NotJsonError(ValueError):
    """A text is not exactly one JSON value, a key occurs twice in one of its objects, or it is beyond a limit."""


class Number(str):
    """A number as it was written."""

    __slots__ = ()


@dataclass(frozen=True)
class Object:
    """A JSON object: its members in the order in which they were written."""

    members: Sequence[tuple[str, Value]]


Value: TypeAlias = "str | Number | bool | Object | list[Value] | None"

# A string may have no end: the rest must not be searched once for each of its quotes.
_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|([\[{])|([\]}])', re.DOTALL)


def parse(text: str) -> Value:
    """The value that `text` is. Raises NotJsonError."""
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(text)
    try:
        return _DECODER.decode(text)  # type: ignore[no-any-return]
    except json.JSONDecodeError as error:
        raise NotJsonError(str(error)) from error


def _check_depth(text: str) -> None:
    depth = 0
    for found in _BRACKET.finditer(text):
        depth += bool(found[1]) - bool(found[2])
        if depth > MAX_DEPTH:
            raise NotJsonError(f"nested more than {MAX_DEPTH} levels deep")


def _object(members: list[tuple[str, Value]]) -> Object:
    # Stored, halves of surrogate pairs are alike.
    if len({well_formed(name) for name, _ in members}) < len(members):
        raise NotJsonError("a key occurs twice")
    if any(len(name) > MAX_NAME_CHARACTERS for name, _ in members):
        raise NotJsonError(f"a name of more than {MAX_NAME_CHARACTERS} characters")
    return Object(members)


def _number(text: str) -> Number:
    if len(text) > MAX_NUMBER_DIGITS and sum(map(str.isdigit, text)) > MAX_NUMBER_DIGITS:
        raise NotJsonError(f"a number of more than {MAX_NUMBER_DIGITS} digits")
    return Number(text)


def _refuse(constant: str) -> NoReturn:
    raise NotJsonError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_refuse)


def well_formed(text: str) -> str:
    """`text` with U+FFFD for each half of a surrogate pair."""
    return text if text.isascii() else HALF_A_PAIR.sub("\ufffd", text)


def is_well_formed(text: str) -> bool:
    """Whether `text` has no half of a surrogate pair."""
    return text.isascii() or not HALF_A_PAIR.search(text)


def utf16(text: str) -> bytes:
    """What Java sorts strings by."""
    return text.encode("utf-16-be", "surrogatepass")


_TO_ESCAPE = re.compile('["\\\\\x00-\x1f\ud800-\udfff]')
_ESCAPED = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def quoted(text: str) -> str:
    """As a JSON string, with U+FFFD for half of a surrogate pair."""
    return f'"{_TO_ESCAPE.sub(_as_stored, text)}"'


def quoted_exactly(text: str) -> str:
    """As a JSON string, with an escape for half of a surrogate pair."""
    return f'"{_TO_ESCAPE.sub(_as_delivered, text)}"'


_BEYOND_UTF16_UNITS = re.compile("[\U00010000-\U0010ffff]")


def quoted_in_pairs(text: str) -> str:
    """As `quoted`, with two escapes for each character that UTF-16 has two units for, as Jackson writes into bytes."""
    return _BEYOND_UTF16_UNITS.sub(_as_pair, quoted(text))


def _as_pair(character: re.Match[str]) -> str:
    units = character[0].encode("utf-16-be").hex().upper()
    return f"\\u{units[:4]}\\u{units[4:]}"


def _as_delivered(character: re.Match[str]) -> str:
    return _ESCAPED.get(character[0]) or f"\\u{ord(character[0]):04X}"


def _as_stored(character: re.Match[str]) -> str:
    return "\ufffd" if "\ud800" <= character[0] <= "\udfff" else _as_delivered(character)


@dataclass(frozen=True)
class Style:
    """How values are written as compact JSON."""

    string: Callable[[str], str]
    number: Callable[[str], str]
    sorted_by: Callable[[str], bytes] | None = None
    """What the members of an object are sorted by, of their names; None: they stay in their order."""


def write(value: Value, style: Style) -> str:
    """`value` as compact JSON."""
    pieces: list[str] = []
    ends = [""]
    rest: list[Iterator[tuple[str | None, Value]]] = [iter([(None, value)])]
    between = ""
    while rest:
        entry = next(rest[-1], None)
        if entry is None:
            rest.pop()
            pieces.append(ends.pop())
            between = ","
            continue
        name, item = entry
        pieces.append(between)
        if name is not None:
            pieces.append(f"{style.string(name)}:")
        between = ","
        if isinstance(item, Object):
            pieces.append("{")
            ends.append("}")
            rest.append(iter(_ordered(item, style)))
            between = ""
        elif isinstance(item, list):
            pieces.append("[")
            ends.append("]")
            rest.append((None, one) for one in item)
            between = ""
        else:
            pieces.append(scalar(item, style))
    return "".join(pieces)


def scalar(value: Value, style: Style) -> str:
    """A string, a number, a boolean or null as JSON."""
    if isinstance(value, Number):
        return style.number(value)
    if isinstance(value, str):
        return style.string(value)
    return "null" if value is None else "true" if value is True else "false"


def _ordered(value: Object, style: Style) -> Sequence[tuple[str, Value]]:
    members, by = value.members, style.sorted_by
    return members if by is None else sorted(members, key=lambda member: by(member[0]))


def scalars(value: Value) -> Iterator[str | Number | bool | None]:
    """All values below `value` that hold no others, and the names of members, in no particular order."""
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, Object):
            for name, inner in item.members:
                yield name
                left.append(inner)
        elif isinstance(item, list):
            left.extend(item)
        else:
            yield item


def double(number: str) -> str:
    """A number as Java writes the double that it is, as JSON."""
    value = float(number)
    if value in {float("inf"), float("-inf")}:
        return '"Infinity"' if value > 0 else '"-Infinity"'
    negative, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)  # it is finite
    text = "".join(map(str, digits)).lstrip("0")
    sign = "-" if negative else ""
    if not text:
        return f"{sign}0.0"
    power = len(text) + exponent - 1  # of ten, of the first digit
    text = text.rstrip("0")
    if not -3 <= power < 7:
        return f"{sign}{text[0]}.{text[1:] or '0'}E{power}"
    if power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{text}"
    return f"{sign}{text[: power + 1].ljust(power + 1, '0')}.{text[power + 1 :] or '0'}"
