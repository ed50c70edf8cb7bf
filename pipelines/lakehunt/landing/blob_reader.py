"""Opens a set of blobs: which are readable, how many lines each has, and the lines themselves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehunt.core.credentials import redacted
from lakehunt.lake.delta_lake import few_rows
from lakehunt.landing import line_numbers
from lakehunt.landing.blob_store import Store, unpack_all
from lakehunt.landing.line_numbers import FileSplit
from lakehunt.sources.blobs import Blob, path_of


@dataclass(frozen=True)
class BlobSet:
    """Blobs whose lines Spark has counted in one read."""

    blobs: tuple[Blob, ...]
    lines: dict[str, int]
    """Number of lines by blob path, blank and incomplete lines included."""
    unreadable: tuple[tuple[str, str], ...]
    frame: DataFrame | None
    """Every line as returned by `line_numbers.scan`; None if all blobs are empty."""
    splits: tuple[FileSplit, ...]

    @classmethod
    def of(cls, spark: SparkSession, blobs: Iterable[Blob]) -> BlobSet:
        """Counts the lines of the blobs. A blob that Spark cannot read is set aside with the reason and the rest is
        reread."""
        readable, unreadable = list(blobs), []
        while True:
            filled = [blob.opened_at for blob in readable if blob.bytes]
            frame = line_numbers.scan(spark, filled) if filled else None
            try:
                splits = line_numbers.splits(frame) if frame else []
                break
            except (PySparkException, Py4JJavaError) as e:
                bad = _failed_blob(e, readable)
                unreadable.append((bad.path, _reason(e)))
                readable.remove(bad)
        totals = Counter({blob.opened_at: 0 for blob in readable})
        for split in splits:
            totals[path_of(split.uri)] += split.lines
        counted = {blob.path: totals[blob.opened_at] for blob in readable}
        return cls(tuple(readable), counted, tuple(unreadable), frame, tuple(splits))

    def above(self, landed: Mapping[str, int]) -> DataFrame:
        """The lines above each blob's highest landed line: `file`, `line`, `value`, `is_last`, `may_grow`."""
        assert self.frame is not None, "no blob holds a line"
        by_key = {blob.opened_at: blob for blob in self.blobs}
        names = {split.uri: by_key[path_of(split.uri)] for split in self.splits}
        new = line_numbers.numbered(self.frame, self.splits, {u: landed.get(b.path, 0) for u, b in names.items()})
        table = [(uri, blob.path, blob.may_grow) for uri, blob in names.items()]
        columns = {"uri": "STRING", "file": "STRING", "may_grow": "BOOLEAN"}
        files = few_rows(self.frame.sparkSession, columns, table)
        return new.join(F.broadcast(files), "uri").drop("uri")

    def misnamed_gzip(self, store: Store) -> list[Blob]:
        """The blobs that are gzip although their names do not end in `.gz`."""
        suspects = {path_of(split.uri) for split in self.splits if split.looks_gzip}
        return [b for b in self.blobs if not b.read_from and b.path in suspects and store.is_gzip(b.path)]


def open_blobs(spark: SparkSession, store: Store, blobs: Iterable[Blob], staging: str) -> BlobSet:
    """Opens all blobs; gzip files are unpacked into folders under `staging` first."""
    blobs = list(blobs)
    packed = [blob for blob in blobs if blob.path.endswith(".gz")]
    unpacked, failed = unpack_all(store, packed, f"{staging}/named")
    blob_set = BlobSet.of(spark, [*(blob for blob in blobs if blob not in packed), *unpacked])
    misnamed_gzip = blob_set.misnamed_gzip(store)
    if misnamed_gzip:
        more, failed_too = unpack_all(store, misnamed_gzip, f"{staging}/misnamed")
        failed += [*blob_set.unreadable, *failed_too]
        blob_set = BlobSet.of(spark, [*(blob for blob in blob_set.blobs if blob not in misnamed_gzip), *more])
    return replace(blob_set, unreadable=(*blob_set.unreadable, *failed))


def _failed_blob(error: PySparkException | Py4JJavaError, blobs: Iterable[Blob]) -> Blob:
    """The blob that Spark's error names as unreadable. Raises the error again if it names none."""
    named = re.search(r"reading file (\S+?)\.?\s", str(error))
    for blob in blobs:
        if named and blob.opened_at == path_of(named[1]):
            return blob
    raise error


def _reason(error: PySparkException | Py4JJavaError) -> str:
    causes = re.findall(r"^Caused by: (?:\w+\.)*(.*)", str(error), re.MULTILINE)
    return f"not readable ({redacted(causes[-1])[:200].strip()})" if causes else "not readable"
