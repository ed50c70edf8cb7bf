"""Findings: `findings.<hunt>` with exactly the query's columns, `findings.all` with the same columns for every hunt.

Both are replaced per as-of in one transaction each, so a run can be repeated, and a run without findings clears those
of an earlier one. Few rows are written without Spark, and without rows nothing is written that need not be."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, Window

from lakehunt.hunting.content import attack
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import tables
from lakehunt.hunting.findings.computed import ROW, ComputedFindings, query_column, texts
from lakehunt.hunting.findings.statuses import replaced_findings
from lakehunt.kql import times
from lakehunt.lake import arrow_rows
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.where import Where
from lakehunt.schemas.finding_tables import FINDINGS_ALL, HUNT_FINDINGS
from lakehunt.schemas.table import Table
from lakehunt.spark import values
from lakehunt.spark.columns import F

ALL = FINDINGS_ALL.name


# The hunt's own table


def name_of(hunt: Hunt) -> str:
    """The hunt's own table."""
    return f"{HUNT_FINDINGS.folder}.{hunt.id}"


def write_own(lake: Lake, found: ComputedFindings) -> None:
    """Replaces the rows of `findings.<hunt>` at the as-of. The table is made when there is a first row."""
    name, at = name_of(found.result.hunt), times.to_datetime(found.result.as_of)
    if not found.count:
        if lake.exists(name):
            lake.delete(name, [(HUNT_FINDINGS.stored_names(lake.columns(name))["as_of"], "=", at)])
        return
    own = tables.own_table(found.result.hunt, found.result.plan)
    rows = _own_frame(own, found) if isinstance(found.rows, DataFrame) else _own_rows(own, found)
    if lake.exists(name) and not lake.has_shape(own):
        # The hunt's columns have changed: the table gets the new schema. Earlier findings stay in findings.all and in
        # the table's history.
        lake.overwrite(own, rows)
        return
    replaced: Where = [(HUNT_FINDINGS.stored_names(own.column_names)["as_of"], "=", at)]
    if isinstance(rows, DataFrame):
        lake.replace(own, rows, replaced)
    elif not lake.replace_made(own, lambda _: (rows, replaced)):
        lake.replace(own, lake.frame(own, rows), replaced)


def _own_rows(own: Table, found: ComputedFindings) -> pa.Table:
    """The query's columns, then the run's, in the order and by the names of the table."""
    rows = found.rows
    assert isinstance(rows, pa.Table)
    kept = [rows[query_column(place)] for place in range(len(found.result.plan.schema))]
    run = _repeated([times.to_datetime(found.result.as_of), found.result.hunt.digest], rows.num_rows)
    return pa.table([*kept, *run, rows["finding_id"], rows["ordinal"]], names=own.column_names).cast(
        arrow_rows.schema(own)
    )


def _repeated(constants: Sequence[Any], count: int) -> list[pa.Array]:
    return [pa.array([value] * count) for value in constants]


def _own_frame(own: Table, found: ComputedFindings) -> DataFrame:
    """The same of many rows."""
    assert isinstance(found.rows, DataFrame)
    kept = [F.col(query_column(place)) for place in range(len(found.result.plan.schema))]
    run = [values.moment(found.result.as_of), F.lit(found.result.hunt.digest), F.col("finding_id"), F.col("ordinal")]
    return found.rows.select(*(value.alias(name) for value, name in zip([*kept, *run], own.column_names, strict=True)))


# All hunts' table


def write_all(lake: Lake, found: Sequence[ComputedFindings]) -> None:
    """Replaces the rows of these hunts in `findings.all` at their as-ofs.

    Also updates the status at later as-ofs of these hunts, because it depends on the findings at these: as-ofs may
    run in any order, or concurrently."""
    if not found:
        if not lake.exists(ALL):
            lake.ensure(FINDINGS_ALL)
        return
    many = [one for one in found if isinstance(one.rows, DataFrame)]
    few = [one for one in found if not isinstance(one.rows, DataFrame)]
    if few:
        _write_few(lake, few)
    for as_of in sorted({one.result.as_of for one in many}):
        own = [one for one in many if one.result.as_of == as_of]
        _write_many(lake, _ids(own), [_common_frame(one) for one in own], as_of)


def _ids(found: Sequence[ComputedFindings]) -> list[str]:
    return sorted(one.result.hunt.id for one in found)


