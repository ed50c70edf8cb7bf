"""Loads YAML strictly: ambiguous content is an error with file, line and column.

Refused: duplicate keys, anchors and aliases, tags, directives, several documents, keys that are not text, characters
that YAML forbids or that its versions read differently, more than 1 MiB, 32 levels or 100,000 values. Scalars follow
the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema): `no`, `on`, `1:30` and `2024-01-01` stay
text. Every collection knows the position and the source text of each entry:

    document = load_file("hunt.yaml")
    document["version"]                             # 1.1, as the core schema reads it
    document.text("version")                        # "1.10", the source text
    raise document.error("name", "too long")        # hunt.yaml:2:1: too long
    document.text_map("query").place(line, column)  # position in the query -> position in the file
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import yaml

from lakehunt.core import yaml_places
from lakehunt.core.credentials import redacted
from lakehunt.core.errors import LakehuntError
from lakehunt.core.yaml_places import Run

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_VALUES = 100_000  # a second's work
MAX_NUMBER_LENGTH = 400  # longer than any finite float; int() and float() take quadratic time

Value: TypeAlias = "str | int | float | bool | Mapping | Sequence | None"
Key = TypeVar("Key", str, int)

_FAST_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LINE_BREAK = re.compile(r"\r\n|\r|\n")

# YAML 1.1, which PyYAML reads, ends lines at U+0085, U+2028 and U+2029; 1.2 does not. Without them both agree.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

# JSON, and so many generated files, write a character beyond U+FFFF as two escapes: "\ud83d\udd0e".
_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_ESCAPE_TOO_LARGE = re.compile(r"\\U(?!000|0010)[0-9a-fA-F]{8}")

_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise OverflowError(text)
    return number


_CORE_SCHEMA: tuple[tuple[re.Pattern[str], Callable[[str], Value]], ...] = (
    (re.compile(r"(?:~|null|Null|NULL)?"), lambda _: None),
    (re.compile("|".join(_BOOLEANS)), lambda text: _BOOLEANS[text]),
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"0o[0-7]+"), lambda text: int(text, 8)),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text, 16)),
    (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"), _finite),
    (re.compile(r"[-+]?\.(?:inf|Inf|INF)"), lambda text: float(text.replace(".", ""))),
    (re.compile(r"\.(?:nan|NaN|NAN)"), lambda _: math.nan),
)
"""Plain scalars that are not text, and their values. Quoted and block scalars are always text."""

_HINTS: tuple[tuple[str, str], ...] = (
    (r"tab character|'\\t'", "indent with spaces; tabs are allowed only inside text"),
    (r"mapping values are not allowed", "put a value that contains ': ' in quotes, or in a block after |"),
    (r"cannot start any token", "put a value that starts with one of @ ` % in quotes"),
    (r"escape", "in double quotes a backslash starts an escape: use single quotes, or write it twice"),
    (r"quoted scalar", "close the quotes, and double a ' inside single quotes"),
    (r"flow (sequence|mapping|node)", "close the bracket, and separate entries with commas"),
    (r"block mapping|block collection|simple key", "check this line's indentation and that its key ends with ': '"),
)
"""Hints for the parser's errors, by their wording."""
_ANY_HINT = "check the indentation, and put unusual values in quotes"


class Position(NamedTuple):
    """A position in a file; line and column count from 1, as in editors."""

    line: int
    column: int


START = Position(1, 1)


class YamlError(LakehuntError):
    """An error at a position in a YAML file; `problem` is the message without the position."""

    def __init__(self, file: str, position: Position, problem: str, hint: str = "") -> None:
        super().__init__(f"{file}:{position.line}:{position.column}: {problem}", hint)
        self.file = file
        self.position = position
        self.problem = redacted(problem)

    @property
    def line(self) -> int:
        return self.position.line

    @property
    def column(self) -> int:
        return self.position.column


@dataclass(frozen=True)
class TextMap:
    """Maps positions in a scalar's text to positions in its file.

    Text that stands in the file as it is, as in a literal block (`|`), starts at `start`. Other text has runs: quoted
    text with escapes, and text whose lines are folded. `find_runs` finds them when a place is asked for, as most files
    have no error; if it finds none, all places are `start`. `skipped` are lines of the scalar before the text."""

    file: str
    start: Position
    find_runs: Callable[[], tuple[Run, ...]] | None = None
    skipped: int = 0

    @classmethod
    def elsewhere(cls, file: str, start: Position) -> TextMap:
        """The map of text that does not stand in the file, but was made of what is at `start`: all its places are
        that."""
        return cls(file, start, tuple)

    @cached_property
    def _runs(self) -> tuple[Run, ...]:
        return self.find_runs() if self.find_runs else (Run(1, 1, *self.start),)

    def place(self, line: int, column: int) -> Position:
        """The position in the file of a position in the text; all numbers count from 1."""
        line += self.skipped
        before = bisect_right(self._runs, (line, column), key=lambda run: (run.line, run.column))
        if not before:
            return self.start
        run = self._runs[before - 1]
        return Position(run.at_line + line - run.line, run.at_column + column - run.column)

    def skip(self, lines: int) -> TextMap:
        """The map of the text without its first `lines` lines."""
        return replace(self, skipped=self.skipped + lines)


