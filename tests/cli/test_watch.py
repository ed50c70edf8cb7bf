"""`lakehunt watch`: rounds in the tests' session, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehunt import cli, config
from lakehunt.cli import watch
from lakehunt.cli.watch import Watch
from lakehunt.hunting.at_once import is_decided_by_single_events
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY
from lakehunt.lake import write_lock
from lakehunt.lake.small_tables import LocalTables
from lakehunt.schemas.hunt_tables import RUNS
from tests.support.blobs import blob, record

SINGLE, COUNTED = (f"0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7b{number:02}" for number in range(2))
QUERY = "DeviceProcessEvents | where Timestamp > ago(1d) and FileName =~ 'cmd.exe'"


@pytest.fixture
def settings(tmp_path: Path) -> config.Config:
    for id_, query in (
        (SINGLE, f"{QUERY} | project Timestamp, DeviceId"),
        (COUNTED, f"{QUERY} | summarize n = count() by DeviceId"),
    ):
        file = tmp_path / "hunts" / f"{id_}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"id: {id_}\nname: {id_[-2:]}\nquery: {query}\nqueryFrequency: 14d\n")
    (tmp_path / "source").mkdir()
    (tmp_path / "lake").mkdir()
    file = tmp_path / "lakehunt.yaml"
    told = tmp_path / "told.jsonl"
    file.write_text(
        json.dumps({"lake": "lake", "hunts": "hunts", "alerts": {"channels": {"siem": {"ocsf": str(told)}}}})
    )
    return config.load(str(file))


def arrives(folder: Path, device: str, file: str = "cmd.exe") -> None:
    at = datetime.now(UTC) - timedelta(minutes=1)
    line = record(
        Timestamp=f"{at:%Y-%m-%dT%H:%M:%S.%fZ}", DeviceId=device, DeviceName=device, FileName=file, ReportId=1
    )
    blob(folder, line + "\n", f"{device}.json")


def told(folder: Path) -> list[str]:
    """The devices of alerts, in the order in which they were sent."""
    file = folder / "told.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return [json.loads(line)["resources"][0]["name"] for line in lines]


def reasons(folder: Path) -> list[tuple[str, str]]:
    rows = LocalTables(str(folder / "lake")).few(RUNS, only=[("outcome", "=", "succeeded")])
    return sorted((row["hunt_name"], row["reason"]) for row in rows)


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("| project DeviceId", True),
        ("| extend a = strlen(FileName) | where a > 3", True),
        ("| project DeviceId | order by DeviceId", True),
        ("| order by Timestamp asc | extend n = row_number()", False),
        ("| count", False),
        ("| summarize count() by DeviceId", False),
        ("| take 3", False),
        ("| join (DeviceProcessEvents) on DeviceId", False),
    ],
)
def test_what_single_events_decide(rest: str, expected: bool) -> None:
    assert is_decided_by_single_events(EVENTS_ONLY.bind(f"{QUERY} {rest}")) is expected


def test_rounds(spark: Any, tmp_path: Path, settings: config.Config, capsys: pytest.CaptureFixture[str]) -> None:
    """The first round lands an event before the clocks of the hunts have begun: the hunt that it decides is asked at
    once, then both at their newest as-of, of up to two weeks ago, when there was no event. An event that nobody
    looks for asks nobody, one that arrives later asks the one hunt alone, and nothing is told twice."""
    said: list[str] = []
    watching = Watch(settings, str(tmp_path / "source"), True, said.append, threading.Event())
    arrives(tmp_path / "source", "first")
    assert watching.round()
    assert told(tmp_path) == ["first"]
    begun = [("00", "due"), ("00", "landed"), ("01", "due")]
    assert reasons(tmp_path) == begun
    assert "landed 1 records from 1 files" in capsys.readouterr().out
    assert watching.round()
    assert capsys.readouterr().out == ""
    arrives(tmp_path / "source", "quiet", "notepad.exe")
    assert watching.round()
    assert reasons(tmp_path) == begun
    arrives(tmp_path / "source", "second")
    assert watching.round()
    assert reasons(tmp_path) == sorted([*begun, ("00", "landed")])
    assert told(tmp_path) == ["first", "second"]


def test_a_round_that_fails_is_survived(
    tmp_path: Path, settings: config.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pauses grow; the first one that goes well is followed by the plain pause. Without Spark: nothing lands."""
    said: list[str] = []
    stop = threading.Event()
    watching = Watch(settings, str(tmp_path / "source"), True, said.append, stop)
    outcomes = iter([RuntimeError("one"), RuntimeError("two"), True, RuntimeError("three"), False])
    waited: list[float] = []

    def round_() -> bool:
        outcome = next(outcomes)
        if isinstance(outcome, RuntimeError):
            raise outcome
        return outcome

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return len(waited) == 5

    watching.round = round_  # type: ignore[method-assign]
    watching.session.begin = lambda: None  # type: ignore[method-assign]
    stop.wait = wait  # type: ignore[method-assign, assignment]
    assert watching.run(10.0) is False
    assert waited == [20.0, 40.0, 10.0, 20.0, 10.0]
    assert "lakehunt: RuntimeError: one" in capsys.readouterr().err
    assert said[-1] == "ended"


def test_a_source_without_files_gives_a_round_up(
    tmp_path: Path, settings: config.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    watching = Watch(settings, str(tmp_path / "source"), True, lambda step: None, threading.Event())
    assert watching._round_survived() is None
    assert "holds no file" in capsys.readouterr().err


def test_one_watch_for_a_lake(tmp_path: Path, settings: config.Config, capsys: pytest.CaptureFixture[str]) -> None:
    with write_lock.only_one(settings.lake, watch.WORK) as is_alone:
        assert is_alone
        assert cli.main(["watch", str(tmp_path / "source"), "--config", str(tmp_path / "lakehunt.yaml")]) == 1
    assert "another `lakehunt watch` follows a source into the lake" in capsys.readouterr().err


def test_signals_end_it_between_steps() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with watch._until_signal() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
