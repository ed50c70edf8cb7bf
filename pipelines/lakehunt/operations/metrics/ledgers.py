"""What metrics are read from: the lake's ledgers and logs, each read once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakehunt.hunting import clock
from lakehunt.hunting.clock import Due
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings.run_log import FAILED, STARTED, SUCCEEDED
from lakehunt.hunting.settings import HuntingSettings
from lakehunt.kql import times
from lakehunt.lake.delta_lake import KILLED_AFTER, Lake
from lakehunt.lake.small_tables import LocalTables
from lakehunt.lake.where import Where
from lakehunt.operations import status
from lakehunt.operations.metrics.metric import Sample
from lakehunt.operations.status import TableStatus
from lakehunt.schemas import registry
from lakehunt.schemas.alert_tables import SENT
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS, EVENT_TABLES
from lakehunt.schemas.hunt_tables import LATE, RUNS
from lakehunt.schemas.landing_tables import BATCHES
from lakehunt.schemas.table import Table

_RUN = ("run_id", "hunt_id", "as_of")


class Ledgers:
    """A lake at an instant (UTC), for which all that is kept for ever can be counted again, and its hunts."""

    def __init__(self, lake: Lake | LocalTables, hunts: Sequence[Hunt], settings: HuntingSettings, now: datetime):
        self.lake, self.hunts, self.now = lake, hunts, now
        self._settings = settings

    def read(self, table: Table, columns: Sequence[str], only: Where = ()) -> pa.Table:
        """Rows of a table; none if the lake does not have it."""
        reading = self.lake.rows if isinstance(self.lake, LocalTables) else self.lake.arrow
        return reading(table, columns, only)

    @cached_property
    def batches(self) -> pa.Table:
        """`raw.batches`, with the name of the event table in each row: "none" for records that belong to none."""
        columns = ("batch", "landed_at", "delivered", "events", "quarantined", "duplicates", "outcome")
        found = self.read(BATCHES, (*columns, "event_table"))
        return found.drop_columns("event_table").append_column("table", named(found["event_table"]))

    @cached_property
    def tables(self) -> dict[str, TableStatus]:
        """The state of each table of the lake, without those of single hunts."""
        names = (table.name for table in registry.tables())
        return {name: status.table_status(self.lake, name) for name in names if self.lake.exists(name)}

    @cached_property
    def due(self) -> list[Due]:
        """When each hunt is due; empty while the lake has no event."""
        if not self.has_events:
            return []
        return clock.all_due(self.lake, self.hunts, self._settings, times.from_datetime(self.now), self.now)

    @property
    def has_events(self) -> bool:
        return any(one.last is not None for one in self.tables.values())

    @cached_property
    def landing_lags(self) -> dict[str, pa.Array]:
        """The seconds from each event of a table's newest batch to its landing, by the name of the table."""
        lags = {}
        for events in EVENT_TABLES:
            own = self.batches.filter(pc.field("table") == events.name) if self.batches.num_rows else self.batches
            own = own.filter(pc.field("events") > 0) if own.num_rows else own
            if own.num_rows:
                at = events.times[0]
                newest = pc.max(own["batch"]).as_py()
                found = self.read(events.events, (at, "landed_at"), [("batch", "=", newest)])
                passed = pc.subtract(found["landed_at"], found[at]).cast(pa.int64())
                lags[events.name] = pc.divide(passed.cast(pa.float64()), 1e6)
        return {name: one for name, one in lags.items() if len(one)}


class LogPart:
    """The part of the logs whose rows expire that is of times after one and up to another (None: no bound)."""

    def __init__(self, ledgers: Ledgers, after: datetime | None, until: datetime | None) -> None:
        self.ledgers, self.after, self.until = ledgers, after, until

    def _within(self, column: str) -> list[Any]:
        bounds: list[Any] = [] if self.after is None else [(column, ">", self.after)]
        return bounds if self.until is None else [*bounds, (column, "<=", self.until)]

    @cached_property
    def _runs(self) -> pa.Table:
        columns = (*_RUN, "started_at", "outcome", "reason", "seconds", "findings", "too_late")
        found = self.ledgers.read(RUNS, columns, self._within("started_at"))
        return found.set_column(found.column_names.index("reason"), "reason", pc.fill_null(found["reason"], "asked"))

    @cached_property
    def ended(self) -> pa.Table:
        """Rows of `hunts.runs` of runs that have ended, or were skipped."""
        return self._runs.filter(pc.field("outcome") != STARTED)

    @cached_property
    def killed(self) -> pa.Table:
        """Rows of `hunts.runs` of runs that have begun, and have not ended after a day."""
        long_ago = self.ledgers.now - KILLED_AFTER
        begun = self._runs.filter(pc.field("outcome") == STARTED)
        if begun.num_rows:
            begun = begun.filter(pc.field("started_at") < pa.scalar(long_ago, begun["started_at"].type))
        ended = self.ended.filter(pc.field("outcome").isin([SUCCEEDED, FAILED])).select(_RUN)
        return begun.join(ended, list(_RUN), join_type="left anti") if begun.num_rows else begun

    @cached_property
    def late(self) -> pa.Table:
        """Rows of `hunts.late`, by the start of the run, with which its id begins."""
        bounds: list[Any] = [] if self.after is None else [("run_id", ">", _last_id(self.after))]
        bounds += [] if self.until is None else [("run_id", "<", _last_id(self.until))]
        return self.ledgers.read(LATE, ("change",), bounds)

    @cached_property
    def sent(self) -> pa.Table:
        """Rows of `hunts.alerts` of what was sent."""
        only = self._within("sent_at") or [("sent_at", ">", datetime.fromtimestamp(0, self.ledgers.now.tzinfo))]
        return self.ledgers.read(SENT, ("channel", "kind", "alert_id"), only)


def _last_id(at: datetime) -> str:
    """After the ids of all runs that started at that time, and before those of later ones."""
    return f"{at:%Y%m%dT%H%M%S%f}Z."


def named(event_tables: pa.ChunkedArray) -> pa.ChunkedArray:
    """Names of event tables, as `raw.batches` and `hunts.passes` have them."""
    filled = pc.fill_null(event_tables, DEVICE_PROCESS_EVENTS.name)
    return pc.if_else(pc.equal(filled, ""), "none", filled)


def sums(rows: pa.Table, column: str, *by: str) -> Iterable[Sample]:
    """The sum of a column for each combination of values of others, which are its labels."""
    found = rows.group_by(list(by)).aggregate([(column, "sum")]) if rows.num_rows else rows.slice(0, 0)
    for row in sorted(found.to_pylist(), key=lambda row: [row[name] for name in by]):
        yield Sample(row[f"{column}_sum"] or 0, {name: row[name] for name in by})


def seconds_of(at: datetime) -> float:
    """Seconds since 1970."""
    return at.timestamp()


RECENT = timedelta(days=14)
"""How far back failures and rejected alerts are looked for."""
