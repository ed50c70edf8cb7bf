"""Hunts that join, unite and expand events: what they find, and the events that a finding is made of."""

from __future__ import annotations

from typing import Any

import pytest

from lakehunt.hunting import engine
from lakehunt.hunting.content import hunt_file
from lakehunt.hunting.findings import writer
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from tests.support.events import event, store

AS_OF = "2026-03-07T00:00:00Z"

EVENTS = {
    # two devices; on the first a shell starts two tools, on the second one tool runs by itself
    "shell": event(Timestamp="2026-03-01T10:00:00Z", FileName="cmd.exe", ReportId=1),
    "net": event(Timestamp="2026-03-01T11:00:00Z", FileName="net.exe", ReportId=2, ProcessCommandLine="net use net"),
    "ping": event(Timestamp="2026-03-01T12:00:00.0000001Z", FileName="ping.exe", ReportId=3, AccountName="other"),
    "alone": event(Timestamp="2026-03-02T10:00:00Z", FileName="net.exe", DeviceId="device-2", ReportId=4,
                   DeviceName="db01", ProcessCommandLine="net user /add"),
}  # fmt: skip

HUNTS: dict[str, tuple[str, list[tuple[Any, ...]], list[list[str]]]] = {
    # the query; its rows, in order; the events of each
    "self-join": (
        """let tools = DeviceProcessEvents | where FileName in ('net.exe', 'ping.exe');
        DeviceProcessEvents | where FileName == 'cmd.exe' | join kind=inner tools on DeviceId
        | where Timestamp1 > Timestamp | sort by Timestamp1 asc
        | project DeviceId, FileName, Tool = FileName1, AccountName1""",
        [("device-1", "cmd.exe", "net.exe", "apppool"), ("device-1", "cmd.exe", "ping.exe", "other")],
        [["shell", "net"], ["shell", "ping"]],
    ),
    "self-join of an event with itself": (
        """DeviceProcessEvents | join kind=inner DeviceProcessEvents on DeviceId
        | summarize pairs = count() by DeviceId | sort by DeviceId asc""",
        [("device-1", 9), ("device-2", 1)],
        [["shell", "net", "ping"], ["alone"]],
    ),
    "outer join": (
        """DeviceProcessEvents | where FileName == 'net.exe' | join kind=leftouter
        (DeviceProcessEvents | where FileName == 'ping.exe') on DeviceId
        | sort by DeviceId asc | project DeviceId, FileName1""",
        [("device-1", "ping.exe"), ("device-2", "")],
        [["net", "ping"], ["alone"]],
    ),
    "union of two lets": (
        """let shells = DeviceProcessEvents | where FileName == 'cmd.exe' | project DeviceId, Which = 'shell';
        let tools = DeviceProcessEvents | where FileName == 'net.exe' | project DeviceId, Which = 'tool', n = 1;
        union shells, tools | summarize Seen = make_set(Which), n = sum(n) by DeviceId | sort by DeviceId asc""",
        [("device-1", ["shell", "tool"], 1), ("device-2", ["tool"], 1)],
        [["shell", "net"], ["alone"]],
    ),
    "mv-expand": (
        """DeviceProcessEvents | where FileName == 'net.exe'
        | mv-expand word = split(ProcessCommandLine, ' ') to typeof(string)
        | summarize n = count() by word | where word in ('net', '/add') | sort by word asc""",
        [("/add", 1), ("net", 3)],
        [["alone"], ["net", "alone"]],
    ),
    "mv-apply": (
        """DeviceProcessEvents | mv-apply word = split(ProcessCommandLine, ' ') to typeof(string)
        on (where word == 'net' | summarize n = count()) | sort by Timestamp asc | project FileName, n""",
        [("cmd.exe", 0), ("net.exe", 2), ("ping.exe", 0), ("net.exe", 1)],
        [["shell"], ["net"], ["ping"], ["alone"]],
    ),
    "in a subquery": (
        """DeviceProcessEvents | where DeviceId in ((DeviceProcessEvents | where FileName == 'ping.exe'
        | project DeviceId)) and FileName == 'net.exe' | project DeviceId, FileName""",
        [("device-1", "net.exe")],
        [["net"]],
    ),
    "make-series": (
        """DeviceProcessEvents | make-series n = count() on Timestamp from datetime(2026-03-01) to
        datetime(2026-03-03) step 1d by DeviceId | sort by DeviceId asc | project DeviceId, n""",
        [("device-1", [3, 0]), ("device-2", [0, 1])],
        [["shell", "net", "ping"], ["alone"]],
    ),
    "top-nested": (
        """DeviceProcessEvents | top-nested 1 of DeviceId by n = count(), top-nested 2 of FileName by max(Timestamp)
        | sort by FileName asc | project DeviceId, n, FileName""",
        [("device-1", 3, "net.exe"), ("device-1", 3, "ping.exe")],
        [["net"], ["ping"]],
    ),
    "pivot": (
        """DeviceProcessEvents | evaluate pivot(FileName, count(), DeviceId) : (DeviceId: string, ['net.exe']: long)
        | sort by DeviceId asc | project-rename net = ['net.exe']""",
        [("device-1", 1), ("device-2", 1)],
        [["shell", "net", "ping"], ["alone"]],
    ),
    "scan": (
        """DeviceProcessEvents | sort by Timestamp asc | scan declare (tools: long = 0) with
        (step a output=none: FileName == 'cmd.exe';
        step b: DeviceId == a.DeviceId and FileName != 'cmd.exe' => tools = b.tools + 1;)
        | project FileName, tools""",
        [("net.exe", 1), ("ping.exe", 2)],
        [["net"], ["ping"]],
    ),
    "partition": (
        """DeviceProcessEvents | partition by DeviceId (where FileName != 'net.exe' | summarize n = count())
        | sort by n asc""",
        [(0,), (2,)],
        [[], ["shell", "ping"]],
    ),
}


