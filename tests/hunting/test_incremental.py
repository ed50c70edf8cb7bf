"""Incremental equals full: random events, landed in random batches, late and out of order, random hunts, as-ofs in any
order; after every run from hits, the same run over all events must store the same rows."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame

from lakehunt.hunting import engine
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import run_log, writer
from lakehunt.hunting.findings.run_log import FULL, INCREMENTAL
from lakehunt.hunting.incremental import decisions, hits
from lakehunt.kql import plan as p
from lakehunt.kql.types import TICKS_PER_DAY
from lakehunt.lake.delta_lake import Lake
from lakehunt.operations import stale_hits
from lakehunt.schemas.hunt_tables import HITS, PASSES
from lakehunt.schemas.table import Table
from tests.support.events import event, settle, store
from tests.support.hunts import ticks

E = "DeviceProcessEvents"
DAY_ZERO = ticks("2026-03-01T00:00:00Z")
FILES = ["cmd.exe", "CMD.EXE", "powershell.exe", "Tomcat9.exe", "w3wp.exe", "net.exe", "", "straße.exe", "ΣΑΣ.exe"]
WORDS = ["whoami", "ping", "shipping", "%TEMP%", "net user", "-EncodedCommand", "a_b", "Ünïcode", "c:\\x\\y", "'q'", ""]
COLUMNS = ["FileName", "InitiatingProcessFileName", "InitiatingProcessParentFileName", "ProcessCommandLine", "DeviceId"]


# Random hunts


def condition(rng: random.Random, depth: int = 2) -> str:
    if depth and rng.random() < 0.4:
        op = rng.choice([" and ", " or "])
        inner = op.join(condition(rng, depth - 1) for _ in range(rng.randint(2, 3)))
        return rng.choice(["({})", "not({})", "({})"]).format(inner)
    return rng.choice(CONDITIONS)(rng)


def text(rng: random.Random) -> str:
    word = rng.choice([*FILES, *WORDS])
    return '@"' + rng.choice([word, word.upper(), word.lower(), word[:4]]) + '"'


def several(rng: random.Random) -> str:
    return ", ".join(text(rng) for _ in range(rng.randint(1, 4)))


OPERATORS = [
    "==", "!=", "=~", "!~", "has", "!has", "has_cs", "contains", "!contains", "contains_cs", "startswith",
    "!startswith", "endswith", "endswith_cs", "hasprefix", "hassuffix",
]  # fmt: skip

CONDITIONS = [
    lambda rng: f"{rng.choice(COLUMNS)} {rng.choice(OPERATORS)} {text(rng)}",
    lambda rng: f"{rng.choice(COLUMNS)} {rng.choice(['in', 'in~', '!in', '!in~'])} ({several(rng)})",
    lambda rng: f"{rng.choice(COLUMNS)} {rng.choice(['has_any', 'has_all'])} ({several(rng)})",
    lambda rng: f"{rng.choice(COLUMNS)} matches regex @'{rng.choice(['^c', '(?i)exe$', 'p.ng', '[a-z]{4}'])}'",
    lambda rng: f"ReportId {rng.choice(['<', '>=', '=='])} {rng.randint(0, 40)}",
    lambda rng: f"ProcessId {rng.choice(['==', '!=', '>'])} {rng.randint(0, 3)}",
    lambda rng: rng.choice(["isempty({})", "isnotempty({})"]).format(rng.choice(COLUMNS)),
    lambda rng: f"strlen({rng.choice(COLUMNS)}) > {rng.randint(0, 12)}",
    lambda rng: f"tolower({rng.choice(COLUMNS)}) == {text(rng)}",
    lambda rng: f"{rng.choice(COLUMNS)} =~ {rng.choice(COLUMNS)}",
    lambda rng: f"Timestamp {rng.choice(['>', '<', '>='])} ago({rng.randint(1, 6)}d)",
    lambda rng: f"Timestamp {rng.choice(['>', '<', '>='])} todatetime('{{{{StartTimeISO}}}}') + {rng.randint(-2, 6)}d",
    lambda rng: f"hourofday(Timestamp) < {rng.randint(6, 20)}",
]

TAILS = [
    "summarize n = count() by DeviceId",
    "summarize n = count(), any(ProcessCommandLine), makeset(FileName) by InitiatingProcessFileName, DeviceId",
    "summarize n = count()",
    "summarize n = dcount(FileName), min(Timestamp), max(Timestamp) by bin(Timestamp, 1d) | order by n desc",
    "project Timestamp, DeviceId, FileName, ProcessCommandLine",
    "project x = strcat(FileName, '|', DeviceId), Timestamp | where x != 'cmd.exe|d1' | sort by x asc, Timestamp desc",
    "distinct DeviceId, FileName",
    "sort by Timestamp desc | take 3",
    "top 2 by ReportId desc",
    "extend w = split(ProcessCommandLine, ' ') | mv-expand w to typeof(string) | summarize n = count() by w",
    "serialize k = row_number() | where k < 4 | project k, DeviceId",
    "summarize arg_max(Timestamp, *) by DeviceId",
]


def reads(rng: random.Random) -> str:
    filters = "".join(f" | where {condition(rng)}" for _ in range(rng.randint(0, 2)))
    extended = rng.choice(["", " | extend c = tolower(ProcessCommandLine) | where c != 'ping'"])
    window = rng.choice(["", "", f" | where Timestamp > ago({rng.randint(1, 5)}d)"])
    return f"{E}{window}{filters}{extended}"


def query(rng: random.Random) -> str:
    one, tail = reads(rng), rng.choice(TAILS)
    form = rng.random()
    if form < 0.7:
        return f"{one} | {tail}"
    if form < 0.85:
        kind = rng.choice(["inner", "innerunique", "leftsemi", "leftanti", "leftouter"])
        return f"{one} | join kind={kind} ({reads(rng)} | project DeviceId, ReportId) on DeviceId | {tail}"
    return f"union ({one}), ({reads(rng)}) | {tail}"


def hunts(rng: random.Random, count: int) -> list[Hunt]:
    return [Hunt(f"{i:08x}-0000-4000-8000-000000000000", f"random {i}", query(rng)) for i in range(count)]


# Random events


def events(rng: random.Random, count: int, day: int) -> list[dict[str, Any]]:
    """Most of them of a day, some late, some early; ten million places in time are few enough for some to be equal."""
    made = []
    for _ in range(count):
        late = rng.choice([0, 0, 0, 0, -1, -2, -5, 1])
        at = DAY_ZERO + (day + late) * TICKS_PER_DAY + rng.choice([0, 1, TICKS_PER_DAY - 1, rng.randrange(10**11)])
        made.append(
            event(
                Timestamp=engine_time(at),
                DeviceId=f"d{rng.randint(0, 3)}",
                FileName=rng.choice([*FILES, None]),
                InitiatingProcessFileName=rng.choice([*FILES, None]),
                InitiatingProcessParentFileName=rng.choice(FILES),
                ProcessCommandLine=rng.choice([None, " ".join(rng.choices([*WORDS, *FILES], k=rng.randint(0, 4)))]),
                ReportId=rng.randint(0, 40),
                ProcessId=rng.choice([None, 0, 1, 2]),
            )
        )
    return made


def engine_time(at: int) -> str:
    from lakehunt.kql import times

    return times.format_datetime(at)


# What is stored


def stored(lake: Lake, hunts: list[Hunt]) -> dict[str, list[Any]]:
    """All that the hunts' runs have stored, whatever run it was."""
    tables = {hunt.id: writer.name_of(hunt) for hunt in hunts} | {"all": writer.ALL}
    return {
        key: sorted((row.asDict(recursive=True) for row in lake.read(name).collect()), key=repr)
        for key, name in tables.items()
        if lake.exists(name)
    }


