"""Ends work on Spark that takes too long.

The work runs in a thread of its own. When its time is over, its Spark jobs are cancelled. What Spark cannot cancel,
such as the planning of a query, is abandoned: the thread goes on, but nobody waits for it or uses its result."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

from pyspark.sql import SparkSession

from lakehunt.core.errors import LakehuntError
from lakehunt.runtime.limits import LimitError

T = TypeVar("T")

GRACE = 10.0
"""Seconds that cancelled work has to end, before it is abandoned."""

_PAUSE = 0.5
"""Seconds between cancellations: abandoned work may start further jobs."""

ENDED = "ended after "
"""How the message of a TimeLimitError begins."""


class TimeLimitError(LimitError):
    """Work took longer than its limit."""

    def __init__(self, seconds: float, setting: str) -> None:
        super().__init__(
            f"{ENDED}{seconds:g} s, its limit", f"make it read less, or raise limits.{setting} in the configuration"
        )


class TotalTimeError(TimeLimitError):
    """Several works took longer than their common limit: none of them need be at fault."""

    def __init__(self, seconds: float, setting: str) -> None:
        LimitError.__init__(
            self,
            f"not all events could be read in {seconds:g} s, the limit for all scans of a run",
            f"what was read is kept: run again to go on from there, or raise limits.{setting} in the configuration",
        )


class StoppedError(LakehuntError):
    """Work was cancelled by somebody else."""


def within(
    spark: SparkSession, seconds: float, setting: str, work: Callable[[], T], stop: threading.Event | None = None
) -> T:
    """The result of `work`, or what it raises. `setting` is the name of the limit.

    Raises TimeLimitError once `seconds` have passed, StoppedError once `stop` is set. An interrupt (Ctrl-C) cancels the
    work, too."""
    running = _Running(spark, work)
    try:
        _wait(running.ended, seconds, stop)
    except KeyboardInterrupt:
        running.cancel()
        raise
    if stop is not None and stop.is_set():
        running.cancel()
        running.ended.wait(GRACE)
        raise StoppedError("the query was cancelled")
    if not running.ended.is_set():
        running.cancel()
        running.ended.wait(GRACE)
        raise TimeLimitError(seconds, setting)
    return running.result()


def _wait(ended: threading.Event, seconds: float, stop: threading.Event | None) -> None:
    """Waits until the work has ended, or the time is over, or `stop` is set."""
    if stop is None:
        ended.wait(seconds)
        return
    until = time.monotonic() + seconds
    while not ended.is_set() and not stop.is_set() and (left := until - time.monotonic()) > 0:
        ended.wait(min(left, _LOOK))


_LOOK = 0.05
"""Seconds after which it is noticed that work is to be cancelled."""


class _Running(Generic[T]):
    """Work in its own thread. `ended` is set when it has ended. The thread itself cannot be asked: before Python 3.13,
    one whose `join` was interrupted says that it is not alive."""

    def __init__(self, spark: SparkSession, work: Callable[[], T]) -> None:
        self._context: Any = spark.sparkContext
        self._work = work
        self._tag = f"lakehunt-{uuid.uuid4().hex}"
        self._made: list[T] = []
        self._error: BaseException | None = None
        self.ended = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._context.addJobTag(self._tag)
            self._context.setInterruptOnCancel(True)
            self._made.append(self._work())
        except BaseException as error:  # noqa: BLE001 (raised again by `result`)
            self._error = error
        finally:
            self.ended.set()

    def cancel(self) -> None:
        """Cancels the jobs that run, and those that are started later."""
        threading.Thread(target=self._cancel_all, daemon=True).start()

    def _cancel_all(self) -> None:
        with suppress(Exception):  # Spark may be stopped meanwhile
            while not self.ended.is_set():
                self._context.cancelJobsWithTag(self._tag)
                time.sleep(_PAUSE)

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._made[0]
