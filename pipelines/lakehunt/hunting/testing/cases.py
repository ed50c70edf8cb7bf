"""Reads `<hunt>.tests.yaml`, the tests of the hunt in `<hunt>.yaml`. Needs no Spark session.

    tests:
    - name: a shell below IIS is found, an editor is not
      as_of: 2026-03-10T00:00:00Z         # optional; an event without Timestamp is an hour before it
      exclusions: [log-rotation]          # optional: only these apply; default: those that apply at the as-of
      match:                              # each of these must be evidence of a result row
      - {FileName: cmd.exe, InitiatingProcessFileName: w3wp.exe}
      no_match:                           # none of these may be
      - {FileName: notepad.exe, InitiatingProcessFileName: w3wp.exe}
      suppressed: []                      # each must pass the hunt's filters and be excluded by an exclusion
      rows:                               # optional: the result's rows, in any order; columns may be omitted
      - {DeviceId: device-1, instances: 1}
      tables:                             # optional: rows of other tables that the hunt reads
        Assets: [{DeviceId: device-1}]
        DeviceLogonEvents: [{AccountName: eve}]  # events of which nothing is expected
      lookups:                            # optional: rows of lookups that it reads, as the configuration names them
        watchlists:
          Servers: [{DeviceId: device-1}]

An event is of the event table that its column Type names; without one, of the event table that the hunt reads, or
DeviceProcessEvents if it reads several. It has the given columns, and defaults for Timestamp, DeviceId, DeviceName,
ActionType and ReportId; the others are empty. All events of a test are in their tables together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from lakehunt.core import strict_yaml
from lakehunt.core.errors import LakehuntError
from lakehunt.core.strict_yaml import Position, Value, YamlError
from lakehunt.hunting.content.exclusion_file import Exclusion
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.kql import plan as p
from lakehunt.kql import times
from lakehunt.kql.binding.scope import nearest
from lakehunt.kql.errors import QueryErrors
from lakehunt.kql.lookup_names import NETWORKS
from lakehunt.kql.types import BOOL, DATETIME, DECIMAL, DYNAMIC, INT, LONG, REAL, TIMESPAN, Schema, Type
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import BY_NAME, DEVICE_PROCESS_EVENTS
from lakehunt.schemas.lookups import WATCHLISTS

AS_OF = "2026-01-31T12:00:00Z"
MATCH, NO_MATCH, SUPPRESSED = "match", "no_match", "suppressed"
GIVEN = "tables"
MOST = 100
"""Maximum events of one test: a row's evidence names no more."""

_KINDS = (MATCH, NO_MATCH, SUPPRESSED)
_KEYS = ("name", "as_of", "exclusions", *_KINDS, "rows", "tables", "lookups")
_INTEGER = re.compile(r"[+-]?[0-9]+")

Row = Mapping[str, Any]
"""Values by column, with engine types: datetimes and timespans in ticks, dynamic values as JSON data."""


@dataclass(frozen=True)
class Example:
    """An event of a test and its table, its kind (what is expected; nothing if GIVEN), and its number within the kind,
    or within the table if nothing is expected."""

    kind: str
    number: int
    table: EventTable
    columns: Row

    @property
    def event_id(self) -> str:
        return f"{self.kind if self.kind != GIVEN else self.table.name} {self.number}"


@dataclass(frozen=True)
class Case:
    """One test of a hunt. `as_of` is in ticks; `rows` None means that the result's rows are not checked."""

    name: str
    file: Path
    position: Position
    as_of: int
    exclusions: tuple[Exclusion, ...]
    examples: tuple[Example, ...] = ()
    rows: tuple[Row, ...] | None = None
    tables: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    lookups: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    """Rows by the names that the lookups' tables have in plans. The `network` of a row of GeoIP is a network."""


