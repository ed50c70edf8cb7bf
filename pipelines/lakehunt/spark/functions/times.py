"""Datetime and timespan functions, on ticks. Source: learn.microsoft.com/kusto/query/datetime-timespan-functions; where
it is silent, the engine's answers.

A result outside of the years 1 to 9999 is null."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from pyspark import SparkContext
from pyspark.sql import Column

from lakehunt.core.errors import LakehuntError
from lakehunt.kql.catalog import ByConstant, Constant
from lakehunt.kql.times import FIRST_TICK, LAST_TICK
from lakehunt.kql.types import (
    DATETIME,
    DECIMAL,
    LONG,
    REAL,
    STRING,
    TICKS_PER_DAY,
    TICKS_PER_HOUR,
    TICKS_PER_MICROSECOND,
    TICKS_PER_MILLISECOND,
    TICKS_PER_MINUTE,
    TICKS_PER_SECOND,
    TIMESPAN,
)
from lakehunt.spark.columns import F
from lakehunt.spark.functions.numbers import floor_of_real
from lakehunt.spark.functions.registry import scalar
from lakehunt.spark.values import ticks, timestamp, within_calendar

# Calendar arithmetic


def _floored(value: Column, size: Column) -> Column:
    """Rounded down to a multiple of `size`, also below zero; null if the size is not positive."""
    return F.when(size > 0, value - F.pmod(value, size))


def _count(value: Column, unit: int) -> Column:
    """Whole units in an instant since 1970, rounded down."""
    return F.call_function("div", value - F.pmod(value, F.lit(unit)), F.lit(unit))


def _day(value: Column) -> Column:
    """The days since 1970, as a long."""
    return _count(value, TICKS_PER_DAY)


def _date(value: Column) -> Column:
    return F.date_from_unix_date(_day(value).cast("int"))


def _midnight(date: Column) -> Column:
    return F.unix_date(date).cast("bigint") * F.lit(TICKS_PER_DAY)


def _time_of_day(value: Column) -> Column:
    return F.pmod(value, F.lit(TICKS_PER_DAY))


def _weekday(value: Column) -> Column:
    """Days since Sunday; 1970 began on a Thursday."""
    return F.pmod(_day(value) + 4, F.lit(7))


def _part_of(value: Column, unit: int, below: int) -> Column:
    return F.call_function("div", F.pmod(value, F.lit(below)), F.lit(unit))


# Starts and ends of periods

MAX_STEPS = 4_000_000
"""More days than there are between the years 1 and 9999."""


def _start_of_day(value: Column, offset: Column) -> Column:
    return (_day(value) + offset) * F.lit(TICKS_PER_DAY)


def _start_of_week(value: Column, offset: Column) -> Column:
    return (_day(value) - _weekday(value) + offset * 7) * F.lit(TICKS_PER_DAY)


def _start_of_month(value: Column, offset: Column) -> Column:
    return _midnight(F.trunc(F.add_months(_date(value), offset.cast("int")), "month"))


def _start_of_year(value: Column, offset: Column) -> Column:
    return _midnight(F.make_date(F.year(_date(value)) + offset.cast("int"), F.lit(1), F.lit(1)))


_PERIODS: dict[str, Callable[[Column, Column], Column]] = {
    "day": _start_of_day,
    "week": _start_of_week,
    "month": _start_of_month,
    "year": _start_of_year,
}


def _start(of: Callable[[Column, Column], Column]) -> Callable[..., Column]:
    def start(value: Column, offset: Column | None = None) -> Column:
        """The start of the period that lies `offset` periods later."""
        steps = F.lit(0) if offset is None else offset
        return within_calendar(F.when(F.abs(steps) <= MAX_STEPS, of(value, steps)))

    return start


def _end(of: Callable[[Column, Column], Column]) -> Callable[..., Column]:
    def end(value: Column, offset: Column | None = None) -> Column:
        """The last tick of the period that lies `offset` periods later."""
        steps = F.lit(1) if offset is None else offset + 1
        return within_calendar(F.when(F.abs(steps) <= MAX_STEPS, of(value, steps) - 1))

    return end


for _period, _of in _PERIODS.items():
    scalar(f"startof{_period}", DATETIME, LONG, returns=DATETIME, optional=1)(_start(_of))
    scalar(f"endof{_period}", DATETIME, LONG, returns=DATETIME, optional=1)(_end(_of))


# Parts


@scalar("dayofweek", DATETIME, returns=TIMESPAN)
def dayofweek(value: Column) -> Column:
    """The days since Sunday, a timespan; null in the last week of the calendar, which has no end."""
    last = LAST_TICK + 1 - TICKS_PER_DAY * 6  # the Sunday before; 9999 ends on a Friday
    return F.when(value < F.lit(last), _weekday(value) * F.lit(TICKS_PER_DAY))


def _of_date(of: Callable[[Column], Column]) -> Callable[[Column], Column]:
    return lambda value: of(_date(value)).cast("bigint")


def _of_clock(unit: int, below: int) -> Callable[[Column], Column]:
    return lambda value: _part_of(value, unit, below)


_PARTS: dict[str, Callable[[Column], Column]] = {
    "year": _of_date(F.year),
    "quarter": _of_date(F.quarter),
    "month": _of_date(F.month),
    "week_of_year": _of_date(F.weekofyear),
    "weekofyear": _of_date(F.weekofyear),
    "day": _of_date(F.dayofmonth),
    "dayofyear": _of_date(F.dayofyear),
    "hour": _of_clock(TICKS_PER_HOUR, TICKS_PER_DAY),
    "minute": _of_clock(TICKS_PER_MINUTE, TICKS_PER_HOUR),
    "second": _of_clock(TICKS_PER_SECOND, TICKS_PER_MINUTE),
    "millisecond": _of_clock(TICKS_PER_MILLISECOND, TICKS_PER_SECOND),
    "microsecond": _of_clock(TICKS_PER_MICROSECOND, TICKS_PER_SECOND),
    "nanosecond": lambda value: _part_of(value, 1, TICKS_PER_SECOND) * 100,
}
"""The parts of a datetime by the name that `datetime_part` has for them; a week is one of ISO 8601."""

_PART_FUNCTIONS = {
    "getyear": "year",
    "getmonth monthofyear": "month",
    "week_of_year weekofyear": "week_of_year",
    "dayofmonth": "day",
    "dayofyear": "dayofyear",
    "hourofday": "hour",
}

for _names, _part in _PART_FUNCTIONS.items():
    scalar(_names, DATETIME, returns=LONG)(_PARTS[_part])  # Microsoft's binder says int, the engine gives a long


def _named_part(part: str | None, known: dict[str, Callable[..., Column]]) -> Callable[..., Column]:
    found = known.get((part or "").lower())
    if found is None:
        raise LakehuntError(f"'{part}' is not a part of a datetime", f"one of {', '.join(known)}")
    return found


@scalar("datetime_part", Constant(STRING), DATETIME, returns=LONG)
def datetime_part(part: str | None, value: Column) -> Column:
    return _named_part(part, _PARTS)(value)


# Adding and subtracting

_SPAN = LAST_TICK - FIRST_TICK


def _add_months(months: int) -> Callable[[Column, Column], Column]:
    """A day that the month does not have becomes its last one."""

    def added(value: Column, amount: Column) -> Column:
        near = F.when(F.abs(amount) <= 200_000, amount.cast("int"))
        return _midnight(F.add_months(_date(value), near * months)) + _time_of_day(value)

    return added


def _add_units(unit: int) -> Callable[[Column, Column], Column]:
    def added(value: Column, amount: Column) -> Column:
        return value + F.when(F.abs(amount) <= _SPAN // unit, amount) * F.lit(unit)

    return added


_UNITS: dict[str, int] = {
    "week": 7 * TICKS_PER_DAY,
    "day": TICKS_PER_DAY,
    "hour": TICKS_PER_HOUR,
    "minute": TICKS_PER_MINUTE,
    "second": TICKS_PER_SECOND,
    "millisecond": TICKS_PER_MILLISECOND,
    "microsecond": TICKS_PER_MICROSECOND,
}

_ADDITIONS: dict[str, Callable[[Column, Column], Column]] = {
    "year": _add_months(12),
    "quarter": _add_months(3),
    "month": _add_months(1),
    **{name: _add_units(unit) for name, unit in _UNITS.items()},
    "nanosecond": lambda value, amount: value + F.call_function("div", amount, F.lit(100)),
}


@scalar("datetime_add", Constant(STRING), LONG, DATETIME, returns=DATETIME)
def datetime_add(part: str | None, amount: Column, value: Column) -> Column:
    return within_calendar(_named_part(part, _ADDITIONS)(value, amount))


def _months(value: Column) -> Column:
    date = _date(value)
    return (F.year(date) * 12 + F.month(date) - 1).cast("bigint")


def _counting(unit: int) -> Callable[[Column], Column]:
    return lambda value: _count(value, unit)


_COUNTS: dict[str, Callable[[Column], Column]] = {
    "year": lambda value: F.year(_date(value)).cast("bigint"),
    "quarter": lambda value: F.call_function("div", _months(value), F.lit(3)),
    "month": _months,
    **{name: _counting(unit) for name, unit in _UNITS.items() if name != "week"},
    "nanosecond": lambda value: value * 100,
}
"""For `datetime_diff`: the number of periods that ended before a datetime."""


def _sunday(value: Column) -> Column:
    """The start of the week, shifted by the same number of days for every value: 1970 began on a Thursday."""
    thursday = F.lit(4 * TICKS_PER_DAY)
    return value - F.pmod(value + thursday, F.lit(7 * TICKS_PER_DAY))


@scalar("datetime_diff", Constant(STRING), DATETIME, DATETIME, returns=ByConstant({"week": REAL}, LONG))
def datetime_diff(part: str | None, left: Column, right: Column) -> Column:
    """The periods that begin between the two: `2020-12-31` and `2021-01-01` are a year apart. Of weeks it is a real."""
    if (part or "").lower() == "week":
        return (_sunday(left) - _sunday(right)).cast("double") / F.lit(7 * TICKS_PER_DAY)
    count = _named_part(part, _COUNTS)
    return count(left) - count(right)


# Making


@scalar("make_datetime", REAL, REAL, REAL, REAL, REAL, REAL, returns=DATETIME, optional=3)
def make_datetime(
    year: Column,
    month: Column,
    day: Column,
    hour: Column | None = None,
    minute: Column | None = None,
    second: Column | None = None,
) -> Column:
    """Null for invalid dates and times."""
    zero = F.lit(0.0)
    hour, minute, second = (zero if part is None else part for part in (hour, minute, second))
    date = F.make_date(year.cast("int"), month.cast("int"), day.cast("int"))
    clock = _clock(hour.cast("bigint"), minute.cast("bigint"), F.lit(0)) + _ticks_of_seconds(second)
    fits = _below(hour, 24) & _below(minute, 60) & _below(second, 60)
    return within_calendar(F.when(fits, _midnight(date) + clock))


@scalar("make_timespan", LONG, LONG, REAL, returns=TIMESPAN, optional=1)
def make_timespan(hours: Column, minutes: Column, seconds: Column | None = None) -> Column:
    seconds = F.lit(0.0) if seconds is None else seconds
    fits = _below(hours, 24) & _below(minutes, 60) & _below(seconds, 60)
    return F.when(fits, _clock(hours, minutes, F.lit(0)) + _ticks_of_seconds(seconds))


@scalar("make_timespan", LONG, LONG, LONG, REAL, returns=TIMESPAN)
def make_timespan_of_days(days: Column, hours: Column, minutes: Column, seconds: Column) -> Column:
    return days * F.lit(TICKS_PER_DAY) + make_timespan(hours, minutes, seconds)


def _ticks_of_seconds(seconds: Column) -> Column:
    return F.rint(seconds * TICKS_PER_SECOND).cast("bigint")


def _below(value: Column, limit: int) -> Column:
    return (value >= 0) & (value < limit)


def _clock(hours: Column, minutes: Column, seconds: Column) -> Column:
    return hours * F.lit(TICKS_PER_HOUR) + minutes * F.lit(TICKS_PER_MINUTE) + seconds * F.lit(TICKS_PER_SECOND)


_UNIX_UNITS = {
    "seconds": TICKS_PER_SECOND,
    "milliseconds": TICKS_PER_MILLISECOND,
    "microseconds": TICKS_PER_MICROSECOND,
}


def _since_1970(unit: int) -> Callable[[Column], Column]:
    def instant(number: Column) -> Column:
        return within_calendar(F.when(F.abs(number) <= _SPAN // unit, (number * F.lit(unit)).cast("bigint")))

    return instant


for _name, _unit in _UNIX_UNITS.items():
    scalar(f"unixtime_{_name}_todatetime", LONG, returns=DATETIME)(_since_1970(_unit))
    scalar(f"unixtime_{_name}_todatetime", REAL, returns=DATETIME)(_since_1970(_unit))


@scalar("unixtime_nanoseconds_todatetime", LONG, returns=DATETIME)
def unixtime_nanoseconds_todatetime(number: Column) -> Column:
    return _count(number, 100)


# Bins


@scalar("bin floor", LONG, LONG, returns=LONG)
@scalar("bin floor", TIMESPAN, TIMESPAN, returns=TIMESPAN)
def bin_(value: Column, size: Column) -> Column:
    return _floored(value, size)


@scalar("bin floor", REAL, REAL, returns=REAL)
def bin_of_real(value: Column, size: Column) -> Column:
    return F.when(size > 0, floor_of_real(value / size) * size)


@scalar("bin floor", DECIMAL, DECIMAL, returns=DECIMAL)
def bin_of_decimal(value: Column, size: Column) -> Column:
    return _floored(value.cast("decimal(37,18)"), size).cast("decimal(38,18)")


@scalar("bin floor", DATETIME, TIMESPAN, returns=DATETIME)
def bin_of_datetime(value: Column, size: Column) -> Column:
    start = F.lit(FIRST_TICK)  # bins count from the year 1
    return _floored(value - start, size) + start


@scalar("bin_at", LONG, LONG, LONG, returns=LONG)
@scalar("bin_at", TIMESPAN, TIMESPAN, TIMESPAN, returns=TIMESPAN)
def bin_at(value: Column, size: Column, fixed: Column) -> Column:
    """The start of the value's bin, where one bin starts at the fixed point."""
    return _floored(value - fixed, size) + fixed


