"""Logs as JSON: every line of a job is one object, with its command and, where it is known, run, hunt and table."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lakehunt import cli
from lakehunt.core import json_log
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import run_log
from lakehunt.hunting.findings.run_log import FAILED, HuntRun
from lakehunt.kql import times
from lakehunt.lake.small_tables import LocalTables
from tests.support.blobs import blob, record

KEYS = ["time", "level", "message", "command", "invocation"]
SECRET = "sig=zTk4cGFzc3dvcmQxMjM0"


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_line_of_a_job_is_an_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blob(tmp_path / "source", f"{record()}\n{record(ProcessId='7')}\n")
    streams = sys.stdout, sys.stderr
    assert cli.main(["land", str(tmp_path / "source"), "--lake", str(tmp_path / "lake"), "--log-format", "json"]) == 0
    assert (sys.stdout, sys.stderr) == streams
    printed = capsys.readouterr()
    assert printed.out == ""
    logged = objects(printed.err)
    assert all(list(one)[:5] == KEYS for one in logged)
    assert {one["command"] for one in logged} == {"land"}
    assert len({one["invocation"] for one in logged}) == 1
    assert {one["level"] for one in logged} <= {"info", "warning"}
    at = datetime.fromisoformat(logged[0]["time"])
    assert (at.utcoffset() is not None, abs((datetime.now(UTC) - at).total_seconds()) < 600) == (True, True)
    (batch,) = (one for one in logged if one["message"] == "batch of a table")
    counts = {"delivered": 2, "events": 1, "quarantined": 1, "duplicates": 0}
    assert {name: batch[name] for name in ("batch", "table", *counts)} == {
        "batch": 1, "table": "DeviceProcessEvents", **counts,
    }  # fmt: skip
    assert any(one["message"].startswith("landed 2 records from 1 files") for one in logged)


def test_an_error_has_its_level_and_its_hint_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAKEHUNT_LOG_FORMAT", "json")
    file = tmp_path / "lakehunt.yaml"
    file.write_text(f"source: 'wasbs://c@a.blob.core.windows.net/x?{SECRET}'\nlake: [1]\n")
    assert cli.main(["land", "--config", str(file)]) == 1
    (error,) = objects(capsys.readouterr().err)
    assert (error["level"], error["command"]) == ("error", "land")
    assert "lakehunt.yaml:2" in error["message"]
    assert not json_log.is_on()


def test_secrets_are_hidden_in_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    json_log.begin()
    try:
        address = f"https://a.blob.core.windows.net/x?{SECRET}"
        json_log.LOG.warning("no answer from %s", address, extra=json_log.fields(file=address))
        print(f"see {address}", file=sys.stderr)
        print("without an end", file=sys.stderr, end="")
    finally:
        json_log.end()
    err = capsys.readouterr().err
    assert SECRET not in err
    assert [one["message"] for one in objects(err)] == [
        "no answer from https://a.blob.core.windows.net/x?sig=[redacted]",
        "see https://a.blob.core.windows.net/x?sig=[redacted]",
        "without an end",
    ]


def test_a_run_of_a_hunt_has_its_ids(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = LocalTables(str(tmp_path / "lake"))
    hunt = Hunt("0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a01", "a hunt", "DeviceProcessEvents")
    as_of = times.from_datetime(datetime(2026, 3, 10, tzinfo=UTC))
    began = datetime(2026, 3, 10, 0, 5, tzinfo=UTC)
    json_log.begin()
    try:
        run = HuntRun(
            hunt, as_of, "20260310T000500000000Z-00000001", began, 1.5, outcome=FAILED, error="memory\nis full"
        )
        run_log.record_runs(lake, [run])
    finally:
        json_log.end()
    (logged,) = objects(capsys.readouterr().err)
    assert {name: logged[name] for name in logged if name not in KEYS} == {
        "run_id": "20260310T000500000000Z-00000001",
        "hunt_id": hunt.id,
        "hunt": "a hunt",
        "as_of": "2026-03-10T00:00:00+00:00",
        "outcome": "failed",
        "seconds": 1.5,
        "error": "memory\nis full",
    }
    assert (logged["level"], logged["message"]) == ("error", "run of a hunt: failed")


def test_an_error_that_nothing_expected_is_an_object(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError(f"https://a.blob.core.windows.net/x?{SECRET}")

    monkeypatch.setattr("lakehunt.cli.context.check_place", broken)
    assert cli.main(["status", "--log-format", "json", "--lake", str(tmp_path)]) == 1
    (error,) = objects(capsys.readouterr().err)
    assert error["level"] == "error"
    assert error["exception"].startswith("Traceback")
    assert SECRET not in json.dumps(error)


def test_rows_that_a_command_prints_are_no_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = LocalTables(str(tmp_path / "lake"))
    hunt = Hunt("1a9dfc1d-6dd2-42e5-81ef-fb90f3d96239", "a hunt", "DeviceProcessEvents")
    run_log.record_runs(lake, [HuntRun(hunt, 0, "20260310T000500000000Z-00000001", datetime.now(UTC))])
    assert cli.main(["runs", "--format", "jsonl", "--lake", lake.root, "--log-format", "json"]) == 0
    printed = capsys.readouterr()
    assert [json.loads(line)["hunt_name"] for line in printed.out.splitlines()] == ["a hunt"]
    assert printed.err == ""


def test_nothing_is_logged_without_being_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blob(tmp_path / "source", f"{record()}\n")
    assert cli.main(["land", str(tmp_path / "source"), "--lake", str(tmp_path / "lake")]) == 0
    printed = capsys.readouterr()
    assert "landed 1 records" in printed.out
    assert "{" not in printed.out + printed.err
