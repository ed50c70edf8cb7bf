"""The versions of KQL's functions and operators: what changes a hunt's version, and that a change is not forgotten."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehunt.hunting.content import hunt_file
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.kql import semantics
from lakehunt.kql.types import STRING
from lakehunt.spark.functions import registry
from scripts import semantics as recording
from tests.support.paths import PROJECT


def digest(query: str) -> str:
    return Hunt(id="0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10", name="custom", query=query).digest


SPLITS = "DeviceProcessEvents | where split(ProcessCommandLine, ' ')[0] == 'cmd'"
HAS = "DeviceProcessEvents | where FileName has 'cmd'"


def test_the_seed_hunts_have_the_versions_that_lakes_know() -> None:
    """Written in every lake so far: with another digest, every event of its history would be read again."""
    known = {
        "detect-suspicious-commands-initiated-by-web-server-processes": "d08b581e71a42a61",
        "webserver-executing-suspicious-applications": "812ead1cca17d159",
    }
    assert {name: hunt_file.load(PROJECT / "hunts" / f"{name}.yaml").digest for name in known} == known


def test_a_changed_function_renews_the_hunts_that_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for versions in ({}, {"split": 2}, {"split": 3}):
        monkeypatch.setattr(semantics, "VERSIONS", versions)
        found.add(digest(SPLITS))
    assert len(found) == 3


def test_a_changed_function_leaves_other_hunts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(HAS)
    monkeypatch.setattr(semantics, "VERSIONS", {"split": 2})
    assert digest(HAS) == before


def test_a_changed_language_renews_all_hunts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(HAS), digest(SPLITS)
    monkeypatch.setattr(semantics, "VERSIONS", {semantics.LANGUAGE: 2})
    assert digest(HAS) != before[0]
    assert digest(SPLITS) != before[1]


@pytest.mark.parametrize(
    ("query", "name", "used"),
    [
        ("T | where a has 'x'", "has", True),
        ("T | where a !has 'x'", "has", True),
        ("T | where a has_cs 'x'", "has", False),
        ("T | where a hasprefix 'x'", "has", False),
        ("T | where a in~ ('x')", "in~", True),
        ("T | where a in~ ('x')", "!in~", False),
        ("T | where a matches regex 'x'", "matches regex", True),
        ("T | where a == 1", "==", True),
        ("T | mv-expand a", "mv-expand", True),
        ("T | project tolower(a)", "tolower", True),
        ("T | project tolower(a)", "lower", False),
        ("T | where t > todatetime('{{StartTimeISO}}')", "{{StartTimeISO}}", True),
        ("T | where AdditionalFields.a == 1", "AdditionalFields", True),
        ("T | project a", semantics.LANGUAGE, True),
    ],
)
def test_which_names_a_query_uses(query: str, name: str, used: bool) -> None:
    assert semantics.uses(query, name) is used


# What is recorded


@pytest.fixture(scope="module")
def found(spark: Any) -> recording.Digests:
    return recording.digests(spark, recording.queries())


def test_no_change_of_results_is_forgotten(found: recording.Digests) -> None:
    changed = recording.changed(recording.recorded(), found)
    assert not changed, "these compile to something else than before: run `make semantics` and read what it says"


def test_every_name_is_recorded(found: recording.Digests) -> None:
    record = recording.recorded()
    assert sorted(name for name in recording.names() if not record.get(name)) == []
    missing = {text for name, own in found.items() for text in own if text not in record.get(name, {})}
    assert not missing, "run `make semantics`: new functions and queries are not recorded yet"


def test_versions_are_those_of_names_that_there_are() -> None:
    assert set(semantics.VERSIONS) <= recording.names() | semantics.INPUTS


ASKED = {"toupper": ["T | project r = toupper(x)"], "tolower": ["T | project r = tolower(x)"]}


def _by_another_name(word: Column) -> Column:
    """What `toupper` gives, by a function of another name, in another module, whose argument has another name."""
    result: Column = TOUPPER.function(word)
    return result


TOUPPER = registry.form("scalar", "toupper", [STRING])


def _instead(monkeypatch: pytest.MonkeyPatch, function: Any) -> None:
    forms = registry._FORMS["scalar", "toupper"]
    monkeypatch.setitem(registry._FORMS, ("scalar", "toupper"), [replace(form, function=function) for form in forms])


def test_a_function_that_gives_something_else_is_found(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = recording.digests(spark, ASKED)
    _instead(monkeypatch, F.initcap)
    changed = recording.changed(before, recording.digests(spark, ASKED))
    assert changed == {"toupper": ["T | project r = toupper(x)"]}


def test_a_function_that_is_renamed_or_moved_is_no_change(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = recording.digests(spark, ASKED)
    _instead(monkeypatch, _by_another_name)
    assert recording.changed(before, recording.digests(spark, ASKED)) == {}


def test_a_new_query_is_no_change(spark: Any) -> None:
    before = recording.digests(spark, {"toupper": ASKED["toupper"]})
    assert recording.changed(before, recording.digests(spark, ASKED)) == {}


def test_a_result_of_another_type_is_a_change(spark: Any) -> None:
    as_int, as_long = (recording.digests(spark, {"f": [f"T | project r = {to}(1)"]})["f"] for to in ("toint", "tolong"))
    assert set(as_int.values()).isdisjoint(as_long.values())
