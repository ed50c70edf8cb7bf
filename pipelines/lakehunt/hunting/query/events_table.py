"""Event tables for KQL: the stored events as relations, limited to the window that a query reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

from pyspark.sql import Column, DataFrame

from lakehunt.kql import plan as p
from lakehunt.kql.types import DATETIME, DYNAMIC, STRING, TICKS_PER_DAY, TICKS_PER_MICROSECOND, Schema
from lakehunt.kql.types import Column as KqlColumn
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.small_tables import LocalTables, Stamp
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import BY_NAME, EVENT_TABLES, kql_name
from lakehunt.schemas.landing_tables import BATCHES
from lakehunt.spark import dynamic, trace, values
from lakehunt.spark.cancelling import reads_until_cancelled
from lakehunt.spark.columns import F, select
from lakehunt.spark.expressions import INGESTED, column
from lakehunt.spark.relations import ORDER, Relation

KQL_TABLES: dict[str, Schema] = {table.name: table.kql_schema for table in EVENT_TABLES}
"""The tables that a hunt can name without configuration; see table_catalog.py."""

BatchRange = tuple[int, int]
"""The first and the last of consecutive batches."""

_VERSION = "$$version"


class Readable(Protocol):
    """What a query reads event tables from."""

    def scan(self, plan: p.Scan, traced: bool) -> Relation:
        """The events that the plan's read of an event table may need; `traced` rows carry their event ids."""


@dataclass(frozen=True)
class EventsSnapshot:
    """The events of one table that a run sees: those of the batches that were accepted when it began.

    While a batch is being promoted, its events are already stored but not yet known to be complete, so no run sees
    them."""

    table: EventTable
    frame: DataFrame
    accepted: tuple[BatchRange, ...]
    version: int
    """A version of the stored table that has all of them; -1 if the lake has no such table."""
    span: tuple[int, int] | None = None
    """Ticks: all stored events have a time between these. None: not known."""

    def scan(self, plan: p.Scan, traced: bool) -> Relation:
        """The events that the plan's read of the table may need, with the plan's columns."""
        until = None if self.are_until(plan.until) else plan.until
        rows = within_window(self.table, self.frame, plan.since, until)
        rows = rows.filter(reads_until_cancelled(rows.sparkSession))
        return relation(self.table, rows, traced, schema=plan.schema)

    def are_until(self, until: int | None) -> bool:
        """Whether no event is later than an instant (ticks), so that nothing need be compared with it."""
        return until is not None and self.span is not None and self.span[1] <= until


class LakeSnapshot:
    """The events of all tables that a run sees. Each table is opened when it is first needed."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self.accepted: Mapping[str, tuple[BatchRange, ...]] = accepted_batches(lake)
        """The accepted batches of each event table, by its KQL name."""
        self._opened: dict[str, EventsSnapshot] = {}

    def of(self, table: EventTable) -> EventsSnapshot:
        """The events of a table: none if only other tables have landed. Raises LakehuntError if nothing ever has."""
        if table.name not in self._opened:
            self._opened[table.name] = self._open(table)
        return self._opened[table.name]

    def _open(self, table: EventTable) -> EventsSnapshot:
        name, accepted = table.events.name, self.accepted.get(table.name, ())
        if not self._lake.exists(name):
            if not any(self._lake.exists(other.events.name) for other in EVENT_TABLES):
                self._lake.read(name)  # raises
            return EventsSnapshot(table, self._lake.rows(table.events), (), -1)
        logged = self._lake.logged(table.events)
        if logged is None:
            rows, version = self._lake.snapshot(table.events)
            return EventsSnapshot(table, rows.filter(in_batches(accepted)), accepted, version)
        span = logged.ranges.get(table.times[0])
        if span is not None:
            span = span[0] * TICKS_PER_MICROSECOND, (span[1] + 1) * TICKS_PER_MICROSECOND - 1
        ranges = self._lake.ranges(table.events, logged.paths, "batch")
        all_accepted = ranges is not None and all(_is_within(one, accepted) for one in ranges)
        rows = logged.frame if all_accepted else logged.frame.filter(in_batches(accepted))
        return EventsSnapshot(table, rows, accepted, logged.version, span)

    def are_until(self, plan: p.Scan, until: int) -> bool:
        """Whether no event of the table that the plan reads is later than an instant (ticks)."""
        return self.of(BY_NAME[plan.table]).are_until(until)

    def span(self, plan: p.Scan) -> tuple[int, int] | None:
        """Two instants (ticks) between which all events are of the table that the plan reads; None: not known."""
        return self.of(BY_NAME[plan.table]).span

    def scan(self, plan: p.Scan, traced: bool) -> Relation:
        return self.of(BY_NAME[plan.table]).scan(plan, traced)


def _is_within(batches: BatchRange, accepted: Iterable[BatchRange]) -> bool:
    """Whether one of the ranges has all of these batches."""
    return any(first <= batches[0] and batches[1] <= last for first, last in accepted)


_ACCEPTED: dict[str, tuple[Stamp, dict[str, tuple[BatchRange, ...]]]] = {}
"""For each lake the accepted batches that were read last, after the stamp of their table."""


def accepted_batches(lake: Lake | LocalTables) -> dict[str, tuple[BatchRange, ...]]:
    """The accepted batches of each event table, by its KQL name."""
    stamp = lake.stamp(BATCHES.name)
    if stamp is None:
        return _accepted_batches(lake)
    kept = _ACCEPTED.get(lake.root)
    if kept is None or kept[0] != stamp:
        _ACCEPTED[lake.root] = kept = stamp, _accepted_batches(lake)
    return kept[1]


def _accepted_batches(lake: Lake | LocalTables) -> dict[str, tuple[BatchRange, ...]]:
    found: dict[str, set[int]] = {}
    for row in lake.few(BATCHES, ("event_table", "batch"), [("outcome", "=", "settled")]):
        found.setdefault(kql_name(row["event_table"]), set()).add(row["batch"])
    return {table: batch_ranges(batches) for table, batches in found.items()}


class HitEvents:
    """The hits of all hunts in one table as one relation, so that its column expressions are built once, not once per
    hunt."""

    def __init__(self, table: EventTable, frame: DataFrame) -> None:
        """`frame` has the columns of the events table, and hunt_version."""
        self._relation = relation(table, frame, traced=True, also=(F.col("hunt_version").alias(_VERSION),))

    def of(self, version: str) -> Relation:
        """The hits of one hunt version."""
        own = self._relation.frame.filter(column(_VERSION) == version).drop(_VERSION)
        return replace(self._relation, frame=own)


class HitRows(Protocol):
    """The hits of several hunts in one table."""

    def of(self, version: str) -> Relation:
        """The hits of one hunt version."""


@dataclass(frozen=True)
class HuntHits:
    """The hits of a hunt version, by the table's name; of other tables, all `events`."""

    tables: Mapping[str, HitRows]
    version: str
    events: Readable

    def scan(self, plan: p.Scan, traced: bool) -> Relation:
        """All hits: the plan filters by time itself, and there are no files to skip."""
        hits = self.tables.get(plan.table)
        return hits.of(self.version) if hits else self.events.scan(plan, traced)


