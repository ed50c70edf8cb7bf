"""Second stage: validates each batch and publishes its records to `events` or `quarantine`, or drops duplicates.

A batch is accepted once `raw.batches` says so (outcome `settled`), which is written last. Every earlier write is
idempotent: it replaces what a previous attempt at the batch wrote, or inserts only missing rows. So a run may be killed
at any point.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehunt.core import disk
from lakehunt.core.progress import Progress
from lakehunt.lake.delta_lake import Lake, few_rows, utc
from lakehunt.landing import outcomes
from lakehunt.landing.outcomes import COUNTS, HOURS_AHEAD, LANDING_SUITE, BatchResult, PromotionResult
from lakehunt.quality import data_docs_site, spark_conditions
from lakehunt.quality import suites as quality
from lakehunt.quality.data_docs import DataDocs, page_of
from lakehunt.quality.row_rules import RowRule, row_rules
from lakehunt.quality.validation import Validator
from lakehunt.runtime.error_text import in_one_line
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.landing_tables import BATCHES, QUARANTINE, RECORDS
from lakehunt.schemas.quality_tables import VALIDATIONS
from lakehunt.sources import base as sources
from lakehunt.sources.base import Source
from lakehunt.spark import values

EVENTS = DEVICE_PROCESS_EVENTS.events

_OF_A_TABLE = "^AdvancedHunting-[A-Za-z0-9]+$"
"""The category of records that a feed delivers of any table."""


@dataclass(frozen=True)
class _BatchFacts:
    """Facts about a parsed batch, computed in one query."""

    delivered: int
    quarantined: int
    landed_at: datetime
    dates: tuple[date, ...]
    unknown_properties: tuple[str, ...]
    other_tables: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class _Rules:
    source: Source
    rows: tuple[RowRule, ...]
    validator: Validator
    events: str
    landing: str
    docs: DataDocs


def promote(
    lake: Lake, suites: Path, docs: DataDocs, say: Progress, source_type: str = sources.DEFAULT
) -> PromotionResult:
    """Validates and publishes every batch that is not accepted yet, including those refused before.

    `suites` is the folder of the event table's suite and of `landing.json`; `docs` says where pages are written.
    Raises LakehuntError, before writing anything, for an unusable suite."""
    batches = _unpromoted(lake)
    if not batches:
        return PromotionResult(())
    say("reading the expectations")
    rules = _rules(suites, docs, sources.named(source_type))
    outcomes = tuple(_promote_or_refuse(lake, batch, rules, say) for batch in batches)
    return PromotionResult(outcomes, _write_docs(lake, docs, rules, say))


def _write_docs(lake: Lake, docs: DataDocs, rules: _Rules, say: Progress) -> str | None:
    """Writes Data Docs, if they are wanted. Returns why that failed: events can be hunted without pages about them."""
    if docs.folder is None:
        return None
    say(f"writing Data Docs: {docs.link('index.html')}")
    try:
        now = datetime.now(UTC)
        batches = lake.rows(BATCHES).where(F.col("landed_at") >= F.lit(now - docs.keep)).drop("hours")
        failed = lake.rows(VALIDATIONS).where((F.col("validated_at") >= F.lit(now - docs.keep)) & ~F.col("success"))
        data_docs_site.publish(docs, rules.validator.documents, _collected(batches), _collected(failed), now)
    except OSError as error:
        return disk.why(error, docs.folder)
    return None


def _collected(frame: DataFrame) -> list[dict[str, Any]]:
    return [row.asDict() for row in frame.collect()]


def _unpromoted(lake: Lake) -> list[int]:
    """Numbers of the batches to promote. Batch numbers are consecutive, so the newest one is enough to list them."""
    if not lake.exists(RECORDS.name):
        return []
    newest = lake.read(RECORDS.name).agg(F.coalesce(F.max("batch"), F.lit(0))).collect()[0][0]
    accepted = lake.few(BATCHES, ["batch"], [("outcome", "=", "settled")])
    return sorted({*range(1, newest + 1)} - {row["batch"] for row in accepted})


def _rules(folder: Path, docs: DataDocs, source: Source) -> _Rules:
    events = quality.load(folder / DEVICE_PROCESS_EVENTS.suite, {*EVENTS.column_names, HOURS_AHEAD})
    landing = quality.load(folder / LANDING_SUITE, set(COUNTS))
    return _Rules(source, row_rules(events), Validator([events, landing]), events.name, landing.name, docs)


def _promote_or_refuse(lake: Lake, batch: int, rules: _Rules, say: Progress) -> BatchResult:
    """Promotes a batch. One that Spark fails on is refused, so that it does not keep later ones from being events."""
    try:
        return _promote_batch(lake, batch, rules, say)
    except (PySparkException, Py4JJavaError) as e:
        outcome = BatchResult(batch, 0, 0, 0, 0, refused=(f"it could not be validated: {in_one_line(e)}",))
        say(f"batch {batch}: {outcome.refused[0]}")
    with suppress(PySparkException, Py4JJavaError):  # as on a full disk: the result says so, too
        if batch not in _unpromoted(lake):
            return outcome  # another run has promoted it meanwhile
        records = lake.read(RECORDS.name).where(F.col("batch") == batch)
        landed_at = records.agg(F.unix_micros(F.min("landed_at")).alias("at")).collect()[0]["at"]
        _record(lake, outcome, _moment(landed_at), [])
    return outcome


def _promote_batch(lake: Lake, batch: int, rules: _Rules, say: Progress) -> BatchResult:
    raw = lake.read(RECORDS.name).where(F.col("batch") == batch)
    checked = rules.source.parse(raw).transform(lambda rows: _with_verdicts(rows, rules.rows))
    # Not `persist`, which keeps the plan that parses 73 columns: planning it again for each of a dozen queries costs
    # more than the queries. If an executor is lost, its partitions are lost too, and the run has to be repeated.
    parsed = checked.localCheckpoint()
    facts = _batch_facts(parsed)
    say(f"batch {batch}: {facts.delivered} records read, {facts.quarantined} to quarantine")
    own = parsed.where(F.col("other_table").isNull()).drop("other_table")
    duplicates = _duplicates(lake, own, facts.dates).localCheckpoint()
    return _decide(lake, batch, own, duplicates, facts, rules, say)


def _decide(
    lake: Lake, batch: int, parsed: DataFrame, duplicates: DataFrame, facts: _BatchFacts, rules: _Rules, say: Progress
) -> BatchResult:
    """Validates the batch, then publishes or refuses it."""
    duplicate_count = duplicates.count()
    new = _valid(parsed).join(duplicates, ["file", "line"], "left_anti")
    outcome = BatchResult(
        batch=batch,
        delivered=facts.delivered,
        events=facts.delivered - facts.quarantined - duplicate_count,
        quarantined=facts.quarantined,
        duplicates=duplicate_count,
        unknown_properties=facts.unknown_properties,
        other_tables=facts.other_tables,
    )
    say(f"batch {batch}: validating {outcome.events} new events")
    outcome = _validated(lake, outcome, new, facts, rules)
    hours = []
    if not outcome.refused:
        _write(lake, batch, parsed, new, facts.dates)
        hours = _events_per_hour(new)
    _record(lake, outcome, facts.landed_at, hours)
    verdict = "refused" if outcome.refused else f"{outcome.events} events, {duplicate_count} duplicates"
    say(f"batch {batch}: {verdict}")
    return outcome


def _with_verdicts(rows: DataFrame, rules: Sequence[RowRule]) -> DataFrame:
    """Adds `reasons` (what is wrong with each record), `event_date`, and `other_table`: the category of a record that
    belongs to another table, else null.

    Rules are not applied to columns that could not be parsed, nor to unreadable records."""
    breaches = F.array_compact(F.array(*(F.when(_applies(rule.column) & _broken(rule), rule.why) for rule in rules)))
    reasons = F.concat(F.transform("faults", lambda fault: fault["why"]), breaches.cast("ARRAY<STRING>"))
    other = F.exists("faults", lambda fault: fault["column"] == "category") & F.col("category").rlike(_OF_A_TABLE)
    added = {"reasons": reasons, "event_date": F.to_date("Timestamp"), "other_table": F.when(other, F.col("category"))}
    return rows.withColumns(added).drop("faults")


def _broken(rule: RowRule) -> Column:
    return spark_conditions.broken(rule.condition, rule.column)


def _applies(column: str) -> Column:
    return ~F.exists("faults", lambda fault: fault["column"].isNull() | (fault["column"] == column))


def _valid(parsed: DataFrame) -> DataFrame:
    return parsed.where(F.size("reasons") == 0)


def _batch_facts(parsed: DataFrame) -> _BatchFacts:
    own, valid = F.col("other_table").isNull(), F.size("reasons") == 0
    names = F.when(valid, F.json_object_keys("unknown_properties"))
    row = parsed.agg(
        F.count_if(own).alias("delivered"),
        F.count_if(own & ~valid).alias("quarantined"),
        F.count_if(~own).alias("others"),
        F.unix_micros(F.min("landed_at")).alias("landed_at"),
        F.collect_set(F.when(valid, F.col("event_date"))).alias("dates"),
        F.array_distinct(F.flatten(F.collect_set(names))).alias("names"),
    ).collect()[0]
    others = parsed.where(~own).groupBy("other_table").count().collect() if row.others else []
    return _BatchFacts(
        row.delivered,
        row.quarantined,
        _moment(row.landed_at),
        tuple(sorted(row.dates)),
        tuple(sorted(row.names)),
        tuple(sorted((other.other_table, other["count"]) for other in others)),
    )


def _moment(micros: int | None) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros or 0)


def _duplicates(lake: Lake, parsed: DataFrame, dates: Sequence[date]) -> DataFrame:
    """`file`, `line` of valid records whose event exists already: in the table, or earlier in the batch.

    The record that the table's event came from is not a duplicate: an earlier attempt at this batch wrote it."""
    events = lake.rows(EVENTS).where(F.col("event_date").isin(*map(values.day, dates)))
    there = events.select("event_date", "event_id", F.struct("file", "line").alias("there"))
    position = F.struct("file", "line")
    first = _valid(parsed).groupBy("event_date", "event_id").agg(F.min(position).alias("first"))
    origin = first.join(there, ["event_date", "event_id"], "left").select(
        "event_date", "event_id", F.coalesce("there", "first").alias("origin")
    )
    keys = _valid(parsed).select("event_date", "event_id", "file", "line")
    return keys.join(origin, ["event_date", "event_id"]).where(position != F.col("origin")).select("file", "line")


