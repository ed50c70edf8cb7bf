"""Tables that hunts write: candidate events, passes, the run log, and the effect of exclusions."""

from __future__ import annotations

from lakehunt.schemas.event_table import EVENT_KEY, EventTable
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS, EVENT_TABLES
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from lakehunt.schemas.table import Erasure, Expires, KeptForever, Match, NotErased, Table, TableColumn

ALWAYS_STORED = frozenset((
    "Timestamp", "ReportId", "DeviceId", "DeviceName", "AccountName", "FileName", "InitiatingProcessFileName",
    "InitiatingProcessParentFileName", "ProcessCommandLine",
))  # fmt: skip
"""Columns that every hit has if its table does, whatever the query reads: time, device, account, process and its
parents. They are not part of a hunt's version, so a column never leaves them."""


def always_stored(events: EventTable) -> frozenset[str]:
    """The columns of an event table that every hit has."""
    subject = (name for name in events.subject_columns if name)
    return (ALWAYS_STORED | {events.times[0], events.sequence, *events.few_values, *subject}) & set(events.column_names)


def _hits(events: EventTable) -> Table:
    """DeviceProcessEvents was the only event table at first, so its hits have the plain name."""
    suffix = "" if events is DEVICE_PROCESS_EVENTS else f"_{events.stored_as}"
    return Table(
        f"hunts.hits{suffix}",
        f"One row is one candidate event of {events.name}: it passed a hunt version's row-level predicates",
        (
            TableColumn("hunt_id", "STRING", "The hunt's id"),
            TableColumn("hunt_version", "STRING", "Digest of what in the hunt decides its results"),
            TableColumn("pass_id", "STRING", "The scan that found it; the row counts once the scan is in hunts.passes"),
            *events.events.columns,
        ),
        partitioned_by=("event_date",),
        statistics=("hunt_version", "pass_id", events.times[0], "batch"),
        retention=Expires("hits", "event_date"),
        erasure=Erasure(Match.EVENT_COPY, EVENT_KEY, events.device_columns, events.account_columns),
        served=False,
        written="appended per pass over new events",
    )


HITS_TABLES = tuple(map(_hits, EVENT_TABLES))

_HITS_BY_TABLE = dict(zip((events.name for events in EVENT_TABLES), HITS_TABLES, strict=True))


def hits_of(events: EventTable) -> Table:
    """The table with the candidate events of an event table."""
    return _HITS_BY_TABLE[events.name]


HITS = hits_of(DEVICE_PROCESS_EVENTS)

PASSES = Table(
    "hunts.passes",
    "One row per scan of a table's events (a pass): which were read, and the hunts whose hits are complete for them",
    (
        TableColumn("pass_id", "STRING", "The scan; begins with the time of its start"),
        TableColumn("batches", "ARRAY<STRUCT<first: BIGINT, last: BIGINT>>", "Batches of events that it read"),
        TableColumn("date_from", "DATE", "It read events of this day and later; null: from the beginning"),
        TableColumn("date_before", "DATE", "It read no events of this day and later; null: to the end"),
        TableColumn("hunts", "ARRAY<STRUCT<hunt_id: STRING, hunt_version: STRING>>", "Hunts that it was for"),
        TableColumn("events", "BIGINT", "Events that it read"),
        TableColumn("bytes", "BIGINT", "Bytes that it read from their files; null if Spark does not report them"),
        TableColumn("started_at", "TIMESTAMP", "When it was started (UTC)"),
        TableColumn("seconds", "DOUBLE", "How long it took"),
        TableColumn("events_version", "BIGINT", "Version of the events table that was read"),
        TableColumn("engine_version", "STRING", "Version of Lakehunt"),
        TableColumn("event_table", "STRING", "KQL name of the event table; null: DeviceProcessEvents"),
    ),
    retention=KeptForever("it says which events have been read, so that none is read twice"),
    erasure=NotErased("it names hunts and batches, no event"),
    served=False,
    written="appended per pass",
    small=True,
    vouches_for=tuple(name for events in EVENT_TABLES for name in (hits_of(events).name, events.events.name)),
)

RUNS = Table(
    "hunts.runs",
    "Two rows per run of a hunt for an as-of: its start and its end. A killed run has only the first",
    (
        TableColumn("run_id", "STRING", "The run of one or more hunts at one as-of; begins with the time of its start"),
        TableColumn("hunt_id", "STRING", "The hunt's id"),
        TableColumn("hunt_name", "STRING", "The hunt's name"),
        TableColumn("hunt_version", "STRING", "Digest of what in the hunt decides its results"),
        TableColumn("as_of", "TIMESTAMP", "Instant up to which the hunt saw events (UTC); its now()"),
        TableColumn("window_start", "TIMESTAMP", "Start of what the hunt read; null from the beginning, or not run"),
        TableColumn("window_end", "TIMESTAMP", "End of what the hunt read; null where it was not run"),
        TableColumn(
            "mode",
            "STRING",
            "incremental: from its hits, and all events of tables that it reads without a condition; full: from all "
            "events of its window",
        ),
        TableColumn(
            "events_scanned",
            "BIGINT",
            "Events read for it; new ones are read for all hunts together. An incremental run does not count those of "
            "tables that it reads without a condition",
        ),
        TableColumn("bytes_read", "BIGINT", "Bytes read from their files; null if Spark does not report them"),
        TableColumn(
            "matched", "BIGINT", "Candidate events of its window: the ones that passed the hunt's row-level predicates"
        ),
        TableColumn("suppressed", "BIGINT", "Candidate events that an exclusion kept out of the findings"),
        TableColumn("findings", "BIGINT", "Rows of the hunt's result"),
        TableColumn("seconds", "DOUBLE", "How long the run took, without reading new events"),
        TableColumn("outcome", "STRING", "started, succeeded, failed, or skipped: see error"),
        TableColumn("error", "STRING", "What went wrong; null for a run without error"),
        TableColumn("started_at", "TIMESTAMP", "When the run was started (UTC)"),
        TableColumn("engine_version", "STRING", "Version of Lakehunt"),
        TableColumn(
            "exclusions",
            "ARRAY<STRUCT<name: STRING, version: STRING>>",
            "Exclusions that it used; joins hunts.exclusions",
        ),
        TableColumn(
            "reason",
            "STRING",
            "Why the as-of was asked: due, by the hunt's own clock; landed, by `watch`, as a hit had landed; late, "
            "again, as events came late; null: on request",
        ),
        TableColumn(
            "batches",
            "STRING",
            'Batches that it saw of each event table that it reads, as JSON: {"DeviceProcessEvents": [[1, 57]]}; null '
            "where it was not run, and in rows of earlier versions",
        ),
        TableColumn(
            "too_late",
            "BIGINT",
            "Candidate events that landed too late: in windows of as-ofs that were asked without them and are too far "
            "back to be asked again (hunting.late); null where none was looked for",
        ),
    ),
    retention=Expires("runs", "started_at"),
    erasure=NotErased("it counts what happened"),
    served=True,
    written="appended per run",
    small=True,
    vouches_for=(FINDINGS_ALL.name,),
)

