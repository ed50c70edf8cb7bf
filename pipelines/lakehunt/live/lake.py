"""A lake that is asked again and again."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from lakehunt.config import Config
from lakehunt.hunting.query import adhoc
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.kql import times
from lakehunt.live.result import Result
from lakehunt.live.session import KeptSession
from lakehunt.runtime.limits import Limits


class LiveLake:
    """Answers queries as `lakehunt query` does, in a Spark session that is kept. Safe to use from several threads.

    `idle` as in `KeptSession`. Every query opens the lake anew: it sees all batches that have been accepted until
    then."""

    def __init__(self, config: Config, idle: float | None = None) -> None:
        self.config = config
        self.tables = TableCatalog(config.tables, config.external, config.lookups)
        self.session = KeptSession(config, idle)

    def begin(self) -> None:
        """Lets Spark start, if it does not run, without waiting for it."""
        self.session.begin()

    def close(self) -> None:
        """Ends this use of the session."""
        self.session.close()

    def query(
        self, text: str, as_of: int | None = None, period: int | None = None, limits: Limits | None = None
    ) -> Result:
        """The answer as of an instant (ticks), by default now. `period` (ticks) is how far a query without a time
        filter looks back, by default as far as the lake goes; `limits` are by default the configuration's.

        Raises QueryErrors for an invalid or unsupported query, before Spark has started; LimitError for one that takes
        too long or has too many rows; and LakehuntError if Spark fails. An interrupt cancels the query."""
        began = time.perf_counter()
        as_of = now() if as_of is None else as_of
        adhoc.compile_first(text, self.tables)
        with self.session.lake() as lake:
            limits = limits or self.config.limits
            collected = adhoc.collect(lake, text, as_of, period, self.tables, limits=limits)
        return Result(collected, as_of, time.perf_counter() - began, self.session)


def now() -> int:
    """The current time in ticks."""
    return times.from_datetime(datetime.now(UTC))
