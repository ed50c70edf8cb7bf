"""Opens a set of blobs: which are readable, how many lines each has, and the lines themselves."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehunt.core.credentials import redacted
from lakehunt.lake.delta_lake import few_rows
from lakehunt.landing.settings import FileLimits
from lakehunt.landing.spark import line_numbers
from lakehunt.landing.spark.blob_store import Store, unpack_all
from lakehunt.landing.spark.line_numbers import FileSplit
from lakehunt.sources import forms
from lakehunt.sources.blobs import Blob, path_of

_BYTE_ORDER_MARK = 3
"""Bytes at the beginning of a file that Spark's text source leaves out."""


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
    """The splits of these blobs."""

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

    def without(self, refused: Mapping[str, str]) -> BlobSet:
        """Without some blobs, by path, each with the reason."""
        gone = {blob.opened_at for blob in self.blobs if blob.path in refused}
        return BlobSet(
            tuple(blob for blob in self.blobs if blob.path not in refused),
            {path: count for path, count in self.lines.items() if path not in refused},
            (*self.unreadable, *refused.items()),
            self.frame,
            tuple(split for split in self.splits if path_of(split.uri) not in gone),
        )


@dataclass(frozen=True)
class BlobReader:
    """Opens the blobs of a source. One that cannot be read or is refused is set aside with the reason."""

    spark: SparkSession
    store: Store
    limits: FileLimits

    def open(self, blobs: Iterable[Blob], staging: str) -> BlobSet:
        """Opens all blobs; compressed files are unpacked into folders under `staging` first."""
        blobs = list(blobs)
        packed = [blob for blob in blobs if blob.is_packed]
        unpacked, failed = unpack_all(self.store, packed, f"{staging}/named", self.limits)
        blob_set = self.read([*(blob for blob in blobs if blob not in packed), *unpacked])
        misnamed = self._misnamed_gzip(blob_set)
        if misnamed:
            more, failed_too = unpack_all(self.store, misnamed, f"{staging}/misnamed", self.limits)
            failed += [*blob_set.unreadable, *failed_too]
            blob_set = self.read([*(blob for blob in blob_set.blobs if blob not in misnamed), *more])
        blob_set = blob_set.without(dict(self._in_other_forms(blob_set)))
        return replace(blob_set, unreadable=(*blob_set.unreadable, *failed))

    def read(self, blobs: Iterable[Blob]) -> BlobSet:
        """Counts the lines of the blobs. If Spark cannot read one, the rest is read again."""
        readable, unreadable = list(blobs), []
        while True:
            filled = [blob.opened_at for blob in readable if blob.bytes]
            frame = line_numbers.scan(self.spark, filled, self.limits.longest_line) if filled else None
            try:
                splits = line_numbers.splits(frame, _may_be_record(F.col("value"))) if frame else []
                break
            except (PySparkException, Py4JJavaError) as e:
                bad = _failed_blob(e, readable)
                unreadable.append((bad.path, _reason(e)))
                readable.remove(bad)
        of = _by_file(splits)
        counted = {blob.path: sum(split.lines for split in of[blob.opened_at]) for blob in readable}
        found = BlobSet(tuple(readable), counted, tuple(unreadable), frame, tuple(splits))
        return found.without(dict(self._with_long_lines(found)))

    def _with_long_lines(self, found: BlobSet) -> Iterator[tuple[str, str]]:
        """Each blob with a line that is too long, and what to say of it. Spark left out much longer ones: then bytes of
        the file are missing."""
        of, most = _by_file(found.splits), self.limits.longest_line
        for blob in found.blobs:
            splits = of[blob.opened_at]
            read, size = sum(split.bytes for split in splits), max((split.file_bytes for split in splits), default=0)
            is_whole = read + _BYTE_ORDER_MARK >= (size if splits else blob.unpacked_bytes)
            if not is_whole or any(split.longest > most for split in splits):
                yield (
                    blob.path,
                    f"has a line of more than {most:,} bytes: see landing.longest_line in the configuration",
                )

    def _in_other_forms(self, found: BlobSet) -> Iterator[tuple[str, str]]:
        """Each blob that holds something else than records of the source, and what to say of it."""
        of = _by_file(found.splits)
        for blob in found.blobs:
            records = sum(split.records for split in of[blob.opened_at])
            # The last element of an array with one on each line has no comma behind it, and looks like a record.
            if found.lines[blob.path] and records <= 1:
                head = self.store.head(blob.opened_at, forms.HEAD)
                form = forms.other_form(head)
                if form is not None and (not records or head.split(b"\n")[0].strip() == b"["):
                    yield blob.path, form

    def _misnamed_gzip(self, found: BlobSet) -> list[Blob]:
        """The blobs that are gzip although their names do not end in `.gz`."""
        suspects = {path_of(split.uri) for split in found.splits if split.looks_gzip}
        return [b for b in found.blobs if not b.read_from and b.path in suspects and self.store.is_gzip(b.path)]


def _may_be_record(line: Column) -> Column:
    """Whether a line looks like a record, as `local.opening.may_be_record` has it."""
    text = F.trim(line, F.lit(" \t\r"))
    is_object = F.startswith(text, F.lit("{")) & F.endswith(text, F.lit("}")) & ~text.startswith('{"records"')
    return is_object & F.contains(text, F.lit('"category"')) & F.contains(text, F.lit('"properties"'))


def _by_file(splits: Iterable[FileSplit]) -> Mapping[str, Sequence[FileSplit]]:
    """The splits of each file, by its path."""
    found: dict[str, list[FileSplit]] = defaultdict(list)
    for split in splits:
        found[path_of(split.uri)].append(split)
    return found


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
