"""Errors at their places, and marks that stand under them on any terminal."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from lakehunt.cli.diagnostics import excerpt_lines
from lakehunt.cli.render import styled


@pytest.mark.parametrize(
    ("line", "marks", "expected"),
    [
        ("| where Nope == 1", "        ^^^^", ["| where Nope == 1", "        ^^^^"]),
        ("\twhere Nope", "\t      ^^^^", ["    where Nope", "          ^^^^"]),
        ("'文件' == Nope", "        ^^^^", ["'文件' == Nope", "          ^^^^"]),
        ("a\x1b[2J b", "       ^", [r"a\x1b[2J b", "          ^"]),
        ("", "^", ["", "^"]),
        ("abc", "   ^", ["abc", "   ^"]),
    ],
)
def test_marks_stand_under_the_place(line: str, marks: str, expected: list[str]) -> None:
    assert list(excerpt_lines((line, marks), 80)) == expected


def test_a_long_line_is_cut_around_the_place() -> None:
    """40 cells, of which the indent takes 4."""
    line = "a" * 100 + "Nope" + "b" * 100
    shown, marks = excerpt_lines((line, " " * 100 + "^^^^"), 40)
    assert shown == "…" + "a" * 17 + "Nope" + "b" * 13 + "…"
    assert marks == " " * 18 + "^^^^"


def test_no_line_changes_where_there_is_no_terminal() -> None:
    assert excerpt_lines(("\t" + "a" * 300, "\t^"), None) == ("\t" + "a" * 300, "\t^")
    assert excerpt_lines((), 80) == ()


@given(st.text(st.characters(exclude_characters="\n"), max_size=120), st.integers(0, 130), st.integers(1, 40))
def test_no_terminal_wraps_an_excerpt(line: str, start: int, length: int) -> None:
    start = min(start, len(line))
    before = "".join("\t" if c == "\t" else " " for c in line[:start])
    for width in (20, 80):
        shown, marks = excerpt_lines((line, before + "^" * length), width)
        assert max(cell_len(shown), cell_len(marks)) <= width - 4
        assert marks.strip("^ ") == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert styled("error:", Terminal(), fg="red") == "\x1b[31merror:\x1b[0m"
    assert styled("error:", io.StringIO(), fg="red") == "error:"
    monkeypatch.setenv("NO_COLOR", "1")
    assert styled("error:", Terminal(), fg="red") == "error:"
