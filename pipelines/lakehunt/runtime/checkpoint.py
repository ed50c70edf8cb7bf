"""Rows that are computed once and then read several times."""

from __future__ import annotations

from pyspark import StorageLevel
from pyspark.sql import DataFrame

ON_DISK = StorageLevel.DISK_ONLY
"""While Spark takes rows into memory, it takes all that is free, and gives nothing back before it has the last one: a
query beside it that needs some fails. On disk, any number can be kept. Not for rows that a dozen queries read."""


def materialize(rows: DataFrame) -> DataFrame:
    """The rows, computed now. They forget how they were made, so that no query that reads them plans it anew."""
    return rows.localCheckpoint(storageLevel=ON_DISK)
