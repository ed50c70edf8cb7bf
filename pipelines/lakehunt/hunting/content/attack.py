"""Maps what hunts write to MITRE ATT&CK: `PrivilegeEscalation`, `privilege escalation` and `TA0004` are the same.

A hunt's own words stay as they are, in its file and in `findings.all`, which has ATT&CK's beside them; every entry here
keeps them as `written`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lakehunt.core import strict_yaml

_FILE = Path(__file__).with_name("attack.yaml")

_ALIASES = {
    "c2": "TA0011",
    "candc": "TA0011",
    "commandcontrol": "TA0011",
    "defenceevasion": "TA0005",
    "exfil": "TA0010",
    "privesc": "TA0004",
    "recon": "TA0043",
}
"""Other names of tactics, letters only."""

_OTHER_TACTICS = frozenset([
    *("preattack", "impairprocesscontrol", "inhibitresponsefunction"),
    *("exploit", "malware", "malwarecomponent", "misconfiguration", "ransomware", "vulnerability"),
])  # fmt: skip
"""Tactics in Microsoft's hunts that ATT&CK for Enterprise does not have, letters only: Sentinel's from other matrices,
and Defender's alert categories."""

_OTHER_MATRIX = re.compile(r"T0[0-9]{3}")  # ATT&CK for ICS

_TACTIC_ID = re.compile(r"\bTA[0-9]{4}\b", re.IGNORECASE)
_TECHNIQUE_ID = re.compile(r"(?<![A-Za-z0-9])T([0-9]{4})(?:[./]([0-9]{3}))?(?![0-9])", re.IGNORECASE)


@dataclass(frozen=True)
class AttackEntry:
    """A tactic or technique: ATT&CK's id and name. The name is '' for an id that this version does not have."""

    id: str
    name: str
    written: str

    def json(self) -> dict[str, str | None]:
        return {"id": self.id, "name": self.name or None, "written": self.written}


@dataclass(frozen=True)
class AttackMapping:
    """The distinct ATT&CK labels of a hunt; `unknown` are labels that are neither tactic nor technique, unchanged."""

    tactics: tuple[AttackEntry, ...] = ()
    techniques: tuple[AttackEntry, ...] = ()
    unknown: tuple[str, ...] = ()

    def json(self) -> dict[str, list[Any]]:
        return {
            "tactics": [entry.json() for entry in self.tactics],
            "techniques": [entry.json() for entry in self.techniques],
            "other_words": list(self.unknown),
        }


@dataclass(frozen=True)
class _Names:
    version: str
    tactics: Mapping[str, str]
    former_tactic_names: Mapping[str, str]
    techniques: Mapping[str, str]
    revoked: Mapping[str, str]


def version() -> str:
    """The ATT&CK version of the names."""
    return _names().version


def tactics() -> Mapping[str, str]:
    """Ids and names of all tactics, in the order of the matrix."""
    return _names().tactics


def normalised(tactics: Iterable[str], techniques: Iterable[str]) -> AttackMapping:
    """ATT&CK's ids and names for the tactics and techniques that a hunt writes."""
    known_tactics, other_tactics = _recognised(tactics, tactic)
    known_techniques, other_techniques = _recognised(techniques, technique)
    return AttackMapping(known_tactics, known_techniques, other_tactics + other_techniques)


def tactic_names(written: Iterable[str]) -> tuple[str, ...]:
    """ATT&CK's names of tactics without duplicates; unknown ones stay unchanged."""
    return tuple(dict.fromkeys(entry.name if (entry := tactic(text)) else text for text in written))


def technique_ids(written: Iterable[str]) -> tuple[str, ...]:
    """ATT&CK's ids of techniques without duplicates; unknown ones stay unchanged."""
    return tuple(dict.fromkeys(entry.id if (entry := technique(text)) else text for text in written))