def run(lake: Lake, hunts: list[Hunt], as_of: int, full: bool = False) -> list[Any]:
    return engine.run_hunts(lake, hunts, as_of, lambda step: None, full=full)


def agree(lake: Lake, hunts: list[Hunt], as_of: int) -> dict[str, str]:
    """Runs the hunts from their hits, then in full, and compares all; the modes of the first."""
    runs = run(lake, hunts, as_of)
    first = stored(lake, hunts)
    again = run(lake, hunts, as_of, full=True)
    second = stored(lake, hunts)
    told = {hunt.id: hunt.query for hunt in hunts}
    for key, rows in second.items():
        assert first[key] == rows, f"as of {engine_time(as_of)}: {told.get(key, key)}"
    for one, other in zip(runs, again, strict=True):
        assert (one.outcome, one.findings, one.matched, one.error) == (
            other.outcome, other.findings, other.matched, other.error
        ), told[one.hunt.id]  # fmt: skip
        assert other.mode == FULL
    return {one.hunt.id: one.mode for one in runs}


@pytest.mark.slow
@pytest.mark.compiled  # as hunts read events
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in range(2, 21))])
def test_incremental_is_full(lake: Lake, seed: int) -> None:
    rng = random.Random(seed)
    known = hunts(rng, 10)
    seen: list[dict[str, Any]] = []
    modes: set[str] = set()
    for day in (3, 5):
        fresh = events(rng, 60, day)
        seen += fresh
        store(lake, {e["Timestamp"] + str(e): e for e in fresh}.values())
        as_of = DAY_ZERO + (day + 1) * TICKS_PER_DAY + rng.choice([0, 0, rng.randrange(TICKS_PER_DAY // 10) * 10])
        modes |= set(agree(lake, rng.sample(known, 6), as_of).values())
    agree(lake, rng.sample(known, 4), DAY_ZERO + rng.randint(2, 5) * TICKS_PER_DAY)  # a backfill
    assert modes == {INCREMENTAL, FULL}


# What is read, and when

H = Hunt(
    "0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10", "h", f"{E} | where FileName =~ 'CMD.exe' | summarize count() by DeviceId"
)
AS_OF = ticks("2026-03-07T00:00:00Z")


def test_an_event_is_read_once(lake: Lake) -> None:
    store(lake, [event(ReportId=i) for i in range(5)])
    assert [run(lake, [H], AS_OF)[0].events_scanned for _ in range(2)] == [5, 0]
    store(lake, [event(ReportId=i, FileName="x") for i in range(5, 8)])
    (last,) = run(lake, [H], AS_OF + TICKS_PER_DAY)
    assert (last.events_scanned, last.matched, last.mode) == (3, 5, INCREMENTAL)
    assert lake.read(PASSES.name).count() == 2
    assert lake.read(HITS.name).count() == 5


def test_a_new_hunt_reads_its_window_and_a_backfill_what_is_before(lake: Lake) -> None:
    store(lake, [event(ReportId=i, Timestamp=f"2026-02-{10 + i}T12:00:00Z") for i in range(10)])
    (first,) = run(lake, [H], ticks("2026-02-20T00:00:00Z"))
    assert (first.events_scanned, first.findings) == (7, 1)  # of the days from the 13th on
    (earlier,) = run(lake, [H], ticks("2026-02-15T00:00:00Z"))
    assert (earlier.events_scanned, earlier.matched) == (3, 5)
    assert run(lake, [H], ticks("2026-02-14T00:00:00Z"))[0].events_scanned == 0
    agree(lake, [H], ticks("2026-02-16T00:00:00Z"))


def test_a_changed_hunt_is_read_for_anew_and_a_comment_changes_nothing(lake: Lake) -> None:
    store(lake, [event(), event(FileName="net.exe")])
    run(lake, [H], AS_OF)
    told = Hunt(H.id, "another name", H.query.replace(" | ", "\n  // why\n| "))
    assert (told.digest, run(lake, [told], AS_OF)[0].events_scanned) == (H.digest, 0)
    changed = Hunt(H.id, H.name, H.query.replace("CMD", "net"))
    (again,) = run(lake, [changed], AS_OF)
    assert (again.events_scanned, again.matched) == (2, 1)
    agree(lake, [changed], AS_OF)


def test_reads_of_which_file_names_narrow_only_some(lake: Lake) -> None:
    hunt = Hunt(
        "3b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10",
        "union",
        f"union ({E} | where FileName =~ 'NET.exe' and ProcessCommandLine has 'User'),"
        f" ({E} | where ProcessCommandLine matches regex '(?i)who.?ami' and FolderPath !contains 'x:')"
        f" | summarize count() by FileName",
    )
    store(
        lake,
        [
            event(FileName="net.exe", ProcessCommandLine="net user"),
            event(FileName="a.exe", ProcessCommandLine="net user"),
            event(FileName="a.exe", ProcessCommandLine="WHO-AMI", FolderPath="c:"),
            event(FileName="a.exe", ProcessCommandLine="WHO-AMI", FolderPath="X:"),
        ],
    )
    assert agree(lake, [hunt, H], AS_OF) == {hunt.id: INCREMENTAL, H.id: INCREMENTAL}
    found = {row.FileName: row.count_ for row in lake.read(writer.name_of(hunt)).collect()}
    assert found == {"net.exe": 1, "a.exe": 1}


def test_hunts_with_the_same_query_share_their_hits(lake: Lake) -> None:
    """A copied hunt has an id of its own, and the version of the other one."""
    query = f"{E} | where FileName == 'cmd.exe' | summarize n = count() by DeviceId"
    twins = [Hunt(id=f"{n:08x}-0000-0000-0000-000000000000", name=f"twin {n}", query=query) for n in range(2)]
    store(lake, [event(), event(ReportId=2), event(FileName="net.exe")])
    agree(lake, twins, ticks("2026-03-02T00:00:00Z"))
    store(lake, [event(ReportId=3, Timestamp="2026-03-02T12:00:00Z")])
    agree(lake, twins, ticks("2026-03-03T00:00:00Z"))
    for twin in twins:
        rows = lake.read(writer.name_of(twin)).orderBy("as_of").collect()
        assert [row.n for row in rows] == [2, 3]
    assert lake.read(HITS.name).count() == 3


def test_a_late_event_is_in_the_next_run(lake: Lake) -> None:
    store(lake, [event()])
    run(lake, [H], AS_OF)
    store(lake, [event(ReportId=2, Timestamp="2026-03-02T00:00:00Z", DeviceId="late")])
    assert run(lake, [H], AS_OF)[0].findings == 2
    agree(lake, [H], AS_OF)


def test_nobody_sees_a_batch_before_it_is_settled(lake: Lake) -> None:
    store(lake, [event()])
    store(lake, [event(ReportId=2, DeviceId="other")])
    lake.spark.sql(f"DELETE FROM delta.`{lake.path('raw.batches')}` WHERE batch = 1")
    assert [run(lake, [H], AS_OF, full)[0].matched for full in (False, True)] == [1, 1]
    settle(lake, 1)  # in the order in which batches may be settled: a refused one comes late
    assert [run(lake, [H], AS_OF, full)[0].matched for full in (False, True)] == [2, 2]


def test_a_deletion_by_other_means_is_noticed(lake: Lake) -> None:
    store(lake, [event(), event(ReportId=2, DeviceId="other")])
    run(lake, [H], AS_OF)
    lake.spark.sql(f"DELETE FROM delta.`{lake.path('events.device_process_events')}` WHERE DeviceId = 'other'")
    (again,) = run(lake, [H], AS_OF)
    assert (again.events_scanned, again.matched) == (1, 1)
    agree(lake, [H], AS_OF)


def test_a_killed_pass_counts_for_nothing(lake: Lake) -> None:
    store(lake, [event()])
    run(lake, [H], AS_OF)
    lake.spark.sql(f"DELETE FROM delta.`{lake.path(PASSES.name)}`")  # killed before its last write
    (again,) = run(lake, [H], AS_OF)
    assert (again.events_scanned, again.matched, lake.read(HITS.name).count()) == (1, 1, 2)


def test_hits_that_another_run_withdraws_are_missed(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does so while this run writes a pass, which is made again, and while this one reads its hits."""
    store(lake, [event()])
    run(lake, [H], AS_OF)
    store(lake, [event(ReportId=2)])
    append, waiting = Lake.append, [True]

    def withdrawn_after_hits(lake: Lake, table: Table, rows: DataFrame) -> None:
        append(lake, table, rows)
        if table is HITS and waiting:
            waiting.pop()
            hits.withdraw_all(lake)

    monkeypatch.setattr(Lake, "append", withdrawn_after_hits)
    (missed,) = run(lake, [H], AS_OF)
    assert "another run has withdrawn hits" in (missed.error or "")  # those of the first pass
    (again,) = run(lake, [H], AS_OF)
    assert (again.error, again.matched, lake.read(PASSES.name).count()) == (None, 2, 2)
    agree(lake, [H], AS_OF)


def test_two_runs_that_read_the_same_at_once_count_it_once(lake: Lake) -> None:
    store(lake, [event(), event(ReportId=2)])
    run(lake, [H], AS_OF)
    row = lake.read(PASSES.name).collect()
    lake.spark.sql(f"DELETE FROM delta.`{lake.path(PASSES.name)}`")
    run(lake, [H], AS_OF)
    lake.append(PASSES, lake.spark.createDataFrame(row, PASSES.ddl))
    assert run(lake, [H], AS_OF)[0].matched == 2
    agree(lake, [H], AS_OF)


def test_runs_at_the_same_time_store_what_one_after_the_other_does(lake: Lake) -> None:
    """Of one as-of twice, and of several: a backfill with parallel runs."""
    store(lake, [event(ReportId=i, Timestamp=f"2026-03-0{1 + i}T12:00:00Z") for i in range(4)])
    as_ofs = [DAY_ZERO + day * TICKS_PER_DAY for day in (4, 3, 3)]
    lakes = [Lake(lake.spark.newSession(), lake.root) for _ in as_ofs]  # settings are a session's, as in a process
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(run, own, [H], as_of) for own, as_of in zip(lakes, as_ofs, strict=True)]:
            assert [one.error for one in done.result()] == [None]
    together = stored(lake, [H])
    assert [(row["as_of"].day, row["count_"]) for row in together[H.id]] == [(4, 3), (5, 4)]
    for as_of in sorted(as_ofs):
        run(lake, [H], as_of)
    assert stored(lake, [H]) == together


def test_a_removed_hunt_leaves_its_findings_but_not_its_hits(lake: Lake) -> None:
    other = Hunt("2b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10", "other", f"{E} | where DeviceId has 'device' | count")
    store(lake, [event(), event(ReportId=2, FileName="x")])
    run(lake, [H, other], AS_OF)
    now = datetime.now(UTC)
    started = run_log.HuntRun(other, AS_OF, "another run", now, outcome=run_log.STARTED)
    run_log.record_runs(lake, [started])
    assert stale_hits.delete_stale(lake, {H.digest}, now) == 0  # it may be reading them
    later = now + timedelta(days=2)
    assert stale_hits.delete_stale(lake, {H.digest}, later, dry_run=True) == 2
    assert stale_hits.delete_stale(lake, {H.digest}, later) == 2
    assert [row.hunt_id for row in lake.read(HITS.name).collect()] == [H.id]
    assert lake.read(writer.ALL).count() == 2
    assert stale_hits.delete_stale(lake, {H.digest}, later) == 0
    again, came_back = run(lake, [H, other], AS_OF)
    assert (again.events_scanned, came_back.events_scanned, came_back.matched) == (0, 2, 2)


def test_hits_that_a_pass_does_not_stand_for_any_more_do_not_count(lake: Lake) -> None:
    """As a removal leaves them that was killed half-way."""
    other = Hunt("2b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10", "other", f"{E} | where DeviceId has 'device' | count")
    store(lake, [event()])
    run(lake, [H, other], AS_OF)
    left = f"filter(hunts, hunt -> hunt.hunt_version = '{H.digest}')"
    lake.spark.sql(f"UPDATE delta.`{lake.path(PASSES.name)}` SET hunts = {left}")
    assert [(one.events_scanned, one.matched) for one in run(lake, [H, other], AS_OF)] == [(0, 1), (1, 1)]


def test_a_hunt_that_refuses_a_value_stops_no_other(lake: Lake) -> None:
    """What is refused lies outside of the window, so the whole query is fine; inside, the hunt fails at its place."""
    refusing = Hunt(
        "1b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10",
        "refusing",
        f"{E} | where Timestamp > ago(2d) | where todynamic(ProcessCommandLine) == 'x' | count",
    )
    store(lake, [event(ProcessCommandLine="1"), event(Timestamp="2026-03-06T00:00:00Z", ProcessCommandLine='"x"')])
    one, other = run(lake, [refusing, H], AS_OF)
    assert (one.mode, one.outcome, other.mode, other.outcome) == (FULL, "succeeded", INCREMENTAL, "succeeded")
    inside, other = run(lake, [refusing, H], ticks("2026-03-02T00:00:00Z"))
    assert (inside.outcome, other.outcome) == ("failed", "succeeded")
    assert "<hunt>:1:" in inside.error


def test_a_hunt_whose_conditions_cannot_be_planned_stops_no_other(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads all events, and finds what there is; others have their hits of the one pass."""
    store(lake, [event(ReportId=1), event(ReportId=2, FileName="x")])
    bad = Hunt("1b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10", "bad", f"{E} | where MD5 != 'bad' | count")
    decide = decisions.decision

    def raising(condition: Any) -> Any:
        if p.references(condition) == {"MD5"}:
            raise RecursionError("maximum recursion depth exceeded")
        return decide(condition)

    monkeypatch.setattr(decisions, "decision", raising)
    one, other = run(lake, [bad, H], AS_OF)
    assert (one.mode, one.outcome, one.findings) == (FULL, "succeeded", 1)
    assert (other.mode, other.outcome, other.matched, other.events_scanned) == (INCREMENTAL, "succeeded", 1, 2)
    (done,) = lake.read(PASSES.name).collect()
    assert [hunt.hunt_id for hunt in done.hunts] == [H.id]
