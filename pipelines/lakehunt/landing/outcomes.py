"""What landing reports of a batch, whichever engine landed it. Imports no Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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


def counts_row(counts: TableCounts | BatchResult, unknown_properties: int) -> tuple[int | float, ...]:
    """The row that the landing suite validates: values of COUNTS."""
    whole = max(counts.delivered, 1)
    return (
        counts.delivered,
        counts.events,
        counts.quarantined,
        counts.duplicates,
        100.0 * counts.quarantined / whole,
        100.0 * counts.duplicates / whole,
        unknown_properties,
    )


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
