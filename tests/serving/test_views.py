"""The rules of the views on rows made by hand, in DuckDB, as that is quick; test_endpoint.py holds Spark to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from lakehunt.schemas.hunt_tables import RUNS
from lakehunt.schemas.table import Table
from lakehunt.serving import views
from tests.support.paths import PROJECT

EVENTS = DEVICE_PROCESS_EVENTS.events

_TYPES = {"STRING": "VARCHAR", "TIMESTAMP": "TIMESTAMPTZ", "ARRAY<STRING>": "VARCHAR[]"}

FINDING = {"hunt_id": "h", "hunt_name": "H", "tactics": [], "techniques": [], "status": "new", "events": 1}
RUN = {"hunt_id": "h", "hunt_name": "H", "outcome": "succeeded"}


class Made:
    """A DuckDB with the tables that the views read, and the views."""

    def __init__(self) -> None:
        import duckdb

        self._db: Any = duckdb.connect()
        for table in (FINDINGS_ALL, RUNS, EVENTS):
            schema = table.name.partition(".")[0]
            kept = (c for c in table.columns if "STRUCT" not in c.type)
            columns = ", ".join(f'"{c.name}" {_TYPES.get(c.type, c.type)}' for c in kept)
            self._db.sql(f"CREATE SCHEMA {schema}")
            self._db.sql(f"CREATE TABLE {table.name} ({columns})")
        self._db.sql((PROJECT / "docs" / "reference" / "duckdb-views.sql").read_text(encoding="utf-8"))

    def add(self, table: Table, **values: Any) -> None:
        places = ", ".join("?" for _ in values)
        self._db.execute(f"INSERT INTO {table.name} ({', '.join(values)}) VALUES ({places})", list(values.values()))

    def finding(self, finding_id: str, as_of: str, **values: Any) -> None:
        self.add(FINDINGS_ALL, **(FINDING | {"finding_id": finding_id, "as_of": as_of} | values))

    def run(self, as_of: str, **values: Any) -> None:
        self.add(RUNS, **(RUN | {"as_of": as_of} | values))

    def rows(self, what: str) -> Sequence[tuple[Any, ...]]:
        return sorted((tuple(row.values()) for row in self._db.sql(what).to_arrow_table().to_pylist()), key=repr)


@pytest.fixture
def made() -> Made:
    return Made()


def test_an_as_of_without_findings_is_the_newest_one(made: Made) -> None:
    made.finding("a", "2026-03-06 00:00:00+00")
    made.run("2026-03-06 00:00:00+00")
    assert made.rows("SELECT finding_id FROM bi.current_findings") == [("a",)]
    made.run("2026-03-07 00:00:00+00")
    assert made.rows("SELECT finding_id FROM bi.current_findings") == []
    assert made.rows("SELECT day(as_of), findings FROM bi.trend") == [(6, 1), (7, 0)]
    assert made.rows("SELECT finding_id, is_current FROM bi.finding_history") == [("a", False)]


@pytest.mark.parametrize("outcome", ["failed", "started"])
def test_a_run_that_did_not_end_well_changes_nothing(made: Made, outcome: str) -> None:
    made.finding("a", "2026-03-06 00:00:00+00")
    made.run("2026-03-06 00:00:00+00")
    made.run("2026-03-07 00:00:00+00", outcome=outcome)
    assert made.rows("SELECT finding_id FROM bi.current_findings") == [("a",)]


def test_findings_count_where_the_runs_are_past_their_retention(made: Made) -> None:
    made.finding("a", "2026-03-06 00:00:00+00")
    assert made.rows("SELECT finding_id FROM bi.current_findings") == [("a",)]


def test_new_today_is_what_was_new_in_a_day_of_hourly_runs(made: Made) -> None:
    """Found first at nine, it is recurring at ten, and still new today; what was new a day before is not."""
    made.finding("a", "2026-03-06 09:00:00+00")
    made.finding("a", "2026-03-06 10:00:00+00", status="recurring")
    made.finding("old", "2026-03-05 10:00:00+00")
    made.finding("old", "2026-03-06 10:00:00+00", status="recurring")
    assert made.rows("SELECT finding_id, hour(as_of) FROM bi.new_findings") == [("a", 9)]
    assert made.rows("SELECT finding_id, is_new FROM bi.current_findings") == [("a", True), ("old", False)]


def test_every_hunt_has_a_newest_as_of_of_its_own(made: Made) -> None:
    made.finding("a", "2026-03-01 00:00:00+00")
    made.finding("b", "2026-03-06 00:00:00+00", hunt_id="g", hunt_name="G")
    assert made.rows("SELECT finding_id, hunt_name FROM bi.current_findings") == [("a", "H"), ("b", "G")]
    assert made.rows("SELECT finding_id FROM bi.new_findings") == [("a",), ("b",)]


def test_tactics_are_equal_however_they_were_written(made: Made) -> None:
    at = "2026-03-06 00:00:00+00"
    made.finding("a", at, tactics=["DefenseEvasion"], attack_tactics=["Defense Evasion"])
    made.finding("b", at, tactics=["Defense evasion"], attack_tactics=["Defense Evasion", "Execution"])
    made.finding("c", at, tactics=["Impact"])  # of an earlier version
    made.finding("d", at)
    expected = [("Defense Evasion", 2), ("Execution", 1), ("Impact", 1), (None, 1)]
    assert made.rows("SELECT tactic, findings FROM bi.tactics") == expected


def test_severities_have_their_order(made: Made) -> None:
    for number, severity in enumerate(("Low", "High", "Medium", None)):
        made.finding(str(number), "2026-03-06 00:00:00+00", severity=severity, device_id="d")
    assert made.rows("SELECT highest_severity, findings FROM bi.devices") == [("High", 4)]


def test_command_lines_are_those_of_the_evidence(made: Made) -> None:
    for number, line in enumerate(("x", "x", "y", "not found")):
        seen = {"Timestamp": f"2026-03-05 0{number}:00:00+00", "event_date": "2026-03-05"}
        made.add(EVENTS, event_id=f"e{number}", ProcessCommandLine=line, DeviceId=f"d{number}", **seen)
    at, seen_first = "2026-03-06 00:00:00+00", "2026-03-05 00:00:00+00"
    made.finding("a", at, evidence=["e0", "e1"], first_seen=seen_first)
    made.finding("b", at, evidence=["e1", "e2"], first_seen=seen_first)
    rows = made.rows("SELECT command_line, events, findings, devices FROM bi.command_lines")
    assert rows == [("x", 2, 2, 2), ("y", 1, 1, 1)]


@pytest.mark.parametrize("view", views.VIEWS, ids=lambda view: view.name)
def test_a_view_has_the_columns_that_are_documented(made: Made, view: views.View) -> None:
    described = made.rows(f"SELECT column_name FROM (DESCRIBE bi.{view.name})")
    assert {name for (name,) in described} == {name for name, _ in view.columns}
