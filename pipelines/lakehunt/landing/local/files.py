"""Lists the files of a source on this machine or in S3, as Spark would list them."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from lakehunt.core import object_store
from lakehunt.core.errors import LakehuntError
from lakehunt.core.object_store import ObjectStore
from lakehunt.landing.local import s3_files
from lakehunt.sources.blobs import EPOCH, HINT, IGNORED, Blob, options_of

_SCHEME = re.compile(r"(?:file:/*(?=/)|file:(?=[^/]))")
_OTHER_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")


def is_local(place: str) -> bool:
    """Whether a source or a lake is on this machine's file systems."""
    return place.startswith("file:") or not _OTHER_SCHEME.match(place)


def local_path(place: str) -> str:
    """The path without its scheme: of `file:/a`, `/a`."""
    return _SCHEME.sub("", place, count=1)


def find(source: str, store: ObjectStore | None = None) -> list[Blob]:
    """The files of a source on this machine or in S3, sorted by path. Raises LakehuntError if there are none."""
    place = object_store.one_spelling(source)
    return s3_files.find(place, store or ObjectStore()) if object_store.is_s3(place) else _find(place)


def _find(source: str) -> list[Blob]:
    """All files of a folder (with its subfolders), a glob or a single path, sorted by path.

    Globs are Hadoop's: `*`, `?`, `[ab]`, `[^ab]`, `{a,b}`. Names that begin with `_` or `.` are ignored. Raises
    LakehuntError if there are no files."""
    place = os.path.abspath(local_path(source))  # noqa: PTH100 (it removes `..` as Hadoop does, and keeps links)
    roots = [place] if os.path.lexists(place) else sorted(_expanded(place))
    if not roots:
        raise LakehuntError(f"cannot list the source {source}: there is no such file or folder", HINT)
    try:
        paths = sorted({path for root in roots for path in _below(root)})
        found = [_blob(path) for path in paths]
    except OSError as error:
        raise LakehuntError(f"cannot list the source {source}: {error.strerror} ({error.filename})", HINT) from error
    if not found:
        raise LakehuntError(f"the source {source} holds no file", HINT)
    return found


def _expanded(pattern: str) -> Iterator[str]:
    """The paths that a glob of Hadoop matches."""
    for one in options_of(pattern):
        if glob.has_magic(one):
            yield from glob.glob(one.replace("[^", "[!"))  # noqa: PTH207 (of a whole path, not below a folder)
        elif os.path.lexists(one):
            yield one


def _below(root: str) -> Iterator[str]:
    """The files at or below a path. Links are followed, each folder once on a way down."""
    if not Path(root).is_dir():
        if not Path(root).name.startswith(IGNORED):
            yield root
        return
    ways = [(root, frozenset({os.path.realpath(root)}))]
    while ways:
        folder, above = ways.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(IGNORED):
                    continue
                if not entry.is_dir():
                    yield entry.path
                elif (real := os.path.realpath(entry.path)) not in above:
                    ways.append((entry.path, above | {real}))


def _blob(path: str) -> Blob:
    status = Path(path).stat()
    # Java's clock of files has milliseconds, and an empty file no time: as Spark lists them, and as it is recorded.
    modified = EPOCH + timedelta(milliseconds=status.st_mtime_ns // 1_000_000) if status.st_size else EPOCH
    return Blob(f"file:{path}", status.st_size, modified)