@dataclass
class _Source:
    """The text of a file, for errors and for finding the text of scalars."""

    file: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        # not splitlines(), which also splits at characters that are not line breaks in YAML
        return _LINE_BREAK.split(self.text)

    def character(self, position: Position) -> str:
        return self.lines[position.line - 1][position.column - 1 :][:1]

    def error(self, position: Position, problem: str, hint: str = "") -> YamlError:
        end = Position(len(self.lines), len(self.lines[-1]) + 1)  # libyaml reports the end of the file one line later
        return YamlError(self.file, min(position, end), problem, hint)


@dataclass(frozen=True)
class _Entry:
    """Positions of an entry: its key (in a sequence its value), its value, and the source text of a scalar."""

    key: Position
    value: Position
    scalar: yaml.ScalarEvent | None


@dataclass
class _Places(Generic[Key]):
    """Positions of a collection and its entries."""

    source: _Source
    start: Position
    entries: dict[Key, _Entry] = field(default_factory=dict)

    def key(self, key: Key) -> Position:
        return self.entries[key].key if key in self.entries else self.start

    def value(self, key: Key) -> Position:
        return self.entries[key].value if key in self.entries else self.start

    def scalar(self, key: Key) -> yaml.ScalarEvent:
        scalar = self.entries[key].scalar
        if scalar is None:
            raise self.source.error(self.value(key), "expected a single value, not a list or a mapping")
        return scalar


class Located(Generic[Key]):
    """Base of mappings and sequences: they know the positions of their entries."""

    places: _Places[Key]

    @property
    def file(self) -> str:
        return self.places.source.file

    @property
    def start(self) -> Position:
        return self.places.start

    def line(self, key: Key) -> int:
        """The line of an entry's key; of the collection's start if there is no such entry."""
        return self.places.key(key).line

    def position(self, key: Key) -> Position:
        """The position of an entry's value; of the collection's start if there is no such entry."""
        return self.places.value(key)

    def text(self, key: Key) -> str:
        """The source text of a scalar entry: '1.10' for the value 1.1.

        Raises KeyError if there is no such entry, YamlError if it is a collection."""
        return str(self.places.scalar(key).value)

    def is_empty(self, key: Key) -> bool:
        """Whether the entry is missing or empty."""
        entry = self.places.entries.get(key)
        return entry is None or (entry.scalar is not None and not entry.scalar.value and _is_plain(entry.scalar))

    def text_map(self, key: Key) -> TextMap:
        """The position map of a scalar entry's text. Raises like `text`."""
        return _text_map(self.places.source, self.places.scalar(key))

    def error(self, key: Key, message: str, hint: str = "") -> YamlError:
        """An error at an entry's key; at the collection's start if there is no such entry."""
        return self.places.source.error(self.places.key(key), message, hint)

    def value_error(self, key: Key, message: str, hint: str = "") -> YamlError:
        """An error at an entry's value."""
        return self.places.source.error(self.places.value(key), message, hint)


class Mapping(dict[str, Value], Located[str]):
    """A mapping with string keys, in source order."""

    def __init__(self, places: _Places[str]) -> None:
        super().__init__()
        self.places = places


class Sequence(list[Value], Located[int]):
    """A sequence; keys are indexes."""

    def __init__(self, places: _Places[int]) -> None:
        super().__init__()
        self.places = places


def load_file(path: str | Path) -> Mapping:
    """The mapping in a YAML file; an empty one if the file has no content.

    Raises YamlError for a file that cannot be read or is refused (see the module)."""
    file = str(path)
    return load(decode(read(path), file), file)


def load(text: str, file: str = "<text>") -> Mapping:
    """The mapping in a YAML text; `file` is its name in errors. Raises YamlError."""
    source = _Source(file, text.removeprefix("\ufeff"))
    _check_characters(source)
    root = _Builder(source).document()
    if isinstance(root, Mapping):
        return root
    raise source.error(START, "expected keys with values at the top of the file", "write lines such as 'name: value'")


