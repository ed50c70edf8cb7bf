"""Files and folders on any file system that Hadoop supports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Entry:
    """A file or folder in a folder. `modified` is in seconds since 1970."""

    path: str
    name: str
    is_folder: bool
    modified: float


class FileSystem:
    """Hadoop's file systems, with the session's configuration and credentials."""

    def __init__(self, spark: SparkSession) -> None:
        self.jvm: Any = spark._jvm
        self._conf: Any = spark._jsc.hadoopConfiguration()

    def at(self, name: str) -> tuple[Any, Any]:
        """Hadoop's FileSystem and Path objects for a path, for operations that are not wrapped here."""
        path = self.jvm.org.apache.hadoop.fs.Path(name)
        return path.getFileSystem(self._conf), path

    def codec(self, name: str) -> Any:
        """Hadoop's codec for a compressed file with this name; None if there is none."""
        factory = self.jvm.org.apache.hadoop.io.compress.CompressionCodecFactory(self._conf)
        return factory.getCodec(self.jvm.org.apache.hadoop.fs.Path(name))

    def entries(self, folder: str) -> Iterator[Entry]:
        """The direct entries of a folder; none if it does not exist."""
        fs, path = self.at(folder)
        if not fs.exists(path):
            return
        for status in fs.listStatus(path):
            at = status.getPath()
            yield Entry(at.toString(), at.getName(), status.isDirectory(), status.getModificationTime() / 1000)

    def read(self, name: str) -> bytes:
        """The content of a small file. Raises FileNotFoundError if it does not exist."""
        fs, path = self.at(name)
        if not fs.exists(path):
            raise FileNotFoundError(name)
        stream = fs.open(path)
        try:
            return bytes(self.jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
        finally:
            stream.close()

    def remove(self, name: str, recursive: bool = False) -> None:
        """Removes a file or a folder, if it exists; a non-empty folder only if `recursive`."""
        fs, path = self.at(name)
        fs.delete(path, recursive)

    def bytes_in(self, folder: str) -> int:
        """Total size of all files in a folder and its subfolders."""
        fs, path = self.at(folder)
        return int(fs.getContentSummary(path).getLength())
