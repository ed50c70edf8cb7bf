"""Readable messages for Spark's and Java's exceptions."""

from __future__ import annotations

import re
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError
from pyspark.errors import PySparkException

from lakehunt.core.credentials import redacted
from lakehunt.core.errors import LakehuntError

_TASK_FAILURE = re.compile(r"Lost task \S+ in stage \S+ \(TID \d+\) \(.*?\): (.*)")
_MISSING_MODULE = re.compile(r"ModuleNotFoundError: (No module named '[\w.]+')")
_PACKAGE = re.compile(r"^(?:[a-z_]\w*\.)+(?=[A-Z])")

_MEMORY = "OutOfMemoryError"

_LONGEST = 2000
"""Maximum length of a line: messages of Spark may contain whole values."""


def describe(error: Exception) -> str:
    """The message of an error; for a Java exception its first line with that of its root cause, in one line. A hint, if
    there is one, follows on its own line. Credentials are redacted."""
    return redacted(_described(error))


def _described(error: Exception) -> str:
    if isinstance(error, (PySparkException, Py4JError)) and (missing := _MISSING_MODULE.search(str(error))):
        hint = "install Lakehunt for the Python of the executors, PYSPARK_PYTHON (docs/how-to/clusters.md)"
        return f"Spark's executors lack what records are parsed with: {missing[1]}\n  hint: {hint}"
    if isinstance(error, Py4JJavaError):
        return _with_hint(_with_root_cause(error.java_exception))
    if isinstance(error, (PySparkException, Py4JError)):
        return _with_hint(_first_line(str(error)))
    if isinstance(error, LakehuntError):
        return str(error)
    return _first_line(f"{type(error).__name__}: {error}")


def failure(error: Exception) -> LakehuntError:
    """An error of Spark that ends a command."""
    if isinstance(error, (Py4JNetworkError, ConnectionError)):
        hint = "it may have run out of memory: see spark.driver.memory in docs/reference/configuration.md"
        return LakehuntError(f"Spark has ended: {in_one_line(error)}", hint)
    if is_unreadable_file(error):
        return LakehuntError(in_one_line(error), "`lakehunt doctor` says which files of the lake are gone")
    return LakehuntError(f"Spark failed: {describe(error)}")


def is_unreadable_file(error: Exception) -> bool:
    """Whether a data file is gone or cannot be read."""
    return any(word in describe(error) for word in _UNREADABLE)


_UNREADABLE = ("FAILED_READ_FILE", "FILE_NOT_FOUND", "FILE_NOT_EXIST", "FileNotFoundException", "is not a Parquet file")


def is_memory_error(error: Exception) -> bool:
    """Whether Java or Spark ran out of memory."""
    return any(word in describe(error) for word in (_MEMORY, "UNABLE_TO_ACQUIRE_MEMORY"))


def in_one_line(error: Exception) -> str:
    """`describe` without the hint, on one line."""
    return _first_line(describe(error))


def _with_root_cause(thrown: Any) -> str:
    first = _summary(thrown)
    while thrown.getCause() is not None:
        thrown = thrown.getCause()
    innermost = _summary(thrown)
    return first if innermost in first else f"{first} ({innermost})"


def _summary(thrown: Any) -> str:
    line = _first_line(str(thrown.toString()))
    failure = _TASK_FAILURE.search(line)
    return _PACKAGE.sub("", failure[1] if failure else line)


def _first_line(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}… ({len(line):,} characters)"


def _with_hint(line: str) -> str:
    if _MEMORY not in line:
        return line
    settings = "spark.driver.memory, on a cluster spark.executor.memory"
    return f"{line}\n  hint: give Spark more memory ({settings}: see docs/reference/configuration.md)"
