"""`lakehunt forget`: everything that the lake holds of a device or an account.

Each table is a step of its own, and events, by which the rest is recognised, are the last one: a run that was killed is
put right by the same command. No step's commit names a device or an account, so Delta's log does not either.

`raw` keeps the place of a record (blob, line, batch) and loses its content. What is landed is told by these places:
with them the next landing of the same blob brings nothing back, and batches keep their numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipelines.hunting.findings import ALL, FINDINGS_ALL, RUN_COLUMNS
from pipelines.hunting.hits import HITS
from pipelines.hunting.suppression import SUPPRESSED
from pipelines.kql import times
from pipelines.kql.types import TICKS_PER_DAY
from pipelines.lake import maintenance
from pipelines.lake.tables import Lake, Table
from pipelines.landing import streaming_api
from pipelines.landing.tables import EVENTS, QUARANTINE, RAW

Say = Callable[[str], None]

DEVICE_COLUMNS = ("DeviceId", "DeviceName")
ACCOUNT_COLUMNS = tuple(
    f"{whose}Account{what}" for whose in ("", "InitiatingProcess") for what in ("Name", "Sid", "Upn", "ObjectId")
)
UNMISTAKABLE = 16
"""From so many characters on, a value is recognised inside of longer texts of a finding, too: ids, SIDs and full names.
Shorter ones, which may be words, only as whole values."""

_EVENT = ("event_date", "event_id")
_PLACE = ("batch", "file", "line")
_NAMES = {**dict.fromkeys(DEVICE_COLUMNS, "devices"), **dict.fromkeys(ACCOUNT_COLUMNS, "accounts")}
_FINDING_NAMES = {"device_id": "devices", "device_name": "devices", "account_name": "accounts"}


@dataclass(frozen=True)
class Subject:
    """Whom to forget: ids and names of devices; names, SIDs, UPNs and object ids of accounts. Case does not matter."""

    devices: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()

    @property
    def values(self) -> tuple[str, ...]:
        return (*self.devices, *self.accounts)

    def named_by(self, columns: dict[str, str], column: Callable[[str], Column]) -> Column:
        """Whether one of `columns`, each with what it names, is one of the values; never null."""
        sought = {"devices": self.devices, "accounts": self.accounts}
        checks = [_is_one_of(column(name), sought[kind]) for name, kind in columns.items() if sought[kind]]
        return reduce(Column.__or__, checks, F.lit(False))


@dataclass(frozen=True)
class Traces:
    """What the lake has of them, looked up once: keys of events and of findings."""

    who: Subject
    events: DataFrame
    """`event_date`, `event_id`, `Timestamp`."""
    findings: DataFrame
    """`hunt_id`, `as_of`, `finding_id`."""


@dataclass(frozen=True)
class Step:
    """What goes from one table: the rows with these keys, or only the content of their columns `emptied`."""

    table: str
    rows: DataFrame
    """One for each row that goes, with the columns of `key`."""
    key: tuple[str, ...]
    emptied: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lost:
    """Findings of one hunt and as-of (ticks) that go. `window_start` is in ticks; None: from the beginning.

    0 findings: one has more events behind it than it names, so it may count forgotten ones."""

    hunt_id: str
    hunt_name: str
    as_of: int
    window_start: int | None
    findings: int


def traces(lake: Lake, who: Subject) -> Traces:
    """Looks for their events and findings. What is found is kept by Spark for as long as the session lives."""
    about = lake.rows(EVENTS).where(who.named_by(_NAMES, F.col))
    events = about.select("event_date", "event_id", "Timestamp").localCheckpoint()
    return Traces(who, events, _findings(lake, who, events).localCheckpoint())


def forget(lake: Lake, found: Traces, say: Say, dry_run: bool = False) -> dict[str, int]:
    """Removes everything, table by table. Returns how many rows each had; of a dry run: has.

    Ask for `lost_findings` before: afterwards nothing tells them."""
    rows: dict[str, int] = {}
    for step in steps(lake, found):
        say(f"{'looking through' if dry_run else 'removing from'} {step.table}")
        rows[step.table] = step.rows.count() if dry_run else carry_out(lake, step)
    return rows


def carry_out(lake: Lake, step: Step) -> int:
    """Removes the rows of a step and returns their number."""
    rows = step.rows.persist()
    try:
        return 0 if rows.isEmpty() else lake.remove(step.table, rows, step.key, step.emptied)
    finally:
        rows.unpersist()


def steps(lake: Lake, found: Traces) -> list[Step]:
    """The steps in their order. Each may be taken again; none removes by what a later run recognises the rest."""
    present = maintenance.tables(lake)
    own = [name for name in present if name.startswith("findings.") and name != ALL]
    made: dict[str, Callable[[], Step]] = {
        ALL: lambda: Step(ALL, found.findings, ("hunt_id", "as_of", "finding_id")),
        SUPPRESSED.name: lambda: Step(SUPPRESSED.name, _copies(lake, SUPPRESSED, _FINDING_NAMES, found), _EVENT),
        HITS.name: lambda: Step(HITS.name, _copies(lake, HITS, _NAMES, found), _EVENT),
        QUARANTINE.name: lambda: Step(QUARANTINE.name, _records(lake, QUARANTINE.name, found.who), _PLACE),
        RAW.name: lambda: Step(RAW.name, _records(lake, RAW.name, found.who), _PLACE, ("text", "bytes")),
        EVENTS.name: lambda: Step(EVENTS.name, found.events, _EVENT),
    }
    first = [_own_findings(lake, name, found) for name in own]
    return [*first, *(step() for name, step in made.items() if name in present)]


# Events, and copies of them


def _copies(lake: Lake, table: Table, names: dict[str, str], found: Traces) -> DataFrame:
    """Rows that stand for their events. They have only some of an event's columns, so the event tells, too."""
    theirs = found.events.select(*_EVENT).withColumn("forgotten", F.lit(True))
    copies = lake.read(table.name).select(*_EVENT, *names)
    about = found.who.named_by(names, F.col) | F.col("forgotten").isNotNull()
    return copies.join(theirs, [*_EVENT], "left").where(about).select(*_EVENT)


