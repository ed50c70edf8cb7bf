"""Landing: `lakehunt land` from Streaming API blobs to validated events, against DuckDB reading the same blobs into
Parquet.

    python -m benchmarks.landing --megabytes 100 --json
    python -m benchmarks.landing --megabytes 100 --tables --json
    python -m benchmarks.landing --records 10 --events 1_000_000 --json

The second form compares records of all event tables with as many bytes of one. The third lands few records into a lake
that holds so many events of the same day, by the clock, which no peer does.

Megabytes are 10^6 bytes of JSON. DuckDB only parses and writes; Lakehunt also keeps the raw records, tells duplicates,
checks every record and writes Data Docs."""

# The SQL is put together from the schema.
# ruff: noqa: S608

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from benchmarks import events, lake, peer, processes
from benchmarks.events import Day
from benchmarks.hunting import RARITY, scratch, work_folder, write_config
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS, EVENT_TABLES

SAMPLE = 2_000
"""Events whose size tells how many make a megabyte."""

DAY = 40
"""The day that is landed: later than any day of a generated lake, so its events are new to each."""

STAGES = (("start", r"files in "), ("land", r"new records from"))
"""The steps of `lakehunt land`, each with the progress line at its end. What follows writes Data Docs."""


@dataclass(frozen=True)
class Outcome:
    """Seconds for all of it, megabytes a second, and `ratio`, the project's speed over the peer's: medians of all runs.

    `stages`: seconds of each step of the median run, as the progress lines tell."""

    megabytes: float
    events: int
    project_s: float
    peer_s: float
    project_mb_s: float
    peer_mb_s: float
    ratio: float
    peak_mb: float | None
    events_equal: bool
    stages: dict[str, float]
    all_project_s: tuple[float, ...]
    all_peer_s: tuple[float, ...]


