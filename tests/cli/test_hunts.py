"""What commands about hunts print."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lakehunt import cli
from lakehunt.cli import hunts as cli_hunts
from lakehunt.cli.hunts import dearest, print_runs
from lakehunt.hunting import explanation
from lakehunt.hunting.compiled_hunt import compile_hunt
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import run_log
from lakehunt.hunting.findings.run_log import DUE, FAILED, STARTED, HuntRun
from lakehunt.kql import times
from lakehunt.lake.small_tables import LocalTables

ID = "1b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10"


def test_a_hunt_that_could_not_begin_is_listed_with_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    """It has neither counts nor seconds."""
    bad, good = (Hunt(f"{n}b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10", name, "x") for n, name in enumerate(("bad", "good")))
    begun = datetime(2026, 3, 10, tzinfo=UTC)
    why = "hunts/bad.yaml:7:1: there is no table 'Nothing'"
    runs = [
        HuntRun(bad, 0, "r", begun, outcome=FAILED, error=why),
        HuntRun(good, 0, "r", begun, 1.25, matched=3, suppressed=0, findings=2),
    ]
    assert print_runs(runs) is False
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.replace("│", " ").splitlines()]
    assert lines[3:] == [
        "bad failed",
        "good 3 0 2 1.2 succeeded",
        "(2 hunts)",
        f"bad failed: {why}",
        "1 succeeded, 1 failed",
    ]


def test_of_many_hunts_those_that_found_something_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    begun = datetime(2026, 3, 10, tzinfo=UTC)

    def ran(number: int, **counts: Any) -> HuntRun:
        return HuntRun(
            Hunt(f"{number:08d}-0000-4a5e-9a3e-0d8b8f5b7a10", f"hunt {number}", "x"), 0, "r", begun, **counts
        )

    quiet = [ran(number, seconds=0.5, matched=1, suppressed=1, findings=0) for number in range(49)]
    found = [ran(number, seconds=2.0, matched=10, suppressed=0, findings=number - 96) for number in (100, 101)]
    assert print_runs([*quiet, *found]) is True
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.replace("│", " ").splitlines()]
    assert lines[0] == "Hunts as of 1970-01-01 that found something or failed"
    assert lines[3:6] == ["hunt 100 10 0 4 2 succeeded", "hunt 101 10 0 5 2 succeeded", "(2 hunts)"]
    assert lines[9:] == [
        "found something 2 20 0 9 4",
        "found nothing 49 49 49 0 24.5",
        "failed 0 0 0 0 0",
        "(3 outcomes)",
        "51 succeeded, 0 failed",
    ]
    assert print_runs([*quiet, ran(200), ran(201, outcome=FAILED, error="it is broken")]) is False
    told = capsys.readouterr().out
    assert "hunt 201 failed: it is broken" in told
    assert "hunt 200" not in told
    assert told.endswith("50 succeeded, 1 failed\n")


def test_the_dearest_runs_first() -> None:
    rows = [
        {"hunt_name": "a", "seconds": 1.0, "matched": None, "bytes_read": 5},
        {"hunt_name": "b", "seconds": None, "matched": 0, "bytes_read": 5},
        {"hunt_name": "c", "seconds": 3.0, "matched": 7, "bytes_read": 9},
    ]
    assert [row["hunt_name"] for row in dearest(rows, "newest")] == ["a", "b", "c"]
    assert [row["hunt_name"] for row in dearest(rows, "seconds")] == ["c", "a", "b"]
    assert [row["hunt_name"] for row in dearest(rows, "matched")] == ["c", "b", "a"]
    assert [row["hunt_name"] for row in dearest(rows, "bytes")] == ["c", "a", "b"]


def explained(folder: Path, *arguments: str) -> int:
    (folder / "hunts").mkdir(exist_ok=True)
    (folder / "hunts" / "h.yaml").write_text(
        f"id: {ID}\nname: Shells\nquery: |\n"
        "  DeviceProcessEvents\n"
        "  | where Timestamp > ago(1d)\n"
        "  | where FileName =~ 'cmd.exe' and ProcessCommandLine has 'whoami'\n"
    )
    (folder / "hunts" / "h.exclusions.yaml").write_text(
        "exclusions:\n"
        "- {name: backup, reason: known, owner: ops, where: AccountName == 'backup'}\n"
        "- {name: old, reason: known, owner: ops, where: AccountName == 'old', enabled: false}\n"
    )
    (folder / "lakehunt.yaml").write_text("hunts: hunts\n")
    return cli.main(["explain", "--config", str(folder / "lakehunt.yaml"), "--as-of", "2026-03-10", *arguments])


def test_explain_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(tmp_path, "Shells") == 0
    told = capsys.readouterr().out
    assert "window: from 2026-03-09 to 2026-03-10" in told
    assert "as-ofs of its clock: every 1d (hunting.frequency of the configuration), newest: 2026-03-10" in told
    assert "FileName =~ 'cmd.exe'   [matcher]" in told
    assert "ProcessCommandLine has 'whoami'   [matcher]" in told
    assert "events of DeviceProcessEvents are looked at that have the keyword FileName 'cmd.exe'\n" in told
    assert "unless excluded by backup (on): AccountName == 'backup'" in told
    assert "old" not in told


def looked_at(query: str) -> list[str]:
    """The lines about the events whose conditions are looked at."""
    found = explanation.explain(compile_hunt(Hunt(ID, "h", query)), 0)
    return [line for line in cli_hunts.explained(found, False) if "looked at" in line]


KNOWN = "events of DeviceProcessEvents are looked at that have one of"
NONE = "dear: every new event of DeviceProcessEvents is looked at, because no text has to occur in it"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (
            "ProcessCommandLine has_any ('mimikatz', 'Sekurlsa')",
            f"{KNOWN} 2 keywords: ProcessCommandLine 'mimikatz', ProcessCommandLine 'sekurlsa'",
        ),
        (
            "FolderPath contains 'temp' or FileName in~ ('a', 'b', 'c', 'd', 'e', 'f', 'g')",
            f"{KNOWN} 8 keywords: {', '.join(f'FileName {name!r}' for name in 'abcdef')} and 2 more",
        ),
        ("strlen(ProcessCommandLine) > 100", NONE),
        ("FileName == 'a.exe' or ProcessId == 4", NONE),
    ],
)
def test_explain_says_which_events_are_looked_at(condition: str, expected: str) -> None:
    assert looked_at(f"DeviceProcessEvents | where {condition}") == [f"  {expected}"]


def test_what_a_run_took(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the run log, which is read without Spark: the newest run that has ended. A run in progress has no counts."""
    monkeypatch.setattr("lakehunt.runtime.session.start", lambda *_: pytest.fail("Spark was started"))
    hunt = Hunt(ID, "Shells", "x")
    first, second, third = (datetime(2026, 3, day, tzinfo=UTC) for day in (8, 9, 10))
    at = [times.from_datetime(day) for day in (first, second, third)]
    counts = {"events_scanned": 285_716, "matched": 12, "suppressed": 0, "findings": 3, "seconds": 0.44}
    tables = LocalTables(str(tmp_path / "lake"))
    for row in (
        HuntRun(hunt, at[0], "1", first, **counts | {"findings": 9}),
        HuntRun(hunt, at[1], "2", second, **counts, bytes_read=7_000_000),
        HuntRun(hunt, at[2], "3", third, outcome=STARTED),
    ):
        run_log.record_runs(tables, [row])  # type: ignore[arg-type]
    lake = ["--lake", str(tmp_path / "lake")]
    assert explained(tmp_path, "Shells", *lake) == 0
    told = capsys.readouterr().out
    assert "last run, as of 2026-03-09: 285,716 events read, 12 matched, 0 suppressed, 3 findings, 0.4 s\n" in told
    config = ["--config", str(tmp_path / "lakehunt.yaml"), *lake]
    assert cli.main(["runs", *config, "--sort", "findings", "--format", "json"]) == 0
    assert [row["findings"] for row in json.loads(capsys.readouterr().out)] == [9, 3, None]
    assert cli.main(["runs", *config, "--sort", "bytes", "--last", "1", "--format", "json"]) == 0
    assert [row["bytes_read"] for row in json.loads(capsys.readouterr().out)] == [7_000_000]
    run_log.record_runs(tables, [HuntRun(hunt, at[2], "3", third, outcome=FAILED, error="too slow")])  # type: ignore
    assert explained(tmp_path, "Shells", *lake) == 0
    assert "last run, as of 2026-03-10: failed: too slow\n" in capsys.readouterr().out


