"""Landing without Spark: every record once however a run ends, in bounded batches."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakehunt.lake.small_tables import LocalTables
from lakehunt.landing.local import blocks, duplicates, land, parsing
from lakehunt.landing.local.engine import LocalEngine
from lakehunt.landing.outcomes import PromotionResult
from lakehunt.landing.settings import FileLimits, Settings
from lakehunt.quality.data_docs import DataDocs
from lakehunt.schemas.event_tables import BY_NAME, DEVICE_PROCESS_EVENTS
from lakehunt.schemas.landing_tables import BATCHES, QUARANTINE, RECORDS
from lakehunt.schemas.table import Table
from tests.support.blobs import NOW, blob, record

EVENTS = DEVICE_PROCESS_EVENTS.events
NETWORK = "AdvancedHunting-DeviceNetworkEvents"
INFO = "AdvancedHunting-DeviceNetworkInfo"

LINES = (
    record(FileName="a", ReportId=1, AdditionalFields={"b": 1.5, "a": [None, "\u00e9", 2**60]}),
    record(FileName="a", ReportId=1, AdditionalFields={"b": 1.5, "a": [None, "\u00e9", 2**60]}),
    record(FileName="b", Timestamp="0001-01-01T00:00:00Z", ProcessCreationTime="9999-12-31T23:59:59.9999999Z"),
    record(FileName="c", New={"x": "y"}, AdditionalFields="text"),
    record(FileName="\ud83d half", ProcessCommandLine='"quoted" \\ \u2028 \x07'),
    record(DeviceId=None),
    record(DeviceId="", FileSize="7", ReportId=1.5),
    record(category="AuditLogs"),
    record(category="AdvancedHunting-EmailEvents"),
    record()[:-1],
    "nope",
    "[1]",
    "",
    " \t",
)


class _KilledError(Exception):
    """What ends a run here, as SIGKILL would."""


@pytest.fixture
def root(tmp_path: Path) -> str:
    return str(tmp_path / "local")


def engine(root: str, suites: Path, tables: tuple[str, ...] = tuple(BY_NAME)) -> LocalEngine:
    return LocalEngine(root, Settings(FileLimits(), tables=tables), suites, DataDocs(), lambda _: None)


def rows(root: str, table: Table, *without: str) -> list[str]:
    """The rows of a table as text, in order."""
    names = [name for name in table.column_names if name not in {"landed_at", *without}]
    found = LocalTables(root).rows(table, names)
    found = pa.table(
        [found.column(name).cast(pa.string()) if name in _TIMES else found.column(name) for name in names], names
    )
    return sorted(json.dumps(row, default=repr, sort_keys=True) for row in found.to_pylist())


_TIMES = {column.name for column in EVENTS.columns if column.type == "TIMESTAMP"}
"""Which Python's datetimes cannot all hold."""


def everything(root: str) -> list[list[str]]:
    """What a lake holds, apart from when and in which batch it came."""
    return [rows(root, table, "batch") for table in (RECORDS, EVENTS, QUARANTINE)]


def totals(found: PromotionResult) -> tuple[int, ...]:
    names = ("delivered", "events", "quarantined", "duplicates")
    return tuple(sum(getattr(batch, name) for batch in found.batches) for name in names)


