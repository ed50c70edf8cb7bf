from __future__ import annotations

import pytest

from lakehunt.hunting.query.events_table import KQL_TABLES
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.hunting.query.time_window import DEFAULT_PERIOD, TimeWindow, limit_to_window
from lakehunt.kql import plan as p
from lakehunt.kql import times
from lakehunt.kql.binding import bind
from lakehunt.kql.errors import QueryErrors
from lakehunt.kql.types import TICKS_PER_DAY, TICKS_PER_HOUR
from lakehunt.spark.functions import CATALOG

NOW = times.parse_datetime("2026-03-10T12:00:00Z") or 0
WEEK = NOW - DEFAULT_PERIOD


def window(steps: str) -> TimeWindow:
    return limit_to_window(bind(f"DeviceProcessEvents {steps}", KQL_TABLES, CATALOG), NOW, DEFAULT_PERIOD)[1]


@pytest.mark.parametrize(
    ("steps", "since"),
    [
        ("| where Timestamp > ago(7d)", WEEK),
        ("| where Timestamp >= ago(1h)", NOW - TICKS_PER_HOUR),
        ("| where ago(1h) < Timestamp", NOW - TICKS_PER_HOUR),
        ("| where TimeGenerated > ago(30d)", NOW - 30 * TICKS_PER_DAY),
        ("| where Timestamp between (ago(3d) .. 1d)", NOW - 3 * TICKS_PER_DAY),
        ("| where FileName == 'x' and Timestamp > ago(2d) and Timestamp > ago(1d)", NOW - TICKS_PER_DAY),
        ("| where FileName == 'x' | extend y = 1 | where Timestamp > now() - 1d", NOW - TICKS_PER_DAY),
        ("| where Timestamp > startofday(ago(1d))", times.parse_datetime("2026-03-09")),
        ("| where Timestamp > datetime(2026-03-01)", times.parse_datetime("2026-03-01")),
        # a time filter that gives no lower bound: the query's author meant everything before
        ("| where Timestamp < ago(1d)", None),
        ("| where now() - Timestamp < 1d", None),
        ("| where bin(Timestamp, 1d) > ago(3d)", None),
        # no time filter: the default period
        ("", WEEK),
        ("| where FileName == 'x'", WEEK),
        ("| where Timestamp > ago(30d) or FileName == 'x'", WEEK),
        ("| where ProcessCreationTime > ago(30d)", WEEK),
        ("| where Timestamp > ProcessCreationTime", WEEK),
        ("| summarize Timestamp = max(Timestamp) by DeviceId | where Timestamp > ago(30d)", WEEK),
        ("| extend Timestamp = ProcessCreationTime | where Timestamp > ago(30d)", WEEK),
        ("| project Timestamp, FileName | where Timestamp > ago(30d)", NOW - 30 * TICKS_PER_DAY),
        # the order of the rows is no matter, nor another name, nor rows made of one
        ("| sort by FileName asc | where Timestamp > ago(30d)", NOW - 30 * TICKS_PER_DAY),
        ("| project at = Timestamp | where at > ago(30d)", NOW - 30 * TICKS_PER_DAY),
        ("| mv-expand w = split(ProcessCommandLine, ' ') | where Timestamp > ago(30d)", NOW - 30 * TICKS_PER_DAY),
        ("| extend day = startofday(Timestamp) | where day > ago(30d)", None),
        # a filter that stands after neighbours were looked at is the query's, but they may be older than it says
        ("| sort by Timestamp asc | extend before = prev(FileName) | where Timestamp > ago(1d)", None),
        ("| serialize n = row_number() | where Timestamp > ago(30d)", None),
        # which rows are left depends on all of them
        ("| take 5 | where Timestamp > ago(30d)", WEEK),
        ("| top 5 by FileName asc | where Timestamp > ago(30d)", WEEK),
    ],
)
def test_where_the_window_starts(steps: str, since: int | None) -> None:
    assert window(steps).since == since


