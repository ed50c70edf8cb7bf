"""One file never keeps the others from landing: it is refused by name, with the reason."""

from __future__ import annotations

import bz2
import gzip
import json
import random
from pathlib import Path

from lakehunt.lake.delta_lake import Lake
from lakehunt.landing.file_limits import FileLimits
from lakehunt.landing.ingest import IngestResult, ingest
from tests.support.blobs import NOW, blob, record

LIMITS = FileLimits(longest_line=2_000, unpacked_file=20_000)
RAW = "raw.device_process_events"
GOOD = f"{record(FileName='good')}\n"


def land(lake: Lake, source: Path) -> IngestResult:
    return ingest(lake, str(source), NOW, lambda _: None, limits=LIMITS)


def refused(done: IngestResult) -> dict[str, str]:
    return {Path(file).name: why for file, why in done.unreadable}


def landed(lake: Lake) -> list[tuple[str, int]]:
    return sorted((Path(row.file).name, row.line) for row in lake.read(RAW).select("file", "line").collect())


def test_long_lines_and_large_files(lake: Lake, source: Path) -> None:
    """A line of twice the limit is left out by the reader, a shorter one is not: both are noticed."""
    longest = record(FileName="x" * (2_000 - len(record(FileName=""))))
    blob(source, GOOD + "x" * 2_001 + "\n" + GOOD, "long.json")
    blob(source, GOOD + "x" * 9_000 + "\n" + GOOD, "very long.json")
    blob(source, "x" * 9_000, "only one line.json")
    blob(source, GOOD + "x" * 9_000, "at the end.json")
    blob(source, gzip.compress(b"x" * 19_000), "one line.json.gz")
    blob(source, gzip.compress((GOOD * 500).encode()), "large.json.gz")
    blob(source, gzip.compress((GOOD * 500).encode()), "large and misnamed.json")
    blob(source, bz2.compress((GOOD * 500).encode()), "large.json.bz2")
    blob(source, longest + "\n" + GOOD, "as long as allowed.json")
    blob(source, "\ufeff" + GOOD, "with a mark.json")
    blob(source, bz2.compress((GOOD * 2).encode()), "small.json.bz2")
    blob(source, "\n\n", "blank.json")
    done = land(lake, source)
    line = "has a line of more than 2,000 bytes: see landing.longest_line in the configuration"
    size = "unpacks to more than 20,000 bytes: see landing.unpacked_file in the configuration"
    assert refused(done) == {
        "at the end.json": line,
        "large and misnamed.json": size,
        "large.json.bz2": size,
        "large.json.gz": size,
        "long.json": line,
        "one line.json.gz": line,
        "only one line.json": line,
        "very long.json": line,
    }
    assert landed(lake) == [
        ("as long as allowed.json", 1),
        ("as long as allowed.json", 2),
        ("small.json.bz2", 1),
        ("small.json.bz2", 2),
        ("with a mark.json", 1),
    ]
    assert refused(land(lake, source)) == refused(done), "the next run says so again"
    allowed = ingest(lake, str(source), NOW, lambda _: None, limits=FileLimits())
    assert (allowed.unreadable, allowed.delivered) == ((), 3 + 3 + 1 + 2 + 1 + 500 * 3)


def test_a_file_that_grows_has_its_lines_once(lake: Lake, source: Path) -> None:
    generator = random.Random(7)
    data = (GOOD * 30).encode()
    for end in [*sorted(generator.sample(range(len(data)), 2)), len(data)]:
        blob(source, data[:end], "grows.json")
        assert land(lake, source).unreadable == ()
    assert landed(lake) == [("grows.json", line) for line in range(1, 31)]


def test_a_file_in_another_form_has_one_verdict(lake: Lake, source: Path) -> None:
    event = json.loads(record())["properties"]
    blob(source, json.dumps({"Schema": [], "Results": [event, event]}, indent=2), "answer.json")
    blob(source, f"[\n{record()},\n{record()}\n]\n", "array.json")
    blob(source, (json.dumps(event) + "\n") * 3, "bare.json")
    blob(source, gzip.compress(GOOD.encode("utf-16")), "wide.json.gz")
    blob(source, '{"records": []}\n', "none.json")
    blob(source, "[1]\n" + GOOD + "nope\n", "mixed.json")
    blob(source, "{\n" + GOOD, "begun.json")
    done = land(lake, source)
    assert sorted(refused(done)) == ["answer.json", "array.json", "bare.json", "none.json", "wide.json.gz"]
    assert "an answer of the Advanced Hunting API. Lakehunt lands one record a line: jq" in refused(done)["answer.json"]
    assert landed(lake) == [
        ("begun.json", 1),
        ("begun.json", 2),
        ("mixed.json", 1),
        ("mixed.json", 2),
        ("mixed.json", 3),
    ]
