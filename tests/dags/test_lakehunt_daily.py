"""The daily DAG: what it may import, and one real run with real Airflow and real spark-submit."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.lake import session

PROJECT = Path(__file__).resolve().parents[2]
DAG = PROJECT / "dags/lakehunt_daily.py"
RUN = Path(__file__).with_name("run_daily.py")


def airflow(home: Path, logical_date: str, params: dict[str, str], variables: dict[str, str]) -> str:
    """Runs the DAG in a new Airflow under `home`; returns the run's state."""
    home.mkdir()
    environment = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAG.parent),
        **{f"AIRFLOW_VAR_LAKEHUNT_{name.upper()}": value for name, value in variables.items()},
    }
    done = subprocess.run(
        [sys.executable, RUN, DAG, logical_date, json.dumps(params)],
        env=os.environ | environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    log = home / "run.log"
    log.write_text(done.stdout + done.stderr)
    assert done.returncode == 0, log.read_text()[-8000:]
    return done.stdout.split()[-1]


def spark_submit() -> str:
    """The one of this environment, with Delta's jars from where the other tests have them."""
    jars = os.environ.get("LAKEHUNT_DELTA_JARS")
    ivy = os.environ.get("LAKEHUNT_IVY_SETTINGS")
    delta = (
        f"--jars {','.join(map(str, Path(jars).glob('*.jar')))}" if jars else f"--packages {session.delta_package()}"
    )
    mirror = f"--conf spark.jars.ivySettings={ivy}" if ivy else ""
    submit = f"env PYSPARK_PYTHON={sys.executable} {Path(sys.executable).with_name('spark-submit')}"
    return f"{submit} --master local[2] --driver-memory 2g {delta} {mirror}"


def rows(lake: Path, table: str) -> list[dict[str, object]]:
    from deltalake import DeltaTable

    found: list[dict[str, object]] = DeltaTable(lake / table).to_pyarrow_table().to_pylist()
    return found


def comparable(row: dict[str, object]) -> dict[str, object]:
    """The columns that a finding and its expectation have in common; a dynamic value is stored as JSON text."""
    commands = row.get("set_ProcessCommandLine")
    if commands is None:
        return {name: row[name] for name in ("ProcessCommandLine", "FolderPath", "DeviceId", "instances")}
    return {"DeviceId": row["DeviceId"], "commands": json.loads(commands) if isinstance(commands, str) else commands}


def test_it_imports_neither_spark_nor_lakehunt() -> None:
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(DAG.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {"__future__", "collections", "datetime", "pathlib", "typing", "airflow"}


def test_its_delta_is_the_one_that_is_installed() -> None:
    assert f'"spark-submit --packages {session.delta_package()}"' in DAG.read_text()


@pytest.mark.slow
def test_settings_reach_the_jobs_as_they_are(tmp_path: Path) -> None:
    """A run without a logical date, with a moment of its own and settings that a shell would like to interpret."""
    log = tmp_path / "calls"
    stand_in = tmp_path / "spark-submit"
    stand_in.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1:], file=open({str(log)!r}, 'a'))\n")
    stand_in.chmod(0o755)
    source = f"/some where/*$(touch {tmp_path}/ran);'\""
    settings = {"source": source, "lake": "/the lake", "spark_submit": f"{stand_in} --conf a=b"}
    assert airflow(tmp_path / "home", "none", {"as_of": "2026-03-10T00:00:00Z"}, settings) == "success"
    jobs = PROJECT / "jobs"
    assert [ast.literal_eval(line) for line in log.read_text().splitlines()] == [
        ["--conf", "a=b", f"{jobs}/land.py", "--lake", "/the lake", source],
        ["--conf", "a=b", f"{jobs}/validate.py", "--lake", "/the lake"],
        ["--conf", "a=b", f"{jobs}/hunt.py", "--lake", "/the lake", "--as-of", "2026-03-10T00:00:00Z", "--alert"],
    ]
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
def test_a_day_from_blobs_to_findings(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    settings = {"source": str(PROJECT / "samples/streaming"), "lake": str(lake), "spark_submit": spark_submit()}
    # Triggered on the 10th: the last whole day ended at its midnight, which is the samples' as-of.
    state = airflow(tmp_path / "home", "2026-03-10T01:00:00+00:00", {}, settings)
    assert state == "success", (tmp_path / "home/run.log").read_text()[-8000:]

    expected = json.loads((PROJECT / "samples/expected.json").read_text())
    assert len(rows(lake, "raw/device_process_events")) == expected["landing"]["delivered"]
    assert len(rows(lake, "events/device_process_events")) == expected["landing"]["events"]
    assert len(rows(lake, "quarantine/device_process_events")) == expected["landing"]["quarantined"]
    for hunt, findings in expected["hunts"].items():
        found = rows(lake, f"findings/{hunt}")
        assert sorted(map(comparable, found), key=str) == sorted(map(comparable, findings), key=str)
