"""The first answer of `lakehunt query`, from the start of its process to its end, against DuckDB on the same files.

    python -m benchmarks.first_answer --events 10_000_000 --days 7 --json

DuckDB is timed from the start of a Python process of its own, too. Both answers have to be the same."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks import events, hunting, lake, peer, processes


@dataclass(frozen=True)
class Question:
    """A query in KQL and in SQL. A `part` is any few of the rows that match, so only their number can be compared."""

    name: str
    kql: str
    sql: str
    part: bool = False


QUESTIONS = (
    Question(
        "count by device",
        "DeviceProcessEvents | summarize n = count() by DeviceName",
        "SELECT DeviceName, count(*) AS n FROM events GROUP BY ALL",
    ),
    Question(
        "some rows with a word",
        "DeviceProcessEvents | where ProcessCommandLine has 'encodedcommand'"
        " | project Timestamp, DeviceName, FileName | take 10",
        # The regular expression says what `has` does: whole words, whatever their case.
        r"SELECT strftime(Timestamp, '%c') AS at, DeviceName, FileName FROM events"
        r" WHERE ProcessCommandLine ILIKE '%encodedcommand%'"
        r" AND regexp_matches(ProcessCommandLine, '(?i)(^|[^a-z0-9])encodedcommand($|[^a-z0-9])') LIMIT 10",
        part=True,
    ),
    Question(
        "ten minutes of a device",
        "DeviceProcessEvents | where Timestamp between (datetime(2026-03-05 10:00) .. datetime(2026-03-05 10:10))"
        " and DeviceName == 'ws-00001.contoso.example' | project FileName, ProcessId",
        "SELECT FileName, ProcessId FROM events WHERE event_date = DATE '2026-03-05' AND Timestamp BETWEEN"
        " TIMESTAMPTZ '2026-03-05 10:00:00+00' AND TIMESTAMPTZ '2026-03-05 10:10:00+00'"
        " AND DeviceName = 'ws-00001.contoso.example'",
    ),
)

_PEER = """
import duckdb, json, sys
connection = duckdb.connect(config={"threads": int(sys.argv[1])})
connection.execute("SET TimeZone = 'UTC'")
files = json.loads(sys.argv[2])
listed = ", ".join(f"'{file}'" for file in files)
connection.execute(f"CREATE VIEW events AS SELECT * FROM read_parquet([{listed}], hive_partitioning = true)")
answer = connection.execute(sys.argv[3])
names = [column[0] for column in answer.description]
for row in answer.fetchall():
    print(json.dumps(dict(zip(names, row)), ensure_ascii=False))
"""


@dataclass(frozen=True)
class Outcome:
    """`project_s` and `peer_s` are medians of seconds, `ratio` is peer over project."""

    question: str
    events: int
    project_s: float
    peer_s: float
    ratio: float
    peak_mb: float | None
    rows: int
    same: bool


def compare(work: Path, count: int, days: int, times: int = 3, rarity: int = hunting.RARITY) -> list[Outcome]:
    """Asks every question so many times, each by turns. The lake in `work` is made if it is not there."""
    made = lake.prepared(work, count, days, rarity)
    as_of = events.days(count, days, rarity)[-1].end
    with hunting.scratch(work) as folder:
        config = hunting.write_config(folder, ())
        return [_asked(question, made, config, f"{as_of:%Y-%m-%dT%H:%M:%SZ}", count, times) for question in QUESTIONS]


def _asked(question: Question, made: Path, config: Path, as_of: str, count: int, times: int) -> Outcome:
    files = json.dumps(peer.files_of(made))
    shared = ["--lake", str(made), "--config", str(config), "--as-of", as_of, "--format", "jsonl"]
    ours, theirs = [], []
    for _ in range(times):
        ours.append(processes.lakehunt("query", question.kql, *shared))
        theirs.append(processes.measure([sys.executable, "-c", _PEER, str(peer.THREADS), files, question.sql]))
    rows = [sorted(one.printed.splitlines()) for one in (ours[-1], theirs[-1])]
    same = len(rows[0]) == len(rows[1]) if question.part else rows[0] == rows[1]
    seconds = [median(one.seconds for one in some) for some in (ours, theirs)]
    return Outcome(
        question=question.name,
        events=count,
        project_s=round(seconds[0], 2),
        peer_s=round(seconds[1], 2),
        ratio=round(seconds[1] / seconds[0], 3),
        peak_mb=None if ours[-1].peak_mb is None else round(ours[-1].peak_mb),
        rows=len(rows[0]),
        same=same,
    )


def line(outcome: Outcome) -> str:
    """The outcome for people."""
    same = "the same answer" if outcome.same else "ANSWERS DIFFER"
    memory = "" if outcome.peak_mb is None else f", peak {outcome.peak_mb:.0f} MB"
    return (
        f"{outcome.question}: lakehunt {outcome.project_s:.1f} s, DuckDB {outcome.peer_s:.1f} s{memory};"
        f" {same}, {outcome.rows} rows of {outcome.events} events"
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.first_answer", description="The first answer of `lakehunt query`."
    )
    parser.add_argument("--events", type=int, required=True, help="events in the lake, over all its days")
    parser.add_argument("--days", type=int, default=7, help="days in the lake (7)")
    parser.add_argument("--times", type=int, default=3, help="how often each question is asked (3)")
    parser.add_argument("--work", type=Path, help="folder that keeps generated lakes for the next run")
    parser.add_argument("--json", action="store_true", help="print a JSON object for each question")
    args = parser.parse_args(argv)
    with hunting.work_folder(args.work) as work:
        for outcome in compare(work, args.events, args.days, args.times):
            print(json.dumps(asdict(outcome)) if args.json else line(outcome))


if __name__ == "__main__":
    main()
