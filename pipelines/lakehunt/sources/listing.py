"""Lists the files of a source on any file system that Hadoop can read."""

from __future__ import annotations

from datetime import datetime, timedelta

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehunt.core.errors import LakehuntError
from lakehunt.sources.blobs import EPOCH, HINT, Blob, one_spelling, path_of


def find(spark: SparkSession, source: str) -> list[Blob]:
    """All files of a folder (with its subfolders), a glob or a single path, sorted by path.

    Names that begin with `_` or `.` are ignored, as everywhere in Spark. Raises LakehuntError if there are no files."""
    try:
        # Lists without opening the files. Not as Hive partitions: the key `m` occurs twice in a blob's path.
        listing = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(one_spelling(source))
        modified_at = F.unix_micros("modificationTime")
        rows = listing.select("path", "length", modified_at.alias("modified_at")).collect()
        names = [path_of(uri) for uri in listing.inputFiles()]
    except AnalysisException as e:
        raise LakehuntError(f"cannot list the source {source}: {_first_line(e)}", HINT) from e
    if not names:
        raise LakehuntError(f"the source {source} holds no file", HINT)
    filled = {Blob(one_spelling(r.path), r.length, _utc(r.modified_at)) for r in rows}
    empty = {Blob(name, 0, EPOCH) for name in {*names} - {blob.path for blob in filled}}  # Spark leaves empty files out
    return sorted(filled | empty, key=lambda blob: blob.path)


def _utc(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
