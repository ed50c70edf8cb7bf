"""Functions of regular expressions: rows from the documentation, from what the engine answered, and from docs.rs/regex
for the language of the patterns."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.kql import regexes
from pipelines.kql.regexes import translated
from tests.support.answers import rows, values

GUID = "'82b8be2d-dfa7-4bd1'"

EXPRESSIONS: dict[str, Any] = {
    r"extract(@'-(\d{2})-', 1, '15-12-2024')": "12",
    r"extract('User: ([^,]+)', 1, 'User: JohnDoe, Age: 29')": "JohnDoe",
    r"extract(@'(\d+)-(\d+)', 2, '42-and-7')": "",
    r"extract(@'(\d+)', 0, '2020-12')": "2020",
    r"extract(@'-(\d{2})-', 1, '21-07-2023', typeof(int))": 7,
    r"extract(@'-(\d{2})-', 1, 'none', typeof(int))": None,
    r"extract('(a)|(b)', 1, 'b')": "",
    r"extract(@'key:.?(\w+)', 1, 'key:val')": "al",
    r"extract('(?i)USER=(.)', 1, 'user=x')": "x",
    r"extract('(?P<first>a)', 1, 'a')": "a",
    rf"extract_all(@'([\da-f]{{2}})-', {GUID})": ["2d", "a7"],
    rf"extract_all(@'(\w)(\w+)(\w)', {GUID})": [["8", "2b8be2", "d"], ["d", "fa", "7"], ["4", "bd", "1"]],
    rf"extract_all(@'(\w)(\w+)(\w)', dynamic([1,3]), {GUID})": [["8", "d"], ["d", "7"], ["4", "1"]],
    rf"extract_all(@'(?P<first>\w)(?P<middle>\w+)(?P<last>\w)', dynamic(['first',2,'last']), {GUID})": [
        ["8", "2b8be2", "d"],
        ["d", "fa", "7"],
        ["4", "bd", "1"],
    ],
    "extract_all('(a)(b)?', 'aba')": [["a", "b"], ["a", ""]],
    r"extract_all(@'(\d)', 'no digits')": None,
    r"extract_all(@'(\d)', 'ＡＢ１２')": ["１", "２"],
    r"extractall(@'(\d+)', '1, 22')": ["1", "22"],
    r"replace_regex('Number is 1', @'is (\d+)', @'was: \1')": "Number was: 1",
    r"replace_regex('abc', 'b', @'[\0]')": "a[b]c",
    r"replace_regex('ab', '(a)', @'\10$1')": "a0$1b",
    r"replace_regex('ababab', '(ab)+', 'X')": "X",
    r"replace_regex('a/b', '/', @'\\')": "a\\b",
    r"replace_regex('baaac', 'a*', '-')": "-b-c-",
    r"replace_regex('abc', '', '-')": "-a-b-c-",
    r"replace('a+', 'b', 'caat')": "cbt",
    "trim('x', 'xxabcxx')": "xabcx",
    "trim('y', 'yyy')": "y",
    "trim('1', '11')": "",
    "trim('1', '1')": "",
    r"trim(@'[^\w]+', '-  Te st1// $')": "Te st1",
    r"trim(@'\s', '\u00a0nbsp\u00a0')": "nbsp",
    "trim_start('https://', 'https://bing.com')": "bing.com",
    "trim_start('x', 'axx')": "axx",
    "trim_end('.com', 'bing.com')": "bing",
    r"trim_end(@'\s+', '  Hello!  ')": "  Hello!",
    r"trim_end('a', 'ba\n')": "ba\n",
    "countof('aaa', 'a')": 3,
    "countof('aaaa', 'aa')": 3,
    "countof('ababa', 'ab', 'normal')": 2,
    "countof('ababa', 'aba')": 2,
    "countof('ababa', 'aba', 'regex')": 1,
    "countof('abcabc', 'a.c', 'regex')": 2,
    "countof('a.b', '.')": 1,
    "indexof_regex('abcabc', 'a.c')": 0,
    "indexof_regex('abcabcdefg', 'a.c', 0, 9, 2)": 3,
    "indexof_regex('abcabc', 'a.c', 1, -1, 2)": -1,
    "indexof_regex('ababaa', 'a.a', 0, -1, 2)": -1,
    "indexof_regex('abcabc', 'a|ab', -1)": None,
    "indexof_regex('😀b', 'b')": 1,
    "regex_quote('(so$me.Te^xt)')": r"\(so\$me\.Te\^xt\)",
}


@pytest.fixture(scope="module")
def found(spark: Any) -> dict[str, Any]:
    return values(spark, EXPRESSIONS)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_value(found: dict[str, Any], expression: str) -> None:
    assert found[expression] == EXPRESSIONS[expression]


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


@settings(max_examples=4, deadline=None)
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
