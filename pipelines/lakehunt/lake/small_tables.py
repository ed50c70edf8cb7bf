"""Reads and writes tables of few rows by delta-rs: in milliseconds, and without a JVM. Imports no Spark.

Each write is one commit of the table's Delta log, as Spark's are, and fails if another writer took the version that it
is to have. A write that depends on the table's rows is then repeated on what the other one left."""

from __future__ import annotations

import random
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs
from deltalake import CommitProperties, DeltaTable, Schema, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction

from lakehunt.core import object_store
from lakehunt.core.errors import LakehuntError
from lakehunt.core.object_store import ObjectStore
from lakehunt.lake import arrow_rows, damage, data_writer, where
from lakehunt.lake import format as lake_format
from lakehunt.lake.table_names import TableNames
from lakehunt.lake.where import Where
from lakehunt.schemas.table import CONTRACT, FOLDERS, Table

T = TypeVar("T")

Read = Callable[[Sequence[str], Where], pa.Table]
"""Gives the rows of a table for which conditions hold, with some of its columns."""

Made = tuple[pa.Table, Where]
"""Rows, and the conditions that hold for those that they replace, and for themselves."""

Stamp = tuple[int, ...]
"""Tells the states of a table apart."""

ATTEMPTS = 60
LONGEST_PAUSE = 0.5
"""Attempts of a write that another one was ahead of, and the longest time between two of them, in seconds."""

_FIRST_PAUSE = 0.01
_STATISTICS_CUT = timedelta(milliseconds=1)
"""A time may be that much later than its statistics say: writers cut them to milliseconds."""

_OF_THE_PROTOCOL = ("delta.minReaderVersion", "delta.minWriterVersion")
_PLAIN_PATH = re.compile(r"(?!.*://)[\w ./@+,=:~-]*")
_PLAIN_KEY = re.compile(r"[\w ./@+,=~-]*")
_REFUSED = re.compile(r"[ ,;{}()\n\t=]")
"""Delta has no columns with such characters in their names, which delta-rs does not say."""

_HINT = "`lakehunt doctor` says which files of the lake are gone"
_ALONE = CommitProperties(max_commit_retries=0)
"""Of a commit that fails if the version that it is to have is taken."""

_WRITER = WriterProperties(compression="ZSTD", compression_level=data_writer.LEVEL)


@dataclass(frozen=True)
class DataFile:
    """A data file of a table: its path below the table's folder, and the values of its partition."""

    path: str
    partition_values: Mapping[str, str | None]


@dataclass(frozen=True)
class Snapshot:
    """A version of a table, with its data files."""

    opened: DeltaTable
    files: Sequence[DataFile]


@dataclass(frozen=True)
class Size:
    """What the newest version of a table holds: rows, data files and their bytes."""

    rows: int
    files: int
    bytes: int


class UnreadableTableError(LakehuntError):
    """A data file of a table is gone, or no Parquet file."""

    def __init__(self, table: str, error: Exception) -> None:
        super().__init__(f"the table {table} cannot be read: {error}", _HINT)
        self.table = table


class OvertakenError(Exception):
    """Another writer has changed what a commit depends on."""


def reachable(root: str) -> bool:
    """Whether delta-rs can commit in this lake, so that no other writer's commit is lost: in S3, and in a folder, if
    its file system has hard links and may be written; where its path has no character that delta-rs 1.6 stumbles over.
    Elsewhere Spark does it."""
    if object_store.is_s3(root):
        return _PLAIN_KEY.fullmatch(object_store.key_of(root)) is not None
    if not _PLAIN_PATH.fullmatch(root):
        return False
    there = next(folder for folder in (Path(root), *Path(root).absolute().parents) if folder.exists())
    probe = there / f".lakehunt-{uuid.uuid4().hex}"
    link = probe.with_suffix(".link")
    try:
        probe.touch()
        link.hardlink_to(probe)
    except OSError:
        return False
    finally:
        for file in (probe, link):
            with suppress(OSError):
                file.unlink(missing_ok=True)
    return True


