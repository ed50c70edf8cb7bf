"""A report made by hand, full of what attackers might write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import Row

from lakehunt.hunting.findings.process_tree import Event, Process, process_trees
from lakehunt.kql import times
from lakehunt.kql.types import TICKS_PER_DAY, TICKS_PER_SECOND
from lakehunt.quality.volume import DayVolume
from lakehunt.reporting.report_data import Details, Finding, HuntRuns, Period, Quality, Report

END = datetime(2026, 3, 10, tzinfo=UTC)
TICKS = times.from_datetime(END)

HOSTILE = (
    "cmd.exe /c \"<script>document.title='pwned'</script><img src=x onerror=document.title='pwned'>\""
    " ' onmouseover='x' {{ 7*7 }} </style></svg></bdi>--> &amp; `"
    "\u202egpj.exe\u202c\u200b\u0000\x1b[2J\nsecond line \u2028 " + "A" * 7_000
)
"""A command line with all that has broken pages before, and 7,000 letters."""

DEVICE = '"><img src=x onerror=document.title=1>\u202e'


def finding(number: int, **more: Any) -> Finding:
    known = {
        "finding_id": f"{number:064x}",
        "hunt_id": "1a9dfc1d-6dd2-42e5-81ef-fb90f3d96239",
        "hunt_name": "Web shells",
        "severity": "High",
        "tactics": ("Execution",),
        "techniques": ("T1505.003",),
        "is_new": True,
        "as_ofs": 1,
        "as_of": END,
        "device_id": f"id-{number}",
        "device_name": f"web{number}.example",
        "account_name": "apppool",
        "first_seen": END - timedelta(hours=number, minutes=1),
        "last_seen": END - timedelta(hours=number),
        "events": number,
    }
    return Finding(**(known | more))


def details(command: str, **more: Any) -> Details:
    parent = Process(10, TICKS - TICKS_PER_DAY, "w3wp.exe", "w3wp.exe -ap pool")
    own = Process(20, TICKS, "cmd.exe", command, "apppool")
    child = Process(30, TICKS + TICKS_PER_SECOND, "whoami.exe", "whoami")
    events = [Event("e", TICKS, "d", "web", own, parent), Event("f", TICKS, "d", "web", child, own, parent)]
    return Details({"Command": command, "List": [command, 1], "n": 2}, process_trees(events, ["e"], 0), **more)


def hunt(name: str, id_: str, row: Row | None, **more: Any) -> HuntRuns:
    known: dict[str, Any] = {"severity": "High", "tactics": ("Execution", "C2"), "techniques": ("T1505.003",)}
    return HuntRuns(id_, name, last=row, runs=1, **(known | more))


def ran(**more: Any) -> Row:
    return Row(**({"outcome": "succeeded", "error": None, "matched": 1_234, "suppressed": 5} | more))


def report() -> Report:
    """Three findings: a hostile one, one that is not new, and one of no events."""
    ping = "2a9dfc1d-6dd2-42e5-81ef-fb90f3d96239"
    findings = [
        finding(1, device_name=DEVICE, account_name=HOSTILE[:200]),
        finding(2, is_new=False, as_ofs=3, hunt_id=ping, hunt_name="Ping </title>", severity="Low"),
        finding(300, device_id=None, device_name=None, account_name=None, first_seen=None, last_seen=None, events=0),
    ]
    shown = [details(HOSTILE), details("ping -n 1 host", gone=2, unnamed=7), Details({})]
    failed = ran(outcome="failed", error="no <column>", matched=None, suppressed=None)
    hunts = [
        hunt("Web shells", findings[0].hunt_id, ran()),
        hunt("Ping </title>", ping, failed, failed=1, techniques=("T1018", "T9999")),
        hunt("Never ran", "3a9dfc1d-6dd2-42e5-81ef-fb90f3d96239", None, tactics=("Impact",), techniques=()),
    ]
    days = [
        DayVolume(END, 90, 100.0, 0, 1.5, (), ("events: less <than> 1",)),
        DayVolume(END - timedelta(days=1), 0, None, None, None),
    ]
    refused = [Row(batch=4, event_table="DeviceInfo", delivered=1_200, detail="FileName: <in> set")]
    quality = Quality(days, refused, [("critical", "Timestamp: values to not be null", 1)])
    kept = {(one.hunt_id, one.finding_id): some for one, some in zip(findings, shown, strict=True)}
    return Report(Period(TICKS - TICKS_PER_DAY, TICKS), findings, hunts, quality, kept)
