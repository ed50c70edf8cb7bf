"""The command line as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.paths import PROJECT

LAKEHUNT = [sys.executable, "-m", "lakehunt.cli"]
WITHOUT_JAVA = {"JAVA_HOME": "/nowhere"}
"""Whatever starts Java fails: Spark's scripts take the one in JAVA_HOME if that is set."""


def lakehunt(*args: object, text: str = "", cwd: Path = PROJECT, **env: str) -> subprocess.CompletedProcess[str]:
    """`lakehunt ARGS`, with a text as its input and more variables in its environment."""
    return subprocess.run(
        [*LAKEHUNT, *map(str, args)],
        input=text,
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
        env=os.environ | {"PYTHONPATH": str(PROJECT / "pipelines")} | env,
    )
