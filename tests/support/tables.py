"""The tables of a lake as they are in files, to compare lakes."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from deltalake import DeltaTable

from lakehunt.config import Config
from lakehunt.hunting import engine
from lakehunt.hunting.content import hunt_file
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from lakehunt.quality.data_docs import DataDocs
from tests.support.landing import ingest, promote
from tests.support.paths import PROJECT

SAMPLES = PROJECT / "samples/streaming"
AS_OF = "2026-03-10T00:00:00Z"
"""The end of the samples' week."""

OF_A_RUN = {"landed_at", "validated_at", "started_at", "seconds", "run_id", "pass_id", "bytes_read"}
OF_A_PASS = {"hunts/passes": {"bytes"}}
"""Columns that differ from run to run. The same events take more bytes or fewer, in another order or in more files."""


def run_samples(lake: Lake) -> None:
    """Lands and hunts the samples, once and undisturbed, in the session of these tests."""

    def ignore(_: str) -> None: ...

    ingest(lake, str(SAMPLES), datetime.now(UTC), ignore)
    promote(lake, Config().expectations, DataDocs(), ignore)
    hunts, _ = hunt_file.load_folder(Config().hunts)
    as_of = times.parse_datetime(AS_OF)
    assert as_of is not None
    engine.run_hunts(lake, hunts, as_of, ignore)


def tables(lake: Path) -> list[str]:
    """The tables of a lake, as its folders name them."""
    return sorted(str(log.parent.relative_to(lake)) for log in lake.glob("*/*/_delta_log"))


def rows(lake: Path, table: str) -> Counter[str]:
    """Every row of a table, and how often it is there, without what differs from run to run."""
    found = DeltaTable(lake / table).to_pyarrow_table().to_pylist()
    left_out = OF_A_RUN | OF_A_PASS.get(table, set())
    kept = ({name: value for name, value in row.items() if name not in left_out} for row in found)
    return Counter(json.dumps(row, default=str, sort_keys=True) for row in kept)
