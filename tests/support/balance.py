"""Shares test files out to pytest-xdist's workers, those that took longest first, by times that were measured.

`make durations` measures: it writes tests/durations.json, seconds for each file."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

DURATIONS = Path(__file__).resolve().parents[1] / "durations.json"
UNKNOWN = 60.0
"""Seconds that a file is taken to need before it was measured: a long one that starts last is what costs most."""

TOGETHER = ("tests/dags", "tests/serving", "tests/telemetry")
"""Folders that one worker gets whole: their files share what takes long to make."""


def unit_of(test: str) -> str:
    """What goes to one worker as a whole: a test's file, or its folder."""
    file = test.partition("::")[0]
    return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)


class ByUnit(LoadFileScheduling):  # type: ignore[misc]
    """A free worker takes the next unit, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-durations", action="store_true", help=f"write {DURATIONS.name} from this run")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByUnit:
    config.option.loadscopereorder = False  # xdist's own order is by numbers of tests
    return ByUnit(config, log)


def longest_first(tests: Iterable[str], seconds: dict[str, float]) -> list[str]:
    """The units of some tests in the order in which workers take them."""
    units: dict[str, float] = {}
    for file in dict.fromkeys(test.partition("::")[0] for test in tests):
        units[unit_of(file)] = units.get(unit_of(file), 0.0) + seconds.get(file, UNKNOWN)
    return sorted(units, key=lambda unit: -units[unit])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only where there are workers: a developer's run of a few files keeps their order."""
    if not hasattr(config, "workerinput"):
        return
    seconds = json.loads(DURATIONS.read_text())
    place = {unit: at for at, unit in enumerate(longest_first((item.nodeid for item in items), seconds))}
    items.sort(key=lambda item: place[unit_of(item.nodeid)])


class Recorder:
    """Seconds of each file, its fixtures included."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid.partition("::")[0]] += report.duration

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        if not self.seconds:
            return
        longest = sorted(self.seconds.items(), key=lambda item: -item[1])
        terminalreporter.section("slowest files")
        for file, seconds in longest[:10]:
            terminalreporter.write_line(f"{seconds:8.1f}s {file}")
        if config.getoption("--write-durations"):
            known = json.loads(DURATIONS.read_text()) | {file: round(took, 1) for file, took in self.seconds.items()}
            there = {file: known[file] for file in sorted(known) if Path(config.rootpath, file).exists()}
            DURATIONS.write_text(json.dumps(there, indent=1) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(), "durations")
