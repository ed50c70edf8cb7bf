"""Exclusions: known harmless events that a hunt must not see.

They are stored next to the hunts: in `<hunt>.exclusions.yaml` for the hunt in `<hunt>.yaml`, or in any other
`*.exclusions.yaml` of the folder, where each names its hunts:

    exclusions:
    - name: log-rotation                # unique in the folder of hunts; identifies the exclusion in tables
      reason: IIS packs its own logs every night
      owner: web-platform@example.com
      expires: 2027-01-31               # optional: the last day on which it suppresses anything
      enabled: false                    # optional: true
      hunts: [Some hunt's name or id]   # only in a shared file; `all` for all
      table: DeviceNetworkEvents        # optional: DeviceProcessEvents
      where: |
        ProcessCommandLine has @'C:\\inetpub\\logs\\LogFiles'

`where` is a condition on the columns of the event table `table`, in KQL. The hunt does not see events of this table for
which it is true. An invalid exclusion suppresses nothing: that costs false alarms, never a finding.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Protocol

from lakehunt.core import strict_yaml
from lakehunt.core.errors import LakehuntError
from lakehunt.core.strict_yaml import Position, Value, YamlError
from lakehunt.kql import plan as p
from lakehunt.kql import times
from lakehunt.kql.binding import bind_condition
from lakehunt.kql.binding.scope import nearest
from lakehunt.kql.errors import Kind, KqlError, QueryErrors
from lakehunt.kql.row_local import beyond_one_row
from lakehunt.kql.types import TICKS_PER_DAY
from lakehunt.schemas.event_tables import BY_NAME, DEVICE_PROCESS_EVENTS
from lakehunt.spark.functions import CATALOG

SUFFIX = ".exclusions"
ALL = "all"

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_KEYS = ("name", "reason", "owner", "expires", "enabled", "hunts", "table", "where")


class Excludable(Protocol):
    """The attributes of a hunt that exclusions refer to."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def file(self) -> Path: ...


@dataclass(frozen=True)
class Exclusion:
    """One exclusion, compiled. `hunts` are the ids of the hunts that it applies to."""

    name: str
    where: str
    reason: str = ""
    owner: str = ""
    expires: date | None = None
    enabled: bool = True
    hunts: tuple[str, ...] = ()
    file: Path = Path("<exclusions>")
    position: Position = strict_yaml.START
    table: str = DEVICE_PROCESS_EVENTS.name
    condition: p.Expr = field(kw_only=True, compare=False)

    @cached_property
    def version(self) -> str:
        """16 hexadecimal digits that change with the condition and its table: from the SHA-256 of its stripped text,
        after the table's name unless that is DeviceProcessEvents, which was the only table at first."""
        of = "" if self.table == DEVICE_PROCESS_EVENTS.name else f"{self.table} | "
        return hashlib.sha256(f"{of}{self.where.strip()}".encode()).hexdigest()[:16]

    @property
    def columns(self) -> frozenset[str]:
        """Columns of the table that the condition reads."""
        return frozenset(p.references(self.condition))

    def has_expired(self, as_of: int) -> bool:
        """Whether a run as of an instant (ticks) is after its last day, which ends at midnight (UTC)."""
        if self.expires is None:
            return False
        end = times.parse_datetime(self.expires.isoformat())
        assert end is not None
        return as_of > end + TICKS_PER_DAY

    def state(self, as_of: int) -> str:
        """on, off or expired, in a run as of an instant (ticks)."""
        if not self.enabled:
            return "off"
        return "expired" if self.has_expired(as_of) else "on"

    def applies(self, as_of: int) -> bool:
        """Whether it suppresses anything in a run as of an instant (ticks)."""
        return self.state(as_of) == "on"


@dataclass(frozen=True)
class ExclusionFile:
    """A file's valid exclusions, and the errors of the invalid ones, with positions."""

    file: Path
    exclusions: tuple[Exclusion, ...]
    errors: tuple[LakehuntError, ...] = ()


