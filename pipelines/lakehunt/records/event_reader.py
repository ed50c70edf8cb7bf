"""One record of an event table: its columns, its id, and what is wrong with it.

Almost every record is what the service documents: known properties, each once, of the declared types.
`EventReader.plain` reads those, with a decoder that is made for the table. It refuses whatever it does not wholly
understand, and `EventReader.any` reads that: slowly, to the letter, and with reasons."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from hashlib import sha256
from operator import itemgetter
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from lakehunt.kql.types import TICKS_PER_DAY, TICKS_PER_MINUTE, TICKS_PER_SECOND
from lakehunt.records import json_text
from lakehunt.records.json_text import Number, Object, Style, Value, utf16, well_formed
from lakehunt.schemas.event_table import EventTable

SHOWN_CHARACTERS = 40
"""How much of an unreadable value is repeated in its fault."""

INT64 = range(-(2**63), 2**63)


class Fault(NamedTuple):
    """What is wrong with a record."""

    column: str | None
    """None if the whole record is unreadable."""
    why: str


class Event(NamedTuple):
    """What a record says."""

    values: tuple[Any, ...]
    """Of each column, in order; None if it is missing, null or unreadable. Times are ticks since 1970."""
    unknown_properties: str | None
    """Properties without a column as a JSON object."""
    id: str
    faults: tuple[Fault, ...] = ()


class Times(NamedTuple):
    """Times of records, in order."""

    ticks: NDArray[np.int64]
    """Of 100 ns since 1970; 0 where there is no time."""
    known: NDArray[np.bool_]
    odd: NDArray[np.bool_]
    """Where a text is not a time."""


Values = Mapping[str, Sequence[Any] | Times]
"""What records say, by column, in order. Of a column that is not a datetime, what is missing or null is of another
type."""


_TO_THE_MINUTE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:")
_EPOCH = datetime(1970, 1, 1)


def ticks(time: str) -> int | None:
    """A UTC time in ticks of 100 ns since 1970; None if it is none from year 1 to 9999, or in another form."""
    minute, length = _minute(time[:17]), len(time)
    if minute is None or time[-1] != "Z" or not (length == 20 or (21 < length < 29 and time[19] == ".")):
        return None
    digits = time[17:19] + time[20:-1].ljust(7, "0")
    if not (digits.isascii() and digits.isdecimal()):
        return None
    since = int(digits)
    return minute + since if since < TICKS_PER_MINUTE else None


@lru_cache(10_000)  # those of one delivery are mostly in a few minutes
def _minute(text: str) -> int | None:
    """The ticks from 1970 to the beginning of a minute like `2024-01-31T23:59:`."""
    if not _TO_THE_MINUTE.fullmatch(text):
        return None
    try:
        since = datetime.fromisoformat(f"{text}00") - _EPOCH
    except ValueError:  # no such day, or no such time of day
        return None
    return since.days * TICKS_PER_DAY + since.seconds * TICKS_PER_SECOND


_USUAL = "1970-01-01T00:00:00.0000000Z"
_DIGITS = [place for place, letter in enumerate(_USUAL) if letter == "0" or letter.isdigit()]
_MARKS = [place for place in range(len(_USUAL)) if place not in _DIGITS]


def all_ticks(texts: Sequence[object]) -> Times:
    """`ticks` of each of many texts; what is not a text is not a time."""
    others = []
    if not _are_usual(texts):
        others = [place for place, text in enumerate(texts) if not _are_usual((text,))]
        usual = list(texts)
        for place in others:
            usual[place] = _USUAL
        found, known = _usual_ticks("".join(usual))  # type: ignore[arg-type]
    else:
        found, known = _usual_ticks("".join(texts))  # type: ignore[arg-type]
    odd = ~known
    for place in others:
        text = texts[place]
        since = ticks(text) if isinstance(text, str) else None
        found[place], known[place] = since or 0, since is not None
        odd[place] = isinstance(text, str) and since is None
    return Times(found, known, odd)


def _are_usual(texts: Sequence[Any]) -> bool:
    """Whether all are ASCII texts as long as a time with seven digits."""
    try:
        return {*map(len, texts)} == {len(_USUAL)} and all(map(str.isascii, texts))
    except TypeError:
        return False


def _usual_ticks(texts: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The ticks of texts that are as long as a time with seven digits, and which of them are times."""
    letters = np.frombuffer(texts.encode(), np.uint8).reshape(-1, len(_USUAL)).T
    marks = np.frombuffer(_USUAL.encode(), np.uint8)[_MARKS]
    digits = letters - ord("0")  # what is less than 0 is more than 9
    known = (digits[_DIGITS] < 10).all(axis=0) & (letters[_MARKS] == marks[:, None]).all(axis=0)
    digits = digits.astype(np.int64)

    def number(first: int, end: int) -> NDArray[np.int64]:
        value: NDArray[np.int64] = digits[first]
        for place in range(first + 1, end):
            value = value * 10 + digits[place]
        return value

    year, month, day = number(0, 4), number(5, 7), number(8, 10)
    hour, minute, second = number(11, 13), number(14, 16), number(17, 19)
    months = (year - 1970) * 12 + month - 1
    first, end = (some.view("M8[M]").astype("M8[D]").astype(np.int64) for some in (months, months + 1))
    known &= (year > 0) & (month > 0) & (month <= 12) & (day > 0) & (day <= end - first)
    known &= (hour < 24) & (minute < 60) & (second < 60)
    minutes = ((first + day - 1) * 24 + hour) * 60 + minute
    found = minutes * TICKS_PER_MINUTE + second * TICKS_PER_SECOND + number(20, 27)
    found[~known] = 0
    return found, known


