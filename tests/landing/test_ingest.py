"""Every delivered record once, whatever its blob looks like."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehunt.core.errors import LakehuntError
from lakehunt.lake.delta_lake import Lake
from tests.support.blobs import BLOB, CATEGORY, NOW, blob, record
from tests.support.landing import both_engines, ingest  # noqa: F401 (a fixture)

Say = Callable[[str], None]
RAW = "raw.records"


def raw(lake: Lake, batch: int) -> list[tuple[Any, ...]]:
    rows = lake.read(RAW).where(f"batch = {batch}").collect()
    return sorted((Path(r.file).name, r.line, r.text if r.text is not None else bytes(r.bytes)) for r in rows)


def test_a_growing_blob(lake: Lake, source: Path, say: Say) -> None:
    one, two, three = record(FileName="1"), record(FileName="2"), record(FileName="3")
    path = blob(source, f"{one}\r\n\r\n{two}\r\n{three[:40]}")
    first = ingest(lake, str(source), NOW, say)
    assert raw(lake, 1) == [("PT1H.json", 1, one), ("PT1H.json", 3, two)]
    assert (first.batch, first.delivered, [line for _, line in first.pending]) == (1, 2, [4])

    again = ingest(lake, str(source), NOW, say)
    assert (again.batch, again.delivered, again.files_unchanged, again.pending) == (None, 0, 1, first.pending)

    path.write_bytes(path.read_bytes() + three[40:].encode())
    second = ingest(lake, str(source), NOW, say)
    assert raw(lake, 2) == [("PT1H.json", 4, three)]
    assert second.pending == ()

    path.write_bytes(path.read_bytes() + b"\r\n{broken}\n")
    third = ingest(lake, str(source), NOW, say)
    assert (third.batch, raw(lake, 3)) == (3, [("PT1H.json", 5, "{broken}")])

    path.write_bytes(b"short")
    shrunk = ingest(lake, str(source), NOW, say)
    assert shrunk.delivered == 0
    assert "blobs only grow" in shrunk.unreadable[0][1]


def test_envelope(lake: Lake, source: Path, say: Say) -> None:
    blob(source, record())
    ingest(lake, str(source / BLOB), NOW, say)
    row = lake.read(RAW).selectExpr("cast(exported_at as string) e", "tenant_id", "category", "landed_at").collect()[0]
    assert (row.e, row.tenant_id, row.category) == ("2024-05-02 11:05:00", "0f0e", CATEGORY)


def test_gzip_and_what_cannot_be_read(lake: Lake, source: Path, say: Say) -> None:
    packed = gzip.compress(f"{record()}\n{{half".encode())
    corrupt = gzip.compress(record(FileName="".join(chr(32 + i * i % 90) for i in range(9999))).encode())[:-60]
    blob(source, packed, "named.json.gz")
    blob(source, packed, "disguised [1] {a} %20.json")
    blob(source, record(), "plain.json.gz")
    blob(source, b"", "empty.json.gz")
    blob(source, b"", "empty.json")
    blob(source, b"\xff{\r\nnope\n\x00\n", "bad.json")
    blob(source, corrupt, "corrupt.json.gz")
    blob(source, corrupt, "corrupt.json")
    blob(source, b"BZh9" + bz2.compress(b"x" * 999)[4:20] + b"garbage" * 20, "corrupt.bz2")
    done = ingest(lake, str(source), NOW, say)
    assert raw(lake, 1) == [
        ("bad.json", 1, b"\xff{"),
        ("bad.json", 2, "nope"),
        ("bad.json", 3, "\0"),
        ("disguised [1] {a} %20.json", 1, record()),
        ("disguised [1] {a} %20.json", 2, "{half"),
        ("named.json.gz", 1, record()),
        ("named.json.gz", 2, "{half"),
        ("plain.json.gz", 1, record()),
    ]
    assert done.delivered == 8
    assert [Path(file).name for file, _ in done.unreadable] == ["corrupt.bz2", "corrupt.json", "corrupt.json.gz"]
    assert not list((Path(lake.root) / "raw").glob("_staging*"))


def test_an_empty_blob_is_no_error(lake: Lake, source: Path, say: Say, said: list[str]) -> None:
    blob(source, b"")
    assert ingest(lake, str(source), NOW, say).delivered == 0
    assert any("0 new records" in line for line in said)


@pytest.mark.parametrize("name", ["", "nowhere", "no*thing", "nowhere/file.json"])
def test_no_source(lake: Lake, source: Path, say: Say, name: str) -> None:
    with pytest.raises(LakehuntError, match="source"):
        ingest(lake, str(source / name), NOW, say)
    assert not Path(lake.root).exists()


@pytest.mark.spark_only
def test_a_kill_before_the_record_of_files(lake: Lake, source: Path, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    path = blob(source, f"{record(FileName='1')}\n")
    monkeypatch.setattr("lakehunt.landing.spark.ingest.Landing._record", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ingest(lake, str(source), NOW, say)
    monkeypatch.undo()
    other = blob(source.parent / "elsewhere", record(FileName="other"))
    assert ingest(lake, str(other), NOW, say).batch == 2
    path.write_bytes(path.read_bytes() + record(FileName="2").encode())
    done = ingest(lake, str(source), NOW, say)
    assert (done.batch, raw(lake, 3)) == (3, [("PT1H.json", 2, record(FileName="2"))])


def test_two_runs_at_once_land_every_record_once(lake: Lake, source: Path, say: Say) -> None:
    records = [record(FileName=str(number)) + "\n" for number in range(60)]
    blob(source, "".join(records[:50]))
    lakes = [Lake(lake.spark.newSession(), lake.root) for _ in range(2)]  # settings are a session's, as in a process
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(ingest, own, str(source), NOW + timedelta(seconds=n), say) for n, own in enumerate(lakes)]
        done = [run.result() for run in runs]
    assert sorted(one.delivered for one in done) == [0, 50]
    assert lake.read(RAW).count() == lake.read(RAW).select("line").distinct().count() == 50
    blob(source, "".join(records))
    assert ingest(lake, str(source), NOW, say).delivered == 10