class LocalTables:
    """The tables under one folder, or under a place in S3; `store` says where that is."""

    def __init__(self, root: str, store: ObjectStore | None = None) -> None:
        root = object_store.one_spelling(root)
        self.in_s3 = object_store.is_s3(root)
        self.root = root.rstrip("/") if self.in_s3 else str(Path(root).absolute())
        self.store = store or ObjectStore()
        lake_format.check(self.root, self.store)
        self._options = self.store.delta_options() if self.in_s3 else None
        self._made: set[str] = set()
        self._names = TableNames(self.root, self.is_table)

    def path(self, name: str) -> str:
        """The path of table `schema.table`, which in a lake of an earlier version may have an earlier name."""
        return self._names.path(name)

    def stored_name(self, name: str) -> str:
        """The name of a table in this lake."""
        return self._names.stored(name)

    def exists(self, name: str) -> bool:
        return self.is_table(self.path(name))

    def is_table(self, path: str) -> bool:
        """Whether there is a table at a path of this lake's file system."""
        return DeltaTable.is_deltatable(path, self._options)

    def version(self, name: str) -> int:
        """The newest version of a table; -1 if there is none."""
        if not self.in_s3:
            return damage.log_of(self.root, self.stored_name(name)).version
        return self.opened(name).version() if self.exists(name) else -1

    def stamp(self, name: str) -> Stamp | None:
        """What changes with every commit to a table: its newest version, and which file that is, as a table may be
        made anew. None in S3, where finding out takes as long as reading the log, and without a table."""
        if self.in_s3:
            return None
        log = damage.log_of(self.root, self.stored_name(name))
        try:
            newest = log.path(log.version).stat()
        except OSError:
            return None
        return log.version, newest.st_ino, newest.st_mtime_ns, newest.st_size

    def commits(self, name: str, newest: int) -> list[dict[str, Any]]:
        """What the table's log says of that many of its newest commits, each with its `version`."""
        return list(self.opened(name).history(newest))

    def bytes(self, name: str) -> int:
        """The size of the table's files; 0 if there is no table."""
        return sum(self.opened(name).get_add_actions()["size_bytes"].to_pylist()) if self.exists(name) else 0

    def names(self) -> list[str]:
        """The names of all tables of the lake, as it stores them, in the order of the data flow."""
        if not self.in_s3:
            return damage.tables(self.root)
        files, found = self.store.filesystem(), []
        for schema in FOLDERS:
            below = pyarrow.fs.FileSelector(f"{object_store.key_of(self.root)}/{schema}", allow_not_found=True)
            folders = [one.base_name for one in files.get_file_info(below) if one.type == pyarrow.fs.FileType.Directory]
            found += [f"{schema}.{name}" for name in sorted(folders) if self.is_table(f"{self.root}/{schema}/{name}")]
        return found

    def size(self, name: str) -> Size:
        """The size of a table, by its log; its files are opened only where that has no counts of rows."""
        opened = self.opened(name)
        actions = pa.table(opened.get_add_actions(flatten=True))
        if not actions.num_rows:
            return Size(0, 0, 0)
        counts = actions["num_records"]
        known = not counts.null_count and self.is_plain(name)
        rows = pc.sum(counts).as_py() if known else self._dataset(opened, name).count_rows()
        return Size(rows, actions.num_rows, pc.sum(actions["size_bytes"]).as_py())

    def span(self, table: Table, column: str) -> tuple[Any, Any]:
        """The first and the last value of a column of times, None without any; by reading only files that may hold one
        of them, where all have statistics."""
        actions = pa.table(self.opened(table.name).get_add_actions(flatten=True))
        bounds = [f"min.{column}", f"max.{column}"]
        ends: list[Where] = [(), ()]
        if actions.num_rows and set(bounds) <= set(actions.column_names):
            least, greatest = (actions[name] for name in bounds)
            if not least.null_count + greatest.null_count:
                first, last = pc.min(least).as_py() + _STATISTICS_CUT, pc.max(greatest).as_py()
                ends = [[(column, "<=", first)], [(column, ">=", last)]]
        firsts, lasts = (self.rows(table, [column], only)[column] for only in ends)
        return pc.min(firsts).as_py(), pc.max(lasts).as_py()

    def rows(self, table: Table, columns: Sequence[str] = (), only: Where = ()) -> pa.Table:
        """The rows for which the conditions hold, with these columns (none named: all of the table's). Empty if the
        table does not exist. Columns that an older table lacks are null."""
        if not self.exists(table.name):
            return arrow_rows.no_rows(arrow_rows.schema(table, columns))
        return self._rows(self.opened(table.name), table, columns, only)

    def rows_of_few_files(
        self, most: int, table: Table, columns: Sequence[str] = (), only: Where = ()
    ) -> pa.Table | None:
        """The same of a table of any size; None if its files, without those for which the conditions cannot hold, have
        more than `most` rows according to the log."""
        if not self.exists(table.name):
            return self.rows(table, columns)
        opened = self.opened(table.name)
        actions = pa.table(opened.get_add_actions(flatten=True))
        possible = where.of_files(only, actions.column_names)
        counts = actions.filter(possible)["num_records"] if actions.num_rows else pa.array([0])
        if counts.null_count or (pc.sum(counts).as_py() or 0) > most:
            return None
        return self._rows(opened, table, columns, only)

    def bytes_in(self, table: Table, columns: Sequence[str], only: Where) -> int:
        """The bytes of texts in some columns of the rows for which the conditions hold. Not all are held in memory."""
        if not self.exists(table.name):
            return 0
        dataset = self._dataset(self.opened(table.name), table.name)
        lengths = {name: pc.binary_length(pc.field(name)) for name in columns}
        found = dataset.scanner(lengths, filter=where.expression(only)).to_reader()
        return sum(pc.sum(column).as_py() or 0 for batch in found for column in batch.columns)

    def few(self, table: Table, columns: Sequence[str] = (), only: Where = ()) -> list[dict[str, Any]]:
        """The same as Python values. Times are in UTC."""
        return self.rows(table, columns, only).to_pylist()  # type: ignore[no-any-return]

    def ensure(self, table: Table) -> None:
        """Creates the empty table; if it exists, adds the columns that it lacks."""
        if table.name in self._made:
            return
        if not self.exists(table.name):
            self._create(table)
        self._retried(lambda: self._completed(table))
        self._made.add(table.name)

    def append(self, table: Table, rows: pa.Table | Sequence[tuple[Any, ...]]) -> None:
        """Appends rows, which the caller knows to be new; tuples have the values of all columns in their order."""
        self.append_unless(table, rows, None)

    def append_unless(
        self, table: Table, rows: pa.Table | Sequence[tuple[Any, ...]], taken: Where | None = None
    ) -> bool:
        """Appends rows unless the table has a row for which `taken` holds, or another writer adds one first. Returns
        whether it did."""
        return self.commit_files(table, self.write_files(table, self._as_table(table, rows)), taken)

    def write_files(self, table: Table, rows: pa.Table) -> list[AddAction]:
        """Writes rows to files that are no part of the table before they are committed: one, or one for each
        partition."""
        self.ensure(table)
        return data_writer.write_files(table, self._in_order(table, rows), self.files_of(table.name))

    def commit_files(self, table: Table, files: Sequence[AddAction], taken: Where | None = None) -> bool:
        """Adds files with rows to the table, in one commit. With `taken` this is done unless the table has a row for
        which it holds; then the files are removed. Returns whether it was done."""
        self.ensure(table)
        if not files:
            return True

        def commit() -> bool:
            opened = self._completed(table)
            if taken is not None and self._rows(opened, table, table.column_names[:1], taken).num_rows:
                return False
            self._add(opened, table, files)
            return True

        if done := self._retried(commit):
            return done
        self._remove(table, files)
        return done

    def replace_made(self, table: Table, make: Callable[[Read], Made | None]) -> bool:
        """Replaces rows by those that are made of what the table holds, in one commit: an append, where there is
        nothing to replace. If another writer is ahead, they are made again of what it left. Nothing is written if
        `make` gives None; returns whether it did not."""
        self.ensure(table)

        def commit() -> bool:
            opened = self._completed(table)
            made = make(lambda columns, only: self._rows(opened, table, columns, only))
            if made is None:
                return False
            rows, replaced = made
            if self._rows(opened, table, table.column_names[:1], replaced).num_rows:
                self._overwrite(opened, table, self._checked(table, rows, replaced), replaced)
            else:
                self._append(opened, table, rows)
            return True

        return self._retried(commit)

    def _append(self, opened: DeltaTable, table: Table, rows: pa.Table) -> None:
        """Appends rows as the version that follows the opened one. Raises CommitFailedError if that is taken."""
        files = self.write_files(table, rows)
        try:
            if files:
                self._add(opened, table, files)
        except CommitFailedError:
            self._remove(table, files)
            raise

    def delete(self, name: str, deleted: Where) -> None:
        """Deletes the rows of a table, whatever its columns, for which the conditions hold; there may be none."""

        def commit() -> None:
            opened = self.opened(name)
            if self._dataset(opened, name).count_rows(filter=where.expression(deleted)):
                opened.delete(where.delta_rs_sql(deleted), commit_properties=_ALONE)

        self._retried(commit)

    def overwrite(self, table: Table, rows: pa.Table) -> bool:
        """Replaces the whole table, columns included, in one commit; earlier versions stay in its history. False, and
        nothing is done, if it has properties of its own, which delta-rs would keep."""
        new = self._in_order(table, rows)

        def commit() -> bool:
            opened = self.opened(table.name)
            if opened.metadata().configuration != self._configuration(table):
                return False
            write_deltalake(
                opened,
                new,
                mode="overwrite",
                schema_mode="overwrite",
                writer_properties=_WRITER,
                commit_properties=self._commit(table),
            )
            return True

        if not self._retried(commit):
            return False
        described = self.opened(table.name)
        if described.metadata().description != table.comment:
            self._retried(
                lambda: self.opened(table.name).alter.set_table_description(table.comment, commit_properties=_ALONE)
            )
        return True

    def columns(self, name: str) -> list[str]:
        """The names of the columns of a stored table."""
        return [field.name for field in self.opened(name).schema().fields]

    def may_write(self, table: Table) -> bool:
        """Whether Spark and delta-rs take the table alike: Delta does not object to the names of its columns, and if it
        exists it is as Lakehunt makes tables, without a feature that only Spark may know."""
        names = {name.lower() for name in table.column_names}
        if len(names) < len(table.column_names) or any(map(_REFUSED.search, names)):
            return False
        return not self.exists(table.name) or self.is_plain(table.name)

    def is_plain(self, name: str) -> bool:
        """Whether a stored table is as Lakehunt makes tables, without a feature that only Spark may know."""
        protocol = self.opened(name).protocol()
        return (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)

    def has_shape(self, table: Table) -> bool:
        """Whether the stored table has exactly these columns, in this order, of these types."""
        stored, wanted = pa.schema(self.opened(table.name).schema().to_arrow()), arrow_rows.schema(table)
        return [(one.name, one.type) for one in stored] == [(one.name, one.type) for one in wanted]

    def snapshot(self, table: Table) -> Snapshot:
        """The newest version of a table, which is created if it does not exist."""
        self.ensure(table)
        opened = self._retried(lambda: self._completed(table))
        actions = pa.table(opened.get_add_actions(flatten=False))
        paths = actions.column("path").to_pylist()
        if not table.partitioned_by:
            return Snapshot(opened, [DataFile(unquote(path), {}) for path in paths])
        partitions = actions.column("partition").to_pylist() if "partition" in actions.column_names else []
        values = [{name: None if value is None else str(value) for name, value in one.items()} for one in partitions]
        return Snapshot(opened, [DataFile(unquote(path), own) for path, own in zip(paths, values, strict=True)])

    def commit_files_after(self, snapshot: Snapshot, table: Table, files: Sequence[AddAction]) -> None:
        """Adds files with rows to the table, in one commit. Raises OvertakenError, and removes the files, if the table
        has another version than the snapshot's by now."""
        try:
            self._add(snapshot.opened, table, files)
        except CommitFailedError as error:
            self._remove(table, files)
            raise OvertakenError from error

    def greatest(self, table: Table, column: str) -> Any:
        """The greatest value of a column that has statistics, by these alone where all files have them; None without
        rows."""
        if not self.exists(table.name):
            return None
        opened = self.opened(table.name)
        actions = pa.table(opened.get_add_actions(flatten=True))
        if not actions.num_rows:
            return None
        name = f"max.{column}"
        if name in actions.column_names and not actions.column(name).null_count:
            return pc.max(actions.column(name)).as_py()
        return pc.max(self._rows(opened, table, [column], ()).column(column)).as_py()

    def replace(self, table: Table, rows: pa.Table | Sequence[tuple[Any, ...]], replaced: Where) -> None:
        """Replaces all rows for which the conditions hold by `rows`, in one commit. If another writer was ahead,
        this one wins. Raises ValueError for a row for which they do not hold: it would not be replaced next time."""
        new = self._checked(table, self._as_table(table, rows), replaced)
        self.ensure(table)
        self._retried(lambda: self._overwrite(self._completed(table), table, new, replaced))

    def _checked(self, table: Table, rows: pa.Table, replaced: Where) -> pa.Table:
        """The rows with the table's columns. Raises ValueError for one for which the conditions do not hold."""
        new = self._in_order(table, rows)
        if replaced and new.filter(where.expression(replaced)).num_rows != new.num_rows:
            raise ValueError(f"rows for {table.name} do not satisfy {where.delta_rs_sql(replaced)}")
        return new

    def _overwrite(self, opened: DeltaTable, table: Table, new: pa.Table, replaced: Where) -> None:
        """Replaces rows as the version that follows the opened one. Raises CommitFailedError if that is taken."""
        write_deltalake(
            opened,
            self._as_stored(opened, new),
            mode="overwrite",
            predicate=where.delta_rs_sql(replaced),
            writer_properties=_WRITER,
            commit_properties=self._commit(table),
        )

    def opened(self, name: str) -> DeltaTable:
        """The newest version of a table. Raises LakehuntError if its log cannot be read."""
        try:
            return DeltaTable(self.path(name), storage_options=self._options)
        except DeltaError as error:
            raise LakehuntError(f"the log of the table {name} cannot be read: {error}", _HINT) from error

    def files_of(self, name: str, mapped: bool = False) -> pa.fs.FileSystem:
        """The file system whose root is the table's folder; `mapped`: its files are mapped into memory. Arrow's own:
        threads of Arrow that call Python, as delta-rs's handler needs, may abort the process when it ends."""
        if self.in_s3:
            return pa.fs.SubTreeFileSystem(object_store.key_of(self.path(name)), self.store.filesystem())
        return pa.fs.SubTreeFileSystem(self.path(name), pa.fs.LocalFileSystem(use_mmap=mapped))

    def _dataset(self, opened: DeltaTable, name: str) -> Any:
        return opened.to_pyarrow_dataset(filesystem=self.files_of(name))

    def _rows(self, opened: DeltaTable, table: Table, columns: Sequence[str], only: Where) -> pa.Table:
        wanted = arrow_rows.schema(table, columns)
        stored = {field.name for field in opened.schema().fields}
        if any(name not in stored for name, _, _ in only):  # null, which satisfies no condition
            return arrow_rows.no_rows(wanted)
        present = [name for name in wanted.names if name in stored]
        try:
            found = self._dataset(opened, table.name).to_table(present, filter=where.expression(only) if only else None)
        except (OSError, pa.ArrowInvalid) as error:
            raise UnreadableTableError(table.name, error) from error
        nulls = {field.name: pa.nulls(found.num_rows, field.type) for field in wanted if field.name not in stored}
        arrays = [nulls[name] if name in nulls else found[name] for name in wanted.names]
        return pa.table(arrays, names=wanted.names).cast(wanted)

    def _create(self, table: Table) -> None:
        try:
            DeltaTable.create(
                self.path(table.name),
                arrow_rows.schema(table),
                partition_by=list(table.partitioned_by),
                description=table.comment,
                configuration=self._configuration(table),
                storage_options=self._options,
                raise_if_key_not_exists=False,
            )
        except DeltaError:
            if not self.exists(table.name):  # else created by another run meanwhile
                raise

    @staticmethod
    def _configuration(table: Table) -> dict[str, str]:
        return {key: value for key, value in table.properties.items() if key not in _OF_THE_PROTOCOL}

    def _completed(self, table: Table) -> DeltaTable:
        """The newest version of a table, with the columns that it lacked: also if another process has replaced it since
        it was ensured."""
        opened = self.opened(table.name)
        stored = {field.name for field in opened.schema().fields}
        missing = [name for name in table.column_names if name not in stored]
        if not missing:
            return opened
        opened.alter.add_columns(
            Schema.from_arrow(arrow_rows.schema(table, missing)).fields,
            commit_properties=_ALONE,
        )
        if table.contract is not None:
            opened.alter.set_table_properties({CONTRACT: str(table.contract)}, raise_if_not_exists=False)
        return self.opened(table.name)

    def _commit(self, table: Table) -> CommitProperties:
        """Of a commit that fails if the version that it is to have is taken."""
        known = {self.stored_name(name): self.version(name) for name in table.vouches_for}
        note = damage.note(known)
        return CommitProperties({"userMetadata": note} if note else None, max_commit_retries=0)

    def _add(self, opened: DeltaTable, table: Table, files: Sequence[AddAction]) -> None:
        """Commits files as the version that follows the opened one. Raises CommitFailedError if that is taken."""
        opened.create_write_transaction(
            list(files), "append", opened.schema(), list(table.partitioned_by), commit_properties=self._commit(table)
        )

    def _remove(self, table: Table, files: Sequence[AddAction]) -> None:
        """Removes files that are known not to be committed. After any other error they stay: it may be one of what
        follows a commit."""
        filesystem = self.files_of(table.name)
        for file in files:
            with suppress(OSError):
                filesystem.delete_file(file.path)

    @staticmethod
    def _as_table(table: Table, rows: pa.Table | Sequence[tuple[Any, ...]]) -> pa.Table:
        return rows if isinstance(rows, pa.Table) else arrow_rows.arrow_rows(table, rows)

    @staticmethod
    def _in_order(table: Table, rows: pa.Table) -> pa.Table:
        if odd := sorted(set(rows.column_names) ^ set(table.column_names)):
            raise ValueError(f"rows for {table.name} do not have its columns: {', '.join(odd)}")
        return rows.select(table.column_names).cast(arrow_rows.schema(table))

    @staticmethod
    def _as_stored(opened: DeltaTable, rows: pa.Table) -> pa.Table:
        """The rows with the stored table's columns, in its order."""
        stored = pa.schema(opened.schema().to_arrow())
        nulls = {field.name: pa.nulls(rows.num_rows, field.type) for field in stored}
        arrays = [rows[field.name] if field.name in rows.column_names else nulls[field.name] for field in stored]
        return pa.table(arrays, names=stored.names).cast(stored)

    @staticmethod
    def _retried(write: Callable[[], T]) -> T:
        for attempt in range(ATTEMPTS - 1):
            try:
                return write()
            except CommitFailedError:  # another writer's commit has this version
                pause = min(LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt)
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
        return write()
