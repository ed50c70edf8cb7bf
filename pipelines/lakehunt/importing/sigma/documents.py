"""The Sigma documents of a YAML file: rules, correlation rules and filters, one or several in a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from lakehunt.core import strict_yaml
from lakehunt.core.strict_yaml import Position, YamlError
from lakehunt.importing.sigma import conditions, detections
from lakehunt.importing.sigma.expressions import Expression, any_of

LEVELS = ("informational", "low", "medium", "high", "critical")
STATUSES = ("stable", "test", "experimental", "deprecated", "unsupported")

_SEPARATOR = re.compile(r"---(?:[ \t]|$)")
_KEYS = re.compile(r"^(logsource|detection|correlation|filter)[ \t]*:", re.MULTILINE)


class Kind(StrEnum):
    """What a document is: the key that only this kind has."""

    RULE = "detection"
    CORRELATION = "correlation"
    FILTER = "filter"


def is_sigma(text: str) -> bool:
    """Whether a YAML text has the keys of a Sigma document."""
    keys = set(_KEYS.findall(text))
    return {"logsource", "detection"} <= keys or {"logsource", "filter"} <= keys or "correlation" in keys


@dataclass(frozen=True)
class Document:
    """A rule, a correlation rule or a filter. `source` is its file, relative to the pack; `number` counts the file's
    documents from 1, of `of`."""

    content: strict_yaml.Mapping
    file: Path
    source: Path
    number: int
    of: int

    @cached_property
    def kind(self) -> Kind:
        return next((kind for kind in (Kind.CORRELATION, Kind.FILTER) if kind in self.content), Kind.RULE)

    @property
    def place(self) -> Position:
        return self.content.position(self.kind)

    def text(self, key: str) -> str:
        """A scalar as written; '' if it is missing. Raises YamlError for a collection."""
        return "" if self.content.is_empty(key) else self.content.text(key).strip()

    def texts(self, key: str) -> tuple[str, ...]:
        """The scalars of a list, or a single scalar; collections in it are passed over."""
        value = self.content.get(key)
        if isinstance(value, strict_yaml.Sequence):
            scalars = [
                n for n, entry in enumerate(value) if not isinstance(entry, (dict, list)) and not value.is_empty(n)
            ]
            return tuple(value.text(number).strip() for number in scalars)
        return () if isinstance(value, dict) else tuple(filter(None, [self.text(key)]))

    def one_of(self, key: str, known: Sequence[str]) -> str:
        """A scalar of a known set, in lower case; '' if it is missing. Raises YamlError for others."""
        text = self.text(key).lower()
        if text and text not in known:
            raise self.content.value_error(
                key, f"{text[:60]!r} is not a {key} of Sigma", f"write one of {', '.join(known)}"
            )
        return text

    def related(self) -> Iterator[str]:
        """`derived: <id>` for each entry of `related`."""
        value = self.content.get("related")
        for entry in value if isinstance(value, list) else ():
            if isinstance(entry, strict_yaml.Mapping) and {"id", "type"} <= entry.keys():
                yield f"{entry['type']}: {entry['id']}"

    @cached_property
    def logsource(self) -> LogSource:
        value = self.content.get("logsource")
        if not isinstance(value, strict_yaml.Mapping):
            raise self.content.error("logsource", "expected category, product or service in it")
        return LogSource(*("" if value.is_empty(key) else value.text(key).lower() for key in LogSource.KEYS))

    @cached_property
    def filtered(self) -> frozenset[str]:
        """The ids and names, in lower case, of the rules that a filter is for; `any` for all of them."""
        body = self.content[Kind.FILTER]
        if not isinstance(body, strict_yaml.Mapping) or "rules" not in body:
            raise self.content.error(Kind.FILTER, "expected rules, searches and a condition in filter")
        named = body["rules"]
        if isinstance(named, strict_yaml.Sequence):
            return frozenset(named.text(number).strip().lower() for number in range(len(named)))
        return frozenset([body.text("rules").strip().lower()])

    @cached_property
    def expression(self) -> Expression:
        """What a rule or a filter asks of an event. Raises YamlError for what Sigma does not allow."""
        searches = self.content[self.kind]
        if not isinstance(searches, strict_yaml.Mapping):
            raise self.content.error(self.kind, f"expected searches and a condition in {self.kind}")
        if "condition" not in searches:
            raise searches.error("condition", "condition is missing", "add 'condition: selection'")
        if "timeframe" in searches:
            raise searches.error("timeframe", "timeframe is of Sigma 1: a correlation rule takes its place")
        known = {name: detections.read(searches, name) for name in searches if name not in _NO_SEARCHES}
        return any_of([self._condition(text, place, known) for text, place in _conditions(searches)])

    def _condition(self, text: str, place: Position, searches: dict[str, Expression]) -> Expression:
        try:
            return conditions.parse(text, searches)
        except ValueError as e:
            raise YamlError(str(self.file), place, f"condition: {e}") from e


_NO_SEARCHES = frozenset({"condition", "rules", "timeframe"})


@dataclass(frozen=True)
class LogSource:
    """The kind of log that a rule is about; '' for what it does not say."""

    category: str = ""
    product: str = ""
    service: str = ""

    KEYS = ("category", "product", "service")

    def __str__(self) -> str:
        return ", ".join(f"{key} {value}" for key in self.KEYS if (value := getattr(self, key))) or "any log source"


def read(text: str, file: Path, source: Path) -> list[Document]:
    """The documents of a text, without empty ones. Raises YamlError for invalid YAML."""
    contents = [content for content in (strict_yaml.load(one, str(file)) for one in _split(text)) if content]
    return [Document(content, file, source, number, len(contents)) for number, content in enumerate(contents, 1)]


def _split(text: str) -> Iterator[str]:
    """The text of each document, below as many empty lines as it has before it in its file."""
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if _SEPARATOR.match(line)]
    if not starts:
        yield text
        return
    for start, end in zip([-1, *starts], [*starts, len(lines)], strict=True):
        if any(line.strip() for line in lines[start + 1 : end]):
            yield "\n" * (start + 1) + "\n".join(lines[start + 1 : end]) + "\n"


def _conditions(searches: strict_yaml.Mapping) -> Iterator[tuple[str, Position]]:
    """The conditions, with their positions: one, or a list of which any may hold."""
    value = searches["condition"]
    if isinstance(value, strict_yaml.Sequence):
        for number in range(len(value)):
            yield value.text(number), value.position(number)
    else:
        yield searches.text("condition"), searches.position("condition")
