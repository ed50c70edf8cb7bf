"""Deletes stored hits that no current hunt uses: of deleted hunts, and of old versions of hunts that changed.

Findings stay. Hits are only copies of events, which spare a hunt rereading them; a hunt that comes back rereads the
events."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial, reduce

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehunt.hunting.findings import run_log
from lakehunt.lake.delta_lake import KILLED_AFTER, Lake
from lakehunt.lake.retry import retried
from lakehunt.schemas.hunt_tables import HITS_TABLES, PASSES


def delete_stale(lake: Lake, kept: Collection[str], now: datetime, dry_run: bool = False) -> int:
    """Deletes the hits of every hunt version that is not in `kept` and not used by a run in progress. Returns the
    number of hits.

    Coverage is withdrawn before the rows are deleted, so a crash in between never makes a hunt trust hits that are
    stale."""
    stale = _stale_versions(lake, kept, now)
    if not stale:
        return 0
    is_stale = F.col("hunt_version").isin(stale)
    stored = [table for table in HITS_TABLES if lake.exists(table.name)]
    rows = sum(lake.rows(table).filter(is_stale).count() for table in stored)
    if not dry_run:
        retried(lambda: _withdraw_coverage(lake, stale))
        for table in stored:
            retried(partial(DeltaTable.forPath(lake.spark, lake.path(table.name)).delete, is_stale))
    return rows


def _stale_versions(lake: Lake, kept: Collection[str], now: datetime) -> Sequence[str]:
    """The stale versions that have hits or are covered by passes."""
    covered = lake.rows(PASSES).select(F.explode("hunts.hunt_version").alias("hunt_version"))
    stored = (lake.rows(table).select("hunt_version") for table in HITS_TABLES if lake.exists(table.name))
    known = reduce(DataFrame.union, stored, covered).distinct().collect()
    found = {row.hunt_version for row in known} - set(kept)
    return sorted(found - run_log.in_progress(lake, now - KILLED_AFTER)) if found else []


def _withdraw_coverage(lake: Lake, versions: Sequence[str]) -> None:
    def is_gone(hunt: Column) -> Column:
        return hunt["hunt_version"].isin(list(versions))

    remaining = F.filter("hunts", lambda hunt: ~is_gone(hunt))
    passes = DeltaTable.forPath(lake.spark, lake.path(PASSES.name))
    passes.update(F.exists("hunts", is_gone), {"hunts": remaining})
