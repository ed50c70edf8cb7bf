"""Lists and fetches the objects of a source in S3: as Hadoop names them, so that both engines record the same files."""

from __future__ import annotations

import fnmatch
import glob
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pyarrow.fs
from pyarrow.fs import FileInfo, FileSelector, FileType

from lakehunt.core import object_store
from lakehunt.core.errors import LakehuntError
from lakehunt.core.object_store import ObjectStore
from lakehunt.sources.blobs import EPOCH, HINT, IGNORED, Blob, options_of

_READ = 16 << 20


def find(source: str, store: ObjectStore) -> list[Blob]:
    """All objects at or below a key, or below those that a glob matches, sorted by path. What names are ignored, and
    what a glob may hold, is as in folders.

    Raises LakehuntError if there are none."""
    files = store.filesystem()
    try:
        roots = [files.get_file_info(object_store.key_of(source))]
        if roots[0].type == FileType.NotFound:
            roots = [root for one in options_of(object_store.key_of(source)) for root in _matching(files, one)]
        found = {_blob(entry) for root in roots for entry in _below(files, root)}
    except OSError as error:
        raise object_store.failure(f"cannot list the source {source}", store, error) from error
    if not roots:
        object_store.check(source, "the source", store)
        raise LakehuntError(f"cannot list the source {source}: {store.name} has no such object or folder", HINT)
    if not found:
        raise LakehuntError(f"the source {source} holds no file", HINT)
    return sorted(found, key=lambda blob: blob.path)


def _matching(files: pyarrow.fs.FileSystem, pattern: str) -> Iterator[FileInfo]:
    """What a glob without braces matches."""
    bucket, *parts = pattern.split("/")
    yield from _continued(files, bucket, parts)


def _continued(files: pyarrow.fs.FileSystem, base: str, parts: Sequence[str]) -> Iterator[FileInfo]:
    first = next((place for place, part in enumerate(parts) if glob.has_magic(part)), None)
    if first is None:
        info = files.get_file_info("/".join([base, *parts]))
        if info.type != FileType.NotFound:
            yield info
        return
    folder = "/".join([base, *parts[:first]])
    name = re.compile(fnmatch.translate(parts[first].replace("[^", "[!")))
    for entry in files.get_file_info(FileSelector(folder, allow_not_found=True)):
        is_hidden = entry.base_name.startswith(".") and not parts[first].startswith(".")
        if name.match(entry.base_name) and not is_hidden:
            yield from _continued(files, entry.path, parts[first + 1 :])


def _below(files: pyarrow.fs.FileSystem, root: FileInfo) -> Iterator[FileInfo]:
    if root.type == FileType.File:
        if not root.base_name.startswith(IGNORED):
            yield root
        return
    for entry in files.get_file_info(FileSelector(root.path, recursive=True)):
        below = entry.path.removeprefix(root.path).strip("/").split("/")
        if entry.type == FileType.File and not any(name.startswith(IGNORED) for name in below):
            yield entry


def _blob(entry: FileInfo) -> Blob:
    # An empty file has no time, as Spark lists it, and as it is recorded.
    modified = EPOCH + timedelta(milliseconds=entry.mtime_ns // 1_000_000) if entry.size else EPOCH
    return Blob(f"s3a://{entry.path}", entry.size, modified)


def fetch(blob: Blob, store: ObjectStore, to: Path, landed: int) -> bool:
    """Copies an object, as long as it was when it was listed, to a file of this machine. If the first `landed` bytes
    end a line, they are not fetched: the copy has zeros there, which take no space. Returns whether they were.

    Raises OSError if it cannot be read or has become shorter."""
    with store.filesystem().open_input_file(object_store.key_of(blob.path)) as source, to.open("wb") as copy:
        is_whole = True
        if landed:
            source.seek(landed - 1)
            is_whole = _exactly(source, 1) != b"\n"
            source.seek(0 if is_whole else landed - 1)
            copy.seek(0 if is_whole else landed - 1)
        while (left := blob.bytes - copy.tell()) > 0:
            copy.write(_exactly(source, min(_READ, left)))
    return is_whole


def _exactly(source: pyarrow.NativeFile, size: int) -> bytes:
    data: bytes = source.read(size)
    if len(data) < size:
        raise OSError("became shorter while it was read")
    return data
