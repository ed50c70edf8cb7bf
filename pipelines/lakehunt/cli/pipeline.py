"""`lakehunt run`, `land` and `validate`: from a source to findings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import click

from lakehunt.cli import context, findings, hunts, operate, options
from lakehunt.cli.section import Section
from lakehunt.core import json_log
from lakehunt.core.errors import LakehuntError
from lakehunt.core.printable import truncated
from lakehunt.core.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from lakehunt.config import Config
    from lakehunt.core.object_store import ObjectStore
    from lakehunt.lake.delta_lake import Lake
    from lakehunt.landing.engines import Engine
    from lakehunt.landing.ledger import IngestResult
    from lakehunt.landing.outcomes import BatchResult, PromotionResult, TableCounts
    from lakehunt.landing.settings import Settings
    from lakehunt.quality.data_docs import DataDocs

T = TypeVar("T")

SECTION = Section("Pipeline")

MOST_NAMES = 10
"""Unknown properties that are named."""

LONGEST_NAME = 60
"""Characters of a name that are shown."""


@SECTION.command("run", is_job=True)
@options.source
@options.as_of(options.SEE_EVENTS)
@click.option("--show", is_flag=True, help="Print the findings at the end")
def run(config: Config, source: str | None, as_of: int, show: bool) -> bool:
    """Land a source, validate it, and run all hunts: the main job.

    If something cannot be landed, the command fails, but hunts run on what has landed.

    SOURCE is a folder, glob or file of Streaming API blobs; default: the configuration's source."""
    from lakehunt.hunting import engine
    from lakehunt.hunting.findings import reader

    place = options.source_of(config, source)
    config = replace(config, source=place)
    tables = context.tables(config)
    found, hunts_fine = context.checked_hunts(config, tables)
    with context.progress(total=True) as say, context.written(config):
        before = _landed_locally(config, place, say)
        with context.lake(config, learning=True) as lake:
            landed_fine = _landed_by_spark(lake, config, place, say) if before is None else before
            runs = engine.run_hunts(lake, found, as_of, say, tables, limits=config.limits, late=config.hunting.late)
            all_succeeded = hunts.print_runs(runs)
            telemetry_fine = operate.print_unusual(operate.judged_day(lake, config, as_of))
            if show:
                findings.print_findings(reader.latest_findings(lake, found, as_of), {}, "table")
    context.next_steps("findings", "report", "status")
    return hunts_fine and landed_fine and telemetry_fine and all_succeeded


@SECTION.command("land", is_job=True)
@options.source
@click.option("--raw-only", is_flag=True, help="Leave validation to `lakehunt validate`")
def land(config: Config, source: str | None, raw_only: bool) -> bool:
    """Land a source: store its raw records, validate them, and publish events.

    A record that is not valid goes to quarantine, with the reasons.

    SOURCE is a folder, glob or file of Streaming API blobs; default: the configuration's source."""
    place = options.source_of(config, source)
    config = replace(config, source=place)
    with context.progress(total=True) as say, _engine(config, place, say) as landing:
        if raw_only:
            return print_landed(landing.ingest(place, datetime.now(UTC)), None)
        waiting = landing.promote()
        ingested, promoted = landing.land(place, datetime.now(UTC))
    return print_landed(ingested, both(waiting, promoted))


@SECTION.command("validate", is_job=True)
def validate(config: Config) -> bool:
    """Validate what `land --raw-only` landed, and publish events."""
    with context.progress(total=True) as say, _engine(config, "", say) as landing:
        promoted = landing.promote()
    return print_landed(None, promoted)


@contextmanager
def _engine(config: Config, source: str, say: Progress) -> Iterator[Engine]:
    """What lands the source into the lake: processes of this machine, or Spark."""
    from lakehunt.landing.local import engine as local

    if local.is_possible(config.landing, source, config.lake, s3(config)):
        with context.written(config):
            landing = local.LocalEngine(*settings(config), say, config.object_store)
            try:
                yield landing
            except landing.failures as error:
                if isinstance(error, LakehuntError) or (isinstance(error, OSError) and error.errno):
                    raise
                raise LakehuntError(f"landing failed: {landing.describe(error)}") from error
        return
    from lakehunt.landing.spark.engine import SparkEngine

    with context.lake(config, learning=True, writing=True) as lake:
        yield SparkEngine(lake, *settings(config)[1:], say)


def settings(config: Config) -> tuple[str, Settings, Path, DataDocs]:
    return config.lake, config.landing, config.expectations, config.data_docs.within(config.lake)


def s3(config: Config) -> ObjectStore | None:
    return None if config.is_s3_sparks else config.object_store