@scalar("bin_at", REAL, REAL, REAL, returns=REAL)
def bin_at_of_real(value: Column, size: Column, fixed: Column) -> Column:
    return bin_of_real(value - fixed, size) + fixed


@scalar("bin_at", DATETIME, TIMESPAN, DATETIME, returns=DATETIME)
def bin_at_of_datetime(value: Column, size: Column, fixed: Column) -> Column:
    return within_calendar(bin_at(value, size, fixed))


# Time zones


@cache
def _zones() -> list[str]:
    """The time zones of Java; Spark fails for others."""
    context = SparkContext._active_spark_context
    assert context is not None, "a column is made while Spark runs"
    known: Any = context._jvm.java.time.ZoneId.getAvailableZoneIds()  # type: ignore[union-attr]
    return sorted(str(zone) for zone in known)


def _in_zone(convert: Callable[[Column, Column], Column]) -> Callable[[Column, Column], Column]:
    def converted(value: Column, zone: Column) -> Column:
        """Null where there is no such zone. Spark converts microseconds; the tick below them stays as it is."""
        known = F.when(zone.isin(_zones()), zone)
        return within_calendar(ticks(convert(timestamp(value), known), F.pmod(value, F.lit(TICKS_PER_MICROSECOND))))

    return converted


def _to_utc(local: Column, zone: Column) -> Column:
    """With the offset after the change, where the clocks skip a time or show it twice. Spark takes the one before."""
    day = F.expr("interval 1 day")
    before, after = F.to_utc_timestamp(local, zone), F.to_utc_timestamp(local + day, zone) - day
    skipped = F.from_utc_timestamp(before, zone) - local  # nothing, if the clocks show this time
    return F.when(F.from_utc_timestamp(after, zone) == local, after).otherwise(before - skipped)


