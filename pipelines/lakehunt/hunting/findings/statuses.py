"""Whether findings are new or recurring, computed from few rows in memory."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from lakehunt.lake.small_tables import Made, Read
from lakehunt.lake.where import Where
from lakehunt.schemas.finding_tables import FINDINGS_ALL

MOST = 50_000
"""Later rows of the hunts up to which they are read into memory."""


def replaced_findings(new: pa.Table, read: Read, hunts: Sequence[str], at: datetime) -> Made | None:
    """The rows of `findings.all`, with their status, that replace those of these hunts at an as-of, and at later ones
    if the status of any changes there. None if there are too many for memory."""
    own: Where = [("hunt_id", "in", hunts)]
    after: Where = [*own, ("as_of", ">", at)]
    if read(["as_of"], after).num_rows > MOST:
        return None
    later = read(FINDINGS_ALL.column_names, after)
    rows = pa.concat_tables([new, later])
    statuses = _statuses(rows, _as_ofs(rows, read, [*own, ("as_of", "<", at)]))
    rows = rows.set_column(
        rows.column_names.index("status"), rows.schema.field("status"), pa.array(statuses, pa.string())
    )
    if statuses[new.num_rows :] == later["status"].to_pylist():
        return rows.slice(0, new.num_rows), [*own, ("as_of", "=", at)]
    return rows, [*own, ("as_of", ">=", at)]


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
