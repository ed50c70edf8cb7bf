"""What landing reports of a batch, whichever engine landed it. Imports no Spark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lakehunt.lake.where import Operator, Where
from lakehunt.quality.data_docs import DataDocs, page_of
from lakehunt.quality.results import ExpectationResult, gx_version

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
"""Columns of the single row that the landing suite validates."""

HOURS_AHEAD = "hours_ahead_of_landing"
"""The column that a table's suite sees besides its own."""

NO_TABLE = ""
"""The `event_table` of records that belong to none."""

REFUSED = "refused"
SETTLED = "settled"

WAITING_COLUMNS = ("batch", "outcome", "event_table")
"""What `waiting` needs of `raw.batches`."""


@dataclass(frozen=True)
class TableCounts:
    """What became of the records of one event table in a batch: `delivered = events + quarantined + duplicates`."""

    table: str
    """KQL name, or NO_TABLE."""
    delivered: int = 0
    events: int = 0
    quarantined: int = 0
    duplicates: int = 0


@dataclass(frozen=True)
class BatchResult:
    """The outcome of a batch. `delivered = events + quarantined + duplicates`; of a refused table nothing was
    written. Records of tables that are not landed are counted apart."""

    batch: int
    delivered: int
    events: int
    quarantined: int
    duplicates: int
    refused: tuple[str, ...] = ()
    """The critical expectations that failed, or why it could not be validated; empty if the batch was accepted."""
    warnings: tuple[str, ...] = ()
    other_tables: tuple[tuple[str, int], ...] = ()
    """Each category of records of other tables, with their number. They are in raw only."""
    unknown_properties: tuple[str, ...] = ()
    """Names of delivered properties without a column of their own. They are stored in `unknown_properties`."""
    page: str | None = None
    """The Data Docs page of a failed suite; None if nothing failed, or if no Data Docs are written."""
    tables: tuple[TableCounts, ...] = ()
    """The counts of each event table that the batch has records of."""
    published: int = 0
    """If it was refused: its records of tables that were not, which are published."""


@dataclass(frozen=True)
class PromotionResult:
    """The batches that one run validated, in order; and why their Data Docs could not be written, if they could not."""

    batches: tuple[BatchResult, ...]
    without_docs: str | None = None


def failures(found: Sequence[ExpectationResult], severity: str) -> list[ExpectationResult]:
    """The expectations of this severity that were not met."""
    return [one for one in found if not one.success and one.expectation.severity == severity]


def waiting(newest: int, rows: Iterable[Mapping[str, Any]]) -> dict[int, list[str]]:
    """The batches up to the newest one that are to be promoted, each with its event tables that are settled; from all
    rows of `raw.batches` with WAITING_COLUMNS. Batch numbers are consecutive, so the newest one is enough to list
    them."""
    of_batch: dict[int, list[tuple[str | None, str]]] = {}
    for row in rows:
        of_batch.setdefault(row["batch"], []).append((row["event_table"], row["outcome"]))
    found = {}
    for batch in range(1, newest + 1):
        own = of_batch.get(batch, [])
        if not own or any(outcome != SETTLED for _, outcome in own):
            found[batch] = [table for table, outcome in own if outcome == SETTLED and table]
    return found


def of_tables(
    batch: int, counts: Sequence[TableCounts], unknown_properties: Iterable[str], others: Mapping[str, int]
) -> BatchResult:
    """What became of a batch, from what became of each event table's records. `others` counts the records of tables
    that are not landed, by category."""
    return BatchResult(
        batch,
        delivered=sum(one.delivered for one in counts),
        events=sum(one.events for one in counts),
        quarantined=sum(one.quarantined for one in counts),
        duplicates=sum(one.duplicates for one in counts),
        unknown_properties=tuple(sorted({*unknown_properties})),
        other_tables=tuple(sorted(others.items())),
        tables=tuple(counts),
    )


