"""`lakehunt forget`: erases everything that the lake stores about a device or an account.

A table's declaration (`lakehunt.schemas`) says what is erased from it. Each table is one step, and events, by which the
other rows are recognized, come last: the same command completes a run that was killed. No commit names a device or an
account, so Delta's log does not either.

`raw` keeps the key of a record (blob, line, batch) without its content: ingest recognizes landed lines by these keys,
so landing the same blob again brings nothing back, and batches keep their numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehunt.core.progress import Progress
from lakehunt.kql import times
from lakehunt.kql.types import TICKS_PER_DAY, TICKS_PER_MICROSECOND
from lakehunt.lake.delta_lake import Lake
from lakehunt.operations import maintenance
from lakehunt.operations.record_fields import READABLE, with_fields
from lakehunt.runtime.checkpoint import materialize
from lakehunt.schemas import registry
from lakehunt.schemas.event_table import EVENT_KEY
from lakehunt.schemas.event_tables import EVENT_TABLES
from lakehunt.schemas.finding_tables import FINDINGS_ALL, HUNT_FINDINGS
from lakehunt.schemas.table import Erasure, Match, Table, TableFamily

UNMISTAKABLE = 16
"""Minimum length of values that are also matched inside longer texts of a finding: ids, SIDs and full names. Shorter
ones, which may be ordinary words, match whole values only."""


@dataclass(frozen=True)
class ErasureRequest:
    """Whom to forget: ids and names of devices; names, SIDs, UPNs and object ids of accounts. Case-insensitive."""

    devices: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()

    @property
    def values(self) -> tuple[str, ...]:
        return (*self.devices, *self.accounts)

    def named_by(self, erasure: Erasure, column: Callable[[str], Column]) -> Column:
        """Whether a column of the table that names a device or an account equals one of the values, or holds it as a
        string in a JSON array; never null."""
        requested = ((erasure.devices, self.devices), (erasure.accounts, self.accounts))
        checks = [_names_one_of(column(name), values) for names, values in requested if values for name in names]
        return reduce(Column.__or__, checks, F.lit(False))


@dataclass(frozen=True)
class Matches:
    """The matching rows of the lake, looked up once: keys of events and of findings."""

    who: ErasureRequest
    events: DataFrame
    """`table`, `event_date`, `event_id`, `at`: the stored table, the event and its time."""
    findings: DataFrame
    """`hunt_id`, `as_of`, `finding_id`."""


@dataclass(frozen=True)
class ErasureStep:
    """What is erased from one table: the rows with these keys, or only the content of their columns `emptied`."""

    table: str
    rows: DataFrame
    """One row for each row to erase, with the columns of `key`."""
    key: tuple[str, ...]
    emptied: tuple[str, ...] = ()


@dataclass(frozen=True)
class LostFindings:
    """Findings of one hunt and as-of (ticks) that are erased. `window_start` is in ticks; None: from the beginning.

    0 findings: a finding has more events than evidence, so it may count erased ones."""

    hunt_id: str
    hunt_name: str
    as_of: int
    window_start: int | None
    findings: int


def find_matches(lake: Lake, who: ErasureRequest) -> Matches:
    """Finds the request's events and findings. The result is checkpointed for the lifetime of the session."""
    matching = []
    stored = [table for table in EVENT_TABLES if lake.exists(table.events.name)]
    for table in stored or EVENT_TABLES[:1]:
        rows = lake.rows(table.events).where(who.named_by(_erasure(table.events), F.col))
        matching.append(
            rows.select(F.lit(table.events.name).alias("table"), *EVENT_KEY, F.col(table.times[0]).alias("at"))
        )
    events = materialize(reduce(DataFrame.unionByName, matching))
    return Matches(who, events, materialize(_findings(lake, who, events)))


def forget(lake: Lake, found: Matches, say: Progress, dry_run: bool = False) -> dict[str, int]:
    """Erases the matches, table by table. Returns the number of rows in each table; a dry run only counts them.

    Call `lost_findings` first: afterwards they cannot be determined."""
    rows: dict[str, int] = {}
    for step in steps(lake, found):
        say(f"{'looking through' if dry_run else 'removing from'} {step.table}")
        rows[step.table] = step.rows.count() if dry_run else execute(lake, step)
    return rows


