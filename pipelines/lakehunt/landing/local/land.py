"""Lands a source: each record into `raw.records` once, valid or not, then its batch into events or quarantine.

Blobs only grow, so a record is new if its line number is above the highest landed line of its blob. The raw table alone
decides what has landed; `raw.files` only avoids reading unchanged blobs. So a run may be killed at any point.

A batch holds about BATCH bytes of records, whatever a blob holds, so memory is bounded. Its records are parsed once:
while one batch is committed, other processes parse the next. Each commit creates its batch only if no other run has
created it: of two concurrent runs, one starts over and sees what the other has landed."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from lakehunt.core.errors import LakehuntError
from lakehunt.core.progress import Progress
from lakehunt.lake.small_tables import ATTEMPTS, LocalTables, OvertakenError
from lakehunt.landing import ledger, outcomes, refused_files
from lakehunt.landing.ledger import FileRecord, IngestResult
from lakehunt.landing.local import files
from lakehunt.landing.local.blocks import Block, ReadFile
from lakehunt.landing.local.opening import Opener, RefusedError, may_be_record
from lakehunt.landing.local.parsing import Parsers, parsers
from lakehunt.landing.local.promote import Promoter
from lakehunt.landing.outcomes import BatchResult
from lakehunt.landing.parsed import Parsed, parse_lines
from lakehunt.landing.rules import Rules
from lakehunt.landing.settings import FileLimits
from lakehunt.quality.arrow_validation import ArrowValidator
from lakehunt.records import arrow_columns, defender_streaming
from lakehunt.schemas.landing_tables import BATCHES, FILES, RECORDS
from lakehunt.sources.blobs import Blob

BATCH = 256 << 20
"""Bytes of the records of a batch, about."""

MOST_WAITING = 4 * BATCH
"""Bytes of the records of a batch that is read back from raw, at most: a batch of Spark's may have any number."""

_STAGING = "_staging-"
_KILLED_AFTER = 24 * 3600
"""Seconds after which a run that has not ended is taken to be killed."""


@dataclass
class _Run:
    """What a run has landed so far."""

    batch: int
    delivered: int = 0
    read: dict[str, tuple[Blob, int, int | None]] = field(default_factory=dict)
    """Each blob that was read, with its lines and the pending one."""
    refused: dict[str, str] = field(default_factory=dict)
    promoted: list[BatchResult] = field(default_factory=list)


