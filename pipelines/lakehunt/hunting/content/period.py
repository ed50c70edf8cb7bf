"""Lengths of time as hunts and the configuration write them, and the frequencies that Sentinel allows."""

from __future__ import annotations

import re
from datetime import timedelta

LONGEST_PERIOD = timedelta(days=3660)  # ten years: more is a mistake, and could precede the first date

SHORTEST_FREQUENCY, LONGEST_FREQUENCY = timedelta(minutes=5), timedelta(days=14)
"""Sentinel's limits of `queryFrequency`
(https://learn.microsoft.com/azure/sentinel/scheduled-rules-overview)."""

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_DURATIONS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        (
            r"P(?:(?P<weeks>[0-9]+)W)?(?:(?P<days>[0-9]+)D)?"
            rf"(?:T(?=[0-9])(?:(?P<hours>[0-9]+)H)?(?:(?P<minutes>[0-9]+)M)?(?:(?P<seconds>{_NUMBER})S)?)?"
        ),
        rf"(?P<days>{_NUMBER})d",
        rf"(?P<hours>{_NUMBER})h",
        rf"(?P<minutes>{_NUMBER})m",
        rf"(?P<seconds>{_NUMBER})s",
        r"(?:(?P<days>[0-9]+)\.)?(?P<hours>[0-9]{1,2}):(?P<minutes>[0-9]{2}):(?P<seconds>[0-9]{2})",
    )
)
"""ISO 8601 without years and months, which have no fixed length, and Kusto's timespans. People write both in either
case."""


def parse_period(text: str) -> timedelta:
    """Parses a duration: ISO 8601 (P7D, PT1H, P14DT12H) or Kusto (7d, 1.5h, 30m, 1.00:00:00), in either case.

    Raises ValueError for other text, and for durations that are not positive or exceed LONGEST_PERIOD."""
    found = next((match for form in _DURATIONS if (match := form.fullmatch(text))), None)
    parts = {unit: float(number) for unit, number in found.groupdict().items() if number} if found else {}
    if not parts:
        raise ValueError(f"{text[:60]!r} is not a length of time")
    try:
        period = timedelta(**parts)
    except OverflowError:
        period = timedelta.max
    if not timedelta(0) < period <= LONGEST_PERIOD:
        raise ValueError(f"{text[:60]!r} is not between nothing and ten years")
    return period


def allowed_frequency(wanted: timedelta) -> timedelta:
    """The frequency that Sentinel allows and that is nearest to this one."""
    return min(max(wanted, SHORTEST_FREQUENCY), LONGEST_FREQUENCY)


def written(period: timedelta) -> str:
    """A duration as Kusto writes it, in its largest unit: 1d, 90m."""
    for unit, letter in ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "m")):
        if period % unit == timedelta(0):
            return f"{period // unit}{letter}"
    return f"{period.total_seconds():g}s"
