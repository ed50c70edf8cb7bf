"""What correlation rules find in events of known times, worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehunt.hunting.query.table_catalog import EVENTS_ONLY
from lakehunt.importing import pack as packs
from tests.support.answers import rows

RULES = "".join(
    f"title: Rule {name}\nname: {name}\nlogsource: {{category: process_creation}}\n"
    f"detection:\n  s: {{CommandLine|startswith: {name}}}\n  condition: s\n---\n"
    for name in ("a", "b", "c")
)


def query_of(folder: Path, body: str) -> str:
    """The query of a correlation rule over three rules: of command lines that start with a, b, c."""
    correlation = "title: Together\ncorrelation:\n" + "".join(f"  {line}\n" for line in body.splitlines())
    pack = folder / "pack"
    pack.mkdir(exist_ok=True)
    (pack / "rules.yml").write_text(RULES + correlation, "utf-8")
    *_, one = packs.import_pack(pack, folder / "hunts", folder / "hunts", EVENTS_ONLY, dry_run=True)
    assert one.candidate, one.detail
    return one.candidate.hunt.query


START = datetime(2026, 1, 1, tzinfo=UTC)

Event = tuple[int, str, str, int]
"""Second, command line, account, process id."""


def found(spark: Any, query: str, events: Sequence[Event], columns: str) -> list[list[Any]]:
    """The columns of what the query finds, times as seconds."""
    table = ", ".join(
        f'datetime({START + timedelta(seconds=second):%FT%TZ}), "ProcessCreated", "{line}", "D", "{account}", {process}'
        for second, line, account, process in events
    )
    names = "Timestamp: datetime, ActionType: string, ProcessCommandLine: string, AccountDomain: string"
    text = (
        f"let DeviceProcessEvents = datatable ({names}, AccountName: string, ProcessId: long) [{table}];\n{query}"
        "| extend Start = (WindowStart - datetime(2026-01-01)) / 1s, End = (WindowEnd - datetime(2026-01-01)) / 1s\n"
        f"| project {columns} | sort by Start asc"
    )
    return rows(spark, text)


def test_a_count_of_events_in_any_window(spark: Any, tmp_path: Path) -> None:
    query = query_of(tmp_path, "type: event_count\nrules: a\ngroup-by: [User]\ntimespan: 10s\ncondition: {gte: 3}")
    bob = [(5, "a1", "bob", 0), (9, "a2", "bob", 0), (15, "a3", "bob", 0), (16, "a4", "bob", 0)]
    eve = [(0, "a", "eve", 0), (5, "a", "eve", 0), (11, "a", "eve", 0), (5, "b", "eve", 0)]
    # Bob: 5, 9, 15 fill the window that ends at 15 (both ends belong to it), 9, 15, 16 the one at 16.
    assert found(spark, query, bob + eve, "User, Windows, Most, Start, End") == [["D\\bob", 2, 3, 5.0, 16.0]]


def test_events_of_one_moment_count_each(spark: Any, tmp_path: Path) -> None:
    query = query_of(tmp_path, "type: event_count\nrules: [a]\ntimespan: 1m\ncondition: {gt: 2}")
    assert found(spark, query, [(1, "a", "x", 0), (1, "a", "y", 0), (1, "a", "z", 0)], "Most, Start") == [[3, 1.0]]
    assert found(spark, query, [(1, "a", "x", 0), (1, "a", "y", 0)], "Most, Start") == []


def test_a_count_of_values(spark: Any, tmp_path: Path) -> None:
    body = "type: value_count\nrules: [a]\ngroup-by: [User]\ntimespan: 1m\ncondition: {gte: 2, field: ProcessId}"
    events = [(0, "a", "x", 1), (10, "a", "x", 1), (20, "a", "y", 1), (30, "a", "y", 2), (100, "a", "x", 2)]
    assert found(spark, query_of(tmp_path, body), events, "User, Most, Start, End") == [["D\\y", 2, 20.0, 30.0]]


@pytest.mark.parametrize(
    ("kind", "threshold", "expected"),
    [("sum", 7, [[7.0, 0.0, 10.0]]), ("sum", 8, []), ("avg", 4, [[4.0, 100.0, 100.0]]), ("avg", 5, [])],
)
def test_sums_and_averages(spark: Any, tmp_path: Path, kind: str, threshold: int, expected: list[list[Any]]) -> None:
    body = f"type: value_{kind}\nrules: [a]\ntimespan: 1m\ncondition: {{gte: {threshold}, field: ProcessId}}"
    events = [(0, "a", "x", 3), (10, "a", "x", 4), (100, "a", "x", 4)]
    # Windows end at 0: 3; at 10: 3 and 4, 7 in all, 3.5 on average; at 100: 4.
    assert found(spark, query_of(tmp_path, body), events, "Most, Start, End") == expected


def test_a_percentile(spark: Any, tmp_path: Path) -> None:
    body = "type: value_percentile\nrules: [a]\ntimespan: 1m\ncondition: {gt: 8, field: ProcessId, percentile: 100}"
    events = [(0, "a", "x", 9), (10, "a", "x", 1), (100, "a", "x", 8)]
    # The greatest value: 9 in the windows that end at 0 and at 10, 8 in the one at 100.
    assert found(spark, query_of(tmp_path, body), events, "Windows, Most, Start, End") == [[2, 9.0, 0.0, 10.0]]


def test_rules_that_come_together(spark: Any, tmp_path: Path) -> None:
    query = query_of(tmp_path, "type: temporal\nrules: [a, b]\ngroup-by: [User]\ntimespan: 10s")
    events = [(0, "b", "x", 0), (10, "a", "x", 0), (0, "a", "y", 0), (11, "b", "y", 0), (5, "a", "y", 0)]
    assert found(spark, query, events, "User, Most, Start, End") == [["D\\x", 2, 0.0, 10.0], ["D\\y", 2, 5.0, 11.0]]
    assert found(spark, query, events[:1] + events[2:4], "User, Most, Start, End") == []


def test_two_of_three_rules(spark: Any, tmp_path: Path) -> None:
    query = query_of(tmp_path, "type: temporal\nrules: [a, b, c]\ntimespan: 10s\ncondition: {gte: 2}")
    assert found(spark, query, [(0, "a", "x", 0), (1, "c", "x", 0)], "Most, Start, End") == [[2, 0.0, 1.0]]
    assert found(spark, query, [(0, "a", "x", 0), (1, "a", "x", 0)], "Most, Start, End") == []


def test_rules_in_order(spark: Any, tmp_path: Path) -> None:
    query = query_of(tmp_path, "type: temporal_ordered\nrules: [a, b, c]\ngroup-by: [User]\ntimespan: 10s")
    x = [(0, "a", "x", 0), (3, "b", "x", 0), (2, "c", "x", 0), (10, "c", "x", 0)]
    y = [(0, "b", "y", 0), (1, "a", "y", 0), (2, "c", "y", 0)]  # b before a
    z = [(0, "a", "z", 0), (5, "b", "z", 0), (11, "c", "z", 0)]  # too late
    assert found(spark, query, x + y + z, "User, Start, End") == [["D\\x", 0.0, 10.0]]


def test_aliases(spark: Any, tmp_path: Path) -> None:
    body = "type: temporal\nrules: [a, b]\ngroup-by: [who]\ntimespan: 10s\naliases: {who: {a: User, b: CommandLine}}"
    query = query_of(tmp_path, body)
    assert found(spark, query, [(0, "a", "b", 0), (1, r"b", "x", 0)], "who, Start") == []
    # The account of a, D\\b, is not the command line of b; without a domain both are b.
    assert found(
        spark, query.replace("isempty(AccountDomain)", "true"), [(0, "a", "b", 0), (1, "b", "x", 0)], "who, Start"
    ) == [["b", 0.0]]
