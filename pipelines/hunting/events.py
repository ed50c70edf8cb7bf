"""DeviceProcessEvents for KQL: the stored events as a relation, opened at the window that a query reads."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipelines.errors import LakehuntError
from pipelines.hunting.registered import EVENTS
from pipelines.kql import plan as p
from pipelines.kql.types import BY_NAME, DATETIME, STRING, TICKS_PER_DAY, Schema
from pipelines.kql.types import Column as KqlColumn
from pipelines.lake.schema import device_process_events
from pipelines.lake.tables import Lake
from pipelines.spark import trace, values
from pipelines.spark.expressions import INGESTED
from pipelines.spark.relations import ORDER, Relation, Scanner

TABLE = "events.device_process_events"

SCHEMA: Schema = tuple(KqlColumn(c.name, BY_NAME[c.type]) for c in device_process_events())

KQL_TABLES: dict[str, Schema] = {EVENTS: SCHEMA}
"""The tables that a hunt can name without a configuration; see tables.py."""


def scanner(lake: Lake, traced: bool = False) -> Scanner:
    """Opens tables of the lake for a query; `traced` rows remember which event they are."""

    def scan(plan: p.Scan) -> Relation:
        if plan.table != EVENTS:
            raise LakehuntError(f"the lake {lake.root} has no table {plan.table}")
        return relation(within(lake.read(TABLE), plan.since, plan.until), traced)

    return scan


def within(frame: DataFrame, since: int | None, until: int | None) -> DataFrame:
    """The events from `since` to `until` (ticks, both included), by conditions that partitions and file statistics can
    answer. Stored timestamps are cut to microseconds, so the bounds are, too: no event inside is lost."""
    if since is not None:
        frame = frame.filter((F.col("event_date") >= _date(since)) & (F.col("Timestamp") >= values.moment(since)))
    if until is not None:
        frame = frame.filter((F.col("event_date") <= _date(until)) & (F.col("Timestamp") <= values.moment(until)))
    return frame


def relation(frame: DataFrame, traced: bool) -> Relation:
    """Stored events in a plan's representation."""
    columns = [_value(column).alias(column.name) for column in SCHEMA]
    moment = _value(SCHEMA[0])
    order = F.struct(moment.alias("at"), F.col("ReportId").alias("report"), F.col("event_id").alias("content"))
    hidden = [order.alias(ORDER), values.ticks(F.col("landed_at")).alias(INGESTED)]
    if traced:
        hidden.append(trace.of_event(F.col("event_id"), moment).alias(trace.TRACE))
    return Relation(frame.select(*columns, *hidden), SCHEMA)


def _value(column: KqlColumn) -> Column:
    stored = F.col(column.name)
    if column.type == DATETIME:
        return values.ticks(stored, F.col("tick_digits")[column.name])
    return F.coalesce(stored, F.lit("")) if column.type == STRING else stored


def _date(ticks: int) -> Column:
    return F.date_from_unix_date(F.lit(ticks // TICKS_PER_DAY).cast("int"))
