"""Which Java is found, and what is said of one that does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehunt.core.errors import LakehuntError
from lakehunt.runtime import java


def runtime(home: Path, described: str) -> Path:
    """A folder of a Java that only says which one it is."""
    command = home / "bin/java"
    command.parent.mkdir(parents=True)
    command.write_text(f"#!/bin/sh\necho '{described}' >&2\n")
    command.chmod(0o755)
    return command


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Java at first, wherever the tests run."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path/bin"))
    monkeypatch.setattr(java, "_WHEEL", "no_such_package")


def test_that_of_java_home_comes_before_that_of_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_path = runtime(tmp_path / "path", 'openjdk version "17.0.15" 2025-04-15')
    assert (java.found().command, java.found().version) == (str(of_path), 17)
    of_home = runtime(tmp_path / "home", 'openjdk version "21" 2023-09-19')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert (java.found().command, java.found().version) == (str(of_home), 21)


def test_that_of_the_wheel_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wheels/some_java").mkdir(parents=True)
    (tmp_path / "wheels/some_java/__init__.py").touch()
    of_wheel = runtime(tmp_path / "wheels/some_java/java-runtime", 'openjdk version "21.0.8" 2025-07-15 LTS')
    monkeypatch.syspath_prepend(tmp_path / "wheels")
    monkeypatch.setattr(java, "_WHEEL", "some_java")
    assert java.found().command == str(of_wheel)
    of_path = runtime(tmp_path / "path", 'openjdk version "17.0.15" 2025-04-15')
    assert java.found().command == str(of_path)


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ('java version "1.8.0_402"', "is Java 8, Spark needs 17 to 21"),
        ('openjdk version "25.0.2" 2026-01-20 LTS', "is Java 25, Spark needs 17 to 21"),
        ("Segmentation fault", "is of an unknown version, Spark needs 17 to 21"),
    ],
)
def test_one_that_does_not_fit(tmp_path: Path, described: str, said: str) -> None:
    command = runtime(tmp_path / "path", described)
    with pytest.raises(LakehuntError) as raised:
        java.found()
    assert raised.value.message == f"{command} {said}"


def test_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LakehuntError, match="no Java found"):
        java.found()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(LakehuntError, match=f"no Java found at JAVA_HOME={tmp_path}"):
        java.found()
