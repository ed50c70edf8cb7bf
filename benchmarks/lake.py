"""Lakes of generated events, as landing would have left them, one batch for each day.

Making one takes minutes, so it is made once and then shared by hard links: a run gets a lake of its own, in which the
last day is not landed yet, and lands it by linking the files of that day's commit.

    python -m benchmarks.lake FOLDER --events N --days D --rarity R

makes the lake FOLDER, in a process of its own, so that its JVM is gone when something is timed."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from deltalake import PostCommitHookProperties, WriterProperties, write_deltalake
from duckdb import DuckDBPyConnection

from benchmarks import events
from benchmarks.events import Day
from lakehunt.config import Config
from lakehunt.lake.delta_lake import Lake
from lakehunt.runtime import session
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.landing_tables import BATCHES, RECORDS

EVENTS = DEVICE_PROCESS_EVENTS.events

PROJECT = Path(__file__).resolve().parents[1]
SPARK = {"spark.master": "local[2]", "spark.driver.memory": "1g"}
FILE_SIZE = 256 << 20
"""Bytes, as `lakehunt maintain` makes them."""

MOST_ROWS = 5_000_000
"""Rows of a commit in a lake of one day: memory grows with them, to 14 GB before 50 M rows were written. In other lakes
a day is one commit, so that the last one can be left out."""

ROWS_PER_GROUP = 250_000
"""Rows in a Parquet row group: about the 128 MB, uncompressed, of Spark's."""

_FINISHED = "finished"
"""A file in a lake that was made to the end."""


def prepared(work: Path, count: int, days: int, rarity: int) -> Path:
    """The lake with `count` events over `days` days; created if `work` does not contain it yet."""
    lake = work / f"lake-{count}-{days}-{rarity}"
    if not (lake / _FINISHED).exists():
        shutil.rmtree(lake, ignore_errors=True)
        options = ["--events", str(count), "--days", str(days), "--rarity", str(rarity)]
        subprocess.run([sys.executable, "-m", "benchmarks.lake", str(lake), *options], check=True, cwd=PROJECT)
    return lake


def link(source: Path, target: Path, without_last_day: bool = False) -> None:
    """Makes `target` a lake with the files of `source`, which takes no space; nothing of it was hunted yet.

    Delta never changes a file, so what happens to one lake cannot reach the other."""
    shutil.rmtree(target, ignore_errors=True)
    for file in _files(source):
        if not (without_last_day and _is_of_last_commit(source, file)):
            _link(source / file, target / file)


def land_last_day(source: Path, target: Path) -> None:
    """Adds the last day to a lake made by `link(without_last_day=True)`."""
    for file in _files(source):
        if _is_of_last_commit(source, file):
            _link(source / file, target / file)


def _files(lake: Path) -> Iterator[Path]:
    for file in sorted(lake.rglob("*")):
        # Delta rewrites this one in place. Without it the log is listed, which is a handful of files.
        if file.is_file() and file.name not in {"_last_checkpoint", _FINISHED}:
            yield file.relative_to(lake)


def _is_of_last_commit(lake: Path, file: Path) -> bool:
    """Whether it belongs to the newest version of its table's log. Data files do not: without the log, nobody reads
    them."""
    version = re.match(r"\.?(\d{20})\.", file.name)
    return version is not None and int(version[1]) == last_version(lake / file.parent)


def last_version(log: Path) -> int:
    """The newest version in a table's `_delta_log`."""
    return max(int(commit.stem) for commit in log.glob("*.json") if commit.stem.isdecimal())


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, target)


# Making one


def make(folder: Path, count: int, days: int, rarity: int) -> None:
    spark = session.start(Config(spark=SPARK))
    lake = Lake(spark, str(folder))
    connection = events.connect()
    for day in events.days(count, days, rarity):
        land(lake, connection, day, MOST_ROWS if days == 1 else day.count)
        print(f"landed {day.count} events of {day.date}", file=sys.stderr, flush=True)
    spark.stop()
    (folder / _FINISHED).touch()


def land(lake: Lake, connection: DuckDBPyConnection, day: Day, most_rows: int) -> None:
    """Appends a day's events to the lake, as landing stores them, in a few large files, and so many in a commit.

    delta-rs writes them, in a quarter of Spark's time: generating is not what is measured."""
    if not lake.exists(EVENTS.name):
        lake.append(EVENTS, lake.local(EVENTS, []))  # makes the table, with Lakehunt's properties
    for low in range(0, day.count, most_rows):
        part = low, min(low + most_rows, day.count)
        write_deltalake(
            lake.path(EVENTS.name),
            connection.sql(_stored(day, part)).to_arrow_reader(100_000),
            mode="append",
            target_file_size=FILE_SIZE,
            writer_properties=WriterProperties(compression="SNAPPY", max_row_group_size=ROWS_PER_GROUP),
            post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
        )
    _record(lake, day)


def _stored(day: Day, part: tuple[int, int]) -> str:
    """The events of a part of a day, from one place in it up to another, with all columns of the table."""
    digits = next(column.type for column in EVENTS.columns if column.name == "tick_digits")
    times = re.findall("`(.+?)`: TINYINT", digits)
    blob = "https://contoso.blob.core.windows.net/am/d=" + day.date.isoformat()
    added = {
        "tick_digits": "{" + ", ".join(f"'{name}': CAST(0 AS TINYINT)" for name in times) + "}",
        "event_id": "sha256(CAST(n AS VARCHAR))",
        "event_date": 'CAST("Timestamp" AS DATE)',
        "unknown_properties": "CAST(NULL AS VARCHAR)",
        "landed_at": f"CAST('{day.end.isoformat()}' AS TIMESTAMPTZ)",
        "batch": f"CAST({_batch(day)} AS BIGINT)",
        "file": f"""'{blob}/h=' || hour("Timestamp") || '/m=00/PT1H.json'""",
        "line": "CAST(n + 1 AS BIGINT)",
    }
    made = {name: f'"{name}"' for name in EVENTS.column_names} | added
    listed = ", ".join(f'{value} AS "{name}"' for name, value in made.items())
    return f"SELECT {listed} FROM ({events.select(day, part)})"  # noqa: S608  (made of this module's own text)


def _record(lake: Lake, day: Day) -> None:
    """Records the batch as accepted, and one raw record, so that the next batch gets the next number."""
    batch = _batch(day)
    lake.append(BATCHES, lake.local(BATCHES, [(batch, day.end, day.count, day.count, 0, 0, "settled", None, [], None)]))
    delivered = {"batch": batch, "file": "generated", "line": 1, "landed_at": day.end, "text": "{}"}
    row = tuple(delivered.get(name) for name in RECORDS.column_names)
    lake.append(RECORDS, lake.local(RECORDS, [row]))


def _batch(day: Day) -> int:
    return day.number + 1


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lake", description="Makes a lake of generated events.")
    parser.add_argument("lake", type=Path)
    for name in ("--events", "--days", "--rarity"):
        parser.add_argument(name, type=int, required=True)
    args = parser.parse_args()
    make(args.lake, args.events, args.days, args.rarity)


if __name__ == "__main__":
    _main()
