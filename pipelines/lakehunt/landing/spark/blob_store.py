"""Reads and unpacks the files of a source, one at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from lakehunt.lake.filesystem import FileSystem
from lakehunt.landing.settings import FileLimits
from lakehunt.sources.blobs import Blob, one_spelling

_GZIP_MAGIC = (0x1F, 0x8B)


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

    def head(self, path: str, size: int) -> bytes:
        """The first bytes of a file."""
        fs, at = self._files.at(path)
        stream = fs.open(at)
        try:
            return bytes(stream.readNBytes(size))
        finally:
            stream.close()

    def unpack(self, blob: Blob, into: str, most: int) -> Blob:
        """Unpacks the blob to `into`; the returned blob is read from there.

        Raises OSError, with the reason, if the file cannot be read to its end or unpacks to more than `most` bytes."""
        fs, target = self._files.at(into)
        try:
            size = self._copy(blob, fs, target, most + 1)
        except Py4JJavaError as e:
            fs.delete(target, False)
            why = f"{e.java_exception.getClass().getSimpleName()}: {e.java_exception.getMessage()}"
            raise OSError(f"not readable as a compressed file ({why})") from e
        if size > most:
            fs.delete(target, False)
            raise OSError(f"unpacks to more than {most:,} bytes: see landing.unpacked_file in the configuration")
        return replace(blob, read_from=one_spelling(fs.makeQualified(target).toString()), copied_bytes=size)

    def _copy(self, blob: Blob, fs: Any, target: Any, most: int) -> int:
        """Copies at most so many bytes of the unpacked blob. Returns their number."""
        source, at = self._files.at(blob.path)
        packed, copy = source.open(at), fs.create(target)
        try:
            plain = self._plain(blob, packed)
            self._files.jvm.org.apache.commons.io.IOUtils.copyLarge(plain, copy, 0, most)
            return int(copy.getPos())
        finally:
            packed.close()
            copy.close()

    def _plain(self, blob: Blob, packed: Any) -> Any:
        """The stream of the unpacked bytes: of gzip whatever the name, or else of what the name says."""
        if self.is_gzip(blob.path):
            return self._files.jvm.java.util.zip.GZIPInputStream(packed)
        codec = None if blob.path.endswith(".gz") else self._files.codec(blob.path)
        return packed if codec is None else codec.createInputStream(packed)


def unpack_all(
    store: Store, blobs: Iterable[Blob], staging: str, limits: FileLimits
) -> tuple[list[Blob], list[tuple[str, str]]]:
    """Unpacks the blobs into the folder `staging`. Returns the unpacked ones, and the paths and reasons of failures."""
    unpacked: list[Blob] = []
    unreadable: list[tuple[str, str]] = []
    for number, blob in enumerate(blobs):
        try:
            into = f"{staging}/{number}.json"
            unpacked.append(store.unpack(blob, into, limits.unpacked_file) if blob.bytes else blob)
        except OSError as e:
            unreadable.append((blob.path, str(e)))
    return unpacked, unreadable
