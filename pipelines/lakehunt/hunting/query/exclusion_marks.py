"""Marks the events that exclusions keep out of a hunt, and separates them from those that count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from pyspark.sql import DataFrame

from lakehunt.hunting.content.exclusion_file import Exclusion
from lakehunt.schemas.event_table import SUBJECT
from lakehunt.spark import trace, values
from lakehunt.spark.columns import F
from lakehunt.spark.expressions import column
from lakehunt.spark.relations import Context, Relation

EXCLUDED = "$$excluded"
"""ARRAY<STRING>: the names of the exclusions that an event matches."""


def tag_exclusions(table: str, relation: Relation, active: Sequence[Exclusion], context: Context) -> Relation:
    """Adds to each event of a table the names of the exclusions that it matches. A null condition does not match.

    The events stay as they are if none of the active exclusions is for this table."""
    own = [one for one in active if one.table == table]
    if not own:
        return relation
    expressions = context.expressions()
    names = (F.when(expressions.compile(one.condition), F.lit(one.name)) for one in own)
    return replace(relation, frame=relation.frame.withColumn(EXCLUDED, F.array_compact(F.array(*names))))


def split_excluded(relation: Relation) -> tuple[Relation, DataFrame | None]:
    """The rows that are not excluded, and those that are (None if the relation is not tagged)."""
    if EXCLUDED not in relation.frame.columns:
        return relation, None
    excluded = F.size(column(EXCLUDED)) > 0
    counting = relation.frame.filter(~excluded).drop(EXCLUDED)
    return replace(relation, frame=counting), relation.frame.filter(excluded)


def events_of(rows: Sequence[DataFrame]) -> DataFrame | None:
    """The distinct events of excluded rows, with the columns of `hunts.suppressed` from `event_id` on."""
    if not rows:
        return None
    traced = column(trace.TRACE)
    moment = values.timestamp(traced["first"])
    made = {
        "event_id": traced["evidence"][0]["event_id"],
        "event_date": moment.cast("date"),
        "Timestamp": moment,
        **{name: traced["low"][name] for name in SUBJECT},
        "exclusions": column(EXCLUDED),
    }
    found = (frame.select(*(value.alias(name) for name, value in made.items())) for frame in rows)
    return reduce(DataFrame.unionByName, found).dropDuplicates(["event_id"])
