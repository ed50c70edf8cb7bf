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

from duckdb import DuckDBPyConnection
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from benchmarks import events
from benchmarks.events import Day
from pipelines.config import Config
from pipelines.lake import session
from pipelines.lake.tables import Lake
from pipelines.landing.tables import BATCHES, EVENTS, RAW

PROJECT = Path(__file__).resolve().parents[1]
SPARK = {"spark.master": "local[2]", "spark.driver.memory": "3g"}
ROWS_PER_FILE = 1_500_000

_FINISHED = "finished"
"""A file in a lake that was made to the end."""


def prepared(work: Path, count: int, days: int, rarity: int) -> Path:
    """The lake with so many events over so many days; it is made if `work` does not hold it yet."""
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
    """Adds to a lake made by `link(without_last_day=True)` what it lacks."""
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
    folder.mkdir(parents=True, exist_ok=True)
    for day in events.days(count, days, rarity):
        land(lake, connection, day, folder / "generated.parquet")
        print(f"landed {day.count} events of {day.date}", file=sys.stderr, flush=True)
    spark.stop()
    (folder / _FINISHED).touch()


def land(lake: Lake, connection: DuckDBPyConnection, day: Day, between: Path) -> None:
    """Appends a day's events to the lake, by way of a Parquet file that is gone afterwards."""
    events.write_parquet(connection, day, between)
    lake.append(EVENTS, _stored(lake.spark.read.parquet(str(between)), day))
    _record(lake, day)
    between.unlink()


def _stored(generated: DataFrame, day: Day) -> DataFrame:
    """Generated events as landing stores them, in a few large files."""
    digits = next(column.type for column in EVENTS.columns if column.name == "tick_digits")
    times = digits.count("TINYINT")
    blob = "https://contoso.blob.core.windows.net/am/d=" + day.date.isoformat()
    added = {
        "tick_digits": F.struct(*(F.lit(0) for _ in range(times))).cast(digits),
        "event_id": F.sha2(F.col("n").cast("string"), 256),
        "event_date": F.to_date("Timestamp"),
        "unknown_properties": F.lit(None).cast("string"),
        "landed_at": F.lit(day.end),
        "batch": F.lit(_batch(day)),
        "file": F.concat(F.lit(f"{blob}/h="), F.hour("Timestamp"), F.lit("/m=00/PT1H.json")),
        "line": F.col("n") + 1,
    }
    files = -(-day.count // ROWS_PER_FILE)
    return generated.withColumns(added).drop("n").coalesce(files)


def _record(lake: Lake, day: Day) -> None:
    """The batch as settled, and one line of what was delivered, so that the next batch gets the next number."""
    batch = _batch(day)
    lake.append(BATCHES, lake.local(BATCHES, [(batch, day.end, day.count, day.count, 0, 0, "settled", None)]))
    delivered = {"batch": batch, "file": "generated", "line": 1, "landed_at": day.end, "text": "{}"}
    row = tuple(delivered.get(name) for name in RAW.column_names)
    lake.append(RAW, lake.local(RAW, [row]))


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
