"""Where only Spark reaches a lake, its status and its metrics are the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehunt.cli import context, measuring
from lakehunt.config import Config
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.settings import HuntingSettings
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.small_tables import LocalTables
from lakehunt.operations import status
from lakehunt.operations.metrics import publishing
from lakehunt.operations.metrics.ledgers import Ledgers
from lakehunt.operations.metrics.settings import MetricsSettings
from lakehunt.schemas.alert_tables import SENT
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.hunt_tables import LATE, PASSES, RUNS
from lakehunt.schemas.landing_tables import BATCHES
from tests.support.ledger_rows import append

NOW = datetime.now(UTC).replace(microsecond=0)
HUNT = Hunt("0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a01", "one", "DeviceProcessEvents", query_frequency=timedelta(hours=1))


def test_they_are_the_same(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "lake"
    local = LocalTables(str(root))
    counts = {"delivered": 3, "events": 2, "quarantined": 1, "duplicates": 0}
    append(local, BATCHES, {"batch": 1, "landed_at": NOW, "outcome": "settled", **counts})
    event = {"batch": 1, "landed_at": NOW, "event_date": NOW.date()}
    lags = (timedelta(seconds=60), timedelta(hours=30))
    append(local, DEVICE_PROCESS_EVENTS.events, *({**event, "Timestamp": NOW - lag} for lag in lags))
    began = NOW - timedelta(days=3)
    id_ = f"{began:%Y%m%dT%H%M%S%f}Z-00000001"
    run = {"run_id": id_, "hunt_id": HUNT.id, "hunt_name": "one", "hunt_version": HUNT.digest, "as_of": began}
    append(
        local,
        RUNS,
        {**run, "started_at": began, "outcome": "started", "reason": "due"},
        {**run, "started_at": began, "outcome": "failed", "reason": "due", "error": "why", "seconds": 2.0},
        {**run, "run_id": "killed", "started_at": began, "outcome": "started", "reason": "due"},
    )
    append(local, LATE, {"run_id": id_, "change": "removed"})
    append(local, PASSES, {"events": 2, "bytes": 10, "seconds": 1.5})
    append(
        local, SENT, {"channel": "soc", "kind": "failure", "key": "k", "alert_id": "a", "as_of": NOW, "sent_at": NOW}
    )
    expected = publishing.State().refreshed(Ledgers(local, [HUNT], HuntingSettings(), NOW))
    told = status.status(local, [HUNT], HuntingSettings(), times.from_datetime(NOW))
    assert len(told.failing) == 1

    elsewhere = root.rename(tmp_path / "100% lake")  # a path that delta-rs does not take
    lake = Lake(spark, str(elsewhere))
    assert publishing.State().refreshed(Ledgers(lake, [HUNT], HuntingSettings(), NOW)) == expected
    found = status.status(lake, [HUNT], HuntingSettings(), times.from_datetime(NOW))
    assert (found.tables, found.due, found.failing) == (told.tables, told.due, told.failing)

    # A job publishes what was collected before its session ends; that of the tests goes on.
    monkeypatch.setattr("lakehunt.runtime.session.is_own", lambda spark: False)
    config = Config(str(elsewhere), metrics=MetricsSettings(tmp_path / "lakehunt.prom"))
    with measuring.measured(config, "hunt") as outcome:
        with context.lake(config, writing=True):
            pass
        outcome.succeeded = True
    text = (tmp_path / "lakehunt.prom").read_text()
    assert 'lakehunt_records_landed_total{table="DeviceProcessEvents"} 3' in text
    assert 'lakehunt_command_runs_total{command="hunt",outcome="succeeded"} 1' in text
