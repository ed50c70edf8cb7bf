"""A Spark standalone cluster of real processes on the loopback interface, and jobs that are submitted to it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pyspark

from lakehunt.runtime import settings
from tests.support.spark_settings import QUICK_JVM

HOST = "127.0.0.1"
PATIENCE = 120  # seconds, on a machine that is busy with other things


@dataclass(frozen=True)
class Cluster:
    """A master with its workers: where jobs are submitted, and the addresses of the workers' web pages."""

    url: str
    workers: frozenset[str]


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[Cluster]:
    """A master and workers of one core and 1 GB, all of which have registered. Whatever happens, none outlives it."""
    with ExitStack() as running:

        def start(name: str, *arguments: object) -> Path:
            log = folder / f"{name}.log"
            running.enter_context(_process(log, f"org.apache.spark.deploy.{arguments[0]}", *arguments[1:]))
            return log

        master = start("master", "master.Master", "--host", HOST, "--port", 0, "--webui-port", 0)
        url = _told(master, r"Starting Spark master at (spark://\S+)")
        page = _told(master, r"MasterWebUI\b.* started at (http://\S+)")
        for number in range(workers):
            room = ("--cores", 1, "--memory", "1g", "--work-dir", folder / f"work{number}")
            start(f"worker{number}", "worker.Worker", url, "--host", HOST, "--webui-port", 0, *room)
        yield Cluster(url, _registered(page, workers))


def submit(*arguments: object, options: tuple[object, ...] = (), folder: Path, **variables: str) -> str:
    """Runs spark-submit of this environment in a folder, and returns what the job printed. It must end well."""
    command = [spark_home() / "bin/spark-submit", *_delta(), "--driver-memory", "1g", *options, *arguments]
    return run(command, folder, **variables)


def run(command: list[object], folder: Path, **variables: str) -> str:
    done = subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env=environment(folder) | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    return done.stdout


def environment(folder: Path) -> dict[str, str]:
    """This process's, with no other Spark, nor settings of one, than the Python package's own."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK_", "PYSPARK_"))}
    return ours | {
        "SPARK_HOME": str(spark_home()),
        "SPARK_CONF_DIR": str(folder),
        "SPARK_LOCAL_IP": HOST,
        "SPARK_LOCAL_DIRS": str(folder / "local"),
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": f"{QUICK_JVM} -Dspark.master.rest.enabled=false",
        "PYSPARK_PYTHON": sys.executable,
    }


def spark_home() -> Path:
    return Path(pyspark.__file__).parent


def _delta() -> list[str]:
    """Delta's jars from where the other tests have them."""
    if jars := os.environ.get("LAKEHUNT_DELTA_JARS"):
        return ["--jars", ",".join(map(str, Path(jars).glob("*.jar")))]
    ivy = os.environ.get("LAKEHUNT_IVY_SETTINGS")
    mirror = ["--conf", f"spark.jars.ivySettings={ivy}"] if ivy else []
    return ["--packages", settings.delta_package(), *mirror]


@contextmanager
def _process(log: Path, *command: object) -> Iterator[None]:
    """A class of Spark as a process that writes into `log`; with all that it has started, it ends with the block."""
    with log.open("wb") as sink:
        shell = subprocess.Popen(
            ["sh", "-c", _WHILE_WE_LIVE, "sh", str(spark_home() / "bin/spark-class"), *map(str, command)],
            cwd=log.parent,
            env=environment(log.parent),
            stdin=subprocess.PIPE,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, to which a worker's executors belong
        )
        try:
            yield
        finally:
            _stop(shell)


_WHILE_WE_LIVE = '"$@" & read -r _; kill 0'
"""Runs a command until our end of the pipe is closed, be it that these tests are killed, then ends its whole group."""


def _stop(shell: subprocess.Popen[bytes]) -> None:
    assert shell.stdin is not None
    shell.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        shell.wait(10)
    until = time.monotonic() + 10
    with suppress(ProcessLookupError):  # as soon as the group is empty
        while time.monotonic() < until:
            os.killpg(shell.pid, 0)
            time.sleep(0.1)
        os.killpg(shell.pid, signal.SIGKILL)


def _told(log: Path, pattern: str) -> str:
    """What the log says of itself, as soon as it does. Ports are the system's choice, so that none can be taken."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if found := re.search(pattern, log.read_text(errors="replace")):
            return found[1]
        time.sleep(0.2)
    raise TimeoutError(f"{log.name} does not say {pattern}:\n{log.read_text(errors='replace')[-4000:]}")


def _registered(page: str, count: int) -> frozenset[str]:
    """The web pages of the workers, as soon as the master knows them all."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with urlopen(f"{page}/json/", timeout=PATIENCE) as answer:
            workers = [one for one in json.load(answer)["workers"] if one["state"] == "ALIVE"]
        if len(workers) == count:
            return frozenset(worker["webuiaddress"] for worker in workers)
        time.sleep(0.2)
    raise TimeoutError(f"of {count} workers {len(workers)} have registered")
