"""What a run of many hunts says while it goes on: a line for each hunt that is evaluated, and now and then one for
those that have nothing to be evaluated."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from lakehunt.core.progress import Progress
from lakehunt.hunting.findings.run_log import FULL, HuntRun

PAUSE = 5.0
"""Seconds between two lines about hunts that have nothing to be evaluated."""


class RunProgress:
    """Counts the hunts of a run. Hunts may be evaluated in several threads."""

    def __init__(self, say: Progress, hunts: int) -> None:
        self.say, self.hunts = say, hunts
        self._begun: set[str] = set()
        self._lock = threading.Lock()
        self._said = time.monotonic()

    def evaluating(self, hunt_id: str, what: str) -> None:
        """A hunt is being evaluated."""
        self.say(f"hunting {self._place(hunt_id):,} of {self.hunts:,}: {what}")

    def empty(self, hunt_id: str) -> None:
        """A hunt has nothing to be evaluated."""
        place = self._place(hunt_id)
        if time.monotonic() - self._said >= PAUSE:
            self._said = time.monotonic()
            self.say(f"hunting {place:,} of {self.hunts:,}")

    def _place(self, hunt_id: str) -> int:
        """The hunt's place in the order in which hunts were begun: that of the first time, if it is tried again."""
        with self._lock:
            self._begun.add(hunt_id)
            return len(self._begun)


def outcomes(runs: Sequence[HuntRun]) -> str:
    """How many hunts ended in which way."""
    failed = sum(run.error is not None for run in runs)
    found = sum(run.error is None and bool(run.findings) for run in runs)
    parts = [f"{found:,} with findings", f"{len(runs) - found - failed:,} without"]
    parts += [f"{failed:,} failed"] if failed else []
    in_full = sum(run.mode == FULL for run in runs)
    parts += [f"{in_full:,} of them read all events of their window"] if in_full else []
    return f"{len(runs):,} hunt{'' if len(runs) == 1 else 's'}: {', '.join(parts)}"