class Landing:
    """Lands sources into a lake, without Spark."""

    def __init__(
        self,
        tables: LocalTables,
        names: Sequence[str],
        say: Progress,
        limits: FileLimits,
        rules: Rules[ArrowValidator] | None,
    ) -> None:
        """`names` are the event tables that are landed. Without `rules` records only go to raw."""
        self._tables, self._names, self._say, self._limits = tables, names, say, limits
        self.rules = rules
        self._promoter = None if rules is None else Promoter(tables, rules, say)

    def land(self, source: str, landed_at: datetime) -> tuple[IngestResult, list[BatchResult]]:
        """Lands new records of `source`: a folder, a glob or a file of blobs. Returns what was landed, and the batches
        that were promoted.

        Raises LakehuntError, before writing anything, if the source does not exist or has no files."""
        found = files.find(source, self._tables.store)
        run = _Run(0)
        attempts = 0
        while attempts < ATTEMPTS:
            before = run.delivered
            try:
                return self._land(found, landed_at, source, run), run.promoted
            except OvertakenError:
                self._say("another run has landed records meanwhile: looking again")
            attempts = attempts + 1 if run.delivered == before else 0
        raise LakehuntError(f"other runs keep landing records into {self._tables.root}", "let one run land at a time")

    def promote_waiting(self) -> list[BatchResult]:
        """Promotes every batch that is not accepted yet, including those refused before."""
        assert self._promoter is not None
        done = []
        rows = self._tables.few(BATCHES, outcomes.WAITING_COLUMNS)
        for batch, settled in outcomes.waiting(self._newest_batch(), rows).items():
            size = self._tables.bytes_in(RECORDS, ("text", "bytes"), [("batch", "=", batch)])
            if size > MOST_WAITING:
                why = f"it has {size >> 20:,} MB of records, too many for this engine: set landing.engine to spark"
                done.append(self._promoter.refuse(batch, why, settled))
                continue
            landed_at, parsed = self._from_raw(batch)
            self._say(f"batch {batch}: {parsed.raw.num_rows} records read")
            done.append(self._promoter.promote(batch, landed_at, parsed, settled))
        return done

    # From blobs to raw

    def _land(self, found: Sequence[Blob], landed_at: datetime, source: str, run: _Run) -> IngestResult:
        run.batch = self._newest_batch()  # read first, so that a concurrent commit is detected
        known, landed = self._known(landed_at)
        changed, shrunk, unchanged = ledger.changed_since(found, known)
        self._say(f"{len(found)} files in {source}: {len(changed)} new or changed")
        run.read, run.refused = {}, dict(shrunk)
        with self._staging() as staging:
            store = self._tables.store
            opener = Opener(staging, self._limits, defender_streaming.is_complete, may_be_record, store)
            opened = self._opened(changed, opener, known, landed, run)
            size = sum(blob.bytes for blob in changed)
            with parsers(staging, self._names, size) as parsing:
                self._land_batches(opened, parsing, landed_at, run)
        rows = [ledger.row_of(blob, lines, pending, run.batch, landed_at) for blob, lines, pending in run.read.values()]
        if rows:
            self._tables.append(FILES, rows)
        self._say(f"{run.delivered} new records from {len(run.read)} files")
        pending = {path: line for path, (_, _, line) in run.read.items()}
        resolved = refused_files.record(self._tables, found, run.refused, landed_at)
        return ledger.result(run.batch, run.delivered, pending, unchanged, known, run.refused, resolved)

    def _opened(
        self,
        changed: Iterable[Blob],
        opener: Opener,
        known: Mapping[str, FileRecord],
        landed: Mapping[str, int],
        run: _Run,
    ) -> Iterator[ReadFile]:
        for blob in changed:
            try:
                read = opener.open(blob, known.get(blob.path, FileRecord()), landed.get(blob.path, 0))
            except RefusedError as error:
                run.refused[blob.path] = str(error)
                continue
            run.read[blob.path] = (blob, read.lines, read.pending)
            yield read

    def _land_batches(self, opened: Iterable[ReadFile], parsing: Parsers, landed_at: datetime, run: _Run) -> None:
        """Lands batch after batch; the next one is parsed meanwhile. Copies of blobs are removed once they are parsed:
        on the disk is what two batches need."""
        begun: deque[tuple[Callable[[], Parsed], list[str]]] = deque()
        ended: list[str] = []

        def land_next() -> None:
            parsed, copies = begun.popleft()
            found = parsed()
            for copy in copies:
                Path(copy).unlink(missing_ok=True)
            self._land_batch(found, landed_at, run)

        for blocks in _batches(opened, ended):
            parsed = parsing.begin(blocks)
            begun.append((parsed, [path for path in ended if Path(path).parent == parsing.staging]))
            ended.clear()
            if len(begun) > 1:
                land_next()
        while begun:
            land_next()

    def _land_batch(self, parsed: Parsed, landed_at: datetime, run: _Run) -> None:
        count = parsed.raw.num_rows
        if not count:
            return
        batch = run.batch + 1
        added = {
            "batch": arrow_columns.repeated(batch, count, pa.int64()),
            "landed_at": arrow_columns.repeated(landed_at, count, arrow_columns.TIMESTAMP),
        }
        columns = {name: parsed.raw.column(name) for name in parsed.raw.column_names} | added
        names = RECORDS.column_names
        rows = pa.table([columns[name] for name in names], names=names)
        if not self._tables.append_unless(RECORDS, rows, [("batch", ">=", batch)]):
            raise OvertakenError
        run.batch = batch
        run.delivered += count
        self._say(f"batch {batch}: {count} new records")
        if self._promoter is not None:
            run.promoted.append(self._promoter.promote(batch, landed_at, parsed))

    def _known(self, landed_at: datetime) -> tuple[dict[str, FileRecord], dict[str, int]]:
        """The record of each blob, and its highest landed line (see `ledger.landed_lines`)."""
        known, recorded = ledger.newest(self._tables.few(FILES))
        missed = self._tables.rows(RECORDS, ["file", "line", "batch"], [("batch", ">", recorded)])
        grouped = missed.group_by("file").aggregate([("line", "max"), ("batch", "max")]).to_pylist()
        of_files = [(row["file"], row["line_max"], row["batch_max"]) for row in grouped]
        landed, rows = ledger.landed_lines(known, of_files, landed_at)
        if rows:
            self._tables.append(FILES, rows)
        return known, landed

    def _newest_batch(self) -> int:
        return self._tables.greatest(RECORDS, "batch") or 0

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        """A folder of this machine for this run: in the lake, or else the temporary one. Those of killed runs are
        removed."""
        in_s3 = self._tables.in_s3
        parent = Path(tempfile.gettempdir()) if in_s3 else Path(self._tables.root, RECORDS.folder)
        prefix = f"lakehunt{_STAGING}" if in_s3 else _STAGING
        parent.mkdir(parents=True, exist_ok=True)
        for folder in parent.glob(f"{prefix}*"):
            with suppress(OSError):
                if folder.stat().st_mtime < time.time() - _KILLED_AFTER:
                    shutil.rmtree(folder, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True) as own:
            yield Path(own)

    # From raw, what an earlier run has landed

    def _from_raw(self, batch: int) -> tuple[datetime, Parsed]:
        rows = self._tables.rows(RECORDS, ["file", "line", "landed_at", "text", "bytes"], [("batch", "=", batch)])
        rows = rows.sort_by([("file", "ascending"), ("line", "ascending")]).combine_chunks()
        text = pc.cast(rows.column("text"), pa.large_binary())
        lines = pc.coalesce(text, pc.cast(rows.column("bytes"), pa.large_binary()))
        if lines.null_count:  # `forget` has emptied them
            rows, lines = rows.filter(pc.is_valid(lines)), lines.drop_null()
        landed_at = pc.min(rows.column("landed_at")).as_py() or datetime.now(UTC)
        columns = (lines, rows.column("file"), rows.column("line"))
        records, names, numbers = map(arrow_columns.whole, columns)
        return landed_at, parse_lines(records, names, numbers, self._names)


def _batches(opened: Iterable[ReadFile], ended: list[str]) -> Iterator[Iterator[Block]]:
    """The blocks of files in groups of about BATCH bytes, each as the files are opened: it is to be taken to its end
    before the next one. The paths of files whose blocks have all been taken are added to `ended`."""
    blocks = _blocks(opened, ended)
    for first in blocks:
        yield _batch(first, blocks)


def _blocks(opened: Iterable[ReadFile], ended: list[str]) -> Iterator[Block]:
    for read in opened:
        yield from read.blocks
        ended += {block.path for block in read.blocks}


def _batch(first: Block, others: Iterator[Block]) -> Iterator[Block]:
    size = 0
    for block in chain([first], others):
        yield block
        size += block.end - block.start
        if size >= BATCH:
            return
