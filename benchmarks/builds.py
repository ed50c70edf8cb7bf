"""A day's hunting by two builds of Lakehunt, by turns, on the same files.

    python -m benchmarks.builds --events 2_000_000 --hunts 10 --against /elsewhere/.venv/bin/lakehunt --json

Each build hunts the days before the last in a lake of its own. A turn is a copy of that lake, in which the last day is
landed, and `lakehunt hunt` from the start of its process to its end: one build's turn after the other's, because
machines are not equally busy all the time."""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from benchmarks import events, lake, peer, processes
from benchmarks.hunting import add_options, chosen_hunts, hunt, scratch, work_folder, write_config
from benchmarks.pack import Hunt


@dataclass(frozen=True)
class Outcome:
    """Seconds and processor seconds of each turn of this build, and of the other one. The ratios are of medians, this
    build over the other: below 1, this one is faster."""

    events: int
    hunts: int
    days: int
    ratio: float
    cpu_ratio: float | None
    this_s: list[float]
    other_s: list[float]
    this_cpu_s: list[float | None]
    other_cpu_s: list[float | None]
    findings_equal: bool


@dataclass
class _Build:
    """A build's command, the lake that it hunted in before, and its turns."""

    command: Sequence[str]
    lake: Path
    turns: list[processes.Measured] = field(default_factory=list)
    last: Path = Path()

    def median(self) -> float:
        return statistics.median(turn.seconds for turn in self.turns)

    def median_cpu(self) -> float | None:
        used = self.cpu_s()
        return None if None in used else statistics.median(one or 0 for one in used)

    def cpu_s(self) -> list[float | None]:
        return [None if turn.cpu_s is None else round(turn.cpu_s, 1) for turn in self.turns]

    def seconds(self) -> list[float]:
        return [round(turn.seconds, 2) for turn in self.turns]


def compare(
    work: Path, count: int, chosen: Sequence[Hunt], days: int, rarity: int, other: Sequence[str], turns: int
) -> Outcome:
    """Makes (or reuses) the lake in `work`, and has both builds hunt in copies of it. `other` is a command."""
    made = lake.prepared(work, count, days, rarity)
    before, last = events.days(count, days, rarity)[-2:]
    with scratch(work) as folder:
        config = write_config(folder, chosen)
        both = [_Build(processes.LAKEHUNT, folder / "this"), _Build(other, folder / "other")]
        for build in both:
            lake.link(made, build.lake, without_last_day=True)
            hunt(build.lake, config, before.end, build.command)
        for number in range(turns):
            for build in both if number % 2 == 0 else both[::-1]:
                _turn(build, made, config, last.end, number)
        unequal = _unequal(chosen, both[0].last, both[1].last, last.end)
    for one in unequal:
        print(f"not the same findings: {one.id} ({one.name})", file=sys.stderr)
    return _outcome(count, len(chosen), days, both, not unequal)


def _turn(build: _Build, made: Path, config: Path, as_of: datetime, number: int) -> None:
    build.last = build.lake.with_name(f"{build.lake.name}-{number}")
    lake.link(build.lake, build.last)
    lake.land_last_day(made, build.last)
    build.turns.append(hunt(build.last, config, as_of, build.command))


def _unequal(chosen: Sequence[Hunt], this: Path, other: Path, as_of: datetime) -> list[Hunt]:
    return [one for one in chosen if peer.findings(one, this, as_of) != peer.findings(one, other, as_of)]


def _outcome(count: int, hunts: int, days: int, both: Sequence[_Build], equal: bool) -> Outcome:
    this, other = both
    cpu = this.median_cpu(), other.median_cpu()
    return Outcome(
        events=count,
        hunts=hunts,
        days=days,
        ratio=round(this.median() / other.median(), 3),
        cpu_ratio=round(cpu[0] / cpu[1], 3) if cpu[0] and cpu[1] else None,
        this_s=this.seconds(),
        other_s=other.seconds(),
        this_cpu_s=this.cpu_s(),
        other_cpu_s=other.cpu_s(),
        findings_equal=equal,
    )


def line(outcome: Outcome) -> str:
    """The outcome for people."""
    found = "the same findings" if outcome.findings_equal else "FINDINGS DIFFER"
    cpu = "" if outcome.cpu_ratio is None else f", {outcome.cpu_ratio:.2f} of its processor time"
    return (
        f"{outcome.ratio:.2f} of the other build's time{cpu}: {outcome.hunts} hunts, {outcome.events} events,"
        f" {outcome.days} days: {outcome.this_s} s and {outcome.other_s} s by turns; {found}"
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.builds", description="A day's hunting: this build of lakehunt against another one."
    )
    add_options(parser)
    parser.add_argument("--against", metavar="COMMAND", required=True, help="the other build's lakehunt")
    parser.add_argument("--turns", type=int, default=3, help="turns of each build (3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    if args.turns < 1:
        parser.error("--turns is at least 1")
    chosen, other = chosen_hunts(args), shlex.split(args.against)
    with work_folder(args.work) as work:
        outcome = compare(work, args.events, chosen, args.days, args.rarity, other, args.turns)
    print(json.dumps(asdict(outcome)) if args.json else line(outcome))


if __name__ == "__main__":
    main()
