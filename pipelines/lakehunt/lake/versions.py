"""What a ledger's commit says about other tables: see damage.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pyspark.sql import SparkSession

from lakehunt.lake.damage import NOTE
from lakehunt.schemas.table import Table


def note(spark: SparkSession, table: Table, path: Callable[[str], str]) -> str | None:
    """The metadata for a commit of this table; None if it says nothing about others."""
    known = {name: known_version(spark, path(name)) for name in table.vouches_for}
    there = {name: version for name, version in known.items() if version >= 0}
    return NOTE + json.dumps(there) if there else None


def known_version(spark: SparkSession, path: str) -> int:
    """The newest version of a table that this session has read or written; -1 if there is no table."""
    session: Any = spark._jsparkSession
    jvm: Any = spark._jvm
    return int(jvm.org.apache.spark.sql.delta.DeltaLog.forTable(session, path).unsafeVolatileSnapshot().version())
