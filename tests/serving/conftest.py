"""A lake with what the two seed hunts found at two as-ofs, and its endpoint, started as a user starts it."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.config import PROJECT
from pipelines.lake.tables import Lake
from tests.commands import LAKEHUNT
from tests.events import event, store
from tests.hunting.test_engine import H1, H2, run

FIRST, SECOND = "2026-03-06T00:00:00Z", "2026-03-07T00:00:00Z"

WHOAMI, IPCONFIG, ARCHIVE = "cmd.exe /c whoami", "cmd.exe /c ipconfig", "cmd.exe /c archive-logs.cmd"

EVENTS = (
    # both hunts find them, at both as-ofs: a finding of two events
    event(Timestamp="2026-03-01T12:00:00Z", DeviceId="d1", DeviceName="web01", ReportId=1),
    event(Timestamp="2026-03-02T12:00:00.1234567Z", DeviceId="d1", DeviceName="web01", ReportId=2),
    # both find it, at the second as-of only
    event(Timestamp="2026-03-06T12:00:00Z", DeviceId="d2", DeviceName="web02", ReportId=3,
          ProcessCommandLine=IPCONFIG, AccountName="iis2"),
    # only the second hunt finds it
    event(Timestamp="2026-03-06T13:00:00Z", DeviceId="d3", DeviceName="web03", ReportId=4, ProcessCommandLine=ARCHIVE),
)  # fmt: skip


@pytest.fixture(scope="session")
def hunted(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(spark, str(tmp_path_factory.mktemp("served") / "lake"))
    store(lake, EVENTS)
    for as_of in (FIRST, SECOND):
        assert [one.error for one in run(lake, H1, H2, as_of=as_of)] == [None, None]
    return lake


def contents(lake: Lake) -> dict[str, str]:
    """The files of a lake, each with the digest of what is in it."""
    files = (path for path in Path(lake.root).rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="session")
def before(hunted: Lake) -> dict[str, str]:
    """What the lake holds before the endpoint starts."""
    return contents(hunted)


@dataclass(frozen=True)
class Endpoint:
    """Where `lakehunt serve` listens, and what it has said so far."""

    port: int
    said: str

    @contextmanager
    def cursor(self, configuration: dict[str, str] | None = None, **options: Any) -> Iterator[Any]:
        """A session of impyla's; closed, as one that is left to the garbage collector speaks up at any time."""
        from impala.dbapi import connect

        chosen = {"auth_mechanism": "PLAIN", "user": "analyst", "password": "-", "retries": 1} | options
        with (
            connect("127.0.0.1", self.port, **chosen) as connection,
            closing(connection.cursor(configuration=configuration)) as cursor,
        ):
            yield cursor

    def rows(self, sql: str, configuration: dict[str, str] | None = None, **options: Any) -> list[tuple[Any, ...]]:
        with self.cursor(configuration, **options) as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def serving(
    lake: str, folder: Path, *options: str, settings: str = "", end: int = signal.SIGTERM
) -> Iterator[Endpoint]:
    """The command, until it is told to end; it must end well."""
    port = free_port()
    config = folder / "lakehunt.yaml"
    memory = "spark.master: local[2]\n  spark.driver.memory: 1g\n  spark.sql.shuffle.partitions: 2"
    config.write_text(f"spark:\n  {memory}\n  spark.driver.extraJavaOptions: -XX:+UseSerialGC\n{settings}")
    command = [*LAKEHUNT, "serve", "--lake", lake, "--port", str(port), "--config", str(config), *options]
    errors = folder / "stderr"
    with errors.open("w") as sink:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=sink, text=True, cwd=folder,
            env=os.environ | {"PYTHONPATH": str(PROJECT), "LAKEHUNT_SPARK_LOG": str(folder / "spark.log")},
        )  # fmt: skip
        assert process.stdout is not None
        try:
            said = process.stdout.readline() + process.stdout.readline()
            assert "serving at" in said, errors.read_text()
            yield Endpoint(port, said)
        finally:
            process.send_signal(end)
            ended = process.wait(timeout=90)
    assert ended == 0, errors.read_text()
    assert "Traceback" not in errors.read_text()


@pytest.fixture(scope="session")
def endpoint(hunted: Lake, before: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with serving(hunted.root, tmp_path_factory.mktemp("endpoint"), "--refresh", "1") as one:
        yield one
