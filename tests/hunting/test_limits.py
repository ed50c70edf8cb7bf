"""A hunt that costs too much, or fails in whatever way, ends alone: the others' findings are there."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehunt.hunting import engine
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import run_log
from lakehunt.hunting.incremental import hits
from lakehunt.hunting.query import adhoc
from lakehunt.lake.delta_lake import Lake
from lakehunt.runtime import bounded
from lakehunt.runtime.bounded import TimeLimitError
from lakehunt.runtime.limits import LimitError, Limits
from tests.support.events import event, store
from tests.support.hunts import AS_OF, H1, H2, custom, own, ticks

MILLION = "range x from 1 to 1000000 step 1 | extend k = 1"
DOUBLED = "DeviceProcessEvents | project s = FileName" + " | extend s = strcat(s, s)" * 20 + " | project n = strlen(s)"

BAD = {
    "cross join": f"let T = {MILLION}; T | join kind=inner T on k | summarize sum(x * x1)",
    "rows": "range x from 1 to 1000000000000 step 1",
    "nested": "DeviceProcessEvents | where " + "not(" * 3000 + "true" + ")" * 3000,
    "no table": "NoSuchTable | count",
}


def hunt(name: str, query: str) -> Hunt:
    return replace(custom(query), id=f"0b9c1c7e-0000-4a5e-9a3e-{abs(hash(name)) % 10**12:012d}", name=name)


def ran(lake: Lake, hunts: list[Hunt], limits: Limits) -> dict[str, engine.HuntRun]:
    found = engine.run_hunts(lake, hunts, ticks(AS_OF), lambda step: None, limits=limits)
    return {one.hunt.name: one for one in found}


def ledger(lake: Lake, hunts: list[Hunt]) -> dict[Any, Any]:
    return {row["hunt_name"]: row["outcome"] for row in run_log.recent_runs(lake, hunts, None, len(hunts))}


def test_bad_hunts_end_alone_and_the_next_run_goes_on(lake: Lake) -> None:
    """The text that doubles with every `extend` has 7 * 2^20 letters in the end; Spark would plan 2^20 expressions."""
    store(lake, [event()])
    bad = [hunt(name, query) for name, query in BAD.items()]
    good = [H1, hunt("doubled", DOUBLED), H2]
    hunts = [*bad, *good]
    runs = ran(lake, hunts, Limits(seconds=15, rows=1000))
    assert {name for name, run in runs.items() if run.error} == set(BAD)
    assert (runs["cross join"].error or "").startswith("ended after 15 s, its limit")
    assert (runs["rows"].error or "").startswith("the result has more than 1,000 rows, the limit")
    assert "NoSuchTable" in (runs["no table"].error or "")
    assert [len(own(lake, one)) for one in good] == [1, 1, 1]
    assert own(lake, good[1])[0]["n"] == 7 * 2**20
    assert ledger(lake, hunts) == dict.fromkeys(BAD, "failed") | {one.name: "succeeded" for one in good}
    assert not ran(lake, [good[0]], Limits())[good[0].name].error


def test_a_hunt_that_is_slow_on_each_event_does_not_keep_others_from_their_hits(lake: Lake) -> None:
    store(lake, [event(ReportId=i, DeviceId=f"d{i}") for i in range(3000)])
    arrays = "array_sort_desc(array_sort_asc(range(1, 900000 + ReportId, 1)))"
    slow = hunt("slow", f"DeviceProcessEvents | where array_length({arrays}) == 7")
    runs = ran(lake, [slow], Limits(scan_seconds=5, seconds=5))
    assert (runs["slow"].error or "").startswith("ended after 5 s, its limit")
    assert run_log.previous_runs(lake, {(slow.id, 0)}).overran == {slow.id}
    # From now on it has a pass of its own: the shared one, which may take long, is without it.
    runs = ran(lake, [H2, slow], Limits(scan_seconds=20, seconds=5))
    assert (runs["slow"].error or "").startswith("ended after 20 s, its limit")  # the limit that the error names
    passed = {row.hunt_id for row in lake.read("hunts.passes").selectExpr("inline(hunts)").collect()}
    assert passed == {H2.id}


class SlowStore:
    """A store that takes a while for each batch of events: on a clock of the test's own, so that the machine's speed
    does not matter. `passes` are the batches that each scan of the hunts was given, and whether it ended in time."""

    def __init__(self, seconds_a_batch: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cost, self.now, self.ends = seconds_a_batch, 0.0, math.inf
        self.passes: list[tuple[tuple[hits.BatchRange, ...], bool]] = []
        self._read, self._run = hits._read, hits._run_prefilter
        monkeypatch.setattr(hits, "time", SimpleNamespace(monotonic=lambda: self.now, perf_counter=time.perf_counter))
        monkeypatch.setattr(hits, "bounded", SimpleNamespace(within=self.within))
        monkeypatch.setattr(hits, "_read", self.read)
        monkeypatch.setattr(hits, "_run_prefilter", self.run)

    def within(self, spark: Any, seconds: float, setting: str, work: Callable[[], Any]) -> Any:
        self.ends = self.now + seconds
        return work()

    def read(self, events: Any, scan_range: hits.ScanRange, hunts: Any) -> DataFrame:
        self.now += self.cost * sum(last - first + 1 for first, last in scan_range.batches)
        if self.now > self.ends:
            limit, self.now = self.ends - self.now, self.ends
            raise TimeLimitError(limit, hits.SETTING)
        return self._read(events, scan_range, hunts)

    def run(self, lake: Lake, events: Any, scan_range: hits.ScanRange, hunts: Any, context: Any) -> Any:
        self.passes.append((scan_range.batches, False))
        done = self._run(lake, events, scan_range, hunts, context)
        self.passes[-1] = (scan_range.batches, True)
        return done


HOUR = 3600
"""Seconds. Limits of hours: nothing here comes near them in real time."""


def six_batches(lake: Lake) -> None:
    for number in range(6):
        store(lake, [event(ReportId=number, DeviceId=f"d{number}")])


def test_batches_that_take_long_to_read_are_read_in_parts(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six batches of 1.5 hours each, in passes of at most 8 hours, then 4, then 2: six batches take 9, three 4.5, two
    3. Before each part, half of the time goes by until it is known that the store is slow: 8 + 4, then for each half
    4 + 2, 1.5, 2 + 1, 1.5, 1.5. These are 39 hours of the 40 that all passes may take."""
    six_batches(lake)
    store_ = SlowStore(1.5 * HOUR, monkeypatch)
    runs = ran(lake, [H1, H2], Limits(scan_seconds=8 * HOUR, seconds=2 * HOUR))
    assert [run.error for run in runs.values()] == [None, None]
    assert store_.passes == [
        (((1, 6),), False),
        (((1, 3),), False),
        (((1, 1),), True),
        (((2, 3),), False),
        (((2, 2),), True),
        (((3, 3),), True),
        (((4, 6),), False),
        (((4, 4),), True),
        (((5, 6),), False),
        (((5, 5),), True),
        (((6, 6),), True),
    ]
    assert store_.now == 39 * HOUR
    assert {row["DeviceId"] for row in own(lake, H2)} == {f"d{number}" for number in range(6)}