@pytest.mark.parametrize("in_other_processes", [False, True])
def test_batches_and_blocks_are_bounded(
    source: Path, suites: Path, root: str, in_other_processes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(land, "BATCH", 3_000)
    monkeypatch.setattr(blocks, "BLOCK", 700)
    monkeypatch.setattr(parsing, "BLOCK", 1_000)
    monkeypatch.setattr(parsing, "WORTH_PROCESSES", 1_000 if in_other_processes else 1 << 30)
    monkeypatch.setattr(blocks, "_READ", 300)
    lines = [record(FileName=str(number % 40), Odd=1) for number in range(50)]
    lines[7] = lines[33] = "\t"
    lines[20] = "nope"
    blob(source, "\n".join(lines[:45]) + "\n", "a.json")
    blob(source, "\n".join(lines[45:]) + "\n", "b.json")
    ingested, promoted = engine(root, suites).land(str(source), NOW)
    assert ingested.delivered == 48
    assert len(promoted.batches) == ingested.batch > 2
    assert totals(promoted) == (48, 38, 1, 9)
    landed = LocalTables(root).rows(RECORDS, ["file", "line", "text"]).to_pylist()
    assert {(Path(row["file"]).name, row["line"]): row["text"] for row in landed} == {
        ("a.json" if number < 45 else "b.json", number % 45 + 1): line
        for number, line in enumerate(lines)
        if line.strip()
    }


def test_a_batch_that_is_too_large_to_be_read_back_is_left_to_spark(
    source: Path, suites: Path, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, small = record(FileName="x" * 5_000), record(FileName="y")
    for line, name in ((large, "a.json"), (small, "b.json")):
        blob(source, line + "\n", name)
        engine(root, suites).ingest(str(source), NOW)
    with monkeypatch.context() as patched:
        patched.setattr(land, "MOST_WAITING", 5_000)
        left, done = engine(root, suites).promote().batches
    assert left.refused == ("it has 0 MB of records, too many for this engine: set landing.engine to spark",)
    assert (done.batch, done.events, done.refused) == (2, 1, ())
    assert [(row["batch"], row["landed_at"]) for row in waiting(root, "landed_at")] == [(1, NOW)]
    (again,) = engine(root, suites).promote().batches
    assert (again.batch, again.events, waiting(root)) == (1, 1, [])


def test_unpacked_copies_are_removed_once_they_are_parsed(
    source: Path, suites: Path, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(land, "BATCH", 1)
    for number in range(6):
        blob(source, gzip.compress((record(ReportId=number) + "\n").encode()), f"{number}.gz")
    there: list[int] = []
    landed = land.Landing._land_batch

    def counting(self: land.Landing, *arguments: Any) -> None:
        there.append(len(list(Path(root, "raw").glob("_staging-*/*.unpacked"))))
        landed(self, *arguments)

    monkeypatch.setattr(land.Landing, "_land_batch", counting)
    assert engine(root, suites).land(str(source), NOW)[0].delivered == 6
    assert len(there) == 6
    assert max(there) <= 2  # of the batch that is parsed meanwhile, and of the file that ended before it
    assert there[-1] <= 1


def test_an_earlier_event_is_found_by_the_index_and_without_it(source: Path, suites: Path, root: str) -> None:
    line = record(FileName="a")
    blob(source, line + "\n", "a.json")
    engine(root, suites).land(str(source), NOW)
    folder = Path(root, "events", "device_process_events", duplicates.FOLDER)
    (index,) = folder.iterdir()
    blob(source, line + "\n", "b.json")
    assert totals(engine(root, suites).land(str(source), NOW)[1]) == (1, 0, 0, 1)
    index.unlink()
    blob(source, line + "\n", "c.json")
    assert totals(engine(root, suites).land(str(source), NOW)[1]) == (1, 0, 0, 1)
    assert index.exists()
    index.write_bytes(b"cut")
    blob(source, line + "\n", "d.json")
    assert totals(engine(root, suites).land(str(source), NOW)[1]) == (1, 0, 0, 1)
    assert len(rows(root, EVENTS)) == 1


def _failing(method: Callable[..., Any], at: Iterator[int], before: bool) -> Callable[..., Any]:
    def failing(*arguments: Any, **named: Any) -> Any:
        number = next(at)
        if number == 0 and before:
            raise _KilledError
        result = method(*arguments, **named)
        if number == 0:
            raise _KilledError
        return result

    return failing


WRITES = ("append_unless", "commit_files_after", "replace", "ensure")


@pytest.mark.parametrize("before", [True, False])
def test_a_kill_before_or_after_any_write_converges(
    source: Path, suites: Path, tmp_path: Path, before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(land, "BATCH", 1_500)
    monkeypatch.setattr(blocks, "BLOCK", 500)
    monkeypatch.setattr(blocks, "_READ", 300)
    blob(source, "\n".join([*LINES, record(category=NETWORK)]) + "\n")
    straight = str(tmp_path / "straight")
    engine(straight, suites).land(str(source), NOW)
    expected = everything(straight)
    for number in range(200):
        root = str(tmp_path / f"killed-{number}")
        with monkeypatch.context() as patched:
            left = iter(range(number, -10_000, -1))
            for name in WRITES:
                patched.setattr(LocalTables, name, _failing(getattr(LocalTables, name), left, before))
            try:
                engine(root, suites).land(str(source), NOW)
                killed = False
            except _KilledError:
                killed = True
        engine(root, suites).promote()
        engine(root, suites).land(str(source), NOW)
        assert everything(root) == expected, f"killed at write {number}"
        assert waiting(root) == []
        if not killed:
            assert number > 10
            return
    raise AssertionError("more writes than expected")


def waiting(root: str, *columns: str) -> list[dict[str, Any]]:
    names = ["batch", "event_table", "outcome", *columns]
    found = LocalTables(root).rows(BATCHES, names, [("outcome", "!=", "settled")])
    return list(found.to_pylist())


def start(source: Path, suites: Path, root: str) -> subprocess.Popen[bytes]:
    config = Path(root).with_suffix(".yaml")
    config.write_text(f"lake: {root}\nexpectations: {suites}\nlanding: {{engine: local}}\n")
    command = [sys.executable, "-m", "lakehunt.cli", "land", str(source), "--config", str(config)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


def many(source: Path, count: int) -> None:
    for number in range(count):
        lines = [record(FileName=str(n), ReportId=number * 1000 + n) for n in range(40)]
        blob(source, "\n".join([*lines, "nope", lines[0]]) + "\n", f"{number}.json")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in range(3, 126))])
def test_sigkill_at_random_times_converges(source: Path, suites: Path, tmp_path: Path, seed: int) -> None:
    """Each seed: runs that are killed after a random time, until one ends."""
    generator = random.Random(seed)
    many(source, 6)
    straight, root = str(tmp_path / "straight"), str(tmp_path / "killed")
    began = time.perf_counter()
    assert start(source, suites, straight).wait() == 0
    takes = time.perf_counter() - began
    for _ in range(4):
        process = start(source, suites, root)
        time.sleep(generator.uniform(0.5, 1.0) * takes)
        with_children = os.getpgid(process.pid)
        os.killpg(with_children, signal.SIGKILL)
        process.wait()
    last = start(source, suites, root)
    output, _ = last.communicate()
    assert last.returncode == 0, output.decode()
    assert everything(root) == everything(straight)
    assert waiting(root) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in range(2, 51))])
def test_two_landings_at_once(source: Path, suites: Path, tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    many(source, 6)
    straight, root = str(tmp_path / "straight"), str(tmp_path / "both")
    assert start(source, suites, straight).wait() == 0
    first = start(source, suites, root)
    time.sleep(generator.uniform(0, 0.3))
    second = start(source, suites, root)
    outputs = [process.communicate()[0].decode() for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert everything(root) == everything(straight)
    assert waiting(root) == []
