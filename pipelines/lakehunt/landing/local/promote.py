"""Second stage: validates a batch and publishes its records to `events` or `quarantine`, or drops duplicates.

A batch is accepted, table by table, once `raw.batches` says so (outcome `settled`), which is written last. Every
earlier write is idempotent: it replaces what a previous attempt at the batch wrote, or adds only missing rows. So a run
may be killed at any point."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehunt.core.errors import LakehuntError
from lakehunt.core.progress import Progress
from lakehunt.lake.small_tables import ATTEMPTS, LocalTables, OvertakenError, Snapshot
from lakehunt.lake.where import Where
from lakehunt.landing import ledger, outcomes
from lakehunt.landing.local import duplicates
from lakehunt.landing.outcomes import HOURS_AHEAD, NO_TABLE, BatchResult, TableCounts
from lakehunt.landing.parsed import Parsed, ParsedTable, reasons_of
from lakehunt.landing.rules import Rules
from lakehunt.quality.arrow_validation import ArrowValidator
from lakehunt.records import arrow_columns
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import BY_NAME, DEVICE_PROCESS_EVENTS
from lakehunt.schemas.landing_tables import BATCHES, QUARANTINE, RECORDS
from lakehunt.schemas.quality_tables import VALIDATIONS


@dataclass(frozen=True)
class _Judged:
    """The records of one table."""

    table: EventTable
    counts: TableCounts
    events: pa.Table
    """New events, with the columns of the events table."""
    missing: pa.Table
    """Those of them that no earlier attempt at the batch has written."""
    reasons: Mapping[int, list[str]]
    """What is wrong with the records that are not valid, by their position in raw."""
    unknown_properties: frozenset[str]
    snapshot: Snapshot
    """What the events were compared with."""


class Promoter:
    """Promotes batches of a lake."""

    def __init__(self, tables: LocalTables, rules: Rules[ArrowValidator], say: Progress) -> None:
        self._tables, self._rules, self._say = tables, rules, say

    def promote(self, batch: int, landed_at: datetime, parsed: Parsed, settled: Sequence[str] = ()) -> BatchResult:
        """Validates and publishes a batch, without the tables of it that are settled already."""
        for _ in range(ATTEMPTS):
            with suppress(OvertakenError):
                return self._promote(batch, landed_at, parsed, settled)
            self._say(f"batch {batch}: another run has added events meanwhile: comparing again")
        raise LakehuntError(f"other runs keep adding events to {self._tables.root}", "let one run land at a time")

    def refuse(self, batch: int, why: str, settled: Sequence[str]) -> BatchResult:
        """Refuses a batch without looking at it, so that it does not keep later ones from being events."""
        result = BatchResult(batch, 0, 0, 0, 0, refused=(why,))
        self._say(f"batch {batch}: {why}")
        self._record(result, {NO_TABLE: result.refused}, {}, self._landed_at(batch), settled)
        return result

    def _landed_at(self, batch: int) -> datetime:
        landed = self._tables.rows(RECORDS, ["landed_at"], [("batch", "=", batch)])
        return pc.min(landed.column("landed_at")).as_py() or datetime.now(UTC)

    def _promote(self, batch: int, landed_at: datetime, parsed: Parsed, settled: Sequence[str]) -> BatchResult:
        judged = [
            self._judge(BY_NAME[name], batch, landed_at, parsed, part)
            for name, part in sorted(parsed.tables.items())
            if name not in settled
        ]
        unreadable = {position: reasons_of(faults) for position, faults in parsed.unreadable.items()}
        counts = [one.counts for one in judged]
        if unreadable:
            counts.append(TableCounts(NO_TABLE, len(unreadable), quarantined=len(unreadable)))
        unknown = frozenset().union(*(one.unknown_properties for one in judged))
        result = outcomes.of_tables(batch, counts, unknown, parsed.other)
        self._say(f"batch {batch}: validating {result.events} new events")
        result, refused = self._validated(result, judged, landed_at)
        kept = [one for one in judged if not {one.table.name, NO_TABLE} & set(refused)]
        if NO_TABLE not in refused:
            self._publish(batch, landed_at, parsed, kept, unreadable, settled)
        hours = {one.table.name: _per_hour(one) for one in kept}
        self._record(result, refused, hours, landed_at, settled)
        return result

    # Judging

    def _judge(self, table: EventTable, batch: int, landed_at: datetime, parsed: Parsed, part: ParsedTable) -> _Judged:
        reasons = self._rules.tables[table.name].checks.reasons(part)
        positions = part.rows
        valid = np.ones(len(positions), bool)
        if reasons:
            bad = np.fromiter(reasons, np.int64, len(reasons))
            valid[np.searchsorted(positions.to_numpy(), bad)] = False
            mask = duplicates.as_mask(valid)
            events, rows = part.events.filter(mask), positions.filter(mask)
        else:
            events, rows = part.events, positions
        events = _with_provenance(table, events, rows, parsed.raw, batch, landed_at)
        unknown = _unknown(events)
        snapshot, found = self._compared(table, events)
        new = missing = events
        if found.duplicate.any():
            new = missing = events.filter(duplicates.as_mask(~found.duplicate))
        if found.written.any():
            missing = events.filter(duplicates.as_mask(~(found.duplicate | found.written)))
        counts = TableCounts(table.name, len(positions), new.num_rows, len(reasons), events.num_rows - new.num_rows)
        return _Judged(table, counts, new, missing, reasons, unknown, snapshot)

    def _compared(self, table: EventTable, events: pa.Table) -> tuple[Snapshot, duplicates.Duplicates]:
        """The events compared with those of their days in the lake, and with each other."""
        days = {str(day) for day in pc.unique(events.column("event_date")).to_pylist()}
        snapshot = self._tables.snapshot(table.events)
        files = [file for file in snapshot.files if file.partition_values["event_date"] in days]
        ids = arrow_columns.whole(events.column("event_id"))
        origins = [arrow_columns.whole(events.column(name)) for name in ("file", "line")]
        of_table = self._tables.files_of(table.events.name, mapped=True)
        return snapshot, duplicates.find(of_table, [file.path for file in files], ids, origins)

    # The gate

    def _validated(
        self, result: BatchResult, judged: Sequence[_Judged], landed_at: datetime
    ) -> tuple[BatchResult, dict[str, list[str]]]:
        """The result with its failed expectations, and the tables that are refused, each with the reasons; NO_TABLE:
        the whole batch. Also stores the results of all expectations."""
        names = [one.table.name for one in judged]
        frames = {self._rules.tables[one.table.name].suite: _to_validate(one, landed_at) for one in judged}
        counts = outcomes.counts_row(result)
        frames[self._rules.landing] = _one_row(outcomes.COUNTS, counts)
        found = self._rules.validator.validate(result.batch, frames, landed_at)
        rows = [outcomes.validation_row(result.batch, one, landed_at) for one in found]
        self._tables.replace(VALIDATIONS, rows, [("batch", "=", result.batch), ("suite", "in", list(frames))])
        return outcomes.judged(result, found, {self._rules.tables[one].suite: one for one in names}, self._rules.docs)

    # Publishing

    def _publish(
        self,
        batch: int,
        landed_at: datetime,
        parsed: Parsed,
        kept: Sequence[_Judged],
        unreadable: Mapping[int, list[str]],
        settled: Sequence[str],
    ) -> None:
        self._tables.ensure(DEVICE_PROCESS_EVENTS.events)  # hunts need a table, if only an empty one
        for one in kept:
            if one.missing.num_rows:
                self._add(one)
        reasons = dict(unreadable)
        for one in kept:
            reasons |= one.reasons
        if reasons or self._tables.exists(QUARANTINE.name):
            rows = _quarantined(parsed.raw, dict(sorted(reasons.items())), batch, landed_at)
            rows += self._quarantined_before(batch, settled)
            self._tables.replace(QUARANTINE, rows, [("batch", "=", batch)])
        else:
            self._tables.ensure(QUARANTINE)

    def _quarantined_before(self, batch: int, settled: Sequence[str]) -> list[tuple[Any, ...]]:
        """The rows of records in quarantine, of the tables of a batch that are settled."""
        if not settled:
            return []
        of_them: Where = [("batch", "=", batch), ("category", "in", [BY_NAME[name].category for name in settled])]
        return [tuple(row.values()) for row in self._tables.few(QUARANTINE, (), of_them)]

    def _add(self, one: _Judged) -> None:
        """Adds new events in one commit. Raises OvertakenError if another run has changed the table meanwhile."""
        table = one.table.events
        files = self._tables.write_files(table, one.missing)
        self._tables.commit_files_after(one.snapshot, table, files)
        of_table = self._tables.files_of(table.name)
        days = pc.cast(one.missing.column("event_date"), pa.string())
        for file in files:
            ids = one.missing.column("event_id")
            if len(files) > 1:
                ids = ids.filter(pc.equal(days, arrow_columns.texts([file.partition_values["event_date"]])[0]))
            duplicates.write_index(of_table, file.path, arrow_columns.whole(ids))

    def _record(
        self,
        result: BatchResult,
        refused: Mapping[str, Sequence[str]],
        hours: Mapping[str, list[dict[str, Any]]],
        landed_at: datetime,
        settled: Sequence[str],
    ) -> None:
        rows = outcomes.batch_rows(result, refused, hours, landed_at)
        self._tables.replace(BATCHES, rows, outcomes.replaced_rows(result.batch, rows, settled))


def _with_provenance(
    table: EventTable, events: pa.Table, rows: pa.Array, raw: pa.Table, batch: int, landed_at: datetime
) -> pa.Table:
    """The events with the columns that say where they come from, in the order of the events table."""
    origins = raw.select(["exported_at", "file", "line"])
    of_them = origins if len(rows) == raw.num_rows else origins.take(rows)
    count = events.num_rows
    added = {
        **{name: of_them.column(name) for name in of_them.column_names},
        "landed_at": arrow_columns.repeated(landed_at, count, arrow_columns.TIMESTAMP),
        "batch": arrow_columns.repeated(batch, count, pa.int64()),
    }
    known = set(events.column_names)
    names = table.events.column_names
    return pa.table([events.column(name) if name in known else added[name] for name in names], names=names)


def _unknown(events: pa.Table) -> frozenset[str]:
    """The names of delivered properties without a column."""
    texts = events.column("unknown_properties")
    if texts.null_count == len(texts):
        return frozenset()
    return frozenset(name for text in pc.unique(texts.drop_null()).to_pylist() for name in json.loads(text))


def _to_validate(one: _Judged, landed_at: datetime) -> pa.Table:
    time = pc.cast(one.events.column(one.table.times[0]), pa.int64())
    landed = ledger.micros_of(landed_at)
    micros = time.to_numpy(zero_copy_only=False) if one.events.num_rows else np.zeros(0, np.int64)
    ahead = (micros - landed) / 3_600_000_000
    return one.events.append_column(
        HOURS_AHEAD,
        pa.Array.from_buffers(pa.float64(), len(ahead), [None, pa.py_buffer(ahead.astype(np.float64).tobytes())]),
    )


def _one_row(columns: Mapping[str, str], values: Sequence[float]) -> pa.Table:
    arrays = [
        arrow_columns.repeated(value, 1, pa.float64() if columns[name] == "DOUBLE" else pa.int64())
        for name, value in zip(columns, values, strict=True)
    ]
    return pa.table(arrays, names=list(columns))


def _quarantined(
    raw: pa.Table, reasons: Mapping[int, list[str]], batch: int, landed_at: datetime
) -> list[tuple[Any, ...]]:
    """The rows of records with reasons, by position in raw."""
    found = []
    columns = {name: raw.column(name) for name in ("file", "line", "text", "bytes", "category")}
    for position, why in reasons.items():
        file, line, text, content, category = (columns[name][position].as_py() for name in columns)
        found.append((batch, file, line, landed_at, why, text, content, category))
    return found


def _per_hour(one: _Judged) -> list[dict[str, Any]]:
    """New events per hour."""
    hours = pc.floor_temporal(one.events.column(one.table.times[0]), unit="hour")
    counted = pc.value_counts(arrow_columns.whole(hours)).to_pylist()
    return sorted(
        ({"hour": found["values"].astimezone(UTC), "events": found["counts"]} for found in counted),
        key=lambda found: found["hour"],
    )
