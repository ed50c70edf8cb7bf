"""The range of a column in a table's data files, by their footers. Imports no Spark.

The log has statistics of a file, but delta-rs 1.6.6 does not give those of columns after a struct that
`delta.dataSkippingStatsColumns` does not name, such as `tick_digits` (findings/deltalake-statistics-after-struct.sh). A
file never changes, so a process reads its footer once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

MOST_READ = 256
"""Footers that are read at once: a few milliseconds each. Of a table with more files, each question reads so many more
of them, until all are known."""

MOST_KEPT = 500_000
"""Ranges that are kept: some 100 MB."""

Range = tuple[int, int]
"""The least and the greatest value of a column in a file."""

_READERS = 8


class FileRanges:
    """The ranges of columns of whole numbers in files, as far as they are known."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], Range | None] = {}

    def of(self, files: pa.fs.FileSystem, root: str, paths: Sequence[str], column: str) -> list[Range] | None:
        """The range of a column in each of these files below a folder; None if the range of one is not known, or if it
        may have rows without a value."""
        unknown = [path for path in paths if (root, path, column) not in self._known]
        if unknown:
            self._read(files, root, unknown[:MOST_READ], column)
        found = [self._known.get((root, path, column)) for path in paths]
        return None if None in found else found  # type: ignore[return-value]

    def _read(self, files: pa.fs.FileSystem, root: str, paths: Iterable[str], column: str) -> None:
        if len(self._known) > MOST_KEPT:
            self._known = {}
        with ThreadPoolExecutor(_READERS) as readers:
            paths = list(paths)
            found = readers.map(partial(_range, files, column), paths)
            self._known |= {(root, path, column): one for path, one in zip(paths, found, strict=True)}


def _range(files: pa.fs.FileSystem, column: str, path: str) -> Range | None:
    """The range of a column in a file. None if its footer does not say it, or cannot be read: whoever reads its rows
    says so."""
    try:
        metadata = pq.read_metadata(path, filesystem=files)
        place = [metadata.schema.column(number).path for number in range(metadata.num_columns)].index(column)
        groups = [metadata.row_group(number).column(place).statistics for number in range(metadata.num_row_groups)]
    except (OSError, ValueError, pa.ArrowInvalid):
        return None
    if any(one is None or not one.has_min_max or one.null_count != 0 for one in groups) or not groups:
        return None
    return min(one.min for one in groups), max(one.max for one in groups)