scalar("datetime_utc_to_local", DATETIME, STRING, returns=DATETIME)(_in_zone(F.from_utc_timestamp))
scalar("datetime_local_to_utc", DATETIME, STRING, returns=DATETIME)(_in_zone(_to_utc))


# Formats

Piece = Callable[[Column], Column]

DELIMITERS = " /-:,._[]"
"""The characters that may stand between the parts of a format."""


def _digits(number: Callable[[Column], Column], width: int) -> Piece:
    def written(value: Column) -> Column:
        text = number(value).cast("string")
        return F.when(F.length(text) < width, F.lpad(text, width, "0")).otherwise(text)

    return written


def _fraction(width: int) -> Piece:
    """The first digits of the second's fraction."""
    return lambda value: F.substring(F.lpad(F.pmod(value, F.lit(TICKS_PER_SECOND)).cast("string"), 7, "0"), 1, width)


def _short_fraction(width: int) -> Piece:
    """As `_fraction`, without the zeros that end it."""
    return lambda value: F.rtrim(_fraction(width)(value), F.lit("0"))


def _hour_of_twelve(value: Column) -> Column:
    return F.pmod(_PARTS["hour"](value) + 11, F.lit(12)) + 1


def _half_of_day(value: Column) -> Column:
    return F.when(_PARTS["hour"](value) < 12, "AM").otherwise("PM")