def _validated(lake: Lake, outcome: BatchResult, new: DataFrame, facts: _BatchFacts, rules: _Rules) -> BatchResult:
    """The outcome with its failed expectations. Also stores the results of all expectations."""
    ahead = (F.unix_micros("Timestamp") - F.unix_micros("landed_at")) / 3_600_000_000
    events = new.select(*EVENTS.column_names, ahead.alias(HOURS_AHEAD))
    frames = {rules.events: events, rules.landing: _counts(lake, outcome)}
    found = rules.validator.validate(outcome.batch, frames, facts.landed_at)
    rows = [outcomes.validation_row(outcome.batch, one, facts.landed_at) for one in found]
    lake.replace(VALIDATIONS, rows, [("batch", "=", outcome.batch)])
    critical, warnings = (outcomes.failures(found, severity) for severity in ("critical", "warning"))
    worst = next(iter((*critical, *warnings)), None)
    return replace(
        outcome,
        refused=tuple(one.message for one in critical),
        warnings=tuple(one.message for one in warnings),
        page=rules.docs.link(page_of(outcome.batch, worst.suite)) if worst else None,
    )


def _counts(lake: Lake, outcome: BatchResult) -> DataFrame:
    row = outcomes.counts_row(outcome, len(outcome.unknown_properties))
    return few_rows(lake.spark, COUNTS, [row])


