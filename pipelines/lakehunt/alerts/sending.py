"""Finds what is new as of an instant and sends it: each finding once to each channel.

`hunts.alerts` has a row for every item that was sent, written afterwards, and for every item that a channel rejected. A
run that is killed in between sends the item again with the same id, by which a receiver recognises it. An item that was
sent is never sent again; one that was rejected is retried by the next run, whatever its as-of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa
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
from lakehunt.hunting.findings.run_log import FAILED, LATE, STARTED
from lakehunt.hunting.run_hits import MOST_READ
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake, few_rows
from lakehunt.lake.where import Where, spark_sql
from lakehunt.quality.volume import DayVolume
from lakehunt.schemas.alert_tables import SENT
from lakehunt.schemas.event_tables import EVENT_TABLES
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from lakehunt.schemas.hunt_tables import RUNS, hits_of
from lakehunt.schemas.landing_tables import BATCHES
from lakehunt.schemas.table import Table

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
    """Sends every channel what is new as of an instant (ticks), what its run has found late of earlier as-ofs, hunts
    that failed when these were asked again, what the channel rejected before, and warnings about the day's telemetry. A
    channel that fails does not stop the others; the next call retries it."""
    if not alerts.channels:
        return []
    at = times.to_datetime(as_of)
    warnings = [*_refused(lake, at), *_unusual(day)]
    missed = _missed(lake, at)
    again = {run for runs in missed.values() for run in runs}
    late = late_findings.added(lake, [("found_as_of", "=", at)])
    failing = _failed_again(lake, at)
    known = _history(lake, {at, *late, *again, *failing})
    behind = late_findings.added(lake, [("as_of", "in", sorted({at, *late, *again}))])
    news = cache(lambda run: (_found(lake, run), _failed(lake, run)))
    done = []
    for channel in alerts.channels:
        mine, rejected = known.get(channel.name, _ChannelHistory()), missed.get(channel.name, {})
        for run in sorted({at, *rejected, *late, *failing}):
            found, failed = news(run)
            if run != at:
                wanted = rejected.get(run, set()) | late.get(run, {}).keys()
                found = [row for row in found if row.finding_id in wanted]
                retried = failing.get(run, set())
                failed = [alert for alert in failed if alert.hunt_id in retried or wanted.issuperset(alert.keys)]
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


@dataclass(frozen=True)
class _Finding:
    """A new finding. `commands` are the command lines of up to MOST_COMMANDS of its events, in the order of time."""

    finding_id: str
    hunt_id: str
    hunt_name: str
    severity: str | None
    tactics: Sequence[str]
    techniques: Sequence[str]
    device_id: str | None
    device_name: str | None
    account_name: str | None
    first_seen: datetime | None
    last_seen: datetime | None
    events: int
    commands: Sequence[str] = ()


_EVENT_ID = "event_id"

_STORED = tuple(one.name for one in fields(_Finding) if one.name != "commands")


def _found(lake: Lake, at: datetime) -> list[_Finding]:
    """The new findings, ordered by hunt and device."""
    new = lake.few(FINDINGS_ALL, (*_STORED, "evidence"), [("as_of", "=", at), ("status", "=", "new")])
    commands = _commands(lake, new)
    found = []
    for row in new:
        mine = sorted(commands[event] for event in _told_of(row) if event in commands)
        found.append(_Finding(**{name: row[name] for name in _STORED}, commands=[command for _, command in mine]))
    found.sort(key=lambda one: (one.hunt_name, one.hunt_id, one.device_name or "", one.device_id or "", one.finding_id))
    return found


_Late = Mapping[datetime, Mapping[str, LateEvents]]
"""The late events behind findings, by as-of and finding."""


def _by_hunt(rows: Sequence[_Finding], at: datetime, evidence: str, late: _Late) -> list[Alert]:
    """An alert for each hunt; those of findings that are there because of late events are alerts of their own."""
    behind = late.get(at, {})
    parted = sorted(rows, key=lambda row: (row.hunt_name, row.hunt_id, row.finding_id in behind))  # it is stable
    by_hunt = groupby(parted, key=lambda row: (row.hunt_id, row.finding_id in behind))
    return [_of_hunt(list(of_hunt), at, evidence, behind) for _, of_hunt in by_hunt]


def _told_of(finding: Mapping[str, Any]) -> list[str]:
    """The events of a stored finding whose commands are told."""
    return (finding["evidence"] or [])[:MOST_COMMANDS]


def _commands(lake: Lake, findings: Sequence[Mapping[str, Any]]) -> dict[str, tuple[datetime, str]]:
    """The times and command lines of the events that are told of findings, by `event_id`; none of an event that has no
    command line, or is not in the lake any more.

    Most are hits, which are few and can be read without Spark; events are asked for the others."""
    told = {event for row in findings for event in _told_of(row)}
    starts = [row["first_seen"].date() for row in findings if row["first_seen"]]
    ends = [row["last_seen"].date() for row in findings if row["last_seen"]]
    commands: dict[str, tuple[datetime, str]] = {}
    if not starts or not ends:  # of results without times
        return commands
    days: Where = [("event_date", ">=", min(starts)), ("event_date", "<=", max(ends))]
    for table in EVENT_TABLES:
        if table.command_line is None:
            continue
        columns = (_EVENT_ID, table.times[0], table.command_line)
        for stored in (hits_of(table), table.events):
            missing = sorted(told - commands.keys())
            if not missing or not lake.exists(stored.name):
                continue
            found = lake.rows_in_memory(stored, MOST_READ, columns, [*days, (_EVENT_ID, "in", missing)])
            if found is None and stored is table.events:
                found = _by_spark(lake, stored, columns, days, missing)
            rows = [] if found is None else found.to_pylist()
            commands |= {event: (at, command) for event, at, command in map(dict.values, rows) if command}
    return commands


def _by_spark(lake: Lake, table: Table, columns: Sequence[str], only: Where, events: Sequence[str]) -> pa.Table:
    """The rows of these events, joined: there may be more than a condition can name."""
    wanted = few_rows(lake.spark, {_EVENT_ID: "STRING"}, [(event,) for event in events])
    rows = lake.rows(table).where(spark_sql(only)).join(F.broadcast(wanted), _EVENT_ID).select(*columns)
    return rows.toArrow()


def _of_hunt(rows: Sequence[_Finding], at: datetime, evidence: str, late: Mapping[str, LateEvents]) -> Alert:
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


def _device(
    device_id: str | None, name: str | None, rows: Sequence[_Finding], late: Mapping[str, LateEvents]
) -> Device:
    commands = dict.fromkeys(command for row in rows for command in row.commands)
    starts = [row.first_seen for row in rows if row.first_seen]
    ends = [row.last_seen for row in rows if row.last_seen]
    return Device(
        device_id,
        name,
        tuple(sorted({row.account_name for row in rows if row.account_name})),
        len(rows),
        sum(row.events for row in rows),
        min(starts, default=None),
        max(ends, default=None),
        tuple(redacted(command) for command in list(commands)[:MOST_COMMANDS]),
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


def _failed_again(lake: Lake, at: datetime) -> dict[datetime, set[str]]:
    """The hunts that failed when an earlier as-of close to this one was asked again, by as-of."""
    only: Where = [("as_of", ">=", at - NEAR), ("as_of", "<", at), ("reason", "=", LATE), ("outcome", "=", FAILED)]
    failing: dict[datetime, set[str]] = {}
    for row in lake.few(RUNS, ("as_of", "hunt_id"), only):
        failing.setdefault(row["as_of"], set()).add(row["hunt_id"])
    return failing


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