def _is_integer(number: Number) -> bool:
    return not set(number) & {".", "e", "E"} and int(number) in INT64


def _string(value: Value) -> str | None:
    return well_formed(value) if isinstance(value, str) and not isinstance(value, Number) else None


def _long(value: Value) -> int | None:
    return int(value) if isinstance(value, Number) and _is_integer(value) else None


def _int(value: Value) -> int | None:
    number = _long(value)
    return number if number is not None and number in range(-(2**31), 2**31) else None


def _bool(value: Value) -> bool | None:
    return value if isinstance(value, bool) else None


def _datetime(value: Value) -> int | None:
    text = _string(value)
    return None if text is None else ticks(text)


def _dynamic(value: Value) -> str | None:
    return json_text.write(value, AS_STORED) if isinstance(value, Object | list) else _string(value)


_Optional = None | msgspec.UnsetType
"""A property may be null or missing, and the guard against equal keys must tell these apart."""


@dataclass(frozen=True)
class _Type:
    """How a Kusto type is delivered as JSON."""

    read: Callable[[Value], Any]
    expected: str
    plain: Any
    """What the decoder of plain records accepts."""


_TYPES = {
    "string": _Type(_string, "a string", str),
    "guid": _Type(_string, "a string", str),
    "long": _Type(_long, "a long", Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]),
    "int": _Type(_int, "a 32-bit integer", Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]),
    "bool": _Type(_bool, "a boolean", bool),
    "datetime": _Type(_datetime, "a UTC time like 2024-01-31T23:59:59.1234567Z", str),
    "dynamic": _Type(_dynamic, "text, an object or an array", str),
}

_MAX_DECIMAL_DIGITS = 38
_EXACT_DOUBLE_DIGITS = 15


def _variant_number(number: str) -> str:
    """A number as Spark's VARIANT writes it: 64-bit integers and decimals without the zeros at their end, else a
    double."""
    digits = number.lstrip("-").replace(".", "")
    if not digits.isdigit():
        return json_text.double(number)
    scale = len(number) - number.find(".") - 1 if "." in number else 0
    if max(len(digits.lstrip("0")), scale) > _MAX_DECIMAL_DIGITS:
        return json_text.double(number)
    plain = number.rstrip("0").rstrip(".") if scale else number
    return "0" if plain == "-0" else plain


def _json_object_number(number: str) -> str:
    """A number as Spark's get_json_object writes it: an integer as it was written, else a double."""
    if set(number) & {".", "e", "E"}:
        return json_text.double(number)
    return "0" if number == "-0" else number


AS_STORED = Style(json_text.quoted, str)
"""As delivered, without spaces."""

# Ids are hashes of what Spark's functions made of a record when the first events were stored, and stay the same.
_AS_JSON_OBJECT = Style(json_text.quoted_in_pairs, _json_object_number)
_AS_VARIANT = Style(json_text.quoted, _variant_number, lambda name: utf16(well_formed(name)))
_EXACT = Style(json_text.quoted_exactly, str, lambda name: utf16(json_text.quoted_exactly(name)))


def _survives_as_double(number: Number) -> bool:
    """Whether `_json_object_number` gives different numbers different texts: true for those that are written in the
    usual way."""
    _, point, fraction = number.partition(".")
    if set(number) & {"e", "E"} or number == "-0":
        return False
    if not point:
        return True
    shortest = not fraction.endswith("0") or fraction == "0"
    return (shortest and sum(map(str.isdigit, number)) <= _EXACT_DOUBLE_DIGITS) or number == json_text.double(number)


