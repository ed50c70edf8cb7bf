"""The ATT&CK tactics and techniques that the hunts cover, with their numbers of findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lakehunt.hunting.content import attack
from lakehunt.hunting.content.attack import AttackEntry
from lakehunt.reporting.report_data import Report


@dataclass(frozen=True)
class Technique:
    """A tactic or technique: the ids of its hunts, and how many findings these have. The name is '' for an id that
    this version of ATT&CK does not have."""

    id: str
    name: str
    hunts: Mapping[str, str] = field(default_factory=dict)
    findings: int = 0


@dataclass(frozen=True)
class Coverage:
    """All tactics in the order of the matrix; the techniques that a hunt names, those with most findings first."""

    tactics: Sequence[Technique]
    techniques: Sequence[Technique]


def coverage(report: Report) -> Coverage:
    """A finding counts for every tactic and technique of its hunt: the hunt does not say which one it shows."""
    found = Counter(one.hunt_id for one in report.findings)
    tactics: dict[str, dict[str, str]] = {}
    techniques: dict[str, dict[str, str]] = {}
    names: dict[str, str] = {}
    for hunt in report.hunts:
        meant = attack.normalised(hunt.tactics, hunt.techniques)
        _add(tactics, meant.tactics, hunt.id, hunt.name)
        _add(techniques, meant.techniques, hunt.id, hunt.name)
        names |= {entry.id: entry.name for entry in meant.techniques}
    return Coverage(
        [Technique(id_, name, *_counted(tactics.get(id_, {}), found)) for id_, name in attack.tactics().items()],
        sorted(
            (Technique(id_, names[id_], *_counted(hunts, found)) for id_, hunts in techniques.items()),
            key=lambda one: (-one.findings, one.id),
        ),
    )


def _add(into: dict[str, dict[str, str]], entries: Iterable[AttackEntry], id_: str, name: str) -> None:
    for entry in entries:
        into.setdefault(entry.id, {})[id_] = name


def _counted(hunts: Mapping[str, str], found: Mapping[str, int]) -> tuple[Mapping[str, str], int]:
    return hunts, sum(found[id_] for id_ in hunts)
