"""Regular expressions: `LinearRegex.java` against Java's own, over the same command lines, by turns in one process.

    python -m benchmarks.regexes --lines 1_000_000 [--corpus FOLDER]

For each pattern, what is timed is Spark counting the lines that match, without the search for necessary words before;
each side's best of three rounds counts. Java's side is what Lakehunt ran before it had an engine of its own: Spark's
`rlike` of the same pattern, with Unicode classes."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from pyspark.errors import IllegalArgumentException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks import events
from benchmarks.hunting import work_folder
from lakehunt import config
from lakehunt.hunting.query.events_table import KQL_TABLES
from lakehunt.kql import plan as p
from lakehunt.kql.binding import bind
from lakehunt.kql.errors import QueryErrors
from lakehunt.runtime import session
from lakehunt.spark.functions import CATALOG, regular

PATTERNS = (
    r"(?i)-e(nc|ncodedcommand)?\s+[A-Za-z0-9+/=]{20,}",
    r"[A-Za-z0-9+/]{50,}[=]{0,2}",
    r"(?i)\bpassword\b",
    r"^[A-Z]:\\Windows\\.*$",
    r"[C-Z]:\\Users\\(\w|[\.\-\s])+\\AppData\\Local\\Microsoft\\Teams\\Update\.exe",
    r"(?i)\\(temp|tmp|downloads)\\[^\\]+\.(exe|dll|scr)",
    r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}",
    r"\s[aukfAUKF]\s.*\s-p",
    r"https?://[^\s/]+/",
    r"(\^[a-z]){3,}",
    r"(?i)(curl|wget|invoke-webrequest|iwr)\b.*\bhttp",
    r"[^\x20-\x7E]",
)
"""Shapes that public hunting queries have, without those that begin with `.*`: Java needs minutes for them."""

_PLACES = {"matches regex": 1, "extract": 0, "extract_all": 0, "extractall": 0, "replace": 0, "replace_regex": 1}
"""Which argument is the pattern."""


def corpus_patterns(folder: Path) -> Iterator[str]:
    """The patterns in a folder of hunts, without those that begin with `.*`; hunts that are refused are left out."""
    for file in sorted(folder.rglob("*.yaml")):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        with suppress(QueryErrors):
            plan = bind(str(content.get("query", "")) if isinstance(content, dict) else "", KQL_TABLES, CATALOG)
            for call in p.expressions(plan):
                if isinstance(call, p.Call) and call.function in _PLACES:
                    pattern = call.args[_PLACES[call.function]]
                    if isinstance(pattern, p.Const) and not str(pattern.value).startswith(".*"):
                        yield str(pattern.value)


def command_lines(spark: SparkSession, folder: Path, count: int) -> DataFrame:
    """Generated command lines, from a file that is kept in `folder`."""
    file = folder / f"lines-{count}.parquet"
    if not file.exists():
        query = events.select(events.Day(0, 0, count, 100))
        events.connect().execute(f"COPY (SELECT ProcessCommandLine AS line FROM ({query})) TO '{file}'")  # noqa: S608
    return spark.read.parquet(str(file)).select(F.coalesce("line", F.lit("")).alias("line"))


def seconds(lines: DataFrame, condition: Column) -> tuple[float, int]:
    """How long counting the lines that meet a condition takes, and their number."""
    started = time.perf_counter()
    (row,) = lines.select(F.count_if(condition)).collect()
    return time.perf_counter() - started, row[0]


def compare(lines: DataFrame, pattern: str, rounds: int = 3) -> tuple[float, float, bool]:
    """Seconds of Lakehunt's engine and of Java's, and whether they find as many lines."""
    ours = regular.matches(F.col("line"), F.lit(pattern), pattern)
    java = F.rlike(F.col("line"), F.lit(f"(?U){pattern}"))
    timed = [(seconds(lines, ours), seconds(lines, java)) for _ in range(rounds)]
    (own, found), (other, expected) = (min(side) for side in zip(*timed, strict=True))
    return own, other, found == expected


def java_takes(spark: SparkSession, pattern: str) -> bool:
    jvm: Any = spark._jvm
    try:
        jvm.java.util.regex.Pattern.compile(pattern)
    except IllegalArgumentException:
        return False
    return True


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regexes", description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000, help="command lines (1000000)")
    parser.add_argument("--corpus", type=Path, help="a folder of hunts, whose patterns are used instead")
    parser.add_argument("--work", type=Path, help="folder that keeps what is generated for the next run")
    args = parser.parse_args(argv)
    patterns = tuple(dict.fromkeys(corpus_patterns(args.corpus))) if args.corpus else PATTERNS
    with work_folder(args.work) as work:
        spark = session.start(config.load())
        lines = command_lines(spark, work, args.lines)
        lines.agg(F.max(F.length("line"))).collect()
        print(
            "| pattern | ours s | Java s | ours / Java | same count |\n| --- | ---: | ---: | ---: | --- |", flush=True
        )
        totals = []
        for pattern in (one for one in patterns if java_takes(spark, one)):
            own, other, same = compare(lines, pattern)
            totals.append((own, other))
            shown = pattern.replace("|", "\\|")
            print(
                f"| `{shown}` | {own:.2f} | {other:.2f} | {own / other:.2f} | {'yes' if same else 'no'} |", flush=True
            )
        own, other = (sum(side) for side in zip(*totals, strict=True))
        median = statistics.median(one / two for one, two in totals)
        print(f"| all | {own:.2f} | {other:.2f} | **{own / other:.2f}** | median {median:.2f} |")


if __name__ == "__main__":
    main()
