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
import urllib.error
import urllib.request
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
HOME = PROJECT / ".airflow"
BIN = Path(sys.executable).parent
PORT = os.environ.get("PORT", "8080")
URL = f"http://localhost:{PORT}"
DAYS = ("2026-03-03", "2026-03-09")
"""Days of the samples."""

PATIENCE = 180
"""Seconds in which Airflow has to answer."""


def environment() -> dict[str, str]:
    """Settings of Airflow as variables, so that no airflow.cfg has to be edited. What is set already stays."""
    submit = ["env", f"PYSPARK_PYTHON={sys.executable}", str(BIN / "spark-submit"), "--driver-memory", "2g"]
    jars, ivy = os.environ.get("LAKEHUNT_DELTA_JARS"), os.environ.get("LAKEHUNT_IVY_SETTINGS")
    submit += ["--jars", ",".join(map(str, Path(jars).glob("*.jar")))] if jars else ["--packages", _delta_package()]
    submit += ["--conf", f"spark.jars.ivySettings={ivy}"] if ivy else []
    return {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db?timeout=60",  # patient with other writers
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{URL}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": PORT,
        "AIRFLOW__API__BASE_URL": URL,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW_VAR_LAKEHUNT_SOURCE": str(PROJECT / "samples/streaming"),
        "AIRFLOW_VAR_LAKEHUNT_LAKE": str(HOME / "lake"),
        "AIRFLOW_VAR_LAKEHUNT_SPARK_SUBMIT": shlex.join(submit),
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    }


def _delta_package() -> str:
    from pipelines.lake import session  # noqa: PLC0415

    return session.delta_package()


def main() -> int:
    HOME.mkdir(exist_ok=True)
    settings = environment()
    log = HOME / "airflow.log"
    with log.open("ab") as out:
        airflow = subprocess.Popen(
            [BIN / "airflow", "standalone"], env=settings, cwd=HOME, stdout=out, stderr=out, start_new_session=True
        )
    try:
        print(f"Airflow is starting; what it says is in {log}")
        if not answers(airflow):
            print(f"Airflow did not start within {PATIENCE} s; {log} says why", file=sys.stderr)
            return 1
        first_run(settings)
        print(f"\n  {URL}    (Ctrl-C ends it)\n")
        return airflow.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        if airflow.poll() is None:
            os.killpg(airflow.pid, signal.SIGTERM)
            airflow.wait()


def answers(airflow: subprocess.Popen[bytes]) -> bool:
    """Waits until the web page is there."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and airflow.poll() is None:
        try:
            with urllib.request.urlopen(f"{URL}/api/v2/version", timeout=5):  # noqa: S310  (our own address)
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    return False


def first_run(settings: dict[str, str]) -> None:
    """Lands the samples, then hunts their week as a backfill. Done once; the DAGs go on by their schedules."""
    marker = HOME / "first-run"
    if marker.exists():
        return
    for dag in ("lakehunt_land", "lakehunt_hunt", "lakehunt_maintain"):
        call(settings, "dags", "unpause", "-y", dag)
    print("landing the samples")
    call(settings, "dags", "trigger", "lakehunt_land")
    print(f"hunting the days {DAYS[0]} to {DAYS[1]}")
    first, last = DAYS
    call(settings, "backfill", "create", "--dag-id", "lakehunt_hunt", "--from-date", first, "--to-date", last)
    marker.touch()


def call(settings: dict[str, str], *command: str) -> None:
    done = subprocess.run(
        [BIN / "airflow", *command], env=settings, cwd=HOME, capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(f"airflow {' '.join(command)} failed:\n{done.stdout}{done.stderr}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