def test_no_hunt_is_at_fault_if_events_take_too_long_to_read(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """As above, at two hours a batch, and in at most 25 hours: 8 + 4, 4 + 2, 2, 2 + 1 and 2 are over when two of six
    batches are read, then nothing is left. The next run goes on from there."""
    six_batches(lake)
    monkeypatch.setattr(hits, "TOTAL", 25 / 8)
    store_ = SlowStore(2 * HOUR, monkeypatch)
    runs = ran(lake, [H1, H2], Limits(scan_seconds=8 * HOUR, seconds=2 * HOUR))
    why = "not all events could be read in 90000 s, the limit for all scans of a run"
    assert [(run.error or "").startswith(why) for run in runs.values()] == [True, True]
    assert run_log.previous_runs(lake, {(H1.id, 0), (H2.id, 0)}).overran == frozenset()
    read = [batches for batches, in_time in store_.passes if in_time]
    assert read == [((1, 1),), ((2, 2),)]
    runs = ran(lake, [H1, H2], Limits(scan_seconds=8 * HOUR, seconds=2 * HOUR))
    assert [run.error for run in runs.values()] == [None, None]
    read = [batches for batches, in_time in store_.passes[len(store_.passes) - 1 :] if in_time]
    assert read == [((3, 6),)]
    assert {row["DeviceId"] for row in own(lake, H2)} == {f"d{number}" for number in range(6)}


def test_a_query_has_the_same_limits(lake: Lake) -> None:
    with pytest.raises(LimitError, match="more than 10 rows"):
        adhoc.query(lake, "range x from 1 to 11 step 1", 0, limits=Limits(rows=10))
    assert len(adhoc.query(lake, "range x from 1 to 10 step 1", 0, limits=Limits(rows=10)).rows) == 10
    constant = "print s = 'abc'" + " | extend s = strcat(s, s)" * 22 + " | project strlen(s)"
    assert adhoc.query(lake, constant, 0).rows == [[3 * 2**22]]
    endless = f"let T = {MILLION}; T | join kind=inner T on k | summarize count()"
    (answer,) = adhoc.answer_lines(lake, [f'{{"id": 1, "query": "{endless}"}}'], 0, limits=Limits(seconds=3))
    assert answer["error"]["kind"] == "limit"
    tracker = lake.spark.sparkContext._jsc.sc().statusTracker()  # the task has ended, too
    ended = time.monotonic() + 20
    while tracker.getExecutorInfos()[0].numRunningTasks() and time.monotonic() < ended:
        time.sleep(0.1)
    assert tracker.getExecutorInfos()[0].numRunningTasks() == 0


def test_a_task_without_memory_ends_alone(spark: Any) -> None:
    """2^31 - 100 numbers take 16 GB. By default, Spark ends the JVM."""
    numbers = spark.range(1).select(F.sequence(F.lit(0).cast("bigint"), F.lit(2**31 - 100) + F.col("id")).alias("n"))
    with pytest.raises(Exception, match="OutOfMemoryError"):
        numbers.select(F.size("n")).collect()
    assert spark.range(3).count() == 3


def test_what_spark_cannot_cancel_is_abandoned(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "GRACE", 0.1)
    started = time.monotonic()
    with pytest.raises(TimeLimitError, match=r"ended after 0\.1 s, its limit"):
        bounded.within(spark, 0.1, "seconds", lambda: spark._jvm.java.lang.Thread.sleep(5000))
    assert time.monotonic() - started < 4
    with pytest.raises(KeyError, match="own"):
        bounded.within(spark, 10, "seconds", lambda: {}["own"])
    assert bounded.within(spark, 10, "seconds", lambda: 7) == 7
