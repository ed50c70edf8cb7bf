"""The lines of text files with their numbers, without moving a line between machines.

Spark reads a large file in splits. `monotonically_increasing_id` counts without gaps within one split, so a line's
number is its place in its split plus the lines of the splits before it: a table with one row for each split.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehunt.lake.delta_lake import few_rows

_NUMBERS = ("start", "shift", "total", "above")


@dataclass(frozen=True)
class FileSplit:
    """A part of a file as Spark reads it: where it starts, the id of its first line, how many lines it has."""

    uri: str
    start: int
    first_id: int
    lines: int
    looks_gzip: bool
    """Whether any line begins as a gzip file does. Worth a look at the file, no more."""


def scan(spark: SparkSession, paths: Iterable[str]) -> DataFrame:
    """One row for each line of the files: `uri`, `start` (of its split), `id`, `value` (its bytes, without `\\n`).

    `value` is typed as text but not checked to be UTF-8."""
    text = (
        spark.read.option("lineSep", "\n")  # a `\r` before it stays: it may be data
        .option("recursiveFileLookup", "true")
        .option("__globPaths__", "false")  # these are names, whatever characters they hold
        .text(list(paths))
    )
    return text.select(
        F.col("_metadata.file_path").alias("uri"),
        F.col("_metadata.file_block_start").alias("start"),
        F.monotonically_increasing_id().alias("id"),  # of the scan itself: nothing may stand in between
        F.col("value"),
    )


@contextmanager
def steady(spark: SparkSession) -> Iterator[None]:
    """Inside, every reading of a `scan` has the same splits.

    Spark cuts files by the number of cores that it has at that moment, and on a cluster executors come and go."""
    cores = "spark.sql.files.minPartitionNum"
    chosen = spark.conf.get(cores, None)
    spark.conf.set(cores, chosen or spark.sparkContext.defaultParallelism)
    try:
        yield
    finally:
        spark.conf.unset(cores) if chosen is None else spark.conf.set(cores, chosen)


def splits(lines: DataFrame) -> list[FileSplit]:
    """The splits that `lines` (a `scan`) consists of; those without a line are left out."""
    gzip = F.startswith(F.col("value").cast("binary"), F.lit(bytes((0x1F, 0x8B))))
    rows = lines.groupBy("uri", "start").agg(
        F.min("id").alias("first_id"), F.count(F.lit(1)).alias("lines"), F.max(gzip).alias("looks_gzip")
    )
    return sorted((FileSplit(*row) for row in rows.collect()), key=lambda split: (split.uri, split.start))


def numbered(lines: DataFrame, splits: Iterable[FileSplit], above: Mapping[str, int]) -> DataFrame:
    """The lines of each file in `above` (by URI) whose number is above the one given there: `uri`, `line` (from 1),
    `value`, `is_last` (of its file).

    `splits` must be those of the same `lines`, see `steady`."""
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
