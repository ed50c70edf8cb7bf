"""The files of a source, with their sizes. Imports no Spark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

from lakehunt.core import object_store

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

HINT = "name a folder, a glob or a file of Streaming API blobs"

IGNORED = ("_", ".")
"""How names begin that Spark ignores, of files and of folders."""

_COMPRESSED = (".gz", ".bz2", ".zst", ".lz4", ".snappy", ".deflate")


@dataclass(frozen=True)
class Blob:
    """A file of a source. `read_from` is the path of its unpacked copy, if it had to be unpacked, and `copied_bytes`
    that copy's size."""

    path: str
    bytes: int
    modified_at: datetime
    read_from: str = ""
    copied_bytes: int = 0

    @property
    def opened_at(self) -> str:
        """The path that Spark reads."""
        return self.read_from or self.path

    @property
    def unpacked_bytes(self) -> int:
        return self.copied_bytes if self.read_from else self.bytes

    @property
    def is_packed(self) -> bool:
        """Whether its name says that it is compressed."""
        return self.path.endswith(_COMPRESSED)

    @property
    def modified_micros(self) -> int:
        return (self.modified_at - EPOCH) // timedelta(microseconds=1)

    @property
    def may_grow(self) -> bool:
        """Whether its last line may be incomplete: append blobs grow, compressed files do not."""
        return not self.read_from and not self.is_packed


def options_of(pattern: str) -> Iterator[str]:
    """The globs without braces that a glob of Hadoop stands for: `{a,b}` is either."""
    braces = re.search(r"(?<!\\)\{([^{}]*)\}", pattern)
    if not braces:
        yield pattern
        return
    for option in braces[1].split(","):
        yield from options_of(pattern[: braces.start()] + option + pattern[braces.end() :])


def path_of(uri: str) -> str:
    """The path of an encoded URI such as `file:///a%20b`, Spark's `_metadata.file_path`."""
    return one_spelling(unquote(uri))


def one_spelling(path: str) -> str:
    """Normalizes `file:///a` to `file:/a`, and `s3://a` to `s3a://a`."""
    return object_store.one_spelling(re.sub(r"^file:/+", "file:/", path))
