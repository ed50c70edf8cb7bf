"""Several queries in one text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.importing.statements import split

ONE = [
    "T",
    "T\n\n| count",
    "T\n\n// a comment\n\n| count",
    "let a = 1;\n\nlet b = 2;\n\nT | where x == a + b",
    "datatable(x: long)\n[\n\n1,\n\n2\n\n]",
    "T | where x in (\n\n'a',\n\n'b')",
    "T\n| join U\n\non x",
    "T | where x == ```a\n\nU | count\n\n```\n\n| count",
    "T | where x == 'a // b'\n\n| where y == \"(\"",
    "let f = () {\n\nT | count };\n\nf()",
    "// T\n\n// U",
]
"""Texts that are one query, though they have blank lines."""


@pytest.mark.parametrize("text", ONE[:-1])
def test_one_query(text: str) -> None:
    assert [(part.text, part.line, part.valid) for part in split(text)] == [(text, 0, True)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("T\n\nU", [("T", 0), ("U", 2)]),
        ("T | count\n \t \n\nU\n| count", [("T | count", 0), ("U\n| count", 3)]),
        ("// t\nT\n\n// u\n\nU\n\n// end", [("// t\nT", 0), ("// u\n\nU", 3)]),
        (
            "let a = 1;\nT | take a\n\nlet a = 2;\n\nU | take a",
            [("let a = 1;\nT | take a", 0), ("let a = 2;\n\nU | take a", 3)],
        ),
        ("T | count;\n\nU;\n", [("T | count;", 0), ("U;", 2)]),
        (
            "let a = 1;\n\nlet b = a;\nT | take b;\n\nU",
            [("let a = 1;\n\nlet b = a;\nT | take b;", 0), ("U", 5)],
        ),
        ("T\n\n| count\n\nU\n\n| count", [("T\n\n| count", 0), ("U\n\n| count", 4)]),
        ("T\n| join U\n\non x\n\nV", [("T\n| join U\n\non x", 0), ("V", 5)]),
        ("T | where x == ```a\n\nb```\n\nU", [("T | where x == ```a\n\nb```", 0), ("U", 4)]),
    ],
)
def test_several_queries(text: str, parts: list[tuple[str, int]]) -> None:
    assert [(part.text, part.line) for part in split(text)] == parts
    assert all(part.valid for part in split(text))


def test_what_is_not_a_query_is_a_part_of_its_own() -> None:
    found = split("Some words: read\n\nmore of them!\n\nT | count\n\nT | where &")
    assert [(part.line, part.valid) for part in found] == [(0, False), (4, True), (6, False)]


@pytest.mark.parametrize(
    "text", ["Some words: read\n\nmore of them!", "T | where (\n\nU", "T | where x ==", "", ONE[-1]]
)
def test_a_text_without_any_query_is_not_cut(text: str) -> None:
    assert [(part.text, part.line, part.valid) for part in split(text)] == [(text, 0, False)]


@pytest.mark.parametrize("text", ["T (\n\n" + "a\n\n" * 30_000, "T\n\n" * 30_000, "```\n\n@'\n\n" * 15_000])
def test_a_long_text_takes_seconds(text: str) -> None:
    started = time.perf_counter()
    assert [part.valid for part in split(text)] == [False]
    assert time.perf_counter() - started < 20


@given(st.lists(st.sampled_from(ONE[:-1]), min_size=1, max_size=4), st.integers(1, 3))
def test_queries_put_together_are_told_apart(queries: list[str], blank: int) -> None:
    assert [part.text for part in split(("\n" * (blank + 1)).join(queries))] == queries
