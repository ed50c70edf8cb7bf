"""Trying a write again where another writer's commit came first."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from delta import exceptions as delta_exceptions

T = TypeVar("T")

ATTEMPTS = 8
PAUSE = 0.5
"""How often a write is tried, and the seconds before the second attempt; each later pause is twice as long."""

CONFLICTS = tuple(getattr(delta_exceptions, name) for name in delta_exceptions.__all__)
"""What Delta raises where another commit came between; in Python these have no class in common."""


def retried(write: Callable[[], T]) -> T:
    """Does a write again where another one's commit came between.

    Only for a write that computes its rows from what the table then holds, or whose rows do not depend on the table."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return write()
        except CONFLICTS:
            pause(attempt)
    return write()


def pause(attempt: int) -> None:
    """Waits before the next attempt, for a random time, so that two writers do not meet again."""
    time.sleep(PAUSE * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
