"""All metrics. One more is one more function here.

LAKE has those of which all counts are kept for ever, or that are states. LOGS has those counted from logs whose rows
expire: what was counted of them is remembered (see `state`). COMMANDS has those of the commands of this machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow.compute as pc

from lakehunt import __version__
from lakehunt.hunting.findings import run_log
from lakehunt.hunting.findings.late_findings import ADDED, REMOVED
from lakehunt.hunting.findings.run_log import DUE, FAILED, LANDED, LATE, SKIPPED, SUCCEEDED
from lakehunt.kql import times
from lakehunt.landing import refused_files
from lakehunt.operations.metrics.ledgers import RECENT, Ledgers, LogPart, named, seconds_of, sums
from lakehunt.operations.metrics.metric import Declared, Sample
from lakehunt.schemas.alert_tables import SENT
from lakehunt.schemas.event_tables import EVENT_TABLES
from lakehunt.schemas.hunt_tables import PASSES

LAKE: Declared[Ledgers] = Declared()
LOGS: Declared[LogPart] = Declared()


@dataclass(frozen=True)
class CommandState:
    """What a command did on this machine; times in seconds since 1970."""

    last_run: float
    last_success: float | None
    last_seconds: float
    succeeded: int = 0
    failed: int = 0


COMMANDS: Declared[Mapping[str, CommandState]] = Declared()


@LAKE.gauge("info", "1, with the version of Lakehunt")
def _(_: Ledgers) -> Iterable[Sample]:
    yield Sample(1, {"version": __version__})


# Landing


@LAKE.counter("records_landed", "Records that were delivered and stored, by event table")
def _(lake: Ledgers) -> Iterable[Sample]:
    return sums(lake.batches, "delivered", "table")


@LAKE.counter("records_promoted", "Records that became events, were quarantined as invalid, or were duplicates")
def _(lake: Ledgers) -> Iterable[Sample]:
    settled = lake.batches.filter(pc.field("outcome") == "settled")
    for column, outcome in (("events", "event"), ("quarantined", "quarantined"), ("duplicates", "duplicate")):
        for one in sums(settled, column, "table"):
            yield Sample(one.value, {**one.labels, "outcome": outcome})


@LAKE.gauge("refused_batches", "Batches of event tables that an expectation refused, which hunts do not see")
def _(lake: Ledgers) -> Iterable[Sample]:
    yield Sample(pc.sum(pc.equal(lake.batches["outcome"], "refused")).as_py() or 0)


@LAKE.gauge("refused_files", "Files of which landing takes nothing")
def _(lake: Ledgers) -> Iterable[Sample]:
    yield Sample(len(refused_files.waiting(lake.lake)))


@LAKE.gauge("last_landing_timestamp_seconds", "When the newest records landed, by event table")
def _(lake: Ledgers) -> Iterable[Sample]:
    found = lake.batches.group_by("table").aggregate([("landed_at", "max")]) if lake.batches.num_rows else lake.batches
    for row in sorted(found.to_pylist(), key=lambda row: row["table"]):
        yield Sample(seconds_of(row["landed_at_max"]), {"table": row["table"]})


@LAKE.gauge("newest_event_timestamp_seconds", "Time of the newest event, by event table")
def _(lake: Ledgers) -> Iterable[Sample]:
    for table in EVENT_TABLES:
        newest = lake.tables[table.events.name].last if table.events.name in lake.tables else None
        if newest is not None:
            yield Sample(seconds_of(newest), {"table": table.name})


@LAKE.gauge("landing_lag_median_seconds", "From an event to its landing: the median of the newest batch")
def _(lake: Ledgers) -> Iterable[Sample]:
    return (Sample(pc.quantile(lags, 0.5)[0].as_py(), {"table": name}) for name, lags in lake.landing_lags.items())


@LAKE.gauge("landing_lag_max_seconds", "From an event to its landing: the longest of the newest batch")
def _(lake: Ledgers) -> Iterable[Sample]:
    return (Sample(pc.max(lags).as_py(), {"table": name}) for name, lags in lake.landing_lags.items())


# Tables


@LAKE.gauge("table_rows", "Rows of a table")
def _(lake: Ledgers) -> Iterable[Sample]:
    return (Sample(one.rows, {"table": name}) for name, one in lake.tables.items())


@LAKE.gauge("table_files", "Data files of a table's newest version")
def _(lake: Ledgers) -> Iterable[Sample]:
    return (Sample(one.files, {"table": name}) for name, one in lake.tables.items())


@LAKE.gauge("table_bytes", "Bytes of these files")
def _(lake: Ledgers) -> Iterable[Sample]:
    return (Sample(one.bytes, {"table": name}) for name, one in lake.tables.items())


# Hunting


@LAKE.counter("scanned_events", "Events that were scanned for all hunts together, by event table")
def _(lake: Ledgers) -> Iterable[Sample]:
    return _scans(lake, "events")


@LAKE.counter("scanned_bytes", "Bytes that these scans read, as far as Spark reports them")
def _(lake: Ledgers) -> Iterable[Sample]:
    return _scans(lake, "bytes")


@LAKE.counter("scan_seconds", "Seconds that these scans took")
def _(lake: Ledgers) -> Iterable[Sample]:
    return _scans(lake, "seconds")


def _scans(lake: Ledgers, column: str) -> Iterable[Sample]:
    found = lake.read(PASSES, (column, "event_table"))
    return sums(found.append_column("table", named(found["event_table"])), column, "table")


@LAKE.gauge("hunt_due_timestamp_seconds", "The earliest as-of that a hunt was not asked at: its lag is time() - it")
def _(lake: Ledgers) -> Iterable[Sample]:
    for due in lake.due:
        at = due.as_ofs[0] if due.as_ofs else due.following
        yield Sample(seconds_of(times.to_datetime(at)), {"hunt_id": due.hunt.id, "hunt": due.hunt.name})


@LAKE.gauge("hunt_failed", "1 for a hunt whose last run failed, else 0")
def _(lake: Ledgers) -> Iterable[Sample]:
    rows = run_log.failing(lake.lake, {hunt.id for hunt in lake.hunts}, lake.now - RECENT) if lake.hunts else []
    failed = {row["hunt_id"] for row in rows}
    for hunt in lake.hunts:
        yield Sample(int(hunt.id in failed), {"hunt_id": hunt.id, "hunt": hunt.name})


@LOGS.counter("hunt_runs", "Runs of hunts that have ended, were killed, or stand for as-ofs that were skipped")
def _(logs: LogPart) -> Iterable[Sample]:
    counted: Counter[tuple[str, str]] = Counter()
    for rows, killed in ((logs.ended, ""), (logs.killed, "killed")):
        pairs = zip(rows["outcome"].to_pylist(), rows["reason"].to_pylist(), strict=True)
        counted.update((killed or outcome, reason) for outcome, reason in pairs)
    for outcome in (SUCCEEDED, FAILED, "killed", SKIPPED):
        for reason in ("asked", DUE, LANDED, LATE):
            yield Sample(counted[outcome, reason], {"outcome": outcome, "reason": reason})


@LOGS.counter("hunt_run_seconds", "Seconds that runs of hunts took, without scanning new events")
def _(logs: LogPart) -> Iterable[Sample]:
    yield Sample(pc.sum(logs.ended["seconds"]).as_py() or 0)


@LOGS.counter("findings", "Findings that runs of hunts stored, recurring ones again")
def _(logs: LogPart) -> Iterable[Sample]:
    yield Sample(pc.sum(logs.ended["findings"]).as_py() or 0)


@LOGS.counter("too_late_events", "Candidate events that landed too late to ask again about their time")
def _(logs: LogPart) -> Iterable[Sample]:
    yield Sample(pc.sum(logs.ended["too_late"]).as_py() or 0)


@LOGS.counter("late_findings", "Findings that were added or removed because events had landed late")
def _(logs: LogPart) -> Iterable[Sample]:
    changes = Counter(logs.late["change"].to_pylist())
    return (Sample(changes[change], {"change": change}) for change in (ADDED, REMOVED))


# Alerts


@LOGS.counter("alerts_sent", "Alerts that were sent, by channel and kind")
def _(logs: LogPart) -> Iterable[Sample]:
    found = Counter((row["channel"], row["kind"]) for row in _distinct(logs.sent.to_pylist()))
    return (Sample(n, {"channel": channel, "kind": kind}) for (channel, kind), n in sorted(found.items()))


def _distinct(rows: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """A row for each message: there is one for each of its findings."""
    return {(row["channel"], row["alert_id"]): row for row in rows}.values()


@LAKE.gauge("rejected_alert_items", "Findings, failures and warnings that a channel rejected and was not sent since")
def _(lake: Ledgers) -> Iterable[Sample]:
    rows = lake.read(SENT, ("channel", "kind", "key", "sent_at"), [("as_of", ">=", lake.now - RECENT)]).to_pylist()
    sent = {(row["channel"], row["kind"], row["key"]) for row in rows if row["sent_at"] is not None}
    known = {(row["channel"], row["kind"], row["key"]) for row in rows}
    waiting = Counter(channel for channel, _, _ in known - sent)
    return (Sample(waiting[channel], {"channel": channel}) for channel in sorted({row["channel"] for row in rows}))


# Commands of this machine


@COMMANDS.counter("command_runs", "Runs of a command on this machine")
def _(commands: Mapping[str, CommandState]) -> Iterable[Sample]:
    for name, state in commands.items():
        yield Sample(state.succeeded, {"command": name, "outcome": SUCCEEDED})
        yield Sample(state.failed, {"command": name, "outcome": FAILED})


@COMMANDS.gauge("command_last_run_timestamp_seconds", "When a command last ended on this machine")
def _(commands: Mapping[str, CommandState]) -> Iterable[Sample]:
    return (Sample(state.last_run, {"command": name}) for name, state in commands.items())


@COMMANDS.gauge("command_last_success_timestamp_seconds", "When a command last succeeded on this machine")
def _(commands: Mapping[str, CommandState]) -> Iterable[Sample]:
    done = ((name, state.last_success) for name, state in commands.items())
    return (Sample(at, {"command": name}) for name, at in done if at is not None)


@COMMANDS.gauge("command_last_run_seconds", "How long a command took when it last ran on this machine")
def _(commands: Mapping[str, CommandState]) -> Iterable[Sample]:
    return (Sample(state.last_seconds, {"command": name}) for name, state in commands.items())


def after(before: CommandState | None, succeeded: bool, seconds: float, now: datetime) -> CommandState:
    """What a command has done after one more run."""
    known = before or CommandState(0, None, 0)
    at = seconds_of(now)
    return CommandState(
        at,
        at if succeeded else known.last_success,
        seconds,
        known.succeeded + succeeded,
        known.failed + (not succeeded),
    )
