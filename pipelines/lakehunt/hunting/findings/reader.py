"""Reads stored findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import writer
from lakehunt.hunting.findings.finding_json import finding_json
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
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
    last = _last_as_ofs(lake)
    at = {hunt.id: last[hunt.id] if as_of is None else as_of for hunt in hunts if hunt.id in last}
    moments = [times.to_datetime(moment) for moment in sorted(set(at.values()))]
    rows = lake.few(FINDINGS_ALL, only=[("hunt_id", "in", sorted(at)), ("as_of", "in", moments)])
    of_hunts: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in sorted(rows, key=itemgetter("ordinal")):
        of_hunts.setdefault((row["hunt_id"], times.from_datetime(row["as_of"])), []).append(finding_json(row))
    return [_found(lake, hunt, at.get(hunt.id), of_hunts) for hunt in hunts]


def _found(
    lake: Lake, hunt: Hunt, at: int | None, rows: Mapping[tuple[str, int], list[dict[str, Any]]]
) -> HuntFindings:
    if at is None:
        return HuntFindings(hunt, None, (), [])
    if mine := rows.get((hunt.id, at)):
        return HuntFindings(hunt, at, tuple(mine[0]["result"]), mine)
    name = writer.name_of(hunt)  # a hunt that has never found anything has no table
    own = HUNT_FINDINGS.leading_names(lake.columns(name)) if lake.exists(name) else ()
    return HuntFindings(hunt, at, tuple(own), [])


def _last_as_ofs(lake: Lake) -> dict[str, int]:
    """The last as-of, in ticks, of each hunt that has run."""
    return _newest(lake.few(RUNS, ("hunt_id", "as_of"), [("outcome", "=", "succeeded")]))


def newest_with_rows(lake: Lake, hunts: Sequence[Hunt]) -> dict[str, int]:
    """The newest as-of, in ticks, at which each of these hunts has findings, by their ids."""
    return _newest(lake.few(FINDINGS_ALL, ("hunt_id", "as_of"), [("hunt_id", "in", [hunt.id for hunt in hunts])]))


def _newest(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    newest: dict[str, int] = {}
    for row in rows:
        at = times.from_datetime(row["as_of"])
        newest[row["hunt_id"]] = max(at, newest.get(row["hunt_id"], at))
    return newest
