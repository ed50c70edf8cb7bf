"""The whole job on real telemetry of other people's labs, against results that were worked out without Spark.

Needs the reference material beside the checkout, and is skipped without it."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from lakehunt.hunting import engine
from lakehunt.hunting.content import hunt_file
from lakehunt.hunting.findings import writer
from lakehunt.hunting.query.adhoc import query
from lakehunt.lake.delta_lake import Lake
from lakehunt.landing.outcomes import PromotionResult
from tests.support.hunts import ticks
from tests.support.paths import PROJECT

SEEDS = {
    "H1_seed000": "detect-suspicious-commands-initiated-by-web-server-processes",
    "H2_seed001": "webserver-executing-suspicious-applications",
}
COLUMNS = ("Timestamp", "FileName", "InitiatingProcessFileName", "InitiatingProcessParentFileName")
AS_OFS = ("2021-03-15T00:00:00.0000000Z", "2021-03-21T06:40:15.3380000Z", "2021-03-21T06:40:15.3450000Z")


def quiet(step: str) -> None:
    """No progress wanted."""


def variants() -> dict[str, hunt_file.Hunt]:
    """Both seed hunts and their variants, made from the same files."""
    one, two = (hunt_file.load(PROJECT / "hunts" / f"{name}.yaml") for name in SEEDS.values())
    first = one.query
    plus = first.replace("httpd.exe", 'httpd.exe", "sqlservr.exe')
    swapped = first.replace("w3wp.exe", "explorer.exe").replace("beasvc.exe", "WmiPrvSE.exe")
    swapped = swapped.replace("httpd.exe", "netsh.exe").replace("tomcat", "sqlserv")
    uncommented = two.query.replace("'httpd.exe') // 'sqlservr.exe')", "'httpd.exe', 'sqlservr.exe')")
    assert plus.count("sqlservr.exe") == 2
    assert swapped.count("explorer.exe") == swapped.count("sqlserv") == 2
    assert "//" not in uncommented
    return {
        "H1_seed000": one,
        "H2_seed001": two,
        "V1_H1_plus_sqlservr": variant(1, plus),
        "V2_H1_swapped_lineage": variant(2, swapped),
        "V3_H2_plus_sqlservr": variant(3, uncommented),
    }


def variant(number: int, text: str) -> hunt_file.Hunt:
    return hunt_file.Hunt(id=f"00000000-0000-4000-8000-00000000000{number}", name=f"variant {number}", query=text)


def expected(shared: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared / "telemetry" / "expected" / f"{name}.json").read_text())
    return found


def test_every_record_becomes_an_event(landed: tuple[Lake, PromotionResult]) -> None:
    (batch,) = landed[1].batches
    assert (batch.delivered, batch.events, batch.quarantined, batch.duplicates) == (2_608, 2_608, 0, 0)
    assert not batch.refused


@pytest.mark.parametrize("as_of", AS_OFS)
def test_the_seed_hunts_as_of_an_instant(landed: tuple[Lake, PromotionResult], shared: Path, as_of: str) -> None:
    lake = landed[0]
    hunts = {name: one for name, one in variants().items() if name in SEEDS}
    runs = {r.hunt.id: r for r in engine.run_hunts(lake, hunts.values(), ticks(as_of), quiet)}
    for name, one in hunts.items():
        (told,) = [a for a in expected(shared, name)["as_of"] if ticks(a["as_of"]) == ticks(as_of)]
        assert (runs[one.id].error, runs[one.id].matched) == (None, told["bounded_rows"])
        compare(name, [row for row in stored(lake, one) if row["as_of"] == as_of], told["bounded_summarised"])


def test_the_hunts_and_their_variants_over_all_the_years(landed: tuple[Lake, PromotionResult], shared: Path) -> None:
    lake = landed[0]
    hunts = {name: over_all_years(one) for name, one in variants().items()}
    runs = {r.hunt.id: r for r in engine.run_hunts(lake, hunts.values(), ticks("2026-01-01"), quiet)}
    for name, one in hunts.items():
        told = expected(shared, name)
        assert (runs[one.id].error, runs[one.id].matched) == (None, told["matched_rows"])
        compare(name, stored(lake, one), told["summarised"])


def over_all_years(one: hunt_file.Hunt) -> hunt_file.Hunt:
    assert "Timestamp > ago(7d)" in one.query
    text = one.query.replace("Timestamp > ago(7d)", "Timestamp > datetime(2000-01-01)")
    number = hashlib.sha256(one.id.encode()).hexdigest()[:12]
    return hunt_file.Hunt(id=f"00000000-0000-4000-8000-{number}", name=one.name, query=text)


def stored(lake: Lake, one: hunt_file.Hunt) -> list[dict[str, Any]]:
    """The rows of findings.<hunt> with datetimes as the expected files write them (no event has a seventh digit)."""
    if not lake.exists(writer.name_of(one)):  # it has never found anything
        return []
    rows = lake.read(writer.name_of(one)).orderBy("as_of", "ordinal").collect()
    return [
        {
            name: f"{value:%Y-%m-%dT%H:%M:%S.%f}0Z" if isinstance(value, datetime) else value
            for name, value in row.asDict().items()
        }
        for row in rows
    ]


def compare(name: str, rows: list[dict[str, Any]], told: list[dict[str, Any]]) -> None:
    if name.startswith(("H2", "V3")):
        columns = ("ProcessCommandLine", "FolderPath", "DeviceName", "DeviceId", "instances")
        assert sorted([tuple(r[c] for c in columns) for r in rows]) == sorted(
            [tuple(r[c] for c in columns) for r in told]
        )
        return
    assert [r["DeviceId"] for r in rows] == sorted(r["DeviceId"] for r in told), name
    for row in rows:
        (group,) = [r for r in told if r["DeviceId"] == row["DeviceId"]]
        assert row["set_ProcessCommandLine"] == sorted(group["set_ProcessCommandLine"])
        assert row["any_Timestamp"] == row["any_Timestamp1"]
        for column in COLUMNS:
            allowed = group["any_of"][column]
            assert (row[f"any_{column}"] or "None") in allowed, (name, column)


def test_a_boundary_leaves_one_event_then_none_and_clears_what_was_there(
    landed: tuple[Lake, PromotionResult],
) -> None:
    lake, (_, last) = landed[0], AS_OFS[1:]
    two = variants()["H2_seed001"]
    boundary = ticks(AS_OFS[1])
    assert [r.matched for r in engine.run_hunts(lake, [two], boundary, quiet)] == [1]
    assert [r["instances"] for r in stored(lake, two) if r["as_of"] == AS_OFS[1]] == [1]
    wider = variant(9, two.query.replace("7d", "8d"))
    as_other = hunt_file.Hunt(id=two.id, name=two.name, query=wider.query)
    assert [r.findings for r in engine.run_hunts(lake, [as_other], ticks(last), quiet)] == [1]
    assert [r.findings for r in engine.run_hunts(lake, [two], ticks(last), quiet)] == [0]
    assert [r for r in stored(lake, two) if r["as_of"] == last] == []
    common = lake.read(writer.ALL).where(f"hunt_id = '{two.id}' and as_of = '2021-03-21 06:40:15.345'")
    assert common.count() == 0


def test_a_query_sees_the_whole_lake(landed: tuple[Lake, PromotionResult]) -> None:
    counted = query(landed[0], "DeviceProcessEvents | summarize count(), dcount(DeviceId)", ticks("2026-01-01"))
    assert counted.rows == [[2_608, 27]]
