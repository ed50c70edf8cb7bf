"""Exclusions in runs: which events leave, what is counted and kept, and that a backfill can use those of then."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakehunt.hunting import engine, run_hits
from lakehunt.hunting.content import exclusion_file
from lakehunt.hunting.content.exclusion_file import Exclusion
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import computed, run_log, suppression, writer
from lakehunt.lake.delta_lake import Lake
from lakehunt.operations import erasure
from tests.support.events import connection, event, store
from tests.support.hunts import ticks

ID = "0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10"
COUNTS = "DeviceProcessEvents | where FileName == 'cmd.exe' | summarize n = count() by DeviceId"
AS_OF = "2026-03-07T00:00:00Z"


def exclusion(name: str, where: str, **fields: Any) -> Exclusion:
    compiled = exclusion_file.condition(where, fields.get("table", "DeviceProcessEvents"))
    return Exclusion(name, where, "r", "us@example.com", hunts=(ID,), condition=compiled, **fields)


def hunt(*excluded: Exclusion, query: str = COUNTS) -> Hunt:
    return Hunt(id=ID, name="counts", query=query, exclusions=excluded)


def run(
    lake: Lake, one: Hunt, as_of: str = AS_OF, full: bool = False, said: list[str] | None = None
) -> run_log.HuntRun:
    (done,) = engine.run_hunts(lake, [one], ticks(as_of), (said if said is not None else []).append, full=full)
    assert done.error is None
    return done


def found(lake: Lake, as_of: str = AS_OF) -> dict[str, int]:
    if not lake.exists(f"findings.{ID}"):  # nothing was ever found
        return {}
    rows = lake.read(f"findings.{ID}").where(f"as_of = '{as_of}'").collect()
    return {row.DeviceId: row.n for row in rows}


def suppressed(lake: Lake, as_of: str = AS_OF) -> set[tuple[str, tuple[str, ...]]]:
    """Devices of suppressed events, which are one an event in these tests, with the exclusions."""
    rows = lake.rows(suppression.SUPPRESSED).where(f"as_of = '{as_of}'").collect()
    return {(row.device_id, tuple(row.exclusions)) for row in rows}


@pytest.fixture
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(spark, str(tmp_path_factory.mktemp("excluding") / "lake"))
    store(
        lake,
        [
            event(DeviceId="a", AccountName="backup", ReportId=1),
            event(DeviceId="a", AccountName="eve", ReportId=2),
            event(DeviceId="b", AccountName="backup", FolderPath=r"C:\Known\cmd.exe", ReportId=3),
            event(DeviceId="c", AccountName=None, FolderPath=None, ReportId=4),
            event(DeviceId="d", AccountName="backup", FileName="other.exe", ReportId=5),
        ],
    )
    return lake


BACKUP = exclusion("backup", "AccountName == 'backup'")
FOLDER = exclusion("folder", r"FolderPath startswith @'C:\Known'")


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
def test_what_is_excluded_is_neither_found_nor_lost(lake: Lake, full: bool) -> None:
    """The other event of a device stays, null is not true, and what no filter passed is not called suppressed."""
    done = run(lake, hunt(BACKUP, FOLDER), full=full)
    assert found(lake) == {"a": 1, "c": 1}
    assert suppressed(lake) == {("a", ("backup",)), ("b", ("backup", "folder"))}
    assert (done.matched, done.suppressed, done.findings) == (4, 2, 2)
    rows = {row.device_id: (row.events, row.suppressed) for row in lake.read(writer.ALL).collect()}
    assert rows == {"a": (1, 1), "c": (1, 0)}


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full"])
def test_an_exclusion_is_for_one_event_table(lake: Lake, full: bool) -> None:
    """Both tables have the column; a run as-run knows the table of each."""
    store(lake, [connection(DeviceId="a"), connection(DeviceId="b", ReportId=2)], "DeviceNetworkEvents")
    query = (
        "union (DeviceProcessEvents | where FileName == 'cmd.exe'), (DeviceNetworkEvents | where RemotePort == 443)"
        " | summarize n = count() by DeviceId"
    )
    ours = exclusion("ours", "DeviceId == 'a'", table="DeviceNetworkEvents")
    done = run(lake, hunt(BACKUP, ours, query=query), full=full)
    assert found(lake) == {"a": 1, "b": 1, "c": 1}  # eve's process; the other connection; the one without an account
    assert suppressed(lake) == {("a", ("backup",)), ("b", ("backup",)), ("a", ("ours",))}
    assert (done.matched, done.suppressed) == (6, 3)
    (then,) = suppression.exclusions_at(lake, [hunt(query=query)], ticks(AS_OF))
    assert {one.name: one.table for one in then.exclusions} == {
        "backup": "DeviceProcessEvents", "ours": "DeviceNetworkEvents"}  # fmt: skip


def test_its_hits_stay(lake: Lake) -> None:
    run(lake, hunt(BACKUP))
    hits = {row.event_id for row in lake.read("hunts.hits").collect()}
    kept_out = {row.event_id for row in lake.read("hunts.suppressed").collect()}
    assert len(hits) == 4
    assert len(kept_out) == 2
    assert kept_out < hits


def test_switching_changes_the_next_run_and_reads_nothing_again(lake: Lake) -> None:
    first = run(lake, hunt(replace(BACKUP, enabled=False)))
    assert (found(lake), first.suppressed, first.events_scanned) == ({"a": 2, "b": 1, "c": 1}, 0, 5)
    second = run(lake, hunt(BACKUP))
    assert (found(lake), second.suppressed, second.events_scanned) == ({"a": 1, "c": 1}, 2, 0)
    third = run(lake, hunt(replace(BACKUP, enabled=False)))
    assert (found(lake), third.suppressed, third.events_scanned) == ({"a": 2, "b": 1, "c": 1}, 0, 0)
    assert suppressed(lake) == set()


def test_one_that_looks_at_another_column_has_it_read(lake: Lake) -> None:
    run(lake, hunt(BACKUP))
    assert run(lake, hunt(BACKUP, FOLDER)).events_scanned == 5
    assert ("b", ("backup", "folder")) in suppressed(lake)


def test_all_of_a_hunts_events_suppressed(lake: Lake) -> None:
    done = run(lake, hunt(exclusion("everything", "true")))
    assert (found(lake), done.matched, done.suppressed, done.findings) == ({}, 4, 4, 0)
    assert len(suppressed(lake)) == 3


def test_an_expired_one_suppresses_nothing_and_says_so(lake: Lake) -> None:
    said: list[str] = []
    run(lake, hunt(replace(BACKUP, expires=date(2026, 3, 5))), said=said)
    assert found(lake) == {"a": 2, "b": 1, "c": 1}
    assert "exclusion backup ended on 2026-03-05 and suppresses nothing; ask us@example.com" in said
    run(lake, hunt(replace(BACKUP, expires=date(2026, 3, 6))))
    assert found(lake) == {"a": 1, "c": 1}


def test_a_finding_of_several_devices_counts_all_that_was_suppressed(lake: Lake) -> None:
    query = "DeviceProcessEvents | where FileName == 'cmd.exe' | summarize n = count(), any(DeviceId)"
    run(lake, hunt(BACKUP, query=query))
    (row,) = lake.read(writer.ALL).collect()
    assert (row.device_id, row.events, row.suppressed) == (None, 2, 2)


def test_a_query_that_reads_events_twice_sees_them_nowhere(lake: Lake) -> None:
    query = (
        "DeviceProcessEvents | where FileName == 'cmd.exe'\n"
        "| join kind=leftsemi (DeviceProcessEvents | where AccountName == 'backup') on DeviceId\n"
        "| summarize n = count() by DeviceId"
    )
    run(lake, hunt(query=query))
    assert found(lake) == {"a": 2, "b": 1}
    run(lake, hunt(exclusion("a-only", "DeviceId == 'a' and AccountName == 'backup'"), query=query))
    assert found(lake) == {"b": 1}
    assert suppressed(lake) == {("a", ("a-only",))}


def test_a_query_that_reads_events_twice_counts_each_once(lake: Lake) -> None:
    shells = "DeviceProcessEvents | where FileName == 'cmd.exe'"
    query = f"{shells} | join kind=inner ({shells} | project DeviceId) on DeviceId | summarize n = count() by DeviceId"
    done = run(lake, hunt(BACKUP, query=query))
    assert (found(lake), done.matched, done.suppressed) == ({"a": 1, "c": 1}, 4, 2)


def test_one_of_then_has_its_end_on_days_that_have_not_run(lake: Lake) -> None:
    ending = replace(BACKUP, expires=date(2026, 3, 5))
    run(lake, hunt(ending), "2026-03-05T00:00:00Z")

    def then(as_of: str) -> bool:
        (one,) = suppression.exclusions_at(lake, [hunt()], ticks(as_of))
        return one.exclusions[0].applies(ticks(as_of))

    assert then("2026-03-05T00:00:00Z")
    assert then("2026-03-06T00:00:00Z")
    assert not then("2026-03-06T00:00:01Z")


def test_backfills_use_the_exclusions_of_now_or_of_then(lake: Lake) -> None:
    days = ["2026-03-05T00:00:00Z", "2026-03-06T00:00:00Z", "2026-03-07T00:00:00Z"]
    run(lake, hunt(), days[0])
    run(lake, hunt(BACKUP), days[1])
    now = hunt(FOLDER)

    def backfilled(as_of: str, one: Hunt) -> dict[str, int]:
        run(lake, one, as_of)
        return found(lake, as_of)

    def then(as_of: str) -> Hunt:
        (one,) = suppression.exclusions_at(lake, [now], ticks(as_of))
        return one

    assert [backfilled(day, now) for day in days[:2]] == [{"a": 2, "c": 1}] * 2
    assert backfilled(days[0], then(days[0])) == {"a": 2, "b": 1, "c": 1}
    assert backfilled(days[1], then(days[1])) == {"a": 1, "c": 1}
    assert backfilled(days[2], then(days[2])) == {"a": 1, "c": 1}  # has not run: as the as-of before it
    assert then("2026-03-04T00:00:00Z") is now  # nothing has run then: as now


def test_the_ledger_says_which_version_of_which_exclusion_was_used(lake: Lake) -> None:
    done = run(lake, hunt(BACKUP, replace(FOLDER, enabled=False)))
    rows = lake.read("hunts.runs").where(f"run_id = '{done.run_id}' AND outcome = 'succeeded'").collect()
    assert [[(one.name, one.version) for one in row.exclusions] for row in rows] == [[("backup", BACKUP.version)]]
    run(lake, hunt(exclusion("backup", "AccountName =~ 'BACKUP'")))
    kept = {(row.name, row.condition) for row in lake.read("hunts.exclusions").collect()}
    assert kept == {("backup", "AccountName == 'backup'"), ("backup", "AccountName =~ 'BACKUP'")}


def test_effects_count_each_event_once_and_only_of_late(lake: Lake) -> None:
    for day in ("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"):
        run(lake, hunt(BACKUP), day)
    idle, off = exclusion("idle", "AccountName == 'nobody'"), replace(FOLDER, enabled=False)

    def effects(as_of: str, days: int) -> list[tuple[str, str, int]]:
        got = suppression.exclusion_effects(lake, [BACKUP, idle, off], ticks(as_of), days)
        return [(one.exclusion.name, one.state, one.events) for one in got]

    assert effects("2026-03-03T00:00:00Z", 7) == [("backup", "on", 2), ("idle", "on", 0), ("folder", "off", 0)]
    assert effects("2026-03-11T00:00:00Z", 7) == [("backup", "on", 0), ("idle", "on", 0), ("folder", "off", 0)]


def test_forgetting_a_device_takes_what_was_suppressed(lake: Lake) -> None:
    run(lake, hunt(BACKUP))
    traces = erasure.find_matches(lake, erasure.ErasureRequest(devices=("b",)))
    assert erasure.forget(lake, traces, [].append)["hunts.suppressed"] == 1
    assert suppressed(lake) == {("a", ("backup",))}


CONDITIONS = {
    "AccountName == 'backup'": lambda e: e["AccountName"] == "backup",
    "ProcessCommandLine has 'whoami'": lambda e: "whoami" in e["ProcessCommandLine"],
    "DeviceId in ('a', 'b')": lambda e: e["DeviceId"] in "ab",
    "not(DeviceId == 'c')": lambda e: e["DeviceId"] != "c",
}


VALUES = {
    "DeviceId": ["a", "b", "c"],
    "AccountName": ["backup", "eve"],
    "FileName": ["cmd.exe", "x.exe"],
    "ProcessCommandLine": ["cmd /c whoami", "cmd /c dir"],
}


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in range(2, 21))])
def test_what_a_hunt_finds_is_what_it_finds_without_those_events(
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    in_memory: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From hits that came in two batches, and in full; nothing is counted twice or not at all."""
    if not in_memory:  # and Spark writes what it finds
        monkeypatch.setattr(run_hits, "MOST_OF_A_HUNT", -1)
        monkeypatch.setattr(computed, "FEW", 0)
    rng = random.Random(seed)
    events = [{column: rng.choice(values) for column, values in VALUES.items()} for _ in range(40)]
    chosen = rng.sample(sorted(CONDITIONS), rng.randint(1, 3))
    split = rng.randint(1, len(events) - 1)
    lake = Lake(spark, str(tmp_path_factory.mktemp("random") / "lake"))
    excluding = hunt(*(exclusion(f"e{number}", where) for number, where in enumerate(chosen)))
    rows = [event(**one, ReportId=number) for number, one in enumerate(events)]
    for batch in (rows[:split], rows[split:]):
        store(lake, batch)
        done = run(lake, excluding)
    passed = [one for one in events if one["FileName"] == "cmd.exe"]
    out = [one for one in passed if any(CONDITIONS[where](one) for where in chosen)]
    left = [one["DeviceId"] for one in passed if one not in out]
    assert found(lake) == {device: left.count(device) for device in left}
    assert (done.matched, done.suppressed) == (len(passed), len(out))
    assert lake.rows(suppression.SUPPRESSED).count() == len(out)
    before = found(lake)
    run(lake, excluding, full=True)
    assert found(lake) == before