def load(hunt: Hunt, tables: TableCatalog) -> tuple[Case, ...]:
    """The tests of a hunt; none if there is no file.

    Raises YamlError with the position of a problem in the file; QueryErrors if the hunt cannot be compiled."""
    file = hunt.sibling("tests")
    if not file.exists():
        return ()
    document = strict_yaml.load_file(file)
    unknown = next((key for key in document if key != "tests"), None)
    if unknown is not None:
        raise document.error(unknown, f"unknown key {unknown[:60]!r}", "write a list under `tests`")
    entries = document.get("tests")
    if not isinstance(entries, strict_yaml.Sequence) or not entries:
        raise document.error("tests", "expected a list under `tests`", "see docs/how-to/hunt-tests.md")
    reader = _Reader(file, hunt, tables)
    return tuple(reader.case(entries, index) for index in range(len(entries)))


class _Reader:
    def __init__(self, file: Path, hunt: Hunt, tables: TableCatalog) -> None:
        self.file, self.hunt, self.tables = file, hunt, tables
        plan = tables.bind(hunt.query)
        self.result = plan.schema
        read = {step.table for step in p.distinct(plan) if isinstance(step, p.Scan)} & BY_NAME.keys()
        self.usual = BY_NAME[read.pop()] if len(read) == 1 else DEVICE_PROCESS_EVENTS

    def case(self, entries: strict_yaml.Sequence, index: int) -> Case:
        entry = _mapping(entries, index, "a test with name, and events under match or no_match")
        unknown = next((key for key in entry if key not in _KEYS), None)
        if unknown is not None:
            hint = nearest(unknown, _KEYS) or f"known keys: {', '.join(_KEYS)}"
            raise entry.error(unknown, f"unknown key {unknown[:60]!r}", hint)
        if entry.is_empty("name"):
            raise entry.error("name", "a test without name", "add 'name:' with what it shows")
        expected = [example for kind in _KINDS for example in self._examples(entry, kind)]
        examples = (*expected, *self._given(entry))
        as_of = _datetime(entry, "as_of") if "as_of" in entry else _known(AS_OF)
        if len(examples) > MOST:
            raise entry.error("name", f"a test has at most {MOST} events, this one {len(examples)}", "make two of it")
        return Case(
            name=entry.text("name").strip(),
            file=self.file,
            position=entries.position(index),
            as_of=as_of,
            exclusions=self._exclusions(entry, as_of),
            examples=examples,
            rows=tuple(self._rows(entry, "rows", self.result, "result")) if "rows" in entry else None,
            tables=self._tables(entry),
            lookups=self._lookups(entry),
        )

    def _examples(self, entry: strict_yaml.Mapping, kind: str) -> Iterator[Example]:
        for number, row in enumerate(_entries(entry, kind), 1):
            yield _example(entry, kind, number, _table_of(row, self.usual), row)

    def _given(self, entry: strict_yaml.Mapping) -> Iterator[Example]:
        given = entry.get(GIVEN)
        for name in given if isinstance(given, strict_yaml.Mapping) else ():
            assert isinstance(given, strict_yaml.Mapping)
            for number, row in enumerate(_entries(given, name), 1) if name in BY_NAME else ():
                yield _example(given, name, number, BY_NAME[name], row)

    def _rows(self, entry: strict_yaml.Mapping, key: str, schema: Schema, table: str) -> Iterator[Row]:
        return (_row(row, schema, table) for row in _entries(entry, key))

    def _exclusions(self, entry: strict_yaml.Mapping, as_of: int) -> tuple[Exclusion, ...]:
        """The named exclusions, enabled and without expiry; by default those that apply at the as-of."""
        if "exclusions" not in entry:
            return tuple(one for one in self.hunt.exclusions if one.applies(as_of))
        names = entry["exclusions"]
        if not isinstance(names, strict_yaml.Sequence):
            raise entry.value_error("exclusions", "expected a list of names under exclusions", "write [] for none")
        known = {one.name: one for one in self.hunt.exclusions}
        chosen = []
        for index in range(len(names)):
            name = names.text(index).strip()
            if name not in known:
                hint = nearest(name, known) or f"exclusions of this hunt: {', '.join(known) or 'none'}"
                raise names.error(index, f"there is no exclusion {name[:60]!r} of this hunt", hint)
            chosen.append(replace(known[name], enabled=True, expires=None))
        return tuple(chosen)

    def _tables(self, entry: strict_yaml.Mapping) -> dict[str, tuple[Row, ...]]:
        """The rows of registered tables."""
        given = entry.get(GIVEN)
        if given is None:
            return {}
        if not isinstance(given, strict_yaml.Mapping):
            raise entry.value_error(GIVEN, "expected names of tables, each with a list of rows")
        known = self.tables.registered
        for name in given:
            if name not in known and name not in BY_NAME:
                hint = nearest(name, [*known, *BY_NAME]) or f"registered tables: {', '.join(known) or 'none'}"
                raise given.error(name, f"there is no event table or registered table {name[:60]!r}", hint)
        return {name: tuple(self._rows(given, name, known[name].columns, name)) for name in given if name in known}

    def _lookups(self, entry: strict_yaml.Mapping) -> dict[str, tuple[Row, ...]]:
        given = entry.get("lookups")
        if given is None:
            return {}
        if not isinstance(given, strict_yaml.Mapping):
            raise entry.value_error("lookups", "expected lookups as in the configuration, each with a list of rows")
        found: dict[str, tuple[Row, ...]] = {}
        for name in given:
            if name == WATCHLISTS:
                named = given[name]
                if not isinstance(named, strict_yaml.Mapping):
                    raise given.value_error(name, "expected names of watchlists, each with a list of rows")
                found |= dict(self._lookup(named, one, f"{WATCHLISTS}.{one}") for one in named)
            else:
                found |= dict([self._lookup(given, name, name)])
        return found

    def _lookup(self, section: strict_yaml.Mapping, key: str, shown: str) -> tuple[str, tuple[Row, ...]]:
        known = {one.shown: one for one in self.tables.lookups.values()}
        if shown not in known:
            hint = nearest(shown, known) or f"lookups of the configuration: {', '.join(known) or 'none'}"
            raise section.error(key, f"the configuration has no lookup {shown[:60]}", hint)
        lookup = known[shown]
        rows = tuple(self._rows(section, key, lookup.row_columns, shown))
        return lookup.table, _networks(rows, section, key) if lookup.table == NETWORKS else rows


