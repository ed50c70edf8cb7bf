"""`hunts.late`: the findings that were added or removed when an as-of was asked again, because events had landed late.

A run appends its rows before it replaces the findings: after that, it could not be told what has changed. Alerts tell
of those that are in `findings.all`. If the run is killed in between, the next one takes over what it had noted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from pyspark.sql import DataFrame

from lakehunt.hunting.findings.computed import ComputedFindings
from lakehunt.hunting.findings.run_log import SUCCEEDED, Changed
from lakehunt.hunting.findings.statuses import at_any_of
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.where import Where
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from lakehunt.schemas.hunt_tables import LATE, RUNS

ADDED, REMOVED = "added", "removed"

_Key = tuple[str, int]
"""The id of a hunt, and an as-of in ticks."""


@dataclass(frozen=True)
class LateEvents:
    """Events of a hunt's window that have landed since its as-of was asked: the times of the first and the last of
    them, and when the last one landed. `known` are time and landing of each by its event id, where they are few."""

    first: datetime
    last: datetime
    landed_at: datetime
    known: Mapping[str, tuple[datetime, datetime]]

    def behind(self, evidence: Sequence[str]) -> LateEvents:
        """Those among these events; all, if none of them is: a finding may be there because of what is not behind it,
        or of more events than its evidence has."""
        known = {one: self.known[one] for one in evidence if one in self.known}
        if not known:
            return self
        moments, landed = zip(*known.values(), strict=True)
        return LateEvents(min(moments), max(moments), max(landed), known)


def record(
    lake: Lake, found: Sequence[ComputedFindings], late: Mapping[_Key, tuple[LateEvents, int]], run_id: str
) -> dict[_Key, Changed]:
    """Notes what the findings of hunts that are asked again will change, and counts it. They are not stored yet. `late`
    are the events because of which they are asked, with the as-of (ticks) of the run that has found these."""
    hunts = sorted({one.result.hunt.id for one in found})
    as_ofs = sorted({times.to_datetime(one.result.as_of) for one in found})
    own: Where = [("hunt_id", "in", hunts), *at_any_of(as_ofs)]
    stored: dict[tuple[str, datetime], set[str]] = {}
    for row in lake.few(FINDINGS_ALL, ("hunt_id", "as_of", "finding_id"), own):
        stored.setdefault((row["hunt_id"], row["as_of"]), set()).add(row["finding_id"])
    unfinished = _unfinished(lake, own)
    rows: list[tuple[Any, ...]] = []
    changes: dict[_Key, Changed] = {}
    for one in found:
        key = one.result.hunt.id, one.result.as_of
        place = key[0], times.to_datetime(key[1])
        before, now, noted = stored.get(place, set()), _evidence(one), unfinished.get(place, {})
        changed = {
            ADDED: [id_ for id_ in now if id_ not in before or noted.get(id_) == ADDED],
            REMOVED: sorted({*before, *(id_ for id_ in noted if noted[id_] == REMOVED)} - now.keys()),
        }
        why, found_as_of = late[key]
        for change, ids in changed.items():
            for id_ in ids:
                behind = why.behind(now.get(id_, ()))
                seen = (behind.first, behind.last, behind.landed_at)
                rows.append((*place, id_, change, *seen, times.to_datetime(found_as_of), run_id))
        changes[key] = Changed(len(changed[ADDED]), len(changed[REMOVED]))
    if rows:
        lake.append(LATE, rows)
    return changes


def _evidence(found: ComputedFindings) -> dict[str, Sequence[str]]:
    """The ids of the findings, each with its evidence where they are few."""
    if found.rows is None:
        return {}
    if isinstance(found.rows, DataFrame):
        return dict.fromkeys(found.rows.select("finding_id").toArrow()["finding_id"].to_pylist(), ())
    ids, evidence = (found.rows[name].to_pylist() for name in ("finding_id", "evidence"))
    return {key: some or () for key, some in zip(ids, evidence, strict=True)}


def _unfinished(lake: Lake, own: Where) -> dict[tuple[str, datetime], dict[str, str]]:
    """By hunt and as-of, the changes of findings that runs have noted which then did not succeed."""
    noted = lake.few(LATE, ("hunt_id", "as_of", "finding_id", "change", "run_id"), own)
    if not noted:
        return {}
    ended = lake.few(RUNS, ("hunt_id", "as_of", "run_id"), [*own, ("outcome", "=", SUCCEEDED)])
    done = {(row["hunt_id"], row["as_of"], row["run_id"]) for row in ended}
    changes: dict[tuple[str, datetime], dict[str, str]] = {}
    for row in noted:
        if (row["hunt_id"], row["as_of"], row["run_id"]) not in done:
            changes.setdefault((row["hunt_id"], row["as_of"]), {})[row["finding_id"]] = row["change"]
    return changes


def added(lake: Lake, only: Where) -> dict[datetime, dict[str, LateEvents]]:
    """The findings that were added, of the rows of `hunts.late` for which the conditions hold: by the as-of that was
    asked again and the finding's id, the late events behind each, as the last run noted them."""
    columns = ("as_of", "finding_id", "first_seen", "last_seen", "landed_at", "run_id")
    found: dict[datetime, dict[str, LateEvents]] = {}
    rows = lake.few(LATE, columns, [*only, ("change", "=", ADDED)])
    for row in sorted(rows, key=itemgetter("run_id")):
        events = LateEvents(row["first_seen"], row["last_seen"], row["landed_at"], {})
        found.setdefault(row["as_of"], {})[row["finding_id"]] = events
    return found
