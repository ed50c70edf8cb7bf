"""Hunting queries of public repositories: each that Microsoft's binder takes compiles with the columns and types that
the binder gives it, and runs on real telemetry; each that it does not take is refused, with a place.

Needs the reference material beside the checkout, and is skipped without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lakehunt.core import strict_yaml
from lakehunt.hunting.query.adhoc import query
from lakehunt.hunting.query.events_table import LakeSnapshot
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.kql import plan as p
from lakehunt.kql import times
from lakehunt.kql.errors import QueryErrors
from lakehunt.lake.delta_lake import Lake
from lakehunt.landing.outcomes import PromotionResult
from lakehunt.runtime.session import codegen
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS

Case = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
def cases(shared: Path) -> list[Case]:
    """File, query, and what the binder says of it."""
    found = []
    for line in (shared / "corpus" / "expected-schemas.jsonl").read_text().splitlines():
        said = json.loads(line)
        document = strict_yaml.load_file(shared / "corpus" / said["id"])
        found.append((said["id"], str(document["query"]), said))
    assert len(found) == 217
    return found


def taken(cases: list[Case]) -> Iterator[Case]:
    return (case for case in cases if case[2]["ok"])


def test_what_the_binder_takes_has_its_columns_and_types(cases: list[Case]) -> None:
    wrong = []
    for name, text, said in taken(cases):
        try:
            made = [(c.name, c.type.name) for c in TableCatalog().bind(text).schema]
        except QueryErrors as errors:
            wrong.append((name, str(errors)))
            continue
        if made != [(c["name"], c["type"]) for c in said["schema"]]:
            wrong.append((name, str(made)))
    assert not wrong
    assert len(list(taken(cases))) == 206


def test_what_the_binder_refuses_is_refused_with_a_place(cases: list[Case]) -> None:
    for name, text, said in cases:
        if not said["ok"]:
            with pytest.raises(QueryErrors) as caught:
                TableCatalog().bind(text)
            assert caught.value.place(caught.value.errors[0]) >= (1, 1), name


def test_a_file_profile_has_a_hint(cases: list[Case]) -> None:
    (text,) = [text for _, text, said in cases if "FileProfile" in text and not said["ok"]][:1]
    with pytest.raises(QueryErrors) as caught:
        TableCatalog().bind(text)
    assert any("lookups" in f"{error.message} {error.hint}" for error in caught.value.errors)


@pytest.mark.campaign
def test_they_run_on_real_telemetry(cases: list[Case], landed: tuple[Lake, PromotionResult], tmp_path: Path) -> None:
    copy = tmp_path / "copy.csv"
    copy.write_text("Name\ncertutil.exe\nTeamViewer.exe\n")
    plans = [TableCatalog().bind(text) for _, text, _ in taken(cases)]
    addresses = {a for plan in plans for step in p.walk(plan) if isinstance(step, p.External) for a in step.addresses}
    tables = TableCatalog(copies=dict.fromkeys(addresses, str(copy)))
    as_of = times.parse_datetime("2021-03-21T06:40:15.3380000Z")
    assert as_of is not None
    # All days in one file, opened once: 206 queries would else open the file of every day 206 times.
    lake, stored = landed[0], str(tmp_path / "events")
    seen = LakeSnapshot(lake).of(DEVICE_PROCESS_EVENTS)
    seen.frame.coalesce(1).write.format("delta").save(stored)
    compact = replace(seen, frame=lake.spark.read.format("delta").load(stored))
    assert compact.frame.count() > 0

    def failure(case: Case) -> tuple[str, str] | None:
        try:
            query(lake, case[1], as_of, tables=tables, events=lambda: compact)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is listed with its query)
            return case[0], f"{type(error).__name__}: {error}"[:500]
        return None

    # Compiling Java for 206 plans of 70 columns takes longer than to run them.
    with codegen(lake.spark, on=False):
        found = [one for case in taken(cases) if (one := failure(case))]
    # A query may be refused while it runs, where Kusto's answer for a row is not known; at most two of these are.
    assert not [one for one in found if not one[1].startswith("QueryErrors")]
    assert len(found) <= 2
