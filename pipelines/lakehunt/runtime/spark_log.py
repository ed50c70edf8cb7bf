"""What Spark and its JVM print: in a temporary file, so that it does not mix with Lakehunt's output, and kept if a
command fails. Imports no Spark."""

from __future__ import annotations

import atexit
import os
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from lakehunt.core.credentials import redacted
from lakehunt.runtime import jvm_cache

VARIABLE = "LAKEHUNT_SPARK_LOG"
"""Environment variable: the file of the log, which then is always kept; `-` leaves it on the terminal."""

FIRST, LAST = 1_000_000, 4_000_000
"""Bytes of a longer log that are kept: the first error often explains later ones."""

KEPT = 10
"""Logs of failed commands that are kept, the newest ones."""


class SparkLog:
    """The log of this process's JVM."""

    def __init__(self) -> None:
        chosen = os.environ.get(VARIABLE)
        self.on_terminal = chosen == "-"
        self.is_temporary = not chosen
        self.file = Path(os.devnull) if self.on_terminal else Path(chosen) if chosen else _own()
        self._started = 0

    def started(self) -> None:
        """Notes that Spark or a command has started: what was printed so far is of no interest."""
        self._started = self._size()

    def _size(self) -> int:
        with suppress(OSError):
            return self.file.stat().st_size
        return 0

    def kept(self) -> Path | None:
        """Where the log of a failed command is kept; None if Spark has reported nothing."""
        if self._size() <= self._started:
            return None
        if not self.is_temporary:
            return self.file
        with suppress(OSError):
            return _copied(self.file)
        self.is_temporary = False  # it cannot be copied, so it stays where it is
        return self.file

    def close(self) -> None:
        if self.is_temporary:
            self.file.unlink(missing_ok=True)


def _own() -> Path:
    """A new file that only this user can read, under a name that nobody can have taken before."""
    number, name = tempfile.mkstemp(prefix=f"lakehunt-spark-{os.getpid()}-", suffix=".log")
    os.close(number)
    return Path(name)


def _copied(file: Path) -> Path:
    folder = jvm_cache.cache_folder() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.glob("spark-*.log"))[: -KEPT + 1]:
        old.unlink(missing_ok=True)
    target = folder / f"spark-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.log"
    target.touch(mode=0o600)
    target.write_text(redacted(_bounded(file).decode("utf-8", "replace")), encoding="utf-8")
    return target


def _bounded(file: Path) -> bytes:
    """The content of the file; of a long one, its beginning and its end."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        first = stream.read(FIRST if size > FIRST + LAST else FIRST + LAST)
        if size <= FIRST + LAST:
            return first
        stream.seek(-LAST, os.SEEK_END)
        return first + f"\n... {size - FIRST - LAST} bytes are left out ...\n".encode() + stream.read(LAST)


class _Current:
    """The log of the process, once its JVM was started."""

    log: SparkLog | None = None


def opened() -> SparkLog:
    """The log for a JVM that is about to start."""
    if _Current.log is None:
        _Current.log = SparkLog()
        atexit.register(_Current.log.close)
    return _Current.log


def command_started() -> None:
    """Notes that a command starts. In a process that runs several ones, what Spark printed before is of another."""
    if _Current.log:
        _Current.log.started()


def of_failure() -> Path | None:
    """Where the log is kept, now that a command has failed; None if Spark did not start or has reported nothing."""
    return _Current.log.kept() if _Current.log else None