def _write(lake: Lake, batch: int, parsed: DataFrame, new: DataFrame, dates: Sequence[date]) -> None:
    if dates or not lake.exists(EVENTS.name):  # hunts need the table, if only an empty one
        within = F.col("target.event_date").isin(*map(values.day, dates))
        lake.insert_new(EVENTS, new.select(*EVENTS.column_names), ["event_date", "event_id"], within)
    quarantined = parsed.where(F.size("reasons") > 0).select(*QUARANTINE.column_names)
    lake.replace(QUARANTINE, quarantined, [("batch", "=", batch)])


def _events_per_hour(new: DataFrame) -> list[dict[str, Any]]:
    """New events per hour."""
    counted = new.groupBy(F.date_trunc("hour", "Timestamp").alias("hour")).count().collect()
    return sorted(({"hour": utc(row.hour), "events": row["count"]} for row in counted), key=lambda one: one["hour"])


def _record(lake: Lake, outcome: BatchResult, landed_at: datetime, hours: Sequence[dict[str, Any]]) -> None:
    counts = (outcome.delivered, outcome.events, outcome.quarantined, outcome.duplicates)
    verdict = ("settled", outcomes.others_in_words(outcome.other_tables))
    if outcome.refused:
        verdict = ("refused", "; ".join(outcome.refused) + (f" (see {outcome.page})" if outcome.page else ""))
    row = (outcome.batch, landed_at, *counts, *verdict, hours, DEVICE_PROCESS_EVENTS.name)
    lake.replace(BATCHES, [row], [("batch", "=", outcome.batch)])