def test_the_window_ends_at_the_as_of_or_earlier() -> None:
    assert window("| where Timestamp > ago(7d)").until == NOW
    assert window("| where Timestamp < ago(1d)").until == NOW - TICKS_PER_DAY
    assert window("| where Timestamp < now() + 1d").until == NOW


def test_each_side_of_a_join_has_its_own_time_filter() -> None:
    query = """let t = DeviceProcessEvents;
        t | join kind=inner t on DeviceId | where Timestamp > ago(30d) and Timestamp1 > ago(2d)"""
    plan, _ = limit_to_window(bind(query, KQL_TABLES, CATALOG), NOW, DEFAULT_PERIOD)
    scans = [step for step in p.walk(plan) if isinstance(step, p.Scan)]
    assert [scan.since for scan in scans] == [NOW - 30 * TICKS_PER_DAY, NOW - 2 * TICKS_PER_DAY]


def test_every_scan_is_limited() -> None:
    plan, _ = limit_to_window(bind("DeviceProcessEvents | count", KQL_TABLES, CATALOG), NOW, None)
    scans = [step for step in p.walk(plan) if isinstance(step, p.Scan)]
    assert [(scan.since, scan.until) for scan in scans] == [(None, NOW)]
    assert any(isinstance(step, p.Filter) for step in p.walk(plan))


def test_a_query_without_tables_reads_no_time() -> None:
    plan, read = limit_to_window(bind("print 1", KQL_TABLES, CATALOG), NOW, DEFAULT_PERIOD)
    assert isinstance(plan, p.Project)
    assert read == TimeWindow(NOW, NOW)


START, END = "todatetime('{{StartTimeISO}}')", "todatetime('{{EndTimeISO}}')"


@pytest.mark.parametrize(
    ("query", "days"),
    [
        (f"let from = {START}; let to = {END}; DeviceProcessEvents | where Timestamp between (from .. to)", 3),
        (f"DeviceProcessEvents | where TimeGenerated >= {START} and TimeGenerated < {END}", 3),
        (f"let from = {START}; DeviceProcessEvents | where Timestamp > from - 14d", 17),
        ("DeviceProcessEvents | where Timestamp > datetime({{StartTimeISO}})", 3),
        ("DeviceProcessEvents | where Timestamp >= datetime('{{StartTimeISO}}')", 3),
        (f"let back = totimespan(({END} - {START}) * 7); DeviceProcessEvents | where Timestamp > ago(back)", 21),
        ("let text = '{{StartTimeISO}}'; DeviceProcessEvents | where Timestamp > todatetime(text)", 3),
    ],
)
def test_placeholders_of_sentinel_are_the_range_of_the_hunt(query: str, days: int) -> None:
    period = 3 * TICKS_PER_DAY
    plan = TableCatalog().bind(query, period=period)
    assert limit_to_window(plan, NOW, period)[1] == TimeWindow(NOW - days * TICKS_PER_DAY, NOW)


@pytest.mark.parametrize(
    ("query", "column", "hint"),
    [
        ("print '{{Host_Name}}'", 7, "only {{StartTimeISO}} and {{EndTimeISO}} are filled in"),
        ("print a = 1, b = ' {{ IP_Address }} '", 18, "only {{StartTimeISO}} and {{EndTimeISO}} are filled in"),
        ("print datetime({{Start}})", 7, "only {{StartTimeISO}} and {{EndTimeISO}} are filled in"),
        ("print todatetime('{{StarttimeIso}}')", 18, "did you mean '{{StartTimeISO}}'?"),
    ],
)
def test_an_unknown_placeholder_is_an_error_at_its_place(query: str, column: int, hint: str) -> None:
    with pytest.raises(QueryErrors, match="nothing fills in the placeholder") as caught:
        TableCatalog().bind(query)
    (error,) = caught.value.errors
    assert caught.value.place(error) == (1, column)
    assert hint in error.hint


def test_braces_that_are_not_a_placeholder_are_text() -> None:
    plan = TableCatalog().bind("print '{{7*7}}', 'a {{b}} c', '{{}}', '{{config}}', dynamic(['{{b}}'])")
    assert [type(one) for one in plan.expressions] == [p.Const] * 5
