"""Ends queries before the memory of the JVM is used up, which would end it, and with it what everybody asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from lakehunt.runtime import janino
from lakehunt.serving.endpoint import FULL
from lakehunt.serving.kusto import errors
from lakehunt.serving.kusto.running import Queries

_LOOK = 1.0
"""Seconds between two looks."""


class Memory:
    """Looks at the heap while queries run. Safe to use from several threads."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._lock = threading.Lock()
        self._users = 0
        self._over = threading.Event()

    @contextmanager
    def watched(self, spark: SparkSession) -> Iterator[None]:
        """While a query runs on this session."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._over = threading.Event()
                threading.Thread(
                    target=self._watch, args=(spark, self._over), name="lakehunt-heap", daemon=True
                ).start()
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._over.set()

    def _watch(self, spark: SparkSession, over: threading.Event) -> None:
        with suppress(Py4JError, OSError):  # if Spark has ended, the queries say so
            while not over.wait(_LOOK):
                self.look(janino.compile_class(spark, "HeapUse").newInstance())

    def look(self, heap: Any) -> None:
        """Ends all queries if more of the heap is in use than may be."""
        if heap.share() > FULL:
            self._queries.end(errors.out_of_memory())
            heap.collect()
