"""Checkpoints of rows that are read several times."""

from __future__ import annotations

from pyspark import StorageLevel
from pyspark.sql import DataFrame

ON_DISK = StorageLevel.DISK_ONLY
"""Caching in memory can starve concurrent queries: Spark fills the memory pool before it spills. Disk-only storage
avoids that. Do not use it for rows that a dozen queries read."""


def materialize(rows: DataFrame) -> DataFrame:
    """Computes the rows now and cuts their lineage, so that queries on them do not plan it again."""
    return rows.localCheckpoint(storageLevel=ON_DISK)
