"""What a query can name: DeviceProcessEvents and the tables that the configuration registers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pipelines.hunting import events, external, opening
from pipelines.hunting.registered import Registered
from pipelines.kql import plan as p
from pipelines.kql.binding import SchemaOf, bind
from pipelines.kql.types import Schema
from pipelines.lake.tables import Lake
from pipelines.spark.functions import CATALOG
from pipelines.spark.relations import Context, Relation, Scanner


class Tables:
    """The tables of one configuration: their schemas for the binder, and what opens them for a run."""

    def __init__(
        self, registered: Mapping[str, Registered] | None = None, copies: Mapping[str, str] | None = None
    ) -> None:
        """`copies` are the places of files that hunts read by their address: see `pipelines.hunting.external`."""
        self.registered = dict(registered or {})
        self.copies = dict(copies or {})
        self.schemas: dict[str, Schema] = events.KQL_TABLES | {t.name: t.columns for t in self.registered.values()}

    def bind(self, query: str, schema_of: SchemaOf | None = None) -> p.Plan:
        """The typed tree of a query over these tables; needs no Spark session. Raises QueryErrors.

        `schema_of` finds out, from the data, what columns a plugin makes; without it a query has to say."""
        return bind(query, self.schemas, CATALOG, schema_of)

    def scanner(self, lake: Lake, traced: bool = False) -> Scanner:
        """Opens tables for a query. Rows of DeviceProcessEvents remember, if `traced`, which event they are; no others
        do."""
        scan_events = events.scanner(lake, traced)

        def scan(plan: p.Scan) -> Relation:
            table = self.registered.get(plan.table)
            return scan_events(plan) if table is None else opening.relation(lake, table, plan)

        return scan

    def context(self, lake: Lake, now: int, traced: bool = False) -> Context:
        """What a plan over these tables is compiled against, as of an instant (ticks)."""
        return Context(lake.spark, now, self.scanner(lake, traced), partial(external.relation, lake, self.copies))


EVENTS_ONLY = Tables()
"""Without a configuration: DeviceProcessEvents alone."""
