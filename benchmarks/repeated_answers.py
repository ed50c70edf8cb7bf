"""Ten ad-hoc queries, asked again and again: a hunter's afternoon.

    python -m benchmarks.repeated_answers --events 10_000_000 --days 7 --json

Each question is asked of each asker by turns: `lakehunt query`, which starts a process each time, `lakehunt shell`, the
Python API, `lakehunt serve --kusto`, and DuckDB on the same files. All but the first go on running. The first answer
includes what starts with it; the repeated one is the median of later rounds. Answers have to be the same in every
round."""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import IO, Protocol

from benchmarks import events, first_answer, hunting, lake, peer, processes
from benchmarks.first_answer import Question

QUESTIONS = (
    Question("count", "DeviceProcessEvents | count", "SELECT count(*) AS Count FROM events"),
    *first_answer.QUESTIONS,
    Question(
        "programs of a day",
        "DeviceProcessEvents | where Timestamp > ago(1d) | summarize n = count() by FileName | top 10 by n",
        "SELECT FileName, count(*) AS n FROM events WHERE Timestamp > TIMESTAMPTZ '{as_of}' - INTERVAL 1 DAY"
        " AND event_date >= CAST(TIMESTAMPTZ '{as_of}' - INTERVAL 1 DAY AS DATE)"
        " GROUP BY ALL ORDER BY n DESC LIMIT 10",
        part=True,  # where two have as many, either may be the last
    ),
    Question(
        "events by hour of the day",
        "DeviceProcessEvents | summarize n = count() by Hour = hourofday(Timestamp)",
        "SELECT hour(Timestamp) AS Hour, count(*) AS n FROM events GROUP BY ALL",
    ),
    Question(
        "accounts of programs",
        "DeviceProcessEvents | summarize Accounts = dcount(AccountName) by FileName",
        "SELECT FileName, count(DISTINCT coalesce(AccountName, '')) AS Accounts FROM events GROUP BY ALL",
    ),
    Question(
        "what office programs start",
        "DeviceProcessEvents | where InitiatingProcessFileName in~ ('winword.exe', 'excel.exe', 'outlook.exe')"
        " | summarize n = count() by InitiatingProcessFileName, FileName",
        "SELECT InitiatingProcessFileName, FileName, count(*) AS n FROM events"
        " WHERE lower(InitiatingProcessFileName) IN ('winword.exe', 'excel.exe', 'outlook.exe') GROUP BY ALL",
    ),
    Question(
        "programs on few devices",
        "DeviceProcessEvents | summarize Devices = dcount(DeviceId) by FileName | where Devices < 100",
        "SELECT FileName, count(DISTINCT DeviceId) AS Devices FROM events GROUP BY ALL HAVING Devices < 100",
    ),
    Question(
        "the first events",
        "DeviceProcessEvents | take 10",
        # As texts: DuckDB's Python package needs another one for times with a zone.
        "SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (SELECT * FROM events ORDER BY Timestamp, ReportId LIMIT 10)",
        part=True,  # columns differ in form
    ),
)

Rows = list[str]
"""The rows of an answer as JSON objects."""


class Asker(Protocol):
    """Whoever answers questions."""

    def ask(self, question: Question) -> Rows:
        """The answer."""


@dataclass(frozen=True)
class Asked:
    """What a question is asked of."""

    lake: Path
    config: Path
    as_of: datetime

    @property
    def options(self) -> list[str]:
        return ["--lake", str(self.lake), "--config", str(self.config), "--as-of", f"{self.as_of:%Y-%m-%dT%H:%M:%SZ}"]


class _Query:
    def __init__(self, asked: Asked) -> None:
        self._options = [*asked.options, "--format", "jsonl"]

    def ask(self, question: Question) -> Rows:
        return processes.lakehunt("query", question.kql, *self._options).printed.splitlines()


@contextmanager
def query(asked: Asked) -> Iterator[Asker]:
    """`lakehunt query`: a process for each question."""
    yield _Query(asked)


