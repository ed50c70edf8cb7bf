"""Numbers the lines of text files without a shuffle.

Spark reads a large file in splits. `monotonically_increasing_id` counts without gaps within a split, so a line's number
is its position in its split plus the lines of all earlier splits, which is a table with one row per split.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehunt.lake.delta_lake import few_rows
from lakehunt.landing.settings import FileLimits

_NUMBERS = ("start", "shift", "total", "above")


@dataclass(frozen=True)
class FileSplit:
    """A part of a file as Spark reads it: its start, the id of its first line, its number of lines."""

    uri: str
    start: int
    first_id: int
    lines: int
    looks_gzip: bool
    """Whether any line starts with gzip's magic number: a reason to check the file, not a proof."""
    records: int
    """Lines that look like records of the source."""
    longest: int
    """Bytes of its longest line."""
    bytes: int
    """Bytes of its lines, with an end for each."""
    file_bytes: int
    """Bytes of the whole file."""


def scan(spark: SparkSession, paths: Iterable[str], longest: int = FileLimits.longest_line) -> DataFrame:
    """One row for each line of the files: `uri`, `start` (of its split), `id`, `value` (its bytes, without `\\n`), and
    `file_bytes` (of its file).

    `value` is typed as text but not checked to be UTF-8. Lines of twice `longest` bytes are left out, and use no
    memory."""
    text = (
        spark.read.option("lineSep", "\n")  # a `\r` before it stays: it may be data
        .option("recursiveFileLookup", "true")
        .option("mapreduce.input.linerecordreader.line.maxlength", str(2 * longest))
        .option("__globPaths__", "false")  # literal names, whatever characters they contain
        .text(list(paths))
    )
    return text.select(
        F.col("_metadata.file_path").alias("uri"),
        F.col("_metadata.file_block_start").alias("start"),
        F.monotonically_increasing_id().alias("id"),  # of the scan itself: no operator may come in between
        F.col("value"),
        F.col("_metadata.file_size").alias("file_bytes"),
    )


@contextmanager
def stable_splits(spark: SparkSession) -> Iterator[None]:
    """Keeps the splits of a `scan` the same each time it is read.

    Spark splits files by the current number of cores, and on a cluster executors come and go."""
    cores = "spark.sql.files.minPartitionNum"
    chosen = spark.conf.get(cores, None)
    spark.conf.set(cores, chosen or spark.sparkContext.defaultParallelism)
    try:
        yield
    finally:
        spark.conf.unset(cores) if chosen is None else spark.conf.set(cores, chosen)


def splits(lines: DataFrame, is_record: Column) -> list[FileSplit]:
    """The splits of `lines` (a `scan`), except those without a line. `is_record`: whether `value` looks like one."""
    gzip = F.startswith(F.col("value").cast("binary"), F.lit(bytes((0x1F, 0x8B))))
    size = F.octet_length("value").cast("bigint")
    rows = lines.groupBy("uri", "start").agg(
        F.min("id").alias("first_id"),
        F.count(F.lit(1)).alias("lines"),
        F.max(gzip).alias("looks_gzip"),
        F.count_if(is_record).alias("records"),
        F.max(size).alias("longest"),
        F.sum(size + 1).alias("bytes"),
        F.max("file_bytes").alias("file_bytes"),
    )
    return sorted((FileSplit(*row) for row in rows.collect()), key=lambda split: (split.uri, split.start))


def numbered(lines: DataFrame, splits: Iterable[FileSplit], above: Mapping[str, int]) -> DataFrame:
    """The lines of each file in `above` (by URI) with a higher number than given there: `uri`, `line` (from 1),
    `value`, `is_last` (of its file).

    `splits` must be the splits of the same `lines`, see `stable_splits`."""
    places = [place for _, group in groupby(splits, key=lambda s: s.uri) for place in _places(list(group), above)]
    table = few_rows(lines.sparkSession, {"uri": "STRING"} | dict.fromkeys(_NUMBERS, "BIGINT"), places)
    line: Column = F.col("id") + F.col("shift")
    return (
        lines.join(F.broadcast(table), ["uri", "start"])
        .select("uri", line.alias("line"), "value", (line == F.col("total")).alias("is_last"), "above")
        .where(F.col("line") > F.col("above"))
        .drop("above")
    )


def _places(splits: list[FileSplit], above: Mapping[str, int]) -> list[tuple[str, int, int, int, int]]:
    uri = splits[0].uri
    if uri not in above:
        return []
    total, before, places = sum(split.lines for split in splits), 0, []
    for split in splits:
        places.append((uri, split.start, before - split.first_id + 1, total, above[uri]))
        before += split.lines
    return places
