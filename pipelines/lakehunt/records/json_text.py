"""JSON to the letter: a parser that keeps what was written, and the texts that ids and columns are made of.

Parsers of libraries lose what an event's id needs: how a number was written, which half of a surrogate pair stood
alone, that a key occurred twice. This one keeps all of it. It does not recurse, so no nesting exhausts the stack."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

MAX_DEPTH = 999
"""Levels of nesting, the record's own object included."""

MAX_NUMBER_DIGITS = 1000
MAX_NAME_CHARACTERS = 50_000

HALF_A_PAIR = re.compile("[\ud800-\udfff]")
"""JSON can hold half of a UTF-16 surrogate pair as an escape, which UTF-8 cannot."""


class NotJsonError(ValueError):
    """A text is not exactly one JSON value, or a key occurs twice in one of its objects."""


class Number(str):
    """A number as it was written."""

    __slots__ = ()


class Object(list[tuple[str, "Value"]]):
    """The members of a JSON object in the order in which they were written."""

    __slots__ = ()


class Array(list["Value"]):
    """A JSON array."""

    __slots__ = ()


Value: TypeAlias = str | Number | bool | Object | Array | None

_SPACE = r"[ \t\r\n]*"
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_STRING = r'"((?:[^"\\\x00-\x1f]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+)"'
_VALUE = re.compile(rf"{_SPACE}(?:{_STRING}|({_NUMBER})|(true|false|null)|([\[{{]))")
_NAME = re.compile(rf"{_SPACE}{_STRING}{_SPACE}:")
_NEXT = re.compile(rf"{_SPACE}([,\]}}])")
_CLOSING = re.compile(rf"{_SPACE}([\]}}])")
_END = re.compile(_SPACE)
_LITERALS = {"true": True, "false": False, "null": None}

_ESCAPE = re.compile(r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))")
_MEANINGS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def parse(text: str) -> Value:
    """The value that `text` is. Raises NotJsonError."""
    top = Array()
    opened: list[Object | Array] = []
    holder: Object | Array = top
    name, at = "", 0
    while True:
        value, at = _value(text, at)
        if isinstance(holder, Object):
            holder.append((name, value))
        else:
            holder.append(value)
        if isinstance(value, Object | Array):
            opened.append(holder)
            if len(opened) > MAX_DEPTH:
                raise NotJsonError(f"nested more than {MAX_DEPTH} levels deep")
            holder = value
            closing = _CLOSING.match(text, at)
            if closing is None or closing[1] != _end_of(value):
                name, at = _name(text, at) if isinstance(value, Object) else ("", at)
                continue
            at = closing.end()
            holder = opened.pop()
        while opened:
            found = _NEXT.match(text, at)
            if found is None or found[1] not in {",", _end_of(holder)}:
                raise NotJsonError(f"character {at}: expected a comma or the end of the object or array")
            at = found.end()
            if found[1] == ",":
                break
            if isinstance(holder, Object):
                _check_names(holder)
            holder = opened.pop()
        else:
            break
        name, at = _name(text, at) if isinstance(holder, Object) else ("", at)
    end = _END.match(text, at)
    if end is None or end.end() != len(text):
        raise NotJsonError(f"character {at}: expected the end")
    return top[0]


def _end_of(holder: Object | Array) -> str:
    return "}" if isinstance(holder, Object) else "]"


def _value(text: str, at: int) -> tuple[Value, int]:
    found = _VALUE.match(text, at)
    if found is None:
        raise NotJsonError(f"character {at}: expected a value")
    string, number, literal, bracket = found.groups()
    if string is not None:
        return _unescaped(string), found.end()
    if number is not None:
        if len(number) > MAX_NUMBER_DIGITS and sum(map(str.isdigit, number)) > MAX_NUMBER_DIGITS:
            raise NotJsonError(f"character {at}: a number of more than {MAX_NUMBER_DIGITS} digits")
        return Number(number), found.end()
    if literal is not None:
        return _LITERALS[literal], found.end()
    return Object() if bracket == "{" else Array(), found.end()


def _name(text: str, at: int) -> tuple[str, int]:
    found = _NAME.match(text, at)
    if found is None:
        raise NotJsonError(f"character {at}: expected a name")
    name = _unescaped(found[1])
    if len(name) > MAX_NAME_CHARACTERS:
        raise NotJsonError(f"character {at}: a name of more than {MAX_NAME_CHARACTERS} characters")
    return name, found.end()


def _check_names(members: Object) -> None:
    # Stored, halves of surrogate pairs are alike.
    if len({well_formed(name) for name, _ in members}) < len(members):
        raise NotJsonError("a key occurs twice")


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_meaning, text) if "\\" in text else text


def _meaning(escape: re.Match[str]) -> str:
    high, low, unit, character = escape.groups()
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    return chr(int(unit, 16)) if unit else _MEANINGS.get(character, character)


def well_formed(text: str) -> str:
    """`text` with U+FFFD for each half of a surrogate pair."""
    return HALF_A_PAIR.sub("\ufffd", text)


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
        elif isinstance(item, Array):
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


def _ordered(members: Object, style: Style) -> list[tuple[str, Value]]:
    by = style.sorted_by
    return members if by is None else sorted(members, key=lambda member: by(member[0]))


def scalars(value: Value) -> Iterator[str | Number | bool | None]:
    """All values below `value` that hold no others, and the names of members, in no particular order."""
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, Object):
            for name, inner in item:
                yield name
                left.append(inner)
        elif isinstance(item, Array):
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
