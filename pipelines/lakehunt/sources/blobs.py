"""Lists the files of a source, with their sizes, on any file system that Hadoop can read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehunt.core.errors import LakehuntError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_COMPRESSED = (".gz", ".bz2", ".zst", ".lz4", ".snappy", ".deflate")
_HINT = "name a folder, a glob or a file of Streaming API blobs"


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


def find(spark: SparkSession, source: str) -> list[Blob]:
    """All files of a folder (with its subfolders), a glob or a single path, sorted by path.

    Names that begin with `_` or `.` are ignored, as everywhere in Spark. Raises LakehuntError if there are no files."""
    try:
        # Lists without opening the files. Not as Hive partitions: the key `m` occurs twice in a blob's path.
        listing = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(source)
        modified_at = F.unix_micros("modificationTime")
        rows = listing.select("path", "length", modified_at.alias("modified_at")).collect()
        names = [path_of(uri) for uri in listing.inputFiles()]
    except AnalysisException as e:
        raise LakehuntError(f"cannot list the source {source}: {_first_line(e)}", _HINT) from e
    if not names:
        raise LakehuntError(f"the source {source} holds no file", _HINT)
    filled = {Blob(one_spelling(r.path), r.length, _utc(r.modified_at)) for r in rows}
    empty = {Blob(name, 0, EPOCH) for name in {*names} - {blob.path for blob in filled}}  # Spark leaves empty files out
    return sorted(filled | empty, key=lambda blob: blob.path)


def path_of(uri: str) -> str:
    """The path of an encoded URI such as `file:///a%20b`, Spark's `_metadata.file_path`."""
    return one_spelling(unquote(uri))


def one_spelling(path: str) -> str:
    """Normalizes `file:///a` to `file:/a`."""
    return re.sub(r"^file:/+", "file:/", path)


def _utc(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
