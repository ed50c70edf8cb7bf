"""Second stage: every delivered record into `events` or `quarantine`, or recognised as a duplicate.

A batch is settled when `raw.batches` says so, which is written last. Every write before that replaces what an earlier
attempt at the same batch has written, or adds only what is not there. So a run may be killed anywhere.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehunt.core.progress import Progress
from lakehunt.lake.delta_lake import Lake, few_rows, utc
from lakehunt.quality import data_docs_site
from lakehunt.quality import suites as quality
from lakehunt.quality.data_docs import DataDocs, page_of
from lakehunt.quality.row_rules import RowRule, row_rules
from lakehunt.quality.validation import ExpectationResult, Validator
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.landing_tables import BATCHES
from lakehunt.schemas.quality_tables import VALIDATIONS
from lakehunt.sources import base as sources
from lakehunt.sources.base import Source

RAW, EVENTS, QUARANTINE = DEVICE_PROCESS_EVENTS.tables

LANDING_SUITE = "landing.json"
COUNTS = {
    "delivered": "BIGINT",
    "events": "BIGINT",
    "quarantined": "BIGINT",
    "duplicates": "BIGINT",
    "quarantined_percent": "DOUBLE",
    "duplicate_percent": "DOUBLE",
    "unknown_property_count": "BIGINT",
}
"""The one row that the landing suite looks at."""

_HOURS_AHEAD = "hours_ahead_of_landing"


@dataclass(frozen=True)
class BatchResult:
    """What became of a batch. `delivered = events + quarantined + duplicates`; a refused one wrote none of them."""

    batch: int
    delivered: int
    events: int
    quarantined: int
    duplicates: int
    refused: tuple[str, ...] = ()
    """The critical expectations that failed; empty where the batch was let in."""
    warnings: tuple[str, ...] = ()
    unknown_properties: tuple[str, ...] = ()
    """Names of delivered properties that are no column. They are kept in `unknown_properties`."""
    page: str | None = None
    """Where a person reads of what failed; None where nothing did, or no Data Docs are written."""


@dataclass(frozen=True)
class PromotionResult:
    """What one run settled, in order of batch."""

    batches: tuple[BatchResult, ...]


@dataclass(frozen=True)
class _Facts:
    """What one pass over a parsed batch tells."""

    delivered: int
    quarantined: int
    landed_at: datetime
    dates: tuple[date, ...]
    unknown_properties: tuple[str, ...]


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
    """Settles every batch that is not settled yet, those refused before included.

    `suites` is the folder of the event table's suite and `landing.json`; `docs` says where pages go.
    Raises LakehuntError, with nothing written, for a suite that cannot be used."""
    waiting = _unpromoted(lake)
    if not waiting:
        return PromotionResult(())
    say("reading the expectations")
    rules = _rules(suites, docs, sources.named(source_type))
    outcomes = tuple(_promote_batch(lake, batch, rules, say) for batch in waiting)
    if docs.folder is not None:
        say(f"writing Data Docs: {docs.link('index.html')}")
        with tempfile.TemporaryDirectory() as site:
            rules.validator.write_docs(Path(site))
            data_docs_site.publish(lake, docs, Path(site), datetime.now(UTC))
    return PromotionResult(outcomes)


def _unpromoted(lake: Lake) -> list[int]:
    """Numbers of the batches to settle. They are consecutive, so the newest one tells them all."""
    if not lake.exists(RAW.name):
        return []
    newest = lake.read(RAW.name).agg(F.coalesce(F.max("batch"), F.lit(0))).collect()[0][0]
    settled = lake.rows(BATCHES).where(F.col("outcome") == "settled").select("batch").collect()
    return sorted({*range(1, newest + 1)} - {row.batch for row in settled})


def _rules(folder: Path, docs: DataDocs, source: Source) -> _Rules:
    events = quality.load(folder / DEVICE_PROCESS_EVENTS.suite, {*EVENTS.column_names, _HOURS_AHEAD})
    landing = quality.load(folder / LANDING_SUITE, set(COUNTS))
    return _Rules(source, row_rules(events), Validator([events, landing]), events.name, landing.name, docs)


def _promote_batch(lake: Lake, batch: int, rules: _Rules, say: Progress) -> BatchResult:
    raw = lake.read(RAW.name).where(F.col("batch") == batch)
    judged = rules.source.parse(raw).transform(lambda rows: _with_verdicts(rows, rules.rows))
    # Not `persist`: that keeps the plan of 73 columns' parsing, and planning it anew for each of the dozen queries on
    # the batch costs more than the queries. An executor that is lost takes its part along; then the run is repeated.
    parsed = judged.localCheckpoint()
    facts = _facts(parsed)
    say(f"batch {batch}: {facts.delivered} records read, {facts.quarantined} to quarantine")
    duplicates = _duplicates(lake, parsed, facts.dates).localCheckpoint()
    return _decide(lake, batch, parsed, duplicates, facts, rules, say)


def _decide(
    lake: Lake, batch: int, parsed: DataFrame, duplicates: DataFrame, facts: _Facts, rules: _Rules, say: Progress
) -> BatchResult:
    """Validates the batch and writes it, or refuses it."""
    repeated = duplicates.count()
    new = _good(parsed).join(duplicates, ["file", "line"], "left_anti")
    outcome = BatchResult(
        batch=batch,
        delivered=facts.delivered,
        events=facts.delivered - facts.quarantined - repeated,
        quarantined=facts.quarantined,
        duplicates=repeated,
        unknown_properties=facts.unknown_properties,
    )
    say(f"batch {batch}: validating {outcome.events} new events")
    outcome = _validated(lake, outcome, new, facts, rules)
    hours = []
    if not outcome.refused:
        _write(lake, batch, parsed, new, facts.dates)
        hours = _hours(new)
    _record(lake, outcome, facts.landed_at, hours)
    verdict = "refused" if outcome.refused else f"{outcome.events} events, {repeated} duplicates"
    say(f"batch {batch}: {verdict}")
    return outcome


def _with_verdicts(rows: DataFrame, rules: Sequence[RowRule]) -> DataFrame:
    """Adds `reasons`, what is wrong with each record, and `event_date`.

    A rule on a column that could not be read says nothing new, and no rule says anything of an unreadable record."""
    breaches = F.array_compact(F.array(*(F.when(_applies(rule.column) & rule.broken, rule.why) for rule in rules)))
    reasons = F.concat(F.transform("faults", lambda fault: fault["why"]), breaches.cast("ARRAY<STRING>"))
    return rows.withColumns({"reasons": reasons, "event_date": F.to_date("Timestamp")}).drop("faults")


def _applies(column: str) -> Column:
    return ~F.exists("faults", lambda fault: fault["column"].isNull() | (fault["column"] == column))


def _good(parsed: DataFrame) -> DataFrame:
    return parsed.where(F.size("reasons") == 0)


def _facts(parsed: DataFrame) -> _Facts:
    good = F.size("reasons") == 0
    names = F.when(good, F.json_object_keys("unknown_properties"))
    row = parsed.agg(
        F.count(F.lit(1)).alias("delivered"),
        F.count_if(~good).alias("quarantined"),
        F.unix_micros(F.min("landed_at")).alias("landed_at"),
        F.collect_set(F.when(good, F.col("event_date"))).alias("dates"),
        F.array_distinct(F.flatten(F.collect_set(names))).alias("names"),
    ).collect()[0]
    landed_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row.landed_at or 0)
    return _Facts(row.delivered, row.quarantined, landed_at, tuple(sorted(row.dates)), tuple(sorted(row.names)))


def _duplicates(lake: Lake, parsed: DataFrame, dates: Sequence[date]) -> DataFrame:
    """`file`, `line` of the good records whose event is there already: in the table, or earlier in the batch.

    The record that the table's event came from is no duplicate of it: an earlier attempt at this batch wrote it."""
    events = lake.rows(EVENTS).where(F.col("event_date").isin(list(dates)))
    there = events.select("event_date", "event_id", F.struct("file", "line").alias("there"))
    place = F.struct("file", "line")
    first = _good(parsed).groupBy("event_date", "event_id").agg(F.min(place).alias("first"))
    origin = first.join(there, ["event_date", "event_id"], "left").select(
        "event_date", "event_id", F.coalesce("there", "first").alias("origin")
    )
    keys = _good(parsed).select("event_date", "event_id", "file", "line")
    return keys.join(origin, ["event_date", "event_id"]).where(place != F.col("origin")).select("file", "line")


