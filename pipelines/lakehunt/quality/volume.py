"""Checks the volume and freshness of telemetry: the day before an as-of compared with earlier days.

A stalled feed looks like a quiet network. So each run of hunts validates its day's counts against the suite
`telemetry.json`. Counts come from `raw.batches`; no events are scanned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake, utc
from lakehunt.quality import arrow_conditions, suites
from lakehunt.quality.row_rules import arrow_checks, rules
from lakehunt.quality.suites import Suite
from lakehunt.schemas.landing_tables import BATCHES

SUITE = "telemetry.json"
USUAL_DAYS = 7
"""Number of earlier days that a day is compared with."""

COLUMNS = {
    "events": pa.int64(),
    "usual_events": pa.float64(),
    "percent_of_usual": pa.float64(),
    "hours_without_events": pa.int64(),
    "quarantined_percent": pa.float64(),
}
"""Columns of the row that the suite validates for each day."""

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class DayVolume:
    """Telemetry of the 24 whole hours before an as-of.

    `usual_events` is the median of the seven days before, counting only days since the lake's first event; None if
    there are none. `hours_without_events` is the number of hours since the last event; None if there never was one.
    `quarantined_percent` is the share of the records that landed in the day; None if there are none."""

    as_of: datetime
    events: int
    usual_events: float | None
    hours_without_events: int | None
    quarantined_percent: float | None
    critical: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def percent_of_usual(self) -> float | None:
        return 100 * self.events / self.usual_events if self.usual_events else None


def judge_days(lake: Lake, folder: Path, as_of: int, days: int = 1) -> list[DayVolume]:
    """The last `days` days before an instant (ticks), newest first, each validated against the suite in `folder`.

    Without that suite nothing is validated. Raises LakehuntError for an unusable suite."""
    end = times.to_datetime(as_of)
    batches = lake.rows(BATCHES)
    hours, landed = _hours(batches, end), _landed_batches(batches, end - _DAY * days, end)
    found = [_day(end - _DAY * number, hours, landed) for number in range(days)]
    file = folder / SUITE
    return _with_verdicts(suites.load(file, set(COLUMNS)), found) if file.exists() else found


def _with_verdicts(suite: Suite, days: Sequence[DayVolume]) -> list[DayVolume]:
    """The days with a message for each violated rule: the wrong number, and why it matters."""
    found = rules(suite)
    checks = zip(found, arrow_checks(found, pa.schema(COLUMNS)), strict=True)
    checked = list(zip(suite.expectations, checks, strict=True))

    def of(day: DayVolume, severity: str) -> tuple[str, ...]:
        return tuple(
            f"{rule.why} (it is {_shown(getattr(day, rule.column))}). {expectation.notes}"
            for expectation, (rule, broken) in checked
            if expectation.severity == severity and broken(_values(day, rule.column))[0].as_py()
        )

    return [replace(day, critical=of(day, "critical"), warnings=of(day, "warning")) for day in days]


def _values(day: DayVolume, column: str) -> pa.Array:
    value = getattr(day, column)
    return pa.nulls(1, COLUMNS[column]) if value is None else arrow_conditions.literals([value], COLUMNS[column])


def _shown(value: float | None) -> str:
    return "null" if value is None else str(round(value, 1))


def _hours(batches: DataFrame, end: datetime) -> dict[datetime, int]:
    """Events by hour, for the whole hours before `end`."""
    hours = batches.where(F.col("outcome") == "settled").select(F.explode("hours").alias("of"))
    counted = hours.groupBy("of.hour").agg(F.sum("of.events").alias("events")).collect()
    return {utc(row.hour): row.events for row in counted if utc(row.hour) <= end - _HOUR}


def _landed_batches(batches: DataFrame, since: datetime, end: datetime) -> list[tuple[datetime, int, int]]:
    """For each batch landed after `since` and up to `end`: when, its records, and its quarantined records."""
    landed = batches.where((F.col("landed_at") > F.lit(since)) & (F.col("landed_at") <= F.lit(end)))
    return [(utc(row.landed_at), row.delivered, row.quarantined) for row in landed.collect()]


def _day(as_of: datetime, hours: Mapping[datetime, int], landed: Sequence[tuple[datetime, int, int]]) -> DayVolume:
    end = as_of.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    before = {hour: count for hour, count in hours.items() if hour < end}
    first, last = min(before, default=end), max(before, default=None)
    totals = [_total(before, end - _DAY * n) for n in range(1, USUAL_DAYS + 1) if end - _DAY * (n + 1) >= first]
    delivered = [(count, bad) for at, count, bad in landed if as_of - _DAY < at <= as_of]
    records = sum(count for count, _ in delivered)
    return DayVolume(
        as_of,
        _total(before, end),
        float(median(totals)) if totals else None,
        None if last is None else (end - last) // _HOUR - 1,
        100 * sum(bad for _, bad in delivered) / records if records else None,
    )


def _total(hours: Mapping[datetime, int], end: datetime) -> int:
    return sum(count for hour, count in hours.items() if end - _DAY <= hour < end)
