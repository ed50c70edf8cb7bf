"""The DAGs in a real Airflow with real spark-submit: what a kill, a failure or a backfill leaves is what there would be
without.

By default: how settings reach a job, and one landing, killed once, with a hunt. What else an Airflow may do to a lake
is marked `campaign`; what the jobs themselves promise then is also tested in one process, as each test says."""

from __future__ import annotations

import ast
import json
import os
import random
import shutil
import signal
import sys
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from lakehunt.hunting import engine
from lakehunt.hunting.content import hunt_file
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from lakehunt.quality.data_docs import DataDocs
from tests.support.airflow import Airflow
from tests.support.blobs import blob, record, write_suites
from tests.support.landing import ingest, promote
from tests.support.paths import PROJECT

pytestmark = pytest.mark.slow

DAYS = ("2026-03-08", "2026-03-09")
AS_OFS = ("2026-03-09T00:00:00Z", "2026-03-10T00:00:00Z")
AGAIN = ("--reprocess-behavior", "completed")
NAMES = [one.name for one in hunt_file.load_folder(PROJECT / "hunts")[0]]
SECRET = "Pl4nted-S3cret-in-a-command"
CONNECTION_SECRET = "Pl4nted-S3cret-in-a-connection"


def ignore(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The samples, and an event that the first seed hunt finds, with a secret."""
    folder = tmp_path_factory.mktemp("source")
    shutil.copytree(PROJECT / "samples/streaming", folder / "samples")
    properties = {
        "Timestamp": "2026-03-07T10:00:00Z",
        "DeviceId": "secretive",
        "FileName": "cmd.exe",
        "InitiatingProcessFileName": "w3wp.exe",
        "ProcessCommandLine": f"cmd.exe /c net user admin /add & net use \\\\srv\\c$ /user:admin {SECRET}",
    }
    blob(folder, record(**properties) + "\n", "y=2026/m=03/d=07/h=10/m=00/PT1H.json")
    return folder


@pytest.fixture(scope="module")
def landed(spark: SparkSession, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake that has landed the source in one undisturbed run."""
    root = tmp_path_factory.mktemp("landed") / "lake"
    lake = Lake(spark, str(root))
    ingest(lake, str(source), datetime.now(UTC), ignore)
    promote(lake, PROJECT / "expectations", DataDocs(), ignore)
    return root


@pytest.fixture(scope="module")
def hunted(spark: SparkSession, landed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake that has also been hunted day by day."""
    root = copied(landed, tmp_path_factory.mktemp("hunted"))
    hunts, _ = hunt_file.load_folder(PROJECT / "hunts")
    for as_of in AS_OFS:
        runs = engine.run_hunts(Lake(spark, str(root)), hunts, times.parse_datetime(as_of) or 0, ignore)
        assert [run.error for run in runs] == [None, None]
    return root


def copied(lake: Path, folder: Path) -> Path:
    return Path(shutil.copytree(lake, folder / "lake"))


def configured(folder: Path, **sections: object) -> str:
    file = folder / "lakehunt.yaml"
    file.write_text(json.dumps(sections))
    return str(file)


def read(lake: Path, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = DeltaTable(lake / table).to_pyarrow_table().to_pylist()
    return found


def rows(lake: Path, table: str, *without: str) -> list[str]:
    """The rows of a table, in no order, as text."""
    return sorted(repr({key: value for key, value in row.items() if key not in without}) for row in read(lake, table))


def events(lake: Path) -> dict[str, list[str]]:
    tables = {"events": "device_process_events", "quarantine": "records"}
    found = {folder: rows(lake, f"{folder}/{table}", "landed_at") for folder, table in tables.items()}
    return found | {"raw": rows(lake, "raw/records", "landed_at")}


def findings(lake: Path) -> dict[str, list[str]]:
    return {table.name: rows(lake, f"findings/{table.name}") for table in sorted((lake / "findings").iterdir())}


def kill_spark(airflow: Airflow, job: str, after: float) -> None:
    """SIGKILL to the Spark of a job, some seconds after it has started. A landing that needs no Spark is over a few
    seconds after spark-submit has begun."""
    airflow.wait(lambda: airflow.spark(job), 180)
    time.sleep(after)
    for pid in airflow.spark(job):
        os.kill(pid, signal.SIGKILL)


def by_connection(airflow: Airflow) -> AbstractContextManager[None]:
    """With a connection that names the master and holds a password."""
    return airflow.connection("local[2]", CONNECTION_SECRET, conf={"spark.app.name": "by-connection"})


def holding_secrets(airflow: Airflow, pages: list[Path]) -> list[Path]:
    """Files with a planted secret: of Airflow, which keeps a connection's password encrypted, and some pages."""
    files = [file for file in airflow.home.rglob("*") if file.is_file()] + pages
    assert any("/logs/" in str(file) for file in files)
    return [file for file in files for secret in (SECRET, CONNECTION_SECRET) if secret.encode() in file.read_bytes()]


def test_settings_reach_the_jobs_as_they_are(airflow: Airflow, tmp_path: Path) -> None:
    """A run without a logical date, with a moment of its own and settings that a shell would like to interpret."""
    log = tmp_path / "calls"
    stand_in = tmp_path / "spark submit"
    stand_in.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1:], file=open({str(log)!r}, 'a'))\n")
    stand_in.chmod(0o755)
    odd = f"/some where/*$(touch {tmp_path}/ran);'\""
    there = {"jobs": "local:///opt/lake hunt/jobs/", "config": "content/lake hunt.yaml"}
    airflow.set(source=odd, lake="/the lake", spark_submit=f"'{stand_in}' --conf 'a=b c'", **there)
    runs = [airflow.run("lakehunt_land"), airflow.run("lakehunt_hunt", as_of="2026-03-10T00:00:00Z")]
    runs += [airflow.run("lakehunt_hunt"), airflow.run("lakehunt_backfill", as_of="2026-03-10T00:00:00Z")]
    assert [*runs, airflow.run("lakehunt_maintain")] == ["success"] * 5
    hunted = ["--as-of", "2026-03-10T00:00:00Z", "--exclusions", "current"]
    jobs, given = "local:///opt/lake hunt/jobs", ["--conf", "a=b c", "--conf", "spark.log.level=WARN"]
    places = ["--config", "content/lake hunt.yaml", "--lake", "/the lake"]
    assert [ast.literal_eval(line) for line in log.read_text().splitlines()] == [
        [*given, f"{jobs}/land.py", *places, odd],
        [*given, f"{jobs}/validate.py", *places],
        [*given, f"{jobs}/hunt.py", *places, *hunted, "--alert"],
        [*given, f"{jobs}/hunt.py", *places, "--due", "--alert"],
        [*given, f"{jobs}/hunt.py", *places, *hunted],
        [*given, f"{jobs}/maintain.py", *places],
    ]
    assert not (tmp_path / "ran").exists()


