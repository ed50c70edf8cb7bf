"""What a report reads from a lake: events, hunts and batches by hand."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehunt import cli
from lakehunt.core.errors import LakehuntError
from lakehunt.hunting import engine
from lakehunt.hunting.content import hunt_file
from lakehunt.hunting.findings.process_tree import walk
from lakehunt.kql import times
from lakehunt.kql.types import TICKS_PER_DAY
from lakehunt.lake.delta_lake import Lake
from lakehunt.reporting import report_data
from lakehunt.reporting.report_data import Period, Report
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from lakehunt.schemas.landing_tables import BATCHES
from lakehunt.schemas.quality_tables import VALIDATIONS
from tests.support.commands import lakehunt
from tests.support.events import event, store
from tests.support.paths import PROJECT
from tests.support.spark_settings import write_config

SUITES = PROJECT / "expectations"
LAST = times.parse_datetime("2026-03-08") or 0
FIRST = LAST - TICKS_PER_DAY

QUERY = "DeviceProcessEvents | where FileName == 'cmd.exe' | summarize count() by DeviceId, AccountName"


def shells(**more: Any) -> hunt_file.Hunt:
    known = {"id": "0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10", "name": "shells", "severity": "Low", "query": QUERY}
    return hunt_file.Hunt(**(known | more))


BROKEN = shells(id="1b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10", name="broken", query="DeviceProcessEvents | where Nope == 1")
GONE = shells(
    id="2b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10",
    name="gone",
    techniques=("T1059",),
    severity=None,
    query=QUERY.replace("cmd.exe'", "cmd.exe' and isnotempty(DeviceName)"),
)
SILENT = shells(id="3b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10", name="silent", query="DeviceProcessEvents | where false")


@pytest.fixture(scope="module")
def made(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two as-ofs of three hunts; a fourth has never run. On the second day there is a device more."""
    lake = Lake(spark, str(tmp_path_factory.mktemp("report")))
    one = {"ProcessId": 20, "ProcessCreationTime": "2026-03-06T12:00:00Z", "InitiatingProcessId": 10}
    store(lake, [event(DeviceId="d1", DeviceName="web01", Timestamp="2026-03-06T12:00:00Z", **one)])
    store(lake, [event(DeviceId="d2", DeviceName="web02", Timestamp="2026-03-07T12:00:00Z")])
    store(lake, [event(DeviceId="d3", DeviceName="of another day", Timestamp="2026-03-08T12:00:00Z")])
    at = times.to_datetime(LAST) - timedelta(hours=1)
    lake.append(BATCHES, lake.local(BATCHES, [(9, at, 10, 0, 0, 0, "refused", "too odd", [], None)]))
    failed = {"batch": 9, "suite": "s", "expectation": "expect_column_values_to_be_in_set", "column": "FileName"}
    known = failed | {"severity": "warning", "success": False, "validated_at": at}
    lake.append(VALIDATIONS, lake.local(VALIDATIONS, [tuple(known.get(name) for name in VALIDATIONS.column_names)]))
    for as_of in (FIRST, LAST):
        engine.run_hunts(lake, [shells(), BROKEN, GONE], as_of, lambda step: None)
    return lake


def read(lake: Lake, period: Period | None = None, *only: str) -> Report:
    return report_data.read(lake, [shells(), BROKEN, SILENT], only, period, SUITES)


def told(report: Report) -> list[tuple[Any, ...]]:
    return [(one.hunt_name, one.device_name, one.is_new, one.as_ofs, one.day) for one in report.findings]


def test_the_newest_as_of(made: Lake) -> None:
    report = read(made)
    assert report.period == Period(LAST, LAST)
    assert told(report) == [  # the severest first, then new ones, then the latest
        ("shells", "web02", True, 1, "2026-03-07"),
        ("shells", "web01", False, 1, "2026-03-06"),
        ("gone", "web02", True, 1, "2026-03-07"),
        ("gone", "web01", False, 1, "2026-03-06"),
    ]
    details = report.details_of(report.findings[1])
    assert details.commands == [("cmd.exe /c whoami", 1)]
    assert dict(details.result) == {"DeviceId": "d1", "AccountName": "apppool", "count_": 1}
    assert [node.process.file_name for node in walk(details.trees)] == ["svchost.exe", "w3wp.exe", "cmd.exe"]


