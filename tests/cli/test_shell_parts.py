"""The parts of the shell that need no JVM: where a query ends, what can follow, colours, history."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.cli.shell import state_files
from lakehunt.cli.shell.completion import Candidate, Completions
from lakehunt.cli.shell.highlighting import parts
from lakehunt.cli.shell.statements import is_whole, statements
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY
from lakehunt.spark.functions import CATALOG

# Where a query ends


def texts(script: str) -> list[str]:
    return [one.text for one in statements(script.splitlines(keepends=True))]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("T | take 1", ["T | take 1"]),
        ("T\n| take 1\n\nU", ["T\n| take 1", "U"]),
        ("T | take 1;\nU | count;\n", ["T | take 1;", "U | count;"]),
        ("let x = 1;\nT | take x", ["let x = 1;\nT | take x"]),
        ("let x = 1;\n\nT | take x\n\nU", ["let x = 1;\n\nT | take x", "U"]),
        ("let x = 1;\nlet y = 2;\nT | take x;\nU", ["let x = 1;\nlet y = 2;\nT | take x;", "U"]),
        ("T\n\n\n| take 1\n\nU", ["T\n\n\n| take 1", "U"]),
        ("T | where A in (\n'x',\n\n'y')\n\nU", ["T | where A in (\n'x',\n\n'y')", "U"]),
        ("let f = () {\n  T;\n\n};\nf()\n", ["let f = () {\n  T;\n\n};\nf()"]),
        ("print ```a\n\n;\nb```\n\nU", ["print ```a\n\n;\nb```", "U"]),
        ("print ';'\n\nU", ["print ';'", "U"]),
        ("T // all;\n| take 1", ["T // all;\n| take 1"]),
        ("// a title\n\nT | take 1", ["// a title\n\nT | take 1"]),
        ("// nothing\n\n", []),
        (".tables\nT\n| take 1\n\n.quit", [".tables", "T\n| take 1", ".quit"]),
        ("  .schema T  \n", [".schema T"]),
        ("T\n.x\n\nU", ["T\n.x", "U"]),
        ("print 'open\n\nU", ["print 'open", "U"]),
        ("print (1\n\n\nU", ["print (1\n", "U"]),
        ("let x = 1;\n\n\nU", ["let x = 1;\n\n\nU"]),
        ("T | where A == “x”\n\nU", ["T | where A == “x”", "U"]),
        ("", []),
    ],
)
def test_a_script_is_divided(script: str, expected: list[str]) -> None:
    assert texts(script) == expected


def test_each_statement_has_its_line() -> None:
    assert [one.line for one in statements(["", ".tables", "", "T", "| take 1", "", "", "U"])] == [2, 4, 8]


@pytest.mark.parametrize(
    "text",
    ["", ".help", "T;", "T\n| take 1\n", "let x = 1;\nT;", "T | where A in (\n'x');", "print 'open\n", "print (1\n\n"],
)
def test_enter_runs(text: str) -> None:
    assert is_whole(text)


@pytest.mark.parametrize(
    "text",
    [
        "T",
        "T\n| take 1",
        "let x = 1;",
        "let x = 1;\n",
        "T | where A in (",
        "T | where A in (\n",
        "print ```a\n",
        "T //;",
    ],
)
def test_enter_makes_a_line(text: str) -> None:
    assert not is_whole(text)


LINES = ["T", "| take 1", "", "let x = 1;", "U;", "// note", "print '|'", ")", "(", ".tables", "  ", "```", "'"]


@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_nothing_is_lost(lines: list[str]) -> None:
    """Only empty lines and comments without a query are left out, and the order stays."""
    left = [line.strip() for one in statements(lines) for line in one.text.split("\n") if line.strip()]
    given_ = [line.strip() for line in lines if line.strip()]
    position = 0
    for line in left:
        position = given_.index(line, position) + 1
    missing = len(given_) - len(left)
    assert missing <= given_.count("// note")


# Completion


def candidates(text: str) -> list[Candidate]:
    commands = {".schema": ("columns", lambda: [Candidate("DeviceEvents", "table")]), ".save": ("save", list)}
    return list(Completions(EVENTS_ONLY, CATALOG, commands).at_end(text).candidates)


def names(text: str) -> list[str]:
    return [one.text for one in candidates(text)]


def kinds(text: str) -> set[str]:
    return {one.what for one in candidates(text)}


def test_tables_begin_a_query() -> None:
    assert names("DeviceProc") == ["DeviceProcessEvents"]
    assert names("ProcessEv") == ["DeviceProcessEvents"]  # one that contains it
    assert "let" in names("")


@pytest.mark.parametrize(
    "text",
    ["union Device", "T | join kind=inner (Device", "T | where A in (Device", "let x = Device", "union T, Device"],
)
def test_tables_stand_where_tables_may(text: str) -> None:
    assert "DeviceNetworkEvents" in names(text)


def test_operators_follow_a_pipe() -> None:
    assert names("DeviceProcessEvents | summ") == ["summarize"]
    assert names("DeviceProcessEvents | project-aw") == ["project-away"]
    assert kinds("DeviceProcessEvents | ") == {"operator"}


def test_columns_are_those_of_the_rows_there() -> None:
    query = "DeviceProcessEvents | extend Name = tolower(FileName) | summarize Times = count() by Name | where "
    columns = [one for one in candidates(query) if one.what in ("string", "long")]
    assert columns == [Candidate("Name", "string"), Candidate("Times", "long")]


def test_columns_of_a_table_in_parentheses() -> None:
    text = "DeviceProcessEvents | summarize N = count() | join (DeviceNetworkEvents | where RemoteP"
    assert "RemotePort" in names(text)
    assert "N" not in names(text)


def test_columns_of_let() -> None:
    text = "let shells = DeviceProcessEvents | project Shell = FileName;\nshells | where Sh"
    assert names(text)[:1] == ["Shell"]
    assert "shells" in names("let shells = DeviceProcessEvents;\nsh")


def test_columns_of_the_tables_that_are_named_where_the_query_is_wrong() -> None:
    assert "ProcessCommandLine" in names("DeviceProcessEvents | where Nope == 1 | where ProcessComm")
    assert "RemotePort" not in names("DeviceProcessEvents | where Nope == 1 | where Remote")


def test_functions_and_kinds_of_joins() -> None:
    assert "strcat(" in names("print strc")
    assert "dcount(" in names("DeviceProcessEvents | summarize dcou")
    assert names("T | join kind=leftan") == ["leftanti", "leftantisemi"]
    assert "bag_unpack" in names("T | evaluate bag_un")


@pytest.mark.parametrize("text", ["print 'Device", "print 1 // Device", "print 'a", "print 12"])
def test_nothing_is_suggested_in_texts_and_comments(text: str) -> None:
    assert names(text) == []


def test_commands_and_their_arguments() -> None:
    assert names(".s") == [".schema", ".save"]
    assert names(".schema Dev") == ["DeviceEvents"]
    assert names(".nope x") == []


@given(st.text(alphabet="DeviceProcessEvents|(){}[]'\"`~=. \n,;/let", max_size=40))
def test_completion_never_fails(text: str) -> None:
    Completions(EVENTS_ONLY, CATALOG).at_end(text)


# Colours


def coloured(text: str) -> list[tuple[str, str]]:
    return [(text[a:b], style.removeprefix("kql.")) for a, b, style in parts(text, lambda name: name == "T")]


def test_colours() -> None:
    assert coloured("T // all\n| project-away a, b | where c has 'x' and f(d) > 1d") == [
        ("T", "table"),
        ("// all", "comment"),
        ("|", "operator"),
        ("project-away", "operator"),
        ("|", "operator"),
        ("where", "operator"),
        ("has", "keyword"),
        ("'x'", "string"),
        ("and", "keyword"),
        ("f", "function"),
        ("1d", "number"),
    ]


def test_colours_of_what_is_not_finished() -> None:
    assert coloured("print 'abc") == [("print", "keyword"), ("'abc", "string")]
    assert coloured("print 1 ” 2") == [("print", "keyword"), ("1", "number"), ("” 2", "error")]
    assert coloured(".schema T") == [(".schema", "command")]


@given(st.text(alphabet="T|where 'x'//\n\"`.[(1d”é", max_size=40))
def test_coloured_parts_are_in_order(text: str) -> None:
    found = list(parts(text, lambda name: True))
    assert all(a.start < a.end <= b.start for a, b in zip(found, [*found[1:], *found[-1:]], strict=True) if a is not b)
    assert all(one.end <= len(text) for one in found)


# History


def test_history_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    state_files.history().append_string("T | take 1")
    file = tmp_path / "state/lakehunt/history"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(state_files.history().load_history_strings()) == ["T | take 1"]


def test_history_without_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").write_text("a file")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    state_files.history().append_string("T")
    assert "will not be kept" in capsys.readouterr().err