def _validated(lake: Lake, outcome: BatchResult, new: DataFrame, facts: _Facts, rules: _Rules) -> BatchResult:
    """The outcome with what the suites say of it, which is stored."""
    ahead = (F.unix_micros("Timestamp") - F.unix_micros("landed_at")) / 3_600_000_000
    events = new.select(*EVENTS.column_names, ahead.alias(_HOURS_AHEAD))
    frames = {rules.events: events, rules.landing: _counts(lake, outcome)}
    found = rules.validator.validate(outcome.batch, frames, facts.landed_at)
    rows = [_validation(outcome.batch, one, facts.landed_at, rules.validator.version) for one in found]
    lake.replace(VALIDATIONS, lake.local(VALIDATIONS, rows), f"batch = {outcome.batch}")
    critical, warnings = (_failures(found, severity) for severity in ("critical", "warning"))
    worst = next(iter((*critical, *warnings)), None)
    return replace(
        outcome,
        refused=tuple(one.said for one in critical),
        warnings=tuple(one.said for one in warnings),
        page=rules.docs.link(page_of(outcome.batch, worst.suite)) if worst else None,
    )


def _failures(found: Sequence[ExpectationResult], severity: str) -> list[ExpectationResult]:
    return [one for one in found if not one.success and one.expectation.severity == severity]