def test_a_range_has_each_finding_once(made: Lake) -> None:
    assert told(read(made, Period(FIRST, LAST), shells().id)) == [
        ("shells", "web02", True, 1, "2026-03-07"),
        ("shells", "web01", True, 2, "2026-03-06"),
    ]
    assert told(read(made, Period(FIRST, FIRST), shells().id)) == [("shells", "web01", True, 1, "2026-03-06")]


def test_hunts_that_failed_went_or_never_ran(made: Lake) -> None:
    by_name = {one.name: one for one in read(made, Period(FIRST, LAST)).hunts}
    assert list(by_name) == ["broken", "gone", "shells", "silent"]
    assert (by_name["broken"].has_failed, by_name["broken"].runs, by_name["broken"].failed) == (True, 2, 2)
    assert by_name["broken"].last is not None
    assert "Nope" in by_name["broken"].last.error
    assert by_name["gone"].techniques == ("T1059",)  # as its findings tell
    assert by_name["silent"].last is None
    assert by_name["shells"].last is not None
    assert (by_name["shells"].last.matched, by_name["shells"].last.suppressed) == (2, 0)


def test_telemetry_of_the_period(made: Lake) -> None:
    quality = read(made).quality
    assert [day.events for day in quality.days] == [0] * report_data.LEAST_DAYS  # batches by hand have no hours
    assert [(row.batch, row.detail) for row in quality.refused] == [(9, "too odd")]
    assert list(quality.failed) == [("warning", "s: FileName: values to be in set", 1)]
    assert read(made, Period(FIRST, FIRST)).quality.refused == []


def test_a_period_of_which_nothing_has_run(made: Lake, tmp_path: Path) -> None:
    with pytest.raises(LakehuntError, match=r"no hunt has run as of 2026-03-05T00:00:00"):
        read(made, Period(LAST - 3 * TICKS_PER_DAY, LAST - 3 * TICKS_PER_DAY))
    with pytest.raises(LakehuntError, match="no hunt has run on this lake yet"):
        read(Lake(made.spark, str(tmp_path)))


def test_more_findings_than_are_shown(made: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_data, "MOST_FINDINGS", 1)
    report = read(made)
    assert (len(report.findings), len(report.shown), len(report.details)) == (4, 1, 1)


@pytest.mark.parametrize("command", ["report", "hunt"])
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--as-of", "2026-03-08", "--from", "2026-03-01"], "give either --as-of or --from and --to"),
        (["--to", "2026-03-08"], "--to needs --from"),
        (["--from", "2026-03-08", "--to", "2026-03-07"], "--to is before --from"),
    ],
)
def test_usage(command: str, args: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, *args]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_told_before_spark_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", "--output", str(tmp_path / "nowhere" / "page.html")]) == 1
    assert f"there is no folder {tmp_path / 'nowhere'}" in capsys.readouterr().err


def test_no_id_is_told_before_spark_starts(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evidence", "nonsense"]) == 2
    assert "'nonsense' is not a finding's id" in capsys.readouterr().err


@pytest.mark.slow
def test_the_commands(made: Lake, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    page, layer = tmp_path / "page.html", tmp_path / "layer.json"
    where = ("--lake", made.root, "--config", write_config(tmp_path_factory.mktemp("config")))
    done = lakehunt("report", *where, "--output", page, "--navigator", layer)
    assert (done.returncode, done.stdout.splitlines()) == (0, ["4 findings, 2 new", str(page), str(layer)]), done.stderr
    assert "web02" in page.read_text()
    assert [one["techniqueID"] for one in json.loads(layer.read_text())["techniques"]] == ["T1059"]
    assert {file.name for file in tmp_path.iterdir()} == {page.name, layer.name}

    id_ = made.read(FINDINGS_ALL.name).select("finding_id").orderBy("finding_id").collect()[0].finding_id
    done = lakehunt("evidence", id_[:12], *where, "--format", "json")
    assert (done.returncode, json.loads(done.stdout)["finding"]["finding_id"]) == (0, id_), done.stderr
