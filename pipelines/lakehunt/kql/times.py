"""Datetimes and timespans in ticks (100 ns), Kusto's resolution.

A datetime is the number of ticks since 1970-01-01T00:00:00Z, a timespan a number of ticks; both are integers.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from lakehunt.kql.types import (
    TICKS_PER_DAY,
    TICKS_PER_HOUR,
    TICKS_PER_MICROSECOND,
    TICKS_PER_MILLISECOND,
    TICKS_PER_MINUTE,
    TICKS_PER_SECOND,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

FIRST_TICK = -62_135_596_800 * TICKS_PER_SECOND
"""0001-01-01, Kusto's smallest datetime."""

LAST_TICK = 253_402_300_800 * TICKS_PER_SECOND - 1
"""Kusto's largest datetime, a tick before the year 10000."""

UNITS: dict[str, int] = {
    **dict.fromkeys(("d", "day", "days"), TICKS_PER_DAY),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), TICKS_PER_HOUR),
    **dict.fromkeys(("m", "min", "minute", "minutes"), TICKS_PER_MINUTE),
    **dict.fromkeys(("s", "sec", "second", "seconds"), TICKS_PER_SECOND),
    **dict.fromkeys(("ms", "milli", "millis", "millisec", "millisecond", "milliseconds"), TICKS_PER_MILLISECOND),
    **dict.fromkeys(("micro", "micros", "microsec", "microsecond", "microseconds"), TICKS_PER_MICROSECOND),
    **dict.fromkeys(("tick", "ticks"), 1),
}
"""Ticks in each unit of a timespan literal, as in `7d`, `30min`, `1tick`."""

_CLOCK = r"(?:(?:T|\s+)(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d+))?)?)?"
_ZONE = r"\s*(Z|GMT|UTC|[+-]\d{2}:?\d{2})?"

DATETIME_FORMS: tuple[tuple[str, str], ...] = (
    (rf"(\d{{4}})-(\d{{1,2}})-(\d{{1,2}}){_CLOCK}{_ZONE}", "ymdhisfz"),
    (rf"(\d{{1,2}})[-/](\d{{1,2}})[-/](\d{{4}}){_CLOCK}{_ZONE}", "mdyhisfz"),
    (rf"(?:[A-Za-z]{{3,9}},?\s+)?(\d{{1,2}})[ -]([A-Za-z]{{3}})[a-z]*[ -](\d{{4}}|\d{{2}}){_CLOCK}{_ZONE}", "dmyhisfz"),
)
"""Datetime formats, as regular expressions for Python and for Java, each with the names of its groups: year, month,
day, hour, minute, second, fraction, zone. ISO 8601, the American order, and RFC 822 and 850."""

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

FIRST_YEAR_OF_TWO_DIGITS = 1950
"""`49` is 2049, `50` is 1950."""

TIMESPAN_FORM = r"(-)?(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?"
"""`[-][d.]hh:mm[:ss[.fffffff]]` for Python and for Java."""

_LITERAL = re.compile(r"(?P<y>\d{4})\s*([,-])\s*(?P<m>\d{1,2})\s*\2\s*(?P<d>\d{1,2})")
"""`2020, 1, 31` and `2020 - 01 - 31`."""


def parse_datetime(text: str) -> int | None:
    """Ticks of a datetime (UTC without a zone); None if the format is not supported."""
    text = text.strip()
    for pattern, names in DATETIME_FORMS:
        m = re.fullmatch(pattern, text)
        if m:
            return _instant(dict(zip(names, m.groups(), strict=True)))
    m = _LITERAL.fullmatch(text)
    return _instant(m.groupdict()) if m else None


def _instant(part: dict[str, str | None]) -> int | None:
    month = part["m"] or ""
    if month.isalpha() and month.lower() not in MONTHS:
        return None
    number = {name: int(part.get(name) or 0) for name in "ydhis"}
    number["m"] = MONTHS.index(month.lower()) + 1 if month.isalpha() else int(month)
    try:
        day = datetime(_full(number["y"], part["y"] or ""), number["m"], number["d"], tzinfo=UTC)
        moment = day.replace(hour=number["h"], minute=number["i"], second=number["s"])
    except ValueError:
        return None
    ticks = from_datetime(moment) + _fraction(part.get("f")) - _zone_offset(part.get("z"))
    return ticks if FIRST_TICK <= ticks <= LAST_TICK else None


def _full(year: int, text: str) -> int:
    if len(text) > 2:
        return year
    return year + (2000 if year + 2000 < FIRST_YEAR_OF_TWO_DIGITS + 100 else 1900)


def from_datetime(moment: datetime) -> int:
    """Ticks of a timezone-aware datetime."""
    return (moment - EPOCH) // timedelta(microseconds=1) * TICKS_PER_MICROSECOND


def to_datetime(ticks: int) -> datetime:
    """The datetime, truncated to microseconds."""
    return EPOCH + timedelta(microseconds=ticks // TICKS_PER_MICROSECOND)


def format_datetime(ticks: int) -> str:
    """In Kusto's format: `2021-03-14T06:40:15.3380000Z`."""
    return f"{to_datetime(ticks):%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + f".{ticks % TICKS_PER_SECOND:07}Z"


def parse_timespan(text: str) -> int | None:
    """Ticks of `7d`, `1.5h`, `[-][d.]hh:mm[:ss[.fffffff]]` or a bare number of days."""
    text = text.strip()
    m = re.fullmatch(TIMESPAN_FORM, text)
    if m:
        days, hours, minutes, seconds = (int(part or 0) for part in m.groups()[1:5])
        if hours > 23 or minutes > 59 or seconds > 59:
            return None
        ticks = days * TICKS_PER_DAY + hours * TICKS_PER_HOUR + minutes * TICKS_PER_MINUTE + seconds * TICKS_PER_SECOND
        return -(ticks + _fraction(m[6])) if m[1] else ticks + _fraction(m[6])
    m = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*([a-z]*)", text)
    if not m or m[2] not in {"", *UNITS}:
        return None
    return scaled(m[1], UNITS[m[2] or "d"])


def scaled(number: str, unit: int) -> int:
    """`number` (decimal text) times `unit` ticks, exact, truncated to whole ticks."""
    whole, _, fraction = number.partition(".")
    sign = -1 if whole.startswith("-") else 1
    return sign * (abs(int(whole)) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0))


def format_timespan(ticks: int) -> str:
    """In Kusto's format: `[-][d.]hh:mm:ss[.fffffff]`."""
    days, rest = divmod(abs(ticks), TICKS_PER_DAY)
    hours, rest = divmod(rest, TICKS_PER_HOUR)
    minutes, rest = divmod(rest, TICKS_PER_MINUTE)
    seconds, fraction = divmod(rest, TICKS_PER_SECOND)
    head = f"{'-' if ticks < 0 else ''}{f'{days}.' if days else ''}{hours:02}:{minutes:02}:{seconds:02}"
    return head + (f".{fraction:07}" if fraction else "")


def _fraction(digits: str | None) -> int:
    """Ticks of a second's fraction digits; those after the seventh are ignored."""
    return int(digits[:7].ljust(7, "0")) if digits else 0


def _zone_offset(zone: str | None) -> int:
    if zone is None or zone.isalpha():
        return 0
    sign = -1 if zone[0] == "-" else 1
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    return sign * (hours * TICKS_PER_HOUR + minutes * TICKS_PER_MINUTE)
