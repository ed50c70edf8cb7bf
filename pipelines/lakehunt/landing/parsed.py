"""Delivered records, and what they are: what both engines make of lines, by `lakehunt.records`. Imports no Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehunt.lake import arrow_rows
from lakehunt.quality.row_rules import RowRule, arrow_checks
from lakehunt.records import arrow_columns, defender_streaming
from lakehunt.records.event_reader import Fault
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import BY_NAME

Faults = Mapping[int, tuple[Fault, ...]]

BLANKS = b" \t\r"


@dataclass(frozen=True)
class ParsedTable:
    """The records of one event table. `rows` are their positions in `Parsed.raw`; `faults` are by position there."""

    rows: pa.Array
    events: pa.Table
    faults: Faults


@dataclass(frozen=True)
class Parsed:
    """Delivered records, and what they are."""

    raw: pa.Table
    """A row for each record: `file`, `line`, `exported_at`, `tenant_id`, `category`, `text`, `bytes`."""
    tables: Mapping[str, ParsedTable]
    """By the KQL name of the event table."""
    unreadable: Faults
    """Records that belong to no table."""
    other: Mapping[str, int]
    """Records of tables that are not landed, by category."""


def parse_lines(lines: pa.Array, files: pa.Array, numbers: pa.Array, tables: Sequence[str]) -> Parsed:
    """Parses records: their bytes, and the file and line of each."""
    found = defender_streaming.parse(lines, {BY_NAME[name].category: BY_NAME[name] for name in tables})
    envelope = found.envelope
    names = ["file", "line", *envelope.schema.names]
    return Parsed(
        pa.table([files, numbers, *envelope.columns], names=names),
        {
            name: ParsedTable(part.positions, pa.Table.from_batches([part.events]), part.faults)
            for name, part in found.tables.items()
        },
        found.unreadable,
        {category: len(positions) for category, positions in found.other.items()},
    )


def not_blank(lines: pa.Array) -> pa.Array | None:
    """Which lines, binary or large_binary, are records: not blank; None if all are."""
    if not len(lines):
        return None
    _, offsets, content = lines.buffers()
    width = np.int64 if pa.types.is_large_binary(lines.type) else np.int32
    bounds = np.frombuffer(offsets, width, len(lines) + 1, lines.offset * np.dtype(width).itemsize)
    letters = np.frombuffer(content or b"", np.uint8)
    suspect = bounds[1:] == bounds[:-1]
    suspect[~suspect] = np.isin(letters[bounds[:-1][~suspect]], np.frombuffer(BLANKS, np.uint8))
    places = np.flatnonzero(suspect).tolist()
    blank = {place for place in places if not lines[place].as_py().strip(BLANKS)}
    return arrow_columns.booleans([place not in blank for place in range(len(lines))]) if blank else None


def without_line_ends(lines: pa.Array) -> pa.Array:
    """The lines without a `\\r` at their end."""
    ended = pc.ends_with(lines, b"\r")
    return pc.if_else(ended, pc.binary_slice(lines, 0, -1), lines) if pc.any(ended).as_py() else lines


class RecordChecks:
    """Tells what is wrong with the records of one event table: their faults, and the rules of its suite."""

    def __init__(self, table: EventTable, rules: Sequence[RowRule]) -> None:
        """Raises LakehuntError for a rule that has no meaning for its column."""
        self.table, self.rules = table, tuple(rules)
        self._checks = arrow_checks(self.rules, arrow_rows.schema(table.events))

    def __reduce__(self) -> tuple[Any, ...]:
        return RecordChecks, (self.table, self.rules)  # another process makes the checks again

    def reasons(self, part: ParsedTable) -> dict[int, list[str]]:
        """What is wrong with each record that is not valid, by position: faults, then the rules that it violates.

        Rules are not applied to columns that could not be parsed, nor to unreadable records."""
        reasons = {position: reasons_of(faults) for position, faults in part.faults.items()}
        for rule, check in zip(self.rules, self._checks, strict=True):
            broken = check(part.events.column(rule.column))
            for place in np.flatnonzero(_as_numpy(broken)):
                position = part.rows[int(place)].as_py()
                faults = part.faults.get(position, ())
                if not any(fault.column is None or fault.column == rule.column for fault in faults):
                    reasons.setdefault(position, []).append(rule.why)
        return dict(sorted(reasons.items()))


def reasons_of(faults: Sequence[Fault]) -> list[str]:
    return [fault.why for fault in faults]


def _as_numpy(mask: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.asarray(mask.to_numpy(zero_copy_only=False) if isinstance(mask, pa.Array) else mask.to_numpy())
