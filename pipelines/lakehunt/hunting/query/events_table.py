"""DeviceProcessEvents for KQL: the stored events as a relation, limited to the window that a query reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from typing import Protocol

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehunt.kql import plan as p
from lakehunt.kql.types import DATETIME, DYNAMIC, STRING, TICKS_PER_DAY, Schema
from lakehunt.kql.types import Column as KqlColumn
from lakehunt.lake import history
from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS, EVENT_TABLES
from lakehunt.schemas.landing_tables import BATCHES
from lakehunt.spark import dynamic, trace, values
from lakehunt.spark.cancelling import not_cancelled
from lakehunt.spark.expressions import INGESTED, column
from lakehunt.spark.relations import ORDER, Relation

TABLE = DEVICE_PROCESS_EVENTS.events.name

SCHEMA: Schema = DEVICE_PROCESS_EVENTS.kql_schema

KQL_TABLES: dict[str, Schema] = {table.name: table.kql_schema for table in EVENT_TABLES}
"""The tables that a hunt can name without configuration; see table_catalog.py."""

BatchRange = tuple[int, int]
"""The first and the last of consecutive batches."""

_TIME = DEVICE_PROCESS_EVENTS.times[0]
_VERSION = "$$version"


class Readable(Protocol):
    """What a query reads DeviceProcessEvents from."""

    def scan(self, plan: p.Scan, traced: bool) -> Relation:
        """The events that the plan's read may need; `traced` rows carry their event ids."""


@dataclass(frozen=True)
class EventsSnapshot:
    """The events that a run sees: those of the batches that were accepted when it began.

    While a batch is being promoted, its events are already stored but not yet known to be complete, so no run sees
    them."""

    frame: DataFrame
    accepted: tuple[BatchRange, ...]
    version: int
    """Of the events table, when the run began."""

    def scan(self, plan: p.Scan, traced: bool) -> Relation:
        rows = within_window(self.frame, plan.since, plan.until)
        return relation(rows.filter(not_cancelled(rows.sparkSession, F.col("batch"), F.col("batch"))), traced)


class HitEvents:
    """The hits of all hunts as one relation, so that its column expressions are built once, not once per hunt."""

    def __init__(self, frame: DataFrame) -> None:
        """`frame` has the columns of the events table, and hunt_version."""
        self._relation = relation(frame, traced=True, also=(F.col("hunt_version").alias(_VERSION),))

    def of(self, version: str) -> HuntHits:
        """The hits of one hunt version."""
        own = self._relation.frame.filter(column(_VERSION) == version).drop(_VERSION)
        return HuntHits(replace(self._relation, frame=own))


@dataclass(frozen=True)
class HuntHits:
    """The hits of a hunt."""

    relation: Relation

    def scan(self, plan: p.Scan, traced: bool) -> Relation:
        """All of them: the plan filters by time itself, and there are no files to skip."""
        return self.relation


def open_snapshot(lake: Lake) -> EventsSnapshot:
    """The current snapshot. Raises LakehuntError if no event has ever landed."""
    stored, version = lake.read(TABLE), history.version(lake, TABLE)
    rows = lake.rows(BATCHES).filter(F.col("outcome") == "settled").select("batch").distinct().collect()
    accepted = batch_ranges(row.batch for row in rows)
    return EventsSnapshot(stored.filter(in_batches(accepted)), accepted, version)


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


def in_batches(runs: Iterable[BatchRange]) -> Column:
    """Whether an event belongs to one of these batches."""
    return reduce(Column.__or__, (F.col("batch").between(first, last) for first, last in runs), F.lit(False))


def within_window(frame: DataFrame, since: int | None, until: int | None) -> DataFrame:
    """The events from `since` to `until` (ticks, both included), with conditions that allow partition pruning and data
    skipping. Stored timestamps are truncated to microseconds, and so are the bounds: no event inside is lost."""
    time = F.col(_TIME)
    if since is not None:
        frame = frame.filter((F.col("event_date") >= values.day(utc_day(since))) & (time >= values.moment(since)))
    if until is not None:
        frame = frame.filter((F.col("event_date") <= values.day(utc_day(until))) & (time <= values.moment(until)))
    return frame


def relation(frame: DataFrame, traced: bool, also: Sequence[Column] = ()) -> Relation:
    """Stored events with engine types; `traced` rows carry their event id. `also`: additional columns."""
    columns = [kql_value(of).alias(of.name) for of in SCHEMA]
    moment = kql_value(next(column for column in SCHEMA if column.name == _TIME))
    order = F.struct(
        moment.alias("at"), F.col(DEVICE_PROCESS_EVENTS.sequence).alias("report"), F.col("event_id").alias("content")
    )
    hidden = [order.alias(ORDER), values.ticks(F.col("landed_at")).alias(INGESTED)]
    if traced:
        hidden.append(
            trace.of_event(F.col("event_id"), moment, DEVICE_PROCESS_EVENTS.subject_columns).alias(trace.TRACE)
        )
    return Relation(frame.select(*columns, *hidden, *also), SCHEMA)


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
