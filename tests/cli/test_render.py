"""Tables that a person can read, at any width; everything where nobody looks."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from lakehunt.cli import render
from lakehunt.cli.render import Column, table
from lakehunt.core.printable import printable


def lines(rows: Sequence[Mapping[str, Any]], width: int | None, *names: str) -> list[str]:
    return list(table(rows, [Column(name) for name in names or list(rows[0])], width))


def test_a_table_that_fits() -> None:
    rows = [{"name": "cmd.exe", "n": 5, "share": 0.5}, {"name": None, "n": 1234, "share": None}]
    assert lines(rows, 80) == [
        "name    │    n │ share",
        "────────┼──────┼──────",
        "cmd.exe │    5 │   0.5",
        "        │ 1234 │",
    ]


def test_cells_are_cut_to_the_width() -> None:
    rows = [{"device": "web01", "command": "powershell -enc " + "A" * 100, "n": 7}]
    assert lines(rows, 40) == [
        "device │ command                     │ n",
        "───────┼─────────────────────────────┼──",
        "web01  │ powershell -enc AAAAAAAAAA… │ 7",
    ]


def test_an_enormous_value_is_cut_at_once() -> None:
    """16 MB as in an event that an attacker wrote: measuring and escaping all of it took minutes."""
    enormous = "cmd /c \x1b[31m" + "A" * 16_000_000
    started = time.perf_counter()
    for width in (None, 60):
        _, _, row = lines([{"device": "web01", "command": enormous, "all": [enormous, "b"]}], width)
        assert row.startswith("web01  │ cmd /c \\x1b[31mA")
        assert len(row) < 4 * render.LONGEST
    assert time.perf_counter() - started < 5
    assert "A… (16,000,012 characters) " in lines([{"command": enormous}, {"command": "dir"}], None)[2] + " "


def test_columns_without_room_are_left_out_and_named() -> None:
    """Four columns keep 12 cells each beside four gaps of three and the mark: the last is one of them."""
    rows = [{f"column {i}": "x" * 30 for i in range(7)}]
    assert lines(rows, 61) == [
        "column 0     │ column 1     │ column 2     │ … │ column 6",
        "─────────────┼──────────────┼──────────────┼───┼─────────────",
        "xxxxxxxxxxx… │ xxxxxxxxxxx… │ xxxxxxxxxxx… │ … │ xxxxxxxxxxx…",
        "3 columns left out: column 3, column 4, column 5 (--format",
        "vertical shows all)",
    ]


def test_where_few_columns_fit_each_value_has_a_line() -> None:
    rows = [{"DeviceName": "web01", "commands": ["whoami", "net user\n"], "n": 7, "none": None}]
    assert lines(rows, 20) == [
        "── row 1 ──",
        "DeviceName  web01",
        "commands    whoami",
        r"            net user\n",
        "n           7",
        "none",
    ]


def test_east_asian_characters_take_two_cells() -> None:
    rows = [{"name": "文件服务器", "n": 1}, {"name": "web", "n": 2}]
    assert lines(rows, 80) == [
        "name       │ n",
        "───────────┼──",
        "文件服务器 │ 1",
        "web        │ 2",
    ]
    cut = lines([{"name": "文" * 20, "b": "x", "c": "y"}], 20)
    assert cut[2] == "文文文文文 … │ x │ y"  # 12 cells: half a character is a blank


@pytest.mark.parametrize("width", [20, 80, 150])
def test_an_event_with_all_its_columns(width: int) -> None:
    names = [f"InitiatingProcessColumn{i:02}" for i in range(73)]
    found = lines([{name: f"value of {name}" for name in names}], width)
    if width == 20:  # a value a line, whole
        assert found[1:] == [f"{name}  value of {name}" for name in names]
        return
    heading, rule, row, *left_out = found
    assert {cell_len(line) <= width for line in found} == {True}
    assert "│ … │ " in heading
    assert heading.startswith("InitiatingProcess")
    assert rule.strip("─┼") == ""
    assert row.startswith("value of Init")
    for name in names[10:70]:
        assert name in " ".join(left_out)


def test_no_rows_have_headings() -> None:
    assert lines([], 80, "a", "b") == ["a │ b", "──┼──"]


def test_values_as_they_are_shown() -> None:
    rows = [{"bool": True, "list": ["a", 1, None], "bag": {"k": "\u202e"}, "text": "a\nb\x1b[2J\u202e", "empty": []}]
    assert lines(rows, None)[2] == r'true │ [a, 1, ] │ {"k": "\u202e"} │ a\nb\x1b[2J\u202e │ []'


def test_a_true_is_no_number_and_numbers_of_a_column_may_be_shown_otherwise() -> None:
    rows = [{"on": True, "size": 2_500_000}, {"on": False, "size": None}]
    shown = table(rows, [Column("on"), Column("size", "megabytes", lambda n: f"{n / 1e6:.1f}" if n else "")], None)
    assert list(shown) == ["on    │ megabytes", "──────┼──────────", "true  │       2.5", "false │"]


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=60), st.lists(st.text())
)


@given(st.lists(st.fixed_dictionaries({"first": VALUES, "second": VALUES, "third": VALUES}), min_size=1, max_size=5))
@example([{"first": "x" * 5_000, "second": "文" * 400, "third": "a\nb"}])
def test_nothing_is_lost_where_there_is_no_terminal(rows: list[dict[str, Any]]) -> None:
    printed = lines(rows, None)
    assert len(printed) == 2 + len(rows)
    for row, line in zip(rows, printed[2:], strict=True):
        for value in row.values():
            for item in value if isinstance(value, list) else [value]:
                text = printable(item) if isinstance(item, str) else "" if item is None else json.dumps(item)
                assert text.rstrip() in line


@given(
    st.lists(st.fixed_dictionaries({f"column {i}": VALUES for i in range(9)}), min_size=1, max_size=3),
    st.integers(20, 200),
)
def test_a_table_never_exceeds_the_width(rows: list[dict[str, Any]], width: int) -> None:
    printed = lines(rows, width)
    if printed[0].startswith("── row"):
        for name in rows[0]:
            assert sum(line.startswith(name) for line in printed) >= len(rows)
    else:
        assert max(map(cell_len, printed)) <= width


ROWS = [
    {"name": "a", "at": datetime(2026, 3, 10, tzinfo=UTC), "list": [1, "ü"]},
    {"name": None, "at": None, "list": []},
]
COLUMNS = [Column("name")]


def test_json_is_an_array(capsys: pytest.CaptureFixture[str]) -> None:
    render.records("json", ROWS, COLUMNS)
    assert json.loads(capsys.readouterr().out) == [
        {"name": "a", "at": "2026-03-10T00:00:00+00:00", "list": [1, "ü"]},
        {"name": None, "at": None, "list": []},
    ]


def test_jsonl_is_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    render.records("jsonl", ROWS, COLUMNS)
    assert capsys.readouterr().out.splitlines() == [
        '{"name": "a", "at": "2026-03-10T00:00:00+00:00", "list": [1, "ü"]}',
        '{"name": null, "at": null, "list": []}',
    ]


def test_csv_has_all_values(capsys: pytest.CaptureFixture[str]) -> None:
    render.records("csv", ROWS, COLUMNS)
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [
        ["name", "at", "list"],
        ["a", "2026-03-10T00:00:00+00:00", '[1, "ü"]'],
        ["", "", "[]"],
    ]


DANGEROUS = ["=1+1", "+1", "-1", "@SUM(1)", "\tx", "\rx", "\nx", "＝1"]


def test_csv_has_no_cell_that_a_spreadsheet_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """An apostrophe makes it text: OWASP, CSV injection. Numbers are numbers."""
    rows = [{"=name": text, "n": -1, "r": -0.5, "list": ["=1"]} for text in DANGEROUS]
    render.records("csv", rows, [])
    names, *cells = csv.reader(io.StringIO(capsys.readouterr().out, newline=""))
    assert names == ["'=name", "n", "r", "list"]
    assert cells == [["'" + text, "-1", "-0.5", '["=1"]'] for text in DANGEROUS]


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=5))
def test_exact_csv_has_the_text_and_csv_at_most_an_apostrophe_more(texts: list[str]) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as exact:
        render.records("csv-exact", [{"x": text} for text in texts], [])
    with contextlib.redirect_stdout(io.StringIO()) as safe:
        render.records("csv", [{"x": text} for text in texts], [])
    read = [
        [cell for row in csv.reader(io.StringIO(out.getvalue(), newline="")) for cell in row] for out in (exact, safe)
    ]
    assert read[0] == ["x", *texts]
    assert all(
        one in {text, "'" + text} and one[:1] not in render.FORMULA
        for one, text in zip(read[1][1:], texts, strict=True)
    )


def test_csv_without_rows_has_the_columns(capsys: pytest.CaptureFixture[str]) -> None:
    render.records("csv", [], COLUMNS)
    assert capsys.readouterr().out == "name\n"


def test_rows_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    render.records("table", [{"name": "a"}], COLUMNS, title="Names")
    assert capsys.readouterr().out == "Names\nname\n────\na\n(1 row)\n"
    render.records("vertical", [{"name": "a"}, {"name": "b"}], COLUMNS, what="hunt")
    assert capsys.readouterr().out == "── row 1 ──\nname  a\n── row 2 ──\nname  b\n(2 hunts)\n"
    render.records("table", [], COLUMNS, empty="no names")
    assert capsys.readouterr().out == "no names\n"
