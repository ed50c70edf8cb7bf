"""A replayed day of `lakehunt hunt --due`: what each tick costs, and that every as-of is asked once.

    python -m benchmarks.ticks --events 500_000 --hunts 200 --hours 24 --late 0.02 --json

A third of the hunts is asked every 5 minutes, a third every hour, and a third every day. Events land every 15 minutes,
before the tick of that minute: those of the next 15 minutes, so that none is late, but for a share (`--late`), which
lands up to four hours later: as-ofs that were asked without them are asked again. A tick is a process of its own, as a
timer starts it, with `--as-of` in place of the clock. There is one every 5 minutes, and every hour one more in between,
at which nothing is due. What is measured is processor seconds: other processes of the machine make a tick slower, but
hardly dearer.

The first tick, at midnight, is not part of the figures: it makes the tables, and the archive of Java classes."""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import shutil
import statistics
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deltalake import DeltaTable

from benchmarks import events, pack, processes
from benchmarks.hunting import work_folder

EVERY = ("5m", "1h", "1d")
WINDOWS = ("15m", "3h", "1d")
"""How often hunts are asked, and how far those look back."""

CONFIG = """hunts: {hunts}
landing: {{engine: local}}
spark:
  spark.master: local[2]
  spark.driver.memory: 2g
"""

RARITY = 2_000
"""One in this many events is suspicious."""

LANDED_EVERY = 15
"""Minutes."""

LATEST = 16
"""By how many landings an event is late at most."""

IDLE, QUIET, WITHOUT_NEWS, WITH_NEWS = "nothing due", "without Spark", "hits, nothing new", "new events"
KINDS = (IDLE, QUIET, WITHOUT_NEWS, WITH_NEWS)
_TIME = re.compile(r'"Timestamp":"([^"]{16})')


@dataclass(frozen=True)
class Tick:
    """What a tick did: the as-ofs that were due and asked, and the processor seconds and seconds of its process.
    `landing_s`: seconds of the landing before it."""

    minute: int
    kind: str
    asked: int
    cpu_s: float
    seconds: float
    landing_s: float | None


@dataclass(frozen=True)
class Kind:
    """The ticks of a kind: how many, and the processor seconds of a tick: the median, the 95th percentile, and the sum
    of all."""

    kind: str
    ticks: int
    asked: int
    median_cpu_s: float
    p95_cpu_s: float
    cpu_s: float
    median_s: float


@dataclass(frozen=True)
class Outcome:
    """A replay. `asked_once`: every as-of that was due was asked, with success, exactly once. `again`: how many were
    asked again because events landed late. `found_s`: seconds from the start of a landing to the end of the tick after
    it, when the findings are stored (the median, and the 95th percentile)."""

    events: int
    late: float
    hunts: int
    hours: int
    kinds: tuple[Kind, ...]
    as_ofs: int
    asked_once: bool
    again: int
    found_s: tuple[float, float]
    cpu_s: float


