"""Runs of hunts that are killed, and runs at once: the findings are those of a straight run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import lake as copies
from lakehunt.hunting import engine
from lakehunt.hunting.findings import writer
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.small_tables import LocalTables
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from lakehunt.schemas.hunt_tables import RUNS, SUPPRESSED
from tests.support import spark_settings
from tests.support.events import event, store
from tests.support.hunts import BACKUP, H1, H2, custom, ticks
from tests.support.paths import PROJECT

DAYS = ("2026-03-06T00:00:00Z", "2026-03-07T00:00:00Z")

HUNTS = [replace(H1, exclusions=(BACKUP,)), H2, custom("DeviceProcessEvents | where FileName == 'none.exe'")]


def everything(root: str) -> dict[str, list[str]]:
    """The rows of all tables of findings, and of suppressed events."""
    tables = LocalTables(root)
    found = {one.name: [str(row) for row in tables.few(one)] for one in (FINDINGS_ALL, SUPPRESSED)}
    for hunt in HUNTS:
        name = writer.name_of(hunt)
        if tables.exists(name):
            rows = tables.opened(name).to_pyarrow_table().to_pylist()
            found[name] = [str(row) for row in rows]
    return {name: sorted(rows) for name, rows in found.items()}


def with_events(lake: Lake) -> None:
    store(
        lake,
        [event(DeviceId=f"d{n}", ReportId=n, AccountName="backup" if n % 3 == 0 else "eve") for n in range(12)],
    )


class _KilledError(BaseException):
    """Stands for the end of the process."""


def _failing(method: Callable[..., Any], at: Iterator[int], before: bool) -> Callable[..., Any]:
    """Once the count has come to an end, nothing is written any more."""

    def failing(*arguments: Any, **named: Any) -> Any:
        number = next(at)
        if number < 0 or (number == 0 and before):
            raise _KilledError
        result = method(*arguments, **named)
        if number == 0:
            raise _KilledError
        return result

    return failing


WRITES = ("append_unless", "replace_made", "replace", "delete", "overwrite")


@pytest.mark.slow
@pytest.mark.parametrize("before", [True, False])
def test_a_kill_before_or_after_any_write_converges(
    lake: Lake, tmp_path: Path, before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a second run of the same as-of, after which other columns and fewer rows are left than before."""
    changed = [HUNTS[0], replace(custom("DeviceProcessEvents | project FileName"), id=H2.id, name=H2.name), HUNTS[2]]
    with_events(lake)
    for day in DAYS:
        engine.run_hunts(lake, HUNTS, ticks(day), lambda step: None)
    straight = tmp_path / "straight"
    copies.link(Path(lake.root), straight)

    def again(root: Path, hunts: Any = changed) -> None:
        runs = engine.run_hunts(Lake(lake.spark, str(root)), hunts, ticks(DAYS[0]), lambda step: None)
        assert [one.error for one in runs] == [None] * len(runs)

    again(straight)
    expected = everything(str(straight))
    assert len(expected[FINDINGS_ALL.name]) == 8 + 12 + 8 + 12
    for number in range(50):
        root = tmp_path / f"killed-{number}"
        copies.link(Path(lake.root), root)
        killed = False
        with monkeypatch.context() as patched:
            left = iter(range(number, -10_000, -1))
            for name in WRITES:
                patched.setattr(LocalTables, name, _failing(getattr(LocalTables, name), left, before))
            try:
                again(root)
            except _KilledError:
                killed = True
        again(root)
        assert everything(str(root)) == expected, f"killed at write {number}"
        if not killed:
            assert number > 4
            return
    raise AssertionError("more writes than expected")


# Processes


def start(root: Path) -> subprocess.Popen[bytes]:
    folder = root.parent / f"config-{root.name}"
    folder.mkdir(exist_ok=True)
    config = spark_settings.write_config(folder, hunts=str(PROJECT / "hunts"))
    command = [sys.executable, "-m", "lakehunt.cli", "hunt", "--from", DAYS[0][:10], "--to", DAYS[1][:10]]
    return subprocess.Popen(
        [*command, "--lake", str(root), "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[bytes]) -> None:
    output, _ = process.communicate()
    assert process.returncode == 0, output.decode()


@pytest.fixture
def landed(lake: Lake, tmp_path: Path) -> Callable[[str], Path]:
    """Copies of one lake with events."""
    with_events(lake)

    def copy(name: str) -> Path:
        copies.link(Path(lake.root), tmp_path / name)
        return tmp_path / name

    return copy


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(1, 21))
def test_sigkill_at_random_times_converges(landed: Callable[[str], Path], seed: int) -> None:
    """Each seed: runs that are killed after a random time, until one ends."""
    generator = random.Random(seed)
    straight, root = landed("straight"), landed("killed")
    began = time.perf_counter()
    ended(start(straight))
    takes = time.perf_counter() - began
    for _ in range(3):
        process = start(root)
        time.sleep(generator.uniform(0.4, 1.0) * takes)
        os.killpg(os.getpgid(process.pid), signal.SIGKILL)
        process.wait()
    ended(start(root))
    assert everything(str(root)) == everything(str(straight))


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(1, 51))
def test_two_runs_at_once(landed: Callable[[str], Path], seed: int) -> None:
    generator = random.Random(seed)
    straight, root = landed("straight"), landed("both")
    ended(start(straight))
    first = start(root)
    time.sleep(generator.uniform(0, 3))
    second = start(root)
    for process in (first, second):
        ended(process)
    assert everything(str(root)) == everything(str(straight))
    outcomes = [row["outcome"] for row in LocalTables(str(root)).few(RUNS)]
    assert sorted(outcomes) == ["started"] * 8 + ["succeeded"] * 8
