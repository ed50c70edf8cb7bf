"""`lakehunt serve` as a process of its own, started as a user starts it, and clients of it."""

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

from lakehunt.lake.delta_lake import Lake
from tests.support.commands import LAKEHUNT
from tests.support.events import event
from tests.support.paths import PROJECT
from tests.support.spark_settings import QUICK, QUICK_JVM

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


def contents(lake: Lake) -> dict[str, str]:
    """The files of a lake, each with the digest of what is in it."""
    files = (path for path in Path(lake.root).rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@dataclass(frozen=True)
class Endpoint:
    """Where `lakehunt serve` listens, and what it has said so far."""

    port: int
    said: str
    process: subprocess.Popen[str]
    errors: Path
    """The file of what it prints on standard error."""

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
    lake: str, folder: Path, *options: str, settings: str = "", java: str = "", end: int = signal.SIGTERM, code: int = 0
) -> Iterator[Endpoint]:
    """The command, with more options of Java, until it is told to end; it must end with this exit code."""
    port = free_port()
    config = folder / "lakehunt.yaml"
    quick = QUICK | {"spark.driver.memory": "1g", "spark.driver.extraJavaOptions": f"{QUICK_JVM} {java}"}
    config.write_text("\n".join(["spark:", *(f"  {key}: '{value}'" for key, value in quick.items()), settings]))
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
            yield Endpoint(port, said, process, errors)
        finally:
            process.send_signal(end)
            ended = process.wait(timeout=90)
    assert ended == code, errors.read_text()
    assert "Traceback" not in errors.read_text()
