"""Lists the files of a source on this machine, as Spark would list them."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from lakehunt.core.errors import LakehuntError
from lakehunt.sources.blobs import EPOCH, HINT, Blob

_SCHEME = re.compile(r"(?:file:/*(?=/)|file:(?=[^/]))")
_OTHER_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
_IGNORED = ("_", ".")
"""How names begin that Spark ignores, of files and of folders."""


def is_local(place: str) -> bool:
    """Whether a source or a lake is on this machine's file systems."""
    return place.startswith("file:") or not _OTHER_SCHEME.match(place)


def local_path(place: str) -> str:
    """The path without its scheme: of `file:/a`, `/a`."""
    return _SCHEME.sub("", place, count=1)


def find(source: str) -> list[Blob]:
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
    braces = re.search(r"(?<!\\)\{([^{}]*)\}", pattern)
    if braces:
        for option in braces[1].split(","):
            yield from _expanded(pattern[: braces.start()] + option + pattern[braces.end() :])
    elif glob.has_magic(pattern):
        yield from glob.glob(pattern.replace("[^", "[!"))  # noqa: PTH207 (of a whole path, not below a folder)
    elif os.path.lexists(pattern):
        yield pattern


def _below(root: str) -> Iterator[str]:
    """The files at or below a path. Links are followed, each folder once on a way down."""
    if not Path(root).is_dir():
        if not Path(root).name.startswith(_IGNORED):
            yield root
        return
    ways = [(root, frozenset({os.path.realpath(root)}))]
    while ways:
        folder, above = ways.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(_IGNORED):
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
