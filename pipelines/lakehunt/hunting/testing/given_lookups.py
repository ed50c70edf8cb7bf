"""The lookups of a test: as if their files held the rows that the test gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from lakehunt.core.errors import LakehuntError
from lakehunt.hunting.query import geo_networks, lookup_data
from lakehunt.hunting.query.events_table import EventsSnapshot
from lakehunt.hunting.testing.cases import Case, Row
from lakehunt.kql import plan as p
from lakehunt.kql import times
from lakehunt.kql.lookup_names import NETWORKS, PROFILES
from lakehunt.kql.types import DATETIME, Type
from lakehunt.lake.delta_lake import few_rows
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.lookups import LAKE, Lookup
from lakehunt.spark.relations import Context, Relation

_USUAL: dict[str, Row] = {PROFILES: {"ProfileAvailability": "Available"}}
"""Values of a row that does not say otherwise, by table."""


def relation(
    lookup: Lookup, plan: p.Scan, case: Case, of: Callable[[EventTable], EventsSnapshot], context: Context
) -> Relation:
    """The rows of a lookup. Without any, what is computed from the lake is computed from the test's events, which `of`
    gives by table.

    Raises LakehuntError if the test must give rows and does not."""
    rows = case.lookups.get(lookup.table)
    if rows is None:
        if lookup.format == LAKE:
            return lookup_data.with_order(lookup_data.prevalence(of, context.now), plan)
        what = f"the hunt reads the lookup {lookup.shown}, but the test gives no rows for it"
        raise LakehuntError(what, "add them to the test, under lookups, in the form of the configuration")
    if plan.table == NETWORKS:
        parts = [part for row in rows for part in geo_networks.parts(row["network"], geo_networks.place(row))]
        columns = dict.fromkeys((c.name for c in lookup.columns), "STRING")
        return lookup_data.with_order(few_rows(context.spark, columns, parts), plan)
    texts = few_rows(context.spark, *_texts(lookup, rows))
    return lookup_data.with_order(lookup_data.typed(texts, lookup), plan)


def _texts(lookup: Lookup, rows: tuple[Row, ...]) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    """All columns of the rows as text, as a file has them."""
    usual, kinds = _USUAL.get(lookup.table, {}), {c.name: c.type for c in lookup.row_columns}
    values = [{name: _text(value, kinds[name]) for name, value in {**usual, **row}.items()} for row in rows]
    return dict.fromkeys(kinds, "STRING"), [tuple(row.get(name) for name in kinds) for row in values]


def _text(value: Any, kind: Type) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return times.format_datetime(value) if kind == DATETIME else json.dumps(value, ensure_ascii=False)
