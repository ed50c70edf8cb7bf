"""Instants and lengths of time as callers write them."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from lakehunt.api import moments
from lakehunt.api.moments import Moment, Span
from lakehunt.core.errors import UsageError
from lakehunt.kql import times

NOON = 1_773_144_000 * 10_000_000
"""2026-03-10T12:00:00Z."""


@pytest.mark.parametrize(
    ("moment", "ticks"),
    [
        ("2026-03-10T12:00:00Z", NOON),
        ("2026-03-10 12:00", NOON),
        (dt.datetime(2026, 3, 10, 12), NOON),
        (dt.datetime(2026, 3, 10, 13, tzinfo=ZoneInfo("Europe/Berlin")), NOON),
        (dt.date(2026, 3, 10), NOON - 12 * 36_000_000_000),
        (pd.Timestamp("2026-03-10T12:00:00.1234567Z"), NOON + 1_234_567),
        (pd.Timestamp("2026-03-10T12:00:00.123456799Z"), NOON + 1_234_567),
        (dt.datetime.min, times.FIRST_TICK),
        (dt.datetime.max, times.LAST_TICK - 9),
    ],
)
def test_instants(moment: Moment, ticks: int) -> None:
    assert moments.instant(moment) == ticks


@pytest.mark.parametrize(
    ("span", "ticks"),
    [("7d", 7 * 864_000_000_000), ("90min", 54_000_000_000), (dt.timedelta(hours=1, microseconds=1), 36_000_000_010)],
)
def test_lengths(span: Span, ticks: int) -> None:
    assert moments.length(span) == ticks


def test_what_is_neither_says_what_to_write() -> None:
    with pytest.raises(UsageError, match="'yesterday' is not a time") as time:
        moments.instant("yesterday")
    assert "2026-03-10" in time.value.hint
    for wrong in ("a week", "0d", "-1h", dt.timedelta(0)):
        with pytest.raises(UsageError, match="is not a length of time"):
            moments.length(wrong)
    with pytest.raises(UsageError, match="finer than a microsecond"):
        moments.stored_instant("2026-03-10T12:00:00.1234567Z")
