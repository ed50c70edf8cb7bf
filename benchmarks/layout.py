"""Layouts of the events table: what stored lower-case twins, and files in the order of a column, would spare a hunt.

    python -m benchmarks.layout --events 1_000_000 --json

Each layout is written as a Delta table and queried in the same way; the best of three times counts."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks import lake as lakes
from benchmarks.hunting import RARITY, scratch, work_folder
from lakehunt.config import Config
from lakehunt.runtime import session
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.spark.functions import text

EVENTS = DEVICE_PROCESS_EVENTS.events

TWINS = ("FileName", "InitiatingProcessFileName", "ProcessCommandLine")
PROGRAMS = ("certutil.exe", "procdump64.exe", "rclone.exe")
WORDS = (
    "lsass",
    "mimikatz",
    "shadowcopy",
    "encodedcommand",
    "displaydns",
    "/domain",
    "%temp%",
    "wget",
    "rundll32",
    "\\\\10.",
)
_COMMAND = "$$command"
SHOWN = ("Timestamp", "DeviceId", "DeviceName", "AccountName", "FileName", "ProcessCommandLine", "event_id")


@dataclass(frozen=True)
class Layout:
    """Seconds of each question, and megabytes (10^6 bytes) of the files. `write_s`: to make them from the events."""

    name: str
    megabytes: float
    write_s: float
    words_s: float
    programs_s: float
    device_s: float


def compare(work: Path, count: int) -> list[Layout]:
    made = lakes.prepared(work, count, 1, RARITY)
    spark = session.start(Config(spark=lakes.SPARK | {"spark.driver.memory": "3g"}))
    events = spark.read.format("delta").load(f"{made}/{EVENTS.name.replace('.', '/')}")
    try:
        with scratch(work) as folder:
            return [
                _measured(spark, name, make, events, folder / name.replace(" ", "-")) for name, make in MADE.items()
            ]
    finally:
        spark.stop()


Make = Callable[[SparkSession, DataFrame, Path], None]


def _measured(spark: SparkSession, name: str, make: Make, events: DataFrame, folder: Path) -> Layout:
    clock = time.perf_counter()
    make(spark, events, folder)
    written = time.perf_counter() - clock
    rows = spark.read.format("delta").load(str(folder))
    detail = DeltaTable.forPath(spark, str(folder)).detail().collect()[0]
    device = rows.groupBy("DeviceId").count().orderBy(F.desc("count")).offset(100).first()
    assert device is not None
    rows = rows.withColumn(_COMMAND, _once(_folded(rows, "ProcessCommandLine")))
    questions = {
        "words_s": _any_word(F.col(_COMMAND)),
        "programs_s": _folded(rows, "FileName").isin(*PROGRAMS),
        "device_s": F.col("DeviceId") == device.DeviceId,
    }
    seconds = {question: _best(rows.filter(condition).select(*SHOWN)) for question, condition in questions.items()}
    return Layout(name, round(detail.sizeInBytes / 1e6, 1), round(written, 2), **seconds)


def _best(rows: DataFrame) -> float:
    def once() -> float:
        clock = time.perf_counter()
        rows.write.format("noop").mode("overwrite").save()
        return time.perf_counter() - clock

    return round(min(once() for _ in range(3)), 2)


def _once(value: Column) -> Column:
    """The value, computed by Spark only once."""
    return F.when(F.monotonically_increasing_id() >= 0, value)


def _folded(rows: DataFrame, name: str) -> Column:
    twin = _twin(name)
    return F.col(twin) if twin in rows.columns else text.folded(F.col(name))


def _twin(name: str) -> str:
    return f"{name}_folded"


def _any_word(command: Column) -> Column:
    found = [command.contains(word) for word in WORDS]
    return F.array_contains(F.array(*found), True)


# The layouts


def _as_landed(spark: SparkSession, events: DataFrame, folder: Path) -> None:
    events.write.format("delta").save(str(folder))


def _with_twins(spark: SparkSession, events: DataFrame, folder: Path) -> None:
    twins = {_twin(name): text.folded(F.coalesce(F.col(name), F.lit(""))) for name in TWINS}
    events.withColumns(twins).write.format("delta").save(str(folder))


def _z_ordered(spark: SparkSession, events: DataFrame, folder: Path) -> None:
    """In as many files as a day of a large lake has, with statistics on the columns of their order."""
    statistics = "DeviceId,FileName,Timestamp"
    events.write.format("delta").option("delta.dataSkippingStatsColumns", statistics).save(str(folder))
    small = "spark.databricks.delta.optimize.maxFileSize"
    spark.conf.set(small, 16 << 20)
    DeltaTable.forPath(spark, str(folder)).optimize().executeZOrderBy("DeviceId", "FileName")
    spark.conf.unset(small)


MADE: Mapping[str, Make] = {
    "as landed": _as_landed,
    "with lower-case twins": _with_twins,
    "Z-ordered by device and file name": _z_ordered,
}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.layout", description="Layouts of the events table.")
    parser.add_argument("--events", type=int, default=1_000_000, help="events of one day (1_000_000)")
    parser.add_argument("--work", type=Path, help="folder that keeps generated lakes for the next run")
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    args = parser.parse_args(argv)
    with work_folder(args.work) as work:
        layouts = compare(work, args.events)
    if args.json:
        print(json.dumps([asdict(one) for one in layouts]))
        return
    for one in layouts:
        print(
            f"{one.name:35} {one.megabytes:8.1f} MB, written in {one.write_s:6.2f} s; words {one.words_s:5.2f} s,"
            f" programs {one.programs_s:5.2f} s, one device {one.device_s:5.2f} s"
        )


if __name__ == "__main__":
    main()
