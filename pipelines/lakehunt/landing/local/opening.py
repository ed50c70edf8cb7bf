"""Opens the blobs of a source: unpacks compressed ones, and sets aside those that are refused, each with the reason."""

from __future__ import annotations

import bz2
import gzip
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from lakehunt.core import object_store
from lakehunt.core.object_store import ObjectStore
from lakehunt.landing.ledger import FileRecord
from lakehunt.landing.local import blocks, s3_files
from lakehunt.landing.local.blocks import ReadFile, TooLongError
from lakehunt.landing.local.files import local_path
from lakehunt.landing.settings import FileLimits
from lakehunt.sources import forms
from lakehunt.sources.blobs import Blob

_GZIP = b"\x1f\x8b"
_COPIED = 1 << 20


class RefusedError(Exception):
    """Nothing of a file is landed, for this reason."""


@dataclass(frozen=True)
class Opener:
    """Opens blobs one at a time. `staging` is the folder of this run's copies, of what is packed or in S3 (where
    `store` says); `is_complete` says whether a line is a whole record, `may_be_record` whether it looks like one."""

    staging: Path
    limits: FileLimits
    is_complete: Callable[[bytes], bool]
    may_be_record: Callable[[bytes], bool]
    store: ObjectStore = field(default_factory=ObjectStore)

    def open(self, blob: Blob, before: FileRecord, landed: int) -> ReadFile:
        """What the blob holds above its landed lines. Raises RefusedError."""
        try:
            here, is_whole = self._here(blob, before, landed)
            opened = self._unpacked(blob, here)
            path = opened.read_from or here
            if is_whole:
                self._check_form(path, opened)
            begin = _begin(opened, path, before, landed)
            return blocks.read(opened, path, begin, self.limits.longest_line, self.is_complete)
        except TooLongError as error:
            most = f"{self.limits.longest_line:,}"
            why = f"has a line of more than {most} bytes: see landing.longest_line in the configuration"
            raise RefusedError(why) from error
        except OSError as error:
            raise RefusedError(f"not readable ({error.strerror or error})") from error

    def _here(self, blob: Blob, before: FileRecord, landed: int) -> tuple[str, bool]:
        """Where the blob is on this machine: itself, or a copy of what is new in it; and whether it is whole there."""
        if not object_store.is_s3(blob.path):
            return local_path(blob.path), True
        copy = self._copy_of("blob")
        goes_on = _goes_on(blob, before, landed) and not blob.is_packed
        return str(copy), s3_files.fetch(blob, self.store, copy, before.bytes if goes_on else 0)

    def _copy_of(self, kind: str) -> Path:
        return self.staging / f"{uuid.uuid4().hex}.{kind}"

    def _unpacked(self, blob: Blob, path: str) -> Blob:
        """The blob, read from an unpacked copy if it is compressed: gzip by its content, others by their names."""
        with Path(path).open("rb") as file:
            is_gzip = file.read(len(_GZIP)) == _GZIP
            file.seek(0)
            suffix = "" if is_gzip else Path(blob.path).suffix
            if not blob.bytes or (not is_gzip and (not blob.is_packed)):
                return blob
            copy = self._copy_of("unpacked")
            try:
                size = self._copy(gzip.GzipFile(fileobj=file) if is_gzip else _PLAIN[suffix](file), copy)
            except (OSError, EOFError, zlib.error, pa.ArrowInvalid) as error:
                copy.unlink(missing_ok=True)
                raise RefusedError(f"not readable as a compressed file ({error})") from error
        return replace(blob, read_from=str(copy), copied_bytes=size)

    def _copy(self, plain: Any, to: Path) -> int:
        """Copies the unpacked bytes. Returns their number. Raises RefusedError if they are too many."""
        size, most = 0, self.limits.unpacked_file
        with plain, to.open("wb") as copy:
            while data := plain.read(_COPIED):
                size += copy.write(data)
                if size > most:
                    break
        if size > most:
            to.unlink()
            raise RefusedError(f"unpacks to more than {most:,} bytes: see landing.unpacked_file in the configuration")
        return size

    def _check_form(self, path: str, blob: Blob) -> None:
        """Raises RefusedError for a file that holds something else than records of the source."""
        with Path(path).open("rb") as file:
            head = file.read(forms.HEAD)
            file.seek(0)
            records = sum(1 for _ in self._first_records(file)) if head else 2
        if records > 1:
            return
        form = forms.other_form(head)
        # The last element of an array with one on each line has no comma behind it, and looks like a record.
        if form is not None and (not records or head.split(b"\n")[0].strip() == b"["):
            raise RefusedError(form)

    def _first_records(self, file: IO[bytes]) -> Iterator[bytes]:
        """At most two lines that look like records, of those that are not too long."""
        found = 0
        longest = self.limits.longest_line
        while found < 2 and (line := file.readline(longest + 2)):
            if len(line) > longest + 1:
                raise TooLongError
            if self.may_be_record(line):
                found += 1
                yield line


def may_be_record(line: bytes) -> bool:
    """Whether a line looks like a record, as far as can be told without parsing it."""
    text = line.strip(b" \t\r\n")
    is_object = text.startswith(b"{") and text.endswith(b"}") and not text.startswith(b'{"records"')
    return is_object and b'"category"' in text and b'"properties"' in text


def _begin(blob: Blob, path: str, before: FileRecord, landed: int) -> tuple[int, int]:
    """The offset from which a blob is read, and the number of lines before it: all of them are landed."""
    if not landed:
        return 0, 0
    if _goes_on(blob, before, landed) and not blob.read_from:
        with Path(path).open("rb") as file:
            file.seek(before.bytes - 1)
            if file.read(1) == b"\n":
                return before.bytes, landed
    return blocks.skip_lines(path, landed), landed


def _goes_on(blob: Blob, before: FileRecord, landed: int) -> bool:
    """Whether all of a blob had landed when it was recorded, so that what is new may begin where it ended."""
    return bool(landed) and before.pending is None and before.lines == landed and 0 < before.bytes <= blob.bytes


def _with_arrow(codec: str) -> Callable[[IO[bytes]], Any]:
    return lambda file: pa.CompressedInputStream(pa.PythonFile(file, mode="r"), codec)


class _Deflated:
    """The bytes of a zlib stream."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._plain = file, zlib.decompressobj()

    def read(self, size: int) -> bytes:
        while not self._plain.eof:
            packed = self._plain.unconsumed_tail or self._file.read(size)
            data = self._plain.decompress(packed, size)
            if data:
                return data
            if not packed:
                raise EOFError("it ends before its end marker")
        return b""

    def __enter__(self) -> _Deflated:
        return self

    def __exit__(self, *_: object) -> None:
        """The file is closed by who opened it."""


def _hadoops(name: str) -> Callable[[IO[bytes]], Any]:
    def refuse(_: IO[bytes]) -> Any:
        raise RefusedError(f"is compressed as {name} in Hadoop's form: land it with Spark (landing.engine: spark)")

    return refuse


_PLAIN: Mapping[str, Callable[[IO[bytes]], Any]] = {
    ".gz": lambda file: file,  # without gzip's first bytes it is not compressed, whatever its name
    ".bz2": bz2.open,
    ".zst": _with_arrow("zstd"),
    ".deflate": _Deflated,
    ".lz4": _hadoops("LZ4"),
    ".snappy": _hadoops("Snappy"),
}
"""How a file is read whose name ends so."""
