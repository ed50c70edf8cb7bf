"""Cuts files into blocks of whole lines, and tells which lines are complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lakehunt.sources.blobs import Blob

BLOCK = 4 << 20
"""Bytes of a block, about: what one process parses at a time. Larger ones take longer, for want of caches."""

_READ = 1 << 20
"""Bytes read at a time: memory for more is given back to the system and taken again each time."""

_MARK = b"\xef\xbb\xbf"
"""A byte order mark, which Spark's text source leaves out as well."""

_BLANKS = b" \t\r"


class TooLongError(OSError):
    """A line is longer than allowed."""


@dataclass(frozen=True)
class Block:
    """Whole lines of a file: the bytes from `start` to `end`, of which the first is line number `line`."""

    file: str
    """As it is recorded."""
    path: str
    """Where it is read."""
    start: int
    end: int
    line: int


@dataclass(frozen=True)
class ReadFile:
    """What a file holds above its landed lines."""

    blob: Blob
    lines: int
    """All its lines, landed, blank and pending ones included."""
    pending: int | None
    """The number of its last line, if that is not complete."""
    blocks: tuple[Block, ...]


def read(blob: Blob, path: str, begin: tuple[int, int], longest: int, is_complete: Callable[[bytes], bool]) -> ReadFile:
    """Reads a file of `blob.unpacked_bytes` at `path`, without what has been added since it was listed.

    `begin` is the offset and the number of lines before it of a place from which lines are new. Raises TooLongError for
    a line of more than `longest` bytes, OSError if the file cannot be read or has become shorter."""
    size = blob.unpacked_bytes
    offset, before = begin
    with Path(path).open("rb") as file:
        if offset == 0 and file.read(len(_MARK)) == _MARK:
            offset = len(_MARK)
        cuts = list(_cuts(file, offset, size, longest))
        lines = before + sum(count for _, count in cuts)
        end = cuts[-1][0] if cuts else offset
        blocks = list(_blocks(blob, path, offset, before + 1, cuts))
        if end == size:
            return ReadFile(blob, lines, None, tuple(blocks))
        file.seek(end)
        tail = file.read(size - end)
    lines += 1
    if blob.may_grow and tail.lstrip(_BLANKS).startswith(b"{") and not is_complete(tail):
        return ReadFile(blob, lines, lines, tuple(blocks))
    return ReadFile(blob, lines, None, (*blocks, Block(blob.path, path, end, size, lines)))


def _cuts(file, offset: int, size: int, longest: int) -> Iterator[tuple[int, int]]:  # type: ignore[no-untyped-def]
    """Offsets after line ends, in steps of about _READ bytes, each with the number of lines since the one before."""
    file.seek(offset)
    position = line = offset  # `line`: where the line begins that is read
    while position < size:
        data = file.read(min(_READ, longest, size - position))
        if not data:
            raise OSError("became shorter while it was read")
        first, last = data.find(b"\n"), data.rfind(b"\n")
        if (position + (first if first >= 0 else len(data))) - line > longest:
            raise TooLongError
        if last >= 0:
            line = position + last + 1
            yield line, data.count(b"\n")
        position += len(data)


def _blocks(blob: Blob, path: str, start: int, line: int, cuts: Sequence[tuple[int, int]]) -> Iterator[Block]:
    lines = 0
    for number, (end, count) in enumerate(cuts, start=1):
        lines += count
        if end - start >= BLOCK or number == len(cuts):
            yield Block(blob.path, path, start, end, line)
            start, line, lines = end, line + lines, 0


def skip_lines(path: str, count: int) -> int:
    """The offset after so many lines of a file."""
    left, offset = count, 0
    with Path(path).open("rb") as file:
        while left and (data := file.read(_READ)):
            here = data.count(b"\n")
            if here < left:
                left, offset = left - here, offset + len(data)
                continue
            at = -1
            for _ in range(left):
                at = data.find(b"\n", at + 1)
            return offset + at + 1
    return offset