def counts_row(result: BatchResult) -> tuple[int | float, ...]:
    """The row that the landing suite validates: values of COUNTS."""
    whole = max(result.delivered, 1)
    return (
        result.delivered,
        result.events,
        result.quarantined,
        result.duplicates,
        100.0 * result.quarantined / whole,
        100.0 * result.duplicates / whole,
        len(result.unknown_properties),
    )


def judged(
    result: BatchResult, found: Sequence[ExpectationResult], table_of: Mapping[str, str], docs: DataDocs
) -> tuple[BatchResult, dict[str, list[str]]]:
    """The result with its failed expectations, and the tables that are refused, each with the reasons; NO_TABLE: the
    whole batch. `table_of` says which table a suite is about; those of no table are about the batch."""
    critical, warnings = (failures(found, severity) for severity in ("critical", "warning"))
    refused: dict[str, list[str]] = {}
    for one in critical:
        refused.setdefault(table_of.get(one.suite, NO_TABLE), []).append(one.message)
    page = None
    if critical:
        page = docs.link(page_of(result.batch, critical[0].suite))
    elif warnings:
        page = docs.link("index.html")
    whole = not refused or NO_TABLE in refused
    published = 0 if whole else sum(one.events for one in result.tables if one.table not in refused)
    messages = [tuple(_in_words(one, table_of) for one in some) for some in (critical, warnings)]
    return replace(result, published=published, refused=messages[0], warnings=messages[1], page=page), refused


def _in_words(one: ExpectationResult, table_of: Mapping[str, str]) -> str:
    """What an expectation says of a batch, after the name of the table that it is about."""
    table = table_of.get(one.suite)
    return f"{table}: {one.message}" if table else one.message


def batch_rows(
    result: BatchResult,
    refused: Mapping[str, Sequence[str]],
    hours: Mapping[str, list[dict[str, Any]]],
    landed_at: datetime,
) -> list[tuple[Any, ...]]:
    """The rows of `raw.batches`: one for each event table, and one for records of none or of tables that are not
    landed. `hours` are the new events of each table that is not refused."""
    others = others_in_words(result.other_tables)
    counts = list(result.tables)
    if not counts or (others and all(one.table != NO_TABLE for one in counts)):
        counts.append(TableCounts(NO_TABLE))
    rows = []
    for one in counts:
        reasons = [*refused.get(one.table, ()), *(refused.get(NO_TABLE, ()) if one.table != NO_TABLE else ())]
        verdict: tuple[str, str | None] = (SETTLED, others if one.table == NO_TABLE else None)
        if reasons:
            verdict = (REFUSED, "; ".join(reasons) + (f" (see {result.page})" if result.page else ""))
        numbers = (one.delivered, one.events, one.quarantined, one.duplicates)
        rows.append((result.batch, landed_at, *numbers, *verdict, hours.get(one.table, []), one.table))
    return rows


def replaced_rows(batch: int, rows: Sequence[tuple[Any, ...]], settled: Sequence[str]) -> Where:
    """The rows of `raw.batches` that a batch's new ones replace, where some tables are settled already. Without a
    condition on the table where none is: rows of earlier versions name none."""
    of_batch: list[tuple[str, Operator, Any]] = [("batch", "=", batch)]
    return [*of_batch, ("event_table", "in", [row[-1] for row in rows])] if settled else of_batch


def others_in_words(other_tables: Sequence[tuple[str, int]]) -> str | None:
    """What `raw.batches` says of records of other tables; None if there are none."""
    others = ", ".join(f"{count} of {category}" for category, count in other_tables)
    return f"records of other tables, in raw only: {others}" if others else None


def validation_row(batch: int, one: ExpectationResult, at: datetime) -> tuple[Any, ...]:
    """The row of `quality.validations` for an expectation's result."""
    rule = one.expectation
    what = (batch, one.suite, one.position, rule.type, rule.column, rule.severity, one.success)
    counts = (one.observed, one.element_count, one.unexpected_count, one.unexpected_percent)
    return (*what, *counts, rule.notes, at, gx_version())
