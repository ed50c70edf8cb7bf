"""Runs a command and measures it from outside: wall time, memory of all its processes, and timestamped output."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_NO_BYTE_CODE = "PYTHONDONTWRITEBYTECODE"
"""Unset for what is measured: an installed package has its byte code, and to compile it takes a second."""

PROJECT = Path(__file__).resolve().parents[1]
SAMPLED_EVERY = 1.0
"""Seconds between memory samples. Sampling slows the command down: five samples a second take a sixth of a core."""

LONGEST_REST = 60
"""Maximum seconds to wait for processes that a command left running."""


@dataclass(frozen=True)
class Measured:
    """A successful command. `seconds` is its wall time, JVM included; `peak_mb` the peak memory (MB of 10^6 bytes) of
    all its processes, and `cpu_s` their processor seconds when they were last looked at, None if the system does not
    report it. `lines` are the lines on standard error, each with the seconds since the start; `printed` is what it
    printed on standard output."""

    seconds: float
    peak_mb: float | None
    lines: tuple[tuple[float, str], ...]
    printed: str
    cpu_s: float | None = None


LAKEHUNT = (sys.executable, "-c", "import sys; from lakehunt.cli import main; sys.exit(main())")
"""The project's command line, as a user starts it."""


def lakehunt(*arguments: str, command: Sequence[str] = LAKEHUNT) -> Measured:
    """A run of Lakehunt: of this project, or of another build by its command."""
    return measure([*command, *arguments])


def measure(command: Sequence[str]) -> Measured:
    """Runs a command in the project's folder. Raises SystemExit with its output if it fails."""
    with tempfile.TemporaryFile() as printed:
        return _measured(command, printed)


@contextmanager
def running(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that answers on standard output what it is asked on standard input, until the block ends."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT, start_new_session=True
    )
    try:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        process.terminate()
        process.wait(LONGEST_REST)
    finally:
        process.kill()
        process.wait()


def _measured(command: Sequence[str], printed: IO[bytes]) -> Measured:
    lines: list[tuple[float, str]] = []
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        env={name: value for name, value in os.environ.items() if name != _NO_BYTE_CODE},
        stdout=printed,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    assert process.stderr is not None
    reader = threading.Thread(target=_read, args=(process.stderr, started, lines))
    reader.start()
    peak: int | None = None
    used: dict[int, float] = {}
    while process.poll() is None:
        now = memory(process.pid)
        peak = now if peak is None else max(peak, now or 0)
        used |= processor_seconds(process.pid)
        _wait(process)
    seconds = time.perf_counter() - started
    reader.join()
    _wait_for_the_rest(process.pid)
    printed.seek(0)
    output = printed.read().decode(errors="replace")
    if process.returncode != 0:
        last = "\n".join(line for _, line in lines[-15:])
        raise SystemExit(f"{output}{' '.join(command[-6:])} ended with {process.returncode}:\n{last}")
    cpu = sum(used.values()) if used else None
    return Measured(seconds, None if peak is None else peak / 1e6, tuple(lines), output, cpu)


def _wait_for_the_rest(session: int) -> None:
    """Waits for processes that a command left running: a JVM may archive its classes for the next start."""
    until = time.perf_counter() + LONGEST_REST
    while session in _sessions() and time.perf_counter() < until:
        time.sleep(SAMPLED_EVERY)


def _wait(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(SAMPLED_EVERY)
    except subprocess.TimeoutExpired:
        return


def _read(stream: IO[str], started: float, lines: list[tuple[float, str]]) -> None:
    lines.extend((time.perf_counter() - started, line.rstrip("\n")) for line in stream)


def memory(root: int) -> int | None:
    """Memory of a process and its descendants, shared pages counted once; None without /proc."""
    family = _family(root)
    return sum(_memory_of(pid) for pid in family) if family else None


def processor_seconds(root: int) -> dict[int, float]:
    """The processor seconds that a process and its descendants have used so far, each; empty without /proc."""
    return {
        pid: (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") for pid, fields in _family(root).items()
    }


def _family(root: int) -> dict[int, list[str]]:
    """A process and its descendants, with the fields of their `stat` files."""
    known = dict(_processes())
    family = {root} & known.keys()
    while more := {pid for pid, fields in known.items() if int(fields[1]) in family} - family:
        family |= more
    return {pid: known[pid] for pid in family}


def _sessions() -> set[int]:
    """The sessions of all processes."""
    return {int(fields[3]) for _, fields in _processes()}


def _processes() -> Iterator[tuple[int, list[str]]]:
    """Each process, with the fields of its `stat` file from the state on."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            # pid (name) state parent group session ...; the name may hold anything
            fields = stat.read_text().rpartition(")")[2].split()
            if fields:  # it is just ending
                yield int(stat.parent.name), fields


def _memory_of(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
