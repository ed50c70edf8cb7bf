"""Every process rule of a clone of SigmaHQ's repository, as a hunt over real telemetry: it finds what an independent
evaluator of Sigma finds, and Microsoft's binder accepts its query.

Needs the clone's path in LAKEHUNT_SIGMA, beside the reference material; the evaluator is built by Cargo, and the binder
installed by npm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lakehunt.hunting.query.adhoc import query
from lakehunt.hunting.query.events_table import LakeSnapshot
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY
from lakehunt.importing import pack
from lakehunt.importing.results import Candidate
from lakehunt.importing.sigma.rules import Choice
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from lakehunt.landing.outcomes import PromotionResult
from lakehunt.runtime.session import codegen
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS, EVENT_TABLES
from tests.support import sigma_evaluator

pytestmark = pytest.mark.campaign

AS_OF = times.parse_datetime("2026-01-01T00:00:00Z")
OTHERWISE = {
    "proc_creation_macos_space_after_filename.yml": "the evaluator gives rules for macOS events of Windows",
    "proc_creation_win_susp_file_characteristics.yml": "Sysmon writes '?' where Defender's column is empty",
}
"""Rules whose hits differ on purpose."""

AT_ONCE = 40
"""Hunts in one query: it costs more to start than to run."""


@pytest.fixture(scope="module")
def clone() -> Path:
    if not (named := os.environ.get("LAKEHUNT_SIGMA")):
        pytest.skip("needs a clone of SigmaHQ's repository, named by LAKEHUNT_SIGMA")
    return Path(named)


def candidates(clone: Path, folder: Path, choice: Choice) -> list[Candidate]:
    outcomes = pack.import_pack(clone, folder, folder, EVENTS_ONLY, sigma=choice, dry_run=True)
    return [one.candidate for one in outcomes if one.candidate and not one.reason]


def events_of(shared: Path) -> list[dict[str, Any]]:
    files = sorted((shared / "telemetry" / "deviceprocessevents").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def key(event: list[Any] | tuple[Any, ...]) -> tuple[str, str, str]:
    device, report, moment = event
    return str(device), str(report), str(times.parse_datetime(str(moment)))


def found_by(
    hunts: list[Candidate], lake: Lake, numbers: dict[tuple[str, str, str], int], tmp_path: Path
) -> Iterator[tuple[Candidate, set[int]]]:
    """The numbers of the events that each hunt finds."""
    seen = LakeSnapshot(lake).of(DEVICE_PROCESS_EVENTS)
    seen.frame.coalesce(1).write.format("delta").save(str(tmp_path / "stored"))
    compact = replace(seen, frame=lake.spark.read.format("delta").load(str(tmp_path / "stored")).cache())
    assert compact.frame.count() == len(numbers)
    assert AS_OF is not None
    for start in range(0, len(hunts), AT_ONCE):
        some = hunts[start : start + AT_ONCE]
        parts = [f"({one.hunt.query}| project n = {n}, DeviceId, ReportId, Timestamp)" for n, one in enumerate(some)]
        found: dict[int, set[int]] = {}
        for n, *event in query(lake, "union " + ", ".join(parts), AS_OF, events=lambda: compact).rows:
            found.setdefault(n, set()).add(numbers[key(event)])
        yield from ((one, found.get(n, set())) for n, one in enumerate(some))


def test_hunts_find_what_an_independent_evaluator_finds(
    clone: Path, shared: Path, landed: tuple[Lake, PromotionResult], tmp_path: Path
) -> None:
    hunts = candidates(clone, tmp_path / "hunts", Choice(categories=frozenset({"process_creation"})))
    events = events_of(shared)
    numbers = {key((one["DeviceId"], one["ReportId"], one["Timestamp"])): n for n, one in enumerate(events)}
    assert len(numbers) == len(events)
    rules = [clone / one.source for one in hunts]
    expected, errors = sigma_evaluator.hits(rules, events, tmp_path)
    assert len(hunts) > 1500
    assert len(errors) < len(hunts) / 100, errors
    differences = []
    with codegen(landed[0].spark, on=False):
        for one, found in found_by(hunts, landed[0], numbers, tmp_path):
            wanted = expected.get(clone / one.source)
            if wanted is None or found == wanted or one.source.name in OTHERWISE:
                continue
            some = [(n, sigma_evaluator.as_sysmon(events[n])) for n in sorted(found ^ wanted)[:2]]
            differences.append((str(one.source), sorted(found - wanted)[:5], sorted(wanted - found)[:5], some))
    (tmp_path / "differences.json").write_text(json.dumps(differences, indent=1))
    assert not differences
    assert sum(map(len, expected.values())) > 1000


def test_microsofts_binder_accepts_every_query(clone: Path, shared: Path, tmp_path: Path) -> None:
    if not shutil.which("npm"):
        pytest.skip("needs npm, which installs Microsoft's binder")
    for name in ("tools/kql-oracle", "schema"):
        shutil.copytree(shared / name, tmp_path / name, copy_function=shutil.copyfile)
    folder = tmp_path / "tools/kql-oracle"
    subprocess.run(["npm", "install", "--silent"], cwd=folder, check=True)
    hunts = candidates(clone, tmp_path / "hunts", Choice())
    tables = [f"{one.name}={','.join(f'{c.name}:{c.type}' for c in one.columns)}" for one in EVENT_TABLES[:]]
    others = [arg for text in tables if not text.startswith("DeviceProcessEvents=") for arg in ("--table", text)]
    lines = "".join(f"{json.dumps({'id': str(one.source), 'query': one.hunt.query})}\n" for one in hunts)
    command = ["node", "oracle.js", "--jsonl", *others]
    said = subprocess.run(command, cwd=folder, input=lines, capture_output=True, text=True, check=True)
    answers = list(map(json.loads, said.stdout.splitlines()))
    assert len(answers) == len(hunts)
    assert not [one for one in answers if not one["ok"] or one["diagnostics"]]