def compare(work: Path, megabytes: float, runs: int = 1) -> Outcome:
    """Lands the blobs into a new lake, and reads them with the peer, by turns; medians of all runs."""
    blobs, size, count = blobs_of(work, megabytes)
    landings, peers, equal = [], [], True
    for _ in range(runs):
        with scratch(work) as folder:
            landings.append(land(blobs, folder / "lake", write_config(folder, ())))
            peer_seconds, peer_count = into_parquet(blobs, folder / "peer.parquet")
            peers.append(peer_seconds)
            equal &= stored(folder / "lake") == peer_count == count
    measured = sorted(landings, key=lambda one: one.seconds)[len(landings) // 2]
    project_s, peer_s = median(one.seconds for one in landings), median(peers)
    peaks = [one.peak_mb for one in landings if one.peak_mb is not None]
    return Outcome(
        megabytes=round(size / 1e6, 1),
        events=count,
        project_s=round(project_s, 2),
        peer_s=round(peer_s, 2),
        project_mb_s=round(size / 1e6 / project_s, 2),
        peer_mb_s=round(size / 1e6 / peer_s, 2),
        ratio=round(peer_s / project_s, 3),
        peak_mb=round(max(peaks)) if peaks else None,
        events_equal=equal,
        stages=stages(measured),
        all_project_s=tuple(round(one.seconds, 2) for one in landings),
        all_peer_s=tuple(round(one, 2) for one in peers),
    )


@dataclass(frozen=True)
class AllTables:
    """Seconds for as many bytes of records of one table and of all, by turns; `ratio` is that of the medians."""

    megabytes: float
    tables: int
    one_s: tuple[float, ...]
    all_s: tuple[float, ...]
    ratio: float
    peak_mb: int


def all_tables(work: Path, megabytes: float, runs: int) -> AllTables:
    """Lands the blobs of one table, and those of all tables, each into a new lake."""
    blobs = {len(tables): blobs_of(work, megabytes, tables) for tables in ((DEVICE_PROCESS_EVENTS,), EVENT_TABLES)}
    seconds: dict[int, list[float]] = {tables: [] for tables in blobs}
    peaks = []
    for _ in range(runs):
        for tables, (of_them, _, count) in blobs.items():
            with scratch(work) as folder:
                measured = land(of_them, folder / "lake", write_config(folder, ()))
                if (landed := _stored_in_all(folder / "lake")) != count:
                    raise SystemExit(f"the lake of {tables} tables holds {landed} events, not {count}")
            seconds[tables].append(round(measured.seconds, 2))
            peaks.append(measured.peak_mb or 0)
    one, every = seconds.values()
    size = blobs[len(EVENT_TABLES)][1]
    ratio = round(median(every) / median(one), 3)
    return AllTables(round(size / 1e6, 1), len(EVENT_TABLES), tuple(one), tuple(every), ratio, round(max(peaks)))


def _stored_in_all(lake: Path) -> int:
    """Events that all event tables of the lake hold."""
    folders = (lake / "events" / table.stored_as for table in EVENT_TABLES)
    opened = (DeltaTable(folder) for folder in folders if folder.exists())
    return sum(sum(pa.table(one.get_add_actions(flatten=True))["num_records"].to_pylist()) for one in opened)


@dataclass(frozen=True)
class FewRecords:
    """Seconds for `records` new records into a lake that holds `events` of their day: of the whole command, for each
    of the runs, one after the other; the first one makes what later ones find."""

    records: int
    events: int
    seconds: tuple[float, ...]
    peak_mb: int


def few(work: Path, records: int, count: int, runs: int) -> FewRecords:
    """Lands few records into a prepared lake, again and again: each run has new ones."""
    made = lake.prepared(work, count, 1, RARITY)
    of_lake = events.days(count, 1, RARITY)[0]
    with scratch(work) as folder:
        own = folder / "lake"
        lake.link(made, own)
        measured = []
        for run in range(runs):
            blobs = folder / f"blobs-{run}"
            new = Day(of_lake.number, 10**12 + run * records, records, RARITY)
            events.write_blobs(events.connect(), new, blobs)
            measured.append(land(blobs, own, write_config(folder, ())))
        if (landed := stored(own)) != count + runs * records:
            raise SystemExit(f"the lake holds {landed} events, not {count + runs * records}")
    peaks = [one.peak_mb for one in measured if one.peak_mb is not None]
    return FewRecords(records, count, tuple(round(one.seconds, 2) for one in measured), round(max(peaks, default=0)))


def blobs_of(
    work: Path, megabytes: float, tables: Sequence[EventTable] = (DEVICE_PROCESS_EVENTS,)
) -> tuple[Path, int, int]:
    """A folder of blobs with `megabytes` of JSON, as much of each table, created if `work` does not contain it; with
    its bytes and events."""
    folder = work / (f"blobs-{megabytes:g}" + (f"-of-{len(tables)}" if len(tables) > 1 else ""))
    counts = {table: round(megabytes * 1e6 / len(tables) / _bytes_an_event(work, table)) for table in tables}
    if not (work / f"{folder.name}.finished").exists():
        for table, count in counts.items():
            own = folder / table.stored_as if len(tables) > 1 else folder
            events.write_blobs(events.connect(), _day(count), own, table)
        (work / f"{folder.name}.finished").touch()
    return folder, _size(folder), sum(counts.values())


def _bytes_an_event(work: Path, table: EventTable) -> float:
    with scratch(work) as folder:
        events.write_blobs(events.connect(), _day(SAMPLE), folder, table)
        return _size(folder) / SAMPLE


def _day(count: int) -> Day:
    """Events with numbers of their own, so that no generated lake holds them."""
    return Day(DAY, 10**12, count, RARITY)


def _size(folder: Path) -> int:
    return sum(blob.stat().st_size for blob in folder.rglob("*.json"))


def land(blobs: Path, lake: Path, config: Path) -> processes.Measured:
    return processes.lakehunt("land", str(blobs), "--lake", str(lake), "--config", str(config))


def stored(lake: Path) -> int:
    """Events that the lake holds."""
    with duckdb.connect() as connection:
        listed = ", ".join(f"'{file}'" for file in peer.files_of(lake))
        row = connection.execute(f"SELECT count(*) FROM read_parquet([{listed}])").fetchone()
    assert row is not None
    return int(row[0])


def into_parquet(blobs: Path, file: Path) -> tuple[float, int]:
    """The peer's seconds for the same blobs, typed, and how many events it wrote."""
    started = time.perf_counter()
    with duckdb.connect(config={"threads": peer.THREADS}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        row = connection.execute(
            f"""COPY (
                SELECT time AS exported_at, tenantId, category, properties.*
                FROM read_json('{blobs}/**/*.json', format = 'newline_delimited', columns = {{
                    time: 'TIMESTAMPTZ', tenantId: 'VARCHAR', category: 'VARCHAR', properties: '{_struct()}'}})
            ) TO '{file}' (FORMAT parquet)"""
        ).fetchone()
    assert row is not None
    return time.perf_counter() - started, int(row[0])


def _struct() -> str:
    types = {"datetime": "TIMESTAMPTZ", "long": "BIGINT", "bool": "BOOLEAN"}
    streamed = [c for c in DEVICE_PROCESS_EVENTS.columns if c.name not in events.NOT_STREAMED]
    fields = [f"{c.name} {types.get(c.type, 'VARCHAR')}" for c in streamed]
    return f"STRUCT({', '.join(fields)})"


def stages(measured: processes.Measured) -> dict[str, float]:
    """Seconds of each step, from the timestamped progress lines."""
    ends = [*_ends(measured.lines), ("end", measured.seconds)]
    before, found = 0.0, {}
    for name, at in ends:
        found[name] = round(at - before, 2)
        before = at
    return found


def _ends(lines: Iterable[tuple[float, str]]) -> Iterator[tuple[str, float]]:
    wanted = iter(STAGES)
    stage = next(wanted, None)
    for at, text in lines:
        if stage and re.search(stage[1], text):
            yield stage[0], at
            stage = next(wanted, None)


def line(outcome: Outcome) -> str:
    """The outcome for people."""
    memory = "" if outcome.peak_mb is None else f", peak {outcome.peak_mb:.0f} MB"
    equal = "the same number of events" if outcome.events_equal else "NUMBERS OF EVENTS DIFFER"
    steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in outcome.stages.items())
    return (
        f"{outcome.ratio:.2f} times the peer's speed: {outcome.megabytes:.0f} MB, {outcome.events} events:"
        f" lakehunt {outcome.project_s:.1f} s ({outcome.project_mb_s:.1f} MB/s), DuckDB {outcome.peer_s:.1f} s"
        f" ({outcome.peer_mb_s:.1f} MB/s){memory}; {equal}\n  {steps}"
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.landing", description="Landing: lakehunt against DuckDB."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--megabytes", type=float, help="JSON to land, in 10^6 bytes")
    what.add_argument("--records", type=int, help="records to land into a lake that exists")
    parser.add_argument("--tables", action="store_true", help="compare records of all event tables with those of one")
    parser.add_argument("--events", type=int, default=1_000_000, help="events of that lake, all of the same day")
    parser.add_argument("--runs", type=int, default=3, help="runs, of which the median counts")
    parser.add_argument("--work", type=Path, help="folder that keeps generated blobs for the next run")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    with work_folder(args.work) as work:
        if args.records:
            print(json.dumps(asdict(few(work, args.records, args.events, args.runs))))
            return
        if args.tables:
            print(json.dumps(asdict(all_tables(work, args.megabytes, args.runs))))
            return
        outcome = compare(work, args.megabytes, args.runs)
    if not outcome.events_equal:
        print("the lake does not hold what was generated", file=sys.stderr)
    print(json.dumps(asdict(outcome)) if args.json else line(outcome))


if __name__ == "__main__":
    main()
