"""A day's hunting: `lakehunt hunt` against DuckDB on the same files.

    python -m benchmarks.hunting --events 10_000_000 --hunts 50 --days 7 --json

`--sigma FOLDER` hunts with all hunts of a folder, see `rules`. `benchmarks.builds` compares two builds of Lakehunt.

The days before the last are landed and hunted first, as daily use has done. Then the last day is landed, and what is
timed is `lakehunt hunt` from the start of its process to its end, and DuckDB running the same hunts in SQL. With
`--kept` one process hunts both days by the Python API and keeps its Spark session, so that its start is not timed."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from benchmarks import events, lake, pack, peer, processes, rules
from benchmarks.pack import Hunt

RARITY = 20_000
"""One in this many events is suspicious."""

CONFIG = """# Two cores, as the peer has, and a heap with which all processes stay under 4 GB.
hunts: {hunts}
spark:
  spark.master: local[2]
  spark.driver.memory: 2g
"""


@dataclass(frozen=True)
class Outcome:
    """`project_s` and `peer_s` are seconds for all hunts, `ratio` is peer over project: above 1, Lakehunt is faster.

    `first_s`: what hunting the days before took, once. `findings`: rows found; `finding`: hunts that found any. The
    peer ran the SQL of `sampled` hunts: if these are not all, its seconds are those times the number of hunts, and rows
    are counted and compared for these alone."""

    events: int
    hunts: int
    days: int
    project_s: float
    peer_s: float
    ratio: float
    peak_mb: float | None
    findings_equal: bool
    findings: int
    finding: int
    first_s: float
    sampled: int


def compare(work: Path, count: int, hunts: int, days: int, rarity: int = RARITY, progress: bool = False) -> Outcome:
    """Makes (or reuses) the lake in `work`, hunts in a copy of it with both, and compares what they found.

    `progress`: also prints the timestamped progress lines of the timed command on standard error."""
    chosen = pack.hunts(hunts, days)
    return compare_hunts(work, count, chosen, chosen, days, rarity, progress)


def compare_hunts(
    work: Path,
    count: int,
    chosen: Sequence[Hunt],
    sampled: Sequence[Hunt],
    days: int,
    rarity: int,
    progress: bool,
    kept: bool = False,
) -> Outcome:
    """`compare` with these hunts, of which the peer runs a sample."""
    made = lake.prepared(work, count, days, rarity)
    before, last = events.days(count, days, rarity)[-2:]
    with scratch(work) as folder:
        config = write_config(folder, chosen)
        own = folder / "lake"
        lake.link(made, own, without_last_day=True)
        with _kept(own, config) if kept else nullcontext(partial(hunt, own, config)) as hunting:
            first = hunting(before.end)
            lake.land_last_day(made, own)
            timed = hunting(last.end)
        of_sample = peer.run(own, sampled, last.end, days, folder / "peer")
        found = {one.id: peer.rows(one, folder / "peer") for one in sampled}
        unequal = [one for one in sampled if peer.findings(one, own, last.end) != found[one.id]]
    peer_seconds = of_sample * len(chosen) / len(sampled)
    for at, text in timed.lines if progress else ():
        print(f"{at:7.2f} s  {text}", file=sys.stderr)
    for one in unequal:
        print(f"not the same findings: {one.id} ({one.name})", file=sys.stderr)
    return Outcome(
        events=count,
        hunts=len(chosen),
        days=days,
        project_s=round(timed.seconds, 2),
        peer_s=round(peer_seconds, 2),
        ratio=round(peer_seconds / timed.seconds, 3),
        peak_mb=None if timed.peak_mb is None else round(timed.peak_mb),
        findings_equal=not unequal,
        findings=sum(rows.total() for rows in found.values()),
        finding=sum(bool(rows) for rows in found.values()),
        first_s=round(first.seconds, 2),
        sampled=len(sampled),
    )


def write_config(folder: Path, chosen: Iterable[Hunt]) -> Path:
    """A configuration, and the hunts that it names, in a folder."""
    pack.write(chosen, folder / "hunts")
    file = folder / "lakehunt.yaml"
    file.write_text(CONFIG.format(hunts="hunts"), encoding="utf-8")
    return file


def hunt(own: Path, config: Path, as_of: datetime, command: Sequence[str] = processes.LAKEHUNT) -> processes.Measured:
    options = ["--as-of", f"{as_of:%Y-%m-%dT%H:%M:%SZ}", "--lake", str(own), "--config", str(config)]
    return processes.lakehunt("hunt", *options, command=command)


_KEPT = """
import lakehunt, sys
lake = lakehunt.open(sys.argv[1], config=sys.argv[2])
for line in sys.stdin:
    lake.hunt(as_of=line.strip())
    print("done", flush=True)
