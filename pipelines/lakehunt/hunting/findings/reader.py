"""Reads stored findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Row
from pyspark.sql import functions as F

from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import writer
from lakehunt.hunting.findings.finding_json import finding_json
from lakehunt.kql import times
from lakehunt.kql.types import TICKS_PER_MICROSECOND
from lakehunt.lake.delta_lake import Lake, utc
from lakehunt.schemas.finding_tables import FINDINGS_ALL, HUNT_FINDINGS
from lakehunt.schemas.hunt_tables import RUNS


@dataclass(frozen=True)
class HuntFindings:
    """The findings of one hunt at one as-of (ticks; None if it has never run). `columns` are the query's; each row is
    one of `findings.all`, whose `result` is the query's row."""

    hunt: Hunt
    as_of: int | None
    columns: tuple[str, ...]
    rows: list[dict[str, Any]]


def latest_findings(lake: Lake, hunts: Sequence[Hunt], as_of: int | None) -> list[HuntFindings]:
    """The findings of each hunt at the as-of (ticks; None: its last run's)."""
    if not lake.exists(FINDINGS_ALL.name):
        return [HuntFindings(hunt, None, (), []) for hunt in hunts]
    at = dict.fromkeys((hunt.id for hunt in hunts), as_of) if as_of is not None else _last_as_ofs(lake)
    moments = [one for one in {at.get(hunt.id) for hunt in hunts} if one is not None]
    of_moments = F.unix_micros("as_of").isin([moment // TICKS_PER_MICROSECOND for moment in moments])
    wanted = F.col("hunt_id").isin([hunt.id for hunt in hunts]) & of_moments
    rows = lake.read(FINDINGS_ALL.name).filter(wanted).orderBy("hunt_id", "ordinal").collect()
    return [_found(lake, hunt, at.get(hunt.id), rows) for hunt in hunts]


def _found(lake: Lake, hunt: Hunt, at: int | None, rows: Sequence[Row]) -> HuntFindings:
    if at is None or not lake.exists(writer.name_of(hunt)):
        return HuntFindings(hunt, None, (), [])
    own = lake.read(writer.name_of(hunt)).columns
    mine = [row for row in rows if (row.hunt_id, times.from_datetime(utc(row.as_of))) == (hunt.id, at)]
    return HuntFindings(hunt, at, tuple(HUNT_FINDINGS.leading_names(own)), [finding_json(row) for row in mine])


def _last_as_ofs(lake: Lake) -> dict[str, int | None]:
    """The last as-of, in ticks, of each hunt that has run."""
    runs = lake.read(RUNS.name).filter(F.col("outcome") == "succeeded").groupBy("hunt_id")
    rows = runs.agg(F.max(F.unix_micros("as_of")).alias("last")).collect()
    return {row.hunt_id: row.last * TICKS_PER_MICROSECOND for row in rows}


def newest_with_rows(lake: Lake, hunts: Sequence[Hunt]) -> dict[str, int]:
    """The newest as-of, in ticks, at which each of these hunts has findings, by their ids."""
    if not lake.exists(FINDINGS_ALL.name):
        return {}
    rows = lake.read(FINDINGS_ALL.name).filter(F.col("hunt_id").isin([hunt.id for hunt in hunts])).groupBy("hunt_id")
    newest = rows.agg(F.max(F.unix_micros("as_of")).alias("newest")).collect()
    return {row.hunt_id: row.newest * TICKS_PER_MICROSECOND for row in newest}