def _entries(entry: strict_yaml.Mapping, key: str) -> Iterator[strict_yaml.Mapping]:
    rows = entry.get(key, ())
    if key in entry and not isinstance(rows, strict_yaml.Sequence):
        raise entry.value_error(key, f"expected a list under {key}", "write for example - {FileName: cmd.exe}")
    for index in range(len(rows)) if isinstance(rows, strict_yaml.Sequence) else ():
        assert isinstance(rows, strict_yaml.Sequence)
        yield _mapping(rows, index, "columns with their values")


def _table_of(row: strict_yaml.Mapping, usual: EventTable) -> EventTable:
    name = _text(row, "Type") if "Type" in row else usual.name
    if name not in BY_NAME:
        hint = nearest(name, BY_NAME) or f"event tables: {', '.join(BY_NAME)}"
        raise row.value_error("Type", f"Type: there is no event table {name[:60]!r}", hint)
    return BY_NAME[name]


def _example(entry: strict_yaml.Mapping, key: str, number: int, table: EventTable, row: strict_yaml.Mapping) -> Example:
    columns, time = _row(row, table.kql_schema, table.name), table.times[0]
    if columns.get(time, 0) is None:
        raise entry.value_error(key, f"{key} {number}: an event without a time", f"write or leave out {time}")
    return Example(key if key in _KINDS else GIVEN, number, table, columns)


def _mapping(entries: strict_yaml.Sequence, index: int, what: str) -> strict_yaml.Mapping:
    entry = entries[index]
    if not isinstance(entry, strict_yaml.Mapping):
        raise entries.error(index, f"expected {what}")
    return entry


