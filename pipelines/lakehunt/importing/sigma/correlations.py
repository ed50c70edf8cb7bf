"""Correlation rules: conditions on the events of other rules within a span of time.

A window is as long as the rule's timespan and ends at each event; both ends belong to it. The specification
(https://sigmahq.io/sigma-specification/specification/sigma-correlation-rules-specification.html) asks for events within
the timespan, and not for windows that start at fixed times: these would lose what lies across two of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from lakehunt.core import strict_yaml
from lakehunt.core.strict_yaml import Position, YamlError
from lakehunt.importing.sigma import layout
from lakehunt.importing.sigma.documents import Document, Kind
from lakehunt.importing.sigma.rules import WrittenQuery, head_and_condition
from lakehunt.importing.sigma.writer import field_text

_COUNTS = {"event_count": "count()", "value_count": "count_distinct(Value)", "temporal": "count_distinct(Rule)"}
_SUMS = {"value_sum": "sum(toreal(Value))", "value_avg": "avg(toreal(Value))"}
_PERCENTILE = "value_percentile"
_ORDERED = "temporal_ordered"
_TYPES = (*_COUNTS, *_SUMS, _PERCENTILE, _ORDERED)
_OPERATORS = {"gt": ">", "gte": ">="}
_TIMESPAN = re.compile(r"([1-9][0-9]*)([smhd])")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN_COLUMNS = frozenset({"Found", "Most", "Rule", "Timestamp", "Value", "WindowEnd", "WindowStart", "Windows"})
_LONGEST_DEFAULT = 3  # days of a window that the default period of hunts, a week, takes in well


@dataclass(frozen=True)
class Correlation:
    """A correlation rule, how to find the documents that it names, and the filters of a rule."""

    document: Document
    find: Callable[[str], Document | None]
    filters_of: Callable[[Document], Sequence[Document]]

    @property
    def body(self) -> strict_yaml.Mapping:
        body = self.document.content[Kind.CORRELATION]
        if not isinstance(body, strict_yaml.Mapping):
            raise self.document.content.error(Kind.CORRELATION, "expected type, rules and timespan in it")
        return body

    @cached_property
    def rules(self) -> list[Document]:
        """The rules whose events it correlates. Raises YamlError for a name that no rule of the pack has."""
        found = []
        for name, place in _texts(self.body, "rules"):
            rule = self.find(name.lower())
            if rule is None:
                raise self._error(place, f"no rule {name[:60]!r} in the pack", "import it together with the rule")
            if rule.kind is not Kind.RULE:
                raise self._error(place, f"{name[:60]!r} is a correlation rule: of these none can be correlated")
            found.append(rule)
        return found

    @property
    def generates(self) -> bool:
        """Whether its rules are also hunts of their own."""
        return self.body.get("generate") is True

    def query(self) -> WrittenQuery:
        """The query. Raises YamlError for what cannot be written."""
        rules, left_out = self.rules, list[str]()
        if not rules:
            raise self.body.error("rules", "rules are missing", "name those whose events it correlates")
        parts = [self._events(rule, number, left_out) for number, rule in enumerate(rules)]
        lines = self._ordered(parts) if self.type == _ORDERED else self._aggregated(parts)
        return WrittenQuery("\n".join(lines) + "\n", tuple(dict.fromkeys(left_out)), self._period)

    @cached_property
    def type(self) -> str:
        text = self.body.text("type") if "type" in self.body else ""
        if text not in _TYPES:
            raise self.body.value_error("type", f"{text[:60]!r} is not a known type of correlation", ", ".join(_TYPES))
        return text

    @cached_property
    def timespan(self) -> str:
        """As KQL writes it: `5m`."""
        text = self.body.text("timespan") if "timespan" in self.body else ""
        if not _TIMESPAN.fullmatch(text):
            raise self.body.value_error(
                "timespan", f"{text[:60]!r} is not a timespan", "write for example 30s, 5m, 1h, 2d"
            )
        return text

    @cached_property
    def groups(self) -> list[str]:
        found = list(_texts(self.body, "group-by")) if "group-by" in self.body else []
        for name, place in found:
            self._check_name(name, place)
        return [name for name, _ in found]

    @property
    def _period(self) -> str:
        """The period that the hunt needs so that a window fits twice; '' if the default one does."""
        found = _TIMESPAN.fullmatch(self.timespan)
        assert found is not None
        days = int(found[1]) / {"s": 86400, "m": 1440, "h": 24, "d": 1}[found[2]]
        return f"{int(2 * days) + 1}d" if days > _LONGEST_DEFAULT else ""

    def _check_name(self, name: str, place: Position) -> None:
        if not _NAME.fullmatch(name) or name in _OWN_COLUMNS:
            raise self._error(place, f"{name[:60]!r} cannot be the name of a column here")

    def _error(self, place: Position, problem: str, hint: str = "") -> YamlError:
        return YamlError(str(self.document.file), place, problem, hint)

    # The events of a rule: `Timestamp`, `Rule`, the groups, and `Value` if the condition has a field

    def _events(self, rule: Document, number: int, left_out: list[str]) -> str:
        names = {group: self._field_of(group, rule, number) for group in self.groups}
        if self.type not in {"event_count", "temporal", _ORDERED}:
            names["Value"] = self._value_field
        writer, head, condition = head_and_condition(rule, self.filters_of(rule))
        place = self.body.position("group-by" if self.groups else "condition")
        writer.file = str(self.document.file)
        texts = {name: field_text(writer.field(field, place), self._error(place, f"{field} cannot be grouped by"))
                 for name, field in names.items()}  # fmt: skip
        left_out += [error.problem for error in writer.left_out]
        columns = ["Timestamp", f'Rule = "{number + 1}"', *(f"{name} = {text}" for name, text in texts.items())]
        lines = [*head, *writer.extends, layout.where(condition), f"| project {', '.join(columns)}"]
        return "\n".join(lines)

    def _field_of(self, group: str, rule: Document, number: int) -> str:
        """The field of a rule that is meant by a name in group-by, which may be an alias."""
        aliases = self.body.get("aliases")
        alias = aliases.get(group) if isinstance(aliases, strict_yaml.Mapping) else None
        if not isinstance(alias, strict_yaml.Mapping):
            return group
        names = {rule.text("name").lower(), rule.text("id").lower()} - {""}
        found = next((str(field) for name, field in alias.items() if name.lower() in names), "")
        if not found:
            place = self.body.position("aliases")
            raise self._error(place, f"the alias {group} has no field for {rule.text('title')[:60]!r}")
        return found

    # Conditions

    @cached_property
    def _condition(self) -> strict_yaml.Mapping:
        value = self.body.get("condition")
        if not isinstance(value, strict_yaml.Mapping):
            raise self.body.error("condition", "expected a condition such as 'gte: 10'")
        return value

    @property
    def _value_field(self) -> str:
        if "field" not in self._condition:
            raise self._condition.error("field", f"{self.type} needs a field in its condition", "add 'field: ...'")
        return self._condition.text("field")

    def _threshold(self, rules: int) -> str:
        """`>= 10`; several comparisons must all hold."""
        if self.type == "temporal" and "condition" not in self.body:
            return f"Found >= {rules}"
        known = {*_OPERATORS, "field", *(["percentile"] if self.type == _PERCENTILE else [])}
        for key in self._condition:
            if key not in known:
                problem = (
                    f"{key}: only gt and gte can be asked of a window, as it also holds when fewer events are in it"
                )
                raise self._condition.error(key, problem)
        asked = [(key, self._number(key)) for key in self._condition if key in _OPERATORS]
        if not asked:
            raise self._condition.error("gte", "a comparison is missing", "add for example 'gte: 10'")
        return " and ".join(f"Found {_OPERATORS[key]} {number}" for key, number in asked)

    def _number(self, key: str) -> int | float:
        value = self._condition[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._condition.value_error(key, f"{key}: expected a number")
        return value

    def _aggregate(self) -> str:
        if self.type == _PERCENTILE:
            percentile = self._number("percentile") if "percentile" in self._condition else 50
            return f"percentile(toreal(Value), {percentile})"
        return (_COUNTS | _SUMS)[self.type]

    # Queries

    def _aggregated(self, parts: Sequence[str]) -> list[str]:
        keys = self.groups or ["Rules"]
        by = ", ".join(keys)
        everything = "" if self.groups else '| extend Rules = "all"\n'
        return [
            "let Events = materialize(",
            _union([f"{part}" for part in parts]),
            f"{everything});",
            "Events",
            f"| distinct {by}, Timestamp",
            "| project-rename WindowEnd = Timestamp",
            f"| join kind=inner Events on {by}",
            f"| where Timestamp between (WindowEnd - {self.timespan} .. WindowEnd)",
            f"| summarize Found = {self._aggregate()}, WindowStart = min(Timestamp) by {by}, WindowEnd",
            f"| where {self._threshold(len(parts))}",
            _one_row_for_each(by),
        ]

    def _ordered(self, parts: Sequence[str]) -> list[str]:
        """From each event of the first rule to the earliest one of the next rule after it, and so on."""
        if "condition" in self.body:
            raise self.body.error("condition", "a condition of temporal_ordered is not known here")
        keys = self.groups or ["Rules"]
        by = ", ".join(keys)
        columns = by if self.groups else 'Rules = "all"'
        lines = [f"{parts[0]}\n| summarize by WindowStart = Timestamp, {columns}\n| extend WindowEnd = WindowStart"]
        for part in parts[1:]:
            lines += [
                f"| join kind=inner (\n{part}\n| summarize by Timestamp, {columns}) on {by}",
                f"| where Timestamp between (WindowEnd .. WindowStart + {self.timespan})",
                f"| summarize WindowEnd = min(Timestamp) by {by}, WindowStart",
            ]
        return [*lines, f"| extend Found = {len(parts)}", _one_row_for_each(by)]


def _union(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else "union\n" + ",\n".join(f"({part})" for part in parts)


def _one_row_for_each(by: str) -> str:
    found = "Windows = count(), Most = max(Found), WindowStart = min(WindowStart), WindowEnd = max(WindowEnd)"
    return f"| summarize {found} by {by}"


def _texts(parent: strict_yaml.Mapping, key: str) -> list[tuple[str, Position]]:
    """A list of texts, or a single one, with their positions."""
    value: object = parent.get(key)
    if isinstance(value, strict_yaml.Sequence):
        return [(value.text(number).strip(), value.position(number)) for number in range(len(value))]
    return [(parent.text(key).strip(), parent.position(key))] if key in parent else []
