"""`make setup` on machines that lack something: one message that says what to do, and nothing made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lakehunt.config import Config
from lakehunt.runtime import settings
from tests.support.paths import PROJECT


def script(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def setup(tmp_path: Path, **environment: str) -> tuple[int, str]:
    venv = tmp_path / "venv"
    done = subprocess.run(
        ["sh", "scripts/setup.sh", "runtime"],
        cwd=PROJECT,
        env=os.environ | {"VENV": str(venv), "PYTHON": sys.executable} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not venv.exists()
    return done.returncode, done.stdout + done.stderr


def test_a_python_that_is_not_there(tmp_path: Path) -> None:
    code, told = setup(tmp_path, PYTHON=str(tmp_path / "python9"))
    assert code == 1
    assert "Python 3.11, 3.12 or 3.13 is needed" in told
    assert "python9 is not there" in told
    assert "make setup PYTHON=" in told


def test_a_python_that_is_too_old(tmp_path: Path) -> None:
    old = script(tmp_path / "python", 'case "$2" in *sys.exit*) exit 1;; *) echo 3.9.2;; esac')
    code, told = setup(tmp_path, PYTHON=str(old))
    assert code == 1
    assert f"{old} is 3.9.2" in told


def test_a_python_without_ensurepip(tmp_path: Path) -> None:
    """Debian splits it off into a package of its own."""
    split = script(tmp_path / "python", f'case "$2" in *ensurepip*) exit 1;; *) exec {sys.executable} "$@";; esac')
    code, told = setup(tmp_path, PYTHON=str(split))
    assert code == 1
    assert "python3-venv" in told


@pytest.mark.parametrize(
    ("java", "says"),
    [
        (["echo 'openjdk version \"11.0.2\" 2019-01-15' >&2"], "is Java 11"),
        (["echo 'java version \"1.8.0_292\"' >&2"], "is Java 8"),
        (
            ["echo 'The operation couldn\\'t be completed. Unable to locate a Java Runtime.' >&2", "exit 1"],
            "no working",
        ),
        (None, "no working"),
    ],
    ids=["11", "8", "stub", "none"],
)
def test_a_java_that_will_not_do(tmp_path: Path, java: list[str] | None, says: str) -> None:
    home = tmp_path / "jdk"
    if java is not None:
        script(home / "bin/java", *java)
    code, told = setup(tmp_path, JAVA_HOME=str(home))
    assert code == 1
    assert "Spark needs Java 17 or 21" in told
    assert says in told
    assert "JAVA_HOME" in told


@pytest.mark.parametrize("prefix", ["", "io.delta_"], ids=["as Maven names them", "as `make jars` names them"])
def test_delta_jars_from_a_folder(tmp_path: Path, prefix: str) -> None:
    """What Spark's resolver stores, and `make jars` gathers, has the organisation in front of its name."""
    jar = tmp_path / f"{prefix}delta-spark_4.1_2.13-4.4.0.jar"
    jar.touch()
    assert settings.delta_jars(Config(delta_jars=tmp_path)) == [jar]
