"""Findings: `findings.<hunt>` with exactly the query's columns, `findings.all` with the same columns for every hunt.

Both are replaced per as-of in one transaction each, so a run can be repeated, and a run without findings clears those
of an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lakehunt.hunting.content import attack
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings.identity import descriptions, identity
from lakehunt.hunting.query import row_limit
from lakehunt.hunting.query.time_window import TimeWindow
from lakehunt.kql import plan as p
from lakehunt.kql import times
from lakehunt.kql.types import DATETIME, DYNAMIC
from lakehunt.lake import arrow_rows
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.small_tables import Read
from lakehunt.lake.where import Where
from lakehunt.runtime.checkpoint import materialize
from lakehunt.schemas.event_table import SUBJECT
from lakehunt.schemas.event_tables import EVENT_TABLES
from lakehunt.schemas.finding_tables import FINDINGS_ALL, HUNT_FINDINGS
from lakehunt.schemas.table import Table, TableColumn
from lakehunt.spark import trace, values
from lakehunt.spark.expressions import column
from lakehunt.spark.relations import Relation

ALL = FINDINGS_ALL.name

FEW = 1000
"""Findings that are collected, to be written without Spark where there are none to be replaced: its commit takes more
than a second."""


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


def name_of(hunt: Hunt) -> str:
    """The hunt's own table."""
    return f"{HUNT_FINDINGS.folder}.{hunt.id}"


@dataclass(frozen=True)
class ComputedFindings:
    """The materialized rows of a result, with finding id and position in the query's order; None if there are none."""

    result: HuntResult
    rows: DataFrame | None
    count: int
    suppressed: DataFrame | None = None
    """Events that exclusions suppressed (see suppression.py)."""
    suppressed_count: int = 0


def compute_findings(result: HuntResult, most: int, suppressed: DataFrame | None = None) -> ComputedFindings:
    """Runs the hunt's query. Raises LimitError if it has more than `most` rows.

    The rows are materialized, which truncates their lineage: otherwise Spark would plan the queries of all hunts again
    when `findings.all` is written."""
    if result.relation is None:
        return ComputedFindings(result, None, 0)
    rows = materialize(_numbered(result, row_limit.limited(result.relation, most)))
    count = row_limit.checked(rows.count(), most)
    if suppressed is None:
        return ComputedFindings(result, rows, count)
    suppressed = materialize(suppressed)
    return ComputedFindings(result, rows, count, suppressed, suppressed.count())


def _numbered(result: HuntResult, relation: Relation) -> DataFrame:
    keys = identity(result.plan)
    frame = relation.frame.withColumn(
        "$$ordinal", F.row_number().over(Window.orderBy(*relation.orderings)).cast("bigint")
    )
    if keys is not None:
        return frame.withColumn("$$finding", _digest(F.lit(result.hunt.id), _row_json(relation, set(keys))))
    # Rows may be equal, for example in a lookup list. Each copy is a finding of its own.
    content = [F.lit(result.hunt.id), _evidence_json(relation), _row_json(relation)]
    # Partitioned by digest, not by content: the sort would carry all the content twice.
    copy = F.row_number().over(Window.partitionBy("$$finding").orderBy("$$ordinal"))
    copied = frame.withColumn("$$finding", _digest(*content)).withColumn("$$copy", copy)
    later = F.when(column("$$copy") > 1, _digest(*content, column("$$copy").cast("string")))
    return copied.withColumn("$$finding", F.coalesce(later, column("$$finding"))).drop("$$copy")


def _digest(*parts: Column) -> Column:
    """SHA-256 of the parts; null parts are left out."""
    return F.sha2(F.concat_ws("\n", *parts), 256)


def _evidence_json(relation: Relation) -> Column:
    """The event ids of a row as JSON; null if the query reads no events."""
    if not relation.traced:
        return F.lit(None).cast("string")
    return F.to_json(F.transform(column(trace.TRACE)["evidence"], lambda e: e["event_id"]))


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


