"""A real Airflow, all of its parts, with a database of its own, and the project's DAGs in a folder that holds nothing
else, as git-sync or a managed Airflow has them.

    from tests.support.airflow import airflow  # noqa: F401 (a fixture)"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from scripts import airflow as standalone
from tests.support.paths import PROJECT

AIRFLOW = standalone.BIN / "airflow"
ENDED = {"success", "failed"}


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """One for all tests of a module."""
    running = Airflow(tmp_path_factory.mktemp("airflow"))
    try:
        running.wait_until_up()
        yield running
    finally:
        running.stop()


class Airflow:
    """A running Airflow, asked over its REST API; backfills go through its command line."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        dags = shutil.copytree(PROJECT / "dags", home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
        self.environment = standalone.standalone(home, port, parallelism=4, dags=dags) | {
            "AIRFLOW__LAKEHUNT__LAND_SCHEDULE": "0 0 1 1 *",  # not by itself while a test runs
            "AIRFLOW__LAKEHUNT__HUNT_SCHEDULE": "0 0 1 1 *",
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

    def wait_until_up(self) -> None:
        """Until all DAGs are there, and what their schedules had to make up for has run, without effect."""
        self.wait(lambda: standalone.dags(self.url) == standalone.DAGS, 180)
        self.set(spark_submit="true")
        for dag in standalone.DAGS:
            self.ask("PATCH", f"dags/{dag}", is_paused=False)
        self.wait(lambda: all(self._states(dag) in ([one] for one in ENDED) for dag in standalone.DAGS), 60)

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._log.close()

    def ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        found: dict[str, Any] = standalone.ask(self.url, method, path, **body)
        return found

    def wait(self, until: Callable[[], object], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not until():
            assert self._process.poll() is None, "Airflow has ended"
            assert time.monotonic() < deadline, f"waited {seconds} s in vain; see {self.home}"
            time.sleep(0.5)

    def set(self, **variables: str) -> None:
        """Sets Variables lakehunt_<name>; the others are removed. The jobs are the project's, unless named."""
        variables = {"jobs": str(PROJECT / "jobs")} | variables
        for old in self.ask("GET", "variables")["variables"]:
            self.ask("DELETE", f"variables/{old['key']}")
        for name, value in variables.items():
            self.ask("POST", "variables", key=f"lakehunt_{name}", value=value)

    @contextmanager
    def connection(self, host: str, password: str = "", **extra: object) -> Iterator[None]:
        """With a connection that says where Spark is."""
        fields = {"connection_id": "lakehunt_spark", "conn_type": "spark", "extra": json.dumps(extra)}
        self.ask("POST", "connections", host=host, password=password, **fields)
        try:
            yield
        finally:
            self.ask("DELETE", "connections/lakehunt_spark")

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
        for _ in range(standalone.ATTEMPTS):
            done = subprocess.run(command, env=self.environment, check=False, capture_output=True, text=True)
            backfills = self.ask("GET", f"backfills?dag_id={dag}")["backfills"]
            if not done.returncode:
                return max(one["id"] for one in backfills)
            assert "database is locked" in done.stderr, done.stdout + done.stderr
            for one in backfills:
                if not one["completed_at"]:
                    self.ask("PUT", f"backfills/{one['id']}/cancel")
        raise AssertionError("the database stays locked")

    def backfilled(self, dag: str, backfill: int, seconds: float = 900) -> list[str]:
        """The states of all backfills' runs, when those of this one have ended."""
        self.wait(lambda: self.ask("GET", f"backfills/{backfill}")["completed_at"], seconds)
        return [run["state"] for run in self._runs(dag) if run["run_type"] == "backfill"]

    def tries(self, dag: str, run: str) -> dict[str, int]:
        """How often each task was started, except the one that starts nothing."""
        found = self.ask("GET", f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return {one["task_id"]: one["try_number"] for one in found if one["task_id"] != "landed"}

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

    def _states(self, dag: str) -> list[str]:
        return [run["state"] for run in self._runs(dag)]

    def _runs(self, dag: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", f"dags/{dag}/dagRuns?limit=100")["dag_runs"]
        return found


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""
