"""Rows by hand for every operator and function: what Kusto answers, by its documentation or its engine."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from lakehunt.hunting.query.adhoc import query
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from tests.support.properties import in_few_queries, many

NOW = times.parse_datetime("2021-03-21T06:40:15.3380000Z")


def rows(lake: Any, text: str) -> list[list[Any]]:
    return query(lake, text, NOW).rows


TEXTS = """datatable(s: string)['ping.exe', 'shipping', 'a_ping_b', 'PING', 'éping', 'timeouts', '%TEMP%', '']"""


CONDITIONS: dict[str, list[str]] = {
    # `has`: whole terms, and _ is no part of one
    "s has 'ping'": ["ping.exe", "a_ping_b", "PING"],
    "s !has 'ping'": ["shipping", "éping", "timeouts", "%TEMP%", ""],
    "s has_cs 'ping'": ["ping.exe", "a_ping_b"],
    "s has 'timeout'": [],
    "s has '.exe'": ["ping.exe"],
    "s has '%temp%'": ["%TEMP%"],
    "s has 'a_ping'": ["a_ping_b"],
    "s has ''": ["ping.exe", "shipping", "a_ping_b", "PING", "éping", "timeouts", "%TEMP%", ""],
    "s !has ''": [],
    "s hasprefix 'time'": ["timeouts"],
    "s hasprefix 'ing'": [],
    "s hassuffix 'ping'": ["ping.exe", "shipping", "a_ping_b", "PING", "éping"],
    "s !hassuffix_cs 'ping'": ["PING", "timeouts", "%TEMP%", ""],
    "s has s": ["ping.exe", "shipping", "a_ping_b", "PING", "éping", "timeouts", "%TEMP%", ""],
    "s has strcat('pi', 'ng')": ["ping.exe", "a_ping_b", "PING"],
    "s has_any ('timeouts', 'PING.')": ["ping.exe", "timeouts"],
    "s has_all ('ping', 'EXE')": ["ping.exe"],
    "s has_any (dynamic(['nope', 'timeouts']))": ["timeouts"],
    # `contains` and its like: any place, % and _ are ordinary
    "s contains 'ping'": ["ping.exe", "shipping", "a_ping_b", "PING", "éping"],
    "s contains_cs 'PIN'": ["PING"],
    "s contains '%temp%'": ["%TEMP%"],
    "s contains '_'": ["a_ping_b"],
    "s !contains 'i'": ["%TEMP%", ""],
    "s startswith 'PING'": ["ping.exe", "PING"],
    "s startswith_cs 'PING'": ["PING"],
    "s !startswith 'p'": ["shipping", "a_ping_b", "éping", "timeouts", "%TEMP%", ""],
    "s endswith 'ING'": ["shipping", "PING", "éping"],
    "s !endswith_cs 'ing'": ["ping.exe", "a_ping_b", "PING", "timeouts", "%TEMP%", ""],
    # equality: with case and without
    "s == 'ping'": [],
    "s =~ 'ping'": ["PING"],
    "s =~ 'ÉPING'": ["éping"],
    "s !~ 'ping'": ["ping.exe", "shipping", "a_ping_b", "éping", "timeouts", "%TEMP%", ""],
    "s in ('ping', '')": [""],
    "s in~ ('ping', 'ÉPING')": ["PING", "éping"],
    "s !in ('ping.exe', 'PING', '')": ["shipping", "a_ping_b", "éping", "timeouts", "%TEMP%"],
    "s !in~ ('PING.EXE', 'ping', '')": ["shipping", "a_ping_b", "éping", "timeouts", "%TEMP%"],
    "isempty(s)": [""],
    "isnull(s)": [],
    "isnotempty(s) and strlen(s) <= 4": ["PING"],
    "not(s has 'ping') and s != ''": ["shipping", "éping", "timeouts", "%TEMP%"],
}


@pytest.fixture(scope="module")
def kept(spark: Any) -> dict[str, list[str]]:
    """For each condition the texts for which it is true, asked in one query."""
    made = ", ".join(f"c{i} = {condition}" for i, condition in enumerate(CONDITIONS))
    found = rows(Lake(spark, "none"), f"{TEXTS} | extend {made}")
    return {c: [row[0] for row in found if row[i] is True] for i, c in enumerate(CONDITIONS, 1)}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_strings(kept: dict[str, list[str]], condition: str) -> None:
    assert kept[condition] == CONDITIONS[condition]


def test_a_where_keeps_what_its_condition_is_true_for(lake: Any) -> None:
    assert rows(lake, f"{TEXTS} | where s has 'ping' | where s !has 'exe'") == [["a_ping_b"], ["PING"]]


@pytest.mark.parametrize(
    ("query_text", "expected"),
    [
        ("datatable(s: string)['b', 'a', 'B', 'é', ''] | sort by s asc", [[""], ["B"], ["a"], ["b"], ["é"]]),
        ("datatable(n: long)[2, long(null), 1] | sort by n", [[2], [1], [None]]),
        ("datatable(n: long)[2, long(null), 1] | order by n asc", [[None], [1], [2]]),
        ("datatable(n: long)[2, long(null), 1] | order by n asc nulls last", [[1], [2], [None]]),
        ("datatable(n: long)[2, long(null), 1] | order by n nulls first", [[None], [2], [1]]),
        ("datatable(n: long, s: string)[1, 'x', 2, 'y', 2, 'a'] | order by n, s asc", [[2, "a"], [2, "y"], [1, "x"]]),
        ("datatable(n: long)[3, 1, 2] | top 2 by n", [[3], [2]]),
        ("datatable(n: long)[3, 1, 2] | top 2 by n asc | extend m = n * 10", [[1, 10], [2, 20]]),
        ("datatable(n: long)[3, 1, 2] | sort by n asc | take 1", [[1]]),
        ("datatable(n: long)[3, 1, 2] | take 2", [[3], [1]]),
        ("datatable(n: long)[3, 1, 2] | sort by n | where n < 3 | project m = n", [[2], [1]]),
        ("datatable(s: string, n: long)['b', 1, 'a', 2, 'b', 3] | distinct s | sort by s asc", [["a"], ["b"]]),
        ("datatable(s: string)['', 'x'] | summarize c = count() by s | sort by s asc", [["", 1], ["x", 1]]),
        ("datatable(n: long)[1] | extend n = n + 1, m = n", [[2, 1]]),
        ("datatable(a: long, b: long)[1, 2] | project-rename c = a | project-away b", [[1]]),
        ("let x = 2; let T = datatable(n: long)[1, 2, 3] | where n >= x; T | count", [[2]]),
        ("print a = dynamic([1, 'x', null]), b = dynamic(null)", [[[1, "x", None], None]]),
        ("print t = datetime(2021-01-01T00:00:00.0000001Z) | summarize max(t), makeset(t)",
         [["2021-01-01T00:00:00.0000001Z", ["2021-01-01T00:00:00.0000001Z"]]]),
        ("datatable(['a b']: long, ['c.d`']: string)[1, 'x'] | where ['a b'] == 1 | project ['c.d`'], ['a b']",
         [["x", 1]]),
        ("datatable(a: long, A: long)[1, 2] | project A", [[2]]),
    ],
)  # fmt: skip
def test_operators(lake: Any, query_text: str, expected: list[list[Any]]) -> None:
    assert rows(lake, query_text) == expected


def test_hundreds_of_conditions(lake: Any) -> None:
    """As real hunts have them; neither Python nor Spark may run out of stack."""
    terms = " or ".join(f"s has 'word{i}'" for i in range(600))
    assert rows(lake, f"datatable(s: string)['a word599', 'b'] | where {terms}") == [["a word599"]]


def _is_term(character: str) -> bool:
    return character.isalnum() and character != "_"


def _has(text: str, needle: str) -> bool:
    """The rule, once more, in plain Python."""
    text, needle = text.lower(), needle.lower()
    start = text.find(needle)
    while start >= 0:
        end = start + len(needle)
        before = not needle or not (_is_term(needle[0]) and start > 0 and _is_term(text[start - 1]))
        after = not needle or not (_is_term(needle[-1]) and end < len(text) and _is_term(text[end]))
        if before and after:
            return True
        start = text.find(needle, start + 1)
    return False


LETTERS = st.text(alphabet="aAbB1_.%\\é É😀*( \tд", max_size=8)


@in_few_queries
@given(many(st.tuples(LETTERS, LETTERS)))
def test_searching_agrees_with_plain_python(spark: Any, pairs: list[tuple[str, str]]) -> None:
    from lakehunt.spark.functions import operators

    ops = ["has", "!has", "contains", "startswith", "endswith", "=~", "contains_cs"]
    frame = spark.createDataFrame(pairs, "s string, n string")
    by_column = frame.select(*(operators.search(op, F.col("s"), F.col("n"), None).alias(op) for op in ops)).collect()
    text, needle = pairs[0]
    constant = frame.limit(1).select(*(operators.search(op, F.col("s"), F.lit(needle), needle).alias(op) for op in ops))
    assert tuple(constant.first()) == tuple(by_column[0]), (text, needle)
    for (text, needle), found in zip(pairs, by_column, strict=True):
        folded, wanted = text.lower(), needle.lower()
        expected = (
            _has(text, needle),
            not _has(text, needle),
            wanted in folded,
            folded.startswith(wanted),
            folded.endswith(wanted),
            folded == wanted,
            needle in text,
        )
        assert tuple(found) == expected, (text, needle)