def read(path: str | Path) -> bytes:
    """The bytes of a file. Raises YamlError if it cannot be read or is too large."""
    path, file = Path(path), str(path)
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
            raise YamlError(file, START, "not a file", "name a YAML file")
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as e:  # ValueError: a NUL in the path
        reason = getattr(e, "strerror", None) or str(e)
        raise YamlError(file, START, f"cannot be read: {reason}", "check the path and its permissions") from e
    if len(data) > MAX_BYTES:
        raise _too_large(file)
    return data


def _too_large(file: str) -> YamlError:
    return YamlError(file, START, f"larger than {MAX_BYTES} bytes", "split it into several files")


def decode(data: bytes, file: str) -> str:
    """The text of a file, without a byte order mark. Raises YamlError, with its position, for invalid UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        position = _position(data[: e.start].decode("utf-8-sig", "replace"))
        raise YamlError(file, position, f"not UTF-8: byte 0x{data[e.start]:02x}", "save the file as UTF-8") from e


def _position(before: str) -> Position:
    """The position right after a text."""
    lines = _LINE_BREAK.split(before)
    return Position(len(lines), len(lines[-1]) + 1)


def _check_characters(source: _Source) -> None:
    found = _FORBIDDEN.search(source.text)
    if found:
        problem = f"character U+{ord(found[0]):04X} is not allowed"
        raise source.error(_position(source.text[: found.start()]), problem, "delete it, or write it as an escape")
    if len(source.text) > MAX_BYTES:
        raise _too_large(source.file)


class _Builder:
    """Builds values from the parser's events.

    Unlike PyYAML's nodes, events allow aliases and deep nesting to be refused before anything is expanded."""

    def __init__(self, source: _Source) -> None:
        self.source = source
        self.events = _events(source)
        self.values = 0

    def document(self) -> Value:
        """The value of the only document; an empty mapping if there is none or it has no content."""
        self._next()  # start of the stream
        start = self._next()
        if isinstance(start, yaml.StreamEndEvent):
            return Mapping(_Places(self.source, START))
        self._check_directives(start)
        root = self._next()
        value = self._node(root, 1)
        self._next()  # end of the document
        extra = self._next()
        if not isinstance(extra, yaml.StreamEndEvent):
            raise self._error(extra, "a second document starts here", "keep one document in a file: remove the '---'")
        has_content = not (isinstance(root, yaml.ScalarEvent) and _is_plain(root) and not root.value)
        return value if has_content else Mapping(_Places(self.source, START))

    def _next(self) -> yaml.Event:
        return next(self.events)

    def _error(self, event: yaml.Event, problem: str, hint: str) -> YamlError:
        return self.source.error(_start(event), problem, hint)

    def _check_directives(self, start: yaml.Event) -> None:
        if getattr(start, "version", None) or getattr(start, "tags", None):
            raise self._error(start, "directives such as %YAML are not allowed", "delete the lines that start with %")

    def _node(self, event: yaml.Event, depth: int) -> Value:
        self._check_node(event)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if depth > MAX_DEPTH:
            raise self._error(event, f"nested deeper than {MAX_DEPTH} levels", "flatten the structure")
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, depth)
        return self._mapping(event, depth)

    def _check_node(self, event: yaml.Event) -> None:
        self.values += 1
        if self.values > MAX_VALUES:
            raise self._error(event, f"more than {MAX_VALUES} keys and values", "split the file")
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent):
            raise self._error(event, f"alias *{anchor} is not allowed", "repeat the value, or put it in quotes")
        if anchor is not None:
            raise self._error(event, f"anchor &{anchor} is not allowed", "delete it, or put the value in quotes")
        if tag is not None:
            raise self._error(event, f"tag {tag!r} is not allowed", "delete it, or put the value in quotes")
        if isinstance(event, yaml.ScalarEvent) and _SURROGATE.search(event.value):
            event.value = self._joined(event)

    def _joined(self, event: yaml.ScalarEvent) -> str:
        """A scalar's text with surrogate pairs joined."""
        try:
            return event.value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError as e:
            raise self._error(event, "the escape is half of a surrogate pair", "write the character itself") from e

    def _scalar(self, event: yaml.ScalarEvent) -> Value:
        if not _is_plain(event):
            return str(event.value)
        try:
            return _core_value(event.value)
        except OverflowError as e:
            raise self._error(event, "the number is too large", "put it in quotes if it is text") from e

    def _sequence(self, start: yaml.Event, depth: int) -> Sequence:
        sequence = Sequence(_Places(self.source, _start(start)))
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            sequence.places.entries[len(sequence)] = _entry(event, event)
            sequence.append(self._node(event, depth + 1))
        return sequence

    def _mapping(self, start: yaml.Event, depth: int) -> Mapping:
        mapping = Mapping(_Places(self.source, _start(start)))
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event, mapping)
            value = self._next()
            mapping.places.entries[key] = _entry(event, value)
            mapping[key] = self._node(value, depth + 1)
        return mapping

    def _key(self, event: yaml.Event, mapping: Mapping) -> str:
        self._check_node(event)
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error(event, "a key must be text", "put a key that contains brackets in quotes")
        key = str(event.value)
        if key in mapping:
            problem = f"key {_short(key)} appears twice, first on line {mapping.line(key)}"
            raise self._error(event, problem, "keep one of the two")
        return key


