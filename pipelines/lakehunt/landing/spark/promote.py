"""Second stage: validates each batch and publishes its records to `events` or `quarantine`, or drops duplicates.

A batch is accepted, table by table, once `raw.batches` says so (outcome `settled`), which is written last. Every
earlier write is idempotent: it replaces what a previous attempt at the batch wrote, or inserts only missing rows. So a
run may be killed at any point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from lakehunt.core.progress import Progress
from lakehunt.core.sql import quoted_name
from lakehunt.lake.delta_lake import Lake, few_rows, utc
from lakehunt.landing import outcomes
from lakehunt.landing.outcomes import COUNTS, HOURS_AHEAD, NO_TABLE, BatchResult, TableCounts
from lakehunt.landing.rules import Rules
from lakehunt.landing.spark import parsing
from lakehunt.landing.spark.ingest import LandedBatch, newest_batch
from lakehunt.landing.spark.parsing import LineParser, is_valid
from lakehunt.quality.validation import Validator
from lakehunt.runtime.error_text import in_one_line
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import BY_NAME, DEVICE_PROCESS_EVENTS
from lakehunt.schemas.landing_tables import BATCHES, QUARANTINE, RECORDS
from lakehunt.schemas.quality_tables import VALIDATIONS
from lakehunt.spark import values


@dataclass(frozen=True)
class _Judged:
    """The records of one table."""

    table: EventTable
    counts: TableCounts
    events: DataFrame
    """New events, with the columns of the events table."""
    dates: tuple[date, ...]


class Promoter:
    """Promotes batches of a lake."""

    def __init__(self, lake: Lake, rules: Rules[Validator], parser: LineParser, say: Progress) -> None:
        self._lake, self._rules, self._parser, self._say = lake, rules, parser, say

    def promote_waiting(self) -> list[BatchResult]:
        """Promotes every batch that is not accepted yet, including those refused before."""
        return [self.promote(self._from_raw(batch), settled) for batch, settled in waiting(self._lake).items()]

    def promote(self, batch: LandedBatch, settled: Sequence[str] = ()) -> BatchResult:
        """Validates and publishes a batch, without the tables of it that are settled already. One that Spark fails on
        is refused, so that it does not keep later ones from being events."""
        try:
            return self._promote(batch, settled)
        except (PySparkException, Py4JJavaError) as e:
            result = BatchResult(batch.number, 0, 0, 0, 0, refused=(f"it could not be validated: {in_one_line(e)}",))
            self._say(f"batch {batch.number}: {result.refused[0]}")
        with suppress(PySparkException, Py4JJavaError):  # as on a full disk: the result says so, too
            if batch.number in waiting(self._lake):  # or another run has promoted it meanwhile
                self._record(result, {NO_TABLE: result.refused}, {}, batch.landed_at, settled)
        return result

    def _from_raw(self, number: int) -> LandedBatch:
        raw = self._lake.read(RECORDS.name).where(F.col("batch") == number)
        landed_at = raw.agg(F.min("landed_at").alias("at")).collect()[0]["at"]
        line = F.coalesce(F.col("text").cast("binary"), "bytes")
        delivered = raw.where(line.isNotNull())  # those that `forget` has emptied have neither
        lines = delivered.select("file", "line", line.alias("value"), F.lit(False).alias("may_be_cut"))
        at = datetime.now(UTC) if landed_at is None else utc(landed_at)
        return LandedBatch(number, at, self._parser.records(lines).localCheckpoint())

    def _promote(self, batch: LandedBatch, settled: Sequence[str]) -> BatchResult:
        records = batch.records.withColumns({"batch": F.lit(batch.number), "landed_at": F.lit(batch.landed_at)})
        facts = self._facts(records)
        judged = [
            self._judge(BY_NAME[name], records, facts[name])
            for name in sorted(self._parser.tables)
            if name in facts and name not in settled
        ]
        counts = [one.counts for one in judged]
        if NO_TABLE in facts:
            lost = facts[NO_TABLE].records
            counts.append(TableCounts(NO_TABLE, lost, quarantined=lost))
        others = self._others(records) if None in facts else {}
        unknown = [name for one in judged for name in facts[one.table.name].unknown]
        result = outcomes.of_tables(batch.number, counts, unknown, others)
        self._say(f"batch {batch.number}: validating {result.events} new events")
        result, refused = self._validated(result, judged, batch.landed_at)
        kept = [one for one in judged if not {one.table.name, NO_TABLE} & set(refused)]
        if NO_TABLE not in refused:
            self._publish(batch.number, records, kept, settled)
        hours = {one.table.name: _per_hour(one) for one in kept}
        self._record(result, refused, hours, batch.landed_at, settled)
        verdict = "refused" if refused else f"{result.events} events, {result.duplicates} duplicates"
        self._say(f"batch {batch.number}: {verdict}")
        return result

    # Judging

    def _facts(self, records: DataFrame) -> Mapping[str | None, Row]:
        """For each event table that records belong to (NO_TABLE: none, None: one that is not landed): `records`,
        `quarantined`, the `dates` of valid events, and the names of their `unknown` properties."""

        def of_event(name: str) -> list[str]:
            return [f"{quoted_name(table)}.{name}" for table in self._parser.tables]

        names = F.json_object_keys(F.coalesce(*of_event("unknown_properties")))
        rows = records.groupBy("event_table").agg(
            F.count(F.lit(1)).alias("records"),
            F.count_if(~is_valid()).alias("quarantined"),
            F.collect_set(F.when(is_valid(), F.coalesce(*of_event("event_date")))).alias("dates"),
            F.array_distinct(F.flatten(F.collect_set(F.when(is_valid(), names)))).alias("unknown"),
        )
        return {row.event_table: row for row in rows.collect()}

    def _others(self, records: DataFrame) -> dict[str, int]:
        """How many records of each table that is not landed, by category."""
        rows = records.where(F.col("event_table").isNull()).groupBy("category").count().collect()
        return {row.category: row["count"] for row in rows}

    def _judge(self, table: EventTable, records: DataFrame, facts: Row) -> _Judged:
        valid = parsing.events(records, table)
        duplicates = self._duplicates(table, valid, facts.dates).localCheckpoint()
        repeated = duplicates.count()
        new = valid.join(duplicates, ["file", "line"], "left_anti") if repeated else valid
        events = facts.records - facts.quarantined - repeated
        counts = TableCounts(table.name, facts.records, events, facts.quarantined, repeated)
        return _Judged(table, counts, new, tuple(sorted(facts.dates)))

    def _duplicates(self, table: EventTable, events: DataFrame, dates: Sequence[date]) -> DataFrame:
        """`file`, `line` of records whose event exists already: in the table, or earlier in the batch.

        The record that the table's event came from is not a duplicate: an earlier attempt at this batch wrote it."""
        stored = self._lake.rows(table.events).where(F.col("event_date").isin(*map(values.day, dates)))
        there = stored.select("event_date", "event_id", F.struct("file", "line").alias("there"))
        position = F.struct("file", "line")
        keys = events.select("event_date", "event_id", "file", "line")
        first = keys.groupBy("event_date", "event_id").agg(F.min(position).alias("first"))
        origin = first.join(there, ["event_date", "event_id"], "left").select(
            "event_date", "event_id", F.coalesce("there", "first").alias("origin")
        )
        return keys.join(origin, ["event_date", "event_id"]).where(position != F.col("origin")).select("file", "line")

    # The gate

    def _validated(
        self, result: BatchResult, judged: Sequence[_Judged], landed_at: datetime
    ) -> tuple[BatchResult, dict[str, list[str]]]:
        """The result with its failed expectations, and the tables that are refused, each with the reasons; NO_TABLE:
        the whole batch. Also stores the results of all expectations."""
        table_of = {self._rules.tables[one.table.name].suite: one.table.name for one in judged}
        frames = {self._rules.tables[one.table.name].suite: _to_validate(one) for one in judged}
        frames[self._rules.landing] = few_rows(self._lake.spark, COUNTS, [outcomes.counts_row(result)])
        found = self._rules.validator.validate(result.batch, frames, landed_at)
        rows = [outcomes.validation_row(result.batch, one, landed_at) for one in found]
        self._lake.replace(VALIDATIONS, rows, [("batch", "=", result.batch), ("suite", "in", list(frames))])
        return outcomes.judged(result, found, table_of, self._rules.docs)

    # Publishing

    def _publish(self, batch: int, records: DataFrame, kept: Sequence[_Judged], settled: Sequence[str]) -> None:
        self._lake.ensure(DEVICE_PROCESS_EVENTS.events)  # hunts need a table, if only an empty one
        for one in kept:
            if one.counts.events:
                within = F.col("target.event_date").isin(*map(values.day, one.dates))
                self._lake.insert_new(one.table.events, one.events, ["event_date", "event_id"], within)
        of_kept = F.col("event_table").isin(NO_TABLE, *(one.table.name for one in kept))
        quarantined = records.where(of_kept & ~is_valid()).select(*QUARANTINE.column_names)
        self._lake.replace(
            QUARANTINE,
            lambda: quarantined.unionByName(self._quarantined_before(batch, settled)) if settled else quarantined,
            [("batch", "=", batch)],
        )

    def _quarantined_before(self, batch: int, settled: Sequence[str]) -> DataFrame:
        """The rows of records in quarantine, of the tables of a batch that are settled."""
        categories = [BY_NAME[name].category for name in settled]
        return self._lake.rows(QUARANTINE).where((F.col("batch") == batch) & F.col("category").isin(categories))

    def _record(
        self,
        result: BatchResult,
        refused: Mapping[str, Sequence[str]],
        hours: Mapping[str, list[dict[str, Any]]],
        landed_at: datetime,
        settled: Sequence[str],
    ) -> None:
        rows = outcomes.batch_rows(result, refused, hours, landed_at)
        self._lake.replace(BATCHES, rows, outcomes.replaced_rows(result.batch, rows, settled))


def waiting(lake: Lake) -> dict[int, list[str]]:
    """The batches to promote, each with its event tables that are settled."""
    if not lake.exists(RECORDS.name):
        return {}
    return outcomes.waiting(newest_batch(lake), lake.few(BATCHES, outcomes.WAITING_COLUMNS))


def _to_validate(one: _Judged) -> DataFrame:
    ahead = (F.unix_micros(one.table.times[0]) - F.unix_micros("landed_at")) / 3_600_000_000
    return one.events.withColumn(HOURS_AHEAD, ahead)


def _per_hour(one: _Judged) -> list[dict[str, Any]]:
    """New events per hour."""
    counted = one.events.groupBy(F.date_trunc("hour", one.table.times[0]).alias("hour")).count().collect()
    return sorted(({"hour": utc(row.hour), "events": row["count"]} for row in counted), key=lambda found: found["hour"])