_CLOCK_PIECES: dict[str, Piece] = {
    **{letter * width: _digits(_PARTS["minute"], width) for letter in "m" for width in (1, 2)},
    **{letter * width: _digits(_PARTS["second"], width) for letter in "s" for width in (1, 2)},
    **{"H" * width: _digits(_PARTS["hour"], width) for width in (1, 2)},
    **{"f" * width: _fraction(width) for width in range(1, 8)},
    **{"F" * width: _short_fraction(width) for width in range(1, 8)},
}

DATETIME_PIECES: dict[str, Piece] = _CLOCK_PIECES | {
    "yyyy": _digits(_PARTS["year"], 4),
    "yy": _digits(lambda value: _PARTS["year"](value) % 100, 2),
    "y": _digits(lambda value: _PARTS["year"](value) % 100, 1),
    **{"M" * width: _digits(_PARTS["month"], width) for width in (1, 2)},
    **{"d" * width: _digits(_PARTS["day"], width) for width in (1, 2)},
    **{"h" * width: _digits(_hour_of_twelve, width) for width in (1, 2)},
    "tt": _half_of_day,
}

TIMESPAN_PIECES: dict[str, Piece] = _CLOCK_PIECES | {
    **{"h" * width: _digits(_PARTS["hour"], width) for width in (1, 2)},
    **{
        "d" * width: _digits(lambda value: F.call_function("div", value, F.lit(TICKS_PER_DAY)), width)
        for width in range(1, 9)
    },
}


