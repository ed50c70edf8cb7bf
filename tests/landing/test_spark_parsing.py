"""What only Spark's host of the parser has to care about: its executors, and what goes to them and back."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from lakehunt.landing.spark.parsing import LineParser, events
from lakehunt.runtime import error_text, settings
from lakehunt.schemas.event_tables import BY_NAME
from tests.support.blobs import NOW, record

NETWORK = BY_NAME["DeviceNetworkEvents"]
Line = tuple[str, bytes, bool]


def lines(spark: SparkSession, given: Sequence[Line]) -> DataFrame:
    rows = [(file, number, bytearray(value), cut) for number, (file, value, cut) in enumerate(given, start=1)]
    return spark.createDataFrame(rows, "file STRING, line BIGINT, value BINARY, may_be_cut BOOLEAN").coalesce(1)


def test_a_record_is_in_the_column_of_its_table(spark: SparkSession) -> None:
    flow = record(NETWORK.category, RemotePort=443, RemoteIP="10.0.0.1")
    given = [
        ("a", record(FileName="x").encode() + b"\r", False),
        ("a", flow.encode(), False),
        ("a", b" \t\r", True),
        ("a", b"nope", True),
        ("a", record("AdvancedHunting-EmailEvents").encode(), False),
        ("a", record(DeviceId=7).encode(), False),
        ("a", record().encode()[:-1], False),
        ("a", record().encode()[:-1], True),
        ("a", b"\xff", False),
    ]
    made = LineParser(("DeviceProcessEvents", NETWORK.name)).records(lines(spark, given))
    found = {row.line: row for row in made.collect()}
    assert {line: (row.event_table, row.reasons) for line, row in found.items()} == {
        1: ("DeviceProcessEvents", []),
        2: ("DeviceNetworkEvents", []),
        4: ("", ["not JSON, or a key occurs twice"]),
        5: (None, []),
        6: ("DeviceProcessEvents", ["DeviceId: expected a string, found an integer (7)"]),
        7: ("", ["not JSON, or a key occurs twice"]),
        9: ("", ["not UTF-8"]),
    }
    assert [line for line, row in found.items() if row.DeviceProcessEvents is not None] == [1, 6]
    assert [line for line, row in found.items() if row.DeviceNetworkEvents is not None] == [2]
    assert (found[1].text, found[9].text, bytes(found[9].bytes)) == (given[0][1].decode().rstrip("\r"), None, b"\xff")
    stored = made.selectExpr("*", "1L AS batch", f"TIMESTAMP '{NOW:%Y-%m-%d %H:%M:%S}' AS landed_at")
    (event,) = events(stored, NETWORK).collect()
    assert (event.RemotePort, event.RemoteIP, event.line, event.DeviceId) == (443, "10.0.0.1", 2, "d1")


def test_lines_go_to_python_in_batches_of_bounded_size(spark: SparkSession) -> None:
    most = int(settings.DEFAULTS["spark.sql.execution.arrow.maxBytesPerBatch"])

    def sizes(batches):  # type: ignore[no-untyped-def]
        import pyarrow as pa

        for batch in batches:
            yield pa.RecordBatch.from_arrays([pa.array([batch.nbytes])], names=["size"])

    wide = spark.range(60, numPartitions=1).selectExpr("repeat('x', 1000000) AS value")
    found = [row["size"] for row in wide.mapInArrow(sizes, "size BIGINT").collect()]
    assert len(found) > 2
    assert max(found) < 1.5 * most


def test_executors_without_lakehunt_are_told_apart(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = Path(sys._base_executable)  # type: ignore[attr-defined]
    monkeypatch.setattr(spark.sparkContext, "pythonExec", str(bare))
    monkeypatch.setattr(spark.sparkContext, "environment", {"PYTHONNOUSERSITE": "1"})
    made = LineParser(("DeviceProcessEvents",)).records(lines(spark, [("a", b"nope", False)]))
    with pytest.raises(PySparkException) as failed:
        made.collect()
    described = error_text.describe(failed.value)
    assert "Spark's executors lack what records are parsed with: No module named " in described
    assert "docs/how-to/clusters.md" in described