def test_a_landing_that_is_killed_and_a_hunt(
    airflow: Airflow, spark_submit: str, source: Path, landed: Path, chance: random.Random, tmp_path: Path
) -> None:
    """The killed job converges, the next DAG is told of the landing once, and the hunt finds what is there. The
    connection's master is used. No secret, neither the connection's nor one in an event, comes into Airflow's logs and
    its database, in which XCom is, or into pages of Data Docs."""
    lake, docs = tmp_path / "lake", tmp_path / "docs"
    config = configured(tmp_path, data_docs={"folder": str(docs)})
    airflow.set(spark_submit=spark_submit, source=str(source), lake=str(lake), config=config)
    killed = chance.choice(["land", "validate"])
    with by_connection(airflow):
        run = airflow.trigger("lakehunt_land")
        kill_spark(airflow, killed, chance.uniform(0, 1))
        assert airflow.ended("lakehunt_land", run) == "success", airflow.log("lakehunt_land", run)[-4000:]
        hunt = airflow.trigger("lakehunt_hunt", as_of=AS_OFS[-1])
        assert airflow.ended("lakehunt_hunt", hunt) == "success", airflow.log("lakehunt_hunt", hunt)[-4000:]
    assert airflow.tries("lakehunt_land", run) == {"land": 1, "validate": 1} | {killed: 2}
    assert events(lake) == events(landed)
    told = [event["source_run_id"] for event in airflow.ask("GET", "assets/events")["asset_events"]]
    assert told.count(run) == 1
    assert {row["hunt_name"] for row in read(lake, "findings/all")} == set(NAMES)
    pages = list(docs.rglob("*.html"))
    assert pages
    assert holding_secrets(airflow, pages) == []


@pytest.mark.campaign
def test_landing_that_is_killed_twice_converges(
    airflow: Airflow, spark_submit: str, source: Path, landed: Path, chance: random.Random, tmp_path: Path
) -> None:
    """In one process: tests/landing/test_promote.py::test_a_kill_anywhere_converges."""
    airflow.set(spark_submit=spark_submit, source=str(source), lake=str(tmp_path / "lake"))
    with by_connection(airflow):
        run = airflow.trigger("lakehunt_land")
        for job in ("land", "validate"):
            kill_spark(airflow, job, chance.uniform(0, 1))
        assert airflow.ended("lakehunt_land", run) == "success", airflow.log("lakehunt_land", run)[-4000:]
    assert airflow.tries("lakehunt_land", run) == {"land": 2, "validate": 2}
    assert events(tmp_path / "lake") == events(landed)