class _Process:
    """A process that answers lines, one after the other."""

    def __init__(self, process: subprocess.Popen[str], asked: Callable[[Question], str], end: str) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._write: IO[str] = process.stdin
        self._read: IO[str] = process.stdout
        self._asked, self._end = asked, end

    def ask(self, question: Question) -> Rows:
        self._write.write(self._asked(question))
        self._write.flush()
        rows: Rows = []
        for line in self._read:
            if line.rstrip("\n") == self._end:
                return rows
            rows.append(line.rstrip("\n"))
        raise SystemExit(f"a process ended instead of answering: {question.name}")


@contextmanager
def shell(asked: Asked) -> Iterator[Asker]:
    """`lakehunt shell`, fed from a pipe. What it says to a command comes after the answer."""
    with processes.running([*processes.LAKEHUNT, "shell", *asked.options, "--format", "jsonl"]) as process:
        yield _Process(process, lambda question: f"{question.kql};\n.period\n", "period all")


_END = "end"

_API = """
import json, sys
from lakehunt import config
from lakehunt.kql import times
from lakehunt.live.lake import LiveLake
live = LiveLake(config.load(sys.argv[2]).with_lake(sys.argv[1]))
live.begin()
as_of = times.parse_datetime(sys.argv[3])
for line in sys.stdin:
    result = live.query(json.loads(line), as_of)
    names = [column.name for column in result.schema]
    for row in result.rows:
        print(json.dumps(dict(zip(names, row)), ensure_ascii=False))
    print("end", flush=True)
live.close()
"""


@contextmanager
def api(asked: Asked) -> Iterator[Asker]:
    """The Python API, in a process of its own."""
    arguments = [str(asked.lake), str(asked.config), f"{asked.as_of:%Y-%m-%dT%H:%M:%SZ}"]
    with processes.running([sys.executable, "-c", _API, *arguments]) as process:
        yield _Process(process, lambda question: json.dumps(question.kql) + "\n", _END)


_DUCKDB = """
import duckdb, json, sys
connection = duckdb.connect(config={"threads": int(sys.argv[1])})
connection.execute("SET TimeZone = 'UTC'")
connection.execute("SET parquet_metadata_cache = true")
listed = ", ".join(f"'{file}'" for file in json.loads(sys.argv[2]))
connection.execute(f"CREATE VIEW events AS SELECT * FROM read_parquet([{listed}], hive_partitioning = true)")
for line in sys.stdin:
    answer = connection.execute(json.loads(line))
    names = [column[0] for column in answer.description]
    for row in answer.fetchall():
        print(json.dumps(dict(zip(names, row)), ensure_ascii=False, default=str))
    print("end", flush=True)
"""


@contextmanager
def duckdb(asked: Asked) -> Iterator[Asker]:
    """DuckDB's Python package on the lake's files, in a process of its own, with their footers in memory."""
    arguments = [str(peer.THREADS), json.dumps(peer.files_of(asked.lake))]
    with processes.running([sys.executable, "-c", _DUCKDB, *arguments]) as process:
        as_of = f"{asked.as_of:%Y-%m-%d %H:%M:%S}+00"
        yield _Process(process, lambda question: json.dumps(question.sql.replace("{as_of}", as_of)) + "\n", _END)


_KUSTO = """
import json, sys, time
from azure.kusto.data import ClientRequestProperties, KustoClient
from azure.kusto.data.exceptions import KustoError
client = KustoClient(sys.argv[1])
asked = ClientRequestProperties()
asked.set_option("query_now", sys.argv[2])
for line in sys.stdin:
    for attempt in range(600):
        try:
            table = client.execute("lakehunt", json.loads(line), asked).primary_results[0]
            break
        except KustoError as error:  # the server is still starting
            if "connect" not in str(error).lower() or attempt == 599:
                raise
            time.sleep(0.1)
    for row in table:
        print(json.dumps(row.to_dict(), ensure_ascii=False, default=str))
    print("end", flush=True)
"""


