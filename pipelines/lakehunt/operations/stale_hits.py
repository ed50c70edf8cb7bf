"""Deletes stored hits that no current hunt uses: of deleted hunts, and of old versions of hunts that changed.

Their findings stay. The hits were only a copy of events, so that a hunt need not read them twice; a hunt that comes
back reads them again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from delta.tables import DeltaTable
from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehunt.hunting.findings import run_log
from lakehunt.lake.delta_lake import KILLED_AFTER, Lake
from lakehunt.lake.retry import retried
from lakehunt.schemas.hunt_tables import HITS, PASSES


def delete_stale(lake: Lake, kept: Collection[str], now: datetime, dry_run: bool = False) -> int:
    """Removes the hits of every version of a hunt that is not in `kept`, but of those that a run under way may be
    reading. Returns how many there were.

    Coverage is withdrawn before the rows are deleted, so a crash in between never makes a hunt trust hits that are
    gone."""
    gone = _stale_versions(lake, kept, now)
    if not gone:
        return 0
    of_gone = F.col("hunt_version").isin(gone)
    rows = lake.rows(HITS).filter(of_gone).count()
    if not dry_run:
        retried(lambda: _withdraw_coverage(lake, gone))
        retried(lambda: DeltaTable.forPath(lake.spark, lake.path(HITS.name)).delete(of_gone))
    return rows


def _stale_versions(lake: Lake, kept: Collection[str], now: datetime) -> Sequence[str]:
    """The versions that have hits, or passes that stand for them, and are to lose them."""
    stood_for = lake.rows(PASSES).select(F.explode("hunts.hunt_version").alias("hunt_version"))
    known = stood_for.union(lake.rows(HITS).select("hunt_version")).distinct().collect()
    found = {row.hunt_version for row in known} - set(kept)
    return sorted(found - run_log.in_progress(lake, now - KILLED_AFTER)) if found else []


def _withdraw_coverage(lake: Lake, versions: Sequence[str]) -> None:
    def is_gone(hunt: Column) -> Column:
        return hunt["hunt_version"].isin(list(versions))

    left = F.filter("hunts", lambda hunt: ~is_gone(hunt))
    passes = DeltaTable.forPath(lake.spark, lake.path(PASSES.name))
    passes.update(F.exists("hunts", is_gone), {"hunts": left})
