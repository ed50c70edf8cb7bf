"""What is odd in a hunt's file without changing results: unknown fields, tactics and techniques, at their places."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehunt.hunting import compile_check
from lakehunt.hunting.compile_check import CheckedFile
from lakehunt.hunting.content import attack
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY

MINIMAL = """\
id: 0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10
name: Minimal
query: |
  DeviceProcessEvents
"""


def checked(tmp_path: Path, more: str) -> CheckedFile:
    file = tmp_path / "hunt.yaml"
    file.write_text(MINIMAL + more, "utf-8")
    (one,) = compile_check.check_files([file], EVENTS_ONLY)
    return one


def told(one: CheckedFile) -> list[tuple[int, int, str, str]]:
    return [(w.start.line, w.start.column, w.message, w.hint) for w in one.warnings]


def test_unknown_fields_tactics_and_techniques_are_warnings(tmp_path: Path) -> None:
    one = checked(tmp_path, "querry: x\ntactics: [Discovery, Executon]\nrelevantTechniques:\n  - T1059\n  - T9999\n")
    assert one.ok
    assert told(one) == [
        (5, 1, "unknown field 'querry' is kept but not used", "did you mean 'query'?"),
        (6, 22, "'Executon' is not a tactic of MITRE ATT&CK", "did you mean 'Execution'?"),
        (9, 5, "MITRE ATT&CK 19.2 has no technique T9999", "see https://attack.mitre.org/techniques"),
    ]


def test_a_single_text_and_a_wrong_file_have_them_too(tmp_path: Path) -> None:
    one = checked(tmp_path, "tactics: Executon\nseverity: Hihg\n")
    assert [problem.message for problem in one.problems] == ["severity: unknown 'Hihg'"]
    assert told(one) == [(5, 10, "'Executon' is not a tactic of MITRE ATT&CK", "did you mean 'Execution'?")]


SENTINEL = """\
severity: Medium
status: Available
requiredDataConnectors: []
queryFrequency: 1h
queryPeriod: 1d
triggerOperator: gt
triggerThreshold: 0
tactics: [DefenseEvasion, Privilege escalation, CommandAndControl, PreAttack, InhibitResponseFunction, TA0002]
relevantTechniques: [T1059, T1036.003, T0843]
subTechniques: [T1036.003]
tags: [a]
entityMappings: []
customDetails: {}
alertDetailsOverride: {}
alertRuleTemplateName: 00000000-0000-0000-0000-000000000000
eventGroupingSettings: {aggregationKind: AlertPerResult}
incidentConfiguration: {createIncident: true}
suppressionDuration: PT1H
suppressionEnabled: false
metadata: {}
version: 1.0.0
kind: Scheduled
"""


def test_the_fields_of_sentinels_rules_are_known(tmp_path: Path) -> None:
    one = checked(tmp_path, SENTINEL)
    assert (one.ok, told(one)) == (True, [])


def test_defenders_categories_are_no_slip(tmp_path: Path) -> None:
    assert told(checked(tmp_path, 'tactics: [Ransomware, "Malware, component", Vulnerability, Exploit]\n')) == []


def test_public_hunts_have_no_warnings_but_for_files_without_a_copy(shared: Path) -> None:
    queries = sorted((shared / "corpus" / "queries").rglob("*.yaml"))
    assert len(queries) > 200
    warnings = [w for one in compile_check.check_files(queries, EVENTS_ONLY) for w in one.warnings]
    assert [w.kind for w in warnings] == [compile_check.EXTERNAL] * 2


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("LateralMovment", "did you mean 'LateralMovement'?"),
        ("C3", "tactics: Reconnaissance, ResourceDevelopment, InitialAccess"),
        ("TA9999", "tactics: Reconnaissance"),
    ],
)
def test_what_is_not_a_tactic(written: str, hint: str) -> None:
    found = attack.problem_of_tactic(written)
    assert found
    assert found[1].startswith(hint)


@pytest.mark.parametrize(
    ("written", "problem", "hint"),
    [
        ("T1059.999", "MITRE ATT&CK 19.2 has no technique T1059.999",
         "see https://attack.mitre.org/techniques; T1059 is Command and Scripting Interpreter"),
        ("PowerShell", "'PowerShell' is not the id of a technique", "did you mean T1059.001?"),
        ("certutil", "'certutil' is not the id of a technique", "write its id, for example T1059.001"),
        ("T105", "'T105' is not the id of a technique", "write its id, for example T1059.001"),
    ],
)  # fmt: skip
def test_what_is_not_a_technique(written: str, problem: str, hint: str) -> None:
    assert attack.problem_of_technique(written) == (problem, hint)


@pytest.mark.parametrize("written", ["T1059", "t1059.001", "T1059/001", "attack.t1003.001"])
def test_techniques(written: str) -> None:
    assert attack.problem_of_technique(written) is None
