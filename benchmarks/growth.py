"""Cost as the lake grows: the same batch landed into lakes of different sizes.

    python -m benchmarks.growth --events 1_000_000 10_000_000 50_000_000 --megabytes 100 --json

Every lake gets the same blobs, of a day after all of its own. Time per event should stay flat. What hunting costs as
the lake grows, `benchmarks.hunting` tells for each size."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import lake, landing
from benchmarks.hunting import RARITY, scratch, work_folder, write_config


@dataclass(frozen=True)
class Outcome:
    """A batch of `landed` events into a lake that held `events`; `us_an_event`: microseconds for each of the batch."""

    events: int
    landed: int
    megabytes: float
    project_s: float
    us_an_event: float
    peak_mb: float | None


def measure(work: Path, count: int, days: int, megabytes: float, rarity: int = RARITY) -> Outcome:
    made = lake.prepared(work, count, days, rarity)
    blobs, size, landed = landing.blobs_of(work, megabytes)
    with scratch(work) as folder:
        own = folder / "lake"
        lake.link(made, own)
        measured = landing.land(blobs, own, write_config(folder, ()))
        if (stored := landing.stored(own)) != count + landed:
            raise SystemExit(f"the lake holds {stored} events, not {count} and {landed}")
    return Outcome(
        events=count,
        landed=landed,
        megabytes=round(size / 1e6, 1),
        project_s=round(measured.seconds, 2),
        us_an_event=round(measured.seconds / landed * 1e6, 1),
        peak_mb=None if measured.peak_mb is None else round(measured.peak_mb),
    )


def line(outcome: Outcome) -> str:
    """The outcome for people."""
    return (
        f"{outcome.us_an_event:.0f} us an event: {outcome.landed} events ({outcome.megabytes:.0f} MB) into a lake of"
        f" {outcome.events} in {outcome.project_s:.1f} s"
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description="The same batch landed into lakes of different sizes."
    )
    parser.add_argument("--events", type=int, nargs="+", required=True, help="sizes of the lakes, in events")
    parser.add_argument("--megabytes", type=float, default=100, help="JSON to land, in 10^6 bytes (100)")
    parser.add_argument("--days", type=int, default=7, help="days over which each lake's events lie (7)")
    parser.add_argument("--rarity", type=int, default=RARITY, help=f"one event in so many is suspicious ({RARITY})")
    parser.add_argument("--work", type=Path, help="folder that keeps generated lakes and blobs for the next run")
    parser.add_argument("--json", action="store_true", help="print one JSON object for each size")
    args = parser.parse_args(argv)
    with work_folder(args.work) as work:
        for count in args.events:
            outcome = measure(work, count, args.days, args.megabytes, args.rarity)
            print(json.dumps(asdict(outcome)) if args.json else line(outcome), flush=True)


if __name__ == "__main__":
    main()