@pytest.mark.campaign
def test_backfills_give_what_daily_runs_gave(
    airflow: Airflow, spark_submit: str, landed: Path, hunted: Path, chance: random.Random, tmp_path: Path
) -> None:
    """Forwards, two at a time, one of them killed; then backwards, with another run of the same as-of beside it.

    In one process: tests/hunting/test_incremental.py::test_runs_at_the_same_time_store_what_one_after_the_other_does,
    ::test_a_killed_pass_counts_for_nothing, and the order of runs in tests/hunting/test_engine.py."""
    forwards, backwards = copied(landed, tmp_path / "forwards"), copied(landed, tmp_path / "backwards")
    told = tmp_path / "told.jsonl"
    config = configured(tmp_path, alerts={"channels": {"siem": {"ocsf": str(told)}}})
    airflow.set(spark_submit=spark_submit, lake=str(forwards), config=config)
    begun = airflow.start_backfill("lakehunt_backfill", DAYS[0], DAYS[-1], "--max-active-runs", "2", *AGAIN)
    kill_spark(airflow, "hunt", chance.uniform(1, 15))
    assert airflow.backfilled("lakehunt_backfill", begun) == ["success"] * 2
    assert findings(forwards) == findings(hunted)
    assert not told.exists()  # a backfill alerts nobody

    airflow.set(spark_submit=spark_submit, lake=str(backwards), config=config)
    options = ("--run-backwards", "--max-active-runs", "1", *AGAIN)
    begun = airflow.start_backfill("lakehunt_backfill", DAYS[0], DAYS[-1], *options)
    beside = airflow.trigger("lakehunt_hunt", as_of=AS_OFS[-1])
    assert airflow.ended("lakehunt_hunt", beside) == "success", airflow.log("lakehunt_hunt", beside)[-4000:]
    assert airflow.backfilled("lakehunt_backfill", begun) == ["success"] * 2
    assert findings(backwards) == findings(hunted)


@pytest.mark.campaign
@pytest.mark.parametrize(("month", "direction"), [(1, ()), (5, ("--run-backwards",))], ids=["forwards", "backwards"])
def test_a_month_of_backfills(
    airflow: Airflow, spark: SparkSession, spark_submit: str, tmp_path: Path, month: int, direction: tuple[str, ...]
) -> None:
    """Two at a time: each day has what day after day in one process gave. Takes most of an hour."""
    first, days = datetime(2026, month, 1, tzinfo=UTC), 31
    for day in range(days):
        noon = first + timedelta(days=day, hours=12)
        at = (noon, noon - timedelta(days=day % 4), noon + timedelta(hours=day % 12))  # one may be late
        commands = ("cmd.exe /c whoami", f"cmd.exe /c net user {day % 6}", "powershell.exe -enc aGVsbG8=")
        lines = [
            record(
                Timestamp=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
                ReportId=10 * day + number,
                DeviceId=f"device-{(day + number) % 5}",
                FileName=command.split()[0],
                InitiatingProcessFileName="w3wp.exe",
                ProcessCommandLine=command,
            )
            for number, (moment, command) in enumerate(zip(at, commands, strict=True))
        ]
        blob(tmp_path / "source", "\n".join(lines) + "\n", f"y={noon:%Y/m=%m/d=%d}/h=12/m=00/PT1H.json")
    straight = tmp_path / "lake"
    lake = Lake(spark, str(straight))
    ingest(lake, str(tmp_path / "source"), datetime.now(UTC), ignore)
    promote(lake, PROJECT / "expectations", DataDocs(), ignore)
    backfilled = copied(straight, tmp_path / "backfilled")
    hunts, _ = hunt_file.load_folder(PROJECT / "hunts")
    for day in range(days):
        as_of = times.parse_datetime(f"{first + timedelta(days=day + 1):%Y-%m-%dT%H:%M:%SZ}") or 0
        assert [run.error for run in engine.run_hunts(lake, hunts, as_of, ignore)] == [None, None]
    ends = (f"{first:%Y-%m-%d}", f"{first + timedelta(days=days - 1):%Y-%m-%d}")
    airflow.set(spark_submit=spark_submit, lake=str(backfilled))
    begun = airflow.start_backfill("lakehunt_backfill", *ends, *direction, "--max-active-runs", "2")
    assert set(airflow.backfilled("lakehunt_backfill", begun, 3600)) == {"success"}
    assert findings(backfilled) == findings(straight)
    assert len({row["as_of"] for row in read(straight, "findings/all")}) == days