def _hunt(name: str) -> hunt_file.Hunt:
    number = list(HUNTS).index(name)
    return hunt_file.Hunt(id=f"0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a{number:02}", name=name, query=HUNTS[name][0])


def _run(lake: Lake, *names: str) -> list[engine.Run]:
    as_of = times.parse_datetime(AS_OF)
    assert as_of is not None
    return engine.run_hunts(lake, [_hunt(name) for name in names], as_of, lambda step: None)


@pytest.fixture(scope="module")
def found(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with these events, after a run of all hunts."""
    lake = Lake(spark, str(tmp_path_factory.mktemp("joined")))
    store(lake, EVENTS.values())
    runs = _run(lake, *HUNTS)
    assert {r.error for r in runs} == {None}
    return lake


@pytest.fixture(scope="module")
def common(found: Lake) -> list[dict[str, Any]]:
    return [row.asDict() for row in found.read(writer.ALL).collect()]


@pytest.fixture(scope="module")
def names(found: Lake) -> dict[str, str]:
    """What an event is called here, by its id."""
    ids = {row["ReportId"]: row["event_id"] for row in found.read("events.device_process_events").collect()}
    return {ids[columns["ReportId"]]: name for name, columns in EVENTS.items()}


@pytest.mark.parametrize("name", HUNTS)
def test_findings(found: Lake, name: str) -> None:
    _, rows, _ = HUNTS[name]
    own = found.read(writer.name_of(_hunt(name))).orderBy("ordinal").collect()
    assert [tuple(row)[: len(rows[0])] for row in own] == rows


@pytest.mark.parametrize("name", HUNTS)
def test_evidence(common: list[dict[str, Any]], names: dict[str, str], name: str) -> None:
    """The events behind each finding, each of them counted once, the earliest first."""
    _, _, evidence = HUNTS[name]
    own = sorted((f for f in common if f["hunt_name"] == name), key=lambda f: f["ordinal"])
    assert [[names[e] for e in f["evidence"]] for f in own] == evidence
    assert [f["events"] for f in own] == [len(e) for e in evidence]
    assert len({f["finding_id"] for f in own}) == len(evidence)


def test_a_joined_finding_tells_who_and_when_of_both_sides(common: list[dict[str, Any]]) -> None:
    first, second = sorted((f for f in common if f["hunt_name"] == "self-join"), key=lambda f: f["ordinal"])
    assert (first["device_id"], first["device_name"], first["account_name"]) == (
        "device-1",
        "web01.contoso.example",
        "apppool",
    )
    assert (second["device_id"], second["account_name"]) == ("device-1", None)
    assert [f"{first[c]:%d %H}" for c in ("first_seen", "last_seen")] == ["01 10", "01 11"]
    assert [f"{second[c]:%d %H}" for c in ("first_seen", "last_seen")] == ["01 10", "01 12"]


def test_a_run_again_finds_the_same(found: Lake, common: list[dict[str, Any]]) -> None:
    def told(rows: list[dict[str, Any]]) -> list[str]:
        return sorted(str(row) for row in rows)

    _run(found, "self-join", "mv-apply")
    assert told([row.asDict() for row in found.read(writer.ALL).collect()]) == told(common)
