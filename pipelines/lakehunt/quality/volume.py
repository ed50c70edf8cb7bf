"""Checks the volume and freshness of telemetry: the day before an as-of compared with earlier days.

A stalled feed looks like a quiet network. So each run of hunts validates its day's counts against the suite
`telemetry.json`. Counts come from `raw.batches`; no events are scanned.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pyarrow as pa
import pyarrow.compute as pc

from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.small_tables import LocalTables
from lakehunt.quality import arrow_conditions, suites
from lakehunt.quality.row_rules import arrow_checks, rules
from lakehunt.quality.suites import Suite
from lakehunt.schemas.event_tables import kql_name
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


def judge_days(lake: Lake | LocalTables, folder: Path, as_of: int, days: int = 1) -> list[DayVolume]:
    """The last `days` days before an instant (ticks), newest first, each validated against the suite in `folder`.

    The numbers are of all event tables. If there are events of several, each table is validated by itself, so that one
    that stalls is not hidden by the others, and messages begin with its name. Without that suite nothing is validated.
    Raises LakehuntError for an unusable suite."""
    end = times.to_datetime(as_of)
    hours, landed = _hours(lake, end), _landed_batches(lake, end - _DAY * days, end)
    found = [_day(end - _DAY * number, _of_all(hours), landed) for number in range(days)]
    file = folder / SUITE
    if not file.exists():
        return found
    suite = suites.load(file, set(COLUMNS))
    if len(hours) < 2:
        return _with_verdicts(suite, found)
    judged = {
        name: _with_verdicts(suite, [_day(end - _DAY * n, own, _of_table(landed, name)) for n in range(days)])
        for name, own in sorted(hours.items())
    }
    return [
        replace(
            day,
            critical=tuple(f"{name}: {text}" for name, own in judged.items() for text in own[number].critical),
            warnings=tuple(f"{name}: {text}" for name, own in judged.items() for text in own[number].warnings),
        )
        for number, day in enumerate(found)
    ]


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


@dataclass(frozen=True)
class _LandedBatch:
    """The records of an event table in a batch."""

    table: str
    landed_at: datetime
    records: int
    quarantined: int


def _hours(lake: Lake | LocalTables, end: datetime) -> Mapping[str, Mapping[datetime, int]]:
    """For each event table its events by hour, for the whole hours before `end`."""
    read = lake.rows if isinstance(lake, LocalTables) else lake.arrow
    settled = read(BATCHES, ["event_table", "hours"], [("outcome", "=", "settled")])
    hours = settled["hours"].combine_chunks()
    of = hours.flatten()
    each = pa.table(
        {
            "event_table": settled["event_table"].combine_chunks().take(pc.list_parent_indices(hours)),
            "hour": of.field("hour"),
            "events": of.field("events"),
        }
    )
    found: dict[str, Counter[datetime]] = defaultdict(Counter)
    for row in each.group_by(["event_table", "hour"]).aggregate([("events", "sum")]).to_pylist():
        if row["hour"] <= end - _HOUR:
            found[kql_name(row["event_table"])][row["hour"]] += row["events_sum"]
    return found


def _of_all(hours: Mapping[str, Mapping[datetime, int]]) -> dict[datetime, int]:
    every: Counter[datetime] = Counter()
    for own in hours.values():
        every.update(own)
    return dict(every)


def _of_table(landed: Sequence[_LandedBatch], table: str) -> list[_LandedBatch]:
    return [one for one in landed if one.table == table]


def _landed_batches(lake: Lake | LocalTables, since: datetime, end: datetime) -> list[_LandedBatch]:
    """The batches landed after `since` and up to `end`."""
    columns = ("event_table", "landed_at", "delivered", "quarantined")
    landed = lake.few(BATCHES, columns, [("landed_at", ">", since), ("landed_at", "<=", end)])
    return [
        _LandedBatch(kql_name(row["event_table"]), row["landed_at"], row["delivered"], row["quarantined"])
        for row in landed
    ]


def _day(as_of: datetime, hours: Mapping[datetime, int], landed: Sequence[_LandedBatch]) -> DayVolume:
    end = as_of.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    before = {hour: count for hour, count in hours.items() if hour < end}
    first, last = min(before, default=end), max(before, default=None)
    totals = [_total(before, end - _DAY * n) for n in range(1, USUAL_DAYS + 1) if end - _DAY * (n + 1) >= first]
    delivered = [one for one in landed if as_of - _DAY < one.landed_at <= as_of]
    records = sum(one.records for one in delivered)
    return DayVolume(
        as_of,
        _total(before, end),
        float(median(totals)) if totals else None,
        None if last is None else (end - last) // _HOUR - 1,
        100 * sum(one.quarantined for one in delivered) / records if records else None,
    )


def _total(hours: Mapping[datetime, int], end: datetime) -> int:
    return sum(count for hour, count in hours.items() if end - _DAY <= hour < end)
