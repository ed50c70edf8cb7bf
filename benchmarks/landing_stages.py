"""Profile of `lakehunt land`: runs the command in this process, with a timer on each part.

    python -m benchmarks.landing_stages --megabytes 100

Spark is lazy, so the seconds of a part include whatever was not computed before. They add up to the total, with `other`
for the rest."""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark.sql.classic.dataframe import DataFrame

from benchmarks import landing
from benchmarks.hunting import scratch, work_folder, write_config
from lakehunt import cli
from lakehunt.cli import exits, pipeline
from lakehunt.lake.delta_lake import Lake
from lakehunt.landing import promote
from lakehunt.quality import data_docs_site, validation
from lakehunt.runtime import session

PARTS: tuple[tuple[Any, str, str], ...] = (
    (session, "start", "start the JVM"),
    (pipeline, "_ingest", "read: blobs to raw"),
    (DataFrame, "localCheckpoint", "parse and row rules; find duplicates"),
    (promote, "_batch_facts", "count what was parsed"),
    (validation.Validator, "validate", "Great Expectations"),
    (Lake, "insert_new", "write events"),
    (Lake, "replace", "write validations, quarantine, batches"),
    (validation.Validator, "write_docs", "Data Docs"),
    (data_docs_site, "publish", "Data Docs"),
)
"""The timed functions: owner, name, and the label of the part."""


class Timers:
    """Seconds of each part, excluding nested parts."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside: list[float] = []

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time added to the part's."""

        @functools.wraps(function)
        def measured(*args: Any, **kwargs: Any) -> Any:
            self._inside.append(0.0)
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                whole = time.perf_counter() - started
                self.seconds[part] = self.seconds.get(part, 0.0) + whole - self._inside.pop()
                if self._inside:
                    self._inside[-1] += whole

        return measured


def profile(blobs: Path, lake: Path, config: Path) -> dict[str, float]:
    """Lands the blobs; seconds of each part."""
    timers = Timers()
    for owner, name, part in PARTS:
        setattr(owner, name, timers.timed(part, getattr(owner, name)))
    land = timers.timed("other", cli.main)
    if land(["land", str(blobs), "--lake", str(lake), "--config", str(config)]) != exits.SUCCESS:
        raise SystemExit("landing failed")
    return timers.seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.landing_stages", description="Where the time of landing goes."
    )
    parser.add_argument("--megabytes", type=float, required=True, help="JSON to land, in 10^6 bytes")
    parser.add_argument("--work", type=Path, help="folder that keeps generated blobs for the next run")
    args = parser.parse_args()
    with work_folder(args.work) as work, scratch(work) as folder:
        blobs, _, _ = landing.blobs_of(work, args.megabytes)
        seconds = profile(blobs, folder / "lake", write_config(folder, ()))
    whole = sum(seconds.values())
    print("| part | seconds | share |\n| --- | ---: | ---: |")
    for part, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        print(f"| {part} | {spent:.1f} | {spent / whole:.0%} |")


if __name__ == "__main__":
    main()