def _survives_as_decimal(number: Number) -> bool:
    """The same for `_variant_number`."""
    ends_in_zero = "." in number and number.endswith("0")
    few_digits = sum(map(str.isdigit, number)) <= _MAX_DECIMAL_DIGITS
    return not set(number) & {"e", "E"} and number != "-0" and not ends_in_zero and few_digits


def _survives(value: Value, number: Callable[[Number], bool]) -> bool:
    """Whether stored values tell all of `value`: how its numbers were written, and halves of surrogate pairs."""
    if isinstance(value, Number):
        return number(value)
    if isinstance(value, str):
        return json_text.is_well_formed(value)
    if isinstance(value, Object | list):
        return all(_survives(one, number) for one in json_text.scalars(value))
    return True


def found(value: Value) -> str:
    """What kind of value this is, for a message."""
    if isinstance(value, Number):
        return "an integer" if _is_integer(value) else "a number that is not a 64-bit integer"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string"
    return "null" if value is None else "an object" if isinstance(value, Object) else "an array"


def faults_of(properties: Value) -> tuple[Fault, ...]:
    """What is wrong with the kind of `properties`."""
    if isinstance(properties, Object):
        return ()
    return (Fault(None, f"properties: expected an object, found {found(properties)}"),)


def _shown(value: Value) -> str:
    """A scalar as text, cut."""
    if isinstance(value, Number):
        text = _variant_number(value).strip('"')
    else:
        text = well_formed(value) if isinstance(value, str) else "true" if value else "false"
    return f" ({text[:SHOWN_CHARACTERS]}{'…' if len(text) > SHOWN_CHARACTERS else ''})"


_CONTROL = re.compile(rb"\\(?:u00[01][0-9a-f]|.)", re.DOTALL)
_NEGATIVE_ZERO = re.compile(rb":\s*-0\s*[,}]")