def execute(lake: Lake, step: ErasureStep) -> int:
    """Executes a step and returns its number of rows."""
    rows = step.rows.persist()
    try:
        return 0 if rows.isEmpty() else lake.remove(step.table, rows, step.key, step.emptied)
    finally:
        rows.unpersist()


def steps(lake: Lake, found: Matches) -> list[ErasureStep]:
    """The steps, in order. Each is idempotent, and none removes what a repeated run needs to find the remaining
    rows."""
    tables = []
    for name in maintenance.lake_tables(lake):
        declared = registry.named(name)
        if declared is not None and isinstance(declared.erasure, Erasure):
            tables.append((declared.erasure.match, name, declared))
    return [_step(lake, name, declared, found) for _, name, declared in sorted(tables, key=lambda one: one[:2])]


def _step(lake: Lake, name: str, declared: Table | TableFamily, found: Matches) -> ErasureStep:
    if isinstance(declared, TableFamily):
        return _own_findings(lake, name, found)
    erasure = _erasure(declared)
    return ErasureStep(name, _MATCHERS[erasure.match](lake, declared, found), erasure.key, erasure.emptied)


def _erasure(table: Table) -> Erasure:
    assert isinstance(table.erasure, Erasure), f"forget leaves {table.name} alone"
    return table.erasure


# Events and their copies


def _events(lake: Lake, table: Table, found: Matches) -> DataFrame:
    return found.events.where(F.col("table") == table.name).select(*EVENT_KEY)


def _copies(lake: Lake, table: Table, found: Matches) -> DataFrame:
    """Copies of events. They have only some columns of the event, so they are also matched by its key."""
    erasure = _erasure(table)
    erased = found.events.select(*EVENT_KEY).withColumn("forgotten", F.lit(True))
    copies = lake.read(table.name).select(*EVENT_KEY, *erasure.devices, *erasure.accounts)
    about = found.who.named_by(erasure, F.col) | F.col("forgotten").isNotNull()
    return copies.join(erased, [*EVENT_KEY], "left").where(about).select(*EVENT_KEY)


# Delivered records


def _records(lake: Lake, table: Table, found: Matches) -> DataFrame:
    """Records whose event matches, and unparsable records that contain one of the values as a word."""
    erasure, who = _erasure(table), found.who
    # Text from Windows tools may be UTF-16, with a NUL byte after each ASCII letter.
    anything = F.coalesce(F.col("text"), F.translate(F.col("bytes").cast("string"), "\0", ""))
    mentioned = F.coalesce(anything.rlike(_as_word(who.values)), F.lit(False))
    records = lake.read(table.name).select(*erasure.key, "text", mentioned.alias(_MENTIONED))
    read = with_fields(records, (*erasure.devices, *erasure.accounts))
    about = who.named_by(erasure, F.col) | (F.col(_MENTIONED) & ~F.col(READABLE))
    return read.where(about).select(*erasure.key)


_MENTIONED = "mentioned"


# Findings


def _findings(lake: Lake, who: ErasureRequest, events: DataFrame) -> DataFrame:
    """Findings that match by column, by a value in the result, or by a matching event as evidence."""
    erasure = _erasure(FINDINGS_ALL)
    findings = lake.rows(FINDINGS_ALL)
    named = who.named_by(erasure, F.col) | _holds_value(F.col("result"), who)
    evidence = findings.select(*erasure.key, F.explode("evidence").alias("event_id"))
    by_evidence = evidence.join(events.select("event_id"), "event_id", "left_semi")
    return findings.where(named).select(*erasure.key).union(by_evidence.select(*erasure.key)).distinct()


def _known_findings(lake: Lake, table: Table, found: Matches) -> DataFrame:
    return found.findings


def _own_findings(lake: Lake, name: str, found: Matches) -> ErasureStep:
    """Rows of `findings.<hunt>`: of the matching findings, and of findings missing from `findings.all` that match."""
    rows = lake.read(name)
    stored = HUNT_FINDINGS.stored_names(rows.columns)
    key = (stored["as_of"], stored["finding_id"])
    row = F.to_json(F.struct(*(F.col(f"`{column}`") for column in rows.columns)))
    named = rows.where(_holds_value(row, found.who)).select(*key)
    matching = found.findings.where(F.col("hunt_id") == name.partition(".")[2])
    keys = matching.select(F.col("as_of").alias(key[0]), F.col("finding_id").alias(key[1]))
    return ErasureStep(name, named.union(rows.select(*key).join(keys, [*key], "left_semi")).distinct(), key)


