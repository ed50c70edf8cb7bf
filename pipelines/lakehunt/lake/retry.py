"""Retries writes that conflict with a concurrent commit."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from delta import exceptions as delta_exceptions

T = TypeVar("T")

ATTEMPTS = 8
PAUSE = 0.5
"""Attempts of a write, and seconds before the second one; the pause doubles with each attempt."""

CONFLICTS = tuple(getattr(delta_exceptions, name) for name in delta_exceptions.__all__)
"""Delta's exceptions for a conflict; in Python they have no common base class."""


def retried(write: Callable[[], T]) -> T:
    """Calls `write`, and again on a conflict with another commit.

    `write` must reread the table for each attempt, unless its rows do not depend on the table."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return write()
        except CONFLICTS:
            pause(attempt)
    return write()


def pause(attempt: int) -> None:
    """Waits before the next attempt, with jitter, so that two writers do not collide again."""
    time.sleep(PAUSE * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
