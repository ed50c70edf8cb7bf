"""The language of regular expressions: rows from docs.rs/regex, and patterns that Python reads alike.

Single values are in tests/cases/functions/."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.kql import regexes
from lakehunt.kql.regexes import translated
from tests.support.answers import rows
from tests.support.properties import in_few_queries

MATCHES: dict[tuple[str, str], str] = {
    (r"\d+", "a１2b"): "１2",
    (r"[\d]", "٣"): "٣",
    (r"\w+", "é_1-"): "é_1",
    (r"\bé", "aé é"): "é",
    (r"\s", "a\u2003b"): "\u2003",
    (r"a.c", "a\rc a\nc"): "a\rc",
    (r"(?s)a.c", "a\nc"): "a\nc",
    (r"b$", "ab\n"): "",
    (r"(?m)b$", "ab\nc"): "b",
    (r"(?m)^c", "ab\nc"): "c",
    (r"(?i)K", "\u212a"): "\u212a",
    (r"(?i)i", "İı"): "",
    (r"(?i)[a-z]+", "İABCı"): "ABC",
    (r"(?i)é", "É"): "É",
    (r"(?i)[^a-c]", "ABCD"): "D",
    (r"(?i)a(?-i)b", "AB Ab"): "Ab",
    (r"(?i:a)b", "AB Ab"): "Ab",
    (r"[a-y&&xyz]+", "zzxy"): "xy",
    (r"[0-9--4]+", "4123"): "123",
    (r"[a-g~~b-h]+", "bah"): "ah",
    (r"[x[^xyz]]+", "yax"): "ax",
    (r"[]a]+", "b]a"): "]a",
    (r"[^]]+", "]ab"): "ab",
    (r"[a-]+", "b-a"): "-a",
    (r"[[:alpha:]]+", "éab"): "ab",
    (r"[[:^alpha:]]+", "ab1"): "1",
    (r"[\w.-]+", "(a-b.c)"): "a-b.c",
    (r"\p{Greek}+", "aβγ"): "βγ",
    (r"\pL+", "1é"): "é",
    (r"\P{L}+", "é1"): "1",
    (r"\p{Lowercase_Letter}", "Aa"): "a",
    (r"a|ab", "ab"): "a",
    (r"a++b", "aab"): "aab",
    (r"a{2}{2}", "aaaaa"): "aaaa",
    (r"(?U)a+", "aa"): "a",
    (r"(?x) a b # c", "ab"): "ab",
    (r"\x41\x{42}\u0043", "ABC"): "ABC",
    (r"\/\-\#", "/-#"): "/-#",
    (r"\0\101", "a\0A"): "\0A",
    (r"\<b", "ab b"): "b",
    (r"(?-u:\w)+", "éa"): "a",
    (r"\{.*\}", "a{b}"): "{b}",
    (r"😀+", "a😀😀"): "😀😀",
    (r"[^a]", "a😀"): "😀",
}
"""What a pattern finds first in a text."""


@pytest.fixture(scope="module")
def first(spark: Any) -> dict[tuple[str, str], str]:
    table = [(pattern, text, translated(pattern).java) for pattern, text in MATCHES]
    made = spark.createDataFrame(table, "p string, s string, java string")
    return {(row[0], row[1]): row[2] for row in made.selectExpr("p", "s", "regexp_extract(s, java, 0)").collect()}


@pytest.mark.parametrize("case", MATCHES, ids=str)
def test_pattern(first: dict[tuple[str, str], str], case: tuple[str, str]) -> None:
    assert first[case] == MATCHES[case]


@pytest.mark.parametrize(
    ("pattern", "problem"),
    {
        r"(?=a)": "look-around",
        r"(?<!a)b": "look-around",
        r"(a)\1": "back-references",
        r"(?P<n>a)\k<n>": "no back-references",
        r"a(": "does not close",
        r"a)": "not opened",
        r"[a": "does not close",
        r"*a": "repeats nothing",
        r"a{": "repeats with",
        r"a{3,2}": "cannot repeat",
        r"\Z": "no escape",
        r"\p{Nope}": "not known",
        r"[z-a]": "range from z down to a",
        r"[\w-a]": "range in a class",
        r"(?q)a": "no flag",
        "(a)" * 17: "at most 16 groups",
        "a\\": "escapes nothing",
    }.items(),
)
def test_refuses(pattern: str, problem: str) -> None:
    assert problem in (regexes.problem(pattern) or "")


PATTERN = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\w", r"\b", "^", "$"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("(?:{0[0]}|{0[1]})".format),
        st.tuples(inner, st.sampled_from(["?", "*", "+", "{1,2}", "*?"])).map("(?:{0[0]}){0[1]}".format),
        inner.map("({})".format),
    ),
    max_leaves=6,
)


@in_few_queries
@given(patterns=st.lists(PATTERN, min_size=25, max_size=25), texts=st.lists(st.text("ab-\n", max_size=6), min_size=8))
def test_patterns_find_as_in_python(spark: Any, patterns: list[str], texts: list[str]) -> None:
    r"""Python reads these simple patterns as Rust does, but for `$` before a last line feed, which is `\Z` there."""
    known = [p for p in patterns if translated(p).groups <= 16]
    table = [(p, t, translated(p).java) for p in known for t in texts]
    made = spark.createDataFrame(table, "p string, s string, java string")
    for pattern, text, answer in made.selectExpr("p", "s", "regexp_extract(s, java, 0)").collect():
        match = re.search(pattern.replace("$", r"\Z"), text)
        assert answer == (match.group() if match else ""), (pattern, text)


def test_matches_regex_is_a_condition(spark: Any) -> None:
    table = "datatable(s: string)['a1', 'b', '2020-01-15']"
    assert rows(spark, rf"{table} | project x = s matches regex @'^\w\d?$'") == [[True], [True], [False]]
