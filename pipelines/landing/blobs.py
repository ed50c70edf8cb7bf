"""The blobs of a source, on any file system that Hadoop reads: which there are, and gzip undone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipelines.errors import LakehuntError

_GZIP_MAGIC = (0x1F, 0x8B)
_COMPRESSED = (".gz", ".bz2", ".zst", ".lz4", ".snappy", ".deflate")
_COPY_BYTES = 1 << 16
_HINT = "name a folder, a glob or a file of Streaming API blobs"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Blob:
    """A file of a source. `read_from` is another path where its content had to be decompressed first."""

    path: str
    bytes: int
    modified_at: datetime
    read_from: str = ""

    @property
    def opened_at(self) -> str:
        """The path under which Spark reads it."""
        return self.read_from or self.path

    @property
    def modified_micros(self) -> int:
        return (self.modified_at - EPOCH) // timedelta(microseconds=1)

    @property
    def may_grow(self) -> bool:
        """Whether its last line may be half-written: append blobs grow, compressed files are complete."""
        return not self.read_from and not self.path.endswith(_COMPRESSED)


def find(spark: SparkSession, source: str) -> list[Blob]:
    """All files of a folder (with its subfolders), a glob or a single path, in order of path.

    Names that begin with `_` or `.` are bookkeeping of the store, as everywhere in Spark.
    Raises LakehuntError where there is none."""
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
    empty = {Blob(name, 0, EPOCH) for name in {*names} - {blob.path for blob in filled}}  # Spark leaves these out
    return sorted(filled | empty, key=lambda blob: blob.path)


def path_of(uri: str) -> str:
    """The path that Spark's encoded URI (`file:///a%20b`, as `_metadata.file_path` gives it) stands for."""
    return one_spelling(unquote(uri))


def one_spelling(path: str) -> str:
    """`file:/a` and `file:///a` are the same: the first."""
    return re.sub(r"^file:/+", "file:/", path)


class Store:
    """Reads and writes single files through Hadoop's file systems."""

    def __init__(self, spark: SparkSession) -> None:
        self._jvm: Any = spark._jvm
        self._conf = spark._jsc.hadoopConfiguration()

    def remove(self, folder: str) -> None:
        """Removes a folder with all it holds, if there is one."""
        fs, path = self._at(folder)
        fs.delete(path, True)

    def remove_old(self, parent: str, beginning: str, age: timedelta) -> None:
        """Removes the folders in `parent` whose names begin so and that were made longer ago."""
        fs, path = self._at(parent)
        if not fs.exists(path):
            return
        before = (time.time() - age.total_seconds()) * 1000
        for status in fs.listStatus(path):
            if status.getPath().getName().startswith(beginning) and status.getModificationTime() < before:
                fs.delete(status.getPath(), True)

    def is_gzip(self, path: str) -> bool:
        """Whether the file begins as gzip does, whatever its name says."""
        fs, at = self._at(path)
        stream = fs.open(at)
        try:
            return (stream.read(), stream.read()) == _GZIP_MAGIC
        finally:
            stream.close()

    def ends_line(self, blob: Blob) -> bool:
        """Whether the file is as long as when it was listed, and its last byte ends a line."""
        fs, path = self._at(blob.path)
        if fs.getFileStatus(path).getLen() != blob.bytes:
            return False
        stream = fs.open(path)
        try:
            stream.seek(blob.bytes - 1)
            return bool(stream.read() == ord("\n"))
        finally:
            stream.close()

    def unpack(self, blob: Blob, into: str) -> Blob:
        """The blob, to be read from `into`, where its content is written without gzip.

        Raises OSError, with the reason, for what cannot be read to its end."""
        try:
            source, at = self._at(blob.path)
            plain = self._jvm.java.util.zip.GZIPInputStream if self.is_gzip(blob.path) else lambda stream: stream
            fs, target = self._at(into)
            copy = self._jvm.org.apache.hadoop.io.IOUtils.copyBytes
            copy(plain(source.open(at)), fs.create(target), _COPY_BYTES, True)
        except Py4JJavaError as e:
            raise OSError(f"{e.java_exception.getClass().getSimpleName()}: {e.java_exception.getMessage()}") from e
        return replace(blob, read_from=one_spelling(fs.makeQualified(target).toString()))

    def _at(self, name: str) -> tuple[Any, Any]:
        path = self._jvm.org.apache.hadoop.fs.Path(name)
        return path.getFileSystem(self._conf), path


def unpack_all(store: Store, blobs: Iterable[Blob], staging: str) -> tuple[list[Blob], list[tuple[str, str]]]:
    """Every blob unpacked into the folder `staging`, and those that cannot be, each with its reason."""
    unpacked: list[Blob] = []
    unreadable: list[tuple[str, str]] = []
    for number, blob in enumerate(blobs):
        try:
            unpacked.append(store.unpack(blob, f"{staging}/{number}.json") if blob.bytes else blob)
        except OSError as e:
            unreadable.append((blob.path, f"not readable as gzip ({e})"))
    return unpacked, unreadable


def _utc(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