class EventReader:
    """Reads the records of one event table."""

    def __init__(self, table: EventTable) -> None:
        self.table = table
        self._category = table.category
        self._types = {column.name: _TYPES[column.type] for column in table.columns}
        self._dynamic = frozenset(column.name for column in table.columns if column.type == "dynamic")
        self._bare = _picker(_places(table, "int", "long", "bool"))
        self._decode = msgspec.json.Decoder(_record_type(table, self._types)).decode
        self._encode = msgspec.json.Encoder().encode
        self._content = msgspec.defstruct(
            "Content",
            [(name, Any, None) for name in (*table.column_names, "unknown_properties", "exact")],
            omit_defaults=True,
            gc=False,  # what cannot hold itself needs no look for cycles
        )

    def plain(self, line: bytes) -> Any:
        """A record of this table in which nothing is unusual but perhaps its times; else None.

        It has the members `time`, `tenantId` and `category`, each a string, None or `msgspec.UNSET`."""
        try:
            record = self._decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        if record.category != self._category:
            return None
        # There is no shorter way to write a record than the encoder's, and a key twice or a negative zero makes it
        # longer. A line that is longer may still have spaces, or other escapes.
        if len(self._encode(record)) != len(line) and not self._has_each_key_once(record, line):
            return None
        return record

    def _has_each_key_once(self, record: Any, line: bytes) -> bool:
        """Whether `line` has as many strings, those that name a member included, as were decoded from it, and no
        negative zero. The decoder knows all members, but takes the last one of equal keys."""
        around, row = msgspec.structs.astuple(record), msgspec.structs.astuple(record.properties)
        if rb'\\"' in line:  # a backslash before the end of a string
            line = line.replace(rb"\\", b"")
        quotes = line.count(b'"') - line.count(rb"\"")
        members = len(around) - around.count(msgspec.UNSET) + len(row) - row.count(msgspec.UNSET)
        bare = self._bare(row)
        strings = members - 1 - around.count(None) - row.count(None)
        strings -= len(bare) - bare.count(None) - bare.count(msgspec.UNSET)
        return quotes == 2 * (members + strings) and not (0 in bare and _NEGATIVE_ZERO.search(line))

    def values(self, records: Iterable[Any]) -> Values:
        """What plain records say."""
        names = self.table.column_names
        rows = [msgspec.structs.astuple(record.properties) for record in records]
        return self._by_column([*zip(*rows, strict=True)] if rows else [()] * len(names), all_ticks)

    def values_of(self, events: Sequence[Event]) -> Values:
        """What events say that were read one by one; at least one."""
        return self._by_column([*zip(*(event.values for event in events), strict=True)], _as_times)

    def _by_column(self, columns: Sequence[Sequence[Any]], times: Callable[[Sequence[Any]], Times]) -> Values:
        of_time = self.table.datetime_names
        named = zip(self.table.column_names, columns, strict=True)
        return {name: times(values) if name in of_time else values for name, values in named}

    def ids(self, values: Values) -> list[str]:
        """The ids of plain records."""
        hashed = (_as_list(column) if isinstance(column, Times) else column for column in values.values())
        return [self._digest(content) for content in map(self._content, *hashed)]

    def any(self, properties: Value) -> Event:
        """Any record of this table, of its event."""
        if not isinstance(properties, Object):
            return self._unreadable(*faults_of(properties))
        fields = {well_formed(name): value for name, value in properties.members}
        values = {name: type_.read(fields.get(name)) for name, type_ in self._types.items()}
        faults = tuple(
            Fault(name, self._fault(name, fields[name]))
            for name, value in values.items()
            if value is None and fields.get(name) is not None
        )
        unknown = [(name, value) for name, value in fields.items() if name not in self._types]
        unknown_properties = json_text.write(Object(unknown), _AS_VARIANT) if unknown else None
        hashed = values | {
            name: json_text.write(fields[name], _AS_JSON_OBJECT)
            for name in self._dynamic
            if isinstance(fields.get(name), Object | list)
        }
        exact = None if self._is_told_by_columns(properties) else json_text.write(properties, _EXACT)
        id_ = self._id([*hashed.values()], unknown_properties, exact)
        return Event(tuple(values.values()), unknown_properties, id_, faults)

    def without_properties(self) -> Event:
        """A record of this table that has no event."""
        return self._unreadable(Fault(None, "properties: missing"))

    def _unreadable(self, *faults: Fault) -> Event:
        values = [None] * len(self._types)
        return Event(tuple(values), None, self._id(values), faults)

    def _is_told_by_columns(self, properties: Object) -> bool:
        return all(
            json_text.is_well_formed(name)
            and _survives(value, _survives_as_double if name in self._dynamic else _survives_as_decimal)
            for name, value in properties.members
        )

    def _fault(self, name: str, value: Value) -> str:
        why = f"{name}: expected {self._types[name].expected}, found {found(value)}"
        return why if name in self.table.sensitive_columns or isinstance(value, Object | list) else why + _shown(value)

    def _id(self, values: list[Any], unknown_properties: str | None = None, exact: str | None = None) -> str:
        """A hash of the event's content, independent of when and how often it was delivered, and of the order of keys.

        Nulls do not occur in the hashed JSON, so a column added by a later version does not change old ids. Nor does
        `exact`, without which records that are stored alike would have the same id."""
        return self._digest(self._content(*values, unknown_properties, exact))

    def _digest(self, content: Any) -> str:
        text = self._encode(content)
        if (
            text.rfind(rb"\u00") >= 0
        ):  # twice as fast as `in`: the search from the end stops at backslashes, not at zeros
            text = _CONTROL.sub(_upper_case, text)
        return sha256(text).hexdigest()


def _upper_case(escape: re.Match[bytes]) -> bytes:
    """A control character as Java's JSON has it: `\\u001B`, not `\\u001b`."""
    return rb"\u" + escape[0][2:].upper() if escape[0].startswith(rb"\u") else escape[0]


def _as_times(ticks: Sequence[int | None]) -> Times:
    known = np.array([one is not None for one in ticks], bool)
    return Times(np.array([one or 0 for one in ticks], np.int64), known, np.zeros(len(known), bool))


def _as_list(times: Times) -> list[int | None]:
    found: list[int | None] = times.ticks.tolist()
    for place in np.flatnonzero(~times.known):
        found[place] = None
    return found


def _places(table: EventTable, *types: str) -> list[int]:
    return [place for place, column in enumerate(table.columns) if column.type in types]


def _picker(places: list[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """A function that picks the items at `places`."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda row: tuple(row[place] for place in places)


def _record_type(table: EventTable, types: Mapping[str, _Type]) -> type[Any]:
    """A record that the decoder accepts, with all the members that the service documents."""
    event = msgspec.defstruct(
        table.name,
        [(name, type_.plain | _Optional, msgspec.UNSET) for name, type_ in types.items()],
        forbid_unknown_fields=True,
        gc=False,
    )
    text = (str | _Optional, msgspec.UNSET)
    around = ("time", "tenantId", "operationName", "category", "Tenant", "_TimeReceivedBySvc")
    fields: list[Any] = [("properties", event), *((name, *text) for name in around)]
    return msgspec.defstruct("Record", fields, forbid_unknown_fields=True, gc=False)


reader = cache(EventReader)
"""The reader of a table; to make one takes milliseconds."""
