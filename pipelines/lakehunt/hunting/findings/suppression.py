"""Records the effect of exclusions: the events that they suppressed in a run, and the exclusions that a run used.

`hunts.suppressed` has the suppressed events per as-of, with the exclusions; the events also stay in `hunts.hits`.
`hunts.exclusions` keeps every exclusion that a run ever used, so that a backfill can reuse the ones of that time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame

from lakehunt.core.errors import LakehuntError
from lakehunt.hunting.content import exclusion_file
from lakehunt.hunting.content.exclusion_file import Exclusion
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import run_log, statuses
from lakehunt.hunting.findings.computed import ComputedFindings
from lakehunt.kql import times
from lakehunt.kql.errors import QueryErrors
from lakehunt.kql.types import TICKS_PER_DAY
from lakehunt.lake import arrow_rows
from lakehunt.lake.delta_lake import Lake, utc
from lakehunt.lake.small_tables import LocalTables, Made, Read
from lakehunt.lake.where import Where
from lakehunt.schemas.event_tables import kql_name
from lakehunt.schemas.hunt_tables import EXCLUSIONS, RUNS, SUPPRESSED
from lakehunt.spark import values
from lakehunt.spark.columns import F


def write_suppressed(lake: Lake, found: Sequence[ComputedFindings]) -> None:
    """Replaces the suppressed events of these hunts at their as-ofs."""
    if not any(one.suppressed_count for one in found) and not lake.exists(SUPPRESSED.name):
        return
    many = [one for one in found if isinstance(one.suppressed, DataFrame)]
    few = [one for one in found if not isinstance(one.suppressed, DataFrame)]
    if few:
        _write_few(lake, few)
    for one in many:
        lake.replace(SUPPRESSED, _frame(one), _replaced([one]))


def _write_few(lake: Lake, found: Sequence[ComputedFindings]) -> None:
    asked = {(one.result.hunt.id, times.to_datetime(one.result.as_of)) for one in found}
    none = arrow_rows.no_rows(arrow_rows.schema(SUPPRESSED))
    rows = pa.concat_tables([none, *(_rows(one) for one in found if one.suppressed_count)])
    replaced = _replaced(found)

    def made(read: Read) -> Made:
        return pa.concat_tables([rows, statuses.without(read(SUPPRESSED.column_names, replaced), asked)]), replaced

    if not lake.replace_made(SUPPRESSED, made):
        for one in found:
            own = _rows(one) if one.suppressed_count else none
            lake.replace(SUPPRESSED, lake.frame(SUPPRESSED, own), _replaced([one]))


def _replaced(found: Sequence[ComputedFindings]) -> Where:
    """The rows of these hunts at any of these as-ofs."""
    hunts = sorted({one.result.hunt.id for one in found})
    as_ofs = sorted({times.to_datetime(one.result.as_of) for one in found})
    return [("hunt_id", "in", hunts), *statuses.at_any_of(as_ofs)]


def _rows(found: ComputedFindings) -> pa.Table:
    events, schema = found.suppressed, arrow_rows.schema(SUPPRESSED)
    assert isinstance(events, pa.Table)
    hunt, as_of = found.result.hunt, times.to_datetime(found.result.as_of)
    made = {"hunt_id": hunt.id, "hunt_version": hunt.digest, "as_of": as_of}
    arrays = [
        pa.array([made[name]] * events.num_rows, schema.field(name).type) if name in made else events[name]
        for name in schema.names
    ]
    return pa.table(arrays, names=schema.names).cast(schema)


def _frame(found: ComputedFindings) -> DataFrame:
    """The same of many rows."""
    assert isinstance(found.suppressed, DataFrame)
    hunt = found.result.hunt
    made = {"hunt_id": F.lit(hunt.id), "hunt_version": F.lit(hunt.digest), "as_of": values.moment(found.result.as_of)}
    return found.suppressed.withColumns(made)


def active(hunt: Hunt, as_of: int) -> tuple[Exclusion, ...]:
    """The exclusions that a hunt uses at an as-of (ticks)."""
    return tuple(one for one in hunt.exclusions if one.applies(as_of))


def used_at(asked: Iterable[tuple[Hunt, int]]) -> list[Exclusion]:
    """The exclusions that any of these hunts uses at its as-of (ticks)."""
    return list({(one.name, one.version): one for hunt, as_of in asked for one in active(hunt, as_of)}.values())


def record_exclusions(lake: Lake | LocalTables, used: Iterable[Exclusion], now: datetime) -> None:
    """Stores the exclusions that no earlier run has used."""
    wanted = {(one.name, one.version): one for one in used}
    if not wanted:
        return
    known = {(row["name"], row["version"]) for row in lake.few(EXCLUSIONS, ("name", "version"))}
    for key, one in sorted(wanted.items()):
        if key not in known:
            row = (one.name, one.version, one.where, one.reason, one.owner, one.expires, now, one.table)
            lake.append_unless(EXCLUSIONS, [row], [("name", "=", one.name), ("version", "=", one.version)])


def exclusions_at(lake: Lake, hunts: Sequence[Hunt], as_of: int) -> list[Hunt]:
    """The hunts with the exclusions that the first run of this as-of (ticks) used; if it never ran, those of the first
    run of the nearest earlier as-of; if there is none, their current exclusions.

    Raises LakehuntError for an exclusion that this version of Lakehunt can no longer compile."""
    used = _used(lake, hunts, as_of)
    any_used = any(keys for _, keys in used.values())
    kept = {(row["name"], row["version"]): row for row in lake.few(EXCLUSIONS)} if any_used else {}

    def with_used(hunt: Hunt) -> Hunt:
        if hunt.id not in used:
            return hunt
        same, keys = used[hunt.id]
        return replace(hunt, exclusions=tuple(_restored(kept[key], hunt, ending=not same) for key in keys))

    return [with_used(hunt) for hunt in hunts]


def _used(lake: Lake, hunts: Sequence[Hunt], as_of: int) -> dict[str, tuple[bool, list[tuple[str, str]]]]:
    """By hunt id: whether the run that `exclusions_at` uses had exactly this as-of, and the names and versions of the
    exclusions that it used."""
    at = times.to_datetime(as_of)
    only: Where = [
        ("hunt_id", "in", [hunt.id for hunt in hunts]),
        ("outcome", "=", run_log.SUCCEEDED),
        ("as_of", "<=", at),
    ]
    nearest: dict[str, dict[str, Any]] = {}
    for row in sorted(lake.few(RUNS, ("hunt_id", "run_id", "as_of", "exclusions"), only), key=itemgetter("run_id")):
        before = nearest.get(row["hunt_id"])
        if before is None or row["as_of"] > before["as_of"]:
            nearest[row["hunt_id"]] = row
    return {
        hunt: (row["as_of"] == at, [(one["name"], one["version"]) for one in row["exclusions"] or ()])
        for hunt, row in nearest.items()
    }


def _restored(row: Mapping[str, Any], hunt: Hunt, ending: bool) -> Exclusion:
    """The exclusion as it was stored; `ending`: keep its expiry date."""
    table = kql_name(row["event_table"])
    try:
        compiled = exclusion_file.condition(row["condition"], table)
    except QueryErrors as errors:
        problem = f"exclusion {row['name']}, as it was used on {row['recorded_at']:%Y-%m-%d}: {errors.message}"
        raise LakehuntError(problem, "use the current ones: --exclusions current") from errors
    expires = row["expires"] if ending else None
    stored = (row["name"], row["condition"], row["reason"], row["owner"])
    return Exclusion(*stored, expires, hunts=(hunt.id,), table=table, condition=compiled)


# Effects


@dataclass(frozen=True)
class ExclusionEffect:
    """The recent effect of an exclusion: the number of distinct `events` that it suppressed, and the time of the last.

    `state` is on, off or expired at the requested as-of."""

    exclusion: Exclusion
    state: str
    events: int
    last: datetime | None


def exclusion_effects(lake: Lake, exclusions: Iterable[Exclusion], as_of: int, days: int) -> list[ExclusionEffect]:
    """The effect of each exclusion in runs as of the last `days` days before an instant (ticks), in the given order."""
    at = times.to_datetime(as_of)
    since = times.to_datetime(as_of - days * TICKS_PER_DAY)
    rows = lake.rows(SUPPRESSED).filter((F.col("as_of") > F.lit(since)) & (F.col("as_of") <= F.lit(at)))
    each = rows.select("event_id", "Timestamp", F.explode("exclusions").alias("name")).groupBy("name")
    counted = each.agg(F.count_distinct("event_id").alias("events"), F.max("Timestamp").alias("last"))
    found = {row.name: (row.events, utc(row.last)) for row in counted.collect()}
    return [ExclusionEffect(one, one.state(as_of), *found.get(one.name, (0, None))) for one in exclusions]
