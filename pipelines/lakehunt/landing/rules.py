"""The rules by which landing judges batches: the suites of the event tables, and that of a batch's counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehunt import project
from lakehunt.lake import arrow_rows
from lakehunt.landing.outcomes import COUNTS, HOURS_AHEAD, LANDING_SUITE
from lakehunt.quality import suites
from lakehunt.quality.arrow_validation import ArrowValidator
from lakehunt.quality.data_docs import DataDocs
from lakehunt.quality.row_rules import RowRule, arrow_checks, row_rules
from lakehunt.schemas.event_table import EventTable


@dataclass(frozen=True)
class TableRules:
    """The rules of one event table: the name of its suite, and the rules for single records."""

    suite: str
    rows: tuple[RowRule, ...]
    checks: tuple[Any, ...]


@dataclass(frozen=True)
class Rules:
    """The rules of the event tables that are landed, by KQL name."""

    tables: dict[str, TableRules]
    landing: str
    """The name of the suite of a batch's counts."""
    validator: ArrowValidator
    docs: DataDocs


def load(folder: Path, tables: Sequence[EventTable], docs: DataDocs) -> Rules:
    """The rules in a folder of suites. A table whose suite is not there has the one that comes with Lakehunt: projects
    of earlier versions have suites of fewer tables.

    Raises LakehuntError for an unusable suite."""
    loaded = []
    for table in tables:
        file = folder / table.suite
        known = {*table.events.column_names, HOURS_AHEAD}
        loaded.append((table, suites.load(file if file.exists() else project.EXPECTATIONS / table.suite, known)))
    landing = suites.load(folder / LANDING_SUITE, set(COUNTS))
    validator = ArrowValidator([*(suite for _, suite in loaded), landing])
    return Rules(
        {
            table.name: TableRules(
                suite.name,
                rows := row_rules(suite),
                arrow_checks(rows, arrow_rows.schema(table.events)),
            )
            for table, suite in loaded
        },
        landing.name,
        validator,
        docs,
    )
