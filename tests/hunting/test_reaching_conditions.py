"""Conditions that reach down to events through sorts, joins and expansions: what is found from hits is what is found in
all events, and what was worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from lakehunt.hunting import engine
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import writer
from lakehunt.hunting.findings.run_log import FULL, INCREMENTAL
from lakehunt.lake.delta_lake import Lake
from tests.support.events import event, store
from tests.support.hunts import ticks

E = "DeviceProcessEvents"
AS_OF = ticks("2026-03-31T00:00:00Z")

EVENTS = [
    event(ReportId=1, Timestamp="2026-03-05T10:00:00Z", DeviceId="a", FileName="cmd.exe", ProcessCommandLine="x y"),
    event(ReportId=2, Timestamp="2026-03-20T10:00:00Z", DeviceId="b", FileName="net.exe", ProcessCommandLine="y"),
    event(ReportId=3, Timestamp="2026-03-29T10:00:00Z", DeviceId="a", FileName="cmd.exe", ProcessCommandLine="z"),
    event(ReportId=4, Timestamp="2026-03-30T10:00:00Z", DeviceId="b", FileName="cmd.exe", ProcessCommandLine="x"),
]

HUNTS: dict[str, tuple[str, list[list[Any]]]] = {
    # a time filter after a sort: events older than seven days count
    f"{E} | where FileName == 'cmd.exe' | sort by ReportId desc | where Timestamp > ago(30d) | project ReportId": (
        INCREMENTAL, [[4], [3], [1]]
    ),
    f"{E} | sort by ReportId desc | where Timestamp > ago(5d) and FileName == 'cmd.exe' | project ReportId": (
        INCREMENTAL, [[4], [3]]
    ),
    # the row before may be older than the filter, and of another file
    f"{E} | sort by ReportId asc | extend b = prev(ReportId) | where Timestamp > ago(5d) and FileName == 'cmd.exe'"
    " | project ReportId, b": (FULL, [[3, 2], [4, 3]]),
    f"{E} | where DeviceId == 'a' | sort by ReportId asc | extend b = prev(ReportId) | where Timestamp > ago(5d)"
    " | project ReportId, b": (INCREMENTAL, [[3, 1]]),
    # an element has its event's columns
    f"{E} | mv-expand w = split(ProcessCommandLine, ' ') to typeof(string) | where Timestamp > ago(30d)"
    " and FileName == 'cmd.exe' | sort by ReportId asc, w asc | project ReportId, w": (
        INCREMENTAL, [[1, "x"], [1, "y"], [3, "z"], [4, "x"]]
    ),
    # each side of a join has conditions of its own; only the left side of an outer one
    f"let t = {E} | project Timestamp, DeviceId, FileName, ReportId; t | join kind=inner t on DeviceId"
    " | where FileName == 'net.exe' and FileName1 == 'cmd.exe' and Timestamp > ago(30d) and Timestamp1 > ago(5d)"
    " | project ReportId, ReportId1": (INCREMENTAL, [[2, 4]]),
    f"let t = {E} | where Timestamp > ago(30d) | project DeviceId, FileName, ReportId; t | join kind=leftouter ("
    "t | where FileName == 'net.exe') on DeviceId | where FileName == 'cmd.exe' | sort by ReportId asc"
    " | project ReportId, ReportId1": (INCREMENTAL, [[1, None], [3, None], [4, 2]]),
    # the left row that stands for its key is chosen among all
    f"let t = {E} | where Timestamp > ago(30d); t | where ReportId < 4 | join kind=innerunique ("
    "t | where ReportId == 3) on DeviceId | where FileName == 'cmd.exe' | project ReportId, ReportId1": (
        INCREMENTAL, [[1, 3]]
    ),
}  # fmt: skip


@pytest.fixture
def filled(lake: Lake) -> Lake:
    for one in EVENTS:
        store(lake, [one])
    return lake


def test_what_is_found_in_hits_and_in_all_events(filled: Lake) -> None:
    hunts = [Hunt(f"{i:08x}-0000-4000-8000-000000000000", f"h{i}", query) for i, query in enumerate(HUNTS)]
    for full in (False, True):
        runs = engine.run_hunts(filled, hunts, AS_OF, lambda step: None, full=full)
        assert [run.error for run in runs] == [None] * len(hunts)
        for run, one in zip(runs, hunts, strict=True):
            mode, expected = HUNTS[one.query]
            assert run.mode == (FULL if full else mode), one.query
            assert _found(filled, one, len(expected[0])) == expected, one.query


def _found(lake: Lake, one: Hunt, width: int) -> list[list[Any]]:
    rows = lake.read(writer.name_of(one)).orderBy("ordinal").collect()
    return [list(row)[:width] for row in rows]
