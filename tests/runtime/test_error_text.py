"""What is told of Spark's and Java's errors, each thrown by the real thing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from lakehunt.core.errors import LakehuntError
from lakehunt.runtime.error_text import describe


def test_of_what_java_threw_the_innermost_cause(spark: Any) -> None:
    jvm = spark._jvm
    with pytest.raises(Py4JJavaError) as raised:
        jvm.org.apache.hadoop.fs.Path("nowhere://x/y").getFileSystem(spark._jsc.hadoopConfiguration())
    assert describe(raised.value) == 'UnsupportedFileSystemException: No FileSystem for scheme "nowhere"'


def test_of_a_task_that_failed_what_the_task_said(spark: Any, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 this is no Parquet file PAR1")
    frame = spark.read.schema("x INT").parquet(str(tmp_path))
    with pytest.raises((Py4JError, PySparkException)) as raised:
        frame.select(F.sum("x")).localCheckpoint()
    assert "a.parquet" in describe(raised.value)
    assert "\n" not in describe(raised.value)


def test_want_of_memory_says_how_to_give_more(spark: Any) -> None:
    with pytest.raises(Py4JJavaError) as raised:
        spark._jvm.java.lang.reflect.Array.newInstance(spark._jvm.java.lang.Long.TYPE, 2**31 - 1)
    told = describe(raised.value)
    assert told.startswith("OutOfMemoryError: ")
    assert "spark.driver.memory" in told


def test_a_stage_without_cause_names_the_error_of_its_task(spark: Any) -> None:
    text = (
        "Job aborted due to stage failure: Task 0 in stage 2811.0 failed 1 times, most recent failure: Lost task 0.0 "
        "in stage 2811.0 (TID 3412) (192.0.2.2 executor driver): org.apache.spark.memory.SparkOutOfMemoryError: "
        "[UNABLE_TO_ACQUIRE_MEMORY] Unable to acquire 65536 bytes of memory, got 0. SQLSTATE: 53200\n\tat org.apache.X"
    )
    with pytest.raises(Py4JJavaError) as raised:
        spark._jvm.java.util.Objects.requireNonNull(None, text)
    told = describe(raised.value)
    assert told.startswith("SparkOutOfMemoryError: [UNABLE_TO_ACQUIRE_MEMORY] Unable to acquire 65536 bytes")
    assert "org.apache" not in told
    assert "spark.driver.memory" in told


def test_other_errors_say_all_that_they_say() -> None:
    assert describe(LakehuntError("no table", "make one")) == "no table\n  hint: make one"
    assert describe(RecursionError("too deep")) == "RecursionError: too deep"
