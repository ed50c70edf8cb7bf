"""Frames of few rows, which Spark computes while it plans."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from pyspark.sql import functions as F

from lakehunt.spark.local_rows import local_rows, queries_of_few_rows

ROWS = pa.table({"name": ["a", "b", "a", None], "n": [1, 2, 3, 4], "many": [["x"], [], None, ["y", "z"]]})


def test_filters_and_projections_are_computed_without_a_job(spark: Any) -> None:
    spark.sparkContext.setJobGroup("local rows", "none expected")
    made = (
        spark.createDataFrame(ROWS).where("n > 1").select(F.upper("name").alias("name"), F.size("many").alias("size"))
    )
    rows = local_rows(made)
    assert rows is not None
    assert rows.count == 3
    assert not spark.sparkContext.statusTracker().getJobIdsForGroup("local rows")
    assert [tuple(row) for row in rows.frame.collect()] == [("B", 0), ("A", -1), (None, 2)]
    none = local_rows(made.where("name = 'C'"))
    assert none is not None
    assert (none.count, none.frame.collect(), none.frame.columns) == (0, [], ["name", "size"])


def test_parts(spark: Any) -> None:
    rows = local_rows(spark.createDataFrame(ROWS))
    assert rows is not None
    assert [row.n for row in rows.part(1, 3).collect()] == [2, 3]
    assert rows.part(0, 0).collect() == []
    named = local_rows(rows.part(0, 3).where("name = 'a'"))
    assert named is not None
    assert named.count == 2
    both = rows.part(0, 2).alias("l").join(rows.part(2, 4).alias("r"), F.col("l.n") + 2 == F.col("r.n"))
    assert sorted((row[0], row[3]) for row in both.collect()) == [("a", "a"), ("b", None)]


def test_rows_that_are_not_local(spark: Any) -> None:
    assert local_rows(spark.range(3)) is None
    assert local_rows(spark.createDataFrame(ROWS).groupBy("name").count()) is None


def test_grouping_sorting_and_joining_need_no_shuffle(spark: Any) -> None:
    rows = local_rows(spark.createDataFrame(ROWS))
    assert rows is not None
    counted = rows.frame.groupBy("name").agg(F.sum("n").alias("n"))
    joined = counted.alias("l").join(rows.frame.alias("r"), F.col("l.name") == F.col("r.name")).orderBy("r.n")
    with queries_of_few_rows(spark):
        assert [(row[0], row[1]) for row in joined.collect()] == [("a", 4), ("b", 2), ("a", 4)]
        assert "Exchange hash" not in joined._jdf.queryExecution().executedPlan().toString()


def test_settings_are_as_before(spark: Any) -> None:
    names = ("spark.sql.adaptive.enabled", "spark.sql.shuffle.partitions", "spark.sql.codegen.wholeStage")
    before = [spark.conf.get(name, None) for name in names]
    with queries_of_few_rows(spark):
        assert [spark.conf.get(name) for name in names] == ["false", "1", "false"]
    assert [spark.conf.get(name, None) for name in names] == before
