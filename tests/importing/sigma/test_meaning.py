"""What Sigma's rules mean: the queries that they become find the events that the specification says, and no others.

The cases are in `meaning.yaml`; `{"\\\\Device"}` there is JSON within YAML."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakehunt.importing.sigma import documents, rules, sources
from lakehunt.schemas.event_tables import BY_NAME
from tests.support.answers import rows

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("meaning.yaml").read_text("utf-8"))
PROCESS = {"category": "process_creation"}


@dataclass(frozen=True)
class Answer:
    """The numbers of the events that a case's query finds, and that it should find."""

    found: list[int]
    expected: list[int]


def query_of(case: dict[str, Any]) -> str:
    logsource = {key: case[key] for key in ("category", "product") if key in case}
    rule = {"title": "A rule", "logsource": PROCESS | logsource, "detection": case["detection"]}
    (document,) = documents.read(yaml.safe_dump(rule, allow_unicode=True), Path("rule.yml"), Path("rule.yml"))
    return rules.query(document).text


def events_of(case: dict[str, Any], table: str) -> list[dict[str, Any]]:
    default = {"ActionType": "ProcessCreated"} if table == "DeviceProcessEvents" else {}
    return [default | case.get("rest", {}) | event for event in [*case["hits"], *case["misses"]]]


def literal(value: Any, type_: str) -> str:
    if value is None:
        return '""' if type_ == "string" else f"{type_}(null)"
    if type_ == "datetime":
        return f"datetime({value:%Y-%m-%dT%H:%M:%SZ})"
    return f"dynamic({value})" if type_ == "dynamic" else json.dumps(value)


def over_events(case: dict[str, Any], number: int) -> str:
    """The case's query over a datatable of its events instead of the table."""
    query, table = query_of(case), sources.find(case.get("category", "process_creation")).table  # type: ignore[union-attr]
    events = events_of(case, table)
    written = set(re.findall(r"\w+", query)) | {column for event in events for column in event}
    types = {column.name: column.type for column in BY_NAME[table].columns if column.name in written}
    values = [
        ", ".join([str(place), *(literal(event.get(name), type_) for name, type_ in types.items())])
        for place, event in enumerate(events)
    ]
    head = ", ".join(["EventNumber: long", *(f"{name}: {type_}" for name, type_ in types.items())])
    assert query.startswith(f"{table}\n")
    found = f"{query.removeprefix(table)}| project CaseNumber = {number}, EventNumber"
    return f"(datatable ({head}) [{', '.join(values)}]{found})"


@pytest.fixture(scope="module")
def answers(spark: Any) -> dict[str, Answer]:
    """The answers of all cases, by one query."""
    found: dict[int, list[int]] = {}
    for case, event in rows(spark, "union " + ", ".join(over_events(case, n) for n, case in enumerate(CASES))):
        found.setdefault(case, []).append(event)
    return {
        case["name"]: Answer(sorted(found.get(number, [])), list(range(len(case["hits"]))))
        for number, case in enumerate(CASES)
    }


@pytest.mark.parametrize("name", [case["name"] for case in CASES])
def test_the_meaning_of_a_rule(answers: dict[str, Answer], name: str) -> None:
    assert answers[name].found == answers[name].expected