def _events(source: _Source) -> Iterator[yaml.Event]:
    # the C parser refuses surrogates, the Python parser accepts them
    loader = yaml.SafeLoader if _SURROGATE_ESCAPE.search(source.text) else _FAST_LOADER
    try:
        yield from yaml.parse(source.text, Loader=loader)
    except yaml.MarkedYAMLError as e:
        raise _syntax_error(source, e) from e
    except (yaml.YAMLError, ValueError, OverflowError) as e:  # ValueError and OverflowError: chr() of an escape
        found = _ESCAPE_TOO_LARGE.search(source.text)
        position = _position(source.text[: found.start()]) if found else START
        problem = "the escape is not a valid character" if found else str(e)
        raise source.error(position, f"not YAML: {problem}", _ANY_HINT) from e


def _syntax_error(source: _Source, error: yaml.MarkedYAMLError) -> YamlError:
    position = _marked(error.problem_mark or error.context_mark)
    opened = _marked(error.context_mark or error.problem_mark)
    problem = ", ".join(part for part in (error.context, error.problem) if part)
    if "cannot start any token" in problem:  # the C parser does not say which character
        problem = f"{source.character(position)!r} cannot start any token"
    hint = next((hint for pattern, hint in _HINTS if re.search(pattern, problem)), _ANY_HINT)
    started = f" (started on line {opened.line})" if opened.line < position.line else ""
    return source.error(position, f"not YAML: {problem}{started}", hint)


def _marked(mark: Any) -> Position:
    """The position of one of PyYAML's marks, which count from zero."""
    return Position(mark.line + 1, mark.column + 1) if mark else START


def _start(event: yaml.Event) -> Position:
    return _marked(event.start_mark)


def _entry(key: yaml.Event, value: yaml.Event) -> _Entry:
    return _Entry(_start(key), _start(value), value if isinstance(value, yaml.ScalarEvent) else None)


def _is_plain(event: yaml.ScalarEvent) -> bool:
    return not event.style  # '' from the C parser, None from Python's


def _core_value(text: str) -> Value:
    """The value of a plain scalar by the core schema. Raises OverflowError."""
    convert = next((convert for pattern, convert in _CORE_SCHEMA if pattern.fullmatch(text)), None)
    if convert is None:
        return text
    if len(text) > MAX_NUMBER_LENGTH:
        raise OverflowError(text)
    return convert(text)


def _short(text: str, length: int = 60) -> str:
    return repr(text if len(text) <= length else text[:length] + "...")


def _text_map(source: _Source, event: yaml.ScalarEvent) -> TextMap:
    finder = _literal_start if event.style == "|" else _line_start
    start = finder(source, event)
    if start is not None:
        return TextMap(source.file, start)
    line, column = _start(event)
    find = partial(yaml_places.runs, source.lines, event.style or "", line - 1, column - 1, event.value)
    return TextMap(source.file, _start(event), find)


def _literal_start(source: _Source, event: yaml.ScalarEvent) -> Position | None:
    """The start of a block literal. It loses the same indentation on every line, so one line is enough to find it."""
    first = _start(event).line + 1  # below the |
    for number, line in enumerate(event.value.split("\n"), start=first):
        if line:
            return Position(first, len(source.lines[number - 1]) - len(line) + 1)
    return None


def _line_start(source: _Source, event: yaml.ScalarEvent) -> Position | None:
    """The start of plain or quoted text on one line, if it has no escapes."""
    quote = event.style or ""
    start = _start(event)
    column = start.column + len(quote)
    if quote == ">" or not event.value or "\n" in event.value:
        return None
    if not source.lines[start.line - 1].startswith(event.value + quote, column - 1):
        return None
    return Position(start.line, column)
