"""A real S3 server on the loopback interface: versitygw, which has conditional puts and keeps objects as files."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lakehunt.core.object_store import ObjectStore

MODULE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
ACCESS_KEY = "AKIDOFTHETESTS"
SECRET_KEY = "a-Secret/of+the-tests-4711"
PATIENCE = 60


@dataclass(frozen=True)
class Server:
    """Where it answers, and the folder of its buckets."""

    endpoint: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a client's process needs to find it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def bucket(self, name: str) -> Path:
        """The folder of a bucket, which is made."""
        made = self.folder / name
        made.mkdir()
        return made


def put(place: str, content: bytes | str) -> None:
    """Writes an object (`bucket/key`) to the store that the environment names."""
    with ObjectStore().filesystem().open_output_stream(place) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)


def built() -> Path:
    """The server's program, which Go builds once. Skips the test, saying why, where it cannot be built."""
    folder = Path.home() / ".cache/lakehunt-tests" / MODULE.rpartition("/")[2]
    program = folder / "versitygw"
    if program.exists():
        return program
    go = shutil.which("go", path=f"{os.environ.get('PATH', '')}:/usr/local/go/bin")
    if go is None:
        pytest.skip("the S3 server of these tests is built by Go, which is not installed")
    environment = os.environ | {"GOBIN": str(folder), "GOFLAGS": "-mod=mod"}
    done = subprocess.run([go, "install", MODULE], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"Go cannot build the S3 server of these tests: {done.stderr.strip().splitlines()[-1:]}")
    return program


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """The server, with its buckets in `folder`/buckets."""
    buckets = folder / "buckets"
    buckets.mkdir(parents=True)
    port = _free_port()
    with (folder / "server.log").open("wb") as log:
        command = [built(), "--quiet", "--port", f"127.0.0.1:{port}", "posix", buckets]
        secret = {"ROOT_ACCESS_KEY_ID": ACCESS_KEY, "ROOT_SECRET_ACCESS_KEY": SECRET_KEY}
        process = subprocess.Popen([*map(str, command)], env=os.environ | secret, stdout=log, stderr=log)
        try:
            _wait(process, port, folder / "server.log")
            yield Server(f"http://127.0.0.1:{port}", buckets)
        finally:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
