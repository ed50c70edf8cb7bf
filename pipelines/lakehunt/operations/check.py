"""The outcome of one check of `lakehunt doctor`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from lakehunt.core.errors import LakehuntError


class Outcome(StrEnum):
    """How a check ended. A warning is of something that works now, or that only some commands need."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True)
class Check:
    """What was looked at, the outcome, what was found, and what to do."""

    check: str
    outcome: Outcome
    found: str
    to_do: str = ""


Result = tuple[Outcome, str, str]
"""A check without its name: the outcome, what was found, and what to do."""


def ok(found: str) -> Result:
    return Outcome.OK, found, ""


def warning(found: str, to_do: str) -> Result:
    return Outcome.WARNING, found, to_do


def failure(found: str, to_do: str) -> Result:
    return Outcome.FAILURE, found, to_do


def made(name: str, look: Callable[[], Iterator[Result]]) -> Iterator[Check]:
    """The checks that `look` makes. An error that it raises is a failure, and does not keep others from being made."""
    try:
        for outcome, found, to_do in look():
            yield Check(name, outcome, found, to_do)
    except LakehuntError as error:
        yield Check(name, Outcome.FAILURE, error.message, error.hint)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        yield Check(name, Outcome.FAILURE, f"{error.strerror or error}{place}", "")
