"""`lakehunt check`: every file, all of its errors, each at its place in the file."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

from lakehunt import cli
from lakehunt.hunting import compile_check
from lakehunt.hunting.compile_check import CheckedFile, excerpt
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY
from lakehunt.kql.errors import Span
from tests.support.commands import WITHOUT_JAVA, lakehunt

ID = "0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a1"


def write(file: Path, query: str, number: int = 0, name: str = "Anything") -> Path:
    """A hunt in a file; the lines of its query start in column 3 of line 4."""
    lines = query.replace("\n", "\n  ")
    file.write_text(f"id: {ID}{number}\nname: {name}\nquery: |\n  {lines}\n")
    return file


def check(*paths: Path) -> list[CheckedFile]:
    return compile_check.check_files(paths, EVENTS_ONLY)


TWO_ERRORS = "DeviceProcessEvents\n| where Nope == 1\n| where FileNam == 'a'\n| project DeviceId"


def test_errors_as_editors_and_ci_read_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "hunt.yaml", TWO_ERRORS)
    assert cli.main(["check", str(file)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        f"{file}:5:11: error: there is no column 'Nope'",
        "    | where Nope == 1",
        "            ^^^^",
        f"{file}:6:11: error: there is no column 'FileNam'",
        "    | where FileNam == 'a'",
        "            ^^^^^^^",
        "    hint: did you mean 'FileName'?",
        "0 hunts compile, 1 do not",
    ]


def test_a_line_of_json_for_each_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write(tmp_path / "a.yaml", "DeviceProcessEvents | summarize n = count() by DeviceId", 1, "Good")
    bad = write(tmp_path / "b.yaml", "DeviceProcessEvents\n| where Nope == 1", 2, "Bad")
    neither = tmp_path / "c.yaml"
    neither.write_text("id: [")
    assert cli.main(["check", "--json", str(tmp_path)]) == 1
    told = capsys.readouterr()
    first, second, third = (json.loads(line) for line in told.out.splitlines())
    columns = [{"name": "DeviceId", "type": "string"}, {"name": "n", "type": "long"}]
    told_good = {"id": f"{ID}1", "name": "Good", "ok": True, "schema": columns, "errors": []}
    assert first == {"file": str(good)} | told_good
    assert (second["file"], second["id"], second["name"]) == (str(bad), f"{ID}2", "Bad")
    assert (second["ok"], second["schema"]) == (False, [])
    place = {"line": 5, "column": 11, "end_line": 5, "end_column": 15}
    assert second["errors"] == [{"kind": "semantic", "message": "there is no column 'Nope'", "hint": ""} | place]
    assert (third["file"], third["id"], third["name"], third["ok"]) == (str(neither), None, None, False)
    (error,) = third["errors"]
    assert (error["kind"], error["line"]) == ("file", 1)
    assert told.err == "1 hunts compile, 2 do not\n"


def test_json_and_jsonl_are_one_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "a.yaml", "print x = 1")
    cli.main(["check", "--format", "json", str(file)])
    (one,) = json.loads(capsys.readouterr().out)
    for spelling in (["check", "--json"], ["check", "--format", "jsonl"], ["--format", "jsonl", "check"]):
        cli.main([*spelling, str(file)])
        assert json.loads(capsys.readouterr().out) == one
    assert one["schema"] == [{"name": "x", "type": "long"}]


def test_a_line_a_hunt_and_its_columns_where_they_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "a.yaml", "DeviceProcessEvents | summarize n = count() by DeviceId")
    assert cli.main(["check", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: Anything, 2 columns\n"
    assert cli.main(["check", "-v", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: Anything, 2 columns\n  DeviceId: string, n: long\n"


def test_a_table_of_what_was_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "a.yaml", "print x = 1", 1, "Good")
    write(tmp_path / "b.yaml", "Nope", 2, "Bad")
    assert cli.main(["check", "--format", "table", str(tmp_path)]) == 1
    rows = [[cell.strip() for cell in line.split("│")] for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["file", "name", "ok", "errors", "columns"]
    assert rows[2] == [str(tmp_path / "a.yaml"), "Good", "true", "", "x: long"]
    assert rows[3] == [str(tmp_path / "b.yaml"), "Bad", "false", "4:3: there is no table 'Nope'", ""]


def test_a_bare_query_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "q.kql"
    file.write_text("DeviceProcessEvents\n| where Nope == 1\n")
    assert cli.main(["check", str(file)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{file}:2:9: error: there is no column 'Nope'",
        "    | where Nope == 1",
        "            ^^^^",
        "0 hunts compile, 1 do not",
    ]
    file.write_text("print x = 1")
    assert cli.main(["check", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: a query, 1 column\n"
    assert cli.main(["check", str(tmp_path / "missing.kql")]) == 1
    assert "missing.kql:1:1: error: cannot be read: No such file or directory" in capsys.readouterr().err


def test_a_bare_query_on_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("print x = Nope"))
    assert cli.main(["check", "-"]) == 1
    assert capsys.readouterr().err.startswith("<stdin>:1:11: error: there is no column 'Nope'\n")


def test_warnings_are_printed_and_fail_where_that_is_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "a.yaml", "print x = 1")
    file.write_text(file.read_text() + "querry: print x = 2\n")
    assert cli.main(["check", str(file)]) == 0
    warned = capsys.readouterr().err.splitlines()
    assert warned[0].startswith(f"{file}:5:1: warning: ")
    assert "querry" in warned[0]
    assert warned[-1] == "1 warning"
    assert cli.main(["check", "--strict", str(file)]) == 1
    capsys.readouterr()
    cli.main(["check", "--json", str(file)])
    assert [one["line"] for one in json.loads(capsys.readouterr().out)["warnings"]] == [5]


def test_errors_of_the_file_and_of_its_query_at_once(tmp_path: Path) -> None:
    file = tmp_path / "hunt.yaml"
    file.write_text("name: Anything\nseverity: enormous\nquery: |\n\n  DeviceProcessEvents | wher x\n  | take\n")
    (one,) = check(file)
    assert [(p.kind, p.start.line, p.start.column) for p in one.problems] == [
        ("file", 1, 1),  # the id is missing
        ("file", 2, 11),
        ("syntax", 5, 25),
    ]
    assert (one.hunt, one.id, one.name) == (None, None, "Anything")


def test_an_error_in_folded_text_has_its_place_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "hunt.yaml"
    file.write_text(f"id: {ID}0\nname: Anything\nquery: >\n  DeviceProcessEvents\n  | where Nope == 1\n")
    (problem,) = check(file)[0].problems
    assert (problem.start, problem.end) == ((5, 11), (5, 15))
    assert problem.excerpt[0] == "DeviceProcessEvents | where Nope == 1"
    assert problem.excerpt[1].strip() == "^^^^"


def test_ids_are_compared_across_all_paths_but_a_file_is_checked_once(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    first, second = (write(path, "DeviceProcessEvents") for path in (folder / "a.yaml", tmp_path / "b.yaml"))
    checked = check(folder, first, second)
    assert [(one.file, one.ok) for one in checked] == [(first, True), (second, False)]
    assert [p.message for p in checked[1].problems] == [f"id {ID}0 is also that of {first}"]


@pytest.mark.parametrize(
    ("text", "span", "expected"),
    [
        ("abc", (1, 2), ("abc", " ^")),
        ("abc\ndef", (4, 7), ("def", "^^^")),
        ("a\tb c", (2, 3), ("a\tb c", " \t^")),
        ("abc\ndef", (1, 6), ("abc", " ^^")),  # only as far as the first line goes
        ("abc", (3, 3), ("abc", "   ^")),  # the end of the query
        ("abc\n", (4, 4), ("", "^")),
        ("a\u2028b", (2, 3), ("a\u2028b", "  ^")),  # no line break in KQL's eyes
    ],
)
def test_excerpts(text: str, span: tuple[int, int], expected: tuple[str, str]) -> None:
    assert excerpt(text, Span(*span)) == expected


def test_registered_tables_and_exit_codes(tmp_path: Path) -> None:
    (tmp_path / "hunts").mkdir()
    write(tmp_path / "hunts" / "hunt.yaml", "Owners\n| where Since > ago(1d)")
    config = tmp_path / "lakehunt.yaml"
    config.write_text("hunts: hunts\n")
    refused = lakehunt("check", cwd=tmp_path, **WITHOUT_JAVA)
    assert refused.returncode == 1
    assert f"{tmp_path}/hunts/hunt.yaml:4:3: error: there is no table 'Owners'" in refused.stderr
    config.write_text("hunts: hunts\ntables:\n  Owners: {path: x, columns: {Device: string, Since: datetime}}\n")
    fine = lakehunt("check", "--json", cwd=tmp_path, **WITHOUT_JAVA)
    assert fine.returncode == 0, fine.stderr
    assert json.loads(fine.stdout)["schema"] == [
        {"name": "Device", "type": "string"},
        {"name": "Since", "type": "datetime"},
    ]
    both = lakehunt("check", "--json", "--jsonl", cwd=tmp_path, **WITHOUT_JAVA)
    assert both.returncode == 2


def test_what_is_no_folder_of_hunts(tmp_path: Path) -> None:
    (tmp_path / "lakehunt.yaml").write_text("hunts: nowhere\n")
    done = lakehunt("check", cwd=tmp_path, **WITHOUT_JAVA)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no folder of hunts at {tmp_path}/nowhere" in done.stderr


def test_a_folder_of_hundreds_takes_seconds(shared: Path) -> None:
    started = time.perf_counter()
    done = lakehunt("check", "--json", shared / "corpus" / "queries", **WITHOUT_JAVA)
    assert time.perf_counter() - started < 10  # a generous bound: it takes one on an idle machine
    told: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == 217
    assert all(one["ok"] != bool(one["errors"]) for one in told)
    assert all(error["line"] > 0 and error["column"] > 0 for one in told for error in one["errors"])
