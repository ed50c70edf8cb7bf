"""A cluster's executors come and go, and with them the number of cores by which Spark cuts files into splits."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehunt.landing.spark.ingest import Landing
from tests.support.landing import ingest

CORES = "spark.sql.leafNodeDefaultParallelism"
OPENING = "spark.sql.files.openCostInBytes"  # a split is at least so large


def _ignore(_: str) -> None:
    """Takes what a run says."""


def test_every_record_is_landed_with_its_line(lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cores grow from one to a thousand between the count of the lines and their reading."""
    for name in "abc":
        lines = [f'{{"category": "{name}", "properties": {{"number": {line}}}}}\n' for line in range(1, 10)]
        (tmp_path / f"{name}.json").write_text("".join(lines))
    landed = Landing._landed_lines

    def while_the_cluster_grows(*arguments):  # type: ignore[no-untyped-def]
        lake.spark.conf.set(CORES, "1000")
        return landed(*arguments)

    monkeypatch.setattr(Landing, "_landed_lines", while_the_cluster_grows)
    lake.spark.conf.set(OPENING, "50")
    lake.spark.conf.set(CORES, "1")
    try:
        delivered = ingest(lake, f"{tmp_path}/*.json", datetime(2026, 3, 10, tzinfo=UTC), _ignore).delivered
    finally:
        lake.spark.conf.unset(CORES)
        lake.spark.conf.unset(OPENING)
    rows = lake.read("raw.records").select("category", "line", "text").collect()
    assert delivered == len(rows) == 27
    assert {(row.category, row.line) for row in rows} == {(name, line) for name in "abc" for line in range(1, 10)}
    assert all(f'"number": {row.line}}}' in row.text for row in rows)