@contextmanager
def kusto(asked: Asked) -> Iterator[Asker]:
    """`lakehunt serve --kusto`, asked by Microsoft's client for Python."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = ["--lake", str(asked.lake), "--config", str(asked.config), "--port", port]
    as_of = f"{asked.as_of:%Y-%m-%dT%H:%M:%SZ}"
    with (
        processes.running([*processes.LAKEHUNT, "serve", "--kusto", *shared]),
        processes.running([sys.executable, "-c", _KUSTO, f"http://127.0.0.1:{port}", as_of]) as process,
    ):
        yield _Process(process, lambda question: json.dumps(question.kql) + "\n", _END)


ASKERS: dict[str, Callable[[Asked], AbstractContextManager[Asker]]] = {
    "query": query,
    "shell": shell,
    "api": api,
    "kusto": kusto,
    "duckdb": duckdb,
}


@dataclass(frozen=True)
class Outcome:
    """Seconds of a question's first answer and of later ones (their median), by asker. `same`: all answers of all
    rounds have the same rows."""

    question: str
    events: int
    rows: int
    first_s: dict[str, float]
    repeated_s: dict[str, float]
    same: bool


def compare(
    work: Path, count: int, days: int, rounds: int, askers: Sequence[str], rarity: int = hunting.RARITY
) -> list[Outcome]:
    """Asks every question in so many rounds, each of all askers by turns. The lake in `work` is made if it is not
    there."""
    made = lake.prepared(work, count, days, rarity)
    with hunting.scratch(work) as folder, ExitStack() as stack:
        asked = Asked(made, hunting.write_config(folder, ()), events.days(count, days, rarity)[-1].end)
        asking = {name: stack.enter_context(ASKERS[name](asked)) for name in askers}
        taken: dict[tuple[str, str], list[float]] = {}
        answers: dict[str, list[Rows]] = {}
        for _ in range(rounds):
            for question in QUESTIONS:
                for name, asker in asking.items():
                    began = time.perf_counter()
                    rows = asker.ask(question)
                    taken.setdefault((question.name, name), []).append(time.perf_counter() - began)
                    answers.setdefault(question.name, []).append(sorted(rows))
    return [_outcome(question, count, askers, taken, answers[question.name]) for question in QUESTIONS]


def _outcome(
    question: Question,
    count: int,
    askers: Sequence[str],
    taken: dict[tuple[str, str], list[float]],
    answers: Sequence[Rows],
) -> Outcome:
    own = {name: taken[question.name, name] for name in askers}
    compared = [len(rows) for rows in answers] if question.part else [_parsed(rows) for rows in answers]
    return Outcome(
        question=question.name,
        events=count,
        rows=len(answers[0]),
        first_s={name: round(seconds[0], 2) for name, seconds in own.items()},
        repeated_s={name: round(median(seconds[1:]), 2) for name, seconds in own.items() if seconds[1:]},
        same=all(one == compared[0] for one in compared),
    )


def _parsed(rows: Rows) -> list[str]:
    """The rows, whatever the order of their columns."""
    return sorted(json.dumps(json.loads(row), sort_keys=True) for row in rows)


def line(outcome: Outcome) -> str:
    """The outcome for people."""
    same = "the same answers" if outcome.same else "ANSWERS DIFFER"
    shown = ", ".join(
        f"{name} {first:.2f}" + (f" then {outcome.repeated_s[name]:.2f} s" if name in outcome.repeated_s else " s")
        for name, first in outcome.first_s.items()
    )
    return f"{outcome.question}: {shown}; {same}, {outcome.rows} rows of {outcome.events} events"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.repeated_answers", description="Ten queries, asked again and again."
    )
    parser.add_argument("--events", type=int, required=True, help="events in the lake, over all its days")
    parser.add_argument("--days", type=int, default=7, help="days in the lake (7)")
    parser.add_argument("--rounds", type=int, default=4, help="how often each question is asked (4)")
    parser.add_argument("--askers", default=",".join(ASKERS), help=f"who is asked, of {', '.join(ASKERS)} (all)")
    parser.add_argument("--work", type=Path, help="folder that keeps generated lakes for the next run")
    parser.add_argument("--json", action="store_true", help="print a JSON object for each question")
    args = parser.parse_args(argv)
    askers = [name for name in args.askers.split(",") if name]
    if unknown := sorted(set(askers) - ASKERS.keys()):
        parser.error(f"no asker {', '.join(unknown)}")
    with hunting.work_folder(args.work) as work:
        for outcome in compare(work, args.events, args.days, args.rounds, askers):
            print(json.dumps(asdict(outcome)) if args.json else line(outcome))


if __name__ == "__main__":
    main()
