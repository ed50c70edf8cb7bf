"""One file never keeps the others from landing: it is refused by name, with the reason."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehunt.cli import context, pipeline
from lakehunt.hunting.settings import HuntingSettings
from lakehunt.lake.delta_lake import Lake, utc
from lakehunt.landing import refused_files
from lakehunt.landing.ledger import IngestResult
from lakehunt.landing.settings import FileLimits
from lakehunt.operations import status
from lakehunt.schemas.landing_tables import REFUSED_FILES
from tests.support.blobs import NOW, blob, record
from tests.support.landing import both_engines, ingest  # noqa: F401 (a fixture)

LIMITS = FileLimits(longest_line=2_000, unpacked_file=20_000)
RAW = "raw.records"
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


def test_a_refused_file_is_in_a_table_until_it_is_landed(lake: Lake, source: Path) -> None:
    """One is resolved by another limit, one by another content; one that changes and stays refused is noted again."""
    blob(source, GOOD, "good.json")
    long = blob(source, GOOD + "x" * 3_000 + "\n", "long.json")
    whole = gzip.compress(GOOD.encode())
    packed = blob(source, whole[:20], "packed.json.gz")
    line = "has a line of more than 2,000 bytes: see landing.longest_line in the configuration"

    def run(minute: int, longest: int = 2_000) -> IngestResult:
        at = NOW + timedelta(minutes=minute)
        return ingest(lake, str(source), at, lambda _: None, limits=FileLimits(longest, unpacked_file=20_000))

    def rows() -> list[tuple[str, int, bool, datetime]]:
        found = lake.read(REFUSED_FILES.name).orderBy("noted_at", "file").collect()
        return [(Path(one.file).name, one.bytes, one.reason is None, utc(one.noted_at)) for one in found]

    def at(minute: int) -> datetime:
        return NOW + timedelta(minutes=minute)

    size = long.stat().st_size
    first = run(0)
    assert (first.resolved, refused_files.waiting(lake)[0].reason) == ((), line)
    assert rows() == [("long.json", size, False, at(0)), ("packed.json.gz", 20, False, at(0))]
    run(1)
    assert len(rows()) == 2, "nothing has changed"

    packed.write_bytes(whole[:30])
    allowed = run(2, longest=4_000)
    assert [(Path(file).name, why) for file, why in allowed.resolved] == [("long.json", line)]
    assert rows()[2:] == [("long.json", size, True, at(2)), ("packed.json.gz", 30, False, at(2))]
    (left,) = refused_files.waiting(lake)
    modified = datetime.fromtimestamp(packed.stat().st_mtime, UTC)
    assert (Path(left.file).name, left.bytes, left.noted_at) == ("packed.json.gz", 30, at(2))
    assert abs(left.modified_at - modified) < timedelta(milliseconds=1)
    assert left.reason.startswith("not readable as a compressed file")

    packed.write_bytes(whole)
    assert [Path(file).name for file, _ in run(3).resolved] == ["packed.json.gz"]
    assert refused_files.waiting(lake) == []
    assert run(4).resolved == ()
    assert len(rows()) == 5


def test_a_file_that_is_again_as_it_was_landed_is_resolved(lake: Lake, source: Path) -> None:
    whole = blob(source, GOOD * 2, "a.json")
    assert land(lake, source).unreadable == ()
    landed_at, content = whole.stat().st_mtime_ns, whole.read_bytes()
    whole.write_bytes(content[:-1])
    assert list(refused(land(lake, source))) == ["a.json"]
    whole.write_bytes(content)
    os.utime(whole, ns=(landed_at, landed_at))
    again = ingest(lake, str(source), NOW + timedelta(minutes=1), lambda _: None, limits=LIMITS)
    assert (again.files_unchanged, [Path(file).name for file, _ in again.resolved]) == (1, ["a.json"])


def test_status_and_landing_say_what_is_refused_and_resolved(
    lake: Lake, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = blob(source, GOOD + "x" * 3_000 + "\n", "long.json")
    land(lake, source)
    (found,) = status.status(lake, [], HuntingSettings(), context.now()).refused
    assert found.file.endswith("long.json")
    done = IngestResult(1, 1, 1, 0, resolved=((str(small), "has a line of more than 2,000 bytes"),))
    assert pipeline.print_landed(done, None)
    said = f"  resolved: {small} is landed; it was refused before: has a line of more than 2,000 bytes\n"
    assert said in capsys.readouterr().out
