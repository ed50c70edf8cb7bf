"""Events that land after an as-of of their window was asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from benchmarks import lake as copies
from lakehunt.hunting import engine, late_events
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import run_log
from lakehunt.hunting.findings.run_log import FULL, INCREMENTAL, Changed, HuntRun
from lakehunt.hunting.incremental.hits import HitCoverage, PrefilterRun, ScanRange
from lakehunt.hunting.late_events import Reader
from lakehunt.hunting.query.events_table import batch_ranges, without
from lakehunt.hunting.query.time_window import TimeWindow
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.small_tables import LocalTables
from lakehunt.runtime.limits import Limits
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from lakehunt.schemas.hunt_tables import HITS, LATE, RUNS
from tests.support.events import event, settle, store
from tests.support.hunts import BACKUP, ticks


def hunt(number: int, query: str, **fields: Any) -> Hunt:
    return Hunt(f"{number}b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10", f"hunt {number}", query, **fields)


DAILY = hunt(
    1, "DeviceProcessEvents | where Timestamp > ago(1d) and FileName =~ 'cmd.exe' | summarize count() by DeviceId"
)
TWO_DAYS = hunt(2, DAILY.query.replace("ago(1d)", "ago(2d)"))
UNLESS = hunt(
    3,
    "DeviceProcessEvents | where Timestamp > ago(1d) and FileName in~ ('cmd.exe', 'update.exe')"
    " | summarize Updates = countif(FileName =~ 'update.exe') by DeviceId | where Updates == 0",
)
ANY = hunt(4, "DeviceProcessEvents | where Timestamp > ago(1d) | summarize Names = make_set(FileName) by DeviceId")
"""Reads all events of its window."""

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (f"2026-03-{day:02}T00:00:00Z" for day in (2, 3, 4, 5))
"""The as-of of a day is its beginning: the hunts look at the day before."""


def run(
    lake: Lake, as_of: str, *hunts: Hunt, late: timedelta = timedelta(days=7), failing: bool = False, **more: Any
) -> list[HuntRun]:
    runs = engine.run_hunts(lake, hunts or [DAILY], ticks(as_of), lambda step: None, late=late, **more)
    assert failing or [one.error for one in runs] == [None] * len(runs)
    return runs


def asked_again(runs: Sequence[HuntRun]) -> list[tuple[str, str, Changed | None]]:
    """The day and the name of each hunt that was asked again, with what that has changed."""
    late = [one for one in runs if one.reason == run_log.LATE]
    return [(f"{times.to_datetime(one.as_of):%d}", one.hunt.name, one.changed) for one in late]


def found(lake: Lake) -> list[tuple[str, str, str]]:
    """Day, device and status of every finding."""
    rows = lake.few(FINDINGS_ALL, ("as_of", "device_id", "status"))
    return sorted((f"{row['as_of']:%d}", row["device_id"], row["status"]) for row in rows)


def at(day: int, hour: int = 12, device: str = "a", name: str = "cmd.exe") -> dict[str, Any]:
    """An event of March 2026."""
    return event(DeviceId=device, FileName=name, Timestamp=f"2026-03-{day:02}T{hour:02}:00:00Z")


def test_an_event_that_lands_a_day_late(lake: Lake) -> None:
    """In a hunt that looks back one day, only the as-of of its own day can find it."""
    store(lake, [at(1)])
    assert asked_again(run(lake, MONDAY)) == []
    store(lake, [at(1, 13, "b"), at(2, 1, "c")])
    runs = run(lake, TUESDAY)
    assert [(one.reason, one.findings, one.too_late) for one in runs] == [(None, 1, 0), (run_log.LATE, 2, None)]
    assert asked_again(runs) == [("02", DAILY.name, Changed(1, 0))]
    assert found(lake) == [("02", "a", "new"), ("02", "b", "new"), ("03", "c", "new")]
    (row,) = lake.few(LATE)
    happened = datetime(2026, 3, 1, 13, tzinfo=UTC)
    assert (row["change"], row["first_seen"], row["last_seen"]) == ("added", happened, happened)
    assert row["landed_at"] == happened + timedelta(hours=1)
    assert (row["as_of"], row["found_as_of"]) == tuple(map(times.to_datetime, map(ticks, (MONDAY, TUESDAY))))
    columns = ("run_id", "as_of", "reason", "batches")
    logged = lake.few(RUNS, columns, [("outcome", "=", run_log.SUCCEEDED)])
    logged.sort(key=lambda row: str(row["run_id"]))
    assert [(f"{one['as_of']:%d}", one["reason"], one["batches"]) for one in logged] == [
        ("02", None, '{"DeviceProcessEvents": [[1, 1]]}'),
        ("03", None, '{"DeviceProcessEvents": [[1, 2]]}'),
        ("02", "late", '{"DeviceProcessEvents": [[1, 2]]}'),
    ]
    for as_of in (TUESDAY, WEDNESDAY):
        assert asked_again(run(lake, as_of)) == []


def test_an_event_of_two_windows(lake: Lake) -> None:
    """It is new at the first as-of, and recurs at the second one; neither of them had it."""
    store(lake, [at(2, device="other")])
    for as_of in (MONDAY, TUESDAY):
        run(lake, as_of, TWO_DAYS)
    store(lake, [at(1)])
    runs = run(lake, WEDNESDAY, TWO_DAYS)
    assert asked_again(runs) == [("02", TWO_DAYS.name, Changed(1, 0)), ("03", TWO_DAYS.name, Changed(1, 0))]
    assert found(lake) == [
        ("02", "a", "new"), ("03", "a", "recurring"), ("03", "other", "new"), ("04", "other", "recurring")]  # fmt: skip


def test_beyond_the_horizon_events_are_counted_once(lake: Lake) -> None:
    store(lake, [at(2, device="other")])
    for as_of in (MONDAY, TUESDAY):
        assert [one.too_late for one in run(lake, as_of, late=timedelta(0))] == [None]
    store(lake, [at(1), at(1, 13), at(2), at(3), event(Timestamp="2026-02-20T12:00:00Z")])  # the last: never asked
    (now, again) = run(lake, WEDNESDAY, late=timedelta(days=1))
    assert (now.too_late, now.findings) == (2, 1)
    assert asked_again([again]) == [("03", DAILY.name, Changed(1, 0))]
    assert [one.too_late for one in run(lake, THURSDAY, late=timedelta(days=1))] == [0]
    stored = lake.few(RUNS, ("too_late",), [("too_late", ">", 0)])
    assert [row["too_late"] for row in stored] == [2]
    # A hunt that is asked once in a while: all of its as-ofs are beyond the horizon.
    store(lake, [at(4)])
    (rare,) = run(lake, "2026-03-12T00:00:00Z", late=timedelta(days=1))
    assert rare.too_late == 1


@pytest.mark.slow
@pytest.mark.parametrize("by_spark", [False, True])
def test_what_is_asked_again(lake: Lake, by_spark: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Findings that a late event removes; hunts that read all events; not hunts without a late event, another version
    of a hunt, an as-of of earlier releases, and a batch that is not accepted."""
    if by_spark:
        monkeypatch.setattr(late_events, "MOST_READ", -1)
    others = hunt(5, DAILY.query.replace("cmd.exe", "others.exe"))
    earlier = hunt(6, DAILY.query)
    changed = hunt(7, DAILY.query)
    store(lake, [at(1), at(1, device="b")])
    first = run(lake, MONDAY, DAILY, UNLESS, ANY, others, changed)
    assert {one.hunt.name: one.mode for one in first} == {
        one.name: FULL if one is ANY else INCREMENTAL for one in (DAILY, UNLESS, ANY, others, changed)
    }
    (of_earlier,) = run(lake, MONDAY, earlier)
    unknown = run_log._row(replace(of_earlier, batches=None))
    lake.replace(RUNS, [unknown], [("hunt_id", "=", earlier.id)])
    store(lake, [at(1, 13, name="update.exe"), at(2)])
    refused = store(lake, [at(1, device="refused")])
    lake.delete("raw.batches", [("batch", "=", refused)])
    settle(lake, refused, "refused")
    runs = run(
        lake,
        TUESDAY,
        DAILY,
        UNLESS,
        ANY,
        others,
        earlier,
        replace(changed, query=f"{changed.query} | sort by DeviceId"),
    )
    assert asked_again(runs) == [("02", UNLESS.name, Changed(0, 1)), ("02", ANY.name, Changed(0, 0))]
    removed = [row for row in lake.few(LATE) if row["hunt_id"] == UNLESS.id]
    happened = datetime(2026, 3, 1, 13, tzinfo=UTC)
    assert [(row["change"], row["first_seen"], row["last_seen"]) for row in removed] == [
        ("removed", happened, happened)
    ]
    assert [row for row in found(lake) if row[1] == "refused"] == []
    # When the batch is accepted after all, its number is lower than that of the newest one.
    store(lake, [at(2, 13)])
    settle(lake, refused)
    runs = run(lake, WEDNESDAY, DAILY, UNLESS)
    assert asked_again(runs) == [
        ("02", DAILY.name, Changed(1, 0)), ("02", UNLESS.name, Changed(1, 0)),
        ("03", DAILY.name, Changed(0, 0)), ("03", UNLESS.name, Changed(0, 0))]  # fmt: skip


