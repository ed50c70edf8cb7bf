"""Runs a command and measures it from outside: wall time, the memory of all its processes, and when it said what."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PROJECT = Path(__file__).resolve().parents[1]
SAMPLED_EVERY = 1.0
"""Seconds between two looks at the memory. They take time from the command: five a second, a sixth of a core."""

LONGEST_REST = 60
"""Seconds that what a command has left running may take."""


@dataclass(frozen=True)
class Measured:
    """A command that went well. `seconds` from its start to its end, JVM and all; `peak_mb` is the most memory (MB of
    10^6 bytes) that its processes held together, None where the system does not tell. `said` is each line on standard
    error with the seconds since the start."""

    seconds: float
    peak_mb: float | None
    said: tuple[tuple[float, str], ...]


def lakehunt(*arguments: str) -> Measured:
    """The project's command line, as a user starts it."""
    return measure([sys.executable, "-c", "import sys; from lakehunt.cli import main; sys.exit(main())", *arguments])


def measure(command: Sequence[str]) -> Measured:
    """Runs a command in the project's folder. Raises SystemExit with what it printed and its last words if it fails."""
    with tempfile.TemporaryFile() as printed:
        return _measured(command, printed)


def _measured(command: Sequence[str], printed: IO[bytes]) -> Measured:
    said: list[tuple[float, str]] = []
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        stdout=printed,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    assert process.stderr is not None
    reader = threading.Thread(target=_read, args=(process.stderr, started, said))
    reader.start()
    peak: int | None = None
    while process.poll() is None:
        now = memory(process.pid)
        peak = now if peak is None else max(peak, now or 0)
        _wait(process)
    seconds = time.perf_counter() - started
    reader.join()
    _wait_for_the_rest(process.pid)
    if process.returncode != 0:
        last = "\n".join(line for _, line in said[-15:])
        printed.seek(0)
        told = printed.read().decode(errors="replace")
        raise SystemExit(f"{told}{' '.join(command[-6:])} ended with {process.returncode}:\n{last}")
    return Measured(seconds, None if peak is None else peak / 1e6, tuple(said))


def _wait_for_the_rest(session: int) -> None:
    """Until nothing runs any more that a command has left: a JVM may archive its classes after it, for the next one."""
    until = time.perf_counter() + LONGEST_REST
    while session in _sessions() and time.perf_counter() < until:
        time.sleep(SAMPLED_EVERY)


def _wait(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(SAMPLED_EVERY)
    except subprocess.TimeoutExpired:
        return


def _read(stream: IO[str], started: float, said: list[tuple[float, str]]) -> None:
    said.extend((time.perf_counter() - started, line.rstrip("\n")) for line in stream)


def memory(root: int) -> int | None:
    """Bytes that a process and all below it hold, pages that they share counted once; None where there is no /proc."""
    parents = _parents()
    if not parents:
        return None
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(_held(pid) for pid in family)


def _parents() -> dict[int, int]:
    """The parent of each process of the system."""
    return {pid: int(fields[1]) for pid, fields in _processes()}


def _sessions() -> set[int]:
    """The sessions that processes of the system are of."""
    return {int(fields[3]) for _, fields in _processes()}


def _processes() -> Iterator[tuple[int, list[str]]]:
    """Each process of the system, and what is told of it from its state on."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            # pid (name) state parent group session ...; the name may hold anything
            fields = stat.read_text().rpartition(")")[2].split()
            if fields:  # it is just ending
                yield int(stat.parent.name), fields


def _held(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
