"""The tables that a query can name: the event tables and the configuration's registered tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

from lakehunt.hunting.content.exclusion_file import Exclusion
from lakehunt.hunting.query import events_table, exclusion_marks, external_data, lookup_data, registered_table
from lakehunt.hunting.query.events_table import Readable
from lakehunt.hunting.query.time_window import DEFAULT_PERIOD
from lakehunt.kql import plan as p
from lakehunt.kql.binding import SchemaOf, bind
from lakehunt.kql.types import Schema
from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas.lookups import Lookup
from lakehunt.schemas.registered_tables import RegisteredTable
from lakehunt.spark.functions import CATALOG
from lakehunt.spark.relations import Context, Relation


class TableCatalog:
    """The tables of one configuration: their schemas for the binder, and their readers for a run."""

    def __init__(
        self,
        registered: Mapping[str, RegisteredTable] | None = None,
        copies: Mapping[str, str] | None = None,
        lookups: Mapping[str, Lookup] | None = None,
    ) -> None:
        """`copies` maps each address that hunts read with `externaldata` to a local copy: see `external_data`."""
        self.lookups = dict(lookups or {})
        self.registered = dict(registered or {})
        self.copies = dict(copies or {})
        self.schemas: dict[str, Schema] = events_table.KQL_TABLES | {
            t.name: t.columns for t in self.registered.values()
        }
        self._bound: dict[tuple[str, int], p.Plan] = {}
        # A registered table of the same name is the team's own choice.
        self.schemas |= {t.table: t.columns for t in self.lookups.values() if t.columns and t.table not in self.schemas}

    def bind(self, query: str, schema_of: SchemaOf | None = None, period: int = DEFAULT_PERIOD) -> p.Plan:
        """The typed tree of a query over these tables; needs no Spark session. Raises QueryErrors.

        `schema_of` finds a plugin's result columns from the data; without it the query must declare them. `period`
        (ticks) is how far before the as-of `{{StartTimeISO}}` is. A tree that needs no data is kept: hunts are checked
        before they are run."""
        if schema_of is not None:
            return bind(query, self.schemas, CATALOG, schema_of, period)
        key = (query, period)
        if key not in self._bound:
            self._bound[key] = bind(query, self.schemas, CATALOG, None, period)
        return self._bound[key]

    def context(
        self,
        lake: Lake,
        now: int,
        events: Callable[[], Readable] | None = None,
        traced: bool = False,
        excluding: Sequence[Exclusion] = (),
        recording: bool = False,
    ) -> Context:
        """The context for compiling a plan over these tables, as of an instant (ticks).

        `events` opens the events that the query sees, by default those of all batches accepted so far. If `traced`,
        event rows carry their event id. Events are tagged with the exclusions in `excluding` that they match. With
        `recording`, the lake keeps which content of a lookup was read, so that the same run later reads the same."""
        opened = cache(events or partial(events_table.LakeSnapshot, lake))

        def scan(plan: p.Scan) -> Relation:
            table = self.registered.get(plan.table)
            if table is not None:
                return registered_table.relation(lake, table, plan)
            if plan.table in self.lookups:
                return lookup_data.relation(lake, self.lookups[plan.table], plan, now, recording)
            found = opened().scan(plan, traced)
            return exclusion_marks.tag_exclusions(plan.table, found, excluding, context)

        context = Context(lake.spark, now, scan, partial(external_data.relation, lake, self.copies))
        return context


EVENTS_ONLY = TableCatalog()
"""The catalog without configuration: the event tables alone."""
