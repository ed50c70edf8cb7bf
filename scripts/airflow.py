"""`make airflow`: a real Airflow on this machine with the project's DAGs, the samples as source, and a first run.

Everything is in the folder .airflow: its database, its logs, the lake. Without a password, so on loopback only.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests

from lakehunt import config as configuration
from lakehunt.runtime import java, jvm_cache, settings

PROJECT = Path(__file__).resolve().parents[1]
HOME = PROJECT / ".airflow"
BIN = Path(sys.executable).parent
PORT = int(os.environ.get("PORT", "8080"))
URL = f"http://127.0.0.1:{PORT}"
DAGS = {"lakehunt_land", "lakehunt_hunt", "lakehunt_backfill", "lakehunt_maintain"}
ATTEMPTS = 5
AS_OFS = ("2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z", "2026-03-10T00:00:00Z")
"""Of the samples."""

PATIENCE = 180
"""Seconds in which Airflow has to answer."""


def standalone(home: Path, port: int, parallelism: int, dags: Path = PROJECT / "dags") -> dict[str, str]:
    """Settings, as variables, of an Airflow, all parts in one, with the project's DAGs and no password."""
    url = f"http://127.0.0.1:{port}"
    return {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": str(parallelism),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",  # it starts itself by name
    }


def spark_submit(*options: str, java_options: str = "") -> str:
    """The one of this environment, for a local master, with Delta's jars from where the configuration has them."""
    config = configuration.load()
    jars = settings.delta_jars(config)
    ivy = config.spark.get("spark.jars.ivySettings")
    variables = [f"PYSPARK_PYTHON={sys.executable}", f"{jvm_cache.CLASS_PATH}={jvm_cache.class_path(jars)}"]
    command = ["env", *variables, str(BIN / "spark-submit"), *options]
    command += [] if jars else ["--packages", settings.delta_package()]
    command += ["--driver-java-options", jvm_cache.options(java.found().identity, java_options, jars, learning=False)]
    return shlex.join(command + (["--conf", f"spark.jars.ivySettings={ivy}"] if ivy else []))


def ask(url: str, method: str, path: str, **body: object) -> Any:
    """Asks the REST API of an Airflow. On SQLite a write fails at once where another one came between: then again."""
    token = requests.get(f"{url}/auth/token", timeout=30).json()["access_token"]
    for attempt in range(ATTEMPTS):
        answer = requests.request(
            method,
            f"{url}/api/v2/{path}",
            json=body or None,
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )
        if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            break
        time.sleep(1 + attempt)
    if not answer.ok:
        raise requests.HTTPError(f"{method} {path}: {answer.status_code} {answer.text}", response=answer)
    return answer.json() if answer.content else {}


def dags(url: str) -> set[str]:
    """The DAGs that an Airflow knows by now; none while it is starting."""
    with suppress(requests.RequestException):
        return {one["dag_id"] for one in ask(url, "GET", "dags")["dags"]}
    return set()


def main() -> int:
    HOME.mkdir(exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that Airflow is ended, too
    settings = {
        "AIRFLOW_VAR_LAKEHUNT_SOURCE": str(PROJECT / "samples/streaming"),
        "AIRFLOW_VAR_LAKEHUNT_LAKE": str(HOME / "lake"),
        "AIRFLOW_VAR_LAKEHUNT_SPARK_SUBMIT": spark_submit("--driver-memory", "2g"),
        **standalone(HOME, PORT, parallelism=2),
    }
    log = HOME / "airflow.log"
    with log.open("ab") as out:
        airflow = subprocess.Popen(  # noqa: S603  (the Airflow of this environment)
            [BIN / "airflow", "standalone"], env=settings, cwd=HOME, stdout=out, stderr=out, start_new_session=True
        )
    try:
        print(f"Airflow is starting; what it says is in {log}")
        if not answers(airflow):
            print(f"Airflow did not start within {PATIENCE} s; {log} says why", file=sys.stderr)
            return 1
        first_run()
        print(f"\n  {URL}    (Ctrl-C ends it)\n")
        return airflow.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        if airflow.poll() is None:
            os.killpg(airflow.pid, signal.SIGTERM)
            airflow.wait()


def answers(airflow: subprocess.Popen[bytes]) -> bool:
    """Waits until the web page is there, and the DAGs are on it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and airflow.poll() is None:
        if dags(URL) == DAGS:
            return True
        time.sleep(1)
    return False


def first_run() -> None:
    """Lands the samples, then hunts their last days. Done once; the DAGs go on by their schedules."""
    marker = HOME / "first-run"
    if marker.exists():
        return
    ask(URL, "PATCH", "dags/lakehunt_land", is_paused=False)
    print("landing the samples")
    run = ask(URL, "POST", "dags/lakehunt_land/dagRuns", logical_date=None)["dag_run_id"]
    while ask(URL, "GET", f"dags/lakehunt_land/dagRuns/{run}")["state"] in {"queued", "running"}:
        time.sleep(2)
    for dag in ("lakehunt_hunt", "lakehunt_maintain"):  # not before there are events
        ask(URL, "PATCH", f"dags/{dag}", is_paused=False)
    for as_of in AS_OFS:
        print(f"hunting as of {as_of}")
        ask(URL, "POST", "dags/lakehunt_hunt/dagRuns", logical_date=None, conf={"as_of": as_of})
    marker.touch()


if __name__ == "__main__":
    raise SystemExit(main())
