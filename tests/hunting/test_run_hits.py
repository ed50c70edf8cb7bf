"""The hits that a run reads: which hunts' are in memory, and that each event counts once."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from lakehunt.hunting import run_hits
from lakehunt.hunting.incremental.hits import HitCoverage, PrefilterRun, ScanRange
from lakehunt.hunting.query.events_table import utc_day
from lakehunt.hunting.query.time_window import TimeWindow
from lakehunt.hunting.run_hits import HitsRead
from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.hunt_tables import HITS
from tests.support.events import EVENTS, event, store
from tests.support.hunts import AS_OF, ticks

P = DEVICE_PROCESS_EVENTS.name
ALL = TimeWindow(None, ticks(AS_OF))


def test_what_counts_once() -> None:
    """Two passes that ran at once have read the same event for a; p3 was withdrawn, so its hits do not count."""
    rows = [("a", "p1", "e1"), ("a", "p2", "e1"), ("b", "p2", "e1"), ("a", "p3", "e2"), ("b", "p2", "e2")]
    table = pa.table(
        [list(column) for column in zip(*rows, strict=True)], names=["hunt_version", "pass_id", "event_id"]
    )
    kept = run_hits._once(table, {"p1": frozenset("a"), "p2": frozenset("ab")})
    assert [tuple(row.values()) for row in kept.to_pylist()] == [rows[0], rows[2], rows[4]]


@pytest.fixture(scope="module")
def lake(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Three hits of hunt version a, one of b, none of c; d's are of a pass that does not count."""
    lake = Lake(spark, str(tmp_path_factory.mktemp("hits") / "lake"))
    store(lake, [event(ReportId=number, DeviceId=f"d{number}") for number in range(3)])
    stored = lake.read(EVENTS.name)
    for version, most, pass_id in (("a", 3, "p"), ("b", 1, "p"), ("d", 2, "other")):
        rows = stored.where(f"ReportId < {most}").selectExpr(
            "*", "'hunt' AS hunt_id", f"'{version}' AS hunt_version", f"'{pass_id}' AS pass_id"
        )
        lake.append(
            HITS,
            rows.selectExpr(*(name if name in rows.columns else f"null AS `{name}`" for name in HITS.column_names)),
        )
    return lake


def opened(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(run_hits.hits_table, "check_not_withdrawn", lambda *_: None)
    passes = [PrefilterRun("p", P, ScanRange(((1, 1),), None, None), frozenset("abc"))]
    return run_hits.opened(lake, HitsRead(HitCoverage(passes), {P: ["a", "b", "c"]}, None, utc_day(ticks(AS_OF))))


@pytest.mark.parametrize(
    ("limits", "few"),
    [
        ({}, "abc"),
        ({"MOST_OF_A_HUNT": 1}, "bc"),
        ({"MOST_OF_A_HUNT": 0}, "c"),
        ({"MOST": 3}, "bc"),  # together: one of b, and three of a
        ({"MOST_READ": 3}, ""),  # four are in the files of these hunts and passes
    ],
)
def test_hunts_with_few_hits_read_them_from_memory(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int], few: str
) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(run_hits, name, value)
    with opened(lake, monkeypatch) as found:
        assert found.few == frozenset(few)
        assert {version: found.count(version, ALL) for version in "abc"} == {"a": 3, "b": 1, "c": 0}
        for version, devices in (("a", ["d0", "d1", "d2"]), ("b", ["d0"]), ("c", [])):
            relation = found.of(version, [P], ALL)[P].of(version)
            assert sorted(row.DeviceId for row in relation.frame.select("DeviceId").collect()) == devices
            assert relation.traced
            assert "$$version" not in relation.frame.columns
