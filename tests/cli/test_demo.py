"""The main job on the samples, and what commands print about the lake that it made: real processes."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.cells import cell_len

from lakehunt import cli
from lakehunt.lake.delta_lake import Lake
from tests.support.commands import lakehunt
from tests.support.paths import PROJECT

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
    assert re.search("hunting [12] of 2: Webserver Executing Suspicious Applications", done.stderr)
    total, *steps = done.stderr.splitlines()[-4:]
    assert total.endswith(" s  in total")
    assert steps == [
        f"next: lakehunt findings --lake {demo[0]}",
        f"      lakehunt report --lake {demo[0]}",
        f"      lakehunt status --lake {demo[0]}",
    ]


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


@pytest.fixture
def on_demo(
    demo: tuple[Path, subprocess.CompletedProcess[str]],
    spark: SparkSession,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    """Runs a command on the demo's lake, in the tests' own session, and returns what it printed."""
    lake = Lake(spark, str(demo[0]))
    monkeypatch.setattr("lakehunt.cli.context.lake", lambda *_, **__: nullcontext(lake))

    def command(*arguments: str) -> str:
        capsys.readouterr()
        assert cli.main([*arguments, "--lake", lake.root]) == 0
        return capsys.readouterr().out

    return command


@pytest.mark.slow
def test_status(on_demo: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    span = "DeviceProcessEvents | summarize first = min(Timestamp), last = max(Timestamp)"
    (queried,) = json.loads(on_demo("query", span, "--as-of", "2100-01-01", "--format", "json"))
    by_name = {row["table"]: row for row in json.loads(on_demo("status", "--format", "json"))}
    events = by_name["events.device_process_events"]
    assert events["rows"] == 442
    assert [events[name][:23] for name in ("first", "last")] == [queried[name][:23] for name in ("first", "last")]
    assert by_name["raw.records"]["rows"] == 446
    of_hunt = by_name["findings.1a9dfc1d-6dd2-42e5-81ef-fb90f3d96239"]
    assert (of_hunt["hunt"], of_hunt["rows"]) == ("Webserver Executing Suspicious Applications", 16)
    assert (events["files"] > 0, events["bytes"] > 0) == (True, True)

    printed = [" ".join(line.replace("│", " ").split()) for line in on_demo("status").splitlines()]
    assert "2026-03-10 Webserver Executing Suspicious Applications 16 succeeded" in printed
    assert any(line.startswith("events.device_process_events 442 ") for line in printed)
    assert any(line.startswith("findings: Webserver Executing Suspicious Applications 16 ") for line in printed)


@pytest.mark.slow
def test_runs_in_every_form(on_demo: Callable[..., str]) -> None:
    array = json.loads(on_demo("runs", "--format", "json"))
    assert sorted(run["findings"] for run in array) == [2, 16]
    assert [json.loads(line) for line in on_demo("--format", "jsonl", "runs").splitlines()] == array
    one = on_demo("runs", "webserver executing suspicious applications", "--format", "vertical")
    assert "findings        16\n" in one
    assert one.endswith("(1 run)\n")


@pytest.mark.slow
def test_a_day_without_findings_names_the_one_that_has_some(on_demo: Callable[..., str]) -> None:
    printed = on_demo("findings", "Webserver Executing Suspicious Applications", "--as-of", "2026-03-11")
    assert "as of 2026-03-11: no findings; the newest are as of 2026-03-10: --as-of 2026-03-10\n" in printed


@pytest.mark.slow
def test_whole_events_can_be_read_on_a_terminal(on_demo: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    query = ("query", "DeviceProcessEvents | take 2", "--as-of", AS_OF)
    piped = on_demo(*query).splitlines()
    assert len(piped[0].split("│")) == 73
    assert piped[-1] == "(2 rows)"
    monkeypatch.setattr("lakehunt.cli.render.terminal_width", lambda: 150)
    heading, _, *rows, last = on_demo(*query).splitlines()
    assert max(map(cell_len, [heading, *rows])) <= 150
    assert heading.startswith("Timestamp")
    assert " columns left out: " in rows[2]
    assert last == "(2 rows)"


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
