"""From an event's arrival to its alert: `lakehunt watch` with a pack of hunts, beside one that single events decide.

    python -m benchmarks.latency --hunts 200 --arrivals 20 --events 5000 --every 5s --json

A blob arrives every now and then, with so many events, of which the hunt wants one. What is timed is from the moment at
which the blob is in the source to the alert in the file of the channel. The first arrival waits for the start of Spark,
and is reported by itself."""

from __future__ import annotations

import argparse
import json
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks import pack, processes
from benchmarks.hunting import work_folder

WANTED = "0f4c5b9e-0d3a-4c57-9a57-4b1d8e6a7c10"
MARK = "latency-marker.exe"
_HUNT = f"""id: {WANTED}
name: Marker
queryFrequency: 1d
query: |
  DeviceProcessEvents
  | where Timestamp > ago(1h)
  | where FileName =~ '{MARK}'
  | project Timestamp, DeviceId, DeviceName, ProcessCommandLine
"""
LONGEST = 300.0
"""Seconds after which an alert does not come any more."""


@dataclass(frozen=True)
class Outcome:
    """Seconds from arrival to alert: of the first blob, and of the others; `cpu_s` are processor seconds of the process
    for each of these."""

    hunts: int
    arrivals: int
    events: int
    first_s: float
    median_s: float
    p95_s: float
    longest_s: float
    cpu_s: float


def measure(work: Path, hunts: int, arrivals: int, events: int, every: str, progress: bool = False) -> Outcome:
    folder = work / "latency"
    source, told = folder / "source", folder / "told.jsonl"
    source.mkdir(parents=True)
    pack.write(pack.hunts(max(hunts - 1, 1), 1), folder / "hunts")
    (folder / "hunts" / "marker.yaml").write_text(_HUNT)
    settings = {
        "hunts": "hunts",
        "lake": "lake",
        "alerts": {"channels": {"file": {"ocsf": str(told), "kinds": ["findings"]}}},
        "spark": {"spark.master": "local[2]", "spark.driver.memory": "2g"},
    }
    (folder / "lakehunt.yaml").write_text(json.dumps(settings))
    chosen = random.Random(7)
    _arrive(source, 0, events, chosen)
    command = [*processes.LAKEHUNT, "watch", str(source), "--every", every, "--config", str(folder / "lakehunt.yaml")]
    log = (folder / "log").open("wb")
    began = time.perf_counter()
    watching = subprocess.Popen(command, cwd=processes.PROJECT, stdout=log, stderr=log, start_new_session=True)
    try:
        took = [_until_told(watching, told, 0, began)]
        used = sum(processes.processor_seconds(watching.pid).values())
        for number in range(1, arrivals + 1):
            time.sleep(chosen.uniform(0, 10))
            began = time.perf_counter()
            _arrive(source, number, events, chosen)
            took.append(_until_told(watching, told, number, began))
            if progress:
                print(f"{number}: {took[-1]:.1f} s", file=sys.stderr, flush=True)
        used = sum(processes.processor_seconds(watching.pid).values()) - used
    finally:
        watching.send_signal(signal.SIGTERM)
        code = watching.wait(LONGEST)
        log.close()
    if code != 0:
        raise SystemExit(f"watch ended with {code}; see {folder / 'log'}")
    rest = sorted(took[1:])
    p95 = rest[min(len(rest) - 1, round(0.95 * len(rest)))]
    shown = [round(one, 2) for one in (took[0], statistics.median(rest), p95, rest[-1], used / arrivals)]
    return Outcome(hunts, arrivals, events, *shown)


def _arrive(source: Path, number: int, events: int, chosen: random.Random) -> None:
    """A blob of events of the last minute appears in the source, whole; one of them is wanted."""
    now = datetime.now(UTC)
    lines = []
    for place in range(events):
        at = now - timedelta(seconds=chosen.uniform(1, 60))
        wanted = place == events // 2
        name = MARK if wanted else chosen.choice(("svchost.exe", "cmd.exe", "chrome.exe", "powershell.exe"))
        properties = {
            "Timestamp": f"{at:%Y-%m-%dT%H:%M:%S.%f}0Z",
            "DeviceId": _device(number) if wanted else f"d{chosen.randrange(500)}",
            "DeviceName": _device(number) if wanted else f"host{chosen.randrange(500)}",
            "ActionType": "ProcessCreated",
            "FileName": name,
            "ProcessCommandLine": f"{name} /run {chosen.randrange(1_000_000)}",
            "InitiatingProcessFileName": "explorer.exe",
            "ReportId": number * events + place + 1,
        }
        category = "AdvancedHunting-DeviceProcessEvents"
        lines.append(json.dumps({"time": f"{now:%Y-%m-%dT%H:%M:%SZ}", "category": category, "properties": properties}))
    made = source.parent / f"{number}.json"
    made.write_text("\n".join(lines) + "\n", encoding="utf-8")
    made.rename(source / made.name)


def _device(number: int) -> str:
    return f"wanted-{number}"


def _until_told(watching: subprocess.Popen[bytes], told: Path, number: int, began: float) -> float:
    """The seconds until the alert about an arrival is there."""
    while time.perf_counter() - began < LONGEST:
        if told.exists() and f'"{_device(number)}"' in told.read_text(encoding="utf-8"):
            return time.perf_counter() - began
        if watching.poll() is not None:
            break
        time.sleep(0.05)
    raise SystemExit(f"no alert about arrival {number} came; see {told.parent / 'log'}")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--hunts", type=int, default=200, help="size of the pack (200)")
    parser.add_argument("--arrivals", type=int, default=20, help="blobs after the first (20)")
    parser.add_argument("--events", type=int, default=5_000, help="events of a blob (5000)")
    parser.add_argument("--every", default="5s", help="pause between rounds (5s)")
    parser.add_argument("--work", type=Path, help="folder for what is generated, which is kept")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args(argv)
    with work_folder(args.work) as work:
        outcome = measure(work, args.hunts, args.arrivals, args.events, args.every, progress=True)
    if args.json:
        print(json.dumps(asdict(outcome)))
        return
    print(
        f"first {outcome.first_s} s; then {outcome.median_s} s, 95 % {outcome.p95_s} s, longest {outcome.longest_s} s,"
        f" {outcome.cpu_s} processor seconds each: {outcome.hunts} hunts, {outcome.events} events in a blob"
    )


if __name__ == "__main__":
    main()
