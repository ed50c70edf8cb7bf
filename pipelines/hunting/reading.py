"""Reads findings back for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import functions as F

from pipelines.hunting import findings
from pipelines.hunting.hunt import Hunt
from pipelines.kql import times
from pipelines.lake.tables import Lake


@dataclass(frozen=True)
class Found:
    """The findings of one hunt at one as-of (ticks; None where it has never run). `columns` are the query's;
    a row of `findings.all` each, whose `result` is the query's row."""

    hunt: Hunt
    as_of: int | None
    columns: tuple[str, ...]
    rows: list[dict[str, Any]]


def latest(lake: Lake, hunts: Sequence[Hunt], as_of: int | None) -> list[Found]:
    """The findings of each hunt at the as-of, or else at the last one for which it ran."""
    return [_found(lake, hunt, as_of) for hunt in hunts]


def _found(lake: Lake, hunt: Hunt, as_of: int | None) -> Found:
    name = findings.name_of(hunt)
    if not lake.exists(name):
        return Found(hunt, None, (), [])
    own = lake.read(name)
    columns = tuple(own.columns[: len(own.columns) - len(findings.RUN_COLUMNS)])
    at = as_of if as_of is not None else _last_as_of(lake, hunt)
    if at is None:
        return Found(hunt, None, columns, [])
    moment = F.timestamp_micros(F.lit(at // 10))
    places = own.filter(F.col(own.columns[len(columns)]) == moment).select(
        F.col(own.columns[len(columns) + 2]).alias("finding_id"), F.col(own.columns[len(columns) + 3]).alias("ordinal")
    )
    common = lake.read(findings.ALL).filter((F.col("hunt_id") == hunt.id) & (F.col("as_of") == moment))
    rows = common.join(places, "finding_id").orderBy("ordinal").drop("ordinal").collect()
    return Found(hunt, at, columns, [_as_json(row.asDict()) for row in rows])


def _last_as_of(lake: Lake, hunt: Hunt) -> int | None:
    runs = lake.read("hunts.runs").filter((F.col("hunt_id") == hunt.id) & (F.col("outcome") == "succeeded"))
    row = runs.agg(F.max(F.unix_micros("as_of"))).first()
    return None if row is None or row[0] is None else int(row[0]) * 10


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    told = {
        name: times.format_datetime(times.from_datetime(_utc(value))) if hasattr(value, "tzinfo") else value
        for name, value in row.items()
    }
    return told | {"result": json.loads(row["result"])}


def _utc(value: Any) -> Any:
    return value.astimezone(times.EPOCH.tzinfo)
