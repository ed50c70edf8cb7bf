"""`lakehunt maintain`: deletes rows past their retention, compacts small files (OPTIMIZE), removes old files (VACUUM).

Safe while jobs are running. Appends never conflict with it. If it rewrites files under a job that merges or replaces
rows, the job's write is retried (`lake.retry.retried`); if the job commits first, the step here is. A table that cannot
be maintained is reported, and the others are still maintained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from delta.tables import DeltaTable
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from lakehunt.core.errors import LakehuntError
from lakehunt.core.progress import Progress
from lakehunt.core.sql import quoted_name, string_literal
from lakehunt.lake.delta_lake import KILLED_AFTER, Lake
from lakehunt.lake.filesystem import FileSystem
from lakehunt.lake.history import RECONCILED
from lakehunt.lake.retention import VACUUM_HOURS, Retention
from lakehunt.lake.retry import retried
from lakehunt.lake.small_tables import LocalTables
from lakehunt.runtime.error_text import in_one_line
from lakehunt.schemas import registry
from lakehunt.schemas.hunt_tables import HITS_TABLES, PASSES
from lakehunt.schemas.landing_tables import BATCHES, FILES, RECORDS
from lakehunt.schemas.table import FOLDERS, Expires, TableFamily

SMALL_FILE = 128 << 20
LARGE_FILE = 256 << 20
"""Bytes. Files below SMALL_FILE are compacted into files of at most LARGE_FILE; larger ones are not rewritten."""

_COMPACTION = {
    "spark.databricks.delta.optimize.minFileSize": str(SMALL_FILE),
    "spark.databricks.delta.optimize.maxFileSize": str(LARGE_FILE),
}
_RECONCILED_COMMIT = {"spark.databricks.delta.commitInfo.userMetadata": RECONCILED}
"""Hits are deleted together with the events that they copy, so hunts need not reread the remaining events."""

_ANY_WINDOW = {"spark.databricks.delta.retentionDurationCheck.enabled": "false"}


@dataclass(frozen=True)
class TableMaintenance:
    """What was done to one table. Files and bytes are of its newest version, `freed` the bytes removed from storage.

    For a dry run: what would be deleted, and the current files and bytes."""

    table: str
    files_before: int = 0
    files_after: int = 0
    bytes_after: int = 0
    rows_deleted: int = 0
    freed: int = 0
    seconds: float = 0.0
    error: str | None = None


def maintain_tables(
    lake: Lake, retention: Retention, now: datetime, say: Progress, names: Sequence[str], dry_run: bool = False
) -> list[TableMaintenance]:
    """Maintains the tables `names` (see `select_tables`); ages are relative to `now`."""
    return [_maintain_table(lake, name, retention, now, say, dry_run) for name in names]


def check_window(hours: int, force: bool) -> None:
    """Raises LakehuntError for a VACUUM window so short that a running job could lose its files, unless `force`."""
    if hours < VACUUM_HOURS and not force:
        raise LakehuntError(
            f"retention: vacuum_hours is {hours}, less than Delta's {VACUUM_HOURS}: files that a running job, or a"
            " reader of BI, still needs would go",
            "when nothing else uses the lake, give --force",
        )


def lake_tables(lake: Lake | LocalTables) -> list[str]:
    """Names of all existing tables of Lakehunt, found by listing the lake's folders.

    Raises LakehuntError if there are none."""
    if isinstance(lake, LocalTables):
        names = lake.names()
    else:
        found = [f"{schema}.{folder}" for schema in FOLDERS for folder in folders(lake, schema)]
        names = [name for name in found if lake.exists(name)]
    if not names:
        raise LakehuntError(f"the lake {lake.root} has no table", "land events first: lakehunt land SOURCE --lake DIR")
    return names


def folders(lake: Lake, schema: str) -> list[str]:
    """Names of the folders of a schema, tables or not."""
    return sorted(entry.name for entry in FileSystem(lake.spark).entries(f"{lake.root}/{schema}") if entry.is_folder)


def select_tables(lake: Lake, only: Sequence[str]) -> list[str]:
    """Names of all tables, or only those in `only`.

    Raises LakehuntError for an unknown table."""
    present = lake_tables(lake)
    unknown = sorted(set(only) - set(present))
    if unknown:
        raise LakehuntError(f"the lake {lake.root} has no table {unknown[0]}", f"tables: {', '.join(present)}")
    return [name for name in present if not only or name in only]


# One table


def _maintain_table(
    lake: Lake, name: str, retention: Retention, now: datetime, say: Progress, dry_run: bool
) -> TableMaintenance:
    say(f"maintaining {name}")
    clock = time.perf_counter()
    done = TableMaintenance(name)
    try:
        done = _dry_run(lake, done, retention, now) if dry_run else _maintain(lake, done, retention, now)
    except (LakehuntError, PySparkException, Py4JError) as error:
        done = replace(done, error=in_one_line(error))
    return replace(done, seconds=round(time.perf_counter() - clock, 1))


def _dry_run(lake: Lake, done: TableMaintenance, retention: Retention, now: datetime) -> TableMaintenance:
    files, size = _files(lake, done.table)
    conditions = [rule(lake, done.table, retention, now) for rule in _RULES]
    gone = " OR ".join(f"({condition})" for condition in conditions if condition)
    rows = lake.read(done.table).where(gone).count() if gone else 0
    return replace(done, files_before=files, files_after=files, bytes_after=size, rows_deleted=rows)


def _maintain(lake: Lake, done: TableMaintenance, retention: Retention, now: datetime) -> TableMaintenance:
    name = done.table
    before, _ = _files(lake, name)
    rows = sum(_deleted(lake, name, rule, retention, now) for rule in _RULES)
    if before > 1:
        compact(lake, name)
    files, size = _files(lake, name)
    freed = 0
    stored = _stored(lake, name)
    if stored != size:  # else only the newest version is stored, as for most tables of hunts on most days
        vacuum(lake, name, retention.vacuum_hours)
        freed = stored - _stored(lake, name)
    return replace(done, files_before=before, files_after=files, bytes_after=size, rows_deleted=rows, freed=freed)


def compact(lake: Lake, name: str) -> None:
    """Compacts the small files of each partition. The order of rows does not change.

    Not sorted or Z-ordered: see benchmarks/RESULTS.md for what that would cost and save."""
    with _settings(lake, _COMPACTION):
        lake.spark.sql(f"OPTIMIZE {lake.identifier(name)}").collect()


def vacuum(lake: Lake, name: str, hours: int) -> None:
    """Removes files that have been unreferenced for `hours`; only this makes a delete physical."""
    # Delta's default is 10,000 tasks to list a table's folders.
    tasks = {
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": str(lake.spark.sparkContext.defaultParallelism)
    }
    with _settings(lake, tasks | (_ANY_WINDOW if hours < VACUUM_HOURS else {})):
        lake.spark.sql(f"VACUUM {lake.identifier(name)} RETAIN {hours} HOURS").collect()


def _files(lake: Lake, name: str) -> tuple[int, int]:
    """Number and total size of the files of the newest version."""
    detail = DeltaTable.forPath(lake.spark, lake.path(name)).detail().select("numFiles", "sizeInBytes").collect()[0]
    return detail.numFiles, detail.sizeInBytes


def _stored(lake: Lake, name: str) -> int:
    """Bytes of all data files in the table's folder, referenced or not."""
    files, path = FileSystem(lake.spark), lake.path(name)
    return files.bytes_in(path) - files.bytes_in(f"{path}/_delta_log")


