"""Finds events that the lake holds already, at a cost that follows what is new, not what is there.

Beside the data files of an event table, in `_event_ids/`, an index lists for each of them the first 64 bits of its
events' ids, in order: eight bytes for an event, mapped into memory, so that a look-up touches a few pages. Where they
match, the data file itself says what the event is. An index can be deleted at any time: the next landing that looks
into the data file's day writes it again."""

from __future__ import annotations

import io
import uuid
from binascii import unhexlify
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lakehunt.core import object_store

FOLDER = "_event_ids"
"""In the folder of an event table. Delta, and what cleans its folders, leave names alone that begin with `_`."""

_ID_LENGTH = 64
_PREFIX_LENGTH = 16

Prefixes = NDArray[np.uint64]
Origin = tuple[str, int]
"""File and line of a record."""


@dataclass(frozen=True)
class Duplicates:
    """For rows of events, in order: whether an event is there already, or earlier among the rows; and whether the row
    itself is there, written by an earlier attempt at its batch."""

    duplicate: NDArray[np.bool_]
    written: NDArray[np.bool_]


def find(table: pa.fs.FileSystem, files: Sequence[str], ids: pa.Array, origins: Sequence[pa.Array]) -> Duplicates:
    """Compares events, by id and by the file and line of their records (`origins`), with each other and with those in
    the data files of a table: paths in its file system."""
    prefixes = prefixes_of(ids)
    duplicate = np.zeros(len(ids), bool)
    written = np.zeros(len(ids), bool)
    order = np.argsort(prefixes, kind="stable")
    ordered = prefixes[order]
    first: dict[str, int] = {}
    for place in np.flatnonzero(_with_equals(ordered)):
        row = int(order[place])
        duplicate[row] = first.setdefault(ids[row].as_py(), row) != row
    there = _stored(table, files, ordered, order, ids)
    if there:
        texts = ids.to_pylist()
        for row in {row for row in range(len(texts)) if texts[row] in there}:
            own = (origins[0][row].as_py(), origins[1][row].as_py())
            written[row] = own == there[texts[row]]
            duplicate[row] = not written[row]
    return Duplicates(duplicate, written)


def prefixes_of(ids: pa.Array) -> Prefixes:
    """The first 64 bits of ids, which are SHA-256 in hexadecimal."""
    if not len(ids):
        return np.zeros(0, np.uint64)
    _, offsets, content = ids.buffers()
    start = int(np.frombuffer(offsets, np.int32)[ids.offset])
    letters = np.frombuffer(content, np.uint8, len(ids) * _ID_LENGTH, start).reshape(len(ids), _ID_LENGTH)
    return np.frombuffer(unhexlify(letters[:, :_PREFIX_LENGTH].tobytes()), ">u8").astype(np.uint64)


def write_index(table: pa.fs.FileSystem, file: str, ids: pa.Array) -> None:
    """Writes the index of a data file with these ids."""
    _save(table, _index(file), np.sort(prefixes_of(ids)))


def _with_equals(ordered: Prefixes) -> NDArray[np.bool_]:
    """Which values of an ordered array occur more than once."""
    same = np.zeros(len(ordered), bool)
    if len(ordered) > 1:
        equal = ordered[1:] == ordered[:-1]
        same[1:] |= equal
        same[:-1] |= equal
    return same


def _stored(
    table: pa.fs.FileSystem, files: Sequence[str], ordered: Prefixes, order: NDArray[np.int64], ids: pa.Array
) -> Mapping[str, Origin]:
    """Those of the ids that the data files hold, with the origins of their events there."""
    found: dict[str, Origin] = {}
    for file in files:
        index = _loaded(table, file)
        places = np.searchsorted(index, ordered)
        places[places == len(index)] = 0
        hits = index[places] == ordered if len(index) else np.zeros(len(ordered), bool)
        if hits.any():
            wanted = {ids[int(row)].as_py() for row in order[hits]}
            found |= _origins(table, file, wanted)
    return found


def _origins(table: pa.fs.FileSystem, path: str, wanted: set[str]) -> dict[str, Origin]:
    found: dict[str, Origin] = {}
    with pq.ParquetFile(table.open_input_file(path)) as file:
        for batch in file.iter_batches(columns=["event_id", "file", "line"]):
            ids = batch.column("event_id").to_pylist()
            for row in (row for row, one in enumerate(ids) if one in wanted):
                found[ids[row]] = (batch.column("file")[row].as_py(), batch.column("line")[row].as_py())
    return found


def _loaded(table: pa.fs.FileSystem, file: str) -> Prefixes:
    """The index of a data file, which is written if it is missing or cannot be read."""
    with suppress(OSError, ValueError, EOFError):
        return _read(table, _index(file))
    with pq.ParquetFile(table.open_input_file(file)) as data:
        parts = [prefixes_of(batch.column("event_id")) for batch in data.iter_batches(columns=["event_id"])]
    made = np.sort(np.concatenate([np.zeros(0, np.uint64), *parts]))
    _save(table, _index(file), made)
    return made


def _read(table: pa.fs.FileSystem, path: str) -> Prefixes:
    """An index in numpy's form: mapped into memory in a folder, read whole from an object store."""
    with table.open_input_file(path) as stream:
        np.lib.format.read_magic(stream)
        shape, _, kind = np.lib.format.read_array_header_1_0(stream)
        found: Prefixes = np.frombuffer(stream.read_buffer(), np.dtype(kind))
    if kind != np.uint64 or found.shape != shape:
        raise ValueError("not an index")
    return found


def _index(file: str) -> str:
    return f"{FOLDER}/{file.rpartition('/')[2]}.npy"


def _save(table: pa.fs.FileSystem, path: str, prefixes: Prefixes) -> None:
    """Another process never sees half of it: an object appears whole, a file by its new name. That it cannot be written
    fails nothing."""
    content = io.BytesIO()
    np.lib.format.write_array(content, prefixes, version=(1, 0), allow_pickle=False)
    written = path if object_store.has_no_folders(table) else f"{FOLDER}/.{uuid.uuid4().hex}"
    with suppress(OSError):
        if written != path:
            table.create_dir(FOLDER)
        with table.open_output_stream(written) as file:
            file.write(content.getbuffer())
        if written != path:
            table.move(written, path)


def as_mask(values: NDArray[np.bool_]) -> Any:
    """A numpy array of booleans as an Arrow array."""
    return pa.Array.from_buffers(
        pa.bool_(), len(values), [None, pa.py_buffer(np.packbits(values, bitorder="little").tobytes())]
    )