def tactic(written: str) -> AttackEntry | None:
    """The tactic with this id or name, ignoring case and spaces."""
    names = _names().tactics
    found = _TACTIC_ID.search(written)
    id_ = found[0].upper() if found else _tactic_ids().get(_letters(written), "")
    return AttackEntry(id_, names[id_], written) if id_ in names else None


def technique(written: str) -> AttackEntry | None:
    """The technique whose id is written; for an id that was revoked, the one that took its place.

    An id of the right form that this version does not have is kept, without a name: it may be newer, or of another
    matrix."""
    found = _TECHNIQUE_ID.search(written)
    if not found:
        return None
    id_ = f"T{found[1]}.{found[2]}" if found[2] else f"T{found[1]}"
    id_ = _names().revoked.get(id_, id_)
    return AttackEntry(id_, _technique_name(id_), written)


def problem_of_tactic(written: str) -> tuple[str, str] | None:
    """The problem with a hunt's tactic, and a hint; None if it is valid."""
    if tactic(written) or _letters(written) in _OTHER_TACTICS:
        return None
    names = {_letters(name): name.title().replace(" ", "") for name in _names().tactics.values()}
    near = difflib.get_close_matches(_letters(written), list(names), n=1, cutoff=0.7)
    hint = f"did you mean {names[near[0]]!r}?" if near else f"tactics: {', '.join(names.values())}"
    return f"{written[:60]!r} is not a tactic of MITRE ATT&CK", hint


def problem_of_technique(written: str) -> tuple[str, str] | None:
    """The problem with a hunt's technique, and a hint; None if it is valid."""
    found = technique(written)
    if found and (found.name or _OTHER_MATRIX.match(found.id)):
        return None
    if found:
        parent = technique(found.id.partition(".")[0])
        known = f"; {parent.id} is {parent.name}" if parent and parent.name else ""
        hint = f"see https://attack.mitre.org/techniques{known}"
        return f"MITRE ATT&CK {version()} has no technique {found.id}", hint
    by_name = {_letters(name): id_ for id_, name in _names().techniques.items()}
    near = difflib.get_close_matches(_letters(written), list(by_name), n=1, cutoff=0.85)
    hint = f"did you mean {by_name[near[0]]}?" if near else "write its id, for example T1059.001"
    return f"{written[:60]!r} is not the id of a technique", hint


def known_techniques(text: str) -> Iterator[str]:
    """The technique ids in a text, as written; only ids that ATT&CK has or had."""
    names = _names()
    for found in _TECHNIQUE_ID.finditer(text):
        id_ = found[0].upper().replace("/", ".")
        if id_ in names.techniques or id_ in names.revoked:
            yield id_


def _technique_name(id_: str) -> str:
    """`Command and Scripting Interpreter: PowerShell` for a sub-technique, as ATT&CK's pages call it."""
    names = _names().techniques
    name, parent = names.get(id_, ""), names.get(id_.partition(".")[0], "")
    return f"{parent}: {name}" if name and "." in id_ else name


def _recognised(
    texts: Iterable[str], read: Callable[[str], AttackEntry | None]
) -> tuple[tuple[AttackEntry, ...], tuple[str, ...]]:
    entries: dict[str, AttackEntry] = {}
    unknown: list[str] = []
    for text in texts:
        entry = read(text)
        if entry is None:
            unknown.append(text)
        else:
            entries.setdefault(entry.id, entry)
    return tuple(entries.values()), tuple(unknown)


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


@cache
def _tactic_ids() -> dict[str, str]:
    former = {_letters(name): id_ for name, id_ in _names().former_tactic_names.items()}
    return former | {_letters(name): id_ for id_, name in _names().tactics.items()} | _ALIASES


@cache
def _names() -> _Names:
    document = strict_yaml.load_file(_FILE)
    sections = ("tactics", "former_tactic_names", "techniques", "revoked")
    return _Names(document.text("version"), *(_texts(document, key) for key in sections))


def _texts(document: strict_yaml.Mapping, key: str) -> dict[str, str]:
    section = document[key]
    assert isinstance(section, strict_yaml.Mapping)
    return {name: section.text(name) for name in section}
