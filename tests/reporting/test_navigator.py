"""The layer for the ATT&CK Navigator, held to the published format (version 4.5)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from lakehunt.reporting import navigator
from lakehunt.reporting.attack_coverage import coverage
from tests.support.reports import report

# The property tables of the specification: name, type, whether it is required.
LAYER = {
    "name": (str, True),
    "versions": (dict, False),
    "domain": (str, True),
    "description": (str, False),
    "sorting": (int, False),
    "layout": (dict, False),
    "techniques": (list, False),
    "gradient": (dict, False),
    "metadata": (list, False),
}
VERSIONS = {"attack": (str, False), "navigator": (str, True), "layer": (str, True)}
LAYOUT = {
    "layout": (str, False),
    "showID": (bool, False),
    "showName": (bool, False),
    "expandedSubtechniques": (str, False),
}
TECHNIQUE = {"techniqueID": (str, True), "score": (int, False), "comment": (str, False)}
GRADIENT = {"colors": (list, True), "minValue": (int, True), "maxValue": (int, True)}
METADATA = {"name": (str, True), "value": (str, True)}


def is_of(value: dict[str, Any], form: dict[str, tuple[type, bool]]) -> bool:
    required = {name for name, (_, needed) in form.items() if needed}
    return required <= set(value) <= set(form) and all(isinstance(value[name], form[name][0]) for name in value)


def layer(**changed: Any) -> dict[str, Any]:
    one = replace(report(), **changed)
    return navigator.layer(one, coverage(one))


def test_it_has_the_published_form() -> None:
    made = layer()
    assert is_of(made, LAYER)
    assert is_of(made["versions"], VERSIONS)
    assert is_of(made["layout"], LAYOUT)
    assert is_of(made["gradient"], GRADIENT)
    assert all(is_of(one, TECHNIQUE) for one in made["techniques"])
    assert all(is_of(one, METADATA) for one in made["metadata"])
    assert (made["domain"], made["versions"]["layer"]) == ("enterprise-attack", "4.5")
    assert (made["versions"]["attack"], made["description"][-12:]) == ("19", "ATT&CK 19.2.")
    assert tuple(map(int, made["versions"]["navigator"].split("."))) >= (4, 9, 0)
    assert made["layout"]["expandedSubtechniques"] in {"none", "all", "annotated"}
    assert all(re.fullmatch("#[0-9a-f]{6}", color) for color in made["gradient"]["colors"])


def test_scores_are_findings() -> None:
    made = layer()
    assert [tuple(one.values()) for one in made["techniques"]] == [
        ("T1505.003", 2, "Web shells"),
        ("T1018", 1, "Ping </title>"),
    ]
    assert made["gradient"]["maxValue"] == 2
    assert made["metadata"][0] == {"name": "TA0002 Execution", "value": "hunts: 2, findings: 3"}


def test_what_was_hunted_and_not_found_has_a_score_of_nothing() -> None:
    made = layer(findings=[])
    assert {one["score"] for one in made["techniques"]} == {0}
    assert made["gradient"]["maxValue"] > made["gradient"]["minValue"]