@pytest.mark.campaign
def test_a_refused_batch_stops_before_events(airflow: Airflow, spark_submit: str, tmp_path: Path) -> None:
    """Its log says which expectation, how many rows, and where to read more.

    In one process: tests/landing/test_promote.py::test_a_refused_batch_is_tried_again."""
    lake, source, suites = tmp_path / "lake", tmp_path / "source", tmp_path / "suites"
    blob(source, record(ProcessId=1) + "\n" + record(ProcessId=2) + "\n")
    limit = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "ProcessId", "max_value": 1}}
    write_suites(suites, ({**limit, "severity": "critical"},))
    docs = {"folder": str(tmp_path / "docs"), "url": "https://docs.example"}
    config = configured(tmp_path, lake=str(lake), source=str(source), expectations=str(suites), data_docs=docs)
    airflow.set(spark_submit=spark_submit, config=config)
    run = airflow.trigger("lakehunt_land")
    assert airflow.ended("lakehunt_land", run) == "failed"
    assert airflow.tries("lakehunt_land", run) == {"land": 1, "validate": 2}
    log = airflow.log("lakehunt_land", run)
    assert "refused: DeviceProcessEvents: ProcessId: values to be between (max_value=1): 1 of 2 rows are not" in log
    assert "see https://docs.example/batch-1/device_process_events.html" in log
    assert (tmp_path / "docs/batch-1/device_process_events.html").exists()
    assert not (lake / "events").exists()


@pytest.mark.campaign
def test_a_hunt_that_fails_fails_the_run_and_no_other_hunt(
    airflow: Airflow, spark_submit: str, landed: Path, hunted: Path, tmp_path: Path
) -> None:
    """In one process: tests/hunting/test_engine.py::test_a_hunt_that_fails_stops_no_other."""
    hunts = Path(shutil.copytree(PROJECT / "hunts", tmp_path / "hunts"))
    bad = (
        "id: 11111111-2222-3333-4444-555555555555\nname: Fails while it runs\ndescription: d\n"
        "requiredDataConnectors: []\ntactics: [Execution]\nrelevantTechniques: [T1059]\n"
        "query: |\n  DeviceProcessEvents\n  | extend x = toscalar(Missing | count)\n"
    )
    (hunts / "failing.yaml").write_text(bad)
    lake = copied(landed, tmp_path)
    missing = {"Missing": {"path": str(tmp_path / "missing"), "columns": {"DeviceId": "string"}}}
    told = tmp_path / "told.jsonl"
    alerts = {"channels": {"siem": {"ocsf": str(told)}}}
    config = configured(tmp_path, lake=str(lake), hunts=str(hunts), tables=missing, alerts=alerts)
    airflow.set(spark_submit=spark_submit, config=config)
    run = airflow.trigger("lakehunt_hunt", as_of=AS_OFS[-1])
    assert airflow.ended("lakehunt_hunt", run) == "failed"
    assert {(row["hunt_name"], row["outcome"]) for row in read(lake, "hunts/runs") if row["outcome"] != "started"} == {
        (NAMES[0], "succeeded"),
        (NAMES[1], "succeeded"),
        ("Fails while it runs", "failed"),
    }
    assert "net user admin" in told.read_text()
    assert SECRET not in told.read_text()
    newest = f"{AS_OFS[-1][:10]} 00:00:00+00:00"
    found, expected = (
        {(row["finding_id"], row["events"]) for row in read(root, "findings/all") if str(row["as_of"]) == newest}
        for root in (lake, hunted)
    )
    assert found == expected
    assert found


@pytest.mark.campaign
def test_a_source_without_a_blob_fails_and_says_so(airflow: Airflow, spark_submit: str, tmp_path: Path) -> None:
    """It is no day without findings. Nothing is left of it that a later run would meet.

    In one process: tests/landing/test_ingest.py::test_no_source."""
    lake, source = tmp_path / "lake", tmp_path / "source"
    source.mkdir()
    airflow.set(spark_submit=spark_submit, source=str(source), lake=str(lake))
    run = airflow.trigger("lakehunt_land")
    assert airflow.ended("lakehunt_land", run) == "failed"
    assert "holds no file" in airflow.log("lakehunt_land", run)
    assert not list(lake.rglob("*"))
