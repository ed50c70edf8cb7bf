"""The rows of a hunt's result, as its findings: computed by Spark once, and kept as Arrow rows where they are few."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window

from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings.identity import identity
from lakehunt.hunting.query import row_limit
from lakehunt.hunting.query.time_window import TimeWindow
from lakehunt.kql import plan as p
from lakehunt.kql.types import DATETIME, DYNAMIC
from lakehunt.runtime.checkpoint import materialize
from lakehunt.schemas.event_table import SUBJECT
from lakehunt.spark import trace, values
from lakehunt.spark.columns import F, select
from lakehunt.spark.expressions import column
from lakehunt.spark.relations import Relation

FEW = 10_000
"""Rows of a result up to which they are collected, and written without Spark: its commit takes more than a second."""

Rows: TypeAlias = "pa.Table | DataFrame"
"""Few rows in memory, or many, which Spark keeps on disk."""


@dataclass(frozen=True)
class HuntResult:
    """The result of one hunt at one as-of: its relation, traced if it reads events, and what it was compiled from. The
    relation is None if there cannot be any rows.

    `as_of` is in ticks, whole microseconds."""

    hunt: Hunt
    plan: p.Plan
    relation: Relation | None
    window: TimeWindow
    as_of: int


@dataclass(frozen=True, eq=False)
class ComputedFindings:
    """The findings of a result. `rows` have the query's columns as `query_column` names them, and those of ROW; None if
    there are none. `suppressed` are the events that exclusions kept out (see suppression.py)."""

    result: HuntResult
    rows: Rows | None = None
    count: int = 0
    suppressed: Rows | None = None
    suppressed_count: int = 0

    def suppressed_of_devices(self) -> Counter[str | None]:
        """The number of suppressed events of each device."""
        if self.suppressed is None:
            return Counter()
        if isinstance(self.suppressed, DataFrame):
            counted = self.suppressed.groupBy("device_id").count().toArrow()
            return Counter(dict(zip(counted["device_id"].to_pylist(), counted["count"].to_pylist(), strict=True)))
        return Counter(self.suppressed["device_id"].to_pylist())


ROW = ("finding_id", "ordinal", *SUBJECT, "first_seen", "last_seen", "events", "evidence", "result")
"""The columns of `findings.all` that differ from row to row, beside `suppressed` and `status`."""


def query_column(place: int) -> str:
    """The name of a column of the query in computed rows: as they may have any, they are counted from 0."""
    return f"column{place}"


def compute_findings(
    result: HuntResult, most: int, suppressed: DataFrame | None = None, of_few: bool = False
) -> ComputedFindings:
    """Runs the hunt's query. Raises LimitError if it has more than `most` rows.

    With `of_few`, the query reads so few rows that it is rather run again than that its rows are stored, for the case
    that they are many."""
    if result.relation is None:
        return ComputedFindings(result)
    rows = _few(result, most) if of_few else None
    if rows is None:
        rows = _collected(_rows(result, row_limit.limited(result.relation, most)))
    count = row_limit.checked(_count(rows), most)
    if suppressed is None:
        return ComputedFindings(result, rows, count)
    kept = _collected(suppressed)
    return ComputedFindings(result, rows, count, kept, _count(kept))


def _few(result: HuntResult, most: int) -> pa.Table | None:
    """The rows, by a single query; None if they are more than a few."""
    assert result.relation is not None
    rows = _rows(result, row_limit.limited(result.relation, min(most, FEW))).toArrow()
    return rows if rows.num_rows <= FEW else None


def _collected(rows: DataFrame) -> Rows:
    """The rows, which are computed once. What Spark keeps has no lineage: otherwise it would plan the queries of all
    hunts again when `findings.all` is written."""
    kept = materialize(rows)
    return kept.toArrow() if kept.count() <= FEW else kept


def _count(rows: Rows) -> int:
    return int(rows.count() if isinstance(rows, DataFrame) else rows.num_rows)


def _rows(result: HuntResult, relation: Relation) -> DataFrame:
    """The rows of `ComputedFindings`."""
    kept = [
        values.stored(column(c.name), c.type).alias(query_column(place)) for place, c in enumerate(result.plan.schema)
    ]
    ordinal = F.row_number().over(Window.orderBy(*relation.orderings)).cast("bigint")
    keys, row = identity(result.plan), _row_json(relation)
    behind = _of_events() if relation.traced else _of_none()
    evidence = [F.to_json(behind["evidence"])] if relation.traced else []
    content = [*evidence, row] if keys is None else [_row_json(relation, set(keys))]
    made = {"finding_id": _digest(F.lit(result.hunt.id), *content), "ordinal": ordinal, **behind, "result": row}
    rows = select(relation.frame, *kept, *(made[name].alias(name) for name in ROW))
    return rows if keys is not None else _told_apart(rows, result.hunt.id, relation.traced)


def _told_apart(rows: DataFrame, hunt_id: str, traced: bool) -> DataFrame:
    """With an id for each of several equal rows, such as those of a lookup list: each copy is a finding of its own."""
    # Partitioned by digest, not by content: the sort would carry all the content twice.
    copy = F.row_number().over(Window.partitionBy("finding_id").orderBy("ordinal"))
    content = [F.lit(hunt_id), *([F.to_json("evidence")] if traced else []), F.col("result")]
    later = F.when(copy > 1, _digest(*content, copy.cast("string")))
    return rows.withColumn("finding_id", F.coalesce(later, F.col("finding_id")))


def _digest(*parts: Column) -> Column:
    """SHA-256 of the parts; null parts are left out."""
    return F.sha2(F.concat_ws("\n", *parts), 256)


def _row_json(relation: Relation, only: set[str] | None = None) -> Column:
    """The row, or some of its columns, as JSON with datetimes to the tick: the same text for the same values."""
    shown = [
        _json_value(relation, c.name).alias(c.name) for c in relation.schema if only is None or c.name in only
    ] or [F.lit(0).alias("all")]
    return F.to_json(F.struct(*shown), {"ignoreNullFields": "false"})


def _json_value(relation: Relation, name: str) -> Column:
    kind = next(c.type for c in relation.schema if c.name == name)
    if kind == DYNAMIC and kind.element is None:
        return F.try_parse_json(column(name))
    if kind == DATETIME:
        return values.text_of_datetime(column(name))
    if kind.element == DATETIME:
        return F.transform(column(name), values.text_of_datetime)
    return column(name)


# Who, when and which events: the same columns for every hunt, so they are made once.


@cache
def _of_none() -> dict[str, Column]:
    """Where the query reads only other tables."""
    unknown = dict.fromkeys(SUBJECT, F.lit(None).cast("string"))
    times_ = dict.fromkeys(("first_seen", "last_seen"), F.lit(None).cast("timestamp"))
    return {**unknown, **times_, "events": F.lit(0).cast("bigint"), "evidence": texts(())}


@cache
def _of_events() -> dict[str, Column]:
    traced = column(trace.TRACE)
    return {
        **{name: trace.subject(name) for name in SUBJECT},
        "first_seen": values.timestamp(traced["first"]),
        "last_seen": values.timestamp(traced["last"]),
        "events": F.coalesce(traced["events"], F.lit(0)).cast("bigint"),
        "evidence": F.transform(traced["evidence"], lambda e: e["event_id"]),
    }


def texts(known: Sequence[str]) -> Column:
    """A constant array of texts."""
    return F.array(*(F.lit(text) for text in known)).cast("array<string>")
