"""Rows that are computed once and then read several times."""

from __future__ import annotations

from pyspark import StorageLevel
from pyspark.sql import DataFrame

ON_DISK = StorageLevel.DISK_ONLY
"""Caching in memory can starve concurrent queries: Spark fills the memory pool before it spills. Disk-only storage
avoids that. Do not use it for rows that a dozen queries read."""


def materialize(rows: DataFrame) -> DataFrame:
    """The rows, computed now, without their lineage, so queries that read them do not plan it again."""
    return rows.localCheckpoint(storageLevel=ON_DISK)
