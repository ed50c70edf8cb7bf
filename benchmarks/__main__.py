"""All benchmarks at a moderate size, as the tables of RESULTS.md: `make bench`, or `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks import first_answer, growth, hunting, landing
from benchmarks.hunting import work_folder


def hunts_table(work: Path, events: int, packs: Sequence[int], days: int) -> None:
    print(f"\nHunting one new day, {events} events in the lake, {days} days\n", flush=True)
    print("| hunts | peer / lakehunt | lakehunt s | DuckDB s | peak MB | same findings | hunts that find |")
    print("| ---: | ---: | ---: | ---: | ---: | --- | ---: |", flush=True)
    for hunts in packs:
        o = hunting.compare(work, events, hunts, days)
        cells = (o.hunts, f"**{o.ratio:.2f}**", o.project_s, o.peer_s, o.peak_mb, o.findings_equal, o.finding)
        print(f"| {' | '.join(str(cell) for cell in cells)} |", flush=True)


def first_answers_table(work: Path, events: int, days: int) -> None:
    print(f"\nThe first answer of `lakehunt query`, {events} events in the lake, {days} days\n", flush=True)
    print(
        "| question | lakehunt s | DuckDB s | peak MB | same answer |\n| --- | ---: | ---: | ---: | --- |", flush=True
    )
    for o in first_answer.compare(work, events, days):
        cells = (o.question, o.project_s, o.peer_s, o.peak_mb, o.same)
        print(f"| {' | '.join(str(cell) for cell in cells)} |", flush=True)


def landing_table(work: Path, megabytes: float) -> None:
    o = landing.compare(work, megabytes)
    print("\nLanding\n")
    print("| MB | lakehunt / peer | lakehunt MB/s | DuckDB MB/s | peak MB | same events |")
    print("| ---: | ---: | ---: | ---: | ---: | --- |")
    cells = (o.megabytes, f"**{o.ratio:.2f}**", o.project_mb_s, o.peer_mb_s, o.peak_mb, o.events_equal)
    print(f"| {' | '.join(str(cell) for cell in cells)} |\n")
    print("| step | seconds |\n| --- | ---: |")
    for step, seconds in o.stages.items():
        print(f"| {step} | {seconds} |", flush=True)


def growth_table(work: Path, sizes: Sequence[int], days: int, megabytes: float) -> None:
    print(f"\nLanding {megabytes:g} MB into a lake that holds events already\n")
    print("| events in the lake | us an event | lakehunt s |\n| ---: | ---: | ---: |", flush=True)
    for events in sizes:
        o = growth.measure(work, events, days, megabytes)
        print(f"| {o.events} | **{o.us_an_event}** | {o.project_s} |", flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="events in the lake (1000000)")
    parser.add_argument("--hunts", type=int, nargs="+", default=[2, 10, 50], help="sizes of the packs (2 10 50)")
    parser.add_argument("--days", type=int, default=7, help="days in the lake, and in the window (7)")
    parser.add_argument("--megabytes", type=float, default=100, help="JSON to land (100)")
    parser.add_argument("--work", type=Path, help="folder that keeps what is generated for the next run")
    args = parser.parse_args(argv)
    with work_folder(args.work) as work:
        hunts_table(work, args.events, args.hunts, args.days)
        first_answers_table(work, args.events, args.days)
        landing_table(work, args.megabytes)
        growth_table(work, [args.events // 10, args.events], args.days, args.megabytes)


if __name__ == "__main__":
    main()
