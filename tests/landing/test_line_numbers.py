"""Line numbers hold when Spark reads a file in many pieces."""

from __future__ import annotations

import random
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehunt.landing.spark.line_numbers import numbered, scan, splits
from lakehunt.sources.blobs import path_of


def test_numbers_of_files_in_many_splits(spark: SparkSession, tmp_path: Path) -> None:
    generator = random.Random(7)
    written = {}
    for name in ("a b%20{1}.json", "c.json"):
        lines = [f"{i}:" + "x" * generator.choice((0, 1, 7, 300, 2000)) for i in range(1, 200)]
        (tmp_path / name).write_text("\r\n".join(lines))
        written[str(tmp_path / name)] = lines
    kept = spark.conf.get("spark.sql.files.maxPartitionBytes")
    spark.conf.set("spark.sql.files.maxPartitionBytes", "1500")
    try:
        lines = scan(spark, written)
        parts = splits(lines, F.lit(True))
        above = {part.uri: 150 if part.uri.endswith("c.json") else 0 for part in parts}
        rows = numbered(lines, parts, above).collect()
    finally:
        spark.conf.set("spark.sql.files.maxPartitionBytes", str(kept))
    assert len(parts) > 50
    found = {(path_of(row.uri).removeprefix("file:"), row.line): row.value.rstrip("\r") for row in rows}
    expected = {
        (name, number): line
        for name, lines_ in written.items()
        for number, line in enumerate(lines_, start=1)
        if number > 150 or not name.endswith("c.json")
    }
    assert found == expected
    assert {row.line for row in rows if row.is_last} == {199}
