"""Progress, on a terminal and elsewhere, and what commands share."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from lakehunt.cli import context
from tests.support.paths import PROJECT

SCRIPT = """
from lakehunt.cli import context
with context.progress(total=True) as say:
    say("reading")
    print("a result")
"""


@pytest.mark.parametrize("stdout_too", [False, True])
def test_progress_on_a_terminal_leaves_results_where_they_belong(stdout_too: bool) -> None:
    """Standard error is a terminal; standard output is one, too, or a pipe, into which only results go."""
    ours, terminal = pty.openpty()
    output = terminal if stdout_too else subprocess.PIPE
    done = subprocess.run([sys.executable, "-c", SCRIPT], stdout=output, stderr=terminal, cwd=PROJECT, check=True)
    os.close(terminal)
    shown = b""
    while not shown.endswith(b"in total\r\n"):
        shown += os.read(ours, 1000)
    os.close(ours)
    assert b"s  reading" in shown
    if stdout_too:
        assert b"a result\r\n" in shown
    else:
        assert done.stdout == b"a result\n"


def test_progress_elsewhere_is_a_line_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    with context.progress(total=True) as say:
        say("reading " + "x" * 200)
    read, total = capsys.readouterr().err.splitlines()
    assert read.endswith(" s  reading " + "x" * 200)
    assert total.endswith(" s  in total")


def test_a_failure_has_no_total(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), context.progress(total=True):
        _ = 1 / 0
    assert capsys.readouterr().err == ""


DAY = 20_522 * 864_000_000_000
"""Ticks of 2026-03-10: so many days after 1970-01-01, 14 of them leap days of 56 years."""


@pytest.mark.parametrize(
    ("ticks", "written"),
    [
        (DAY, "2026-03-10"),
        (DAY + 241_538_000_000, "2026-03-10T06:42:33.8Z"),
        (DAY + 36_000_000_000, "2026-03-10T01:00:00Z"),
        (DAY + 10, "2026-03-10T00:00:00.000001Z"),
    ],
)
def test_an_instant_as_it_is_printed_is_one_that_is_read(ticks: int, written: str) -> None:
    from lakehunt.kql import times

    assert context.instant(ticks) == written
    assert times.parse_datetime(written) == ticks