# Delivered records


def _records(lake: Lake, name: str, who: Subject) -> DataFrame:
    """Records whose event is about them; and those that hold no event and have one of the values anywhere as a word."""
    properties = F.get_json_object("text", "$.properties")
    fields = F.from_json(properties, ", ".join(f"{column} STRING" for column in _NAMES))
    said = who.named_by(_NAMES, lambda column: fields[column])
    # Text from a Windows tool may be UTF-16, whose letters are every second byte.
    anything = F.coalesce(F.col("text"), F.translate(F.col("bytes").cast("string"), "\0", ""))
    readable = F.coalesce(properties.startswith("{"), F.lit(False)) & streaming_api.is_object(F.col("text"))
    mentioned = F.coalesce(anything.rlike(_as_word(who.values)), F.lit(False))
    return lake.read(name).where(said | (mentioned & ~readable)).select(*_PLACE)


# Findings


def _findings(lake: Lake, who: Subject, events: DataFrame) -> DataFrame:
    """Findings about them, with their value in the result, or with one of their events as evidence."""
    key = ("hunt_id", "as_of", "finding_id")
    findings = lake.rows(FINDINGS_ALL)
    named = who.named_by(_FINDING_NAMES, F.col) | _holds_value(F.col("result"), who)
    pieces = findings.select(*key, F.explode("evidence").alias("event_id"))
    proved = pieces.join(events.select("event_id"), "event_id", "left_semi")
    return findings.where(named).select(*key).union(proved.select(*key)).distinct()


def _own_findings(lake: Lake, name: str, found: Traces) -> Step:
    """Rows of `findings.<hunt>`: those of the findings above, and of ones that `findings.all` does not have."""
    rows = lake.read(name)
    names = rows.columns[-len(RUN_COLUMNS) :]
    as_of, finding_id = (names[[c.name for c in RUN_COLUMNS].index(wanted)] for wanted in ("as_of", "finding_id"))
    key = (as_of, finding_id)
    row = F.to_json(F.struct(*(F.col(f"`{column}`") for column in rows.columns)))
    named = rows.where(_holds_value(row, found.who)).select(*key)
    theirs = found.findings.where(F.col("hunt_id") == name.partition(".")[2])
    common = theirs.select(F.col("as_of").alias(as_of), F.col("finding_id").alias(finding_id))
    return Step(name, named.union(rows.select(*key).join(common, [*key], "left_semi")).distinct(), key)


