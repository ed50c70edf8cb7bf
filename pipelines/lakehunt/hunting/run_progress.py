"""What a run of many hunts says while it goes on: a line for each hunt that is evaluated, and now and then one for
those that have nothing to be evaluated."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable

from lakehunt.core.progress import Progress

PAUSE = 5.0
"""Seconds between two lines about hunts that have nothing to be evaluated."""


class RunProgress:
    """Counts the hunts of a run. Hunts may be evaluated in several threads."""

    def __init__(self, say: Progress, hunts: int) -> None:
        self.say, self.hunts = say, hunts
        self._begun: set[Hashable] = set()
        self._lock = threading.Lock()
        self._said: float | None = None

    def evaluating(self, hunt: Hashable, what: str) -> None:
        """A hunt is being evaluated."""
        self.say(f"hunting {self._place(hunt):,} of {self.hunts:,}: {what}")

    def empty(self, hunt: Hashable) -> None:
        """A hunt has nothing to be evaluated."""
        place = self._place(hunt)
        now = time.monotonic()
        if self._said is None:  # the first one; the pass before may have taken long
            self._said = now
        if now - self._said >= PAUSE:
            self._said = now
            self.say(f"hunting {place:,} of {self.hunts:,}")

    def _place(self, hunt: Hashable) -> int:
        """The hunt's place in the order in which hunts were begun: that of the first time, if it is tried again."""
        with self._lock:
            self._begun.add(hunt)
            return len(self._begun)
