"""Whether Spark starts, and what it can read and write."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from lakehunt.core.errors import LakehuntError
from lakehunt.operations import check
from lakehunt.operations.check import Check, Result
from lakehunt.runtime import error_text, session
from lakehunt.runtime.settings import SparkSettings


def checks(config: SparkSettings, root: str | None) -> Iterator[Check]:
    """Starts Spark once, as a hunt does. `root` is a lake's place that only Spark reaches."""
    yield from check.made("Spark starts", lambda: _started(config, root))


def _started(config: SparkSettings, root: str | None) -> Iterator[Result]:
    begun = time.perf_counter()
    spark = session.start(config)
    try:
        yield check.ok(f"in {time.perf_counter() - begun:.1f} s")
        _write_table(spark)
        yield check.ok("it writes and reads a Delta table")
        if root is not None:
            _write_file(spark, root)
            yield check.ok(f"it writes and reads in {root}")
    except Exception as error:  # whatever Java says
        raise (error if isinstance(error, LakehuntError) else error_text.failure(error)) from error
    finally:
        if session.is_own(spark):
            spark.stop()


def _write_table(spark: SparkSession) -> None:
    """In a temporary folder of this machine, which a cluster's executors may not see: there only the driver works."""
    with tempfile.TemporaryDirectory(prefix="lakehunt-doctor-") as folder:
        table = Path(folder, "table").as_uri()
        spark.range(1).coalesce(1).write.format("delta").save(table)
        if spark.read.format("delta").load(table).count() != 1:
            raise LakehuntError("a Delta table with one row was written, and another number of rows was read")


def _write_file(spark: SparkSession, root: str) -> None:
    """By Hadoop's own file system, as Delta writes commits."""
    jvm: Any = spark._jvm
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()
    place = jvm.org.apache.hadoop.fs.Path(f"{root.rstrip('/')}/_lakehunt-doctor-{uuid.uuid4().hex}")
    files = place.getFileSystem(hadoop)
    files.create(place, False).close()
    try:
        files.getFileStatus(place)
    finally:
        files.delete(place, False)