def lost_findings(lake: Lake, found: Traces) -> tuple[Lost, ...]:
    """The hunts and as-ofs whose findings go, or may count events that go, in their order."""
    gone = found.findings.withColumn("gone", F.lit(True))
    span = found.events.agg(F.min("Timestamp").alias("from"), F.max("Timestamp").alias("to"))
    findings = lake.rows(FINDINGS_ALL).join(gone, ["hunt_id", "as_of", "finding_id"], "left").crossJoin(span)
    unnamed = (F.col("events") > F.size("evidence")) & (F.col("first_seen") <= F.col("to"))
    affected = findings.where(F.col("gone").isNotNull() | (unnamed & (F.col("last_seen") >= F.col("from"))))
    rows = affected.groupBy("hunt_id", F.unix_micros("as_of").alias("as_of")).agg(
        F.max("hunt_name").alias("name"),
        F.unix_micros(F.min("window_start")).alias("since"),
        F.count("gone").alias("n"),
    )
    ordered = rows.orderBy("name", "hunt_id", "as_of").collect()
    return tuple(Lost(r.hunt_id, r.name, r.as_of * 10, None if r.since is None else r.since * 10, r.n) for r in ordered)


def commands(lost: Sequence[Lost], kept_from: datetime | None) -> Iterator[str]:
    """The commands that compute anew, from what is left, what hunts have lost.

    Not for a window that began before `kept_from`, from which on `retention` keeps events: most of what was found then
    would be lost, too."""
    first = None if kept_from is None else times.from_datetime(kept_from)
    repeatable = [one for one in lost if first is None or (one.window_start is not None and one.window_start >= first)]
    for hunt_id, span in _spans(repeatable):
        ends = [times.format_datetime(moment) for moment in (span[0], span[-1])]
        when = f"--as-of {ends[0]}" if len(span) == 1 else f"--from {ends[0]} --to {ends[1]}"
        yield f"lakehunt hunt --hunt {hunt_id} {when}"


def _spans(lost: Sequence[Lost]) -> Iterator[tuple[str, list[int]]]:
    """As-ofs of one hunt that are a day apart, together."""
    span: list[int] = []
    hunt_id = ""
    for one in lost:
        if span and (one.hunt_id, one.as_of) == (hunt_id, span[-1] + TICKS_PER_DAY):
            span.append(one.as_of)
            continue
        if span:
            yield hunt_id, span
        hunt_id, span = one.hunt_id, [one.as_of]
    if span:
        yield hunt_id, span


# Values in texts


def _is_one_of(column: Column, values: Sequence[str]) -> Column:
    lowered = [F.lower(F.lit(value)) for value in values]
    return F.coalesce(F.lower(column).isin(lowered), F.lit(False))


def _holds_value(row: Column, who: Subject) -> Column:
    """Whether a row, given as JSON, holds one of the values: as a whole string, also in JSON inside of a string, or,
    if it is unmistakable, as a word of any text."""
    strings = [json.dumps(value, ensure_ascii=False) for value in who.values]
    within = [json.dumps(text, ensure_ascii=False)[1:-1] for text in strings]
    checks = [F.contains(F.lower(row), F.lower(F.lit(text))) for text in (*strings, *within)]
    long = [value for value in who.values if len(value) >= UNMISTAKABLE]
    if long:
        checks.append(row.rlike(_as_word(long)))
    return F.coalesce(reduce(Column.__or__, checks), F.lit(False))


def _as_word(values: Sequence[str]) -> str:
    """A regular expression (Java's) for one of the values where it is no part of a longer name."""
    any_of = "|".join(re.escape(value) for value in values)
    return rf"(?iu)(?<![\p{{L}}\p{{N}}_-]|[\p{{L}}\p{{N}}]\.)(?:{any_of})(?![\p{{L}}\p{{N}}_-]|\.[\p{{L}}\p{{N}}])"