lake.close()
"""


@contextmanager
def _kept(own: Path, config: Path) -> Iterator[Callable[[datetime], processes.Measured]]:
    """Hunts in a process that goes on, and keeps its Spark session."""
    with processes.running([sys.executable, "-c", _KEPT, str(own), str(config)]) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, told = process.stdin, process.stdout

        def ask(as_of: datetime) -> processes.Measured:
            began = time.perf_counter()
            print(f"{as_of:%Y-%m-%dT%H:%M:%SZ}", file=asked, flush=True)
            if told.readline() != "done\n":
                raise SystemExit("the process that keeps a session has ended")
            return processes.Measured(time.perf_counter() - began, None, (), "")

        yield ask


@contextmanager
def scratch(work: Path) -> Iterator[Path]:
    """A folder for one run, on the disk of the lakes, since hard links do not leave a disk."""
    work.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=work))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def work_folder(named: Path | None) -> Iterator[Path]:
    """The folder that keeps the lakes between runs, or a temporary one."""
    if named is not None:
        yield named.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="lakehunt-bench-") as folder:
        yield Path(folder)


def line(outcome: Outcome) -> str:
    """The outcome for people."""
    found = "the same findings" if outcome.findings_equal else "FINDINGS DIFFER"
    memory = "" if outcome.peak_mb is None else f", peak {outcome.peak_mb:.0f} MB"
    return (
        f"{outcome.ratio:.2f} times the peer's speed: {outcome.hunts} hunts, {outcome.events} events,"
        f" {outcome.days} days: lakehunt {outcome.project_s:.1f} s, DuckDB {outcome.peer_s:.1f} s{memory};"
        f" {found}, {outcome.findings} rows of {outcome.finding} hunts; the days before took {outcome.first_s:.1f} s"
        + (f"; DuckDB ran {outcome.sampled} hunts" if outcome.sampled < outcome.hunts else "")
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """What is hunted with, and in which events."""
    parser.add_argument("--events", type=int, required=True, help="events in the lake, over all its days")
    packs = parser.add_mutually_exclusive_group(required=True)
    packs.add_argument("--hunts", type=int, help=f"hunts in the pack, 1 to {pack.LARGEST}")
    packs.add_argument("--sigma", type=Path, metavar="FOLDER", help="all hunts of a folder that compile")
    parser.add_argument("--days", type=int, default=7, help="days in the lake, and in the hunts' window (7)")
    parser.add_argument("--rarity", type=int, default=RARITY, help=f"one event in so many is suspicious ({RARITY})")
    parser.add_argument("--work", type=Path, help="folder that keeps generated lakes for the next run")


def chosen_hunts(args: argparse.Namespace) -> list[Hunt]:
    """The pack that the options name."""
    return rules.hunts(args.sigma, args.days) if args.sigma else pack.hunts(args.hunts, args.days)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hunting", description="A day's hunting: lakehunt against DuckDB."
    )
    add_options(parser)
    parser.add_argument("--kept", action="store_true", help="hunt in a process that has hunted before")
    parser.add_argument("--progress", action="store_true", help="also print what the timed command said, and when")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    chosen = chosen_hunts(args)
    sampled = rules.sample(chosen) if args.sigma else chosen
    with work_folder(args.work) as work:
        outcome = compare_hunts(work, args.events, chosen, sampled, args.days, args.rarity, args.progress, args.kept)
    print(json.dumps(asdict(outcome)) if args.json else line(outcome))


if __name__ == "__main__":
    main()
