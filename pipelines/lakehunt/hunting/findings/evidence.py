"""From a finding to its events, and to the processes around them.

`findings.all` names the first events of each finding. They are looked up in the event tables, only on the days that the
finding spans; then, device by device and around their time, the processes that started them and that they started: of
an event that is not the start of a process, those around its initiating process. What makes a process the parent of
another one is in process_tree.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from lakehunt.core.errors import LakehuntError, UsageError
from lakehunt.hunting.findings.finding_json import finding_json
from lakehunt.hunting.findings.process_tree import (
    GRANDPARENT,
    OWN,
    PARENT,
    Event,
    Process,
    ProcessLookup,
    ProcessNode,
    process_lookups,
    process_trees,
)
from lakehunt.hunting.query import events_table
from lakehunt.kql import times
from lakehunt.kql.types import DATETIME, TICKS_PER_DAY, TICKS_PER_MICROSECOND, TICKS_PER_MINUTE, Column
from lakehunt.lake.delta_lake import Lake, few_rows, utc
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS, EVENT_TABLES
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from lakehunt.spark import values

SHORTEST = 8
"""Minimum length of a finding id prefix."""

NEAR = 5 * TICKS_PER_MINUTE
"""How far (ticks) from an event its siblings and children are looked up."""

STEPS = 4
"""Maximum look-ups of ancestors; each finds two generations."""

MOST_AROUND = 20_000
"""Maximum events around the evidence that are read, earliest first."""

_CANDIDATES = 5

_ID = re.compile(rf"[0-9a-f]{{{SHORTEST},64}}")

_PROCESSES = {
    "process": {
        "id": "ProcessId",
        "created": "ProcessCreationTime",
        "file_name": "FileName",
        "command_line": "ProcessCommandLine",
        "account_name": "AccountName",
        "unique_id": "ProcessUniqueId",
    },
    "parent": {
        "id": "InitiatingProcessId",
        "created": "InitiatingProcessCreationTime",
        "file_name": "InitiatingProcessFileName",
        "command_line": "InitiatingProcessCommandLine",
        "account_name": "InitiatingProcessAccountName",
        "unique_id": "InitiatingProcessUniqueId",
    },
    "grandparent": {
        "id": "InitiatingProcessParentId",
        "created": "InitiatingProcessParentCreationTime",
        "file_name": "InitiatingProcessParentFileName",
    },
}
"""The three processes that the start of a process describes: fields of `process_tree.Process` and their columns."""

_INITIATING = {"process": _PROCESSES["parent"], "parent": _PROCESSES["grandparent"]}
"""The two processes that another event describes."""


@dataclass(frozen=True)
class Evidence:
    """A finding, its events and their lineage.

    `finding` is a row of `findings.all`, with times as text and `result` as an object. `events` are its evidence that
    the lake still has: their `event_table`, non-empty columns, times as text, in order of time. `gone` counts the
    missing events. `cut`: there were more events around them than MOST_AROUND."""

    finding: dict[str, Any]
    events: list[dict[str, Any]]
    gone: int
    trees: list[ProcessNode]
    cut: bool

    @property
    def unnamed(self) -> int:
        """Events of the finding that its evidence does not name."""
        return max(int(self.finding["events"]) - len(self.finding["evidence"]), 0)


def of_finding(lake: Lake, name: str, as_of: int | None = None, near: int = NEAR) -> Evidence:
    """The evidence of a finding, given its id or an id prefix, at an as-of (ticks; None: the newest that has it), with
    siblings up to `near` ticks from an event.

    Raises UsageError if `name` is not an id, LakehuntError if no finding or more than one matches."""
    row = find(lake, name, as_of)
    whole = _events_of(lake, [row], lambda table: table.kql_schema)
    found = [event_of(*one) for one in whole]
    around, cut = around_events(lake, found, near)
    rows = sorted(whole, key=lambda one: (one[1]["Timestamp"], one[1]["event_id"]))
    finding = finding_json(row)
    evidence = list(row["evidence"])
    return Evidence(
        finding,
        [_event_json(*one) for one in rows],
        len(set(evidence)) - len(rows),
        process_trees([*found, *around], evidence, near),
        cut,
    )


# Findings


def check_name(name: str) -> str:
    """The id prefix in lower case. Raises UsageError if it cannot be one."""
    prefix = name.strip().lower()
    if not _ID.fullmatch(prefix):
        hint = f"give {SHORTEST} to 64 hexadecimal digits, the beginning of a finding_id (lakehunt findings)"
        raise UsageError(f"{name[:80]!r} is not a finding's id", hint)
    return prefix


def find(lake: Lake, name: str, as_of: int | None = None) -> Row:
    """The finding's row of `findings.all`; arguments and errors as in `of_finding`."""
    prefix = check_name(name)
    rows = lake.rows(FINDINGS_ALL).filter(F.col("finding_id").startswith(prefix))
    if as_of is not None:
        rows = rows.filter(F.unix_micros("as_of") == as_of // TICKS_PER_MICROSECOND)
    last = F.max_by(F.struct(*FINDINGS_ALL.column_names), "as_of").alias("last")
    found = rows.groupBy("finding_id").agg(last).select("last.*").orderBy("finding_id").limit(_CANDIDATES + 1).collect()
    if not found:
        at = "" if as_of is None else f" as of {times.format_datetime(as_of)}"
        raise LakehuntError(
            f"there is no finding {prefix}{at}",
            "lakehunt findings shows what was found, each with the beginning of its id",
        )
    if len(found) > 1:
        raise LakehuntError(f"{prefix} is the beginning of several findings", "\n".join(_candidates(found)))
    return found[0]


def _candidates(rows: Sequence[Row]) -> list[str]:
    named = [
        f"{row.finding_id} ({row.hunt_name}, {row.device_name or 'several devices'})" for row in rows[:_CANDIDATES]
    ]
    return ["one of", *named, *(["and others"] if len(rows) > _CANDIDATES else [])]


# Events


def _events_of(
    lake: Lake, findings: Sequence[Row], columns: Callable[[EventTable], Iterable[Column]]
) -> list[tuple[EventTable, Row]]:
    """The events that findings name, each with its table, and these columns of it with engine types: times in ticks,
    texts never null. Tables are searched until all events are found, the one that most hunts read first."""
    ids = {event for row in findings for event in row["evidence"]}
    seen = [utc(row[name]) for row in findings for name in ("first_seen", "last_seen") if row[name] is not None]
    if not ids or not seen:
        return []
    first, last = (times.from_datetime(at) for at in (min(seen), max(seen)))
    return _events_with(lake, ids, first, last, columns)


def _events_with(
    lake: Lake, event_ids: Collection[str], first: int, last: int, columns: Callable[[EventTable], Iterable[Column]]
) -> list[tuple[EventTable, Row]]:
    """The events with these ids, of a time (ticks)."""
    ids = set(event_ids)
    found: list[tuple[EventTable, Row]] = []
    for table in sorted(EVENT_TABLES, key=lambda one: one is not DEVICE_PROCESS_EVENTS):
        if ids and lake.exists(table.events.name):
            within = events_table.within_window(table, lake.rows(table.events), first, last)
            named = F.broadcast(few_rows(lake.spark, {"event_id": "STRING"}, [(id_,) for id_ in sorted(ids)]))
            rows = within.join(named, "event_id", "left_semi").select("event_id", *_as_kql(columns(table))).collect()
            found += [(table, row) for row in rows]
            ids -= {row["event_id"] for row in rows}
    return found


def events_named(lake: Lake, event_ids: Collection[str], first: int, last: int) -> list[dict[str, Any]]:
    """The events with these ids, of a time (ticks), in order of time: their `event_table`, non-empty columns, times as
    text."""
    rows = _events_with(lake, event_ids, first, last, lambda table: table.kql_schema)
    return [_event_json(*one) for one in sorted(rows, key=lambda one: (one[1]["Timestamp"], one[1]["event_id"]))]


def _as_kql(columns: Iterable[Column]) -> list[SparkColumn]:
    return [events_table.kql_value(column).alias(column.name) for column in columns]


def events_of(lake: Lake, findings: Sequence[Row]) -> list[Event]:
    """The events that findings name and that the lake still has."""
    return [event_of(*one) for one in _events_of(lake, findings, _lineage)]


def _lineage(table: EventTable) -> list[Column]:
    """The columns of a table that say when and where an event was, and which processes it describes."""
    described = {name for columns in _described(table).values() for name in columns.values()}
    return [one for one in table.kql_schema if one.name in {"Timestamp", "DeviceId", "DeviceName", *described}]


def _described(table: EventTable) -> dict[str, dict[str, str]]:
    """The processes that events of a table describe, as in `_PROCESSES`, with the columns that it has."""
    processes = _PROCESSES if table is DEVICE_PROCESS_EVENTS else _INITIATING
    there = set(table.column_names)
    return {
        name: {field: column for field, column in columns.items() if column in there}
        for name, columns in processes.items()
    }


def event_of(table: EventTable, row: Row) -> Event:
    """An event of a table, given its row with at least the columns of its lineage."""
    made = {
        name: Process(**{field: row[column] or None for field, column in columns.items()})
        for name, columns in _described(table).items()
    }
    device = row["DeviceName"] or None if "DeviceName" in table.column_names else None
    is_start = table is DEVICE_PROCESS_EVENTS
    return Event(row["event_id"], row["Timestamp"], row["DeviceId"], device, **made, is_start=is_start)


def _event_json(table: EventTable, row: Row) -> dict[str, Any]:
    """The non-empty columns: most are empty in most events."""
    fields: dict[str, Any] = {"event_id": row["event_id"], "event_table": table.name}
    for column in table.kql_schema:
        value = row[column.name]
        if value is not None and value != "":
            fields[column.name] = times.format_datetime(value) if column.type == DATETIME else value
    return fields


# Events around them


def around_events(
    lake: Lake, evidence: Sequence[Event], near: int = NEAR, steps: int = STEPS, most: int = MOST_AROUND
) -> tuple[list[Event], bool]:
    """Events of the processes around the evidence: ancestors, siblings and children within `near` ticks; and whether a
    look-up had more than `most`. One Spark job per step up, until nothing new is found."""
    found: dict[str, Event] = {}
    done: set[ProcessLookup] = set()
    seeds, ids, cut = evidence, {event.event_id for event in evidence}, False
    for _ in range(steps):
        due = process_lookups(seeds, ids, near) - done
        if not due:
            break
        done |= due
        rows = _looked_up(lake, due, most + 1)
        cut = cut or len(rows) > most
        new = {row.event_id: event_of(DEVICE_PROCESS_EVENTS, row) for row in rows[:most] if row.event_id not in found}
        found |= new
        ancestors = {row.event_id for row in rows if row.place == OWN}
        seeds = [event for id_, event in new.items() if id_ in ancestors]
    return list(found.values()), cut


def _looked_up(lake: Lake, due: Collection[ProcessLookup], most: int) -> list[Row]:
    """The events that match the look-ups, in order of time, once per matching `place`."""
    days = sorted(
        {events_table.utc_day(at) for one in due for at in (*range(one.since, one.until, TICKS_PER_DAY), one.until)}
    )
    events = lake.rows(DEVICE_PROCESS_EVENTS.events).filter(F.col("event_date").isin(*map(values.day, days)))
    rows = [(w.device_id, w.place, w.id, *map(_micros, (w.since, w.until))) for w in sorted(due, key=str)]
    types = {"device": "STRING", "place": "STRING", "id": "BIGINT", "since": "BIGINT", "until": "BIGINT"}
    lookups = F.broadcast(few_rows(lake.spark, types, rows)).alias("lookup")
    here = (F.col("DeviceId") == F.col("lookup.device")) & (F.col("in.place") == F.col("lookup.place"))
    here &= F.col("in.id") == F.col("lookup.id")
    here &= F.unix_micros("Timestamp").between(F.col("lookup.since"), F.col("lookup.until"))
    matched = _in_each_place(events).join(lookups, here, "left_semi")
    chosen = matched.select("event_id", F.col("in.place").alias("place"), *_as_kql(_lineage(DEVICE_PROCESS_EVENTS)))
    return chosen.orderBy("Timestamp", "event_id").limit(most).collect()


def _in_each_place(events: DataFrame) -> DataFrame:
    """Every event once per process that it describes; `in` has the process's place and id."""
    ids = ((place, _PROCESSES[name]["id"]) for place, name in _PLACES.items())
    places = F.array(*(F.struct(F.lit(place).alias("place"), F.col(id_).alias("id")) for place, id_ in ids))
    return events.withColumn("in", F.explode(places))


_PLACES = {OWN: "process", PARENT: "parent", GRANDPARENT: "grandparent"}


def _micros(ticks: int) -> int:
    return ticks // TICKS_PER_MICROSECOND
