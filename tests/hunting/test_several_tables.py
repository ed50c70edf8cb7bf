"""Hunts over several event tables, joined, united, one in a subquery of another: each table's events are read once."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from pyspark.sql import functions as F

from lakehunt.cli.hunts import explained
from lakehunt.core.errors import LakehuntError
from lakehunt.hunting import engine, explanation, run_hits
from lakehunt.hunting.compiled_hunt import compile_hunt
from lakehunt.hunting.content import exclusion_file
from lakehunt.hunting.content.exclusion_file import Exclusion
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import evidence, writer
from lakehunt.hunting.findings.run_log import INCREMENTAL
from lakehunt.hunting.incremental.predicates import FullScan, RowPredicates, extract_row_predicates
from lakehunt.hunting.query import adhoc
from lakehunt.hunting.query.events_table import EventsSnapshot, LakeSnapshot, accepted_batches
from lakehunt.kql import times
from lakehunt.kql.types import TICKS_PER_DAY
from lakehunt.lake.delta_lake import Lake
from lakehunt.operations import stale_hits
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import BY_NAME
from lakehunt.schemas.hunt_tables import PASSES, hits_of
from tests.support.events import connection, event, settle, store, store_delivery
from tests.support.hunts import ticks

P, N, F_ = "DeviceProcessEvents", "DeviceNetworkEvents", "DeviceFileEvents"
AS_OF = ticks("2026-03-07T00:00:00Z")


def hunt(query: str, number: int = 10) -> Hunt:
    return Hunt(f"0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a{number:02}", f"hunt {number}", query)


def run(lake: Lake, *hunts: Hunt, as_of: int = AS_OF, full: bool = False) -> list[engine.HuntRun]:
    return engine.run_hunts(lake, hunts, as_of, lambda step: None, full=full)


def own(lake: Lake, one: Hunt) -> list[tuple[Any, ...]]:
    """The hunt's findings in order, without the run's columns."""
    if not lake.exists(writer.name_of(one)):  # it has never found any
        return []
    return [tuple(row)[:-4] for row in lake.read(writer.name_of(one)).orderBy("as_of", "ordinal").collect()]


def stored(lake: Lake, hunts: list[Hunt]) -> dict[str, list[Any]]:
    tables = [*(writer.name_of(one) for one in hunts), writer.ALL]
    return {
        name: sorted((row.asDict(recursive=True) for row in lake.read(name).collect()), key=repr)
        for name in tables
        if lake.exists(name)
    }


def agree(lake: Lake, hunts: list[Hunt], as_of: int = AS_OF) -> list[engine.HuntRun]:
    """Runs the hunts from their hits, then in full: both store the same. The first runs."""
    runs = run(lake, *hunts, as_of=as_of)
    first = stored(lake, hunts)
    again = run(lake, *hunts, as_of=as_of, full=True)
    told = {one.id: one.query for one in hunts}
    for one, other in zip(runs, again, strict=True):
        assert (one.outcome, one.findings, one.matched, one.error) == (
            other.outcome, other.findings, other.matched, other.error
        ), told[one.hunt.id]  # fmt: skip
    assert first == stored(lake, hunts), list(told.values())
    return runs


def read(lake: Lake) -> list[tuple[str, int]]:
    """The table of each pass, and how many events it has read, oldest first."""
    return [(row.event_table, row.events) for row in lake.read(PASSES.name).orderBy("pass_id").collect()]


# A shell that connects: rows worked out by hand

CONNECTING = hunt(
    f"""{P} | where FileName =~ 'cmd.exe' and InitiatingProcessFileName == 'w3wp.exe'
    | join kind=inner ({N} | where RemotePort == 443 | project DeviceId, At = Timestamp, RemoteIP) on DeviceId
    | where At between (Timestamp .. 1h) | project DeviceId, ProcessCommandLine, RemoteIP, At | sort by At asc"""
)
SHELLS = [
    event(ReportId=1, ProcessCommandLine="one"),
    event(ReportId=2, ProcessCommandLine="two", DeviceId="device-2", DeviceName="db01", AccountName="sa"),
    event(ReportId=3, ProcessCommandLine="three", FileName="net.exe"),  # another program
]
CONNECTIONS = [
    connection(ReportId=1),
    connection(ReportId=2, RemotePort=80),  # another port
    connection(ReportId=3, Timestamp="2026-03-01T12:59:59.9999999Z", RemoteIP="203.0.113.9"),
    connection(ReportId=4, Timestamp="2026-03-01T13:00:00.0000001Z"),  # a tick too late
    connection(ReportId=5, DeviceId="device-2", DeviceName="db01", Timestamp="2026-03-01T11:00:00Z"),  # before it
    connection(ReportId=6, DeviceId="device-3"),  # where no shell was started
]


def test_a_join_of_two_tables(lake: Lake) -> None:
    store_delivery(lake, {P: SHELLS, N: CONNECTIONS})
    (done,) = agree(lake, [CONNECTING])
    assert (done.mode, done.events_scanned, done.matched, done.error) == (INCREMENTAL, 9, 7, None)
    assert [row[:3] for row in own(lake, CONNECTING)] == [
        ("device-1", "one", "203.0.113.7"),
        ("device-1", "one", "203.0.113.9"),
    ]
    assert {(table, lake.read(hits_of(BY_NAME[table]).name).count()) for table in (P, N)} == {(P, 2), (N, 5)}


def test_its_findings_tell_of_the_events_of_both(lake: Lake) -> None:
    store_delivery(lake, {P: SHELLS, N: CONNECTIONS})
    run(lake, CONNECTING)
    first, _ = lake.read(writer.ALL).orderBy("ordinal").collect()
    assert (first.device_id, first.device_name, first.account_name) == ("device-1", "web01.contoso.example", "apppool")
    assert (f"{first.first_seen:%H:%M:%S}", f"{first.last_seen:%H:%M:%S}") == ("12:00:00", "12:00:30")
    assert first.events == len(first.evidence) == 2
    found = evidence.of_finding(lake, first.finding_id)
    assert [(one["event_table"], one["Timestamp"][11:19]) for one in found.events] == [(P, "12:00:00"), (N, "12:00:30")]
    assert found.events[1]["RemoteIP"] == "203.0.113.7"
    assert "FileName" not in found.events[1]  # the table has no such column
    assert (found.gone, found.unnamed) == (0, 0)


def test_each_table_is_read_once(lake: Lake) -> None:
    store_delivery(lake, {P: SHELLS, N: CONNECTIONS})
    assert run(lake, CONNECTING)[0].events_scanned == 9
    assert run(lake, CONNECTING)[0].events_scanned == 0
    store(lake, [connection(ReportId=7, Timestamp="2026-03-01T12:30:00Z", RemoteIP="203.0.113.8")], N)
    (last,) = agree(lake, [CONNECTING])
    assert (last.events_scanned, last.findings) == (1, 3)
    assert sorted(read(lake)) == [(N, 1), (N, 6), (P, 3)]


def test_a_hunt_reads_only_its_tables(lake: Lake) -> None:
    other = hunt(f"{N} | where RemotePort == 80 | project RemoteIP", 11)
    store_delivery(lake, {P: SHELLS, N: CONNECTIONS})
    run(lake, other)
    assert read(lake) == [(N, 6)]
    assert own(lake, other) == [("203.0.113.7",)]
    assert not lake.read(writer.ALL).filter(F.col("account_name") != "apppool").count()
    store(lake, [event(ReportId=9)])
    assert run(lake, other)[0].events_scanned == 0


def test_a_table_of_which_nothing_has_landed_has_no_events(lake: Lake) -> None:
    store(lake, SHELLS)
    anti = hunt(
        f"{P} | where FileName == 'cmd.exe' | join kind=leftanti ({N} | where RemotePort == 443) on DeviceId", 11
    )
    (joined, alone) = agree(lake, [CONNECTING, anti])
    assert (joined.outcome, joined.findings, alone.findings) == ("succeeded", 0, 2)
    store(lake, CONNECTIONS, N)
    (joined, alone) = agree(lake, [CONNECTING, anti])
    assert (joined.findings, alone.findings) == (2, 0)


def test_nothing_has_landed_at_all(spark: Any, tmp_path: Any) -> None:
    (done,) = run(Lake(spark, str(tmp_path)), hunt(f"{N} | where RemotePort == 443"))
    assert "has no table events.device_network_events" in (done.error or "")


def test_a_batch_can_be_refused_for_one_table_and_accepted_for_another(lake: Lake) -> None:
    store_delivery(lake, {P: SHELLS, N: CONNECTIONS})
    lake.spark.sql(f"DELETE FROM delta.`{lake.path('raw.batches')}` WHERE event_table = '{N}'")
    (done,) = agree(lake, [CONNECTING])
    assert (done.events_scanned, done.matched, done.findings) == (3, 2, 0)
    settle(lake, 1, table=N)
    (done,) = agree(lake, [CONNECTING])
    assert (done.events_scanned, done.matched, done.findings) == (6, 7, 2)


def test_a_batch_from_before_there_were_several_tables_has_process_events(lake: Lake) -> None:
    store(lake, SHELLS)
    lake.spark.sql(f"UPDATE delta.`{lake.path('raw.batches')}` SET event_table = null")
    assert agree(lake, [hunt(f"{P} | where FileName == 'cmd.exe'")])[0].findings == 2


def test_deleted_events_of_one_table_cost_only_its_hits(lake: Lake) -> None:
    store_delivery(lake, {P: SHELLS, N: CONNECTIONS})
    run(lake, CONNECTING)
    lake.spark.sql(f"DELETE FROM delta.`{lake.path(BY_NAME[N].events.name)}` WHERE RemoteIP = '203.0.113.9'")
    (done,) = agree(lake, [CONNECTING])
    assert (done.events_scanned, done.findings) == (5, 1)  # connections that are left; no process event


def test_a_table_that_cannot_be_read_stops_only_its_hunts(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    store_delivery(lake, {P: SHELLS, N: CONNECTIONS})
    opened = LakeSnapshot.of

    def of(snapshot: LakeSnapshot, table: EventTable) -> EventsSnapshot:
        if table.name == N:
            raise LakehuntError("the log of connections is damaged")
        return opened(snapshot, table)

    monkeypatch.setattr(LakeSnapshot, "of", of)
    joined, alone = run(lake, CONNECTING, hunt(f"{P} | where FileName == 'cmd.exe'", 11))
    assert joined.error == "the log of connections is damaged"
    assert (alone.error, alone.findings, alone.mode) == (None, 2, INCREMENTAL)


def test_records_of_no_table_do_not_make_refused_process_events_read(lake: Lake) -> None:
    """Else a run would take them for read, and miss them once they are accepted."""
    settle(lake, 1, "refused", table=P)
    settle(lake, 1, table="")
    settle(lake, 2, table=P)
    settle(lake, 2, table="")
    settle(lake, 2, "refused", table=N)
    accepted = accepted_batches(lake)
    assert {table: accepted.get(table, ()) for table in (P, N)} == {P: ((2, 2),), N: ()}


def test_hits_that_no_hunt_uses_are_deleted_from_all_tables(lake: Lake) -> None:
    store_delivery(lake, {P: SHELLS, N: CONNECTIONS})
    run(lake, CONNECTING)
    later = times.to_datetime(ticks("2126-03-07T00:00:00Z"))
    assert stale_hits.delete_stale(lake, set(), later) == 7
    assert [lake.read(hits_of(BY_NAME[table]).name).count() for table in (P, N)] == [0, 0]
    assert agree(lake, [CONNECTING])[0].events_scanned == 9


def test_an_exclusion_is_for_events_of_its_table(lake: Lake) -> None:
    """It reads a column that the query does not, and that process events do not have."""
    updates = [one | {"RemoteUrl": "https://update.example/x"} if one["ReportId"] == 3 else one for one in CONNECTIONS]
    store_delivery(lake, {P: SHELLS, N: updates})
    where = "RemoteUrl startswith 'https://update.example/'"
    excluded = Exclusion("updates", where, "r", "us@example.com", table=N, condition=exclusion_file.condition(where, N))
    (done,) = agree(lake, [replace(CONNECTING, exclusions=(excluded,))])
    assert (done.mode, done.matched, done.suppressed, done.findings) == (INCREMENTAL, 7, 1, 1)
    assert [row[2] for row in own(lake, CONNECTING)] == ["203.0.113.7"]


# What one event can decide


def test_each_table_has_its_conditions_and_columns() -> None:
    found = extract_row_predicates(compile_hunt(CONNECTING).plan)
    assert isinstance(found, RowPredicates)
    assert list(found.tables) == [P, N]
    query = CONNECTING.query
    written = {
        name: [[query[c.span.start : c.span.end] for c in one.conditions] for one in table.alternatives]
        for name, table in found.tables.items()
    }
    assert written == {
        P: [["FileName =~ 'cmd.exe'", "InitiatingProcessFileName == 'w3wp.exe'"]],
        N: [["RemotePort == 443"]],
    }
    assert found.tables[N].columns == {"DeviceId", "Timestamp", "RemoteIP", "RemotePort"}


WITHOUT = hunt(
    f"""{P} | where FileName =~ 'cmd.exe' | join kind=inner ({N} | summarize n = count() by DeviceId) on DeviceId
    | project ReportId, n | sort by ReportId asc""",
    12,
)


def test_a_table_without_a_condition_is_read_in_full_and_the_others_are_not() -> None:
    found = extract_row_predicates(compile_hunt(WITHOUT).plan)
    assert isinstance(found, RowPredicates)
    assert (list(found.tables), list(found.in_full)) == ([P], [N])
    assert found.in_full[N].why.startswith(f"it reads {N} without a condition")
    told = "\n".join(explained(explanation.explain(compile_hunt(WITHOUT), AS_OF), verbose=False))
    assert f"except for {N}: every run reads all its events of the window, because " in told
    assert f"an event of {P} is kept as a hit if\n    FileName =~ 'cmd.exe'" in told
    alone = extract_row_predicates(compile_hunt(hunt(f"{P} | join {N} on DeviceId")).plan)
    assert isinstance(alone, FullScan)


@pytest.mark.parametrize(
    "text",
    [
        "union * | where RemotePort == 443",
        "search RemotePort == 443 and RemoteIP has '203'",
        "find where RemotePort in (80, 443) or isnotnull(RemotePort) project DeviceId",
    ],
)
def test_a_table_without_the_column_of_a_condition_is_not_read(text: str) -> None:
    found = extract_row_predicates(compile_hunt(hunt(text)).plan)
    assert isinstance(found, RowPredicates)
    assert {*found.tables} == {name for name, table in BY_NAME.items() if "RemotePort" in table.column_names}
    assert N in found.tables
    assert not found.in_full


def test_one_that_a_missing_column_meets_is_read() -> None:
    """`RemoteUrl` is the empty string in process events, and so is not a certain one."""
    found = extract_row_predicates(compile_hunt(hunt(f"union {P}, {N} | where RemoteUrl != 'a'")).plan)
    assert isinstance(found, RowPredicates)
    assert (list(found.tables), list(found.in_full)) == ([N], [P])


def test_a_join_with_a_table_without_a_condition(lake: Lake) -> None:
    store_delivery(lake, {P: SHELLS, N: CONNECTIONS})
    done, _ = agree(lake, [WITHOUT, CONNECTING])  # the other one has hits in both tables
    assert (done.mode, done.findings) == (INCREMENTAL, 2)
    assert own(lake, WITHOUT) == [(1, 4), (2, 1)]
    store(lake, [connection(ReportId=9, DeviceId="device-2", DeviceName="db01")], N)
    run(lake, WITHOUT)
    assert own(lake, WITHOUT) == [(1, 4), (2, 2)]
    assert sorted(read(lake)) == [(N, 6), (P, 3)]  # no further pass over connections


def test_where_nothing_is_hit_the_other_table_is_not_read(lake: Lake) -> None:
    store_delivery(lake, {P: SHELLS, N: CONNECTIONS})
    nothing = hunt(WITHOUT.query.replace("cmd.exe", "none.exe"), 11)
    said: list[str] = []
    (done,) = engine.run_hunts(lake, [nothing], AS_OF, said.append)
    assert (done.findings, done.events_scanned) == (0, 3)
    assert not [step for step in said if step.startswith("hunting")]


def test_what_explain_says() -> None:
    told = "\n".join(explained(explanation.explain(compile_hunt(CONNECTING), AS_OF), verbose=True))
    assert f"an event of {P} is kept as a hit if\n    FileName =~ 'cmd.exe'   [matcher]" in told
    assert (
        f"an event of {N} is kept as a hit if\n    RemotePort == 443   [Spark, if the matcher leaves it open]" in told
    )
    assert f"columns of the hits in {N}: DeviceId, RemoteIP, RemotePort, Timestamp" in told


def test_queries_read_all_tables(lake: Lake) -> None:
    store_delivery(lake, {P: SHELLS, N: CONNECTIONS})
    text = f"union withsource=T {P}, {N} | summarize n = count() by T | sort by T asc"
    assert adhoc.query(lake, text, AS_OF).rows == [[N, 6], [P, 3]]
    text = f"{N} | where Timestamp > datetime(2026-03-01T12:30) | project ReportId | sort by ReportId asc"
    assert adhoc.query(lake, text, AS_OF).rows == [[3], [4]]


# Random events and hunts

DAY_ZERO = ticks("2026-03-01T00:00:00Z")
FILES = ["cmd.exe", "CMD.EXE", "powershell.exe", "w3wp.exe", "net.exe", ""]
VALUES: dict[str, dict[str, list[Any]]] = {
    P: {"FileName": [*FILES, None], "ProcessCommandLine": ["whoami /all", "net user", "ping -n 1", "", None]},
    N: {"RemoteIP": ["203.0.113.7", "198.51.100.1", "10.0.0.1", None], "RemotePort": [80, 443, 8443, None],
        "RemoteUrl": ["https://a.example/whoami", "net.example", None]},
    F_: {"FileName": [*FILES, "a.ps1"], "FolderPath": [r"C:\Windows\a.ps1", r"C:\Users\net\x", None]},
}  # fmt: skip
CONDITIONS: dict[str, list[str]] = {
    P: ["FileName =~ 'cmd.exe'", "FileName in~ ('net.exe', 'cmd.exe')", "ProcessCommandLine has_any ('whoami', 'net')",
        "InitiatingProcessFileName == 'w3wp.exe'", "ReportId < 12"],
    N: ["RemotePort == 443", "RemotePort in (80, 8443)", "RemoteUrl has 'net' or RemoteIP startswith '203.'",
        "InitiatingProcessFileName =~ 'cmd.exe'", "ActionType != 'ConnectionFailed'", "not(isempty(RemoteUrl))"],
    F_: ["FileName endswith '.ps1'", "FolderPath has 'windows'", "InitiatingProcessFileName in~ ('cmd.exe', 'net.exe')",
         "FileName =~ 'cmd.exe' and ReportId > 3"],
}  # fmt: skip
TAILS = [
    "summarize n = count() by DeviceId",
    "summarize n = count(), min(Timestamp), max(Timestamp), make_set(InitiatingProcessFileName) by DeviceId",
    "project DeviceId, Timestamp, InitiatingProcessFileName | sort by Timestamp desc",
    "summarize arg_max(Timestamp, ReportId) by DeviceId",
    "sort by Timestamp asc, ReportId asc | take 5 | project DeviceId, ReportId",
    "count",
]


def reads(rng: random.Random, table: str) -> str:
    window = rng.choice(["", "", f" | where Timestamp > ago({rng.randint(1, 5)}d)"])
    # some reads without a condition, for which all events of the table in the window are read
    count = 0 if rng.random() < 0.15 else rng.randint(1, 2)
    return table + window + "".join(f" | where {one}" for one in rng.sample(CONDITIONS[table], count))


def query(rng: random.Random, tables: list[str]) -> str:
    one, other = (rng.choice(tables) for _ in range(2))
    tail, kind = rng.choice(TAILS), rng.choice(["inner", "innerunique", "leftsemi", "leftanti", "leftouter"])
    few = "project DeviceId, Timestamp, ReportId, InitiatingProcessFileName"
    a, b, c = reads(rng, one), reads(rng, other), reads(rng, one)
    forms = [
        f"{a} | join kind={kind} ({b} | project DeviceId, Later = Timestamp) on DeviceId",
        f"{a} | join kind={kind} ({b} | summarize Others = count() by DeviceId) on DeviceId",
        f"{a} | join kind=inner ({b} | project DeviceId, At = Timestamp) on DeviceId | where At > Timestamp + 1h",
        f"union ({a}), ({b})",
        f"union withsource=T ({a} | {few}), ({b} | {few}), ({c} | {few})",
        f"{a} | where DeviceId in (({b} | project DeviceId))",
        f"{a} | where ReportId > toscalar({b} | summarize min(ReportId))",
        f"let t = materialize({a} | {few}); union (t | join kind={kind} (t | project DeviceId) on DeviceId), ({b})",
        f"let t = {a}; let u = {b}; t | join kind={kind} (u | project DeviceId) on DeviceId | union (u | {few})",
    ]
    return f"{rng.choice(forms)} | {tail}"


def events(rng: random.Random, table: str, count: int, day: int) -> list[dict[str, Any]]:
    """Most of them of a day, some late, some early, some of the same instant."""
    made = {}
    for _ in range(count):
        late = rng.choice([0, 0, 0, -1, -2, -5, 1])
        at = DAY_ZERO + (day + late) * TICKS_PER_DAY + rng.choice([0, 1, TICKS_PER_DAY - 1, rng.randrange(10**11)])
        one = {
            "Timestamp": times.format_datetime(at),
            "DeviceId": f"d{rng.randint(0, 3)}",
            "ActionType": rng.choice(["ConnectionSuccess", "ConnectionFailed", "x"]),
            "InitiatingProcessFileName": rng.choice([*FILES, None]),
            "ReportId": rng.randint(0, 20),
            **{name: rng.choice(values) for name, values in VALUES[table].items()},
        }
        made[str(one)] = one
    return list(made.values())


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in range(2, 21))])
def test_incremental_is_full(lake: Lake, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random events of two or three tables in several batches, some of which bring only some tables. Of some seeds all
    hits are in memory, of others those of hunts with few, or none."""
    monkeypatch.setattr(run_hits, "MOST_OF_A_HUNT", [run_hits.MOST_OF_A_HUNT, 20, -1][seed % 3])
    rng = random.Random(seed)
    tables = [P, N, F_][: 2 + seed % 2]
    hunts = [hunt(query(rng, tables), number) for number in range(10, 22)]
    modes: set[str] = set()
    for day in (2, 3, 5):
        brought = rng.sample(tables, rng.randint(1, len(tables))) if day == 3 else tables
        store_delivery(lake, {table: events(rng, table, 40, day) for table in brought})
        as_of = DAY_ZERO + (day + 1) * TICKS_PER_DAY + rng.choice([0, rng.randrange(TICKS_PER_DAY // 10) * 10])
        modes |= {one.mode for one in agree(lake, rng.sample(hunts, 6), as_of)}
    agree(lake, rng.sample(hunts, 5), DAY_ZERO + rng.randint(2, 5) * TICKS_PER_DAY)  # a backfill
    assert INCREMENTAL in modes
