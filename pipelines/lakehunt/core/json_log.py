"""Logs as JSON, for what collects them: one object a line, on standard error, without credentials.

Everything that a command says on standard error becomes such an object, and what a job prints for people, too. What is
worth fields of its own is logged by `LOG` with `fields`, which nobody sees otherwise."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from lakehunt.core import run_ids
from lakehunt.core.credentials import redacted

LOG = logging.getLogger("lakehunt")
LOG.addHandler(logging.NullHandler())


def fields(**values: Any) -> Mapping[str, Any]:
    """Fields of a logged object, as `extra` of a call of LOG; those without a value are left out."""
    return {"fields": {name: value for name, value in values.items() if value is not None}}


class _State:
    """Whether this process logs as JSON, and what is to be restored."""

    handler: logging.StreamHandler[TextIO] | None = None
    formatter: _Formatter
    stderr: TextIO
    stdout: TextIO


def is_on() -> bool:
    """Whether this process logs as JSON."""
    return _State.handler is not None


def begin() -> None:
    """Everything on standard error is JSON from now on."""
    if is_on():
        return
    _State.stderr, _State.stdout = sys.stderr, sys.stdout
    _State.formatter = _Formatter(run_ids.run_id(datetime.now(UTC)))
    _State.handler = logging.StreamHandler(sys.stderr)
    _State.handler.setFormatter(_State.formatter)
    LOG.addHandler(_State.handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    sys.stderr = _Lines(logging.WARNING)


def of_command(name: str, is_job: bool) -> None:
    """Names the command in every object. What a job prints is logged, too: it is read by nobody but the log."""
    if is_on():
        _State.formatter.command = name
        if is_job:
            sys.stdout = _Lines(logging.INFO)


def end() -> None:
    """Everything is as before `begin`."""
    if _State.handler is None:
        return
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, _Lines):
            stream.flush_rest()
    sys.stderr, sys.stdout = _State.stderr, _State.stdout
    LOG.removeHandler(_State.handler)
    LOG.setLevel(logging.NOTSET)
    LOG.propagate = True
    _State.handler = None


class _Formatter(logging.Formatter):
    def __init__(self, invocation: str) -> None:
        super().__init__()
        self.invocation = invocation
        self.command: str | None = None

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "command": self.command,
            "invocation": self.invocation,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: _plain(value) for name, value in said.items()}, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """A value as JSON has it, without credentials."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return redacted(value) if isinstance(value, str) else value


class _Lines(io.TextIOBase):
    """A stream of which each line is logged. Empty lines, and those that only draw a table, are left out."""

    def __init__(self, level: int) -> None:
        self._level = level
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *whole, self._rest = (self._rest + text).split("\n")
        for line in whole:
            self._log(line)
        return len(text)

    def flush_rest(self) -> None:
        """Logs a last line without an end."""
        rest, self._rest = self._rest, ""
        self._log(rest)

    def _log(self, line: str) -> None:
        if line.strip(" ─┼│"):
            LOG.log(self._level, "%s", line.rstrip())