def _counts(lake: Lake, outcome: BatchResult) -> DataFrame:
    whole = max(outcome.delivered, 1)
    row = (
        outcome.delivered,
        outcome.events,
        outcome.quarantined,
        outcome.duplicates,
        100.0 * outcome.quarantined / whole,
        100.0 * outcome.duplicates / whole,
        len(outcome.unknown_properties),
    )
    return few_rows(lake.spark, COUNTS, [row])


def _validation(batch: int, one: ExpectationResult, at: datetime, gx_version: str) -> tuple[Any, ...]:
    rule = one.expectation
    what = (batch, one.suite, one.position, rule.type, rule.column, rule.severity, one.success)
    counts = (one.observed, one.element_count, one.unexpected_count, one.unexpected_percent)
    return (*what, *counts, rule.notes, at, gx_version)


def _write(lake: Lake, batch: int, parsed: DataFrame, new: DataFrame, dates: Sequence[date]) -> None:
    if dates or not lake.exists(EVENTS.name):  # hunts find an empty table where nothing good has come yet
        within = F.col("target.event_date").isin(list(dates))
        lake.insert_new(EVENTS, new.select(*EVENTS.column_names), ["event_date", "event_id"], within)
    refused = parsed.where(F.size("reasons") > 0).select(*QUARANTINE.column_names)
    lake.replace(QUARANTINE, refused, f"batch = {batch}")


def _hours(new: DataFrame) -> list[dict[str, Any]]:
    """Events by hour."""
    counted = new.groupBy(F.date_trunc("hour", "Timestamp").alias("hour")).count().collect()
    return sorted(({"hour": utc(row.hour), "events": row["count"]} for row in counted), key=lambda one: one["hour"])


def _record(lake: Lake, outcome: BatchResult, landed_at: datetime, hours: Sequence[dict[str, Any]]) -> None:
    counts = (outcome.delivered, outcome.events, outcome.quarantined, outcome.duplicates)
    verdict: tuple[str, str | None] = ("settled", None)
    if outcome.refused:
        verdict = ("refused", "; ".join(outcome.refused) + (f" (see {outcome.page})" if outcome.page else ""))
    row = lake.local(BATCHES, [(outcome.batch, landed_at, *counts, *verdict, hours)])
    lake.replace(BATCHES, row, f"batch = {outcome.batch}")
