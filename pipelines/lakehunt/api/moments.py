"""Instants and lengths of time as callers write them, in ticks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from lakehunt.core.errors import UsageError
from lakehunt.kql import times
from lakehunt.kql.types import TICKS_PER_MICROSECOND

Moment = datetime | date | str
"""A datetime, a date (its midnight) or a text such as `2026-03-10` or `2026-03-10T06:40:15.338Z`. What has no time zone
is in UTC, as in Kusto."""

Span = timedelta | str
"""A timedelta, or a text such as `7d` or `12h`."""


def instant(moment: Moment) -> int:
    """Ticks of an instant; what of a pandas timestamp is below a tick is cut off. Raises UsageError for a text that is
    none."""
    if isinstance(moment, str):
        ticks = times.parse_datetime(moment)
        if ticks is None:
            raise UsageError(f"{moment!r} is not a time", "write 2026-03-10 or 2026-03-10T06:40:15.338Z (UTC)")
        return ticks
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    nanoseconds: int = getattr(moment, "nanosecond", 0)  # of pandas
    return times.from_datetime(aware) + nanoseconds // 100


def stored_instant(moment: Moment) -> int:
    """Ticks of an instant that a table can hold. Raises UsageError for one that is finer than a microsecond."""
    ticks = instant(moment)
    if ticks % TICKS_PER_MICROSECOND:
        raise UsageError(f"{moment} is finer than a microsecond, which a table cannot hold", "leave out the last digit")
    return ticks


def length(span: Span) -> int:
    """Ticks of a length of time. Raises UsageError for a text that is none, and for one that is not above zero."""
    if isinstance(span, str):
        ticks = times.parse_timespan(span)
    else:
        ticks = span // timedelta(microseconds=1) * TICKS_PER_MICROSECOND
    if ticks is None or ticks <= 0:
        raise UsageError(f"{span!r} is not a length of time", "write 7d or 12h, or give a timedelta")
    return ticks
