"""Datetimes and timespans: rows by hand from the documentation and the engine's answers; calendars against Python's."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipelines.errors import LakehuntError
from pipelines.kql import times
from tests.support.answers import rows, values

D = "datetime(2017-10-30 01:02:03.7654321)"

EXPRESSIONS: dict[str, Any] = {
    # starts and ends
    "startofday(datetime(2017-01-01 10:10:17), -1)": "2016-12-31T00:00:00.0000000Z",
    "startofweek(datetime(2017-01-01 10:10:17), -1)": "2016-12-25T00:00:00.0000000Z",
    "startofweek(datetime(2017-01-01 10:10:17), 1)": "2017-01-08T00:00:00.0000000Z",
    "startofweek(datetime(0001-01-01))": None,
    "startofmonth(datetime(2017-01-01 10:10:17), 1)": "2017-02-01T00:00:00.0000000Z",
    "startofmonth(datetime(2020-06-15), -13)": "2019-05-01T00:00:00.0000000Z",
    "startofyear(datetime(2017-01-01 10:10:17), -1)": "2016-01-01T00:00:00.0000000Z",
    "startofyear(datetime(null))": None,
    "startofday(datetime(2020-01-01), long(null))": None,
    "startofyear(datetime(2020-01-01), 9223372036854775807)": None,
    "endofday(datetime(2020-06-15 13:45:00))": "2020-06-15T23:59:59.9999999Z",
    "endofweek(datetime(2020-06-15 13:45:00), 2)": "2020-07-04T23:59:59.9999999Z",
    "endofmonth(datetime(2020-01-31), 13)": "2021-02-28T23:59:59.9999999Z",
    "endofyear(datetime(2020-06-15), -1)": "2019-12-31T23:59:59.9999999Z",
    "endofyear(datetime(9999-12-31 23:59:59.9999999))": "9999-12-31T23:59:59.9999999Z",
    "endofyear(datetime(9999-12-31), 1)": None,
    # parts
    "dayofweek(datetime(1947-11-30 10:00:05))": "00:00:00",
    "dayofweek(datetime(1970-05-11))": "1.00:00:00",
    "dayofweek(datetime(0001-01-01))": "1.00:00:00",
    "dayofweek(datetime(9999-12-31))": None,
    "dayofmonth(datetime(2015-12-14))": 14,
    "dayofyear(datetime(2020-12-31))": 366,
    "hourofday(datetime(2015-12-14 18:54))": 18,
    "getyear(datetime(2015-10-12))": 2015,
    "getmonth(datetime(2015-10-12))": 10,
    "monthofyear(datetime(2015-12-14))": 12,
    "week_of_year(datetime(2020-12-31))": 53,
    "week_of_year(datetime(2019-12-31))": 1,
    "weekofyear(datetime(2023-01-01))": 52,
    "week_of_year(datetime(0001-01-01))": 1,
    f"datetime_part('year', {D})": 2017,
    f"datetime_part('Quarter', {D})": 4,
    f"datetime_part('month', {D})": 10,
    f"datetime_part('week_of_year', {D})": 44,
    f"datetime_part('day', {D})": 30,
    f"datetime_part('dayOfYear', {D})": 303,
    f"datetime_part('hour', {D})": 1,
    f"datetime_part('minute', {D})": 2,
    f"datetime_part('second', {D})": 3,
    f"datetime_part('millisecond', {D})": 765,
    f"datetime_part('microsecond', {D})": 765432,
    f"datetime_part('nanosecond', {D})": 765432100,
    "datetime_part('year', datetime(null))": None,
    # adding
    "datetime_add('year', -5, make_datetime(2017, 1, 1))": "2012-01-01T00:00:00.0000000Z",
    "datetime_add('quarter', 12, make_datetime(2017, 1, 1))": "2020-01-01T00:00:00.0000000Z",
    "datetime_add('month', -15, make_datetime(2017, 1, 1))": "2015-10-01T00:00:00.0000000Z",
    "datetime_add('week', 100, make_datetime(2017, 1, 1))": "2018-12-02T00:00:00.0000000Z",
    "datetime_add('year', 1, datetime(2020-02-29))": "2021-02-28T00:00:00.0000000Z",
    "datetime_add('month', -1, datetime(2020-03-31))": "2020-02-29T00:00:00.0000000Z",
    "datetime_add('second', -90061, datetime(2020-01-01))": "2019-12-30T22:58:59.0000000Z",
    "datetime_add('nanosecond', 300, datetime(2020-01-01))": "2020-01-01T00:00:00.0000003Z",
    "datetime_add('day', -1, datetime(0001-01-01 12:00:00))": None,
    "datetime_add('day', 9223372036854775807, datetime(2020-01-01))": None,
    "datetime_add('year', 9223372036854775807, datetime(2020-01-01))": None,
    "datetime_add('day', long(null), datetime(2020-01-01))": None,
    # differences
    "datetime_diff('year', datetime(2017-01-01), datetime(2000-12-31))": 17,
    "datetime_diff('quarter', datetime(2017-07-01), datetime(2017-03-30))": 2,
    "datetime_diff('month', datetime(2017-01-01), datetime(2015-12-30))": 13,
    "datetime_diff('day', datetime(2017-10-29 23:00), datetime(2017-10-30 23:20))": -1,
    "datetime_diff('hour', datetime(2017-10-31 01:00), datetime(2017-10-30 23:59))": 2,
    "datetime_diff('minute', datetime(2017-10-30 23:05:01), datetime(2017-10-30 23:00:59))": 5,
    "datetime_diff('second', datetime(2017-10-30 23:00:10.100), datetime(2017-10-30 23:00:00.900))": 10,
    "datetime_diff('millisecond', datetime(2017-10-30 23:00:00.200100), datetime(2017-10-30 23:00:00.100900))": 100,
    "datetime_diff('microsecond', datetime(2020-01-01 00:00:00.0000020), datetime(2020-01-01 00:00:00.0000005))": 2,
    "datetime_diff('nanosecond', datetime(2020-01-01 00:00:00.0000002), datetime(2020-01-01))": 200,
    "datetime_diff('day', datetime(1970-01-01), datetime(1969-12-25))": 7,
    "datetime_diff('day', datetime(null), datetime(1969-12-25))": None,
    # making
    "make_datetime(2017, 10, 01)": "2017-10-01T00:00:00.0000000Z",
    "make_datetime(2017, 10, 01, 12, 11, 0.1234567)": "2017-10-01T12:11:00.1234567Z",
    "make_datetime(2020, 2, 29, 23, 59, 59.9999999)": "2020-02-29T23:59:59.9999999Z",
    "make_datetime(1969, 12, 31, 23)": "1969-12-31T23:00:00.0000000Z",
    "make_datetime(2020, 13, 1)": None,
    "make_datetime(2021, 2, 29)": None,
    "make_datetime(2021, 2, 1, 24)": None,
    "make_datetime('2020-02-29')": "2020-02-29T00:00:00.0000000Z",
    "make_timespan(1, 2, 3, 4)": "1.02:03:04",
    "make_timespan(2, 30)": "02:30:00",
    "make_timespan(2, 30, 1)": "02:30:01",
    "make_timespan(25, 70)": None,
    "make_timespan('1:00')": "01:00:00",
    "unixtime_seconds_todatetime(1546300800)": "2019-01-01T00:00:00.0000000Z",
    "unixtime_seconds_todatetime(-0.5)": "1969-12-31T23:59:59.5000000Z",
    "unixtime_milliseconds_todatetime(1546300800000)": "2019-01-01T00:00:00.0000000Z",
    "unixtime_microseconds_todatetime(1546300800000000)": "2019-01-01T00:00:00.0000000Z",
    "unixtime_nanoseconds_todatetime(1546300800000000000)": "2019-01-01T00:00:00.0000000Z",
    "unixtime_seconds_todatetime(9223372036854775807)": None,
    "unixtime_seconds_todatetime(long(null))": None,
    # bins
    "bin(4.5, 1)": 4.0,
    "bin(-4.5, 1)": -5.0,
    "bin(int(5), 2)": 4,
    "bin(-5, 2)": -6,
    "bin(16d, 7d)": "14.00:00:00",
    "bin(-1h, 1d)": "-1.00:00:00",
    "bin(datetime(1970-05-11 13:45:07), 1d)": "1970-05-11T00:00:00.0000000Z",
    "bin(datetime(1955-11-05 06:15:00), 7d)": "1955-10-31T00:00:00.0000000Z",
    "bin(datetime(2020-06-15 13:45:30.7654321), 1ms)": "2020-06-15T13:45:30.7650000Z",
    "bin(datetime(2020-06-15), -1h)": None,
    "bin(datetime(2020-06-15), timespan(null))": None,
    "bin(5, 0)": None,
    "bin(real(null), 1)": None,
    "floor(2.7, 1.0)": 2.0,
    "bin(todecimal('5.75'), todecimal('0.5'))": 5.5,
    "bin_at(6.5, 2.5, 7)": 4.5,
    "bin_at(time(1h), 1d, 12h)": "-12:00:00",
    "bin_at(datetime(2017-05-15 10:20:00.0), 1d, datetime(1970-01-01 12:00:00.0))": "2017-05-14T12:00:00.0000000Z",
    "bin_at(datetime(2017-05-17 10:20:00.0), 7d, datetime(2017-06-04))": "2017-05-14T00:00:00.0000000Z",
    "bin_at(5, 3, 1)": 4,
    # formats
    "format_datetime(datetime(2017-01-29 09:00:05), 'yy-MM-dd [HH:mm:ss]')": "17-01-29 [09:00:05]",
    "format_datetime(datetime(2017-01-29 09:00:05), 'yyyy-M-dd [H:mm:ss]')": "2017-1-29 [9:00:05]",
    "format_datetime(datetime(2017-01-29 09:00:05), 'yy-MM-dd [hh:mm:ss tt]')": "17-01-29 [09:00:05 AM]",
    "format_datetime(datetime(2020-06-15 13:45:09), 'M/d/yyyy h:mm:ss tt')": "6/15/2020 1:45:09 PM",
    "format_datetime(datetime(2007-03-09 00:30:00), 'hh:mm tt')": "12:30 AM",
    "format_datetime(datetime(2020-06-15 13:45:09.05), 'ss.ff')": "09.05",
    "format_datetime(datetime(2020-06-15 13:45:09.0000007), 'FFFFFFF')": "0000007",
    "format_datetime(datetime(2020-06-15 13:45:09), 'FFFFFFF')": "",
    "format_datetime(datetime(2020-01-05), 'dddd')": "0505",
    "format_datetime(datetime(2020-01-05), 'MMM')": "011",
    "format_datetime(datetime(0012-01-05), 'yyyy yy')": "0012 12",
    "format_datetime(datetime(null), 'yyyy')": "",
    "format_timespan(time(29.09:00:05.12345), 'dd.hh:mm:ss:FF')": "29.09:00:05:12",
    "format_timespan(time(29.09:00:05.12345), 'ddd.h:mm:ss [fffffff]')": "029.9:00:05 [1234500]",
    "format_timespan(-1h, 'hh:mm:ss')": "-01:00:00",
    "format_timespan(-(1d + 2h), 'd.hh:mm')": "-1.02:00",
    "format_timespan(90061123ms, 'd:h:m:s.fff')": "1:1:1:1.123",
    "format_timespan(timespan(null), 'hh')": "",
    # zones
    "datetime_utc_to_local(datetime(2021-07-01 12:00:00.0000001), 'US/Pacific')": "2021-07-01T05:00:00.0000001Z",
    "datetime_local_to_utc(datetime(2020-02-02 20:02:20), 'Asia/Kolkata')": "2020-02-02T14:32:20.0000000Z",
    "datetime_utc_to_local(datetime(2021-07-01), 'Nowhere')": None,
}


@pytest.fixture(scope="module")
def found(spark: Any) -> dict[str, Any]:
    return values(spark, EXPRESSIONS)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions(found: dict[str, Any], expression: str) -> None:
    assert found[expression] == EXPRESSIONS[expression]


@pytest.mark.parametrize(
    "expression",
    [
        "format_datetime(now(), 'yyyy-MM-ddTHH')",
        "format_timespan(1d, 'tt')",
        "datetime_add('fortnight', 1, now())",
        "datetime_diff('fortnight', now(), now())",
        "datetime_part('weekday', now())",
    ],
)
def test_what_is_no_part(spark: Any, expression: str) -> None:
    with pytest.raises(LakehuntError):
        rows(spark, f"print {expression}")


def _add_months(moment: datetime, months: int) -> datetime | None:
    index = moment.year * 12 + moment.month - 1 + months
    year, month = index // 12, index % 12 + 1
    if not 1 <= year <= 9999:
        return None
    return moment.replace(year=year, month=month, day=min(moment.day, monthrange(year, month)[1]))


def _add(moment: datetime, span: timedelta) -> datetime | None:
    try:
        return moment + span
    except OverflowError:
        return None


DAY = timedelta(days=1)
MIDNIGHT = {"hour": 0, "minute": 0, "second": 0, "microsecond": 0}

MODELS: dict[str, Callable[[datetime, int], datetime | int | None]] = {
    "startofday(t, n)": lambda t, n: _add(t.replace(**MIDNIGHT), n * DAY),
    "startofweek(t, n)": lambda t, n: _add(t.replace(**MIDNIGHT), (7 * n - t.isoweekday() % 7) * DAY),
    "startofmonth(t, n)": lambda t, n: _add_months(t.replace(day=1, **MIDNIGHT), n),
    "startofyear(t, n)": lambda t, n: _add_months(t.replace(month=1, day=1, **MIDNIGHT), 12 * n),
    "endofmonth(t) + 1tick": lambda t, n: _add_months(t.replace(day=1, **MIDNIGHT), 1),
    "bin(t, 1d)": lambda t, n: t.replace(**MIDNIGHT),
    "datetime_add('month', n, t)": _add_months,
    "datetime_add('year', n, t)": lambda t, n: _add_months(t, 12 * n),
    "datetime_add('day', n, t)": lambda t, n: _add(t, n * DAY),
    "datetime_diff('day', t, datetime(1970-01-01))": lambda t, n: (t - datetime(1970, 1, 1, tzinfo=UTC)).days,
    "datetime_diff('month', datetime(1970-01-01), t)": lambda t, n: 1970 * 12 - t.year * 12 - t.month + 1,
    "dayofyear(t)": lambda t, n: t.timetuple().tm_yday,
    "week_of_year(t)": lambda t, n: t.isocalendar().week,
}

MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC)) | st.sampled_from(
    [datetime(y, 2, monthrange(y, 2)[1], 23, 59, 59, tzinfo=UTC) for y in (4, 100, 400, 1900, 1969, 2000, 2024, 9996)]
)


@settings(
    max_examples=4, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(MOMENTS, st.integers(-30, 30) | st.integers(-12_000, 12_000)), min_size=30, max_size=60))
def test_the_calendar_agrees_with_pythons(spark: Any, examples: list[tuple[datetime, int]]) -> None:
    cells = ", ".join(f"datetime({times.format_datetime(times.from_datetime(t))}), {n}" for t, n in examples)
    computed = ", ".join(f"x{i} = {model}" for i, model in enumerate(MODELS))
    found = rows(spark, f"datatable(t: datetime, n: long)[{cells}] | project {computed}")
    for (moment, n), row in zip(examples, found, strict=True):
        for (expression, model), value in zip(MODELS.items(), row, strict=True):
            wanted = model(moment, n)
            shown = times.format_datetime(times.from_datetime(wanted)) if isinstance(wanted, datetime) else wanted
            assert value == shown, (expression, moment, n)
