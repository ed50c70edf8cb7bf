"""`lakehunt.open` and `lakehunt.check`, beside the tests' own session."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import lakehunt
from lakehunt.config import Config
from lakehunt.lake.delta_lake import Lake
from lakehunt.runtime.limits import Limits
from tests.support.events import event, store
from tests.support.paths import PROJECT

HUNT = """
id: 0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10
name: Shells of web servers
severity: High
query: |
  DeviceProcessEvents
  | where InitiatingProcessFileName == 'w3wp.exe'
  | project Timestamp, DeviceId, DeviceName, FileName, ProcessCommandLine
"""


def opened(lake: Lake, **settings: Any) -> lakehunt.OpenLake:
    return lakehunt.open(lake.root, config=Config(**settings))


class TestImport:
    def test_it_costs_nothing_until_something_is_used(self) -> None:
        script = "import sys, json, lakehunt; print(json.dumps([lakehunt.__version__, sorted(sys.modules)]))"
        told = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONPATH": str(PROJECT / "pipelines")},
        )
        version, modules = json.loads(told.stdout)
        assert version == lakehunt.__version__
        assert [name for name in modules if name.startswith("lakehunt")] == ["lakehunt"]
        assert not {"pyspark", "py4j", "pyarrow", "pandas", "IPython", "yaml"} & set(modules)

    def test_every_name_is_there(self) -> None:
        assert {name for name in lakehunt.__all__ if getattr(lakehunt, name) is None} == set()
        assert set(lakehunt.__all__) == set(lakehunt._PLACES)
        assert set(lakehunt.__all__) <= set(dir(lakehunt))
        with pytest.raises(AttributeError, match="has no attribute 'opne'"):
            lakehunt.opne  # noqa: B018


class TestCheck:
    def test_columns_and_types(self) -> None:
        query = "DeviceProcessEvents | summarize n = count(), at = max(Timestamp) by DeviceName"
        assert lakehunt.check(query, config=Config()) == {"DeviceName": "string", "n": "long", "at": "datetime"}

    def test_errors_show_their_place(self) -> None:
        with pytest.raises(lakehunt.QueryErrors) as raised:
            lakehunt.check("DeviceProcessEvents\n| where FileNam == 'x'", config=Config())
        [error] = raised.value.errors
        assert raised.value.place(error) == (2, 9)
        line, text, caret = raised.value.message.splitlines()[:3]
        assert line.startswith("2:9: ")
        assert (text, caret) == ("    | where FileNam == 'x'", "            ^^^^^^^")
        assert raised.value._render_traceback_()[0].startswith("QueryErrors: 2:9: ")


class TestQuery:
    def test_as_of_and_period(self, spark: Any, lake: Lake) -> None:
        store(lake, [event(Timestamp=f"2026-03-0{day}T12:00:00Z", ReportId=day) for day in range(1, 6)])
        query = "DeviceProcessEvents | summarize make_list(ReportId)"
        live = opened(lake)
        assert live.query(query).rows == [[[1, 2, 3, 4, 5]]]
        assert live.query(query, as_of="2026-03-03").rows == [[[1, 2]]]
        assert live.query(query, as_of=dt.date(2026, 3, 4), period="2d").rows == [[[2, 3]]]
        at = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)
        assert live.query(query, as_of=at, period=dt.timedelta(hours=25)).rows == [[[3, 4]]]
        assert live.query("print now()", as_of="2026-03-03T01:02:03.1234567Z").rows == [
            ["2026-03-03T01:02:03.1234567Z"]
        ]

    def test_what_is_wrong_with_it(self, spark: Any, lake: Lake) -> None:
        store(lake, [event(), event(ReportId=2)])
        live = opened(lake)
        with pytest.raises(lakehunt.UsageError, match="'noon' is not a time"):
            live.query("print 1", as_of="noon")
        with pytest.raises(lakehunt.LimitError, match="more than 1 rows"):
            live.query("DeviceProcessEvents", limits=Limits(rows=1))

    def test_a_place_that_cannot_be_a_lake(self, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.touch()
        with pytest.raises(lakehunt.LakehuntError, match="cannot be a folder"):
            lakehunt.open(file / "lake", config=Config())

    def test_it_is_shown(self, spark: Any, lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
        found = opened(lake).query("range x from 1 to 3 step 1 | extend y = strcat('n', x)")
        assert repr(found) == "<3 rows of (x: long, y: string)>"
        found.show(rows=2)
        assert capsys.readouterr().out.splitlines() == [
            "The first 2 of 3 rows",
            "x │ y",
            "──┼───",
            "1 │ n1",
            "2 │ n2",
            "(2 rows)",
        ]

    def test_tables(self, tmp_path: Path) -> None:
        tables = lakehunt.open(tmp_path / "lake", config=Config()).tables()
        assert tables["DeviceProcessEvents"]["ProcessCommandLine"] == "string"
        assert "DeviceNetworkEvents" in tables


class TestHunts:
    def test_hunt_findings_and_evidence(
        self, spark: Any, lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "shells.yaml").write_text(HUNT)
        (tmp_path / "broken.yaml").write_text("name: [")
        store(lake, [event(DeviceName=""), event(InitiatingProcessFileName="explorer.exe", ReportId=2)])
        live = opened(lake, hunts=tmp_path)
        codegen = spark.conf.get("spark.sql.codegen.wholeStage")
        with pytest.warns(UserWarning, match="broken.yaml"):
            runs = live.hunt(as_of="2026-03-02")
        assert spark.conf.get("spark.sql.codegen.wholeStage") == codegen
        [run] = runs.to_arrow().to_pylist()
        assert (run["hunt_name"], run["findings"], run["outcome"]) == ("Shells of web servers", 1, "succeeded")

        found = live.findings("shells of web servers")
        [row] = found.to_pandas().to_dict("records")
        assert row["result"]["ProcessCommandLine"] == "cmd.exe /c whoami"
        assert (row["status"], row["device_name"], row["events"]) == ("new", "", 1)
        assert str(row["as_of"]) == "2026-03-02 00:00:00+00:00"
        assert len(live.findings(as_of="2026-03-01")) == 0
        with pytest.raises(lakehunt.LakehuntError, match="there is no hunt nothing"):
            live.findings("nothing")

        shown = live.evidence(row["finding_id"][:12])
        assert [one["FileName"] for one in shown.events] == ["cmd.exe"]
        assert [root.process.file_name for root in shown.trees] == ["svchost.exe"]
        shown.show()
        assert "* cmd.exe" in capsys.readouterr().out
        with pytest.raises(lakehunt.UsageError):
            live.evidence("nonsense!")