def _row(entry: strict_yaml.Mapping, schema: Schema, table: str) -> Row:
    types = {column.name: column.type for column in schema}
    for name in entry:
        if name not in types:
            raise entry.error(name, f"{table} has no column {name[:60]!r}", nearest(name, types))
    return {name: _value(entry, name, types[name]) for name in entry}


def _networks(rows: tuple[Row, ...], section: strict_yaml.Mapping, key: str) -> tuple[Row, ...]:
    """The rows with their networks read, which must be disjoint as they are in a file."""
    read: list[Row] = []
    for number, row in enumerate(rows, 1):
        try:
            network = ip_network(row.get("network", ""))
        except ValueError as error:
            hint = "write for example network: 192.0.2.0/24"
            raise section.value_error(key, f"row {number} of {key}: no network: {error}", hint) from error
        for before, other in enumerate(read, 1):
            if network.version == other["network"].version and network.overlaps(other["network"]):
                raise section.value_error(
                    key, f"rows {before} and {number} of {key} overlap", "a file has no such rows"
                )
        read.append({**row, "network": network})
    return tuple(read)


# Values


def _value(entry: strict_yaml.Mapping, key: str, kind: Type) -> Any:
    if entry[key] is None and kind.name != "string":
        return None
    return _VALUES.get(kind, _text if kind.element is None else _json)(entry, key)


def _text(entry: strict_yaml.Mapping, key: str) -> str:
    if isinstance(entry[key], (dict, list)):
        raise entry.value_error(key, f"{key}: expected text", "write one value, in quotes if needed")
    return "" if entry.is_empty(key) else entry.text(key)


def _integer(entry: strict_yaml.Mapping, key: str) -> int:
    text = _text(entry, key)
    if not _INTEGER.fullmatch(text):
        raise entry.value_error(key, f"{key}: {text[:60]!r} is not a whole number")
    return int(text)


def _real(entry: strict_yaml.Mapping, key: str) -> float:
    text = _text(entry, key)
    try:
        return float(text)
    except ValueError:
        raise entry.value_error(key, f"{key}: {text[:60]!r} is not a number") from None


def _bool(entry: strict_yaml.Mapping, key: str) -> bool:
    value = entry[key]
    if not isinstance(value, bool):
        raise entry.value_error(key, f"{key}: expected true or false")
    return value


def _datetime(entry: strict_yaml.Mapping, key: str) -> int:
    text = _text(entry, key)
    ticks = times.parse_datetime(text)
    if ticks is None:
        raise entry.value_error(
            key, f"{key}: {text[:60]!r} is not a valid datetime", "write for example 2026-03-10T00:00:00Z"
        )
    return ticks


def _timespan(entry: strict_yaml.Mapping, key: str) -> int:
    text = _text(entry, key)
    ticks = times.parse_timespan(text)
    if ticks is None:
        raise entry.value_error(
            key, f"{key}: {text[:60]!r} is not a valid timespan", "write for example 1d or 00:05:00"
        )
    return ticks


def _json(entry: strict_yaml.Mapping, key: str) -> Value:
    return entry[key]


_VALUES: dict[Type, Callable[[strict_yaml.Mapping, str], Any]] = {
    BOOL: _bool,
    INT: _integer,
    LONG: _integer,
    REAL: _real,
    DECIMAL: _real,
    DATETIME: _datetime,
    TIMESPAN: _timespan,
    DYNAMIC: _json,
}
"""Readers of values by type; other types are read as text."""


def _known(text: str) -> int:
    ticks = times.parse_datetime(text)
    assert ticks is not None
    return ticks


def problem(error: Exception, hunt: Hunt) -> str:
    """The reason why a hunt's tests cannot be read or run."""
    if isinstance(error, YamlError):
        return str(error)
    if isinstance(error, QueryErrors):
        return f"{hunt.file}: the hunt does not compile: {error.errors[0].message} (run lakehunt check for details)"
    assert isinstance(error, LakehuntError)
    return str(error)
