"""Input metrics of Spark jobs."""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession


class InputMetrics:
    """Counts the input of all jobs that run inside a `with`: `bytes` and `records` (rows of tables).

    Both are None if Spark does not report them: its status store is not a public API."""

    def __init__(self, spark: SparkSession, name: str) -> None:
        self._context: Any = spark.sparkContext
        self._name = name
        self.bytes: int | None = None
        self.records: int | None = None

    def __enter__(self) -> InputMetrics:
        self._context.setJobGroup(self._name, self._name)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for key in ("spark.jobGroup.id", "spark.job.description"):
            self._context.setLocalProperty(key, None)
        if error is None:
            with suppress(Py4JError):
                self._read()

    def _read(self) -> None:
        tracker = self._context.statusTracker()
        core = self._context._jsc.sc()
        core.listenerBus().waitUntilEmpty()
        jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(self._name)]
        stages = {stage for job in jobs if job for stage in job.stageIds}
        store = core.statusStore()
        attempts = [store.lastStageAttempt(stage) for stage in stages]
        self.bytes = sum(attempt.inputBytes() for attempt in attempts)
        self.records = sum(attempt.inputRecords() for attempt in attempts)
