"""What a ledger's commit says about other tables: see damage.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyspark.sql import SparkSession

from lakehunt.lake import damage
from lakehunt.schemas.table import Table


def note(
    spark: SparkSession, table: Table, stored_name: Callable[[str], str], path: Callable[[str], str]
) -> str | None:
    """The metadata for a commit of this table; None if it says nothing about others."""
    return damage.note({stored_name(name): known_version(spark, path(name)) for name in table.vouches_for})


def known_version(spark: SparkSession, path: str) -> int:
    """The newest version of a table that this session has read or written; -1 if there is no table."""
    session: Any = spark._jsparkSession
    jvm: Any = spark._jvm
    return int(jvm.org.apache.spark.sql.delta.DeltaLog.forTable(session, path).unsafeVolatileSnapshot().version())