def test_a_hunt_that_fails_when_it_is_asked_again(lake: Lake) -> None:
    """The next run tries again."""
    each = hunt(8, "DeviceProcessEvents | where Timestamp > ago(1d) and FileName =~ 'cmd.exe'")
    store(lake, [at(1)])
    run(lake, MONDAY, each)
    store(lake, [at(1, 13, "b"), at(1, 14, "c")])
    now, failed = run(lake, TUESDAY, each, failing=True, limits=Limits(rows=2))
    assert (now.error, failed.reason, failed.outcome) == (None, run_log.LATE, run_log.FAILED)
    assert found(lake) == [("02", "a", "new")]
    assert asked_again(run(lake, TUESDAY, each)) == [("02", each.name, Changed(2, 0))]


# Kills


class _KilledError(BaseException):
    """Stands for the end of the process."""


@pytest.mark.slow
def test_a_kill_loses_no_late_event(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any write of a run that asks again, the pass among them; the next run is of another as-of."""
    hunts = (DAILY, UNLESS)
    store(lake, [at(1)])
    run(lake, MONDAY, *hunts)
    store(lake, [at(1, 13, "b"), at(1, 14, "a", "update.exe")])
    straight = {
        ("02", "a", "new"): 1,  # of DAILY
        ("02", "b", "new"): 2,
    }
    killed, number = True, 0
    while killed:
        root = tmp_path / f"killed-{number}"
        copies.link(Path(lake.root), root)
        left = iter(range(number, -10_000, -1))

        def failing(write: Any, left: Iterator[int]) -> Any:
            def written(*arguments: Any, **named: Any) -> Any:
                if next(left) <= 0:
                    raise _KilledError
                return write(*arguments, **named)

            return written

        with monkeypatch.context() as patched:
            for name in ("append_unless", "replace_made", "replace", "delete"):
                patched.setattr(LocalTables, name, failing(getattr(LocalTables, name), left))
            killed = False
            try:
                run(Lake(lake.spark, str(root)), TUESDAY, *hunts)
            except _KilledError:
                killed = True
        after = Lake(lake.spark, str(root))
        run(after, WEDNESDAY, *hunts)
        rows = found(after)
        assert {row: rows.count(row) for row in rows} == straight, f"killed at write {number}"
        # What alerts tell of: once by the last run that did not know that it was noted.
        noted = after.few(LATE, ("hunt_id", "finding_id", "change", "found_as_of", "run_id"))
        last = {(row["hunt_id"], row["change"]): row for row in sorted(noted, key=lambda row: str(row["run_id"]))}
        assert sorted(last) == sorted([(DAILY.id, "added"), (UNLESS.id, "added"), (UNLESS.id, "removed")])
        done = {row["run_id"] for row in after.few(RUNS, ("run_id",), [("outcome", "=", "succeeded")])}
        assert {row["run_id"] for row in last.values()} <= done
        number += 1
    assert number > 6


# The promise

HUNTS = (replace(DAILY, exclusions=(BACKUP,)), TWO_DAYS, UNLESS, ANY)
NAMES = ("cmd.exe", "update.exe", "other.exe")


@st.composite
def deliveries(draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    """The events that land on each of three days: those of the day, and late ones of the days before."""
    days: list[list[dict[str, Any]]] = [[], [], []]
    for number in range(draw(st.integers(2, 6))):
        day = draw(st.integers(0, 2))
        landed = draw(st.integers(day, 2))
        one = at(day + 1, draw(st.integers(0, 23)), draw(st.sampled_from("ab")), draw(st.sampled_from(NAMES)))
        account = draw(st.sampled_from(("eve", "backup")))
        days[landed].append(one | {"ReportId": number, "AccountName": account})
    return days


def everything(lake: Lake) -> list[str]:
    return sorted(str(row) for row in lake.few(FINDINGS_ALL))


@pytest.mark.slow
@settings(max_examples=1, phases=[Phase.explicit, Phase.generate])
@example(delivered=[[], [], [at(1, 22) | {"ReportId": 1}, at(2, 7, name="update.exe") | {"ReportId": 2}]])
@given(delivered=deliveries())
def test_findings_are_those_of_a_lake_where_nothing_was_late(
    delivered: list[list[dict[str, Any]]], lake: Lake, tmp_path_factory: pytest.TempPathFactory
) -> None:
    late, on_time = (Lake(lake.spark, str(tmp_path_factory.mktemp(name) / "lake")) for name in ("late", "on_time"))
    copies.link(Path(lake.root), Path(late.root))
    copies.link(Path(lake.root), Path(on_time.root))
    store(on_time, [one for landed in delivered for one in landed])
    for landed, as_of in zip(delivered, (MONDAY, TUESDAY, WEDNESDAY), strict=True):
        if landed:
            store(late, landed)
        run(late, as_of, *HUNTS)
        run(on_time, as_of, *HUNTS)
    assert everything(late) == everything(on_time)


@given(st.frozensets(st.integers(1, 12)), st.frozensets(st.integers(1, 12)))
def test_batches_that_a_run_has_not_seen(accepted: frozenset[int], seen: frozenset[int]) -> None:
    assert without(batch_ranges(accepted), batch_ranges(seen)) == batch_ranges(accepted - seen)


# What is looked at, without Spark

MINUTE = 60 * 10_000_000
START = ticks(MONDAY)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Any], list[Any], frozenset[int]]:
    """Runs (hunt, minute of the as-of, number, batches that it saw), hits (hunt, minute, batch), accepted batches."""
    batches = st.frozensets(st.integers(1, 5), max_size=5)
    runs = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 6), batches), max_size=10))
    hits = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 7), st.integers(1, 5)), max_size=8))
    return [(hunt, at, number, seen) for number, (hunt, at, seen) in enumerate(runs)], hits, draw(batches)


@settings(max_examples=40)
@given(history=histories())
def test_what_is_late_follows_from_runs_and_hits(
    history: tuple[list[Any], list[Any], frozenset[int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of runs at minutes 1 to 6 with a window of two minutes, asked about at minute 7 with a horizon of four."""
    runs, hits, accepted = history
    lake, hunts, span = LocalTables(str(tmp_path_factory.mktemp("lake"))), (DAILY, UNLESS), 2
    table = "DeviceProcessEvents"

    def moment(minute: int) -> int:
        return START + minute * MINUTE

    logged = []
    for number, at_, run_number, seen in runs:
        window = TimeWindow(moment(at_ - span), moment(at_))
        text = run_log.written_batches({table: batch_ranges(seen)}, [table])
        began = datetime(2026, 3, 9, tzinfo=UTC)
        logged.append(HuntRun(hunts[number], moment(at_), f"{run_number:03}", began, window=window, batches=text))
    run_log.record_runs(lake, logged)
    rows = []
    for place, (number, minute, batch) in enumerate(hits):
        time = times.to_datetime(moment(minute))
        known = {"hunt_version": hunts[number].digest, "pass_id": "p", "batch": batch, "Timestamp": time}
        known |= {"event_date": time.date(), "landed_at": time, "event_id": str(place)}
        rows.append(tuple(known.get(name) for name in HITS.column_names))
    lake.append(HITS, rows)

    asked = {(one.id, moment(7)) for one in hunts}
    before = late_events.asked_before(lake, asked, timedelta(minutes=4))
    done = PrefilterRun("p", table, ScanRange(((1, 5),), None, None), frozenset(one.digest for one in hunts))
    readers = [Reader(one, moment(7), (table,), ()) for one in hunts]
    found = late_events.find(lake, {table: batch_ranges(accepted)}, HitCoverage([done]), readers, asked, before)

    last = {(number, at_): seen for number, at_, _, seen in runs}  # a later run replaces an earlier one
    expected: dict[tuple[str, int], set[str]] = {}
    too_late: dict[str, set[int]] = {}
    newest = {number: max(at_ for other, at_ in last if other == number) for number, _ in last}
    for (number, at_), seen in last.items():
        for place, (of, minute, batch) in enumerate(hits):
            is_in = of == number and at_ - span <= minute <= at_ and batch in accepted
            if is_in and at_ >= 3 and batch not in seen:
                expected.setdefault((hunts[number].id, moment(at_)), set()).add(str(place))
            if is_in and at_ < 3 and batch not in last[number, newest[number]]:
                too_late.setdefault(hunts[number].id, set()).add(place)
    assert {key: set(events.known) for key, (events, _) in found.again.items()} == expected
    assert found.too_late == {key: len(places) for key, places in too_late.items()}
