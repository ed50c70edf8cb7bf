"""Hostile text, shown to people."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest

from lakehunt.core.printable import is_hidden, pieces, printable, to_json, truncated


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cmd.exe /c whoami", "cmd.exe /c whoami"),
        ("a\nb\tc\x1b[2J", r"a\nb\tc\x1b[2J"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("a\u200bb\ufeff\u2066", r"a\u200bb\ufeff\u2066"),
        ("a\u00a0b\u3000", r"a\xa0b\u3000"),
        ("\u3164\u2800\ufe0f", r"\u3164\u2800\ufe0f"),  # letters and marks that show as nothing
        ("\U000e0041\x00", r"\U000e0041\x00"),
        ("<script>\"'&", "<script>\"'&"),
        ("Grüße שלום 文件", "Grüße שלום 文件"),
    ],
)
def test_what_would_hide_or_turn_text_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert "".join(piece for piece, _ in pieces(text)) == shown


def test_no_control_or_format_character_is_shown() -> None:
    every = [chr(n) for n in range(sys.maxunicode + 1)]
    shown = [c for c in every if not is_hidden(c)]
    assert {unicodedata.category(c) for c in shown}.isdisjoint({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
    assert [c for c in shown if c.isspace()] == [" "]


def test_pieces_name_what_they_write_out() -> None:
    assert list(pieces("a\u202eb\x07")) == [
        ("a", ""),
        (r"\u202e", "U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("b", ""),
        (r"\x07", "U+0007 control character"),
    ]


def test_a_long_text_is_cut_and_counted() -> None:
    assert truncated("x" * 7_000, 3) == "xxx… (7,000 characters)"
    assert truncated("xxx", 3) == "xxx"


def test_json_gives_back_what_was_hidden() -> None:
    value = {"a": '\u202e\U000e0041 <"\\>\n', "b": ["ü", None, 1]}
    text = to_json(value)
    assert json.loads(text) == value
    assert text.isprintable() is False  # it has lines
    assert not any(is_hidden(c) for line in text.splitlines() for c in line)
    assert "ü" in text