def is_exclusion_file(file: Path) -> bool:
    """Whether a file's name is that of an exclusion file."""
    return (
        file.suffix.lower() in {".yaml", ".yml"}
        and file.stem.lower().endswith(SUFFIX)
        and not file.name.startswith(".")
    )


def condition(text: str, table: str = DEVICE_PROCESS_EVENTS.name) -> p.Expr:
    """The typed tree of a condition that depends on one event of the table alone. Raises QueryErrors."""
    bound = bind_condition(text, table, BY_NAME[table].kql_schema, CATALOG)
    part = next(beyond_one_row(bound), None)
    if part is not None:  # with now() an old event could reappear; another table would have to be versioned
        message = "an exclusion is decided by the event alone, without now() or another table"
        hint = "write the values that are meant; `expires` ends an exclusion"
        raise QueryErrors(text, [KqlError(Kind.UNSUPPORTED, message, part.span, hint)])
    return bound


def load(files: Iterable[Path], hunts: Sequence[Excludable]) -> list[ExclusionFile]:
    """The exclusions in these files, for these hunts. A name that an earlier file uses is an error in the later one."""
    by_file = {hunt.file.resolve(): hunt for hunt in hunts}
    earlier: dict[str, Exclusion] = {}
    loaded = []
    for file in files:
        try:
            document = strict_yaml.load_file(file)
            reader = _Reader(file, hunts, _beside(file, by_file), earlier)
            one = ExclusionFile(file, tuple(reader.exclusions(document)), tuple(reader.errors))
        except LakehuntError as error:
            one = ExclusionFile(file, (), (error,))
        earlier |= {exclusion.name: exclusion for exclusion in one.exclusions}
        loaded.append(one)
    return loaded


def by_hunt(loaded: Iterable[ExclusionFile]) -> dict[str, tuple[Exclusion, ...]]:
    """The exclusions of each hunt, by the hunt's id."""
    found: dict[str, tuple[Exclusion, ...]] = {}
    for one in loaded:
        for exclusion in one.exclusions:
            for hunt in exclusion.hunts:
                found[hunt] = (*found.get(hunt, ()), exclusion)
    return found


def _beside(file: Path, hunts: Mapping[Path, Excludable]) -> tuple[str, ...] | None:
    """The id of the hunt that the file belongs to; () if that hunt cannot be read; None for a shared file."""
    stem = file.stem[: -len(SUFFIX)]
    for suffix in (".yaml", ".yml"):
        hunt = file.with_name(stem + suffix)
        if hunt.exists():
            known = hunts.get(hunt.resolve())
            return (known.id,) if known else ()
    return None


