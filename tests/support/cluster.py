"""A Spark standalone cluster of real processes on the loopback interface, and jobs that are submitted to it."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pyspark

from lakehunt.runtime import settings
from tests.support.spark_settings import QUICK_JVM

HOST = "127.0.0.1"
PATIENCE = 120  # seconds, on a machine that is busy with other things


@dataclass(frozen=True)
class Cluster:
    """A master with its workers of one core and 1 GB: where jobs are submitted, and the master's web page."""

    url: str
    page: str
    folder: Path
    _running: ExitStack
    _workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _number: Iterator[int] = field(default_factory=itertools.count)

    @property
    def workers(self) -> frozenset[str]:
        """The web pages of the workers that the master knows to be alive."""
        return frozenset(worker["webuiaddress"] for worker in self._alive())

    @property
    def names(self) -> list[str]:
        """The workers that were not killed."""
        return [*self._workers]

    def add_worker(self) -> None:
        """Starts a worker, and waits until it is registered."""
        name, before = f"worker{next(self._number)}", len(self._alive())
        room = ("--cores", 1, "--memory", "1g", "--work-dir", self.folder / name)
        command = ("worker.Worker", self.url, "--host", HOST, "--webui-port", 0, *room)
        self._workers[name] = _start(self._running, self.folder / f"{name}.log", *command)
        _wait(lambda: len(self._alive()) > before, f"{name} does not register")

    def kill_worker(self, name: str) -> None:
        """SIGKILL to a worker, as named in its log, and to the executors that it has started, as if its machine were
        gone."""
        before = len(self._alive())
        os.killpg(self._workers.pop(name).pid, signal.SIGKILL)
        _wait(lambda: len(self._alive()) < before, f"the master does not notice that {name} is gone")

    def all_work(self) -> bool:
        """Whether each worker runs an executor."""
        return all(worker["coresused"] for worker in self._alive())

    def _alive(self) -> list[dict[str, Any]]:
        with urlopen(f"{self.page}/json/", timeout=PATIENCE) as answer:
            return [one for one in json.load(answer)["workers"] if one["state"] == "ALIVE"]


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[Cluster]:
    """A master and workers, all of which have registered. Whatever happens, none outlives it."""
    with ExitStack() as running:
        log = folder / "master.log"
        _start(running, log, "master.Master", "--host", HOST, "--port", 0, "--webui-port", 0)
        url = told(log, r"Starting Spark master at (spark://\S+)")
        page = told(log, r"MasterWebUI\b.* started at (http://\S+)")
        started = Cluster(url, page, folder, running)
        for _ in range(workers):
            started.add_worker()
        yield started


def options(log: Path) -> tuple[str, ...]:
    """Of spark-submit: an executor on each of two workers from the first task on, and what Spark does in a log."""
    settings = {
        "spark.driver.host": HOST,
        "spark.driver.extraJavaOptions": QUICK_JVM,
        "spark.executor.extraJavaOptions": QUICK_JVM,
        # All executors are there before the first task, so that each of them gets some.
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
        **event_log(log),
    }
    room = ("--executor-memory", "1g", "--total-executor-cores", "2")
    return (*room, *(word for key, value in settings.items() for word in ("--conf", f"{key}={value}")))


def event_log(folder: Path) -> dict[str, str]:
    """Spark's settings that keep a log of what it does."""
    return {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": folder.as_uri(),
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
    }


def submit(*arguments: object, options: tuple[object, ...] = (), folder: Path, **variables: str) -> str:
    """Runs spark-submit of this environment in a folder, and returns what the job printed. It must end well."""
    command = [spark_home() / "bin/spark-submit", *delta(), "--driver-memory", "1g", *options, *arguments]
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


def delta() -> list[str]:
    """Delta's jars from where the other tests have them."""
    if jars := os.environ.get("LAKEHUNT_DELTA_JARS"):
        return ["--jars", ",".join(map(str, Path(jars).glob("*.jar")))]
    ivy = os.environ.get("LAKEHUNT_IVY_SETTINGS")
    mirror = ["--conf", f"spark.jars.ivySettings={ivy}"] if ivy else []
    return ["--packages", settings.delta_package(), *mirror]


def _start(running: ExitStack, log: Path, name: str, *arguments: object) -> subprocess.Popen[bytes]:
    """A part of Spark's standalone cluster, which ends with `running`."""
    command = (spark_home() / "bin/spark-class", f"org.apache.spark.deploy.{name}", *arguments)
    return running.enter_context(process(log, environment(log.parent), *command))


@contextmanager
def process(log: Path, variables: dict[str, str], *command: object) -> Iterator[subprocess.Popen[bytes]]:
    """A process that writes into `log`; with all that it has started, it ends with the block."""
    with log.open("wb") as sink:
        shell = subprocess.Popen(
            ["sh", "-c", _WHILE_WE_LIVE, "sh", *map(str, command)],
            cwd=log.parent,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, to which a worker's executors belong
        )
        try:
            yield shell
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


def told(log: Path, pattern: str) -> str:
    """What the log says of itself, as soon as it does. Ports are the system's choice, so that none can be taken."""

    def found() -> re.Match[str] | None:
        return re.search(pattern, log.read_text(errors="replace"))

    _wait(found, f"{log} does not say {pattern}")
    match = found()
    assert match is not None
    return match[1]


def _wait(until: Callable[[], object], otherwise: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.2)
