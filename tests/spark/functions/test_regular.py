"""The language of regular expressions: rows from docs.rs/regex, and what RE2 finds.

Single values are in tests/cases/functions/."""

from __future__ import annotations

import time
from typing import Any

import pytest
import re2  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from lakehunt.kql import regexes
from lakehunt.kql.regexes import translated
from lakehunt.spark.functions import regular
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
    (r"a{5000}", "b" + "a" * 5001): "a" * 5000,
    (r"a{5000}", "b" + "a" * 4999): "",
    (r"ab{0,10000}", "a" + "b" * 10001): "a" + "b" * 10000,
    (r"(?U)a+", "aa"): "a",
    (r"(?U)a+?", "aa"): "aa",
    (r"a(?U:b*)", "abb"): "a",
    (r"(?i)\p{Lu}+", "aB"): "aB",
    (r"(?i)[^\p{Lu}]+", "aB1"): "1",
    (r"(?i)ß", "ẞ"): "ẞ",
    (r"(?i)σ+", "Σσς"): "Σσς",
    (r"(?i-u)k+", "kK\u212a"): "kK",
    (r"(?mR)^b$", "a\r\nb\r\nc"): "b",
    (r"(?R).+", "a\rb"): "a",
    (r"(?mR)$", "\r\n"): "",
    (r"\b{start}\w+\b{end}", "-éa-"): "éa",
    (r"\b{start-half}-", "a--"): "-",
    (r"(?:a|b){0}c", "abc"): "c",
    (r"[a&&b]|c", "abc"): "c",
    (r"\w", "\u200d"): "\u200d",
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
    table = spark.createDataFrame(list(enumerate(text for _, text in MATCHES)), "n int, s string").coalesce(1)
    columns = [
        regular.extract(pattern, 0, F.when(F.col("n") == n, F.col("s"))) for n, (pattern, _) in enumerate(MATCHES)
    ]
    (row,) = table.agg(*(F.max(column) for column in columns)).collect()
    return dict(zip(MATCHES, row, strict=True))


@pytest.mark.parametrize("case", MATCHES, ids=str)
def test_pattern(first: dict[tuple[str, str], str], case: tuple[str, str]) -> None:
    assert first[case] == MATCHES[case]


Pair = tuple[str, str]
"""A pattern for Kusto, and the same one for RE2, whose classes are those of ASCII."""

LETTERS = "abAé_1-\n ß😀K\u212a"
EVERYWHERE = [
    *((one, one) for one in ["a", "b", ".", "[ab]", "[^a]", "^", "$", "(?i:k)", "😀", "(?i:É)", r"\A", r"\z"])
]
EVERYWHERE += [
    ("(?m:^)", "(?m:^)"),
    ("(?m:$)", "(?m:$)"),
    ("(?s:.)", "(?s:.)"),
    ("(?-u:\\b)", "\\b"),
]
EVERYWHERE += [(r"\w", "[abAéß_1K\u212a]"), (r"\W", r"[-\s😀]"), (r"\d", "1"), (r"[\D&&\w]", "[abAéß_K\u212a]")]
IN_ASCII = [*EVERYWHERE, (r"\b", r"\b"), (r"\B", r"\B"), (r"(?-u:\B)", r"\B")]


