"""Reads the searches of a rule's `detection`: maps of fields, lists of them, keywords; with their modifiers."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lakehunt.core import strict_yaml
from lakehunt.core.strict_yaml import Position, Value, YamlError
from lakehunt.importing.sigma import patterns
from lakehunt.importing.sigma.expressions import (
    Compare,
    Exists,
    Expression,
    FieldTest,
    InNetwork,
    Keyword,
    Like,
    LikeField,
    Matches,
    Not,
    PartOfTime,
    Test,
    all_of,
    any_of,
)
from lakehunt.importing.sigma.patterns import Pattern

_ANCHORS = {"contains": (True, True), "startswith": (False, True), "endswith": (True, False)}
_COMPARISONS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_ENCODINGS = {"wide": "utf-16-le", "utf16le": "utf-16-le", "utf16be": "utf-16-be", "utf16": "utf-16"}
_TIMES = {"minute": "minute", "hour": "hour", "day": "day", "week": "week_of_year", "month": "month", "year": "year"}
_REGEX_FLAGS = frozenset("ims")
_MODIFIERS = frozenset({
    *_ANCHORS, *_COMPARISONS, *_ENCODINGS, *_TIMES, *_REGEX_FLAGS,
    "all", "base64", "base64offset", "cased", "cidr", "exists", "expand", "fieldref", "neq", "re", "windash",
})  # fmt: skip


def read(parent: strict_yaml.Mapping, name: str) -> Expression:
    """The expression of a search. Raises YamlError for what Sigma does not allow or Lakehunt does not know."""
    value = parent[name]
    if isinstance(value, strict_yaml.Mapping):
        return _of_map(value)
    if isinstance(value, strict_yaml.Sequence) and value:
        return any_of([_of_entry(value, number) for number in range(len(value))])
    if isinstance(value, (dict, list)) or value is None:
        raise parent.value_error(name, f"the search {name!r} is empty", "write fields with values, or a list")
    return _keyword(value, parent.position(name))


def _of_entry(entries: strict_yaml.Sequence, number: int) -> Expression:
    entry = entries[number]
    if isinstance(entry, strict_yaml.Mapping):
        return _of_map(entry)
    if isinstance(entry, list) or entry is None:
        raise entries.value_error(number, "expected fields with values, or a keyword", "write 'field: value'")
    return _keyword(entry, entries.position(number))


def _keyword(value: Value, place: Position) -> Expression:
    return Keyword(Pattern.parse(_text_of(value)), place)


def _of_map(fields: strict_yaml.Mapping) -> Expression:
    if not fields:
        raise fields.error("", "a search without fields", "write 'field: value'")
    return all_of([_Item(fields, key).expression() for key in fields])


@dataclass(frozen=True)
class _Item:
    """One `field|modifiers: values` of a map."""

    fields: strict_yaml.Mapping
    key: str

    @property
    def field(self) -> str:
        return self.key.split("|")[0].strip()

    @property
    def modifiers(self) -> tuple[str, ...]:
        return tuple(modifier.strip().lower() for modifier in self.key.split("|")[1:])

    def error(self, problem: str, hint: str = "") -> YamlError:
        return self.fields.error(self.key, f"{self.key}: {problem}", hint)

    def expression(self) -> Expression:
        unknown = [modifier for modifier in self.modifiers if modifier not in _MODIFIERS]
        if unknown:
            raise self.error(f"{unknown[0]!r} is not a modifier of Sigma")
        values = self.values()
        if not values:
            raise self.error("an empty list of values", "write at least one value")
        found = [part for value, place in values for part in self.of_value(value, place)]
        joined = (all_of if "all" in self.modifiers else any_of)(found)
        return Not(joined) if "neq" in self.modifiers else joined

    def values(self) -> list[tuple[Value, Position]]:
        value = self.fields[self.key]
        if not isinstance(value, strict_yaml.Sequence):
            return [(value, self.fields.position(self.key))]
        return [(one, value.position(number)) for number, one in enumerate(value)]

    def of_value(self, value: Value, place: Position) -> list[Expression]:
        """The tests of one value; several only for alternatives that a modifier makes of it."""
        if isinstance(value, (dict, list)):
            raise YamlError(self.fields.file, place, f"{self.key}: expected a single value", "write text or a number")
        try:
            if not self.field:
                return [self.keyword(value, place)]
            tests = self.tests(value)
        except ValueError as e:
            raise YamlError(self.fields.file, place, f"{self.key}: {e}") from e
        return [any_of([FieldTest(self.field, test, place) for test in tests])]

    def keyword(self, value: Value, place: Position) -> Expression:
        if set(self.modifiers) - {"all"}:
            raise ValueError("a keyword has no modifier but `all`")
        return _keyword(value, place)

    def tests(self, value: Value) -> Sequence[Test]:
        """Raises ValueError for values that a modifier does not take."""
        for modifier in self.modifiers:
            if modifier in _SPECIAL:
                return [_SPECIAL[modifier](value, self.modifiers)]
            if modifier in _COMPARISONS:
                return [Compare(_COMPARISONS[modifier], _number(value))]
            if modifier in _TIMES:
                return [PartOfTime(_TIMES[modifier], _whole_number(value))]
        if value is None:
            return [Exists(False)]
        changing = set(self.modifiers) - {"all", "cased", "neq"}
        if isinstance(value, (int, float)) and not isinstance(value, bool) and not changing:
            return [Compare("==", value)]
        return [Like(pattern, "cased" in self.modifiers) for pattern in self.patterns(_text_of(value))]

    def patterns(self, text: str) -> list[Pattern]:
        """The patterns of a text, after the modifiers in the order in which they are written."""
        found: list[Pattern] = [Pattern.parse(text)]
        encoding = "utf-8"
        for modifier in self.modifiers:
            if modifier == "expand" and (name := next(filter(None, map(patterns.placeholder, found)), "")):
                raise ValueError(f"the placeholder {name} has no values here")
            if modifier in _ANCHORS:
                found = [one.between(*_ANCHORS[modifier]) for one in found]
            elif modifier in _ENCODINGS:
                encoding = _ENCODINGS[modifier]
            elif modifier == "windash":
                found = [variant for one in found for variant in patterns.with_any_dash(one)]
            elif modifier == "base64":
                found = [Pattern.of(patterns.base64_of(_encoded(one, encoding))) for one in found]
            elif modifier == "base64offset":
                found = [
                    Pattern.of(text) for one in found for text in patterns.base64_at_any_offset(_encoded(one, encoding))
                ]
        if encoding != "utf-8" and not {"base64", "base64offset"} & set(self.modifiers):
            raise ValueError("an encoding without base64 or base64offset after it gives no text that a column holds")
        return found


def _encoded(pattern: Pattern, encoding: str) -> bytes:
    if pattern.literal is None:
        raise ValueError("text with wildcards cannot be encoded")
    return pattern.literal.encode(encoding)


def _text_of(value: Value) -> str:
    """A scalar as Sigma compares it with text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _number(value: Value) -> int | float:
    problem = f"{_text_of(value)[:60]!r} is not a number"
    if isinstance(value, bool) or value is None or isinstance(value, (dict, list)):
        raise ValueError(problem)
    try:
        number = value if not isinstance(value, str) else _number_in(value)
    except ValueError:
        raise ValueError(problem) from None
    if not math.isfinite(number):
        raise ValueError(problem)
    return number


