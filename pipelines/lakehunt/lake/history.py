"""Tells from a table's Delta history whether rows were only added."""

from __future__ import annotations

from delta.tables import DeltaTable
from pyspark.sql import Row

from lakehunt.lake.delta_lake import Lake

RECONCILED = "lakehunt: accounted for"
"""`userMetadata` that marks a delete whose dependent tables were updated in the same job."""

_NON_DESTRUCTIVE = frozenset((
    "OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES", "UNSET TBLPROPERTIES", "ADD COLUMNS", "REORG",
    "ADD COLUMN", "UPDATE TABLE METADATA",  # as delta-rs writes them
))  # fmt: skip


def version(lake: Lake, table: str) -> int:
    """The newest version of a table."""
    return int(DeltaTable.forPath(lake.spark, lake.path(table)).history(1).select("version").collect()[0][0])


def last_destructive_commit(lake: Lake, table: str, since: int, newest: int) -> int | None:
    """The newest version after `since` (up to `newest`) that may have changed or removed rows; None if rows were only
    added. A version missing from the history counts as a change."""
    if newest <= since:
        return None
    history = DeltaTable.forPath(lake.spark, lake.path(table)).history(newest - since)
    entries = history.select(
        "version", "operation", "operationParameters", "operationMetrics", "userMetadata"
    ).collect()
    known = {entry.version: entry for entry in entries}
    destructive = (v for v in range(newest, since, -1) if v not in known or not _only_adds(known[v]))
    return next(destructive, None)


def _only_adds(entry: Row) -> bool:
    if entry.operation in _NON_DESTRUCTIVE or entry.userMetadata == RECONCILED:
        return True
    if entry.operation == "WRITE":
        return bool(entry.operationParameters.get("mode") == "Append")
    if entry.operation == "MERGE":
        metrics = entry.operationMetrics
        return all(metrics.get(f"numTargetRows{what}", "?") == "0" for what in ("Updated", "Deleted"))
    return bool(entry.operation.startswith("CREATE TABLE"))
