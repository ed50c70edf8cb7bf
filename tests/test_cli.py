"""The command line as a user meets it: real processes, exit codes, what is printed where."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from pipelines.config import PROJECT
from tests.support.commands import WITHOUT_JAVA, lakehunt

SAMPLES = PROJECT / "samples"
AS_OF = "2026-03-10T00:00:00Z"


def test_check_needs_no_jvm_and_little_time(tmp_path: Path) -> None:
    started = time.perf_counter()
    done = lakehunt("check", **WITHOUT_JAVA)
    assert time.perf_counter() - started < 10  # a generous bound: it takes half a second on an idle machine
    assert done.returncode == 0, done.stderr
    assert "any_Timestamp1: datetime" in done.stdout
    assert "instances: long" in done.stdout
    assert "2 hunts compile, 0 do not" in done.stderr


def test_check_reports_every_error_at_its_place_in_the_file(tmp_path: Path) -> None:
    good = PROJECT / "hunts" / "webserver-executing-suspicious-applications.yaml"
    shutil.copy(good, tmp_path / "good.yaml")
    lines = good.read_text().replace("1a9dfc1d", "2a9dfc1d").replace("FileName in~", "FileNam in~").splitlines()
    (tmp_path / "bad.yaml").write_text("\n".join(lines))
    (tmp_path / "worse.yaml").write_text("id: 1\nid: 2\n")
    done = lakehunt("check", tmp_path)
    assert done.returncode == 1
    line = next(i for i, text in enumerate(lines, 1) if "| where FileNam in~" in text)
    column = lines[line - 1].index("FileNam") + 1
    assert f"{tmp_path / 'bad.yaml'}:{line}:{column}: error: there is no column 'FileNam'" in done.stderr
    assert "did you mean 'FileName'?" in done.stderr
    assert f"{tmp_path / 'worse.yaml'}:2:1:" in done.stderr
    assert "good.yaml" in done.stdout


def test_check_as_json_lines(tmp_path: Path) -> None:
    requests = [
        {"id": "a", "query": "DeviceProcessEvents | summarize n = count() by DeviceId"},
        {"id": 2, "query": "DeviceProcessEvents\n| where Nope == 1"},
    ]
    done = lakehunt("check", "--jsonl", text="\n".join(map(json.dumps, requests)), **WITHOUT_JAVA)
    assert done.returncode == 0
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"id": "a", "schema": [{"name": "DeviceId", "type": "string"}, {"name": "n", "type": "long"}]},
        {
            "id": 2,
            "error": {"kind": "semantic", "message": "there is no column 'Nope'", "line": 2, "column": 9},
        },
    ]


def test_a_line_that_is_no_request() -> None:
    done = lakehunt("check", "--jsonl", text='{"id": 1, "query": "print 1"}\nnonsense\n')
    assert done.returncode == 1
    assert "line 2 is not a request" in done.stderr
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ([], 2, "COMMAND"),
        (["nonsense"], 2, "invalid choice"),
        (["run"], 2, "SOURCE"),
        (["run", "x", "--as-of", "yesterday"], 2, "is no instant"),
        (["run", "x", "--as-of", "2026-03-10T00:00:00.0000001Z"], 2, "finer than a microsecond"),
        (["query"], 2, "give either a query or --jsonl"),
        (["query", "print 1", "--period", "soon"], 2, "is no timespan"),
        (["check", "nowhere.yaml"], 1, "nowhere.yaml"),
        (["check", "--config", "nowhere.yaml"], 1, "no configuration file at nowhere.yaml"),
        (["hunt", "--hunt", "nope"], 1, "there is no hunt nope"),
        (["--help"], 0, "COMMAND"),
        (["run", "--help"], 0, "--as-of"),
        (["--version"], 0, "lakehunt 0."),
    ],
)
def test_usage(args: list[str], code: int, message: str) -> None:
    done = lakehunt(*args)
    assert (done.returncode, message in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_configuration_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "lakehunt.yaml").write_text("lake: here\nlaek: there\n")
    done = lakehunt("check", cwd=tmp_path)
    assert done.returncode == 1
    assert "lakehunt.yaml:2:1: unknown key 'laek'" in done.stderr


def test_no_java_is_one_clear_message(tmp_path: Path) -> None:
    done = lakehunt("findings", "--lake", tmp_path / "lake", JAVA_HOME=str(tmp_path))
    assert done.returncode == 1
    assert "no Java found" in done.stderr
    assert "install Java 17 or 21" in done.stderr
    assert "Traceback" not in done.stderr


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
