"""A day against the days before it: rows by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehunt.core.errors import LakehuntError
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from lakehunt.quality.volume import DayVolume, judge_days
from lakehunt.schemas.landing_tables import BATCHES

SUITES = Path(__file__).resolve().parents[2] / "expectations"
END = datetime(2026, 3, 10, tzinfo=UTC)
TICKS = times.from_datetime(END)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def landed(
    lake: Lake, hours: dict[datetime, int], quarantined: int = 0, outcome: str = "settled", table: str | None = None
) -> None:
    """A batch with so many events in each of the hours, landed an hour before the end."""
    batch, events = lake.rows(BATCHES).count() + 1, sum(hours.values())
    of = [{"hour": hour, "events": count} for hour, count in hours.items()]
    row = (batch, END - HOUR, events + quarantined, events, quarantined, 0, outcome, None, of, table)
    lake.append(BATCHES, lake.local(BATCHES, [row]))


def a_week(lake: Lake, *counts: int) -> None:
    """Events at noon of the days before the last, the last day first."""
    landed(lake, {END - DAY * number - 12 * HOUR: count for number, count in enumerate(counts)})


def test_a_table_that_stalls_is_not_hidden_by_the_others(lake: Lake, tmp_path: Path) -> None:
    rule = {"column": "percent_of_usual", "min_value": 50}
    kwargs = {"type": "expect_column_values_to_be_between", "kwargs": rule, "severity": "warning"}
    (tmp_path / "telemetry.json").write_text(
        json.dumps({"name": "t", "expectations": [kwargs | {"meta": {"notes": "Why."}}]})
    )
    for days in range(1, 4):
        landed(lake, {END - DAY * days - HOUR: 100}, table="DeviceNetworkEvents")
        landed(lake, {END - DAY * days - HOUR: 10})
    landed(lake, {END - HOUR: 1}, table="DeviceNetworkEvents")
    landed(lake, {END - HOUR: 1000})
    [day] = judge_days(lake, tmp_path, TICKS)
    assert (day.events, day.usual_events) == (1001, 110.0)
    assert day.warnings == ("DeviceNetworkEvents: percent_of_usual: less than 50 (it is 1.0). Why.",)


def test_records_of_no_table_are_not_of_process_events(lake: Lake, tmp_path: Path) -> None:
    rule = {"column": "quarantined_percent", "max_value": 10}
    kwargs = {"type": "expect_column_values_to_be_between", "kwargs": rule, "severity": "warning"}
    (tmp_path / "telemetry.json").write_text(
        json.dumps({"name": "t", "expectations": [kwargs | {"meta": {"notes": "Why."}}]})
    )
    landed(lake, {END - 2 * HOUR: 90}, quarantined=10, table="DeviceProcessEvents")
    landed(lake, {END - 2 * HOUR: 5}, quarantined=5, table="DeviceNetworkEvents")
    landed(lake, {}, quarantined=90, table="")
    [day] = judge_days(lake, tmp_path, TICKS)
    assert day.quarantined_percent == 52.5  # 105 of 200
    assert day.warnings == ("DeviceNetworkEvents: quarantined_percent: more than 10 (it is 50.0). Why.",)


def test_batches_of_earlier_versions_name_no_table(lake: Lake) -> None:
    landed(lake, {END - HOUR: 5})
    landed(lake, {END - HOUR: 7}, table="DeviceProcessEvents")
    assert [day.events for day in judge_days(lake, SUITES, TICKS)] == [12]


def test_a_usual_day(lake: Lake) -> None:
    a_week(lake, 90, 100, 100, 100, 300, 20, 100, 100, 5000)  # the eighth day before is no longer compared with
    landed(lake, {END - HOUR: 10})
    [day] = judge_days(lake, SUITES, TICKS)
    assert (day.events, day.usual_events, day.percent_of_usual, day.hours_without_events) == (100, 100.0, 100.0, 0)
    assert (day.critical, day.warnings) == ((), ())


def test_a_day_without_events_is_no_quiet_day(lake: Lake) -> None:
    a_week(lake, 0, 100, 100)
    [day] = judge_days(lake, SUITES, TICKS)
    assert (day.events, day.percent_of_usual, day.hours_without_events) == (0, 0.0, 11)
    assert [text.split(". ")[0] for text in day.warnings] == [
        "events: less than 1 (it is 0)",
        "hours_without_events: more than 6 (it is 11)",
        "percent_of_usual: not between 50 and 300 (it is 0.0)",
    ]


def test_a_feed_that_stopped_in_the_day(lake: Lake) -> None:
    landed(lake, {END - DAY * number - 13 * HOUR: 100 for number in range(4)})
    [day] = judge_days(lake, SUITES, TICKS)
    assert (day.percent_of_usual, day.hours_without_events) == (100.0, 12)
    assert [text.split(". ")[0] for text in day.warnings] == ["hours_without_events: more than 6 (it is 12)"]


def test_days_before_the_first_event_are_not_usual(lake: Lake) -> None:
    landed(lake, {END - HOUR: 5})
    [day] = judge_days(lake, SUITES, TICKS)
    assert (day.usual_events, day.percent_of_usual, day.warnings) == (None, None, ())


def test_a_lake_that_never_had_an_event(lake: Lake) -> None:
    [day] = judge_days(lake, SUITES, TICKS)
    assert (day.events, day.hours_without_events) == (0, None)
    assert len(day.warnings) == 1


def test_only_whole_hours_before_the_instant_count(lake: Lake) -> None:
    landed(lake, {END: 7, END - HOUR: 5, END - DAY: 3, END - DAY - HOUR: 2})
    [day] = judge_days(lake, SUITES, times.from_datetime(END + timedelta(minutes=30)))
    assert day.events == 8
    assert (judge_days(lake, SUITES, times.from_datetime(END + HOUR))[0]).events == 12


def test_refused_batches_have_no_events_but_count_as_landed(lake: Lake) -> None:
    landed(lake, {END - HOUR: 90}, quarantined=10)
    landed(lake, {END - HOUR: 100}, outcome="refused")
    [day] = judge_days(lake, SUITES, TICKS)
    assert (day.events, day.quarantined_percent) == (90, 5.0)
    assert [text.split(". ")[0] for text in day.warnings] == ["quarantined_percent: more than 1 (it is 5.0)"]


def test_several_days_the_newest_first(lake: Lake) -> None:
    a_week(lake, 1, 2, 3)
    days = judge_days(lake, SUITES, TICKS, 3)
    assert [(day.as_of, day.events) for day in days] == [(END, 1), (END - DAY, 2), (END - 2 * DAY, 3)]


def test_a_team_may_say_what_is_critical(lake: Lake, tmp_path: Path) -> None:
    rule = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "events", "min_value": 9}}
    suite = {"name": "t", "expectations": [{**rule, "severity": "critical", "meta": {"notes": "Why, 100 %s."}}]}
    (tmp_path / "telemetry.json").write_text(json.dumps(suite))
    assert judge_days(lake, tmp_path, TICKS)[0].critical == ("events: less than 9 (it is 0). Why, 100 %s.",)
    suite["expectations"][0]["kwargs"]["column"] = "event"  # type: ignore[index]
    (tmp_path / "telemetry.json").write_text(json.dumps(suite))
    with pytest.raises(LakehuntError, match="no column 'event'"):
        judge_days(lake, tmp_path, TICKS)


def test_without_a_suite_nothing_is_said(lake: Lake, tmp_path: Path) -> None:
    assert judge_days(lake, tmp_path, TICKS) == [DayVolume(END, 0, None, None, None)]
