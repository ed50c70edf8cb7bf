"""`lakehunt run`, `land` and `validate`: from a source to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import click

from lakehunt.cli import context, findings, hunts, operate, options
from lakehunt.cli.section import Section
from lakehunt.core.errors import LakehuntError
from lakehunt.core.printable import truncated
from lakehunt.core.progress import Progress

if TYPE_CHECKING:
    from lakehunt.config import Config
    from lakehunt.lake.delta_lake import Lake
    from lakehunt.landing.ledger import IngestResult
    from lakehunt.landing.promote import PromotionResult

T = TypeVar("T")

SECTION = Section("Pipeline")

MOST_NAMES = 10
"""Unknown properties that are named."""

LONGEST_NAME = 60
"""Characters of a name that are shown."""


@SECTION.command("run")
@options.source
@options.as_of(options.SEE_EVENTS)
@click.option("--show", is_flag=True, help="Print the findings at the end")
def run(config: Config, source: str | None, as_of: int, show: bool) -> bool:
    """Land a source, validate it, and run all hunts: the main job.

    What cannot be landed fails the command, and hunts run on what has been.

    SOURCE is a folder, glob or file of Streaming API blobs; default: the configuration's source."""
    from lakehunt.hunting import engine
    from lakehunt.hunting.findings import reader
    from lakehunt.quality import validation

    place = options.source_of(config, source)
    found, hunts_fine = context.checked_hunts(config)
    validation.prepare()
    with context.progress(total=True) as say, context.lake(config, learning=True, writing=True) as lake:
        landed_fine = _landed(lake, config, place, say)
        runs = engine.run_hunts(lake, found, as_of, say, context.tables(config), limits=config.limits)
        all_succeeded = hunts.print_runs(runs)
        telemetry_fine = operate.print_unusual(operate.judged_day(lake, config, as_of))
        if show:
            findings.print_findings(reader.latest_findings(lake, found, as_of), {}, "table")
    context.next_steps("findings", "report", "status")
    return hunts_fine and landed_fine and telemetry_fine and all_succeeded


@SECTION.command("land")
@options.source
@click.option("--raw-only", is_flag=True, help="Leave validation to `lakehunt validate`")
def land(config: Config, source: str | None, raw_only: bool) -> bool:
    """Land a source: raw records, then events or quarantine.

    SOURCE is a folder, glob or file of Streaming API blobs; default: the configuration's source."""
    place = options.source_of(config, source)
    with context.progress(total=True) as say, context.lake(config, learning=True, writing=True) as lake:
        ingested = _ingest(lake, config, place, say)
        promoted = None if raw_only else _promote(lake, config, say)
    return _print(ingested, promoted)


@SECTION.command("validate")
def validate(config: Config) -> bool:
    """Validate what `land --raw-only` landed: events or quarantine."""
    from lakehunt.quality import validation

    validation.prepare()
    with context.progress(total=True) as say, context.lake(config, writing=True) as lake:
        promoted = _promote(lake, config, say)
    return _print(None, promoted)


def _landed(lake: Lake, config: Config, source: str, say: Progress) -> bool:
    """Lands and prints what was landed. Returns whether everything succeeded."""
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    from lakehunt.runtime.error_text import describe
    from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS

    events = DEVICE_PROCESS_EVENTS.events.name

    def tried(step: Callable[[], T]) -> T | None:
        try:
            return step()
        except (PySparkException, Py4JJavaError, OSError, LakehuntError) as e:
            if isinstance(e, LakehuntError) and not lake.exists(events):
                raise  # there is nothing to hunt in
            click.echo(f"landing failed, hunts run on what is there: {describe(e)}", err=True)
            return None

    # Batches that landed earlier are promoted even if nothing can land now.
    ingested = tried(lambda: _ingest(lake, config, source, say))
    promoted = tried(lambda: _promote(lake, config, say))
    return _print(ingested, promoted) and ingested is not None and promoted is not None


def _ingest(lake: Lake, config: Config, source: str, say: Progress) -> IngestResult:
    from lakehunt.landing.ingest import ingest

    return ingest(lake, source, datetime.now(UTC), say, limits=config.landing)


def _promote(lake: Lake, config: Config, say: Progress) -> PromotionResult:
    from lakehunt.landing.promote import promote

    return promote(lake, config.expectations, config.data_docs.within(config.lake), say)


def _print(ingested: IngestResult | None, promoted: PromotionResult | None) -> bool:
    """Prints what was landed; returns whether everything succeeded. Quarantined records do not count as failures."""
    for line in [*_ingest_lines(ingested), *_promotion_lines(promoted)]:
        click.echo(line)
    if promoted is not None and promoted.without_docs:
        click.echo(f"no Data Docs: {promoted.without_docs}", err=True)
        return False
    refused = promoted is not None and any(batch.refused for batch in promoted.batches)
    unreadable = ingested is not None and bool(ingested.unreadable)
    return not refused and not unreadable


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
            else f"batch {batch.batch}: {batch.delivered} records REFUSED, none of them is in events"
        )
        yield from (f"  refused: {text}" for text in batch.refused)
        yield from (f"  warning: {text}" for text in batch.warnings)
        if batch.page:
            yield f"  see {batch.page}"
        if batch.unknown_properties:
            yield f"  unknown properties, kept: {_first_few(batch.unknown_properties)}"
        for category, count in batch.other_tables:
            yield f"  other tables: {count} records of {category}, in raw only"


def _first_few(names: Sequence[str]) -> str:
    """The first names, and how many there are."""
    shown = ", ".join(truncated(name, LONGEST_NAME) for name in names[:MOST_NAMES])
    return f"{shown} and {len(names) - MOST_NAMES:,} others" if len(names) > MOST_NAMES else shown
