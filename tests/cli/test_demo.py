"""The main job on the samples, and what commands print about the lake that it made: real processes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipelines.config import PROJECT
from tests.support.commands import lakehunt

SAMPLES = PROJECT / "samples"
AS_OF = "2026-03-10T00:00:00Z"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The main job on the project's own samples, as `make demo` runs it."""
    lake = tmp_path_factory.mktemp("demo") / "lake"
    return lake, lakehunt("run", SAMPLES / "streaming", "--as-of", AS_OF, "--lake", lake, "--show")


@pytest.mark.slow
def test_run_prints_a_summary_and_the_findings(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, done = demo
    told = json.loads((SAMPLES / "expected.json").read_text())["landing"]
    assert done.returncode == 0, done.stderr
    assert f"landed {told['delivered']} records" in done.stdout
    assert (
        f"{told['delivered']} records = {told['events']} events"
        f" + {told['quarantined']} quarantined + {told['duplicates']} duplicates"
    ) in done.stdout
    assert "cmd.exe /c WHOAMI /groups" in done.stdout
    assert "hunting: Webserver Executing Suspicious Applications" in done.stderr


@pytest.mark.slow
def test_findings_as_json_and_csv(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    lake, _ = demo
    done = lakehunt("findings", "--lake", lake, "--format", "json")
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    assert len(rows) == 18
    assert {row["status"] for row in rows} == {"new"}
    instances = [row["result"]["instances"] for row in rows if "instances" in row["result"]]
    assert instances == sorted(instances)
    one = lakehunt("findings", "--lake", lake, "--format", "csv", "--hunt", "1a9dfc1d-6dd2-42e5-81ef-fb90f3d96239")
    assert one.stdout.splitlines()[0] == "ProcessCommandLine,FolderPath,DeviceName,DeviceId,instances"
    assert len(one.stdout.splitlines()) == 17


@pytest.mark.slow
def test_query_on_the_lake(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    lake, _ = demo
    requests = [
        {"id": 1, "query": "DeviceProcessEvents | summarize last = max(Timestamp)"},
        {"id": 2, "query": "DeviceProcessEvents | where FileName == | count"},
        {"id": 3, "query": "print a = 1, b = 'x', c = 1d, d = dynamic([1]), e = real(nan), f = now()"},
        {"id": 4, "query": "DeviceProcessEvents | evaluate autocluster()"},
    ]
    text = "\n".join(map(json.dumps, requests))
    done = lakehunt("query", "--jsonl", "--lake", lake, "--as-of", AS_OF, text=text)
    assert done.returncode == 0, done.stderr
    one, two, three, four = (json.loads(line) for line in done.stdout.splitlines())
    assert one["columns"] == [{"name": "last", "type": "datetime"}]
    assert one["rows"][0][0] <= "2026-03-10T00:00:00.0000000Z"
    assert (two["error"]["kind"], two["error"]["line"], two["error"]["column"]) == ("syntax", 1, 41)
    assert three["rows"] == [[1, "x", "1.00:00:00", [1], "NaN", "2026-03-10T00:00:00.0000000Z"]]
    assert (four["error"]["kind"], four["error"]["column"]) == ("unsupported", 32)


@pytest.mark.slow
def test_tables_open_in_readers_that_are_not_spark(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    import duckdb
    import polars
    from deltalake import DeltaTable

    lake, _ = demo
    for path in lake.glob("*/*/_delta_log"):
        table = DeltaTable(path.parent)
        assert table.protocol().min_reader_version == 1, path
        assert table.to_pyarrow_table().num_rows >= 0
    duck = duckdb.connect()
    duck.register("findings", DeltaTable(lake / "findings" / "all").to_pyarrow_table())
    counted = duck.execute("SELECT count(*), count(DISTINCT finding_id) FROM findings WHERE events > 0").fetchone()
    assert counted == (18, 18)
    own = polars.read_delta(str(lake / "findings" / "7fdc5f4a-700d-4713-abfc-181f02968726"))
    assert own["set_ProcessCommandLine"].list.len().sort().to_list() == [4, 7]
    comments = {f.name: f.metadata.get("comment") for f in DeltaTable(lake / "findings" / "all").schema().fields}
    assert all(comments.values()), comments