_MATCHERS: dict[Match, Callable[[Lake, Table, Matches], DataFrame]] = {
    Match.FINDING: _known_findings,
    Match.EVENT_COPY: _copies,
    Match.RECORD: _records,
    Match.EVENT: _events,
}
"""For each kind of match, the keys of the rows to erase."""


def lost_findings(lake: Lake, found: Matches) -> tuple[LostFindings, ...]:
    """The hunts and as-ofs whose findings are erased or may count erased events, in order."""
    gone = found.findings.withColumn("gone", F.lit(True))
    span = found.events.agg(F.min("at").alias("from"), F.max("at").alias("to"))
    findings = lake.rows(FINDINGS_ALL).join(gone, ["hunt_id", "as_of", "finding_id"], "left").crossJoin(span)
    incomplete = (F.col("events") > F.size("evidence")) & (F.col("first_seen") <= F.col("to"))
    affected = findings.where(F.col("gone").isNotNull() | (incomplete & (F.col("last_seen") >= F.col("from"))))
    rows = affected.groupBy("hunt_id", F.unix_micros("as_of").alias("as_of")).agg(
        F.max("hunt_name").alias("name"),
        F.unix_micros(F.min("window_start")).alias("since"),
        F.count("gone").alias("n"),
    )
    ordered = rows.orderBy("name", "hunt_id", "as_of").collect()
    return tuple(
        LostFindings(row.hunt_id, row.name, _ticks(row.as_of), None if row.since is None else _ticks(row.since), row.n)
        for row in ordered
    )


def _ticks(micros: int) -> int:
    return micros * TICKS_PER_MICROSECOND


def commands(lost: Sequence[LostFindings], kept_from: datetime | None) -> Iterator[str]:
    """The commands that recompute lost findings from the remaining events.

    None for windows that start before `kept_from`, the start of the retention of events: rerunning them would lose the
    other findings of that time as well."""
    first = None if kept_from is None else times.from_datetime(kept_from)
    repeatable = [one for one in lost if first is None or (one.window_start is not None and one.window_start >= first)]
    for hunt_id, span in _spans(repeatable):
        ends = [times.format_datetime(moment) for moment in (span[0], span[-1])]
        when = f"--as-of {ends[0]}" if len(span) == 1 else f"--from {ends[0]} --to {ends[1]}"
        yield f"lakehunt hunt --hunt {hunt_id} {when}"


def _spans(lost: Sequence[LostFindings]) -> Iterator[tuple[str, list[int]]]:
    """Groups the as-ofs of a hunt that are a day apart."""
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


def _names_one_of(column: Column, values: Sequence[str]) -> Column:
    lowered = F.lower(column)
    in_array = (F.contains(lowered, F.lower(F.lit(json.dumps(value, ensure_ascii=False)))) for value in values)
    listed = F.startswith(F.ltrim(column), F.lit("[")) & reduce(Column.__or__, in_array)
    return F.coalesce(lowered.isin([F.lower(F.lit(value)) for value in values]) | listed, F.lit(False))


def _holds_value(row: Column, who: ErasureRequest) -> Column:
    """Whether a row, given as JSON, contains one of the values: as a whole string, also within JSON in a string, or,
    if it is long enough (UNMISTAKABLE), as a word of any text."""
    strings = [json.dumps(value, ensure_ascii=False) for value in who.values]
    nested = [json.dumps(text, ensure_ascii=False)[1:-1] for text in strings]
    checks = [F.contains(F.lower(row), F.lower(F.lit(text))) for text in (*strings, *nested)]
    long = [value for value in who.values if len(value) >= UNMISTAKABLE]
    if long:
        checks.append(row.rlike(_as_word(long)))
    return F.coalesce(reduce(Column.__or__, checks), F.lit(False))


def _as_word(values: Sequence[str]) -> str:
    """A regular expression (Java) that matches one of the values unless it is part of a longer name."""
    any_of = "|".join(re.escape(value) for value in values)
    return rf"(?iu)(?<![\p{{L}}\p{{N}}_-]|[\p{{L}}\p{{N}}]\.)(?:{any_of})(?![\p{{L}}\p{{N}}_-]|\.[\p{{L}}\p{{N}}])"
