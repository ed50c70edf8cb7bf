"""How long a hunt takes to compile, from text to typed plan, once the process is up.

    python benchmarks/compile_time.py FOLDER [ROUNDS]

Prints the median, the 95th percentile and the slowest of all hunts of the folder, each by its best of ROUNDS (5)."""

from __future__ import annotations

import statistics
import sys
import time
from contextlib import suppress
from pathlib import Path

from lakehunt.core import strict_yaml
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY
from lakehunt.kql.errors import QueryErrors


def seconds(query: str) -> float:
    started = time.perf_counter()
    with suppress(QueryErrors):  # refusing takes its time, too
        EVENTS_ONLY.bind(query)
    return time.perf_counter() - started


def main(folder: str, rounds: str = "5") -> None:
    files = sorted(Path(folder).rglob("*.yaml"))
    queries = [str(strict_yaml.load_file(file)["query"]) for file in files]
    best = sorted(min(seconds(query) for _ in range(int(rounds))) * 1_000 for query in queries)
    median, late = statistics.median(best), best[int(len(best) * 0.95)]
    sys.stdout.write(
        f"{len(best)} hunts: median {median:.1f} ms, 95 % under {late:.1f} ms, slowest {best[-1]:.1f} ms\n"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
