"""The rules by which landing judges batches: the suites of the event tables, and that of a batch's counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from lakehunt import project
from lakehunt.landing.outcomes import COUNTS, HOURS_AHEAD, LANDING_SUITE
from lakehunt.landing.parsed import RecordChecks
from lakehunt.quality import suites
from lakehunt.quality.data_docs import DataDocs
from lakehunt.quality.row_rules import row_rules
from lakehunt.quality.suites import Suite
from lakehunt.schemas.event_table import EventTable

V = TypeVar("V")
"""What validates frames: ArrowValidator, or Validator for Spark's."""


@dataclass(frozen=True)
class TableRules:
    """The rules of one event table: the name of its suite, and the checks of single records."""

    suite: str
    checks: RecordChecks


@dataclass(frozen=True)
class Rules(Generic[V]):
    """The rules of the event tables that are landed, by KQL name."""

    tables: dict[str, TableRules]
    landing: str
    """The name of the suite of a batch's counts."""
    validator: V
    docs: DataDocs


def load(
    folder: Path, tables: Sequence[EventTable], docs: DataDocs, validator: Callable[[Iterable[Suite]], V]
) -> Rules[V]:
    """The rules in a folder of suites. A table whose suite is not there has the one that comes with Lakehunt: projects
    of earlier versions have suites of fewer tables.

    Raises LakehuntError for an unusable suite."""
    loaded = []
    for table in tables:
        file = folder / table.suite
        known = {*table.events.column_names, HOURS_AHEAD}
        loaded.append((table, suites.load(file if file.exists() else project.EXPECTATIONS / table.suite, known)))
    landing = suites.load(folder / LANDING_SUITE, set(COUNTS))
    made = validator([*(suite for _, suite in loaded), landing])
    checks = {table.name: TableRules(suite.name, RecordChecks(table, row_rules(suite))) for table, suite in loaded}
    return Rules(checks, landing.name, made, docs)
