"""Reads and unpacks the files of a source, one at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from lakehunt.lake.filesystem import FileSystem
from lakehunt.sources.blobs import Blob, one_spelling

_GZIP_MAGIC = (0x1F, 0x8B)
_COPY_BYTES = 1 << 16


class Store:
    """Reads and writes single files through Hadoop's file systems."""

    def __init__(self, spark: SparkSession) -> None:
        self._files = FileSystem(spark)

    def remove(self, folder: str) -> None:
        """Removes a folder and its content, if it exists."""
        self._files.remove(folder, recursive=True)

    def remove_old(self, parent: str, prefix: str, age: timedelta) -> None:
        """Removes the folders in `parent` whose names start with `prefix` and that are older than `age`."""
        before = time.time() - age.total_seconds()
        for entry in self._files.entries(parent):
            if entry.name.startswith(prefix) and entry.modified < before:
                self.remove(entry.path)

    def is_gzip(self, path: str) -> bool:
        """Whether the file starts with gzip's magic number, whatever its name."""
        fs, at = self._files.at(path)
        stream = fs.open(at)
        try:
            return (stream.read(), stream.read()) == _GZIP_MAGIC
        finally:
            stream.close()

    def ends_line(self, blob: Blob) -> bool:
        """Whether the file has the same length as when it was listed, and its last byte is a line end."""
        fs, path = self._files.at(blob.path)
        if fs.getFileStatus(path).getLen() != blob.bytes:
            return False
        stream = fs.open(path)
        try:
            stream.seek(blob.bytes - 1)
            return bool(stream.read() == ord("\n"))
        finally:
            stream.close()

    def unpack(self, blob: Blob, into: str) -> Blob:
        """Unpacks the blob to `into`; the returned blob is read from there.

        Raises OSError, with the reason, if the file cannot be read to its end."""
        try:
            source, at = self._files.at(blob.path)
            plain = self._files.jvm.java.util.zip.GZIPInputStream if self.is_gzip(blob.path) else lambda stream: stream
            fs, target = self._files.at(into)
            copy = self._files.jvm.org.apache.hadoop.io.IOUtils.copyBytes
            copy(plain(source.open(at)), fs.create(target), _COPY_BYTES, True)
        except Py4JJavaError as e:
            raise OSError(f"{e.java_exception.getClass().getSimpleName()}: {e.java_exception.getMessage()}") from e
        return replace(blob, read_from=one_spelling(fs.makeQualified(target).toString()))


def unpack_all(store: Store, blobs: Iterable[Blob], staging: str) -> tuple[list[Blob], list[tuple[str, str]]]:
    """Unpacks the blobs into the folder `staging`. Returns the unpacked ones, and the paths and reasons of failures."""
    unpacked: list[Blob] = []
    unreadable: list[tuple[str, str]] = []
    for number, blob in enumerate(blobs):
        try:
            unpacked.append(store.unpack(blob, f"{staging}/{number}.json") if blob.bytes else blob)
        except OSError as e:
            unreadable.append((blob.path, f"not readable as gzip ({e})"))
    return unpacked, unreadable
