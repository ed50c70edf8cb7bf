"""Queries read no more than they need, and answer as if they had read everything."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
import pytest

from lakehunt.hunting.query import adhoc, first_rows
from lakehunt.hunting.query.events_table import LakeSnapshot
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY
from lakehunt.hunting.query.time_window import limit_to_window
from lakehunt.kql import times
from lakehunt.kql.types import TICKS_PER_DAY
from lakehunt.lake import file_ranges
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.file_ranges import FileRanges
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.landing_tables import BATCHES
from lakehunt.spark.plans import compile_plan
from tests.support.events import EVENTS, event, settle, store
from tests.support.hunts import ticks

T = "DeviceProcessEvents"
LATE = ticks("2026-03-20T00:00:00Z")


def stamps(lake: Lake, as_of: int = LATE) -> list[Any]:
    return [row[0] for row in adhoc.query(lake, f"{T} | project Timestamp | sort by Timestamp asc", as_of).rows]


def plainly(lake: Lake, text: str, as_of: int, period: int | None = None) -> list[list[Any]]:
    """The answer of the whole plan over all columns and rows."""
    plan, _ = limit_to_window(EVENTS_ONLY.bind(text), as_of, period)
    rows = compile_plan(plan, EVENTS_ONLY.context(lake, as_of)).in_order().collect()
    return adhoc.Collected(plan.schema, rows).answer().rows


QUERIES = (
    f"{T}",
    f"{T} | take 3",
    f"{T} | take 100",
    f"{T} | where FileName == 'b.exe' | take 2",
    f"{T} | where FileName == 'nothing' | take 2",
    f"{T} | extend Name = toupper(FileName) | where Name startswith 'A' | project Name, ProcessId | take 2 | count",
    f"{T} | take 3 | summarize n = count() by FileName",
    f"{T} | serialize n = row_number() | where n > 2 | take 2 | project n, FileName",
    f"{T} | serialize before = prev(FileName) | take 3 | project before, FileName",
    f"{T} | sort by FileName desc, ProcessId asc | take 3 | project FileName, ProcessId",
    f"{T} | where ProcessId in (({T} | take 1 | project ProcessId)) | project ProcessId | take 5",
    f"{T} | extend a = strlen(FileName), b = strcat(FileName, AccountName) | summarize sum(a)",
    f"{T} | project FileName, ProcessId | union ({T} | project FileName, DeviceName) | summarize count() by FileName",
    f"let names = {T} | extend n = strlen(FileName); names | join kind=inner (names | take 2) on ProcessId | count",
    f"{T} | where ProcessId > toscalar({T} | summarize min(ProcessId)) | summarize arg_min(ProcessId, FileName)",
    f"{T} | where Timestamp > ago(2d) | project-rename Name = FileName | top 2 by ProcessId",
    f"{T} | mv-apply part = split(FileName, '.') to typeof(string) on (where part != 'exe') | project part, ProcessId",
)


def test_answers_are_those_of_the_whole_plan(lake: Lake) -> None:
    days = [
        "2026-03-01T00:00:00.1234567Z",
        "2026-03-02T10:00:00Z",
        "2026-03-02T10:00:00Z",
        "2026-03-04T23:59:59.9999999Z",
    ]
    for batch in range(2):
        store(
            lake,
            [
                event(Timestamp=day, FileName="ab"[number % 2] + ".exe", ProcessId=10 * batch + number, ReportId=number)
                for number, day in enumerate(days)
            ],
        )
    middle = ticks("2026-03-02T10:00:00Z"), TICKS_PER_DAY
    for (as_of, period), queries in {(LATE, None): QUERIES, middle: QUERIES[:5]}.items():
        for query in queries:
            assert adhoc.query(lake, query, as_of, period).rows == plainly(lake, query, as_of, period), (query, as_of)
    before = ticks("2026-02-01T00:00:00Z")
    assert adhoc.query(lake, f"{T} | take 3", before).rows == plainly(lake, f"{T} | take 3", before) == []


def test_first_rows_on_both_sides_of_a_part(lake: Lake) -> None:
    """The first part is an hour from the first event on."""
    clock = [
        "00:00:00.0000003",
        "00:59:59.9999999",
        "01:00:00.0000002",
        "01:00:00.0000004",
        "05:00:00",
        "05:00:00.0000009",
    ]
    moments = [f"2026-03-01T{time.ljust(16, '0') if '.' in time else time + '.0000000'}Z" for time in clock]
    store(lake, [event(Timestamp=moment, ReportId=number) for number, moment in enumerate(moments)])
    for as_of in (LATE, ticks(moments[3]), ticks(moments[4])):
        seen = [[one] for one in moments if ticks(one) <= as_of]
        for count in range(8):
            assert adhoc.query(lake, f"{T} | project Timestamp | take {count}", as_of).rows == seen[:count]
    later = f"{T} | where Timestamp > datetime({moments[1]}) | project Timestamp | take 2"
    assert adhoc.query(lake, later, LATE).rows == [[one] for one in moments[2:4]]


def test_no_event_after_the_as_of_is_seen(lake: Lake) -> None:
    moments = ["2026-03-01T00:00:00Z", "2026-03-01T00:00:00.0000001Z", "2026-03-01T12:34:56.7899999Z"]
    store(lake, [event(Timestamp=moment) for moment in moments])
    for moment in moments:
        for as_of in (ticks(moment) - 1, ticks(moment), ticks(moment) + 1):
            seen = [[times.format_datetime(ticks(one))] for one in moments if ticks(one) <= as_of]
            assert adhoc.query(lake, f"{T} | project Timestamp", as_of).rows == seen


def test_what_all_events_satisfy_is_not_compared(lake: Lake) -> None:
    store(lake, [event(Timestamp="2026-03-01T00:00:00Z")])
    snapshot = LakeSnapshot(lake).of(DEVICE_PROCESS_EVENTS)
    assert snapshot.span == (ticks("2026-03-01T00:00:00Z"), ticks("2026-03-01T00:00:00.0009999Z"))  # or milliseconds
    assert "Filter" not in snapshot.frame._jdf.queryExecution().analyzed().toString()


def test_a_lake_that_changes_is_read_anew(lake: Lake, tmp_path: Path) -> None:
    store(lake, [event(Timestamp="2026-03-01T00:00:00Z")])
    kept = shutil.copytree(lake.root, tmp_path / "before")
    first = stamps(lake)
    assert len(first) == 1
    store(lake, [event(Timestamp="2026-03-02T00:00:00Z")])
    assert len(stamps(lake)) == 2
    lake.append(EVENTS, lake.rows(EVENTS).limit(1).selectExpr(*_as_batch(lake, 3)))  # is being promoted
    assert len(stamps(lake)) == 2
    settle(lake, 3)
    assert len(stamps(lake)) == 3
    shutil.rmtree(lake.root)  # another lake in its place, whose tables have earlier versions
    shutil.copytree(kept, lake.root)
    assert stamps(lake) == first
    store(lake, [event(Timestamp="2026-03-05T00:00:00Z")])  # as many commits as before, of other events
    assert stamps(lake) == [*first, "2026-03-05T00:00:00.0000000Z"]


def _as_batch(lake: Lake, batch: int) -> list[str]:
    return [f"CAST({batch} AS BIGINT) AS batch" if name == "batch" else f"`{name}`" for name in EVENTS.column_names]


def test_a_batch_that_is_not_accepted_is_left_out(lake: Lake) -> None:
    store(lake, [event(ProcessId=1)])
    store(lake, [event(ProcessId=2)])
    lake.replace(BATCHES, [], [("batch", "=", 1)])
    assert adhoc.query(lake, f"{T} | project ProcessId", LATE).rows == [[2]]


def test_takes_of_many_rows_are_read_at_once() -> None:
    def is_narrowed(query: str) -> bool:
        plan = EVENTS_ONLY.bind(query)
        while not isinstance(plan, first_rows.p.Take):
            plan = first_rows.p.sources(plan)[0]
        return first_rows._scan_below(plan) is not None

    assert is_narrowed(f"{T} | where FileName == 'a' | take 10000 | count")
    assert not is_narrowed(f"{T} | take 10001")
    assert not is_narrowed(f"{T} | serialize a = prev(FileName) | take 1")
    assert not is_narrowed(f"{T} | sort by FileName | take 1")
    assert not is_narrowed("print 1 | take 1")


# Ranges of columns in files


@pytest.fixture
def files(tmp_path: Path) -> pa.fs.FileSystem:
    for name, values in {"a": [3, 1], "b": [2, None], "c": [5]}.items():
        pq.write_table(pa.table({"n": pa.array(values, pa.int64()), "batch": [1] * len(values)}), tmp_path / name)
    pq.write_table(pa.table({"n": pa.array([], pa.int64())}), tmp_path / "empty")
    (tmp_path / "broken").write_text("no Parquet")
    return pa.fs.SubTreeFileSystem(str(tmp_path), pa.fs.LocalFileSystem())


def test_ranges(files: pa.fs.FileSystem) -> None:
    ranges = FileRanges()
    assert ranges.of(files, "lake", ["a", "c"], "n") == [(1, 3), (5, 5)]
    assert ranges.of(files, "lake", ["a"], "batch") == [(1, 1)]
    assert ranges.of(files, "lake", [], "n") == []
    for unknown in ("b", "empty", "broken", "gone"):
        assert ranges.of(files, "lake", ["a", unknown], "n") is None
    assert ranges.of(files, "lake", ["a"], "other") is None


def test_ranges_of_many_files_are_read_step_by_step(files: pa.fs.FileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_ranges, "MOST_READ", 1)
    ranges = FileRanges()
    assert ranges.of(files, "lake", ["a", "c"], "n") is None
    assert ranges.of(files, "lake", ["a", "c"], "n") == [(1, 3), (5, 5)]
