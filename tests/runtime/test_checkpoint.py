"""Rows that are kept: what Spark's own account says of where they are."""

from __future__ import annotations

from typing import Any

from pyspark.sql import functions as F

from lakehunt.runtime.checkpoint import materialize


def test_kept_rows_are_on_disk_and_take_no_memory_from_queries_beside_them(spark: Any) -> None:
    before = {info.id() for info in _stored(spark)}
    rows = materialize(spark.range(1000).withColumn("text", F.repeat(F.lit("x"), 500)))
    new = [info for info in _stored(spark) if info.id() not in before]
    assert sum(info.memSize() for info in new) == 0
    assert sum(info.diskSize() for info in new) > 0
    assert rows.agg(F.sum("id"), F.sum(F.length("text"))).collect()[0][:] == (499_500, 500_000)


def test_kept_rows_are_not_computed_again(spark: Any) -> None:
    rows = materialize(spark.range(20).withColumn("dice", F.rand()))
    assert rows.collect() == rows.collect()
    assert "Range" not in rows._jdf.queryExecution().optimizedPlan().toString()


def _stored(spark: Any) -> list[Any]:
    return list(spark.sparkContext._jsc.sc().getRDDStorageInfo())
