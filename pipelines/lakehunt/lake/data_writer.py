"""Writes data files of Delta tables, and says what a commit has to say about them. Imports no Spark."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs
import pyarrow.parquet as pq
from deltalake.transaction import AddAction
from numpy.typing import NDArray

from lakehunt.core import object_store
from lakehunt.schemas.table import Table

_ROW = "$row"
_MAX_RUNS = 1_000
"""Parts of a table that are written where they are: each costs as much as copying some of its rows."""

LEVEL = 1
"""Of zstd: higher ones take longer and save little."""


def write_files(table: Table, rows: pa.Table, filesystem: pa.fs.FileSystem) -> list[AddAction]:
    """Writes rows, which have the table's columns, to one new file, or one for each partition, in a file system whose
    root is the table's folder. Without rows there is no file."""
    return [_write(table, part, values, filesystem) for values, part in _partitions(table, rows) if part.num_rows]


def _write(table: Table, rows: pa.Table, values: Mapping[str, str], filesystem: pa.fs.FileSystem) -> AddAction:
    folder = "".join(f"{name}={quote(value)}/" for name, value in values.items())
    path = f"{folder}part-00000-{uuid.uuid4()}-c000.zstd.parquet"
    if folder and not object_store.has_no_folders(filesystem):
        filesystem.create_dir(folder, recursive=True)
    with filesystem.open_output_stream(path) as stream:
        pq.write_table(rows, stream, compression="zstd", compression_level=LEVEL, store_schema=False)
        size = stream.tell()
    return AddAction(path, size, values, int(time.time() * 1000), True, json.dumps(statistics(table, rows)))


def statistics(table: Table, rows: pa.Table) -> dict[str, Any]:
    """What readers skip files by: rows, and for the table's statistics columns the least and the greatest value, and
    how many are null. Times are cut to milliseconds, as readers expect."""
    least: dict[str, Any] = {}
    greatest: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for name in table.statistics_columns:
        nulls[name] = rows[name].null_count
        if nulls[name] < rows.num_rows and not _has_nan(rows[name]):
            found = pc.min_max(rows[name]).as_py()
            if (first := _as_json(found["min"])) is not None and (last := _as_json(found["max"])) is not None:
                least[name], greatest[name] = first, last
    return {"numRecords": rows.num_rows, "minValues": least, "maxValues": greatest, "nullCount": nulls}


def _has_nan(column: pa.ChunkedArray) -> bool:
    """NaN is greater than any number to Spark, and no number to Arrow."""
    return pa.types.is_floating(column.type) and bool(pc.any(pc.is_nan(column)).as_py())


def _as_json(value: Any) -> Any:
    """None for what JSON cannot hold."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat("T", "milliseconds") + "Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not float("-inf") < value < float("inf"):
        return None
    return value


def _partitions(table: Table, rows: pa.Table) -> Iterator[tuple[dict[str, str], pa.Table]]:
    """The rows of each partition, without the partition columns, and the values of these as Delta writes them.

    Raises ValueError for a partition column without a value."""
    if not table.partitioned_by:
        yield {}, rows
        return
    names = list(table.partitioned_by)
    kept = rows.drop_columns(names)
    numbers = pa.Array.from_buffers(pa.int64(), rows.num_rows, [None, pa.py_buffer(np.arange(rows.num_rows))])
    numbered = rows.select(names).append_column(_ROW, numbers)
    grouped = numbered.group_by(names, use_threads=False).aggregate([(_ROW, "list")]).to_batches()
    found = [one for batch in grouped for one in batch.select(names).to_pylist()]
    for name in names:
        if any(values[name] is None for values in found):
            raise ValueError(f"rows for {table.name} have no {name}, by which it is partitioned")
    places = (one.values.to_numpy() for batch in grouped for one in batch.column(f"{_ROW}_list"))
    for values, rows_of_it in zip(found, places, strict=True):
        yield {name: str(value) for name, value in values.items()}, _at(kept, rows_of_it)


def _at(rows: pa.Table, places: NDArray[np.int64]) -> pa.Table:
    """The rows at ascending places; without copying them if they are together but for a few."""
    starts = np.flatnonzero(np.diff(places, prepend=-2) != 1)
    if len(starts) > _MAX_RUNS:
        mask = np.zeros(rows.num_rows, bool)
        mask[places] = True
        bits = pa.py_buffer(np.packbits(mask, bitorder="little"))
        return rows.filter(pa.Array.from_buffers(pa.bool_(), rows.num_rows, [None, bits]))
    ends = [*starts[1:], len(places)]
    return pa.concat_tables(rows.slice(places[start], end - start) for start, end in zip(starts, ends, strict=True))