def _landed_locally(config: Config, source: str, say: Progress) -> bool | None:
    """Whether everything was landed, without Spark; None if Spark has to land the source."""
    from lakehunt.lake.small_tables import LocalTables
    from lakehunt.landing.local import engine as local
    from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS

    if not local.is_possible(config.landing, source, config.lake, s3(config)):
        return None
    there = LocalTables(config.lake, config.object_store).exists(DEVICE_PROCESS_EVENTS.events.name)
    return _landed(local.LocalEngine(*settings(config), say, config.object_store), source, there)


def _landed_by_spark(lake: Lake, config: Config, source: str, say: Progress) -> bool:
    from lakehunt.landing.spark.engine import SparkEngine
    from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS

    there = lake.exists(DEVICE_PROCESS_EVENTS.events.name)
    return _landed(SparkEngine(lake, *settings(config)[1:], say), source, there)


def _landed(landing: Engine, source: str, there: bool) -> bool:
    """Lands and prints what was landed. Returns whether everything succeeded. What fails is said; it is raised if
    there are no events to hunt in."""

    def tried(step: Callable[[], T]) -> T | None:
        try:
            return step()
        except landing.failures as error:
            if isinstance(error, LakehuntError) and not there:
                raise
            click.echo(f"landing failed, hunts run on what is there: {landing.describe(error)}", err=True)
            return None

    # Batches that landed earlier are promoted even if nothing can land now.
    waiting = tried(landing.promote)
    landed = tried(lambda: landing.land(source, datetime.now(UTC)))
    ingested, promoted = landed or (None, None)
    return print_landed(ingested, both(waiting, promoted)) and waiting is not None and landed is not None


def both(one: PromotionResult | None, other: PromotionResult | None) -> PromotionResult | None:
    if one is None or other is None:
        return one or other
    return replace(other, batches=(*one.batches, *other.batches), without_docs=other.without_docs or one.without_docs)


def print_landed(ingested: IngestResult | None, promoted: PromotionResult | None) -> bool:
    """Prints what was landed; returns whether everything succeeded. Quarantined records do not count as failures."""
    for line in [*_ingest_lines(ingested), *_promotion_lines(promoted)]:
        click.echo(line)
    for batch in promoted.batches if promoted is not None else ():
        for one in batch.tables:
            _log(batch, one)
    if promoted is not None and promoted.without_docs:
        click.echo(f"no Data Docs: {promoted.without_docs}", err=True)
        return False
    refused = promoted is not None and any(batch.refused for batch in promoted.batches)
    unreadable = ingested is not None and bool(ingested.unreadable)
    return not refused and not unreadable


def _log(batch: BatchResult, of: TableCounts) -> None:
    counts = {"delivered": of.delivered, "events": of.events, "quarantined": of.quarantined}
    own = json_log.fields(batch=batch.batch, table=of.table or "none", **counts, duplicates=of.duplicates)
    json_log.LOG.log(logging.ERROR if batch.refused else logging.INFO, "batch of a table", extra=own)


def _ingest_lines(ingested: IngestResult | None) -> Iterator[str]:
    if ingested is None:
        return
    yield (
        f"landed {ingested.delivered} records from {ingested.files_read} files"
        f" ({ingested.files_unchanged} files had not changed)"
    )
    for file, line in ingested.pending:
        yield f"  unfinished: line {line} of {file} is not complete yet; the next run lands it"
    for file, why in ingested.unreadable:
        yield f"  unreadable: {file}: {why}"
    for file, why in ingested.resolved:
        yield f"  resolved: {file} is landed; it was refused before: {why}"


def _promotion_lines(promoted: PromotionResult | None) -> Iterator[str]:
    if promoted is None:
        return
    for batch in promoted.batches:
        yield (
            f"batch {batch.batch}: {batch.delivered} records = {batch.events} events"
            f" + {batch.quarantined} quarantined + {batch.duplicates} duplicates"
            if not batch.refused
            else f"batch {batch.batch}: {batch.delivered} records REFUSED, {batch.published} of them are in events"
        )
        if len(batch.tables) > 1:
            yield from (f"  {_counts(one)}" for one in batch.tables)
        yield from (f"  refused: {text}" for text in batch.refused)
        yield from (f"  warning: {text}" for text in batch.warnings)
        if batch.page:
            yield f"  see {batch.page}"
        if batch.unknown_properties:
            yield f"  unknown properties, kept: {_first_few(batch.unknown_properties)}"
        for category, count in batch.other_tables:
            yield f"  other tables: {count} records of {category}, in raw only"


def _counts(one: TableCounts) -> str:
    counts = f"{one.delivered} = {one.events} + {one.quarantined} quarantined + {one.duplicates} duplicates"
    return f"{one.table or 'no table'}: {counts}"


def _first_few(names: Sequence[str]) -> str:
    """The first names, and how many there are."""
    shown = ", ".join(truncated(name, LONGEST_NAME) for name in names[:MOST_NAMES])
    return f"{shown} and {len(names) - MOST_NAMES:,} others" if len(names) > MOST_NAMES else shown