def write_own(lake: Lake, found: ComputedFindings) -> None:
    """Replaces the rows of `findings.<hunt>` at the as-of."""
    result = found.result
    own = _own_table(result)
    added = [column.name for column in own.columns[len(result.plan.schema) :]]
    rows = lake.local(own, []) if found.rows is None else _own_rows(result, found.rows, added)
    if lake.exists(own.name) and not lake.has_shape(own):
        # The hunt's columns have changed: the table gets the new schema. Earlier findings stay in findings.all and in
        # the table's history.
        lake.overwrite(own, rows)
        return
    replaced: Where = [(added[0], "=", times.to_datetime(result.as_of))]

    def appended(read: Read) -> pa.Table | None:
        return None if _is_there(read, replaced) else _collected(own, None if found.rows is None else rows)

    if found.count > FEW or not lake.append_made(own, appended):
        lake.replace(own, rows, replaced)


def _is_there(read: Read, rows: Where) -> bool:
    return bool(read([rows[0][0]], rows).num_rows)


def _collected(table: Table, rows: DataFrame | None) -> pa.Table:
    return arrow_rows.schema(table).empty_table() if rows is None else rows.toArrow()


def _own_rows(result: HuntResult, rows: DataFrame, added: Sequence[str]) -> DataFrame:
    """The query's columns, then the run's, named as in `added`."""
    run = {
        "as_of": values.moment(result.as_of),
        "hunt_version": F.lit(result.hunt.digest),
        "finding_id": F.col("`$$finding`"),
        "ordinal": F.col("`$$ordinal`"),
    }
    columns = [values.stored(column(c.name), c.type).alias(c.name) for c in result.plan.schema]
    return rows.select(*columns, *(value.alias(name) for value, name in zip(run.values(), added, strict=True)))


def _own_table(result: HuntResult) -> Table:
    events = {table.name: {c.name: c.description for c in table.columns} for table in EVENT_TABLES}
    described = descriptions(result.plan, result.hunt.query, events)
    columns = [
        TableColumn(c.name, values.stored_type(c.type), f"{described[c.name]} (Kusto {c.type})".strip())
        for c in result.plan.schema
    ]
    return HUNT_FINDINGS.table(result.hunt.id, f"Findings of the hunt {result.hunt.name}", columns)


def write_all(lake: Lake, found: Sequence[ComputedFindings], as_of: int) -> None:
    """Replaces the rows of these hunts in `findings.all` at the as-of (ticks).

    Also updates the status at later as-ofs of these hunts, because it depends on the findings at this one: as-ofs may
    run in any order, or concurrently."""
    if not found and lake.exists(ALL):
        return
    hunts = sorted(one.result.hunt.id for one in found)
    at = times.to_datetime(as_of)
    replaced: Where = [("hunt_id", "in", hunts), ("as_of", ">=", at)]
    made = [_common(one, one.result.relation, one.rows) for one in found if one.result.relation and one.rows]

    def appended(read: Read) -> pa.Table | None:
        if _is_there(read, replaced):
            return None
        new = _collected(FINDINGS_ALL, reduce(DataFrame.unionByName, made) if made else None)
        return _with_status_after(new, read, hunts, at)

    def changed() -> DataFrame:
        others = lake.rows(FINDINGS_ALL).filter(F.col("hunt_id").isin(hunts) & (F.col("as_of") != values.moment(as_of)))
        together = reduce(DataFrame.unionByName, made, others)
        return _with_status(together).filter(F.col("as_of") >= values.moment(as_of))

    if sum(one.count for one in found) > FEW or not lake.append_made(FINDINGS_ALL, appended):
        lake.replace(FINDINGS_ALL, changed, replaced)


