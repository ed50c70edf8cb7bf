"""Parses blocks of lines into Arrow tables, in this process or in others."""

from __future__ import annotations

import gc
import os
import signal
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from threading import Thread

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehunt.core.errors import LakehuntError
from lakehunt.landing.local.blocks import BLOCK, Block
from lakehunt.landing.parsed import Faults, Parsed, ParsedTable, not_blank, parse_lines, without_line_ends
from lakehunt.records import arrow_columns


def parse_blocks(blocks: Iterable[Block], tables: Sequence[str]) -> Parsed:
    """Parses the records in blocks of files. Blank lines are left out."""
    lines, files, numbers = [], [], []
    for block in blocks:
        with Path(block.path).open("rb") as file:
            file.seek(block.start)
            found = _split(file.read(block.end - block.start))
        number = arrow_columns.from_numpy(np.arange(block.line, block.line + len(found)), pa.int64())
        if (kept := not_blank(found)) is not None:
            found, number = found.filter(kept), number.filter(kept)
        lines.append(found)
        numbers.append(number)
        files.append(arrow_columns.texts([block.file] * len(found)))
    return parse_lines(pa.concat_arrays(lines), pa.concat_arrays(files), pa.concat_arrays(numbers), tables)


def _split(data: bytes) -> pa.Array:
    """The lines of a block as large_binary, without their ends."""
    end = len(data) - data.endswith(b"\n")
    bounds = pa.py_buffer(array("q", [0, end]))
    whole = pa.Array.from_buffers(pa.large_binary(), 1, [None, bounds, pa.py_buffer(data)])
    lines = pc.split_pattern(whole, b"\n").flatten()
    if b"\r" not in data:
        return lines
    return without_line_ends(lines)


def merged(parts: Sequence[Parsed]) -> Parsed:
    """Parsed blocks as one, in order."""
    if len(parts) == 1:
        return parts[0]
    starts = [0, *accumulate(part.raw.num_rows for part in parts)]
    names = dict.fromkeys(name for part in parts for name in part.tables)
    return Parsed(
        pa.concat_tables(part.raw for part in parts),
        {name: _merged_table(name, parts, starts) for name in names},
        _shifted(((part.unreadable, start) for part, start in zip(parts, starts, strict=False))),
        reduce(_added, (part.other for part in parts)),
    )


def _merged_table(name: str, parts: Sequence[Parsed], starts: Sequence[int]) -> ParsedTable:
    own = [(part.tables[name], start) for part, start in zip(parts, starts, strict=False) if name in part.tables]
    return ParsedTable(
        pa.concat_arrays([pc.add(table.rows, start) for table, start in own]),
        pa.concat_tables(table.events for table, _ in own),
        _shifted((table.faults, start) for table, start in own),
    )


def _shifted(faults: Iterable[tuple[Faults, int]]) -> Faults:
    return {position + start: why for found, start in faults for position, why in found.items()}


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> Mapping[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


# Other processes, which answer with Arrow files that are mapped into memory here


WORTH_PROCESSES = 32 << 20
"""Bytes that take longer to parse than other processes to begin."""


class Parsers:
    """Parses groups of blocks ahead of their use: by as many processes as there are cores, or right here if there is
    little to parse."""

    def __init__(self, staging: Path, tables: Sequence[str], pool: ProcessPoolExecutor | None) -> None:
        self.staging, self._tables, self._pool = staging, tables, pool
        self._number = 0

    def begin(self, blocks: Iterable[Block]) -> Callable[[], Parsed]:
        """Begins to parse blocks as they come. What is returned waits for the result."""
        if self._pool is None:
            here = list(blocks)
            return lambda: parse_blocks(here, self._tables)
        begun = [self._submit(self._pool, some) for some in _of_size(blocks)]
        return lambda: merged([_load(_result(one)) for one in begun])

    def _submit(self, pool: ProcessPoolExecutor, blocks: Sequence[Block]) -> Future[_Stored]:
        self._number += 1
        return pool.submit(_parse_and_store, blocks, self._tables, str(self.staging / f"{self._number}"))


def _result(begun: Future[_Stored]) -> _Stored:
    try:
        return begun.result()
    except BrokenProcessPool as error:
        hint = "the system may have ended it for want of memory"
        raise LakehuntError("a process that parses records has ended", hint) from error


@contextmanager
def parsers(staging: Path, tables: Sequence[str], size: int) -> Iterator[Parsers]:
    """Parsers for so many bytes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores == 1 or size < WORTH_PROCESSES:
        yield Parsers(staging, tables, None)
        return
    with ProcessPoolExecutor(cores, get_context("spawn"), _begin_worker) as pool:
        pool.submit(int)  # begins all processes, before there is a block to parse
        try:
            yield Parsers(staging, tables, pool)
        finally:
            pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """Prepares a process that parses: it ends with its parent, or would wait for ever for something to do."""
    gc.disable()  # parsing makes millions of tuples, and no cycles
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    parent = parent_process()
    assert parent is not None

    def wait() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def _of_size(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """The blocks in groups of about BLOCK bytes."""
    some: list[Block] = []
    for block in blocks:
        some.append(block)
        if sum(one.end - one.start for one in some) >= BLOCK:
            yield some
            some = []
    if some:
        yield some


@dataclass(frozen=True)
class _Stored:
    """What a process has parsed: Arrow files, and what is not in them."""

    raw: str
    tables: Mapping[str, tuple[str, Faults]]
    unreadable: Faults
    other: Mapping[str, int]


def _parse_and_store(blocks: Sequence[Block], tables: Sequence[str], place: str) -> _Stored:
    parsed = parse_blocks(blocks, tables)
    _store(parsed.raw, f"{place}.arrow")
    stored = {}
    for name, table in parsed.tables.items():
        file = f"{place}-{name}.arrow"
        _store(table.events.append_column("$rows", table.rows), file)
        stored[name] = (file, table.faults)
    return _Stored(f"{place}.arrow", stored, parsed.unreadable, parsed.other)


def _store(table: pa.Table, file: str) -> None:
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _load(stored: _Stored) -> Parsed:
    tables = {}
    for name, (file, faults) in stored.tables.items():
        table = _mapped(file)
        rows = table.column("$rows").combine_chunks()
        tables[name] = ParsedTable(rows, table.drop_columns("$rows"), faults)
    return Parsed(_mapped(stored.raw), tables, stored.unreadable, stored.other)


def _mapped(file: str) -> pa.Table:
    with pa.memory_map(file) as source:
        table = pa.ipc.open_file(source).read_all()
    Path(file).unlink()  # its bytes stay as long as they are mapped
    return table
