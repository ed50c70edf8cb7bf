"""Reads the data of a report from the lake, in about ten Spark jobs whatever the number of hunts and findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from lakehunt.core.errors import LakehuntError
from lakehunt.hunting.content.hunt_file import SEVERITIES, Hunt
from lakehunt.hunting.findings import evidence
from lakehunt.hunting.findings.finding_json import finding_json
from lakehunt.hunting.findings.process_tree import ProcessFamily, ProcessNode, walk
from lakehunt.hunting.findings.run_log import FAILED, SKIPPED, STARTED
from lakehunt.kql import times
from lakehunt.kql.types import TICKS_PER_DAY, TICKS_PER_MICROSECOND
from lakehunt.lake.delta_lake import Lake, few_rows, utc
from lakehunt.quality import volume
from lakehunt.quality.suites import title
from lakehunt.quality.volume import DayVolume
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from lakehunt.schemas.hunt_tables import RUNS
from lakehunt.schemas.landing_tables import BATCHES
from lakehunt.schemas.quality_tables import VALIDATIONS

MOST_FINDINGS = 300
"""Maximum findings with details, severest and newest first; all are counted."""

MOST_EVENTS = 12
"""Maximum events per finding whose command lines and lineage are shown."""

MOST_AROUND = 50_000
"""Maximum events read around the events of all findings together."""

LEAST_DAYS, MOST_DAYS = 7, 31
"""Maximum days of telemetry shown."""


@dataclass(frozen=True)
class Period:
    """The range of as-ofs of a report, in ticks, both inclusive; equal for a single as-of."""

    since: int
    until: int

    @property
    def is_one(self) -> bool:
        return self.since == self.until

    @property
    def days(self) -> int:
        """The number of days of telemetry to show."""
        return min(max((self.until - self.since) // TICKS_PER_DAY + 1, LEAST_DAYS), MOST_DAYS)


@dataclass(frozen=True)
class Finding:
    """A finding at its newest as-of in the period. `is_new`: it first appeared in the period; `as_ofs`: the number of
    as-ofs in the period that have it. Times are UTC."""

    finding_id: str
    hunt_id: str
    hunt_name: str
    severity: str | None
    tactics: Sequence[str]
    techniques: Sequence[str]
    is_new: bool
    as_ofs: int
    as_of: datetime
    device_id: str | None
    device_name: str | None
    account_name: str | None
    first_seen: datetime | None
    last_seen: datetime | None
    events: int

    @property
    def day(self) -> str:
        """The day of its last event, or of its as-of if it has no events."""
        return f"{(self.last_seen or self.as_of).date()}"

    @property
    def rank(self) -> int:
        """0 for none, 1 for the least severity."""
        return SEVERITIES.index(self.severity) + 1 if self.severity in SEVERITIES else 0


@dataclass(frozen=True)
class Details:
    """The details of a finding: its row in the query's columns, and the lineage of its first events. `gone` counts
    those that are no longer in the lake, `unnamed` the events that were not read."""

    result: Mapping[str, Any]
    trees: Sequence[ProcessNode] = ()
    gone: int = 0
    unnamed: int = 0

    @property
    def commands(self) -> list[tuple[str, int]]:
        """The command lines of its events with their counts."""
        counted: Counter[str] = Counter()
        for node in walk(self.trees):
            if node.evidence:
                counted[node.process.command_line or node.process.file_name or ""] += len(node.evidence)
        return list(counted.items())


@dataclass(frozen=True)
class HuntRuns:
    """A hunt and its runs in the period. Counts are those of the newest run (`last`): windows overlap, so sums over
    runs would count events twice."""

    id: str
    name: str
    severity: str | None
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    last: Row | None = None
    runs: int = 0
    failed: int = 0

    @property
    def has_failed(self) -> bool:
        return self.last is not None and self.last.outcome == FAILED


@dataclass(frozen=True)
class Quality:
    """Telemetry of days, the newest first; batches of these days that were refused; expectations that failed in them,
    as (severity, what, batches)."""

    days: Sequence[DayVolume] = ()
    refused: Sequence[Row] = ()
    failed: Sequence[tuple[str, str, int]] = ()


@dataclass(frozen=True)
class Report:
    """The data of a report. `findings` are in page order; the first ones have details, by (hunt, id). `redacted`:
    secrets are redacted."""

    period: Period
    findings: Sequence[Finding]
    hunts: Sequence[HuntRuns]
    quality: Quality
    details: Mapping[tuple[str, str], Details] = field(default_factory=dict)
    redacted: bool = False

    @property
    def shown(self) -> Sequence[Finding]:
        return self.findings[:MOST_FINDINGS]

    def details_of(self, one: Finding) -> Details:
        """The details of a finding; None if a run replaced it while the report was read."""
        return self.details.get((one.hunt_id, one.finding_id), Details({}))


def read(lake: Lake, hunts: Sequence[Hunt], only: Collection[str], period: Period | None, suites: Path) -> Report:
    """A report of a period; None: the newest as-of for which a hunt has run. `only` are the ids of the hunts that it
    is about; none: all that are in the folder or have run.

    Raises LakehuntError for a period in which no hunt has run."""
    runs = lake.rows(RUNS).filter(~F.col("outcome").isin(STARTED, SKIPPED))
    chosen = runs.filter(F.col("hunt_id").isin(sorted(only))) if only else runs
    period = period or _newest(chosen)
    ended = _last_of_each(chosen.filter(_within(period)))
    if not ended:
        raise LakehuntError(f"no hunt has run {_named(period)}", "lakehunt runs shows as of when hunts have run")
    findings = _findings(lake, only, period)
    details = _details(lake, findings[:MOST_FINDINGS])
    return Report(period, findings, _hunts(hunts, only, ended, findings), _quality(lake, suites, period), details)


def _newest(runs: DataFrame) -> Period:
    newest = runs.agg(F.max(F.unix_micros("as_of"))).collect()[0][0]
    if newest is None:
        raise LakehuntError("no hunt has run on this lake yet", "run them first: lakehunt hunt --as-of T")
    return Period(newest * TICKS_PER_MICROSECOND, newest * TICKS_PER_MICROSECOND)


def _within(period: Period) -> Column:
    since, until = (at // TICKS_PER_MICROSECOND for at in (period.since, period.until))
    return F.unix_micros("as_of").between(since, until)


def _named(period: Period) -> str:
    first, last = times.format_datetime(period.since), times.format_datetime(period.until)
    return f"as of {first}" if period.is_one else f"as of an instant from {first} to {last}"


# Hunts


def _last_of_each(runs: DataFrame) -> list[Row]:
    """The last run of each hunt for each as-of, ordered by as-of."""
    last = F.max_by(F.struct(*RUNS.column_names), F.struct("started_at", "run_id")).alias("last")
    rows = runs.groupBy("hunt_id", "as_of").agg(last).select("last.*").collect()
    return sorted(rows, key=lambda row: (row.as_of, row.hunt_name, row.hunt_id))


def _hunts(
    hunts: Sequence[Hunt], only: Collection[str], ended: Sequence[Row], findings: Sequence[Finding]
) -> list[HuntRuns]:
    """The hunts of the folder, and hunts that ran and are no longer in it; these take their ATT&CK names from their
    findings."""
    gone = {one.hunt_id: one for one in findings}
    of_each: dict[str, list[Row]] = {}
    for row in ended:
        of_each.setdefault(row.hunt_id, []).append(row)
    there = {hunt.id: hunt for hunt in hunts if not only or hunt.id in only}
    found = []
    for id_ in dict.fromkeys((*there, *of_each)):
        runs, hunt = of_each.get(id_, []), there.get(id_) or gone.get(id_)
        name = there[id_].name if id_ in there else runs[-1].hunt_name
        rated = (hunt.severity, tuple(hunt.tactics), tuple(hunt.techniques)) if hunt else (None, (), ())
        failed = sum(row.outcome == FAILED for row in runs)
        found.append(HuntRuns(id_, name, *rated, runs[-1] if runs else None, len(runs), failed))
    return sorted(found, key=lambda one: (one.name.lower(), one.id))


# Findings

_WHAT = ("hunt_name", "severity", "tactics", "techniques")
_WHERE = ("as_of", "device_id", "device_name", "account_name", "first_seen", "last_seen", "events")
_KEY = ("hunt_id", "finding_id")


def _findings(lake: Lake, only: Collection[str], period: Period) -> list[Finding]:
    rows = lake.rows(FINDINGS_ALL).filter(_within(period))
    if only:
        rows = rows.filter(F.col("hunt_id").isin(sorted(only)))
    found = rows.groupBy(*_KEY).agg(
        F.max_by(F.struct(*_WHAT, *_WHERE), "as_of").alias("last"),
        F.bool_or(F.col("status") == "new").alias("is_new"),
        F.count("*").alias("as_ofs"),
    )
    made = [_finding(row) for row in found.select(*_KEY, "is_new", "as_ofs", "last.*").collect()]
    made.sort(key=lambda one: (one.hunt_name, one.hunt_id, one.finding_id))
    return sorted(made, key=lambda one: (one.rank, one.is_new, one.last_seen or one.as_of), reverse=True)


def _finding(row: Row) -> Finding:
    values: dict[str, Any] = {
        name: utc(value) if isinstance(value, datetime) else value for name, value in row.asDict().items()
    }
    return Finding(**values)


def _details(lake: Lake, shown: Sequence[Finding]) -> dict[tuple[str, str], Details]:
    if not shown:
        return {}
    rows = _whole_rows(lake, shown)
    events = evidence.events_of(lake, rows)
    around, _ = evidence.around_events(lake, events, steps=2, most=MOST_AROUND)
    family = ProcessFamily([*events, *around])
    there = {event.event_id for event in events}
    return {(row.hunt_id, row.finding_id): _detail(row, family, there) for row in rows}


def _detail(row: Row, family: ProcessFamily, there: set[str]) -> Details:
    named = list(row.evidence)
    trees = family.trees(named, evidence.NEAR)
    gone = sum(id_ not in there for id_ in named)
    return Details(finding_json(row)["result"], trees, gone, max(row.events - len(named), 0))


def _whole_rows(lake: Lake, shown: Sequence[Finding]) -> list[Row]:
    """The findings' rows at the as-ofs shown, with their first events."""
    columns = {"hunt_id": "STRING", "finding_id": "STRING", "as_of": "TIMESTAMP"}
    keys = few_rows(lake.spark, columns, [(one.hunt_id, one.finding_id, one.as_of) for one in shown])
    rows = lake.rows(FINDINGS_ALL).join(F.broadcast(keys), list(columns), "left_semi")
    return rows.withColumn("evidence", F.slice("evidence", 1, MOST_EVENTS)).collect()


# Quality


def _quality(lake: Lake, suites: Path, period: Period) -> Quality:
    days = volume.judge_days(lake, suites, period.until, period.days)
    end = times.to_datetime(period.until)
    start = end - timedelta(days=period.days)
    landed = (F.col("landed_at") > F.lit(start)) & (F.col("landed_at") <= F.lit(end))
    refused = lake.rows(BATCHES).filter(landed & (F.col("outcome") == "refused")).drop("hours").collect()
    checked = (F.col("validated_at") > F.lit(start)) & (F.col("validated_at") <= F.lit(end))
    failed = lake.rows(VALIDATIONS).filter(checked & ~F.col("success"))
    counted = (
        failed.groupBy("severity", "suite", "expectation", "column")
        .agg(F.countDistinct("batch").alias("batches"))
        .collect()
    )
    return Quality(days, sorted(refused, key=lambda row: row.batch), _said(counted))


def _said(rows: Iterable[Row]) -> list[tuple[str, str, int]]:
    """Critical expectations first, then those that failed most often."""
    failures = [(row.severity, f"{row.suite}: {title(row.expectation, row.column)}", row.batches) for row in rows]
    return sorted(failures, key=lambda one: (one[0] != "critical", -one[2], one[1]))
