"""The lock files: exact, hashed, of one mind, and silent about where packages come from."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.paths import PROJECT

LOCKS = sorted((PROJECT / "requirements").glob("*.lock"))

HASHES = r"(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+"
ENTRY = re.compile(rf"^([a-zA-Z0-9._-]+)(?:\[[^]]+\])?==(\S+)(?: ; [^\\]+)? \\\n{HASHES}", re.MULTILINE)


def pins(lock: Path) -> dict[str, str]:
    return dict(ENTRY.findall(lock.read_text()))


def test_there_are_three() -> None:
    assert [lock.name for lock in LOCKS] == ["build.lock", "dev.lock", "runtime.lock"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_line_belongs_to_an_exact_hashed_requirement(lock: Path) -> None:
    rest = re.sub(r"^ +# .*\n", "", ENTRY.sub("", lock.read_text()), flags=re.MULTILINE)
    assert rest == ""


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_address_and_no_path(lock: Path) -> None:
    assert not re.search(r"://|index-url|find-links|trusted-host|(?<= )/", lock.read_text())


def test_dev_holds_all_of_runtime_in_the_same_versions() -> None:
    runtime, dev = pins(PROJECT / "requirements/runtime.lock"), pins(PROJECT / "requirements/dev.lock")
    assert runtime.items() <= dev.items()


def test_build_tools_are_the_same_wherever_they_are_locked() -> None:
    build, dev = pins(PROJECT / "requirements/build.lock"), pins(PROJECT / "requirements/dev.lock")
    assert {name: dev[name] for name in build.keys() & dev.keys()} == {
        name: build[name] for name in build.keys() & dev.keys()
    }


def test_the_versions_that_fit_together() -> None:
    """docs/decisions/0001-dependencies.md says why; Delta's is exact in pyproject.toml too."""
    runtime = pins(PROJECT / "requirements/runtime.lock")
    assert runtime["pyspark"].startswith("4.1.")
    assert runtime["delta-spark"] == "4.4.0"
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert "delta-spark==4.4.0" in declared


def test_airflow_spark_and_great_expectations_have_one_answer() -> None:
    """What the development environment has installed fits together, says pip. Nothing overwrites PySpark's files."""
    checked = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    dev = pins(PROJECT / "requirements/dev.lock")
    assert {"apache-airflow", "pyspark", "great-expectations"} <= dev.keys()
    assert not {"pyspark-client", "apache-airflow-providers-apache-spark"} & dev.keys()


def test_a_machine_that_runs_hunts_gets_no_airflow() -> None:
    assert not [name for name in pins(PROJECT / "requirements/runtime.lock") if name.startswith("apache-airflow")]
