"""A hunt: one Microsoft Sentinel or Defender hunting-query YAML file, unmodified.

Three fields are required: `id` (a GUID), `name` and `query`. The fields of Sentinel's hunting queries and analytics
rules (https://learn.microsoft.com/azure/sentinel/sentinel-analytic-rules-creation) are known; others are kept in
`Hunt.other`, with a warning, because they are usually typing mistakes.
All problems of a file are reported together, each with file, line and column.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from lakehunt.core import strict_yaml
from lakehunt.core.errors import LakehuntError
from lakehunt.core.strict_yaml import START, Key, Located, Position, TextMap, Value, YamlError
from lakehunt.hunting.content import attack, exclusion_file, period
from lakehunt.hunting.content.exclusion_file import Exclusion, ExclusionFile
from lakehunt.hunting.content.period import parse_period, written
from lakehunt.kql import semantics
from lakehunt.kql.errors import KqlError, QueryErrors
from lakehunt.kql.formatting import formatted
from lakehunt.kql.parser import parse
from lakehunt.schemas.hunt_tables import ALWAYS_STORED

SEVERITIES = ("Informational", "Low", "Medium", "High")
SUFFIXES = (".yaml", ".yml")
SIBLINGS = ("exclusions", "tests")
"""Files next to a hunt: `<hunt>.exclusions.yaml` and `<hunt>.tests.yaml`."""

_TOLERATED = frozenset({
    "OriginalUri", "alertDetailsOverride", "alertRuleTemplateName", "customDetails", "description-detailed",
    "displayName", "enabled", "eventGroupingSettings", "incidentConfiguration", "metadata", "sentinelEntitiesMappings",
    "status", "subTechniques", "suppressionDuration", "suppressionEnabled", "techniques", "templateVersion",
    "triggerOperator", "triggerThreshold",
})  # fmt: skip
"""Fields of Sentinel and Defender rules that change no result: kept in `Hunt.other`, without a warning."""

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
"""A hunt's id, in lower case."""

_ID_NAMESPACE = uuid.UUID("2fd1c5b0-4e0f-5ad6-9a44-6d6a1f2e7c31")  # of the ids that hints suggest; any fixed one does
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # "\e" in quotes could command a reader's terminal
_FENCE = re.compile(r"\s*(`{3,}|~{3,})\s*[\w-]*\s*")


_ANYWHERE = TextMap("<hunt>", START)  # for a hunt without a file