LATE = Table(
    "hunts.late",
    "One row for each finding that was added or removed when an as-of was asked again, because events had landed late",
    (
        TableColumn("hunt_id", "STRING", "The hunt's id"),
        TableColumn("as_of", "TIMESTAMP", "The as-of that was asked again (UTC)"),
        TableColumn("finding_id", "STRING", "The finding; an added one joins findings.all"),
        TableColumn("change", "STRING", "added, or removed: with the late events, the query does not return it"),
        TableColumn("first_seen", "TIMESTAMP", "Timestamp of the first of the late events behind it"),
        TableColumn("last_seen", "TIMESTAMP", "Timestamp of the last of them"),
        TableColumn("landed_at", "TIMESTAMP", "When the last of them landed (UTC)"),
        TableColumn("found_as_of", "TIMESTAMP", "The later as-of whose run asked again (UTC); its alerts tell of it"),
        TableColumn("run_id", "STRING", "The run that asked again; joins hunts.runs"),
    ),
    retention=Expires("findings", "as_of"),
    erasure=NotErased("it holds ids of findings and times, no value of an event"),
    served=True,
    written="appended before the findings of an as-of are replaced because of late events",
    small=True,
)

LOOKUPS = Table(
    "hunts.lookups",
    "One row per lookup and as-of of a run that read it: which content it had",
    (
        TableColumn("lookup", "STRING", "The lookup's name"),
        TableColumn("as_of", "TIMESTAMP", "Instant up to which the hunt saw events (UTC)"),
        TableColumn("version", "STRING", "Digest of the file's content, or version of the Delta table"),
        TableColumn("recorded_at", "TIMESTAMP", "When the run read it (UTC)"),
    ),
    retention=KeptForever("a run that is repeated reads what the first one read"),
    erasure=NotErased("it names files of the team"),
    served=False,
    written="appended by the first run at an as-of that reads the lookup",
    small=True,
)

SUPPRESSED = Table(
    "hunts.suppressed",
    "One row per event that exclusions kept out of a hunt at an as-of. Replaced per hunt and as-of.",
    (
        TableColumn("hunt_id", "STRING", "The hunt's id"),
        TableColumn("hunt_version", "STRING", "Digest of what in the hunt decides its results; joins hunts.hits"),
        TableColumn("as_of", "TIMESTAMP", "Instant up to which the hunt saw events (UTC)"),
        TableColumn("event_id", "STRING", "The event, which passed the hunt's filters; joins events and hunts.hits"),
        TableColumn("event_date", "DATE", "Day of the event (UTC)"),
        TableColumn("Timestamp", "TIMESTAMP", "Time of the event (UTC)"),
        TableColumn("device_id", "STRING", "DeviceId of the event"),
        TableColumn("device_name", "STRING", "DeviceName of the event"),
        TableColumn("account_name", "STRING", "Account of the event"),
        TableColumn("exclusions", "ARRAY<STRING>", "Names of the exclusions that applied to it"),
    ),
    retention=Expires("findings", "as_of"),
    erasure=Erasure(Match.EVENT_COPY, EVENT_KEY, ("device_id", "device_name"), ("account_name",)),
    served=False,
    written="replaced per hunt and as-of",
)

EXCLUSIONS = Table(
    "hunts.exclusions",
    "One row per version of an exclusion that a run has used",
    (
        TableColumn("name", "STRING", "The exclusion's name"),
        TableColumn("version", "STRING", "Digest of its condition"),
        TableColumn("condition", "STRING", "Its condition, in KQL"),
        TableColumn("reason", "STRING", "Reason when it was first used"),
        TableColumn("owner", "STRING", "Owner when it was first used"),
        TableColumn("expires", "DATE", "Last day on which it applies, when it was first used; null: no end"),
        TableColumn("recorded_at", "TIMESTAMP", "When a run first used it (UTC)"),
        TableColumn("event_table", "STRING", "KQL name of the table of its condition; null: DeviceProcessEvents"),
    ),
    retention=KeptForever("a backfill may use exclusions as they were"),
    erasure=NotErased("it holds conditions that the team has written"),
    served=False,
    written="appended by the first run that uses it",
    small=True,
)