def patterns(parts: list[Pair]) -> st.SearchStrategy[Pair]:
    def both(made: st.SearchStrategy[Pair], form: str) -> st.SearchStrategy[Pair]:
        return made.map(lambda pair: (form.format(pair[0]), form.format(pair[1])))

    def larger(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
        signs = ["?", "*", "+", "{{1,2}}", "{{2}}", "{{0}}", "{{2,}}", "*?", "+?", "??", "{{1,3}}?"]
        repeated = st.sampled_from(signs).flatmap(lambda sign: both(inner, "(?:{})" + sign))
        two = st.tuples(inner, inner)
        return st.one_of(
            repeated,
            two.map(lambda one: (one[0][0] + one[1][0], one[0][1] + one[1][1])),
            two.map(lambda one: (f"(?:{one[0][0]}|{one[1][0]})", f"(?:{one[0][1]}|{one[1][1]})")),
            both(inner, "({})"),
        )

    known = st.recursive(st.sampled_from(parts), larger, max_leaves=7)
    return known.filter(lambda pair: pair[0].count("(") - pair[0].count("(?") <= regexes.MAX_GROUPS)


def lists_of(parts: list[Pair]) -> st.SearchStrategy[list[Pair]]:
    return st.lists(patterns(parts), min_size=40, max_size=40)


def found_by_re2(pattern: str, text: str) -> list[list[str]]:
    """The groups of all matches, which are found as Rust finds them: none is empty and at the end of the one before."""
    compiled, made, at, end = re2.compile(pattern), [], 0, -1
    while at <= len(text) and (match := compiled.search(text, at)):
        if match.end() == match.start() == end:
            at += 1
            continue
        made.append([match.group(i) or "" for i in range(compiled.groups + 1)])
        at = end = match.end()
    return made


def check_against_re2(spark: Any, pairs: list[Pair], texts: list[str]) -> None:
    table = spark.createDataFrame([(text,) for text in texts], "s string").coalesce(1)
    columns = []
    for pattern, _ in pairs:
        every = list(range(translated(pattern).groups + 1))
        found = regular.matches(F.col("s"), F.lit(pattern), pattern)
        replaced = regular.replace_regex(F.col("s"), pattern, r"<\0>")
        columns.append(F.struct(found, regular.all_groups(translated(pattern), every, F.col("s")), replaced))
    for text, row in zip(texts, table.select(*columns).collect(), strict=True):
        for (pattern, for_re2), (is_found, groups, replaced) in zip(pairs, row, strict=True):
            expected = found_by_re2(for_re2, text)
            assert groups == expected, (pattern, text)
            assert is_found == bool(expected), (pattern, text)
            assert replaced.replace("<", "").replace(">", "") == text, (pattern, text)
            assert replaced.count("<") == len(expected), (pattern, text)


@in_few_queries
@given(pairs=lists_of(EVERYWHERE), texts=st.lists(st.text(LETTERS, max_size=9), min_size=12))
def test_patterns_find_what_re2_finds(spark: Any, pairs: list[Pair], texts: list[str]) -> None:
    check_against_re2(spark, pairs, texts)


@in_few_queries
@given(pairs=lists_of(IN_ASCII), texts=st.lists(st.text("abA_1- \n", max_size=9), min_size=12))
def test_patterns_with_word_boundaries_find_what_re2_finds_in_ascii(
    spark: Any, pairs: list[Pair], texts: list[str]
) -> None:
    check_against_re2(spark, pairs, texts)


LONG = 200_000
COSTLY = {
    r"(?:a|b|ab)*c": ("ab" * LONG, ""),
    r"(a|aa)+$": ("a" * LONG + "!", ""),
    r"(?:(?:x+x+)+y)": ("x" * LONG, ""),
    r"(.*)(.*)(.*)(.*)(.*)[^a]$": ("a" * LONG, ""),
    r"((?:a|b)*)c": ("ab" * LONG + "c", "ab" * LONG),
    r"^(?:(\w)|-)*$": ("é-" * LONG, "é"),
    r"((?:[^\\\"]|\\.)*)\"": ("\\x" * LONG + '"', "\\x" * LONG),
}
"""Patterns that a backtracking engine needs for ever, or a deep stack, for; a long text, and the first group found."""


@pytest.mark.parametrize("pattern", COSTLY)
def test_time_is_linear_in_the_text_and_the_stack_is_bounded(spark: Any, pattern: str) -> None:
    text, expected = COSTLY[pattern]
    groups = f"({pattern})" if translated(pattern).groups == 0 else pattern
    table = spark.createDataFrame([(text,)], "s string")
    started = time.monotonic()
    (row,) = table.select(regular.extract(groups, 1, F.col("s"))).collect()
    assert time.monotonic() - started < 20
    assert row[0] == expected


def test_functions_that_read_long_texts_by_patterns_of_their_own(spark: Any) -> None:
    """Java needs no stack for these patterns, however often their groups repeat."""
    path, address = "/a" * 20_000, "1:" * 20_000
    made = rows(spark, f"print tostring(parse_path('{path}').Filename), parse_ipv6('{address}1')")
    assert made == [["a", ""]]


def test_matches_regex_is_a_condition(spark: Any) -> None:
    table = "datatable(s: string)['a1', 'b', '2020-01-15']"
    assert rows(spark, rf"{table} | project x = s matches regex @'^\w\d?$'") == [[True], [True], [False]]
