"""Starts the JVM with its settings in files that only this user can read.

PySpark would write every setting on the command line of spark-submit, and spark-submit the options of the JVM on that
of java: both are visible to every user of the machine, and settings may be keys of object stores or passwords."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pyspark import SparkContext

from lakehunt.core.errors import LakehuntError

OPTIONS = "spark.driver.extraJavaOptions"

_SUBMIT_ARGUMENTS = "PYSPARK_SUBMIT_ARGS"
_SHELL = "pyspark-shell"
"""What PySpark calls its application when it has no arguments of its own."""


def start_jvm(settings: Mapping[str, str]) -> None:
    """Starts this process's JVM with these settings, unless it has one. Raises PySparkRuntimeError if it does not
    start."""
    before = os.environ.get(_SUBMIT_ARGUMENTS)
    if "--properties-file" in (before or ""):  # spark-submit takes one: ours would be ignored
        hint = "put its settings under `spark:` in lakehunt.yaml"
        raise LakehuntError(f"{_SUBMIT_ARGUMENTS} has a --properties-file", hint)
    with _private_folder() as folder:
        file = folder / "spark.properties"
        file.write_text(properties({**settings, **_options_in_file(settings, folder)}), encoding="ascii")
        # Without the second option spark-defaults.conf would not be read any more.
        ours = f"--properties-file {shlex.quote(str(file))} --load-spark-defaults"
        os.environ[_SUBMIT_ARGUMENTS] = f"{ours} {before or _SHELL}"
        try:
            SparkContext._ensure_initialized()
        finally:
            if before is None:
                del os.environ[_SUBMIT_ARGUMENTS]
            else:
                os.environ[_SUBMIT_ARGUMENTS] = before


@contextmanager
def _private_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="lakehunt-start-"))  # which nobody else may enter
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _options_in_file(settings: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The setting that makes java read its options from a file: one may be the password of a keystore."""
    options = shlex.split(settings.get(OPTIONS, ""))
    if not options or " " in str(folder):  # spark-submit splits options at spaces
        return {}
    file = folder / "java.options"
    file.write_text("".join(f"{_quoted(option)}\n" for option in options), encoding="utf-8")
    return {OPTIONS: f"@{file}"}


def _quoted(option: str) -> str:
    escaped = option.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def properties(settings: Mapping[str, str]) -> str:
    """The settings as a file of Java's properties."""
    return "".join(f"{_escaped(name)}={_escaped(value)}\n" for name, value in settings.items())


def _escaped(text: str) -> str:
    """The text with every character escaped that a properties file, or the trimming of its values, takes for anything
    but itself."""
    units = text.encode("utf-16-be", "surrogatepass")
    codes = [int.from_bytes(units[i : i + 2]) for i in range(0, len(units), 2)]
    return "".join(chr(code) if chr(code) in _PLAIN else f"\\u{code:04x}" for code in codes)


_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/,;@*$+()[]{}<>?&%'\"|~^")
