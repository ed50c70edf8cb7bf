"""A Sigma rule as a hunt: its query, and its metadata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lakehunt.core.strict_yaml import YamlError
from lakehunt.hunting.content import attack
from lakehunt.hunting.content.attack import AttackMapping
from lakehunt.hunting.content.hunt_file import GUID
from lakehunt.importing.hunt_writer import GeneratedHunt
from lakehunt.importing.sigma import layout, sources
from lakehunt.importing.sigma.documents import LEVELS, STATUSES, Document
from lakehunt.importing.sigma.sources import Source
from lakehunt.importing.sigma.writer import ConditionWriter

SEVERITIES = dict(zip(LEVELS, ("Informational", "Low", "Medium", "High", "High"), strict=True))
"""Sentinel's severity for each level of Sigma; it has none above High. The level itself is in the hunt's metadata."""

_ATTACK = "attack."


class NoSourceError(YamlError):
    """The lake has no table with the events of a rule."""


@dataclass(frozen=True)
class Choice:
    """Which rules to import: those with one of these levels, and so on; all of them where nothing is said."""

    levels: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()

    def why_not(self, document: Document, rules: Sequence[Document]) -> str:
        """Why a document is not among the chosen ones; '' if it is. `rules` are those whose log sources are asked for.
        Raises YamlError for an invalid rule."""
        asked = [
            ("level", self.levels, document.one_of("level", LEVELS)),
            ("status", self.statuses, document.one_of("status", STATUSES)),
            *(("product", self.products, rule.logsource.product) for rule in rules),
            *(("category", self.categories, rule.logsource.category) for rule in rules),
        ]
        return next((f"{what} {has or 'not given'}" for what, wanted, has in asked if wanted and has not in wanted), "")


EVERYTHING = Choice()


@dataclass(frozen=True)
class WrittenQuery:
    """A rule's query, what the rule asks that it leaves out, and the period of events that it needs ('': any)."""

    text: str
    left_out: tuple[str, ...] = ()
    period: str = ""


def source_of(rule: Document) -> Source:
    """The source of a rule's events. Raises NoSourceError."""
    logsource = rule.logsource
    source = sources.find(logsource.category)
    if source and not logsource.service and (not logsource.product or logsource.product in source.products):
        return source
    why = sources.why_missing(logsource.category) or "no table has its events"
    place = rule.content.position("logsource")
    raise NoSourceError(str(rule.file), place, f"{logsource}: {why}")


def query(rule: Document, filters: Sequence[Document] = ()) -> WrittenQuery:
    """The query of a rule, for which all filters must hold too. Raises YamlError for what cannot be written."""
    writer, head, condition = head_and_condition(rule, filters)
    text = "\n".join([*head, *writer.extends, layout.where(condition)])
    left_out = tuple(dict.fromkeys(error.problem for error in writer.left_out))
    return WrittenQuery(f"{text}\n", left_out)


def head_and_condition(
    rule: Document, filters: Sequence[Document] = ()
) -> tuple[ConditionWriter, list[str], layout.Condition]:
    """What the query of a rule is made of: the writer of its conditions, which knows the fields to compute first, the
    lines that choose the events of its source, and its condition. Raises YamlError."""
    source = source_of(rule)
    writer = ConditionWriter(source)
    condition = layout.conjunction([writer.condition_of(one) for one in (rule, *filters)])
    first = [part for part in (source.where, source.products.get(rule.logsource.product, "")) if part]
    return writer, [source.table, *([f"| where {' and '.join(first)}"] if first else [])], condition


def hunt(rule: Document, query: WrittenQuery, license_: str) -> tuple[GeneratedHunt, AttackMapping]:
    """The hunt of a rule, and the rule's place in ATT&CK."""
    labels = {tag: _label(tag) for tag in rule.texts("tags")}
    tactics = [label for label in labels.values() if attack.tactic(label)]
    techniques = [label for label in labels.values() if attack.technique(label)]
    mapping = attack.normalised(tactics, techniques)
    generated = GeneratedHunt(
        seed=f"{rule.source.as_posix()}\n{rule.number}",
        source=rule.source,
        name=rule.text("title") or rule.file.stem,
        query=query.text,
        description=_description(rule, query),
        tactics=[entry.name for entry in mapping.tactics],
        techniques=[entry.id for entry in mapping.techniques],
        tags=[tag for tag, label in labels.items() if label not in {*tactics, *techniques}],
        id=id_ if GUID.fullmatch(id_ := rule.text("id").lower()) else "",
        severity=SEVERITIES.get(rule.one_of("level", LEVELS), ""),
        status=rule.one_of("status", STATUSES),
        period=query.period,
        metadata=_metadata(rule, license_),
        comment="# Made of a Sigma rule by `lakehunt import`.",
    )
    return generated, mapping


def _label(tag: str) -> str:
    """`defense evasion` for `attack.defense_evasion`; '' for what is not of ATT&CK."""
    return tag.removeprefix(_ATTACK).replace("_", " ") if tag.startswith(_ATTACK) else ""


def _description(rule: Document, query: WrittenQuery) -> str:
    false_positives = "; ".join(rule.texts("falsepositives"))
    paragraphs = [
        rule.text("description"),
        f"False positives: {false_positives}" if false_positives else "",
        f"Not asked: {'; '.join(query.left_out)}" if query.left_out else "",
    ]
    return "\n\n".join(filter(None, paragraphs))


def _metadata(rule: Document, license_: str) -> dict[str, str | Sequence[str]]:
    written: dict[str, str | Sequence[str]] = {
        "level": rule.one_of("level", LEVELS),
        "author": ", ".join(rule.texts("author")),
        "date": rule.text("date"),
        "modified": rule.text("modified"),
        "license": rule.text("license") or license_,
        "references": rule.texts("references"),
        "falsePositives": rule.texts("falsepositives"),
        "related": tuple(rule.related()),
    }
    return {key: value for key, value in written.items() if value}