def batch_ranges(batches: Iterable[int]) -> tuple[BatchRange, ...]:
    """Batch numbers as ranges of consecutive numbers, in order."""
    return joined((batch, batch) for batch in batches)


def joined(ranges: Iterable[BatchRange]) -> tuple[BatchRange, ...]:
    """Non-overlapping ranges in order, with adjacent ones merged."""
    merged: list[BatchRange] = []
    for first, last in sorted(ranges):
        if merged and merged[-1][1] + 1 == first:
            merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return tuple(merged)


def without(ranges: Iterable[BatchRange], taken: Iterable[BatchRange]) -> tuple[BatchRange, ...]:
    """The batches of some ranges that are in none of the others, as ranges in order."""
    left: list[BatchRange] = []
    cut = sorted(taken)
    for first, last in sorted(ranges):
        start = first
        for a, b in cut:
            if a > last:
                break
            if b >= start:
                if a > start:
                    left.append((start, a - 1))
                start = b + 1
        if start <= last:
            left.append((start, last))
    return tuple(left)


def in_batches(runs: Iterable[BatchRange]) -> Column:
    """Whether an event belongs to one of these batches."""
    return any_of(F.col("batch").between(first, last) for first, last in runs)


def any_of(conditions: Iterable[Column]) -> Column:
    """Whether one of the conditions is true. A balanced tree: a chain of hundreds would overflow the stack of Spark's
    optimizer."""
    parts = list(conditions) or [F.lit(False)]
    while len(parts) > 1:
        parts = [parts[i] | parts[i + 1] if i + 1 < len(parts) else parts[i] for i in range(0, len(parts), 2)]
    return parts[0]


def within_window(table: EventTable, frame: DataFrame, since: int | None, until: int | None) -> DataFrame:
    """The events of a table from `since` to `until` (ticks, both included), with conditions that allow partition
    pruning and data skipping. Stored timestamps are truncated to microseconds, and so are the bounds: no event inside
    is lost."""
    time = F.col(table.times[0])
    if since is not None:
        frame = frame.filter((F.col("event_date") >= values.day(utc_day(since))) & (time >= values.moment(since)))
    if until is not None:
        frame = frame.filter((F.col("event_date") <= values.day(utc_day(until))) & (time <= values.moment(until)))
    return frame


def relation(
    table: EventTable, frame: DataFrame, traced: bool, also: Sequence[Column] = (), schema: Schema | None = None
) -> Relation:
    """Stored events of a table with engine types; `traced` rows carry their event id. `also`: additional columns.
    `schema`: those of the table's columns that are needed, by default all."""
    schema = table.kql_schema if schema is None else schema
    columns = [kql_value(of).alias(of.name) for of in schema]
    moment = kql_value(next(column for column in table.kql_schema if column.name == table.times[0]))
    order = F.struct(moment.alias("at"), F.col(table.sequence).alias("report"), F.col("event_id").alias("content"))
    hidden = [order.alias(ORDER), values.ticks(F.col("landed_at")).alias(INGESTED)]
    if traced:
        hidden.append(trace.of_event(F.col("event_id"), moment, table.subject_columns).alias(trace.TRACE))
    return Relation(select(frame, *columns, *hidden, *also), schema)


def kql_value(of: KqlColumn) -> Column:
    """A stored event column with its engine type (datetime as ticks, string never null, dynamic as by parse_json)."""
    stored = F.col(of.name)
    if of.type == DATETIME:
        return values.ticks(stored, F.col("tick_digits")[of.name])
    if of.type == DYNAMIC:
        return dynamic.parsed(stored)
    return F.coalesce(stored, F.lit("")) if of.type == STRING else stored


def utc_day(ticks: int) -> date:
    """The day (UTC) of an instant; the calendar's first or last day for one beyond it."""
    ordinal = _EPOCH + ticks // TICKS_PER_DAY
    return date.fromordinal(min(max(ordinal, date.min.toordinal()), date.max.toordinal()))


_EPOCH = date(1970, 1, 1).toordinal()