def _common(found: ComputedFindings, relation: Relation, rows: DataFrame) -> DataFrame:
    result = found.result
    hunt, window = result.hunt, result.window
    made = {
        "finding_id": F.col("`$$finding`"),
        "as_of": values.moment(result.as_of),
        "ordinal": F.col("`$$ordinal`"),
        "hunt_id": F.lit(hunt.id),
        "hunt_name": F.lit(hunt.name),
        "hunt_version": F.lit(hunt.digest),
        "tactics": _texts(hunt.tactics),
        "techniques": _texts(hunt.techniques),
        "attack_tactics": _texts(attack.tactic_names(hunt.tactics)),
        "attack_techniques": _texts(attack.technique_ids(hunt.techniques)),
        "severity": F.lit(hunt.severity).cast("string"),
        "status": F.lit("new"),
        **_behind(relation),
        "window_start": F.lit(None).cast("timestamp") if window.since is None else values.moment(window.since),
        "window_end": values.moment(window.until),
        "result": _row_json(relation),
    }
    return _with_suppressed(rows.select(*(value.alias(name) for name, value in made.items())), found)


def _with_suppressed(findings: DataFrame, found: ComputedFindings) -> DataFrame:
    if found.suppressed is None:
        return findings.withColumn("suppressed", F.lit(0).cast("bigint"))
    of_device = found.suppressed.groupBy("device_id").agg(F.count("*").alias("suppressed"))
    count = F.when(F.col("device_id").isNull(), F.lit(found.suppressed_count)).otherwise(F.col("suppressed"))
    joined = findings.join(of_device, "device_id", "left")
    return joined.withColumn("suppressed", F.coalesce(count, F.lit(0)).cast("bigint"))


def _behind(relation: Relation) -> dict[str, Column]:
    """Who, when and which events: of none, where the query reads only other tables."""
    if not relation.traced:
        unknown = dict.fromkeys(SUBJECT, F.lit(None).cast("string"))
        times_ = dict.fromkeys(("first_seen", "last_seen"), F.lit(None).cast("timestamp"))
        return {**unknown, **times_, "events": F.lit(0).cast("bigint"), "evidence": _texts(())}
    traced = column(trace.TRACE)
    return {
        **{name: trace.subject(name) for name in SUBJECT},
        "first_seen": values.timestamp(traced["first"]),
        "last_seen": values.timestamp(traced["last"]),
        "events": F.coalesce(traced["events"], F.lit(0)).cast("bigint"),
        "evidence": F.transform(traced["evidence"], lambda e: e["event_id"]),
    }


def _with_status(findings: DataFrame) -> DataFrame:
    """`recurring` if the previous as-of with the same finding lies within the finding's window, else `new`."""
    earlier = F.lag("as_of").over(Window.partitionBy("hunt_id", "finding_id").orderBy("as_of"))
    seen = earlier.isNotNull() & (F.col("window_start").isNull() | (earlier >= F.col("window_start")))
    return findings.withColumn("status", F.when(seen, "recurring").otherwise("new"))


def _with_status_after(new: pa.Table, read: Read, hunts: Sequence[str], at: datetime) -> pa.Table:
    """The same for rows of an as-of that comes after all others of these hunts."""
    found = sorted(set(new["finding_id"].to_pylist()))
    earlier: Where = [("hunt_id", "in", hunts), ("finding_id", "in", found), ("as_of", "<", at)]
    last: dict[tuple[str, str], datetime] = {}
    for row in read(["hunt_id", "finding_id", "as_of"], earlier).to_pylist():
        key = row["hunt_id"], row["finding_id"]
        last[key] = max(row["as_of"], last.get(key, row["as_of"]))
    statuses = []
    for row in new.select(["hunt_id", "finding_id", "window_start"]).to_pylist():
        seen, start = last.get((row["hunt_id"], row["finding_id"])), row["window_start"]
        statuses.append("recurring" if seen is not None and (start is None or seen >= start) else "new")
    return new.set_column(new.column_names.index("status"), "status", pa.array(statuses, pa.string()))


def _texts(texts: tuple[str, ...]) -> Column:
    return F.array(*(F.lit(text) for text in texts)).cast("array<string>")
