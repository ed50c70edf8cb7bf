"""Texts of instants and spans, read and written; no Spark."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.kql import times

INSTANTS = {
    "2014-05-25T08:20:03.123456Z": "2014-05-25T08:20:03.1234560Z",
    "2014-05-25T08:20": "2014-05-25T08:20:00.0000000Z",
    "2014-11-08 15:55:55.1234567": "2014-11-08T15:55:55.1234567Z",
    "2014-11-08 15:55:55.12345678": "2014-11-08T15:55:55.1234567Z",
    "2014-11-08": "2014-11-08T00:00:00.0000000Z",
    "2020-01-01T00:00:00+02:00": "2019-12-31T22:00:00.0000000Z",
    "2020-01-01T00:00:00-0130": "2020-01-01T01:30:00.0000000Z",
    "2014-11-08 15:05:25 GMT": "2014-11-08T15:05:25.0000000Z",
    "Sat, 8 Nov 14 15:05:02 GMT": "2014-11-08T15:05:02.0000000Z",
    "8 Nov 14 15:05": "2014-11-08T15:05:00.0000000Z",
    "Saturday, 08-Nov-14 15:05:02": "2014-11-08T15:05:02.0000000Z",
    "12-02-2022": "2022-12-02T00:00:00.0000000Z",
    "02/17/2016 08:40:01": "2016-02-17T08:40:01.0000000Z",
    "2025, 6, 14": "2025-06-14T00:00:00.0000000Z",
    "9999-12-31 23:59:59.9999999": "9999-12-31T23:59:59.9999999Z",
}

NO_INSTANTS = ["", "x", "2020-02-30", "2020-13-01", "2020-01-01 24:00", "8 Foo 2014", "0001-01-01T00:00:00+00:01"]


@pytest.mark.parametrize("text", INSTANTS)
def test_instants(text: str) -> None:
    ticks = times.parse_datetime(text)
    assert ticks is not None
    assert times.format_datetime(ticks) == INSTANTS[text]


@pytest.mark.parametrize("text", NO_INSTANTS)
def test_no_instants(text: str) -> None:
    assert times.parse_datetime(text) is None


SPANS = {
    "7d": "7.00:00:00",
    "1.5h": "01:30:00",
    "-1d": "-1.00:00:00",
    "2": "2.00:00:00",
    "13:00": "13:00:00",
    "1.02:03:04.5": "1.02:03:04.5000000",
    "-00:30:00": "-00:30:00",
    "0:0:0.001": "00:00:00.0010000",
    "1tick": "00:00:00.0000001",
    "100.00:00:00": "100.00:00:00",
}


@pytest.mark.parametrize("text", SPANS)
def test_spans(text: str) -> None:
    ticks = times.parse_timespan(text)
    assert ticks is not None
    assert times.format_timespan(ticks) == SPANS[text]


@pytest.mark.parametrize("text", ["", "x", "1y", "24:00", "10:60", "1:2:60", "--1d"])
def test_no_spans(text: str) -> None:
    assert times.parse_timespan(text) is None


@given(st.integers(times.FIRST_TICK, times.LAST_TICK))
def test_instants_read_back(ticks: int) -> None:
    assert times.parse_datetime(times.format_datetime(ticks)) == ticks


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_spans_read_back(ticks: int) -> None:
    assert times.parse_timespan(times.format_timespan(ticks)) == ticks


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))
def test_ticks_agree_with_pythons_datetime(moment: datetime) -> None:
    ticks = times.from_datetime(moment.replace(tzinfo=UTC))
    assert timedelta(microseconds=ticks // 10) == moment - datetime(1970, 1, 1)
