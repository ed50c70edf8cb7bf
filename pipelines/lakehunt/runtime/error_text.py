"""Why Spark could not do something, for a person to read."""

from __future__ import annotations

import re
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException

_OF_TASK = re.compile(r"Lost task \S+ in stage \S+ \(TID \d+\) \(.*?\): (.*)")
_PACKAGE = re.compile(r"^(?:[a-z_]\w*\.)+(?=[A-Z])")

_MEMORY = "OutOfMemoryError"


def describe(error: Exception) -> str:
    """What went wrong: for a Java exception the first line and the one of its root cause, in one line; else the error's
    message. A hint, if there is one, follows on its own line."""
    if isinstance(error, Py4JJavaError):
        return _with_hint(_thrown(error.java_exception))
    if isinstance(error, (PySparkException, Py4JError)):
        return _with_hint(_first_line(str(error)))
    return str(error)


def in_one_line(error: Exception) -> str:
    """The same without a hint, for a place that has room for a line."""
    return _first_line(describe(error))


def _thrown(thrown: Any) -> str:
    first = _summary(thrown)
    while thrown.getCause() is not None:
        thrown = thrown.getCause()
    innermost = _summary(thrown)
    return first if innermost in first else f"{first} ({innermost})"


def _summary(thrown: Any) -> str:
    line = _first_line(str(thrown.toString()))
    of_task = _OF_TASK.search(line)
    return _PACKAGE.sub("", of_task[1] if of_task else line)


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _with_hint(line: str) -> str:
    if _MEMORY not in line:
        return line
    settings = "spark.driver.memory, on a cluster spark.executor.memory"
    return f"{line}\n  hint: give Spark more memory ({settings}: see docs/reference/configuration.md)"