def _write_few(lake: Lake, found: Sequence[ComputedFindings]) -> None:
    new = _all_common_rows(found)
    asked = {(one.result.hunt.id, times.to_datetime(one.result.as_of)) for one in found}
    if lake.replace_made(FINDINGS_ALL, lambda read: replaced_findings(new, read, asked)):
        return
    for as_of in sorted({one.result.as_of for one in found}):
        own = [one for one in found if one.result.as_of == as_of]
        _write_many(lake, _ids(own), [lake.frame(FINDINGS_ALL, _all_common_rows(own))], as_of)


def _all_common_rows(found: Sequence[ComputedFindings]) -> pa.Table:
    none = arrow_rows.no_rows(arrow_rows.schema(FINDINGS_ALL))
    return pa.concat_tables([none, *(_common_rows(one) for one in found if one.count)])


def _write_many(lake: Lake, hunts: Sequence[str], made: Sequence[DataFrame], as_of: int) -> None:
    at = values.moment(as_of)

    def changed() -> DataFrame:
        others = lake.rows(FINDINGS_ALL).filter(F.col("hunt_id").isin(list(hunts)) & (F.col("as_of") != at))
        return _with_status(reduce(DataFrame.unionByName, made, others)).filter(F.col("as_of") >= at)

    lake.replace(FINDINGS_ALL, changed, [("hunt_id", "in", hunts), ("as_of", ">=", times.to_datetime(as_of))])


def _constants(found: ComputedFindings) -> dict[str, Any]:
    """The columns of `findings.all` that all rows of a result have the same of."""
    result = found.result
    hunt, window = result.hunt, result.window
    return {
        "as_of": times.to_datetime(result.as_of),
        "hunt_id": hunt.id,
        "hunt_name": hunt.name,
        "hunt_version": hunt.digest,
        "tactics": hunt.tactics,
        "techniques": hunt.techniques,
        "attack_tactics": attack.tactic_names(hunt.tactics),
        "attack_techniques": attack.technique_ids(hunt.techniques),
        "severity": hunt.severity,
        "status": "new",
        "window_start": None if window.since is None else times.to_datetime(window.since),
        "window_end": times.to_datetime(window.until),
    }


def _common_rows(found: ComputedFindings) -> pa.Table:
    """The rows for `findings.all`, all as if they were new."""
    rows, schema = found.rows, arrow_rows.schema(FINDINGS_ALL)
    assert isinstance(rows, pa.Table)
    made = {name: rows[name] for name in ROW}
    made |= {
        name: pa.array([value] * rows.num_rows, schema.field(name).type) for name, value in _constants(found).items()
    }
    of_devices = found.suppressed_of_devices()
    counts = [
        found.suppressed_count if device is None else of_devices[device] for device in rows["device_id"].to_pylist()
    ]
    made["suppressed"] = pa.array(counts, pa.int64())
    return pa.table([made[name] for name in schema.names], names=schema.names).cast(schema)


def _common_frame(found: ComputedFindings) -> DataFrame:
    """The same of many rows."""
    assert isinstance(found.rows, DataFrame)
    types = {c.name: c.type for c in FINDINGS_ALL.columns}
    made = {name: F.col(name) for name in ROW}
    for name, value in _constants(found).items():
        made[name] = texts(value) if isinstance(value, tuple) else F.lit(value).cast(types[name])
    return _with_suppressed(found.rows.select(*(value.alias(name) for name, value in made.items())), found)


def _with_suppressed(findings: DataFrame, found: ComputedFindings) -> DataFrame:
    of_devices = found.suppressed_of_devices()
    if not of_devices:
        return findings.withColumn("suppressed", F.lit(0).cast("bigint"))
    spark = findings.sparkSession
    counted = spark.createDataFrame(list(of_devices.items()), "device_id string, suppressed bigint")
    count = F.when(F.col("device_id").isNull(), F.lit(found.suppressed_count)).otherwise(F.col("suppressed"))
    joined = findings.join(counted, "device_id", "left")
    return joined.withColumn("suppressed", F.coalesce(count, F.lit(0)).cast("bigint"))


def _with_status(findings: DataFrame) -> DataFrame:
    """`recurring` if the previous as-of with the same finding lies within the finding's window, else `new`."""
    earlier = F.lag("as_of").over(Window.partitionBy("hunt_id", "finding_id").orderBy("as_of"))
    seen = earlier.isNotNull() & (F.col("window_start").isNull() | (earlier >= F.col("window_start")))
    return findings.withColumn("status", F.when(seen, "recurring").otherwise("new"))
