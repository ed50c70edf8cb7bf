"""MITRE ATT&CK's ids and names for what hunts write."""

from __future__ import annotations

import pytest

from lakehunt.hunting.content import attack
from lakehunt.hunting.content.attack import AttackEntry, AttackMapping


@pytest.mark.parametrize(
    ("written", "id_", "name"),
    [
        ("PrivilegeEscalation", "TA0004", "Privilege Escalation"),
        ("Privilege escalation", "TA0004", "Privilege Escalation"),
        ("privilege-escalation", "TA0004", "Privilege Escalation"),
        ("CommandAndControl", "TA0011", "Command and Control"),
        ("Command & Control", "TA0011", "Command and Control"),
        ("C2", "TA0011", "Command and Control"),
        ("Stealth", "TA0005", "Stealth"),
        ("DefenseEvasion", "TA0005", "Stealth"),  # its name before ATT&CK 19
        ("Defence Evasion", "TA0005", "Stealth"),
        ("Defense impairment", "TA0112", "Defense Impairment"),
        ("ta0006", "TA0006", "Credential Access"),
        ("TA0010 - Exfiltration", "TA0010", "Exfiltration"),
    ],
)
def test_tactics(written: str, id_: str, name: str) -> None:
    assert attack.tactic(written) == AttackEntry(id_, name, written)


@pytest.mark.parametrize("written", ["Ransomware", "Malware, component", "", "TA9999", "PreAttack"])
def test_what_is_no_tactic(written: str) -> None:
    assert attack.tactic(written) is None


@pytest.mark.parametrize(
    ("written", "id_", "name"),
    [
        ("T1059", "T1059", "Command and Scripting Interpreter"),
        (" t1059.001 ", "T1059.001", "Command and Scripting Interpreter: PowerShell"),
        ("T1059/001", "T1059.001", "Command and Scripting Interpreter: PowerShell"),
        ("attack.t1003.001", "T1003.001", "OS Credential Dumping: LSASS Memory"),
        ("T1490 - Inhibit System Recovery", "T1490", "Inhibit System Recovery"),
        ("T1086", "T1059.001", "Command and Scripting Interpreter: PowerShell"),  # revoked in 2020
        ("T1562.001", "T1685", "Disable or Modify Tools"),  # revoked in 2026
        ("T1089", "T1685", "Disable or Modify Tools"),  # revoked for T1562.001, which was revoked
        ("T9999.001", "T9999.001", ""),  # of a version to come, perhaps
    ],
)
def test_techniques(written: str, id_: str, name: str) -> None:
    assert attack.technique(written) == AttackEntry(id_, name, written)


@pytest.mark.parametrize("written", ["PowerShell", "", "T105", "T10590", "KB41059", "CAT1059"])
def test_what_is_no_technique(written: str) -> None:
    assert attack.technique(written) is None


def test_a_hunt_says_each_once_and_nothing_is_lost() -> None:
    found = attack.normalised(["Execution", "execution", "Ransomware"], ["T1086", "T1059.001", "PowerShell"])
    powershell = AttackEntry("T1059.001", "Command and Scripting Interpreter: PowerShell", "T1086")
    assert found == AttackMapping(
        (AttackEntry("TA0002", "Execution", "Execution"),), (powershell,), ("Ransomware", "PowerShell")
    )


def test_ids_in_a_text_are_those_of_attack() -> None:
    text = "See https://attack.mitre.org/techniques/T1574/002/, T1086, and error T9999."
    assert list(attack.known_techniques(text)) == ["T1574.002", "T1086"]
    assert list(attack.known_techniques("t1490 in AT1490")) == ["T1490"]


def test_every_sub_technique_has_its_technique_and_every_successor_is_there() -> None:
    names = attack._names()
    assert (len(names.tactics), names.version) == (15, attack.version())
    assert all(id_.partition(".")[0] in names.techniques for id_ in names.techniques)
    assert all(new in names.techniques and old not in names.techniques for old, new in names.revoked.items())
