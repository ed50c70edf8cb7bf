"""A hunt that costs too much, or fails in whatever way, ends alone: the others' findings are there."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, cast

import pytest
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehunt.hunting import engine
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import run_log
from lakehunt.hunting.incremental import hits
from lakehunt.hunting.query import adhoc, events_table
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
    assert run_log.previous_runs(lake, [slow], 0)[slow.id].overran
    # From now on it has a pass of its own: the shared one, which may take long, is without it.
    runs = ran(lake, [H2, slow], Limits(scan_seconds=20, seconds=5))
    assert (runs["slow"].error or "").startswith("ended after 20 s, its limit")  # the limit that the error names
    passed = {row.hunt_id for row in lake.read("hunts.passes").selectExpr("inline(hunts)").collect()}
    assert passed == {H2.id}


class Slow:
    """Events of which each takes two seconds to read."""

    def __init__(self, frame: DataFrame) -> None:
        self.frame = frame

    def filter(self, condition: Column) -> DataFrame:
        waits = F.expr("reflect('java.lang.Thread', 'sleep', 2000L)")
        return self.frame.filter(condition).filter(F.coalesce(waits, F.lit("")) != "never")


def test_no_hunt_is_at_fault_if_events_take_too_long_to_read(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six batches of one event each take six seconds on two cores, twelve on one."""
    for number in range(6):
        store(lake, [event(ReportId=number, DeviceId=f"d{number}")])
    snapshot = events_table.open_snapshot(lake)
    slow = replace(snapshot, frame=cast(DataFrame, Slow(snapshot.frame)))
    monkeypatch.setattr(events_table, "open_snapshot", lambda lake: slow)
    monkeypatch.setattr(hits, "TOTAL", 1)
    runs = ran(lake, [H1, H2], Limits(scan_seconds=5, seconds=5))
    why = "not all events could be read in 5 s, the limit for all scans of a run"
    assert [(run.error or "").startswith(why) for run in runs.values()] == [True, True]
    assert not any(run.overran for run in run_log.previous_runs(lake, [H1, H2], 0).values())


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
