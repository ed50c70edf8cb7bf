"""The provenance of result rows, carried through every operator in a hidden column: how many events, when, on which
device, and a bounded sample of them.

    $$trace STRUCT<
      events BIGINT, first BIGINT, last BIGINT          how many events, and the ticks of the first and last; one that
                                                        stands in several rows, after a join, counts once as long as
                                                        all events are known by their evidence
      low, high STRUCT<device_id, device_name, account_name> smallest and largest; equal where there is only one
      evidence ARRAY<STRUCT<at BIGINT, event_id STRING>> the first MAX_EVIDENCE events
    >
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from pyspark.sql import Column, DataFrame, Window

from lakehunt.schemas.event_table import SUBJECT
from lakehunt.schemas.finding_tables import MAX_EVIDENCE
from lakehunt.spark.columns import F

TRACE = "$$trace"
RANK = "$$rank"


def of_event(event_id: Column, ticks: Column, subject_columns: Sequence[str | None]) -> Column:
    """The trace of one event, whose subject is in these columns of the frame (`EventTable.subject_columns`)."""
    subject = F.struct(*(_text(stored).alias(name) for name, stored in zip(SUBJECT, subject_columns, strict=True)))
    evidence = F.array(F.struct(ticks.alias("at"), event_id.alias("event_id")))
    return F.struct(
        F.lit(1).cast("bigint").alias("events"),
        ticks.alias("first"),
        ticks.alias("last"),
        subject.alias("low"),
        subject.alias("high"),
        evidence.alias("evidence"),
    )


def _text(name: str | None) -> Column:
    return F.col(name) if name else F.lit(None).cast("string")


def ranked(frame: DataFrame, keys: Sequence[Column], order: Column) -> DataFrame:
    """The frame with each row's rank in its group, so that evidence is limited before it is collected."""
    window = Window.partitionBy(*keys).orderBy(order) if keys else Window.partitionBy(F.lit(0)).orderBy(order)
    return frame.withColumn(RANK, F.row_number().over(window))


@cache
def combined() -> Column:
    """The trace of a group of traced and ranked rows."""
    one = F.col(f"`{TRACE}`")
    shown = F.flatten(F.collect_list(F.when(F.col(f"`{RANK}`") <= MAX_EVIDENCE, one["evidence"])))
    evidence = F.array_sort(F.array_distinct(shown))
    known = F.bool_and(_is_known(one)) & (F.max(f"`{RANK}`") <= MAX_EVIDENCE)
    count = F.when(known, F.size(evidence).cast("bigint"))
    return F.struct(
        F.coalesce(count, F.sum(one["events"]), F.lit(0)).alias("events"),
        F.min(one["first"]).alias("first"),
        F.max(one["last"]).alias("last"),
        F.struct(*(F.min(one["low"][name]).alias(name) for name in SUBJECT)).alias("low"),
        F.struct(*(F.max(one["high"][name]).alias(name) for name in SUBJECT)).alias("high"),
        F.slice(evidence, 1, MAX_EVIDENCE).alias("evidence"),
    )


def _is_known(one: Column) -> Column:
    """Whether the evidence has all events of a trace; only then can duplicates be counted once."""
    return one["events"] == F.size(one["evidence"])


def subject(name: str) -> Column:
    """The value of the column if all events of a row have the same one, else null."""
    one = F.col(f"`{TRACE}`")
    return F.when(one["low"][name] == one["high"][name], one["low"][name])


def both(left: Column, right: Column) -> Column:
    """The trace of two joined rows, one of which may be missing."""
    first, second = F.coalesce(left, right), F.coalesce(right, left)
    evidence = F.array_distinct(F.concat(first["evidence"], second["evidence"]))
    count = F.when(_is_known(first) & _is_known(second), F.size(evidence).cast("bigint"))
    joined = F.struct(
        F.coalesce(count, first["events"] + second["events"]).alias("events"),
        F.least(first["first"], second["first"]).alias("first"),
        F.greatest(first["last"], second["last"]).alias("last"),
        F.struct(*(F.least(first["low"][n], second["low"][n]).alias(n) for n in SUBJECT)).alias("low"),
        F.struct(*(F.greatest(first["high"][n], second["high"][n]).alias(n) for n in SUBJECT)).alias("high"),
        F.slice(F.array_sort(evidence), 1, MAX_EVIDENCE).alias("evidence"),
    )
    return F.when(left.isNotNull() & right.isNotNull(), joined).otherwise(first)


def grouped(frame: DataFrame, keys: Sequence[Column], made: Sequence[Column], order: Column) -> DataFrame:
    """The frame grouped by the keys, with the trace of each group if the frame is traced."""
    if TRACE not in frame.columns:
        return frame.groupBy(*keys).agg(*made)
    return ranked(frame, keys, order).groupBy(*keys).agg(*made, combined().alias(TRACE))
