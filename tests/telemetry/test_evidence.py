"""Evidence and lineage in real telemetry.

Needs the reference material beside the checkout, and is skipped without it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from lakehunt.cli.findings import print_evidence
from lakehunt.hunting import engine
from lakehunt.hunting.content import hunt_file
from lakehunt.hunting.findings import evidence
from lakehunt.hunting.findings.process_tree import Event, ProcessFamily, ProcessNode, walk
from lakehunt.lake.delta_lake import Lake
from lakehunt.landing.outcomes import PromotionResult
from lakehunt.reporting import page, report_data
from lakehunt.reporting.report_data import Period
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from tests.support.hunts import ticks
from tests.support.paths import PROJECT
from tests.support.reports import END

EVENTS = DEVICE_PROCESS_EVENTS.events

SHELLS = hunt_file.load(PROJECT / "hunts" / "detect-suspicious-commands-initiated-by-web-server-processes.yaml")


AS_OF = ticks("2021-03-15T00:00:00Z")


@pytest.fixture(scope="module")
def proxylogon(landed: tuple[Lake, PromotionResult]) -> tuple[Lake, str]:
    lake = landed[0]
    engine.run_hunts(lake, [SHELLS], AS_OF, lambda step: None)
    here = f"hunt_id = '{SHELLS.id}' AND as_of = TIMESTAMP '2021-03-15 00:00:00 UTC'"
    (row,) = lake.read(FINDINGS_ALL.name).filter(here).collect()
    return lake, str(row.finding_id)


def paths(nodes: Iterable[ProcessNode], above: tuple[str, ...] = ()) -> Iterable[tuple[str, ...]]:
    for node in nodes:
        path = (*above, node.process.file_name or "?")
        yield path
        yield from paths(node.children, path)


def test_the_proxylogon_finding(proxylogon: tuple[Lake, str], capsys: pytest.CaptureFixture[str]) -> None:
    lake, id_ = proxylogon
    made = evidence.of_finding(lake, id_[:12])
    assert made.finding["device_name"] == "mxs01.azsentinel.local"
    assert [one["ProcessCommandLine"] for one in made.events] == ["cmd /c whoami", "cmd /c whoami"]
    assert (made.gone, made.unnamed) == (0, 0)
    # The web server's creation is not known, so its two shells are two trees.
    shell = ("w3wp.exe", "cmd.exe")
    assert sorted(paths(made.trees)) == sorted(2 * [shell[:1], shell, (*shell, "conhost.exe"), (*shell, "whoami.exe")])
    print_evidence(made, "tree")
    lines = [line for line in capsys.readouterr().out.splitlines() if "exe (" in line]
    assert [re.sub(r"[│├└─\s]+", " ", line).split("  ")[0].split(" (")[0] for line in lines] == 2 * [
        *("~ w3wp.exe", " * cmd.exe", " conhost.exe", " whoami.exe")
    ]


def test_the_page_of_the_proxylogon_finding(proxylogon: tuple[Lake, str]) -> None:
    lake, id_ = proxylogon
    made = report_data.read(lake, [SHELLS], {SHELLS.id}, Period(AS_OF, AS_OF), PROJECT / "expectations")
    (one,) = made.findings
    assert (one.finding_id, one.is_new, one.day) == (id_, True, "2021-03-14")
    details = made.details_of(one)
    assert details.commands == [("cmd /c whoami", 2)]
    assert ("w3wp.exe", "cmd.exe", "whoami.exe") in set(paths(details.trees))
    text = re.sub(r"<[^>]+>", "", page.render(made, END))
    assert "lakehunt evidence " + id_[:12] in text


def test_parents_in_a_real_export_are_found_though_their_times_differ(
    landed: tuple[Lake, PromotionResult], shared: Path
) -> None:
    """Worked out from the export by itself: 150 of its 200 events name a parent whose own event is in it, with the same
    id, name and command line, recorded at most five minutes after the creation that the child names."""
    source = shared / "telemetry" / "deviceprocessevents" / "msticpy_mde_public.jsonl"
    device = {json.loads(line)["DeviceId"] for line in source.read_text(encoding="utf-8").splitlines()}
    rows = landed[0].read(EVENTS.name).filter(f"DeviceId IN ({', '.join(map(repr, sorted(device)))})")
    columns = evidence._as_kql(evidence._lineage(DEVICE_PROCESS_EVENTS))
    collected = rows.select("event_id", *columns).collect()
    events: list[Event] = [evidence.event_of(DEVICE_PROCESS_EVENTS, row) for row in collected]
    assert len(events) == 200
    trees = ProcessFamily(events).trees([one.event_id for one in events], 0)
    assert sum(bool(parent.events) for parent in walk(trees) for _ in parent.children if _.events) == 150