class HuntError(LakehuntError):
    """The problems of a hunt's file, ordered by position; never empty.

    `hunt` is the hunt as far as it could be read, so that its query can also be checked."""

    def __init__(self, problems: Sequence[YamlError], hunt: Hunt | None = None) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.position))
        self.hunt = hunt
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True)
class Connector:
    """One of `requiredDataConnectors`: where the data comes from, and its tables."""

    id: str
    data_types: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hunt:
    """A hunt as read from its file. Fields that do not affect results are kept as written."""

    id: str
    name: str
    query: str
    file: Path = Path("<hunt>")
    query_map: TextMap = field(default=_ANYWHERE, compare=False)
    description: str = ""
    tactics: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    connectors: tuple[Connector, ...] = ()
    severity: str | None = None
    query_period: timedelta | None = None
    query_frequency: timedelta | None = None
    tags: tuple[str, ...] = ()
    version: str = ""
    kind: str = ""
    exclusions: tuple[Exclusion, ...] = field(default=(), compare=False)
    entity_mappings: Value = field(default=None, compare=False)
    other: Mapping[str, Value] = field(default_factory=dict, compare=False)
    warnings: tuple[YamlError, ...] = field(default=(), compare=False)

    @cached_property
    def digest(self) -> str:
        """The hunt's version (fingerprint): 16 hexadecimal digits that change when its results may, with its query and
        period. A comment, a line break or a new name does not change it. Exclusions have their own versions; of them
        only the columns that they read count here, because the hunt's hits must have these.

        SHA-256 of the period in microseconds (or nothing), a line break, the query as `formatted` writes it, a line for
        each column that only exclusions read, and one for each function and operator of the query whose results have
        changed since its version 1 (see `lakehunt.kql.semantics`)."""
        period = "" if self.query_period is None else str(self.query_period // timedelta(microseconds=1))
        query = _one_way_of_writing(self.query)
        deciding = [period, query, *sorted(self.excluded_by - ALWAYS_STORED), *semantics.versions_used(query)]
        return hashlib.sha256("\n".join(deciding).encode()).hexdigest()[:16]

    @property
    def excluded_by(self) -> frozenset[str]:
        """Event columns that its exclusions read, including expired ones but not disabled ones."""
        return frozenset[str]().union(*(one.columns for one in self.exclusions if one.enabled))

    def place(self, line: int, column: int) -> Position:
        """The position in the file of a position in the query; all numbers count from one."""
        return self.query_map.place(line, column)

    def error(self, line: int, column: int, message: str, hint: str = "") -> YamlError:
        """An error at a position in the query, reported at its position in the file."""
        return YamlError(str(self.file), self.place(line, column), message, hint)

    def sibling(self, what: str) -> Path:
        """The path of the hunt's `exclusions` or `tests` file; it need not exist."""
        return next(filter(Path.exists, siblings(self.file, what)), siblings(self.file, what)[0])


def siblings(file: Path, what: str) -> list[Path]:
    """The possible paths of a hunt's `exclusions` or `tests` file."""
    return [file.with_name(f"{file.stem}.{what}{suffix}") for suffix in SUFFIXES]


def _one_way_of_writing(query: str) -> str:
    """The query without comments and layout; unchanged if it cannot be parsed."""
    try:
        return formatted(parse(query))
    except (QueryErrors, KqlError):
        return re.sub(r"\r\n?", "\n", query).strip()


def load(path: str | Path, earlier: Mapping[str, Hunt] | None = None) -> Hunt:
    """The hunt in a file. An id that is in `earlier` (hunts by id) is an error.

    Raises YamlError for invalid YAML, HuntError with all other problems."""
    return read(strict_yaml.load_file(path), Path(path), earlier or {})


def load_folder(folder: str | Path) -> tuple[list[Hunt], list[LakehuntError]]:
    """All hunts in a folder and below, ordered by path, and the errors of files that are not valid hunts.

    Every `*.yaml` and `*.yml` is read, except hidden files and folders and the siblings of hunts.
    An id that an earlier file has is an error in the later one. The hunts have their exclusions; an invalid exclusion
    is an error, too. Raises LakehuntError if there is no such folder."""
    files, errors = find(folder)
    hunts: dict[str, Hunt] = {}
    for file in files:
        try:
            hunt = load(file, hunts)
        except LakehuntError as e:
            errors.append(e)
        else:
            hunts[hunt.id] = hunt
    loaded = exclusion_file.load(find(folder, exclusion_file.is_exclusion_file)[0], list(hunts.values()))
    errors += [error for one in loaded for error in one.errors]
    return with_exclusions(hunts.values(), loaded), errors


def with_exclusions(hunts: Iterable[Hunt], loaded: Iterable[ExclusionFile]) -> list[Hunt]:
    """The hunts, each with its exclusions."""
    own = exclusion_file.by_hunt(loaded)
    return [replace(hunt, exclusions=own.get(hunt.id, ())) for hunt in hunts]


def find(folder: str | Path, wanted: Callable[[Path], bool] | None = None) -> tuple[list[Path], list[LakehuntError]]:
    """The files in a folder and below (by default hunts), ordered by path, and the errors of unreadable folders."""
    root = Path(folder)
    if not root.is_dir():
        raise LakehuntError(f"no folder of hunts at {root}", "name it as `hunts` in the configuration")
    errors: list[LakehuntError] = []
    files = filter(wanted or is_hunt_file, _files(root, errors))
    return sorted(files, key=lambda file: file.relative_to(root).parts), errors


def _files(root: Path, errors: list[LakehuntError]) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:  # a folder passed over in silence would be hunts that never run
        errors.append(LakehuntError(f"{error.filename}: cannot be read: {error.strerror}", "check its permissions"))

    for folder, folders, names in os.walk(root, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(folder, name) for name in names)


def is_hunt_file(file: Path) -> bool:
    """Whether a file's name is that of a hunt."""
    is_sibling = file.stem.lower().endswith(tuple(f".{what}" for what in SIBLINGS))
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and not is_sibling


def read(document: strict_yaml.Mapping, file: Path, earlier: Mapping[str, Hunt]) -> Hunt:
    """The hunt in a document read from, or to be written to, a file. Raises HuntError as `load` does."""
    reader = _Reader(document)
    query, query_map = reader.query()
    hunt = Hunt(
        id=reader.id(f"{file.name}\n{query}", earlier),
        name=reader.title("name"),
        query=query,
        file=file,
        query_map=query_map,
        description=reader.text("description"),
        tactics=reader.texts("tactics"),
        techniques=reader.texts("relevantTechniques"),
        connectors=reader.connectors("requiredDataConnectors"),
        severity=reader.severity("severity"),
        query_period=reader.period("queryPeriod"),
        query_frequency=reader.period("queryFrequency"),
        tags=reader.tags("tags"),
        version=reader.text("version"),
        kind=reader.text("kind"),
        entity_mappings=reader.value("entityMappings"),
        other=reader.rest(),
        warnings=reader.warnings(),
    )
    if reader.problems:
        raise HuntError(reader.problems, hunt)
    return hunt


class _Reader:
    """Reads a document's fields into types; problems are collected, not raised."""

    def __init__(self, document: strict_yaml.Mapping) -> None:
        self.document = document
        self.problems: list[YamlError] = []
        self.known: set[str] = set()

    def value(self, key: str) -> Value:
        """A field's raw value; None if it is missing."""
        self.known.add(key)
        return self.document.get(key)

    def text(self, key: str) -> str:
        """A scalar as written, stripped; '' if it is missing."""
        return self._text(self.document, key, self.value(key))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, or a single text as a list of one; () if it is missing."""
        return self._texts(self.document, key, self.value(key))

    def tags(self, key: str) -> tuple[str, ...]:
        """A list of texts, or of mappings as Sentinel's rules have them: `Schema: ASimAuthentication` is a tag."""
        value = self.value(key)
        if not isinstance(value, strict_yaml.Sequence):
            return self.texts(key)
        tags: list[str] = []
        for index, entry in enumerate(value):
            if isinstance(entry, strict_yaml.Mapping):
                tags += [f"{name}: {self._text(entry, name, entry[name])}" for name in entry]
            else:
                tags.append(self._text(value, index, entry))
        return tuple(filter(None, tags))

    def title(self, key: str) -> str:
        """A required text on one line: it is shown in logs and tables."""
        title = self._needed(key, "a short name for people")
        if len(title.splitlines()) > 1:
            self._report(key, f"{key} has more than one line", "shorten it; `description` may have many lines")
        return title

    def id(self, seed: str, earlier: Mapping[str, Hunt]) -> str:
        """The GUID in lower case. It names tables and folders, so nothing else is accepted, and it must be unique."""
        suggestion = f"a GUID that no other hunt has, for example {uuid.uuid5(_ID_NAMESPACE, seed)}"
        text = self._needed("id", suggestion).lower()
        if text and not GUID.fullmatch(text):
            self._report("id", f"id is not a GUID: {text[:60]!r}", f"write {suggestion}")
        if text in earlier:
            self._report("id", f"id {text} is also that of {earlier[text].file}", "give each hunt an id of its own")
        return text

    def query(self) -> tuple[str, TextMap]:
        """The query without its Markdown fence, if any, and its position map."""
        if not self._needed("query", "the KQL, in a block after 'query: |'"):
            return "", _ANYWHERE
        text, text_map = self.document.text("query"), self.document.text_map("query")
        try:
            return _without_fence(text, text_map)
        except ValueError as e:
            self._report("query", f"query: {e}", "write the KQL without a Markdown fence")
            return text, text_map

    def period(self, key: str) -> timedelta | None:
        """A duration; None if it is missing."""
        text = self.text(key)
        if not text:
            return None
        try:
            return parse_period(text)
        except ValueError as e:
            self._report(key, f"{key}: {e}", "write for example 7d, 1h, 30m, P7D or PT1H")
            return None

    def severity(self, key: str) -> str | None:
        """One of SEVERITIES, ignoring case; None if it is missing."""
        text = self.text(key)
        severity = next((severity for severity in SEVERITIES if severity.lower() == text.lower()), None)
        if text and not severity:
            self._report(key, f"{key}: unknown {text[:60]!r}", f"write one of {', '.join(SEVERITIES)}")
        return severity

    def connectors(self, key: str) -> tuple[Connector, ...]:
        """A list of mappings (Sentinel's form) or of names, or a single one of either; () if it is missing."""
        value = self.value(key)
        if isinstance(value, strict_yaml.Sequence):
            connectors = [self._connector(value, index, entry) for index, entry in enumerate(value)]
        else:
            connectors = [self._connector(self.document, key, value)]
        return tuple(connector for connector in connectors if connector != Connector(""))

    def rest(self) -> dict[str, Value]:
        """The fields that were not read."""
        return {key: value for key, value in self.document.items() if key not in self.known}

    def warnings(self) -> tuple[YamlError, ...]:
        """Suspicious entries that change no result, ordered by position: unknown fields, tactics and techniques that
        ATT&CK does not have, and a frequency that Sentinel does not allow."""
        fields = [self._unknown(key) for key in self.rest() if key not in _TOLERATED]
        tactics = self._not_in_attack("tactics", attack.problem_of_tactic)
        techniques = self._not_in_attack("relevantTechniques", attack.problem_of_technique)
        found = [*fields, *tactics, *techniques, *self._not_allowed("queryFrequency")]
        return tuple(sorted(found, key=lambda warning: warning.position))

    def _not_allowed(self, key: str) -> Iterator[YamlError]:
        """A warning for a frequency that is not used as it is."""
        with suppress(ValueError):
            text = self.text(key)
            if text and (used := period.allowed_frequency(wanted := parse_period(text))) != wanted:
                problem = f"{key}: {text[:60]!r} is not between 5 minutes and 14 days, as Sentinel wants it"
                yield self.document.value_error(key, problem, f"the hunt is asked every {written(used)}")

    def _unknown(self, key: str) -> YamlError:
        similar = difflib.get_close_matches(key, sorted(self.known | _TOLERATED), n=1, cutoff=0.8)
        hint = f"did you mean {similar[0]!r}?" if similar else ""
        return self.document.error(key, f"unknown field {key[:60]!r} is kept but not used", hint)

    def _not_in_attack(self, key: str, problem_of: Callable[[str], tuple[str, str] | None]) -> Iterator[YamlError]:
        """A warning for each list entry that has a problem."""
        value = self.document.get(key)
        entries: list[tuple[Located[Any], Any]] = [(self.document, key)] if key in self.document else []
        if isinstance(value, strict_yaml.Sequence):
            entries = [(value, index) for index in range(len(value))]
        for parent, entry in entries:
            is_text = parent.places.entries[entry].scalar is not None
            text = parent.text(entry).strip() if is_text and not parent.is_empty(entry) else ""
            if text and (problem := problem_of(text)):
                yield parent.value_error(entry, *problem)

    def _needed(self, key: str, what: str) -> str:
        text = self.text(key)
        if not text and not isinstance(self.document.get(key), (dict, list)):
            problem = f"{key} is empty" if key in self.document else f"{key} is missing"
            self._report(key, problem, self._misspelt(key) or f"add '{key}:' with {what}")
        return text

    def _misspelt(self, key: str) -> str:
        similar = next((other for other in self.document if other.lower() == key and other != key), None)
        return f"write {key!r} for {similar!r} on line {self.document.line(similar)}" if similar else ""

    def _connector(self, parent: Located[Key], key: Key, value: Value) -> Connector:
        if not isinstance(value, strict_yaml.Mapping):
            return Connector(self._text(parent, key, value))
        name = self._text(value, "connectorId", value.get("connectorId"))
        return Connector(name, self._texts(value, "dataTypes", value.get("dataTypes")))

    def _texts(self, parent: Located[Key], key: Key, value: Value) -> tuple[str, ...]:
        if isinstance(value, strict_yaml.Sequence):
            texts = [self._text(value, index, entry) for index, entry in enumerate(value)]
        else:
            texts = [self._text(parent, key, value)]
        return tuple(text for text in texts if text)

    def _text(self, parent: Located[Key], key: Key, value: Value) -> str:
        name = key if isinstance(key, str) else f"entry {key + 1}"
        if isinstance(value, (dict, list)):
            self.problems.append(
                parent.value_error(key, f"{name}: expected text", "write one value, in quotes if needed")
            )
            return ""
        text = "" if parent.is_empty(key) else parent.text(key).strip()
        if _CONTROL.search(text):
            self.problems.append(parent.value_error(key, f"{name} has a control character", "remove the escape"))
        return text

    def _report(self, key: str, problem: str, hint: str) -> None:
        self.problems.append(self.document.value_error(key, problem, hint))


def _without_fence(text: str, text_map: TextMap) -> tuple[str, TextMap]:
    """The text between ```kql and ```, or the unchanged text. Raises ValueError for an unclosed fence."""
    lines = text.split("\n")
    filled = [number for number, line in enumerate(lines) if line.strip()]
    first, last = filled[0], filled[-1]
    opening = _FENCE.fullmatch(lines[first])
    if not opening:
        return text, text_map
    if first == last or lines[last].strip() != opening[1]:
        raise ValueError(f"the {opening[1]} that opens it is not closed at its end")
    if not any(first < number < last for number in filled):
        raise ValueError("nothing is inside the Markdown fence")
    return "\n".join(lines[first + 1 : last]) + "\n", text_map.skip(first + 1)
