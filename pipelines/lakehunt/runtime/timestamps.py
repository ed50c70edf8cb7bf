"""Timestamps of rows that PySpark collects, from the year 1 to 9999."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps

from pyspark.sql.types import TimestampType

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_whole_calendar() -> None:
    """Makes PySpark read every timestamp. By itself it fails for times of the first and the last day of the calendar,
    as it converts to the machine's time zone: those become times in UTC."""
    if not hasattr(TimestampType.fromInternal, "__wrapped__"):
        TimestampType.fromInternal = _with_ends(TimestampType.fromInternal)  # type: ignore[method-assign, assignment]


def _with_ends(
    read: Callable[[TimestampType, int], datetime],
) -> Callable[[TimestampType, int], datetime]:
    @wraps(read)
    def from_internal(self: TimestampType, micros: int) -> datetime:
        try:
            return read(self, micros)
        except (ValueError, OverflowError):
            return EPOCH + timedelta(microseconds=micros)

    return from_internal