class _Reader:
    """Reads one file; errors of invalid exclusions are collected, the others are used."""

    def __init__(
        self, file: Path, hunts: Sequence[Excludable], beside: tuple[str, ...] | None, earlier: Mapping[str, Exclusion]
    ) -> None:
        self.file, self.hunts, self.beside = file, hunts, beside
        self.known = dict(earlier)
        self.errors: list[LakehuntError] = []

    def exclusions(self, document: strict_yaml.Mapping) -> Iterator[Exclusion]:
        entries = document.get("exclusions")
        unknown = next((key for key in document if key != "exclusions"), None)
        if unknown is not None:
            raise document.error(unknown, f"unknown key {unknown[:60]!r}", "write a list under `exclusions`")
        if not isinstance(entries, strict_yaml.Sequence):
            raise document.error("exclusions", "expected a list under `exclusions`", "see docs/how-to/exclusions.md")
        for index, entry in enumerate(entries):
            try:
                exclusion = self._exclusion(entries, index, entry)
            except YamlError as error:
                self.errors.append(error)
            else:
                self.known[exclusion.name] = exclusion
                yield exclusion

    def _exclusion(self, entries: strict_yaml.Sequence, index: int, entry: Value) -> Exclusion:
        if not isinstance(entry, strict_yaml.Mapping):
            raise entries.error(index, "expected an exclusion with name, reason, owner and where")
        unknown = next((key for key in entry if key not in _KEYS), None)
        if unknown is not None:
            hint = nearest(unknown, _KEYS) or f"known keys: {', '.join(_KEYS)}"
            raise entry.error(unknown, f"unknown key {unknown[:60]!r}", hint)
        table = _table(entry)
        return Exclusion(
            name=self._name(entry),
            reason=_text(entry, "reason", "why these events are harmless"),
            owner=_text(entry, "owner", "who knows, and is asked when it expires"),
            expires=_expires(entry),
            enabled=_enabled(entry),
            hunts=self._hunts(entry),
            where=_text(entry, "where", f"a condition on the columns of {table}"),
            file=self.file,
            position=entry.position("name"),
            table=table,
            condition=self._condition(entry, table),
        )

    def _name(self, entry: strict_yaml.Mapping) -> str:
        name = _text(entry, "name", "a short, unique name")
        if not _NAME.fullmatch(name):
            raise entry.value_error("name", f"name: {name[:60]!r}", "write small letters, digits and hyphens")
        if name in self.known:
            taken = self.known[name]
            problem = f"the name {name} is taken: {taken.file}:{taken.position.line}"
            raise entry.value_error("name", problem, "names identify exclusions in tables: choose another one")
        return name

    def _hunts(self, entry: strict_yaml.Mapping) -> tuple[str, ...]:
        if self.beside is not None:
            if "hunts" in entry:
                hint = f"move it to a file of its own, such as shared{SUFFIX}.yaml"
                raise entry.error("hunts", "this file belongs to one hunt", hint)
            return self.beside
        wanted = entry.get("hunts")
        if wanted == ALL:
            return tuple(hunt.id for hunt in self.hunts)
        if not isinstance(wanted, strict_yaml.Sequence) or not wanted:
            hint = "name the hunts that it is for, or `all`; or put it beside the hunt, in <hunt>.exclusions.yaml"
            raise entry.error("hunts", "expected a list of hunts under `hunts`", hint)
        return tuple(dict.fromkeys(self._hunt(wanted, index) for index in range(len(wanted))))

    def _hunt(self, wanted: strict_yaml.Sequence, index: int) -> str:
        word = wanted.text(index).strip()
        found = next((h.id for h in self.hunts if word.lower() in (h.id, h.name.lower())), None)
        if found is None:
            hint = nearest(word, [name for hunt in self.hunts for name in (hunt.id, hunt.name)])
            raise wanted.error(index, f"there is no hunt {word[:60]!r}", hint or "write a hunt's id or name")
        return found

    def _condition(self, entry: strict_yaml.Mapping, table: str) -> p.Expr:
        text, text_map = entry.text("where"), entry.text_map("where")
        try:
            return condition(text, table)
        except QueryErrors as errors:
            first, *others = (
                YamlError(str(self.file), text_map.place(*errors.place(e)), f"where: {e.message}", e.hint)
                for e in errors.errors
            )
            self.errors.extend(others)
            raise first from errors


def _table(entry: strict_yaml.Mapping) -> str:
    if "table" not in entry:
        return DEVICE_PROCESS_EVENTS.name
    name = _text(entry, "table", "the name of an event table")
    if name not in BY_NAME:
        hint = nearest(name, BY_NAME) or f"event tables: {', '.join(BY_NAME)}"
        raise entry.value_error("table", f"table: there is no event table {name[:60]!r}", hint)
    return name


def _text(entry: strict_yaml.Mapping, key: str, what: str) -> str:
    if key in entry and isinstance(entry[key], (dict, list)):
        raise entry.value_error(key, f"{key}: expected text", f"write {what}")
    text = "" if entry.is_empty(key) else entry.text(key).strip()
    if not text:
        raise entry.error(key, f"an exclusion without {key}", f"add '{key}:' with {what}")
    return text


def _expires(entry: strict_yaml.Mapping) -> date | None:
    if entry.is_empty("expires"):
        return None
    text = _text(entry, "expires", "a day")
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise entry.value_error("expires", f"expires: {text[:60]!r} is not a valid date", "write for example 2027-01-31")


def _enabled(entry: strict_yaml.Mapping) -> bool:
    value = entry.get("enabled", True)
    if not isinstance(value, bool):
        raise entry.value_error("enabled", "enabled: expected true or false", "write true or false")
    return value
