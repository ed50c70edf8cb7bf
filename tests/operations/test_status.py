"""`lakehunt status`: what a lake holds, what is due, what failed, and what to do next. No Spark."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehunt import cli
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.settings import HuntingSettings
from lakehunt.kql import times
from lakehunt.lake.small_tables import LocalTables
from lakehunt.operations import status
from lakehunt.operations.status import LateStatus
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.hunt_tables import LATE, RUNS
from lakehunt.schemas.landing_tables import BATCHES
from tests.support import commands
from tests.support.ledger_rows import append

NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
HOUR = timedelta(hours=1)
ONE = Hunt("0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a01", "hunt 1", "DeviceProcessEvents", query_frequency=HOUR)
OTHER = Hunt("0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a02", "hunt 2", "DeviceProcessEvents", query_frequency=HOUR)
FILE = """id: {id}
name: {name}
queryFrequency: 1h
queryPeriod: 1h
query: DeviceProcessEvents | where FileName =~ 'x.exe'
"""


@pytest.fixture
def lake(tmp_path: Path) -> LocalTables:
    made = LocalTables(str(tmp_path / "lake"))
    first = datetime(2026, 3, 1, 10, 0, 0, 123_456, tzinfo=UTC)
    last = datetime(2026, 3, 2, 10, 0, 0, 999_999, tzinfo=UTC)  # statistics have it without the last digits
    for at in (first, first + HOUR, last):
        append(made, DEVICE_PROCESS_EVENTS.events, {"batch": 1, "Timestamp": at, "event_date": at.date()})
    return made


def run(number: int, hunt: Hunt, at: datetime, outcome: str, **others: Any) -> dict[str, Any]:
    id_ = f"{at:%Y%m%dT%H%M%S%f}Z-{number:08}"
    own = {"run_id": id_, "hunt_id": hunt.id, "hunt_name": hunt.name, "hunt_version": hunt.digest}
    return {**own, "as_of": at.replace(minute=0), "started_at": at, "outcome": outcome, **others}


def found(lake: LocalTables) -> status.Status:
    return status.status(lake, [ONE, OTHER], HuntingSettings(), times.from_datetime(NOW))


def test_tables_and_the_times_of_their_events(lake: LocalTables) -> None:
    (events,) = found(lake).tables
    assert (events.table, events.rows, events.files) == ("events.device_process_events", 3, 3)
    assert events.bytes == sum(file.stat().st_size for file in Path(lake.root).rglob("*.parquet"))
    assert (events.first, events.last) == (
        datetime(2026, 3, 1, 10, 0, 0, 123_456, tzinfo=UTC),
        datetime(2026, 3, 2, 10, 0, 0, 999_999, tzinfo=UTC),
    )


def test_how_far_hunts_lag(lake: LocalTables) -> None:
    append(
        lake,
        RUNS,
        run(1, ONE, NOW - 3 * HOUR, "succeeded", reason="due"),  # so two full hours are due since then, and now's
        run(2, OTHER, NOW, "succeeded", reason="due"),
    )
    (due,) = found(lake).due
    assert (due.hunt, len(due.as_ofs)) == (ONE, 3)
    assert status.lag(due, times.from_datetime(NOW)) == timedelta(hours=2, minutes=30)


def test_hunts_whose_last_run_failed(lake: LocalTables) -> None:
    append(
        lake,
        RUNS,
        run(1, ONE, NOW - 5 * HOUR, "failed", error="an earlier one"),
        run(2, ONE, NOW - 4 * HOUR, "failed", error="memory"),
        run(3, ONE, NOW - 3 * HOUR, "started"),  # it has not ended
        run(4, OTHER, NOW - 5 * HOUR, "failed", error="passed"),
        run(5, OTHER, NOW - 4 * HOUR, "succeeded"),
    )
    assert [(row["hunt_name"], row["error"]) for row in found(lake).failing] == [("hunt 1", "memory")]


def test_failures_of_long_ago_and_of_hunts_that_are_gone_are_no_news(lake: LocalTables) -> None:
    gone = Hunt("0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a03", "gone", "DeviceProcessEvents")
    append(lake, RUNS, run(1, ONE, NOW - timedelta(days=8), "failed"), run(2, gone, NOW - HOUR, "failed"))
    assert found(lake).failing == []


def test_late_events(lake: LocalTables) -> None:
    again = run(1, ONE, NOW - 2 * HOUR, "succeeded", reason="late")
    append(
        lake,
        RUNS,
        again,
        run(2, ONE, NOW - HOUR, "succeeded", reason="due", too_late=3),
        run(3, ONE, NOW - HOUR, "succeeded", reason="due", too_late=0),
        run(4, OTHER, NOW - HOUR, "succeeded", reason="due", too_late=0),
        run(5, OTHER, NOW - timedelta(days=8), "succeeded", too_late=5),
    )
    changes = ["added", "added", "removed"]
    append(lake, LATE, *({"hunt_id": ONE.id, "change": one, "run_id": again["run_id"]} for one in changes))
    assert found(lake).late == [LateStatus(ONE.id, "hunt 1", asked_again=1, added=2, removed=1, too_late=3)]


def test_the_command_says_what_to_do_next_and_starts_no_java(lake: LocalTables, tmp_path: Path) -> None:
    hunts = tmp_path / "hunts"
    hunts.mkdir()
    (hunts / "one.yaml").write_text(FILE.format(id=ONE.id, name=ONE.name))
    refused = {"batch": 7, "outcome": "refused", "delivered": 5, "detail": "too few devices", "landed_at": NOW}
    append(lake, BATCHES, refused)
    failed = run(1, ONE, NOW - 2 * HOUR, "failed", error="out of memory", reason="due")
    append(lake, RUNS, failed)
    config = tmp_path / "lakehunt.yaml"
    config.write_text(f"lake: {lake.root}\nhunts: {hunts}\n")
    done = commands.lakehunt("status", "--config", config, **commands.WITHOUT_JAVA)
    assert done.returncode == 0, done.stderr
    printed = [" ".join(line.replace("│", " ").split()) for line in done.stdout.splitlines()]
    assert any(line.startswith("hunt 1 1h 3 ") for line in printed)  # the one that failed, and two since
    assert any(line.endswith("out of memory") for line in printed)
    assert any(line.startswith("7 ") and line.endswith("5 too few devices") for line in printed)
    told = [line.split(" --config")[0].split("lakehunt ")[-1] for line in done.stderr.splitlines()]
    as_of = f"{failed['as_of']:%Y-%m-%dT%H:%M:%S}".removesuffix("T00:00:00")
    assert told == ["validate", "hunt --due", f"hunt {ONE.id} --as-of {as_of}", "findings", "report"]


def test_a_lake_without_events_is_to_be_landed_into(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = LocalTables(str(tmp_path / "lake"))
    append(lake, BATCHES, {"batch": 1, "outcome": "settled"})
    assert cli.main(["status", "--lake", lake.root]) == 0
    assert "next: lakehunt land SOURCE" in capsys.readouterr().err
    assert cli.main(["status", "--lake", str(tmp_path)]) == 1
    assert "has no table" in capsys.readouterr().err
