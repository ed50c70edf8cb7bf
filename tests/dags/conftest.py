"""A real Airflow, all of its parts, with the project's DAGs and a database of its own."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import requests

from pipelines.lake import session

PROJECT = Path(__file__).resolve().parents[2]
AIRFLOW = Path(sys.executable).with_name("airflow")
ENDED = {"success", "failed"}
ATTEMPTS = 5
"""On SQLite a write fails at once where another one came between, however patient the connection is."""


class Airflow:
    """A running Airflow, asked over its REST API; backfills go through its command line."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.environment = os.environ | {
            "PATH": f"{AIRFLOW.parent}{os.pathsep}{os.environ['PATH']}",  # it starts itself by name
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__LAKEHUNT__LAND_SCHEDULE": "0 0 1 1 *",  # not by itself while a test runs
            "AIRFLOW__LAKEHUNT__MAINTAIN_SCHEDULE": "0 0 1 1 *",
            "AIRFLOW__LAKEHUNT__RETRIES": "1",
            "AIRFLOW__LAKEHUNT__RETRY_DELAY": "1",
        }
        self._log = (home / "airflow.log").open("wb")
        self._process = subprocess.Popen(
            [AIRFLOW, "standalone"],
            env=self.environment,
            cwd=home,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._token = ""

    def wait_until_up(self) -> None:
        """Until all DAGs are there, and what their schedules had to make up for has run, without effect."""
        dags = {"lakehunt_land", "lakehunt_hunt", "lakehunt_maintain"}
        self.wait(lambda: self._answers() and self._dags() == dags, 180)
        self.set(spark_submit="true")
        for dag in dags:
            self.ask("PATCH", f"dags/{dag}", is_paused=False)
        self.wait(lambda: all([run["state"] in ENDED for run in self._runs(dag)] == [True] for dag in dags), 60)

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._log.close()

    def ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        for _ in range(ATTEMPTS):
            answer = requests.request(
                method,
                f"{self.url}/api/v2/{path}",
                json=body or None,
                headers={"Authorization": f"Bearer {self._token}"},
                timeout=60,
            )
            if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                break
            time.sleep(1)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def wait(self, until: Callable[[], object], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not until():
            assert self._process.poll() is None, "Airflow has ended"
            assert time.monotonic() < deadline, f"waited {seconds} s in vain; see {self.home}"
            time.sleep(0.5)

    def set(self, **variables: str) -> None:
        """Sets Variables lakehunt_<name>; the others are removed."""
        for old in self.ask("GET", "variables")["variables"]:
            self.ask("DELETE", f"variables/{old['key']}")
        for name, value in variables.items():
            self.ask("POST", "variables", key=f"lakehunt_{name}", value=value)

    def trigger(self, dag: str, **conf: str) -> str:
        run = self.ask("POST", f"dags/{dag}/dagRuns", logical_date=None, conf=conf)
        return str(run["dag_run_id"])

    def state(self, dag: str, run: str) -> str:
        return str(self.ask("GET", f"dags/{dag}/dagRuns/{run}")["state"])

    def ended(self, dag: str, run: str, seconds: float = 900) -> str:
        """The run's last state."""
        self.wait(lambda: self.state(dag, run) in ENDED, seconds)
        return self.state(dag, run)

    def run(self, dag: str, **conf: str) -> str:
        return self.ended(dag, self.trigger(dag, **conf))

    def start_backfill(self, dag: str, first: str, last: str, *options: str) -> int:
        """Starts one of the days `first` to `last`; a run's as-of is the end of its day. Returns its number."""
        command = [AIRFLOW, "backfill", "create", "--dag-id", dag, "--from-date", first, "--to-date", last, *options]
        for _ in range(ATTEMPTS):
            done = subprocess.run(command, env=self.environment, check=False, capture_output=True, text=True)
            backfills = self.ask("GET", f"backfills?dag_id={dag}")["backfills"]
            if not done.returncode:
                return max(one["id"] for one in backfills)
            assert "database is locked" in done.stderr, done.stdout + done.stderr
            for one in backfills:
                if not one["completed_at"]:
                    self.ask("PUT", f"backfills/{one['id']}/cancel")
        raise AssertionError("the database stays locked")

    def backfilled(self, dag: str, backfill: int) -> list[str]:
        """The states of a backfill's runs, when all have ended."""
        self.wait(lambda: self.ask("GET", f"backfills/{backfill}")["completed_at"], 900)
        return [run["state"] for run in self._runs(dag) if run["run_type"] == "backfill"]

    def tries(self, dag: str, run: str) -> dict[str, int]:
        found = self.ask("GET", f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return {one["task_id"]: one["try_number"] for one in found}

    def log(self, dag: str, run: str) -> str:
        """What the run's tasks have logged, all tries."""
        folder = self.home / "logs" / f"dag_id={dag}" / f"run_id={run}"
        lines = (line for file in sorted(folder.rglob("*.log")) for line in file.read_text().splitlines())
        return "\n".join(str(json.loads(line).get("event")) for line in lines)

    def spark(self, job: str) -> list[int]:
        """Process ids of the Sparks that its tasks have started for a job."""
        command = ["pgrep", "-f", f"deploy.SparkSubmit .*jobs/{job}.py"]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        return [pid for pid in map(int, found.stdout.split()) if str(self.home).encode() in _environment(pid)]

    def _answers(self) -> bool:
        with suppress(requests.RequestException):
            self._token = requests.get(f"{self.url}/auth/token", timeout=5).json()["access_token"]
            return True
        return False

    def _dags(self) -> set[str]:
        return {one["dag_id"] for one in self.ask("GET", "dags")["dags"]}

    def _runs(self, dag: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", f"dags/{dag}/dagRuns?limit=100")["dag_runs"]
        return found


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    running = Airflow(tmp_path_factory.mktemp("airflow"))
    try:
        running.wait_until_up()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def spark_submit() -> str:
    """The one of this environment, with Delta's jars from where the other tests have them, and soon warm."""
    jars, ivy = os.environ.get("LAKEHUNT_DELTA_JARS"), os.environ.get("LAKEHUNT_IVY_SETTINGS")
    delta = (
        ["--jars", ",".join(map(str, Path(jars).glob("*.jar")))] if jars else ["--packages", session.delta_package()]
    )
    settings: Mapping[str, str] = {
        "spark.sql.shuffle.partitions": "1",
        "spark.databricks.delta.snapshotPartitions": "1",
        **({"spark.jars.ivySettings": ivy} if ivy else {}),
    }
    command = ["env", f"PYSPARK_PYTHON={sys.executable}", str(Path(sys.executable).with_name("spark-submit"))]
    command += ["--driver-memory", "1g", "--driver-java-options", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC", *delta]
    command += [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]
    return shlex.join(command)
