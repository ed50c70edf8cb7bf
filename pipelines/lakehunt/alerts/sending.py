"""Finds what is new as of an instant and sends it: each finding once to each channel.

`hunts.alerts` has a row for every item that was sent, written afterwards, and for every item that a channel rejected. A
run that is killed in between sends the item again with the same id, by which a receiver recognises it. An item that was
sent is never sent again; one that was rejected is retried by the next run, whatever its as-of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, reduce
from itertools import groupby
from operator import itemgetter
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from lakehunt.alerts.alert import (
    FAILURE,
    FINDINGS,
    MOST_COMMANDS,
    WARNING,
    Alert,
    Device,
    LateLanding,
    counted,
    moment,
)
from lakehunt.alerts.channels import AlertSettings, Channel, ChannelError
from lakehunt.alerts.redaction import redacted
from lakehunt.core.progress import Progress
from lakehunt.hunting.findings import late_findings
from lakehunt.hunting.findings.late_findings import LateEvents
from lakehunt.hunting.findings.run_log import FAILED, STARTED
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake, utc
from lakehunt.lake.where import Where
from lakehunt.quality.volume import DayVolume
from lakehunt.schemas.alert_tables import SENT
from lakehunt.schemas.event_table import EVENT_KEY
from lakehunt.schemas.event_tables import EVENT_TABLES
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from lakehunt.schemas.hunt_tables import RUNS
from lakehunt.schemas.landing_tables import BATCHES
from lakehunt.spark import values

NEAR = timedelta(days=14)
"""A finding that a channel was sent for an as-of within this distance is not sent again: a backfill found it for an
earlier as-of, or it disappeared and came back."""


@dataclass(frozen=True)
class AlertDelivery:
    """The outcome of sending an alert to a channel; `error` is the reason if it was rejected."""

    channel: str
    alert: Alert
    error: str | None = None


def send(
    lake: Lake, alerts: AlertSettings, as_of: int, now: datetime, say: Progress, day: DayVolume | None = None
) -> list[AlertDelivery]:
    """Sends every channel what is new as of an instant (ticks), what its run has found late of earlier as-ofs, what the
    channel rejected before, and warnings about the day's telemetry. A channel that fails does not stop the others; the
    next call retries it."""
    if not alerts.channels:
        return []
    at = times.to_datetime(as_of)
    warnings = [*_refused(lake, at), *_unusual(day)]
    missed = _missed(lake, at)
    again = {run for runs in missed.values() for run in runs}
    late = late_findings.added(lake, [("found_as_of", "=", at)])
    known = _history(lake, {at, *late, *again})
    behind = late_findings.added(lake, [("as_of", "in", sorted({at, *late, *again}))])
    news = cache(lambda run: (_found(lake, run), _failed(lake, run)))
    done = []
    for channel in alerts.channels:
        mine, rejected = known.get(channel.name, _ChannelHistory()), missed.get(channel.name, {})
        for run in sorted({at, *rejected, *late}):
            found, failed = news(run)
            if run != at:
                wanted = rejected.get(run, set()) | late.get(run, {}).keys()
                found = [row for row in found if row.finding_id in wanted]
                failed = [alert for alert in failed if wanted.issuperset(alert.keys)]
            due = _by_hunt([row for row in found if not mine.knows(row.finding_id, run)], run, alerts.evidence, behind)
            others = [*failed, *(warnings if run == at else [])]
            due += [alert for alert in others if not all(mine.knows(key, run) for key in alert.keys)]
            for alert in due:
                if alert.kind in channel.kinds:
                    say(f"{channel.name}: {alert.title}")
                    done.append(_deliver(lake, channel, alert, now, mine, rejected.get(run, set())))
    return done


@dataclass(frozen=True)
class _ChannelHistory:
    """Keys of the items that a channel was sent, with their as-ofs."""

    sent: dict[str, set[datetime]] = field(default_factory=dict)
    warnings: set[str] = field(default_factory=set)
    """Keys of those that belong to their subject, not to an as-of."""

    def knows(self, key: str, run: datetime) -> bool:
        """Whether it was sent the item for this as-of or a close one."""
        return key in self.warnings or any(abs(at - run) <= NEAR for at in self.sent.get(key, ()))


def _missed(lake: Lake, at: datetime) -> dict[str, dict[datetime, set[str]]]:
    """By channel, the keys of the items that it rejected and was not sent since, by as-of: of this one and close ones.
    A warning is announced again anyway."""
    near = lake.few(SENT, only=[("as_of", ">=", at - NEAR), ("as_of", "<=", at + NEAR), ("kind", "!=", WARNING)])
    items: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in near:
        items.setdefault((row["channel"], row["kind"], row["key"]), []).append(row)
    missed: dict[str, dict[datetime, set[str]]] = {}
    for (channel, _, key), rows in items.items():
        if all(row["sent_at"] is None for row in rows):
            missed.setdefault(channel, {}).setdefault(max(row["as_of"] for row in rows), set()).add(key)
    return missed


def _history(lake: Lake, runs: Collection[datetime]) -> dict[str, _ChannelHistory]:
    """What each channel was sent for these as-ofs and close ones."""
    only: Where = [("as_of", ">=", min(runs) - NEAR), ("as_of", "<=", max(runs) + NEAR), ("kind", "!=", WARNING)]
    known: dict[str, _ChannelHistory] = {}
    for row in (*lake.few(SENT, only=only), *lake.few(SENT, only=[("kind", "=", WARNING)])):
        if row["sent_at"] is not None:
            mine = known.setdefault(row["channel"], _ChannelHistory())
            if row["kind"] == WARNING:
                mine.warnings.add(row["key"])
            else:
                mine.sent.setdefault(row["key"], set()).add(row["as_of"])
    return known


def _deliver(
    lake: Lake, channel: Channel, alert: Alert, now: datetime, known: _ChannelHistory, rejected: Collection[str]
) -> AlertDelivery:
    """Sends an alert and records it: its rejection only where the channel has not rejected it before."""
    error = None
    try:
        channel.deliver(alert)
    except ChannelError as rejection:
        error = str(rejection)
    if error is None or not set(alert.keys).issubset(rejected):
        sent_at = now if error is None else None
        rows = [(channel.name, alert.kind, key, alert.id, alert.as_of, sent_at) for key in alert.keys]
        lake.append(SENT, rows)
    for key in alert.keys:
        known.sent.setdefault(key, set()).add(alert.as_of)
    return AlertDelivery(channel.name, alert, error)


# New findings


def _found(lake: Lake, at: datetime) -> list[Row]:
    """The new findings, ordered by hunt and device."""
    if not lake.few(FINDINGS_ALL, ["finding_id"], [("as_of", "=", at), ("status", "=", "new")]):
        return []
    new = lake.rows(FINDINGS_ALL).filter((F.col("as_of") == F.lit(at)) & (F.col("status") == "new"))
    rows = _with_commands(lake, new.drop("result"))
    rows.sort(key=lambda row: (row.hunt_name, row.hunt_id, row.device_name or "", row.device_id or "", row.finding_id))
    return rows


_Late = Mapping[datetime, Mapping[str, LateEvents]]
"""The late events behind findings, by as-of and finding."""


def _by_hunt(rows: Sequence[Row], at: datetime, evidence: str, late: _Late) -> list[Alert]:
    """An alert for each hunt; those of findings that are there because of late events are alerts of their own."""
    behind = late.get(at, {})
    parted = sorted(rows, key=lambda row: (row.hunt_name, row.hunt_id, row.finding_id in behind))  # it is stable
    by_hunt = groupby(parted, key=lambda row: (row.hunt_id, row.finding_id in behind))
    return [_of_hunt(list(of_hunt), at, evidence, behind) for _, of_hunt in by_hunt]


def _with_commands(lake: Lake, findings: DataFrame) -> list[Row]:
    """The findings, each with the command lines of up to MOST_COMMANDS of its events."""
    few = findings.withColumn("evidence", F.slice("evidence", 1, MOST_COMMANDS)).persist()
    try:
        seen = few.agg(F.to_date(F.min("first_seen")).alias("first"), F.to_date(F.max("last_seen")).alias("last"))
        days = seen.collect()[0]
        events = _commands(lake)
        wanted = few.select("finding_id", "hunt_id", F.explode("evidence").alias("event_id"))
        has_some = days.first is not None  # without findings, or of a result without times, there are no days
        within = events.filter(F.col("event_date").between(*map(values.day, days)) if has_some else F.lit(False))
        commands = wanted.join(within, "event_id").groupBy("hunt_id", "finding_id")
        listed = commands.agg(F.sort_array(F.collect_list(F.struct("at", "command"))).alias("seen"))
        return few.join(listed, ["hunt_id", "finding_id"], "left").collect()
    finally:
        few.unpersist()


def _commands(lake: Lake) -> DataFrame:
    """`event_id`, `event_date`, `at` and `command` of the events of all tables that have command lines."""
    known = [(table, table.command_line) for table in EVENT_TABLES if table.command_line]
    stored = [one for one in known if lake.exists(one[0].events.name)] or known[:1]
    rows = (
        lake.rows(table.events).select(*EVENT_KEY, F.col(table.times[0]).alias("at"), F.col(command).alias("command"))
        for table, command in stored
    )
    return reduce(DataFrame.union, rows)


def _of_hunt(rows: Sequence[Row], at: datetime, evidence: str, late: Mapping[str, LateEvents]) -> Alert:
    """An alert about findings of a hunt, of which all or none are `late`."""
    first = rows[0]
    devices = groupby(rows, key=lambda row: (row.device_id, row.device_name))
    made = tuple(_device(device_id, name, list(some), late) for (device_id, name), some in devices)
    is_late = first.finding_id in late
    what = "late finding" if is_late else "new finding"
    return Alert(
        FINDINGS,
        f"{first.hunt_name}: {counted(len(rows), what)} on {counted(len(made), 'device')}",
        at,
        first.hunt_id,
        first.hunt_name,
        first.severity,
        tuple(first.tactics),
        tuple(first.techniques),
        made,
        evidence=evidence.format(hunt_id=first.hunt_id, as_of=moment(at)),
        late=is_late,
    )


def _device(device_id: str | None, name: str | None, rows: Sequence[Row], late: Mapping[str, LateEvents]) -> Device:
    commands = dict.fromkeys(seen.command or "" for row in rows for seen in row.seen or [])
    starts = [utc(row.first_seen) for row in rows if row.first_seen]
    ends = [utc(row.last_seen) for row in rows if row.last_seen]
    return Device(
        device_id,
        name,
        tuple(sorted({row.account_name for row in rows if row.account_name})),
        len(rows),
        sum(row.events for row in rows),
        min(starts, default=None),
        max(ends, default=None),
        tuple(redacted(command) for command in list(commands)[:MOST_COMMANDS] if command),
        tuple(row.finding_id for row in rows),
        _landing([late[row.finding_id] for row in rows if row.finding_id in late]),
    )


def _landing(late: Sequence[LateEvents]) -> LateLanding | None:
    if not late:
        return None
    first, last = min(one.first for one in late), max(one.last for one in late)
    return LateLanding(first, last, max(one.landed_at for one in late))


# Failures and warnings


def _failed(lake: Lake, at: datetime) -> list[Alert]:
    """Hunts whose last run for this as-of failed."""
    columns = ("hunt_id", "started_at", "run_id", "outcome", "hunt_name", "error")
    ended = lake.few(RUNS, columns, [("as_of", "=", at), ("outcome", "!=", STARTED)])
    last = {row["hunt_id"]: row for row in sorted(ended, key=itemgetter("started_at", "run_id"))}
    return [
        Alert(
            FAILURE, f"Hunt failed: {row['hunt_name']}", at, hunt, row["hunt_name"], text=redacted(row["error"] or "")
        )
        for hunt, row in sorted(last.items())
        if row["outcome"] == FAILED
    ]


def _refused(lake: Lake, at: datetime) -> list[Alert]:
    """Tables of batches that failed a critical expectation, so hunts do not see them."""
    columns = ("batch", "event_table", "delivered", "detail")
    rows = lake.few(BATCHES, columns, [("outcome", "=", "refused")])
    return [
        Alert(
            WARNING,
            f"{_batch(row)} was refused: hunts do not see its {row['delivered']} records",
            at,
            text=row["detail"] or "",
        )
        for row in sorted(rows, key=lambda row: (row["batch"], row["event_table"] or ""))
    ]


def _batch(row: Mapping[str, Any]) -> str:
    """A batch, and the table of it: several of a batch may be refused, and each is a warning of its own."""
    return f"Batch {row['batch']}" + (f" of {row['event_table']}" if row["event_table"] else "")


def _unusual(day: DayVolume | None) -> list[Alert]:
    """A warning if the volume of the day's telemetry is unusual."""
    if day is None or not (problems := [*day.critical, *day.warnings]):
        return []
    title = f"Telemetry of the day to {day.as_of:%Y-%m-%dT%H:%M:%SZ} is not as usual"
    return [Alert(WARNING, title, day.as_of, text="\n".join([counted(day.events, "event"), *problems]))]