def _number_in(text: str) -> int | float:
    try:
        return int(text, 0)
    except ValueError:
        return float(text)


def _whole_number(value: Value) -> int:
    number = _number(value)
    if not isinstance(number, int):
        raise ValueError(f"{_text_of(value)[:60]!r} is not a whole number")
    return number


# Modifiers that decide on their own what the value means


def _regex(value: Value, modifiers: Sequence[str]) -> Test:
    if set(modifiers) & set(_ANCHORS):
        raise ValueError("a regular expression takes no contains, startswith or endswith: it is found anywhere")
    return Matches(_text_of(value), "".join(sorted(_REGEX_FLAGS & set(modifiers))))


def _exists(value: Value, modifiers: Sequence[str]) -> Test:
    if not isinstance(value, bool):
        raise ValueError(f"{_text_of(value)[:60]!r} is neither true nor false")
    return Exists(value)


def _network(value: Value, modifiers: Sequence[str]) -> Test:
    try:
        network = ipaddress.ip_network(_text_of(value))
    except ValueError as e:
        raise ValueError(f"{_text_of(value)[:60]!r} is not a network in CIDR notation") from e
    return InNetwork(str(network), network.version)


def _field(value: Value, modifiers: Sequence[str]) -> Test:
    how = next((modifier for modifier in modifiers if modifier in _ANCHORS), "equals")
    return LikeField(_text_of(value), how, "cased" in modifiers)


_SPECIAL: dict[str, Callable[[Value, Sequence[str]], Test]] = {
    "re": _regex,
    "exists": _exists,
    "cidr": _network,
    "fieldref": _field,
}