@contextmanager
def _settings(lake: Lake, settings: dict[str, str]) -> Iterator[None]:
    conf = lake.spark.conf
    before = {key: conf.get(key, None) for key in settings}
    for key, value in settings.items():
        conf.set(key, value)
    try:
        yield
    finally:
        for key, old in before.items():
            conf.unset(key) if old is None else conf.set(key, old)


# Rules: which rows are deleted, as a condition in Spark SQL; None: no rows.

Rule = Callable[[Lake, str, Retention, datetime], str | None]


def _deleted(lake: Lake, name: str, rule: Rule, retention: Retention, now: datetime) -> int:
    """Deletes the rows of a rule and returns their number."""

    def delete() -> int:
        condition = rule(lake, name, retention, now)
        rows = lake.read(name).where(condition).count() if condition else 0
        if rows:
            DeltaTable.forPath(lake.spark, lake.path(name)).delete(condition)
        return rows

    with _settings(lake, _RECONCILED_COMMIT):
        return retried(delete)


def _expired(lake: Lake, name: str, retention: Retention, now: datetime) -> str | None:
    """Rows older than their retention."""
    declared = registry.named(name)
    if declared is None or not isinstance(declared.retention, Expires):
        return None
    rule = declared.retention
    oldest = retention.oldest(rule.kind, now)
    if oldest is None:
        return None
    if rule.column == "event_date":  # whole partitions, so that the delete neither reads nor writes data files
        return f"event_date < DATE '{oldest.date()}'"
    stored = rule.column
    if isinstance(declared, TableFamily):
        stored = declared.stored_names(lake.read(name).columns)[stored]
    expired = f"{quoted_name(stored)} < TIMESTAMP '{oldest:%Y-%m-%d %H:%M:%S} UTC'"
    if rule.keep:
        expired = f"{expired} AND NOT ({rule.keep})"
    return f"{expired} AND {_no_longer_needed(lake, name)}" if declared is RECORDS else expired


def _no_longer_needed(lake: Lake, raw: str) -> str:
    """A condition for the raw records that landing no longer needs.

    It needs batches that are not accepted yet, batches not recorded in `raw.files` yet, and the newest batch, from
    which the next batch number is derived."""
    accepted = {row.batch for row in _column(lake, BATCHES.name, "batch", "outcome = 'settled'")}
    newest = max((row.newest for row in lake.read(raw).agg(F.max("batch").alias("newest")).collect()), default=0) or 0
    recorded = max((row.batch for row in _column(lake, FILES.name, "batch", "true")), default=0)
    waiting = set(range(1, newest + 1)) - accepted
    return f"batch < {min([newest, recorded + 1, *waiting])}"


def _column(lake: Lake, name: str, column: str, condition: str) -> list[Any]:
    return lake.read(name).where(condition).select(column).distinct().collect() if lake.exists(name) else []


def _orphaned(lake: Lake, name: str, retention: Retention, now: datetime) -> str | None:
    """Hits of killed passes: they are never used, and nothing else would remove them."""
    if name not in {table.name for table in HITS_TABLES}:
        return None
    before = f"{now.astimezone(UTC) - KILLED_AFTER:%Y%m%dT%H%M%S%fZ}"
    # Read hits first: a pass is recorded in `hunts.passes` only after its hits are written.
    passes = [row.pass_id for row in _column(lake, name, "pass_id", f"pass_id < '{before}'")]
    recorded = {row.pass_id for row in _column(lake, PASSES.name, "pass_id", "true")}
    orphans = sorted(one for one in passes if one not in recorded)
    return f"pass_id IN ({', '.join(map(string_literal, orphans))})" if orphans else None


_RULES: tuple[Rule, ...] = (_expired, _orphaned)
