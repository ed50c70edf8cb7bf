"""Progress, on a terminal and elsewhere, and what commands share."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from lakehunt.cli import context, main
from lakehunt.config import Config
from lakehunt.core.errors import LakehuntError
from lakehunt.lake import write_lock
from lakehunt.runtime import launch, session
from tests.support.paths import PROJECT

SCRIPT = """
from lakehunt.cli import context, main
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


@pytest.mark.parametrize("writing", [True, False])
def test_tables_of_a_lake_are_not_moved_while_a_command_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writing: bool
) -> None:
    monkeypatch.setattr(session, "start", lambda config, learning: Mock())
    monkeypatch.setattr(launch, "begin", lambda config, learning, brief: {})
    refused = pytest.raises(LakehuntError, match="x, but another") if writing else nullcontext()
    with context.lake(Config(lake=str(tmp_path)), writing=writing), refused, write_lock.alone(str(tmp_path), "x"):
        pass
    with write_lock.alone(str(tmp_path), "x"):
        pass


def test_a_query_of_few_events_is_brief(tmp_path: Path) -> None:
    lake = Config(lake=str(tmp_path))
    assert context.is_brief(lake)
    assert not context.is_brief(Config(lake="s3a://lakes/one"))
    assert not context.is_brief(replace(lake, tables={"Watchlist": Mock()}))
    days = [tmp_path / f"events/some/day={day}" for day in (1, 2)]
    for day in days:
        day.mkdir(parents=True)
        (day / "part.parquet").touch()
        os.truncate(day / "part.parquet", context.FEW // 2)
    assert context.is_brief(lake)
    (days[0] / "another.parquet").write_bytes(b"more")
    assert not context.is_brief(lake)


@pytest.mark.parametrize("command", [["land", "."], ["query", "print 1"], ["status"]])
@pytest.mark.parametrize("place", ["file", "file/lake"])
def test_a_lake_cannot_be_where_a_file_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], place: str
) -> None:
    """Said before Spark starts, whatever the command."""
    (tmp_path / "file").touch()
    root = tmp_path / place
    assert main([*command, "--lake", str(root)]) == 1
    assert f"the lake {root} cannot be a folder: {tmp_path / 'file'} is a file" in capsys.readouterr().err


def test_a_lake_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "raw").symlink_to("raw")
    assert main(["land", ".", "--lake", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert f"the lake {tmp_path} cannot be read: Too many levels of symbolic links ({tmp_path / 'raw'}" in said


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
