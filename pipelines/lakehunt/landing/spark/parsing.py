"""Parses lines on Spark's executors: the other host of `lakehunt.records`, beside `landing.local.parsing`.

Each record is parsed once. What it says is one row: the columns of `raw.records`, the event table that it belongs to,
what is wrong with it, and its event in the column of its table.

Executors need Lakehunt, with pyarrow, msgspec and numpy, in the Python that Spark starts there. They import no Great
Expectations."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehunt.core.sql import quoted_name
from lakehunt.lake import arrow_rows
from lakehunt.landing.outcomes import NO_TABLE
from lakehunt.landing.parsed import (
    BLANKS,
    Parsed,
    ParsedTable,
    RecordChecks,
    not_blank,
    parse_lines,
    reasons_of,
    without_line_ends,
)
from lakehunt.records import arrow_columns, defender_streaming
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import BY_NAME
from lakehunt.schemas.landing_tables import RECORDS
from lakehunt.schemas.table import TableColumn

_PROVENANCE = ("exported_at", "landed_at", "batch", "file", "line")
"""Columns of an events table that are not in the event."""

_OF_THE_BATCH = ("batch", "landed_at")

RAW_COLUMNS = tuple(column for column in RECORDS.columns if column.name not in _OF_THE_BATCH)


class LineParser:
    """Parses lines of blobs: `file STRING`, `line BIGINT`, `value BINARY` and `may_be_cut BOOLEAN`, which says that
    more may follow: then half an object is left out. So are blank lines.

    `tables` are the event tables that are landed, by KQL name; `checks` those of their records, without which only
    faults are found."""

    def __init__(self, tables: Sequence[str], checks: Mapping[str, RecordChecks] | None = None) -> None:
        self.tables = tuple(tables)
        self._checks = {name: RecordChecks(BY_NAME[name], ()) for name in tables} | dict(checks or {})

    def raw(self, lines: DataFrame) -> DataFrame:
        """The records in `lines` with the columns of `raw.records` except those of its batch."""
        types = [f"{quoted_name(column.name)} {column.type}" for column in RAW_COLUMNS]
        return _mapped(lines, lambda batch: _raw(self._parsed(batch)), types)

    def records(self, lines: DataFrame) -> DataFrame:
        """The records in `lines`, and what they are.

        One row for each record: the columns of `raw.records` except those of its batch; `event_table` (NO_TABLE: it
        belongs to none, null: to one that is not landed), `reasons` (why it is not a valid event; empty if it is one),
        and for each table a column with its name, a struct (see `events`) that is null for records of others."""
        types = [f"{quoted_name(column.name)} {column.type}" for column in RAW_COLUMNS]
        types += ["event_table STRING", "reasons ARRAY<STRING>"]
        for name in self.tables:
            fields = ", ".join(f"{quoted_name(one.name)}: {one.type}" for one in _event_columns(BY_NAME[name]))
            types.append(f"{quoted_name(name)} STRUCT<{fields}>")
        return _mapped(lines, lambda batch: self._records(self._parsed(batch)), types)

    def _parsed(self, batch: pa.RecordBatch) -> Parsed:
        files, numbers, values, may_be_cut = batch.columns
        lines = without_line_ends(values)
        if (kept := _kept(lines, may_be_cut)) is not None:
            lines, files, numbers = lines.filter(kept), files.filter(kept), numbers.filter(kept)
        return parse_lines(lines, files, numbers, self.tables)

    def _records(self, parsed: Parsed) -> dict[str, pa.Array]:
        count = parsed.raw.num_rows
        tables: list[str | None] = [None] * count
        reasons: list[Sequence[str]] = [()] * count
        for position, faults in parsed.unreadable.items():
            tables[position], reasons[position] = NO_TABLE, reasons_of(faults)
        for name, part in parsed.tables.items():
            for position in part.rows.to_pylist():
                tables[position] = name
            for position, why in self._checks[name].reasons(part).items():
                reasons[position] = why
        columns = _raw(parsed) | {
            "event_table": arrow_columns.texts(tables),
            "reasons": arrow_columns.lists_of_texts(reasons),
        }
        for name in self.tables:
            columns[name] = _events_at_their_places(BY_NAME[name], parsed.tables.get(name), count)
        return columns


def _mapped(
    lines: DataFrame, columns: Callable[[pa.RecordBatch], dict[str, pa.Array]], types: Sequence[str]
) -> DataFrame:
    def mapped(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        collected = gc.isenabled()
        gc.disable()  # parsing makes millions of tuples, and no cycles
        try:
            for batch in batches:
                made = columns(batch)
                rows = pa.RecordBatch.from_arrays([*made.values()], names=[*made])
                if rows.num_rows:
                    yield rows
        finally:
            if collected:
                gc.enable()

    return lines.select("file", "line", "value", "may_be_cut").mapInArrow(mapped, ", ".join(types))


def _raw(parsed: Parsed) -> dict[str, pa.Array]:
    return {column.name: arrow_columns.whole(parsed.raw.column(column.name)) for column in RAW_COLUMNS}


def events(records: DataFrame, table: EventTable) -> DataFrame:
    """The valid events of a table among `LineParser.records` that have `batch` and `landed_at` as well: the columns of
    the events table."""
    own = records.where((F.col("event_table") == table.name) & is_valid())
    return own.select(f"{quoted_name(table.name)}.*", *_PROVENANCE).select(*map(quoted_name, table.events.column_names))


def is_valid() -> Column:
    return F.size("reasons") == 0


def _event_columns(table: EventTable) -> list[TableColumn]:
    return [column for column in table.events.columns if column.name not in _PROVENANCE]


def _kept(lines: pa.Array, may_be_cut: pa.Array) -> pa.Array | None:
    """Which lines are whole records; None if all are."""
    kept = not_blank(lines)
    suspects = pc.indices_nonzero(may_be_cut).to_pylist()
    cut = {place for place in suspects if _looks_unfinished(lines[place].as_py())}
    if not cut:
        return kept
    whole = arrow_columns.booleans([place not in cut for place in range(len(lines))])
    return whole if kept is None else pc.and_(kept, whole)


def _looks_unfinished(line: bytes) -> bool:
    return line.lstrip(BLANKS).startswith(b"{") and not defender_streaming.is_complete(line)


def _events_at_their_places(table: EventTable, part: ParsedTable | None, count: int) -> pa.Array:
    """Structs with the events of a table, at the positions of their records; null at the others."""
    names = [column.name for column in _event_columns(table)]
    fields = [pa.field(field.name, field.type) for field in arrow_rows.schema(table.events, names)]
    if part is None:
        return pa.nulls(count, pa.struct(fields))
    columns = [arrow_columns.whole(part.events.column(name)) for name in names]
    found = pa.StructArray.from_arrays(columns, fields=fields)
    return found if len(found) == count else found.take(_places(part.rows.to_numpy(), count))


def _places(rows: np.ndarray, count: int) -> pa.Array:
    """For each record the place of its event among those of its table; null if it belongs to another one."""
    places, own = np.zeros(count, np.int64), np.zeros(count, bool)
    places[rows], own[rows] = np.arange(len(rows)), True
    return arrow_columns.from_numpy(places, pa.int64(), own)
