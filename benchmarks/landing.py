"""Landing: `lakehunt land` from Streaming API blobs to validated events, against DuckDB reading the same blobs into
Parquet.

    python -m benchmarks.landing --megabytes 100 --json
    python -m benchmarks.landing --records 10 --events 1_000_000 --json

The second form lands few records into a lake that holds so many events of the same day, by the clock, which no peer
does.

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

import duckdb

from benchmarks import events, lake, peer, processes
from benchmarks.events import Day
from benchmarks.hunting import RARITY, scratch, work_folder, write_config
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS

SAMPLE = 2_000
"""Events whose size tells how many make a megabyte."""

DAY = 40
"""The day that is landed: later than any day of a generated lake, so its events are new to each."""

STAGES = (("start", r"files in "), ("land", r"new records from"))
"""The steps of `lakehunt land`, each with the progress line at its end. What follows writes Data Docs."""


@dataclass(frozen=True)
class Outcome:
    """Seconds for all of it, megabytes a second, and `ratio`, the project's speed over the peer's.

    `stages`: seconds of each step, as the progress lines tell."""

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


def compare(work: Path, megabytes: float) -> Outcome:
    """Lands the blobs into a new lake, and reads them with the peer."""
    blobs, size, count = blobs_of(work, megabytes)
    with scratch(work) as folder:
        measured = land(blobs, folder / "lake", write_config(folder, ()))
        peer_seconds, peer_count = into_parquet(blobs, folder / "peer.parquet")
        landed = stored(folder / "lake")
    return Outcome(
        megabytes=round(size / 1e6, 1),
        events=count,
        project_s=round(measured.seconds, 2),
        peer_s=round(peer_seconds, 2),
        project_mb_s=round(size / 1e6 / measured.seconds, 2),
        peer_mb_s=round(size / 1e6 / peer_seconds, 2),
        ratio=round(peer_seconds / measured.seconds, 3),
        peak_mb=None if measured.peak_mb is None else round(measured.peak_mb),
        events_equal=landed == peer_count == count,
        stages=stages(measured),
    )


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


def blobs_of(work: Path, megabytes: float) -> tuple[Path, int, int]:
    """A folder of blobs with `megabytes` of JSON, created if `work` does not contain it; with its bytes and events."""
    folder = work / f"blobs-{megabytes:g}"
    count = round(megabytes * 1e6 / _bytes_an_event(work))
    if not (work / f"{folder.name}.finished").exists():
        events.write_blobs(events.connect(), _day(count), folder)
        (work / f"{folder.name}.finished").touch()
    return folder, _size(folder), count


def _bytes_an_event(work: Path) -> float:
    with scratch(work) as folder:
        events.write_blobs(events.connect(), _day(SAMPLE), folder)
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
    parser.add_argument("--events", type=int, default=1_000_000, help="events of that lake, all of the same day")
    parser.add_argument("--runs", type=int, default=3, help="runs with --records")
    parser.add_argument("--work", type=Path, help="folder that keeps generated blobs for the next run")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    with work_folder(args.work) as work:
        if args.records:
            print(json.dumps(asdict(few(work, args.records, args.events, args.runs))))
            return
        outcome = compare(work, args.megabytes)
    if not outcome.events_equal:
        print("the lake does not hold what was generated", file=sys.stderr)
    print(json.dumps(asdict(outcome)) if args.json else line(outcome))


if __name__ == "__main__":
    main()
