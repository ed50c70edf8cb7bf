"""Datetimes and timespans: what is refused, and calendars against Python's. Single values: tests/cases/functions/."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.core.errors import LakehuntError
from lakehunt.kql import times
from tests.support.answers import rows
from tests.support.properties import in_few_queries, many


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


@in_few_queries
@given(many(st.tuples(MOMENTS, st.integers(-30, 30) | st.integers(-12_000, 12_000))))
def test_the_calendar_agrees_with_pythons(spark: Any, examples: list[tuple[datetime, int]]) -> None:
    cells = ", ".join(f"datetime({times.format_datetime(times.from_datetime(t))}), {n}" for t, n in examples)
    computed = ", ".join(f"x{i} = {model}" for i, model in enumerate(MODELS))
    found = rows(spark, f"datatable(t: datetime, n: long)[{cells}] | project {computed}")
    for (moment, n), row in zip(examples, found, strict=True):
        for (expression, model), value in zip(MODELS.items(), row, strict=True):
            wanted = model(moment, n)
            shown = times.format_datetime(times.from_datetime(wanted)) if isinstance(wanted, datetime) else wanted
            assert value == shown, (expression, moment, n)
