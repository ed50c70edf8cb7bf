"""A hunt at an as-of, planned: before any event is read, and without Spark."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from lakehunt.hunting.compiled_hunt import CompiledHunt, compile_hunt, query_period
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.incremental.hits import HuntRequest
from lakehunt.hunting.incremental.predicates import FullScan, RowPredicates, TablePredicates, extract_row_predicates
from lakehunt.hunting.prefixes import is_empty
from lakehunt.hunting.query.events_table import utc_day
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.hunting.query.time_window import TimeWindow, limit_to_window
from lakehunt.kql import plan as p
from lakehunt.schemas.event_tables import BY_NAME

Key = tuple[str, int]
"""The id of a hunt, and an as-of."""


@dataclass(frozen=True, eq=False)
class PreparedHunt:
    """What of a hunt's plan is the same at every as-of: its compiled query and its row-level predicates, if it has any.

    `requests` is what it needs of each event table of which it reads hits, on all days; `is_empty` whether it finds
    nothing without any, and `reads_only_events` whether all that it reads are events."""

    compiled: CompiledHunt
    predicates: RowPredicates | FullScan
    requests: Sequence[HuntRequest]
    is_empty: bool
    reads_only_events: bool

    @property
    def hunt(self) -> Hunt:
        return self.compiled.hunt

    @property
    def hit_tables(self) -> Collection[str]:
        """The event tables of which it reads hits."""
        return [one.predicates.table.name for one in self.requests]

    @property
    def event_tables(self) -> Collection[str]:
        """All event tables that it reads."""
        return {step.table for step in p.walk(self.compiled.plan) if isinstance(step, p.Scan)} & BY_NAME.keys()

    @property
    def in_full(self) -> Mapping[str, FullScan]:
        """The event tables of which it reads all events of its window, beside the hits of others."""
        return self.predicates.in_full if isinstance(self.predicates, RowPredicates) else {}

    def at(self, as_of: int) -> PlannedHunt:
        """The hunt at an as-of (ticks). Raises what its plan makes impossible."""
        plan, window = limit_to_window(self.compiled.plan, as_of, query_period(self.hunt))
        return PlannedHunt(self, as_of, plan, window)

    def requested(self, windows: Iterable[TimeWindow]) -> Iterator[HuntRequest]:
        """What it needs of each event table for these windows."""
        days = [_first_day(window) for window in windows]
        since = None if None in days else min(day for day in days if day)
        return (replace(one, since=since) for one in self.requests)


@dataclass(frozen=True, eq=False)
class PlannedHunt:
    """A hunt at an as-of (ticks): its plan, limited to its window."""

    prepared: PreparedHunt
    as_of: int
    plan: p.Plan
    window: TimeWindow

    @property
    def hunt(self) -> Hunt:
        return self.prepared.hunt

    @property
    def key(self) -> Key:
        return self.hunt.id, self.as_of


def prepared(hunt: Hunt, tables: TableCatalog) -> PreparedHunt:
    """The hunt over these tables. Raises what its query makes impossible."""
    compiled = compile_hunt(hunt, tables)
    predicates = extract_row_predicates(compiled.plan)
    if not isinstance(predicates, RowPredicates):
        return PreparedHunt(compiled, predicates, (), False, False)
    requests = [HuntRequest(hunt.id, hunt.digest, _stored(hunt, one), None) for one in predicates.tables.values()]
    scanned = {step.table for step in p.walk(compiled.plan) if isinstance(step, p.Scan)}
    without_hits = is_empty(compiled.plan, BY_NAME.keys() - predicates.in_full.keys())
    return PreparedHunt(compiled, predicates, requests, without_hits, scanned <= BY_NAME.keys())


def _stored(hunt: Hunt, predicates: TablePredicates) -> TablePredicates:
    """With the columns that the hunt's exclusions read."""
    excluded_by = hunt.excluded_by & set(predicates.table.column_names)
    return replace(predicates, columns=predicates.columns | excluded_by)


def _first_day(window: TimeWindow) -> date | None:
    return None if window.since is None else utc_day(window.since)
