"""How correlation rules become hunts, and what keeps them from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehunt.hunting.content import hunt_file
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY
from lakehunt.importing import pack as packs
from lakehunt.importing.results import QueryResult
from lakehunt.importing.sigma.rules import EVERYTHING, Choice

RULES = "".join(
    f"title: Rule {name}\nname: {name}\nlogsource: {{category: process_creation}}\n"
    f"detection:\n  s: {{CommandLine|startswith: {name}}}\n  condition: s\n---\n"
    for name in ("a", "b", "c")
)


def correlation(body: str, **fields: str) -> str:
    rest = "".join(f"{key}: {value}\n" for key, value in fields.items())
    return f"title: Together\nlevel: high\n{rest}correlation:\n" + "".join(f"  {line}\n" for line in body.splitlines())


def imported(folder: Path, text: str, choice: Choice = EVERYTHING, **files: str) -> list[QueryResult]:
    pack = folder / "pack"
    pack.mkdir(exist_ok=True)
    for name, content in {"rules": text, **files}.items():
        (pack / f"{name}.yml").write_text(content, "utf-8")
    return packs.import_pack(pack, folder / "hunts", folder / "hunts", EVENTS_ONLY, sigma=choice)


def query_of(folder: Path, body: str) -> str:
    *_, one = imported(folder, RULES + correlation(body))
    assert one.candidate, one.detail
    return one.candidate.hunt.query


def test_the_rules_of_a_correlation_are_parts_of_it(tmp_path: Path) -> None:
    body = "type: event_count\nrules: [a]\ntimespan: 5d\ncondition: {gte: 3}"
    outcomes = imported(tmp_path, RULES + correlation(body, id="3f1a7c52-6d0e-4b4b-9a56-0c6a1f6f2b90"))
    assert [str(one.reason or one.result) for one in outcomes] == ["sigma part", "imported", "imported", "imported"]
    assert outcomes[0].detail == "a part of the correlation rule 'Together'"
    hunts, errors = hunt_file.load_folder(tmp_path / "hunts")
    (hunt,) = [one for one in hunts if one.name == "Together"]
    assert (errors, hunt.severity, hunt.id) == ([], "High", "3f1a7c52-6d0e-4b4b-9a56-0c6a1f6f2b90")
    assert hunt.query_period is not None
    assert hunt.query_period.days == 11


def test_rules_that_are_hunts_too(tmp_path: Path) -> None:
    body = "type: event_count\ngenerate: true\nrules: [a]\ntimespan: 5m\ncondition: {gte: 3}"
    assert [str(one.result) for one in imported(tmp_path, RULES + correlation(body))] == ["imported"] * 4


def test_filters_are_a_part_of_the_rules_of_a_correlation(tmp_path: Path) -> None:
    body = "type: event_count\nrules: [a]\ntimespan: 5m\ncondition: {gte: 3}"
    filter_ = (
        "title: F\nlogsource: {category: process_creation}\n"
        "filter:\n  rules: [a]\n  f: {CommandLine: x}\n  condition: not f\n"
    )
    outcomes = imported(tmp_path, RULES + correlation(body), filter=filter_)
    (query,) = [one.candidate.hunt.query for one in outcomes if one.candidate and one.candidate.hunt.name == "Together"]
    assert 'not(ProcessCommandLine =~ "x")' in query


@pytest.mark.parametrize(
    ("body", "place", "problem"),
    [
        ("type: count\nrules: [a]\ntimespan: 1m", (4, 9), "'count' is not a known type of correlation"),
        ("type: event_count\nrules: [a]\ntimespan: 1y\ncondition: {gte: 1}", (6, 13), "'1y' is not a timespan"),
        ("type: event_count\nrules: [a, x]\ntimespan: 1m", (5, 14), "no rule 'x' in the pack"),
        ("type: event_count\nrules: [a]\ntimespan: 1m", (4, 3), "expected a condition such as 'gte: 10'"),
        (
            "type: event_count\nrules: [a]\ntimespan: 1m\ncondition: {lt: 5}",
            (7, 15),
            "lt: only gt and gte can be asked",
        ),
        ("type: event_count\nrules: [a]\ntimespan: 1m\ncondition: {gte: x}", (7, 20), "gte: expected a number"),
        ("type: value_count\nrules: [a]\ntimespan: 1m\ncondition: {gte: 5}", (7, 14), "value_count needs a field"),
        (
            "type: event_count\nrules: [a]\ngroup-by: [Cat]\ntimespan: 1m\ncondition: {gte: 5}",
            (6, 13),
            "the field Cat has no column in DeviceProcessEvents",
        ),
        (
            "type: event_count\nrules: [a]\ngroup-by: [a.b]\ntimespan: 1m\ncondition: {gte: 5}",
            (6, 14),
            "'a.b' cannot be the name of a column here",
        ),
        (
            "type: event_count\nrules: [a]\ngroup-by: [Hashes]\ntimespan: 1m\ncondition: {gte: 5}",
            (6, 13),
            "Hashes cannot be grouped by",
        ),
        (
            "type: temporal\nrules: [a, b]\ngroup-by: [w]\ntimespan: 1m\naliases: {w: {a: User}}",
            (8, 12),
            "the alias w has no field for 'Rule b'",
        ),
    ],
)
def test_correlations_that_cannot_be_hunts(tmp_path: Path, body: str, place: tuple[int, int], problem: str) -> None:
    text = correlation(body)
    outcomes = imported(tmp_path, RULES, together=text)
    one = outcomes[-1]
    assert one.detail.startswith(problem)
    assert one.place == place


def test_a_correlation_of_correlations(tmp_path: Path) -> None:
    first = correlation("type: event_count\nrules: [a]\ntimespan: 1m\ncondition: {gte: 2}", name="first")
    second = correlation("type: temporal\nrules: [first, b]\ntimespan: 1m")
    *_, one = imported(tmp_path, f"{RULES}{first}---\n{second}")
    assert one.detail == "'first' is a correlation rule: of these none can be correlated"


@pytest.mark.parametrize(("category", "kept"), [("process_creation", 3), ("dns_query", 0)])
def test_a_correlation_is_of_the_log_sources_of_its_rules(tmp_path: Path, category: str, kept: int) -> None:
    body = "type: event_count\nrules: [a]\ntimespan: 5m\ncondition: {gte: 3}"
    outcomes = imported(tmp_path, RULES + correlation(body), Choice(categories=frozenset({category})))
    assert len([one for one in outcomes if not one.reason]) == kept
