"""Whether findings are new or recurring, computed from few rows in memory."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from lakehunt.lake.small_tables import Made, Read
from lakehunt.lake.where import Where
from lakehunt.schemas.finding_tables import FINDINGS_ALL

Asked = tuple[str, datetime]
"""The id of a hunt, and an as-of that it was asked at."""

MOST = 50_000
"""Rows of the hunts, at these as-ofs and later ones, up to which they are read into memory."""


def replaced_findings(new: pa.Table, read: Read, asked: Collection[Asked]) -> Made | None:
    """The rows of `findings.all`, with their status, that replace those of these hunts at these as-ofs, and at later
    ones if the status of any changes there. None if there are too many for memory."""
    hunts, as_ofs = sorted({hunt for hunt, _ in asked}), sorted({at for _, at in asked})
    own: Where = [("hunt_id", "in", hunts)]
    after: Where = [*own, ("as_of", ">=", as_ofs[0])]
    if read(["as_of"], after).num_rows > MOST:
        return None
    kept = without(read(FINDINGS_ALL.column_names, after), asked)
    rows = pa.concat_tables([new, kept])
    statuses = _statuses(rows, _as_ofs(rows, read, [*own, ("as_of", "<", as_ofs[0])]))
    rows = rows.set_column(
        rows.column_names.index("status"), rows.schema.field("status"), pa.array(statuses, pa.string())
    )
    if statuses[new.num_rows :] != kept["status"].to_pylist():
        return rows, after
    at_these = pc.is_in(kept["as_of"], pa.array(as_ofs, kept.schema.field("as_of").type))
    beside = rows.slice(new.num_rows).filter(at_these)
    return pa.concat_tables([rows.slice(0, new.num_rows), beside]), [*own, *at_any_of(as_ofs)]


def at_any_of(as_ofs: Sequence[datetime]) -> Where:
    """The condition for rows at one of these as-ofs, in order."""
    if len(as_ofs) == 1:
        return [("as_of", "=", as_ofs[0])]
    return [("as_of", ">=", as_ofs[0]), ("as_of", "<=", as_ofs[-1]), ("as_of", "in", as_ofs)]


def without(rows: pa.Table, asked: Collection[Asked]) -> pa.Table:
    """The rows of other hunts and as-ofs."""
    pairs = zip(rows["hunt_id"].to_pylist(), rows["as_of"].to_pylist(), strict=True)
    return rows.filter(pa.array([pair not in asked for pair in pairs], pa.bool_()))


_Key = tuple[str, str]


def _as_ofs(rows: pa.Table, read: Read, before: Where) -> dict[_Key, list[datetime]]:
    """All as-ofs, in order, of each finding among the rows; also earlier ones, of rows that are not."""
    if not rows.num_rows:
        return {}
    found: dict[_Key, list[datetime]] = {}
    wanted: Where = [*before, ("finding_id", "in", sorted(set(rows["finding_id"].to_pylist())))]
    for some in (rows, read(["hunt_id", "finding_id", "as_of"], wanted)):
        for row in some.select(["hunt_id", "finding_id", "as_of"]).to_pylist():
            found.setdefault((row["hunt_id"], row["finding_id"]), []).append(row["as_of"])
    return {key: sorted(as_ofs) for key, as_ofs in found.items()}


def _statuses(rows: pa.Table, as_ofs: dict[_Key, list[datetime]]) -> list[str]:
    """`recurring` if the previous as-of with the same finding lies within the finding's window, else `new`."""
    statuses = []
    for row in rows.select(["hunt_id", "finding_id", "as_of", "window_start"]).to_pylist():
        known, start = as_ofs[row["hunt_id"], row["finding_id"]], row["window_start"]
        place = bisect_left(known, row["as_of"])
        seen = place > 0 and (start is None or known[place - 1] >= start)
        statuses.append("recurring" if seen else "new")
    return statuses
