"""Tells from a table's Delta history whether rows were only added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.small_tables import LocalTables

RECONCILED = "lakehunt: accounted for"
"""`userMetadata` that marks a delete whose dependent tables were updated in the same job."""

_NON_DESTRUCTIVE = frozenset((
    "OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES", "UNSET TBLPROPERTIES", "ADD COLUMNS", "REORG",
    "ADD COLUMN", "UPDATE TABLE METADATA",  # as delta-rs writes them
))  # fmt: skip


def last_destructive_commit(lake: Lake | LocalTables, table: str, since: int, newest: int) -> int | None:
    """The newest version after `since` (up to `newest`) that may have changed or removed rows; None if rows were only
    added. A version missing from the history counts as a change."""
    if newest <= since:
        return None
    known = {entry["version"]: entry for entry in lake.commits(table, newest - since)}
    destructive = (v for v in range(newest, since, -1) if v not in known or not _only_adds(known[v]))
    return next(destructive, None)


def _only_adds(entry: Mapping[str, Any]) -> bool:
    operation = entry.get("operation") or ""
    if operation in _NON_DESTRUCTIVE or entry.get("userMetadata") == RECONCILED:
        return True
    if operation == "WRITE":
        return bool((entry.get("operationParameters") or {}).get("mode") == "Append")
    if operation == "MERGE":
        metrics = entry.get("operationMetrics") or {}
        return all(metrics.get(f"numTargetRows{what}", "?") == "0" for what in ("Updated", "Deleted"))
    return bool(operation.startswith("CREATE TABLE"))