def replay(work: Path, count: int, hunts: int, hours: int, late: float = 0.0, progress: bool = False) -> Outcome:
    """Lands and hunts the first hours of a day in `work`, which is emptied."""
    day = next(iter(events.days(count, 1, RARITY)))
    begun = datetime.combine(day.date, datetime.min.time(), UTC)
    folder = work / "ticks"
    shutil.rmtree(folder, ignore_errors=True)
    pending = dict(_deliveries(day, folder / "generated", late))
    _write_hunts(hunts, folder / "hunts")
    (folder / "lakehunt.yaml").write_text(CONFIG.format(hunts=folder / "hunts"))
    common = ("--config", str(folder / "lakehunt.yaml"), "--lake", str(folder / "lake"))
    source = folder / "source"
    source.mkdir()
    ticks = []
    for minute in sorted({*range(0, hours * 60 + 1, 5), *range(2, hours * 60, 60)}):
        landing_s = None
        if minute % LANDED_EVERY == 0:
            files = pending.pop(minute // LANDED_EVERY, ())
            for file in files:
                file.rename(source / file.name)
            if files:
                landing_s = processes.lakehunt("land", str(source), *common).seconds
        at = (begun + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
        before = _children()
        done = processes.lakehunt("hunt", "--due", "--as-of", at, *common)
        # Of processes that ended between two looks, and of those that nobody waited for.
        cpu = max(_children() - before, done.cpu_s or 0.0)
        ticks.append(_tick(minute, landing_s, done, cpu))
        if progress:
            print(ticks[-1], file=sys.stderr, flush=True)
    asked, again = _asked(folder / "lake")
    expected = _expected(folder / "hunts", begun, hours)
    kinds = tuple(_kind(kind, [tick for tick in ticks[1:] if tick.kind == kind]) for kind in KINDS)
    total = round(sum(tick.cpu_s for tick in ticks[1:]), 1)
    found = sorted(tick.landing_s + tick.seconds for tick in ticks[1:] if tick.landing_s is not None)
    return Outcome(
        count,
        late,
        hunts,
        hours,
        kinds,
        sum(asked.values()),
        asked == expected,
        again,
        (round(statistics.median(found), 2), round(_p95(found), 2)) if found else (0.0, 0.0),
        total,
    )


def _deliveries(day: events.Day, folder: Path, late: float) -> Iterator[tuple[int, list[Path]]]:
    """The day's events as files, one for each quarter of an hour: its number, and the file."""
    chosen = random.Random(day.date.toordinal())
    events.write_blobs(events.connect(), day, folder)
    slots: dict[int, list[str]] = {}
    for blob in sorted(folder.rglob("*.json")):
        with blob.open(encoding="utf-8") as lines:
            for line in lines:
                found = _TIME.search(line)
                assert found is not None
                hour, minute = int(found[1][11:13]), int(found[1][14:16])
                delay = chosen.randint(1, LATEST) if chosen.random() < late else 0
                slots.setdefault((hour * 60 + minute) // LANDED_EVERY + delay, []).append(line)
        blob.unlink()
    for number, lines_of in slots.items():
        file = folder / f"{number:03}.json"
        file.write_text("".join(lines_of), encoding="utf-8")
        yield number, [file]


def _write_hunts(count: int, folder: Path) -> None:
    folder.mkdir(parents=True)
    for number, hunt in enumerate(pack.hunts(count, 1)):
        every, window = EVERY[number % 3], WINDOWS[number % 3]
        text = hunt.text.replace("ago(1d)", f"ago({window})")
        text = re.sub(r"(?m)^query(Frequency|Period):.*\n", "", text)
        (folder / f"{number:03}.yaml").write_text(f"{text.rstrip()}\nqueryFrequency: {every}\n", encoding="utf-8")


def _children() -> float:
    """The processor seconds of all processes that this one has started and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _tick(minute: int, landing_s: float | None, done: processes.Measured, cpu: float) -> Tick:
    told = "\n".join(line for _, line in done.lines)
    asked = re.search(r"due: ([\d,]+) as-ofs? of", told)
    quiet = re.search(r"([\d,]+) as-ofs? without new events", told)
    number = int(asked[1].replace(",", "")) if asked else 0
    if landing_s is not None:
        kind = WITH_NEWS
    elif not number:
        kind = IDLE
    else:
        kind = QUIET if quiet and int(quiet[1].replace(",", "")) == number else WITHOUT_NEWS
    return Tick(minute, kind, number, round(cpu, 2), round(done.seconds, 2), landing_s)


def _kind(kind: str, ticks: Sequence[Tick]) -> Kind:
    cpu = sorted(tick.cpu_s for tick in ticks) or [0.0]
    return Kind(
        kind,
        len(ticks),
        sum(tick.asked for tick in ticks),
        round(statistics.median(cpu), 2),
        round(_p95(cpu), 2),
        round(sum(cpu), 1),
        round(statistics.median(tick.seconds for tick in ticks), 2) if ticks else 0.0,
    )


def _p95(ordered: Sequence[float]) -> float:
    return ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]


def _asked(lake: Path) -> tuple[Counter[tuple[str, datetime]], int]:
    """What was asked because it was due; and how often something was asked again."""
    columns = ["hunt_id", "as_of", "outcome", "reason"]
    rows = DeltaTable(lake / "hunts" / "runs").to_pyarrow_table(columns=columns).to_pylist()
    done = [row for row in rows if row["outcome"] == "succeeded"]
    return (
        Counter((row["hunt_id"], row["as_of"]) for row in done if row["reason"] == "due"),
        sum(row["reason"] == "late" for row in done),
    )


def _expected(folder: Path, begun: datetime, hours: int) -> Counter[tuple[str, datetime]]:
    steps = {"5m": 5, "1h": 60, "1d": 1440}
    found: Counter[tuple[str, datetime]] = Counter()
    for file in folder.glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        id_, every = re.search(r"(?m)^id: *(\S+)", text), re.search(r"(?m)^queryFrequency: (\S+)", text)
        assert id_ is not None
        assert every is not None
        for minute in range(0, hours * 60 + 1, steps[every[1]]):
            found[id_[1].strip("'\"").lower(), begun + timedelta(minutes=minute)] += 1
    return found


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ticks", description=__doc__)
    parser.add_argument("--events", type=int, default=500_000, help="events of the day (500000)")
    parser.add_argument("--hunts", type=int, default=200, help="size of the pack (200)")
    parser.add_argument("--hours", type=int, default=24, help="hours of the day that are replayed (24)")
    parser.add_argument("--late", type=float, default=0.0, help="share of events that land late (0)")
    parser.add_argument("--work", type=Path, help="folder for what is generated, which is kept")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args(argv)
    with work_folder(args.work) as work:
        outcome = replay(work, args.events, args.hunts, args.hours, args.late, progress=True)
    if args.json:
        print(json.dumps(asdict(outcome)))
        return
    print("| tick | ticks | as-ofs | CPU s, median | 95 % | CPU s, all | s, median |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for one in outcome.kinds:
        print(f"| {' | '.join(str(cell) for cell in asdict(one).values())} |")
    print(f"\n{outcome.as_ofs} as-ofs, each once: {outcome.asked_once}; {outcome.cpu_s} processor seconds")
    print(f"asked again: {outcome.again}; from landing to finding: {' / '.join(map(str, outcome.found_s))} s")


if __name__ == "__main__":
    main()
