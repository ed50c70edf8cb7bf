"""From a finding to its events and the processes around them, on hand-made events."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lakehunt.cli.findings import print_evidence
from lakehunt.core.errors import LakehuntError, UsageError
from lakehunt.hunting import engine
from lakehunt.hunting.content import hunt_file
from lakehunt.hunting.findings import evidence
from lakehunt.hunting.findings.process_tree import ProcessNode
from lakehunt.kql import times
from lakehunt.kql.types import TICKS_PER_MINUTE
from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from tests.support.events import event, store
from tests.support.hunts import ticks
from tests.support.paths import PROJECT

EVENTS = DEVICE_PROCESS_EVENTS.events

DAY = "2026-03-06T"
HOSTILE = "cmd.exe /c <script>\"'&\u202egpj.exe\x1b[2J\n" + "A" * 7_000


def process(clock: str, name: str, id_: int, parent: tuple[str, int, str], **more: Any) -> dict[str, Any]:
    """A process created on the day, and its parent: name, id and creation."""
    named = {"FileName": name, "ProcessId": id_, "ProcessCreationTime": f"{DAY}{clock}Z", "ProcessCommandLine": name}
    of_parent = dict(zip(("FileName", "Id", "CreationTime"), parent, strict=True))
    by = {f"InitiatingProcess{key}": value for key, value in of_parent.items()}
    return event(Timestamp=f"{DAY}{clock}Z", **(named | by | more))


SERVICES = {
    "InitiatingProcessParentFileName": "services.exe",
    "InitiatingProcessParentId": 4,
    "InitiatingProcessParentCreationTime": "2026-03-01T00:00:01Z",
}
POOL = ("w3wp.exe", 10, "2026-03-02T08:00:00.1234567Z")
SHELL = ("cmd.exe", 20, f"{DAY}10:00:00.7654321Z")

EVENTS_AROUND = [
    process("10:00:00.7654321", "cmd.exe", 20, POOL, ProcessCommandLine=HOSTILE, **SERVICES),
    process("10:00:01", "whoami.exe", 30, SHELL, InitiatingProcessParentFileName="w3wp.exe"),
    process("10:04:00", "net.exe", 21, POOL, **SERVICES),
    process("10:06:00", "late.exe", 22, POOL, **SERVICES),
    process("10:00:02", "other.exe", 23, ("w3wp.exe", 10, "2026-03-05T00:00:00Z"), InitiatingProcessFileName="x.exe"),
    process("10:00:01", "elsewhere.exe", 30, SHELL, DeviceId="device-2"),
]
WORKER = event(  # four days before: what started the shell; services.exe was started before the lake begins
    Timestamp="2026-03-02T08:00:00.1234567Z",
    FileName="w3wp.exe",
    ProcessId=10,
    ProcessCreationTime=POOL[2],
    ProcessCommandLine="w3wp.exe -ap pool",
    InitiatingProcessFileName="services.exe",
    InitiatingProcessId=4,
    InitiatingProcessCreationTime="2026-03-01T00:00:01Z",
    InitiatingProcessParentFileName="wininit.exe",
    InitiatingProcessParentId=3,
    InitiatingProcessParentCreationTime="2026-03-01T00:00:00Z",
)
SHELLS = hunt_file.Hunt(
    id="0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10",
    name="shells",
    query="DeviceProcessEvents | where Timestamp > ago(3d) and FileName == 'cmd.exe' | summarize count() by DeviceId",
)


@pytest.fixture
def found(lake: Lake) -> Lake:
    """A lake with those events, and what the hunt finds in them on two days."""
    store(lake, [WORKER, *EVENTS_AROUND])
    for as_of in ("2026-03-07", "2026-03-08"):
        engine.run_hunts(lake, [SHELLS], ticks(as_of), lambda step: None)
    return lake


def finding(lake: Lake) -> str:
    (row,) = lake.read(FINDINGS_ALL.name).select("finding_id").distinct().collect()
    return str(row.finding_id)


def drawn(nodes: Sequence[ProcessNode], depth: int = 0) -> list[str]:
    return [
        line
        for node in nodes
        for line in (f"{'  ' * depth}{node.process.file_name} {node.role}", *drawn(node.children, depth + 1))
    ]


def test_from_a_finding_to_its_events_and_their_family(found: Lake) -> None:
    id_ = finding(found)
    made = evidence.of_finding(found, id_[:8].upper())
    assert (made.finding["finding_id"], made.finding["as_of"]) == (id_, "2026-03-08T00:00:00.0000000Z")
    assert (made.gone, made.unnamed, made.cut) == (0, 0, False)
    (own,) = made.events
    assert own["Timestamp"] == f"{DAY}10:00:00.7654321Z"  # to the tick
    assert own["ProcessCommandLine"] == HOSTILE
    assert "SHA256" not in own  # it has no value
    assert drawn(made.trees) == [
        "wininit.exe ancestor",
        "  services.exe ancestor",
        "    w3wp.exe ancestor",
        "      cmd.exe evidence",
        "        whoami.exe descendant",
        "      net.exe sibling",
    ]
    worker = made.trees[0].children[0].children[0]
    assert worker.process.command_line == "w3wp.exe -ap pool"  # of its own event
    assert len(worker.events) == 1


def test_an_as_of_and_how_near(found: Lake) -> None:
    first = evidence.of_finding(found, finding(found), ticks("2026-03-07"), 10 * TICKS_PER_MINUTE)
    assert (first.finding["as_of"], first.finding["status"]) == ("2026-03-07T00:00:00.0000000Z", "new")
    assert "      late.exe sibling" in drawn(first.trees)
    with pytest.raises(LakehuntError, match=r"there is no finding [0-9a-f]{64} as of 2026-03-09T00"):
        evidence.of_finding(found, finding(found), ticks("2026-03-09"))


def test_events_that_are_gone_are_counted(found: Lake) -> None:
    gone = found.read(EVENTS.name).filter("FileName = 'cmd.exe'").select("event_id", "event_date")
    assert found.remove(EVENTS.name, gone, ("event_id", "event_date")) == 1
    made = evidence.of_finding(found, finding(found))
    assert (made.gone, made.events, made.trees) == (1, [], [])


def row(number: str, **more: Any) -> tuple[Any, ...]:
    known = {
        "finding_id": number + "0" * (64 - len(number)),
        "as_of": times.to_datetime(ticks("2026-03-07")),
        "hunt_name": "shells",
        "device_name": "web01",
        "events": 0,
        "evidence": [],
        "status": "new",
        "result": "{}",
    }
    return tuple((known | more).get(name) for name in FINDINGS_ALL.column_names)


def test_a_name_that_is_not_of_one_finding(lake: Lake) -> None:
    rows = [row("abcdef0123"), row("abcdef0145", device_name=None), *(row(f"77777777{n}") for n in range(7))]
    lake.append(FINDINGS_ALL, lake.local(FINDINGS_ALL, rows))
    with pytest.raises(LakehuntError) as several:
        evidence.of_finding(lake, "abcdef01")
    assert several.value.message == "abcdef01 is the beginning of several findings"
    assert several.value.hint.splitlines() == [
        "one of",
        f"{'abcdef0123':0<64} (shells, web01)",
        f"{'abcdef0145':0<64} (shells, several devices)",
    ]
    with pytest.raises(LakehuntError) as many:
        evidence.of_finding(lake, "77777777")
    assert many.value.hint.splitlines()[-1] == "and others"
    assert evidence.of_finding(lake, "abcdef012").finding["device_name"] == "web01"
    with pytest.raises(LakehuntError, match="there is no finding 99999999"):
        evidence.of_finding(lake, "99999999")


@pytest.mark.parametrize("name", ["abcdef0", "xyzxyzxyz", "", "a" * 65, "' OR 1=1 --"])
def test_what_is_no_id(name: str) -> None:
    with pytest.raises(UsageError, match="is not a finding's id"):
        evidence.check_name(name)


def test_what_is_printed(found: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    made = evidence.of_finding(found, finding(found))
    print_evidence(made, "tree")
    tree = capsys.readouterr().out
    assert not any(c in tree for c in "\u202e\x1b")
    shell = "cmd.exe /c <script>\"'&" + r"\u202egpj.exe\x1b[2J\nAAA"
    assert in_a_row(f"* cmd.exe (20) 2026-03-06 10:00:00.765 apppool  {shell}") in in_a_row(tree)
    assert f"… ({len(HOSTILE):,} characters)" in tree
    assert tree.count("A") < 400
    assert "~ services.exe (4) 2026-03-01 00:00:01.000" in tree
    print_evidence(made, "tree", whole_command_lines=True)
    assert capsys.readouterr().out.count("A") >= 7_000
    print_evidence(made, "json")
    printed = capsys.readouterr().out
    assert "\u202e" not in printed
    told = json.loads(printed)
    assert told["events"][0]["ProcessCommandLine"] == HOSTILE
    assert told["tree"][0]["children"][0]["children"][0]["children"][0]["command_line"] == HOSTILE


def in_a_row(text: str) -> str:
    """Without the branches of a tree, and the places where lines are broken."""
    return re.sub(r"[\s│├└─]", "", text)


def blocks(language: str) -> list[str]:
    text = (PROJECT / "docs" / "how-to" / "evidence.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_documented_joins(found: Lake) -> None:
    joins, children = (block.replace("/data/lake", found.root) for block in blocks("sql"))
    answers = [found.spark.sql(statement) for statement in joins.split(";") if statement.strip()]
    whole = [tuple(one) for one in answers[-1].collect()]
    assert [(one[1], one[3], one[5]) for one in whole] == [(finding(found), "web01.contoso.example", HOSTILE)]
    answer = found.spark.sql(children.strip().removesuffix(";"))
    assert [tuple(one)[1::2] for one in answer.collect()] == [(HOSTILE, "whoami.exe")]

    (code,) = (block.replace("/data/lake", found.root) for block in blocks("python"))
    names: dict[str, Any] = {}
    exec(compile(code, "docs/how-to/evidence.md", "exec"), names)
    shown = names["shown"].select("finding_id, DeviceName, ProcessCommandLine").fetchall()
    assert shown == [(finding(found), "web01.contoso.example", HOSTILE)]


def test_a_lake_without_findings(tmp_path: Path, spark: Any) -> None:
    with pytest.raises(LakehuntError, match="there is no finding"):
        evidence.of_finding(Lake(spark, str(tmp_path)), "a" * 64)
