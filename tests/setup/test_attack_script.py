"""scripts/attack.py: ATT&CK's names from STIX data."""

from __future__ import annotations

from typing import Any

from lakehunt.core import strict_yaml
from lakehunt.hunting.content import attack
from scripts.attack import FILE, text_of


def ids(id_: str) -> list[dict[str, str]]:
    return [{"source_name": "capec", "external_id": "CAPEC-1"}, {"source_name": "mitre-attack", "external_id": id_}]


def bundle(version: str, stealth: str) -> list[dict[str, Any]]:
    def technique(id_: str, name: str, **more: Any) -> dict[str, Any]:
        return {
            "type": "attack-pattern",
            "id": f"attack-pattern--{id_}",
            "name": name,
            "external_references": ids(id_),
            **more,
        }

    def revoked(old: str, new: str) -> dict[str, str]:
        ends = {"source_ref": f"attack-pattern--{old}", "target_ref": f"attack-pattern--{new}"}
        return {"type": "relationship", "relationship_type": "revoked-by", **ends}

    return [
        {"type": "x-mitre-collection", "x_mitre_version": version, "modified": "2026-04-28T14:00:00.000Z"},
        {"type": "x-mitre-tactic", "id": "t1", "name": stealth, "external_references": ids("TA0005")},
        {"type": "x-mitre-tactic", "id": "t2", "name": "Execution", "external_references": ids("TA0002")},
        {"type": "x-mitre-matrix", "tactic_refs": ["t2", "t1"]},
        technique("T1685", "Disable or Modify Tools"),
        technique("T1003", "Yes: no", x_mitre_deprecated=True),
        technique("T1562", "Impair Defenses", revoked=True),
        technique("T1089", "Disabling Security Tools", revoked=True),
        revoked("T1089", "T1562"),
        revoked("T1562", "T1685"),
        {"type": "relationship", "relationship_type": "uses", "source_ref": "x", "target_ref": "attack-pattern--T1562"},
        {"type": "malware", "id": "malware--1", "name": "Cat"},
    ]  # fmt: skip


def test_a_bundle_becomes_the_file() -> None:
    old = strict_yaml.load(text_of(bundle("18.1", "Defense Evasion")))
    written = text_of(bundle("19.0", "Stealth"), old)
    assert "# \u00a9 2026 The MITRE Corporation." in written
    assert strict_yaml.load(written) == {
        "version": "19.0",
        "tactics": {"TA0002": "Execution", "TA0005": "Stealth"},
        "former_tactic_names": {"Defense Evasion": "TA0005"},
        "techniques": {"T1003": "Yes: no", "T1685": "Disable or Modify Tools"},
        "revoked": {"T1089": "T1685", "T1562": "T1685"},
    }
    again = text_of(bundle("19.1", "Hiding"), strict_yaml.load(written))
    assert strict_yaml.load(again)["former_tactic_names"] == {"Defense Evasion": "TA0005", "Stealth": "TA0005"}


def test_the_packages_file_is_of_the_version_that_it_says() -> None:
    document = strict_yaml.load_file(FILE)
    assert document.text("version") == attack.version()
    assert f"version {attack.version()}:" in FILE.read_text("utf-8").split("\n")[0]