def test_explain_shows_exclusions_that_are_off_where_they_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explained(tmp_path, "--hunt", ID, "-v") == 0
    told = capsys.readouterr().out
    assert "unless excluded by old (off): AccountName == 'old'" in told
    assert "columns of the hits in DeviceProcessEvents: " in told


@pytest.mark.parametrize("arguments", [["nope"], ["--hunt", "nope"], ["shells", "--hunt", "nope"]])
def test_a_hunt_that_does_not_exist(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert explained(tmp_path, *arguments) == 1
    assert "there is no hunt nope" in capsys.readouterr().err


def test_what_is_due(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A daily hunt that its clock asked on the 7th; somebody asked it on the 9th, which moves no clock."""
    lake = ["--lake", str(tmp_path / "lake")]
    assert explained(tmp_path, "Shells", *lake) == 0
    capsys.readouterr()
    config = ["--config", str(tmp_path / "lakehunt.yaml"), *lake]
    due = ["runs", "--due", "--as-of", "2026-03-10T06:44:00Z", "--format", "json", *config]
    assert cli.main(due) == 0
    (row,) = json.loads(capsys.readouterr().out)
    expected = {"hunt_id": ID, "hunt_name": "Shells", "every": "1d", "again": 0, "skipped": 0, "next": "2026-03-11"}
    assert row == expected | {"last": None, "due": 1, "first_due": "2026-03-10"}
    hunt = Hunt(ID, "Shells", "x")
    tables = LocalTables(str(tmp_path / "lake"))
    for day, reason in ((7, DUE), (9, None)):
        moment = datetime(2026, 3, day, tzinfo=UTC)
        run_log.record_runs(tables, [HuntRun(hunt, times.from_datetime(moment), str(day), moment, reason=reason)])
    assert cli.main(due) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row == expected | {"last": "2026-03-07", "due": 3, "first_due": "2026-03-08"}


def test_due_goes_with_nothing_that_chooses_as_ofs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (["--from", "2026-03-01"], ["--full"], ["--exclusions", "as-run"]):
        assert cli.main(["hunt", "--due", "--lake", str(tmp_path), *wrong]) == 2
        assert "--due is without --from, --to, --full and --exclusions" in capsys.readouterr().err
