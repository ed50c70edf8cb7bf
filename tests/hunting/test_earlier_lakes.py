"""A lake that an earlier version of Lakehunt wrote: its hits and findings are found again (data/README.md)."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from deltalake.schema import Field, PrimitiveType

from lakehunt.hunting import engine
from lakehunt.hunting.content import hunt_file
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import writer
from lakehunt.hunting.findings.run_log import INCREMENTAL
from lakehunt.kql import semantics
from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas.hunt_tables import HITS, PASSES
from tests.support.events import event, store
from tests.support.hunts import ticks
from tests.support.paths import PROJECT

STORED = Path(__file__).with_name("data") / "lake-0.1.0.tar.gz"
AS_OF = "2026-03-07T00:00:00Z"

ENCODED = Hunt(
    id="0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10",
    name="PowerShell, encoded",
    query="""DeviceProcessEvents
| where FileName =~ "powershell.exe" and ProcessCommandLine has_any ("-enc", "-EncodedCommand")
| summarize Count = count(), Lines = make_set(tolower(ProcessCommandLine)) by DeviceName, bin(Timestamp, 1d)
""",
)


@pytest.fixture
def earlier(spark: Any, tmp_path: Path) -> Lake:
    with tarfile.open(STORED) as archive:
        archive.extractall(tmp_path / "earlier", filter="data")
    return Lake(spark, str(tmp_path / "earlier"))


@pytest.fixture
def of_november(spark: Any, tmp_path: Path) -> Lake:
    with tarfile.open(STORED.with_name("lake-0.1.0-2026-11.tar.gz")) as archive:
        archive.extractall(tmp_path / "november", filter="data")
    return Lake(spark, str(tmp_path / "november" / "lake"))


def all_hunts() -> list[Hunt]:
    """Read again for each run: a hunt keeps the version that it had."""
    seeds = [
        hunt_file.load(PROJECT / "hunts" / f"{name}.yaml")
        for name in (
            "detect-suspicious-commands-initiated-by-web-server-processes",
            "webserver-executing-suspicious-applications",
        )
    ]
    return [*seeds, Hunt(ENCODED.id, ENCODED.name, ENCODED.query)]


def run(lake: Lake, as_of: str = AS_OF) -> list[engine.Run]:
    runs = engine.run_hunts(lake, all_hunts(), ticks(as_of), lambda step: None)
    assert [(one.error, one.mode) for one in runs] == [(None, INCREMENTAL)] * 3
    return runs


def rows(lake: Lake, table: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in lake.read(table).collect()), key=repr)


def renamed(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A finding with the name that ATT&CK gave TA0005 since."""
    return tuple(
        ["Stealth" if one == "Defense Evasion" else one for one in v] if isinstance(v, list) else v for v in row
    )


def test_its_hits_and_findings_are_found_again(earlier: Lake) -> None:
    stored = rows(earlier, writer.ALL)
    passes, hits = rows(earlier, PASSES.name), rows(earlier, HITS.name)
    assert (len(stored), len(passes), len(hits)) == (6, 1, 6)
    runs = run(earlier)
    assert [one.events_scanned for one in runs] == [0, 0, 0]
    assert [one.findings for one in runs] == [2, 2, 2]
    assert rows(earlier, PASSES.name) == passes
    assert rows(earlier, HITS.name) == hits
    assert rows(earlier, writer.ALL) == [renamed(row) for row in stored]


def test_only_new_events_are_read(earlier: Lake) -> None:
    store(earlier, [event(ReportId=6, DeviceId="d6", DeviceName="web-06", Timestamp="2026-03-02T08:00:00Z")])
    runs = run(earlier)
    assert [one.events_scanned for one in runs] == [1, 1, 1]
    assert [one.findings for one in runs] == [3, 3, 2]  # a new device is a new row of both seed hunts


def test_a_function_with_other_results_renews_the_hits_of_its_hunts(
    earlier: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(semantics, "VERSIONS", {"tolower": 2})  # of the three, only the last uses it
    assert [one.events_scanned for one in run(earlier)] == [0, 0, 5]
    assert [one.events_scanned for one in run(earlier)] == [0, 0, 0]


def test_a_lake_of_november_2026_is_hunted_in_and_keeps_columns_of_a_later_version(of_november: Lake) -> None:
    stored, passes, hits = (rows(of_november, name) for name in (writer.ALL, PASSES.name, HITS.name))
    for name in ("hunts.runs", PASSES.name, HITS.name, writer.ALL, "events.device_process_events"):
        DeltaTable(of_november.path(name)).alter.add_columns([Field("of_later", PrimitiveType("string"))])
    seeds = all_hunts()[:2]
    runs = engine.run_hunts(of_november, seeds, ticks("2026-03-08T00:00:00Z"), lambda step: None)
    assert [(one.error, one.mode, one.events_scanned) for one in runs] == [(None, INCREMENTAL, 0)] * 2
    assert runs[0].findings == 1  # of one device, by the first hunt: a row for each device
    later = (None,)
    assert rows(of_november, PASSES.name) == [(*row, *later) for row in passes]
    assert rows(of_november, HITS.name) == [(*row, *later) for row in hits]
    assert rows(of_november, writer.ALL) == [(*row, *later) for row in stored]