def _formatted(pieces: dict[str, Piece], form: str | None, value: Column) -> Column:
    """The longest part is taken first, and no part is a name: `ddd` is `dd`, then `d`."""
    parts = "|".join(sorted(pieces, key=len, reverse=True))
    found = re.findall(rf"{parts}|[{re.escape(DELIMITERS)}]|.", form or "", re.DOTALL)
    unknown = [part for part in found if part not in pieces and part not in DELIMITERS]
    if unknown or not found:
        raise LakehuntError(f"a format cannot have '{''.join(unknown[:1])}'", f"it is made of {', '.join(pieces)}")
    return F.coalesce(F.concat(*(pieces[p](value) if p in pieces else F.lit(p) for p in found)), F.lit(""))


@scalar("format_datetime", DATETIME, Constant(STRING), returns=STRING)
def format_datetime(value: Column, form: str | None) -> Column:
    return _formatted(DATETIME_PIECES, form, value)


@scalar("format_timespan", TIMESPAN, Constant(STRING), returns=STRING)
def format_timespan(value: Column, form: str | None) -> Column:
    """A minus comes first, whatever parts are shown."""
    written = _formatted(TIMESPAN_PIECES, form, F.abs(value))
    return F.when(value < 0, F.concat(F.lit("-"), written)).otherwise(written)
