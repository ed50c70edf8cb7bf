"""What conditions need to stand in a text: by hand, and for whatever texts and conditions there may be."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable
from functools import reduce
from pathlib import Path

import pytest
from pyspark.sql import Column

from lakehunt import java
from lakehunt.hunting.incremental import keywords, prefilter
from lakehunt.hunting.incremental.keywords import AFTER, AT_END, AT_START, BEFORE, Keyword, KeywordClause
from lakehunt.hunting.incremental.predicates import RowPredicates, TablePredicates, extract_row_predicates
from lakehunt.hunting.query import events_table
from lakehunt.hunting.query.events_table import KQL_TABLES
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY
from lakehunt.kql.binding import bind
from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.spark.functions import CATALOG
from tests.support.events import event, store

WORD = BEFORE | AFTER
C = "ProcessCommandLine"


def one(*texts: str, edges: int = 0, column: str = C) -> KeywordClause:
    return frozenset(Keyword(column, text, edges) for text in texts)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('ProcessCommandLine has "LSASS"', [one("lsass", edges=WORD)]),
        ('ProcessCommandLine has "-enc"', [one("-enc", edges=AFTER)]),
        ('ProcessCommandLine has_cs "LSASS"', [one("lsass", edges=WORD)]),
        ('ProcessCommandLine contains "%Temp%"', [one("%temp%")]),
        ('ProcessCommandLine hasprefix "ab"', [one("ab", edges=BEFORE)]),
        ('ProcessCommandLine startswith "ab"', [one("ab", edges=AT_START)]),
        ('ProcessCommandLine endswith "ab"', [one("ab", edges=AT_END)]),
        ('ProcessCommandLine == "ab"', [one("ab", edges=AT_START | AT_END)]),
        ('ProcessCommandLine in~ ("ab", "CD")', [one("ab", "cd", edges=AT_START | AT_END)]),
        ('ProcessCommandLine has_any ("ab", "cd")', [one("ab", "cd", edges=WORD)]),
        ('ProcessCommandLine has_all ("ab", "cd")', [one("ab", edges=WORD), one("cd", edges=WORD)]),
        ('ProcessCommandLine has "straße"', [one("")]),
        ('SHA1 contains "ab" and MD5 contains "cd"', [one("ab", column="SHA1"), one("cd", column="MD5")]),
        (
            'ProcessCommandLine contains "ab" or FolderPath contains "cd"',
            [one("ab") | one("cd", column="FolderPath")],
        ),
        # Of a branch, the clause whose words are longest
        (
            'ProcessCommandLine contains "ab" or (FolderPath contains "c" and FolderPath contains "def")',
            [one("ab") | one("def", column="FolderPath")],
        ),
        (r"ProcessCommandLine matches regex @'(?i)certutil\s+-decode'", [one("certutil")]),
        # Nothing can be said of these
        ('ProcessCommandLine !has "ab"', []),
        ('not(ProcessCommandLine has "ab")', []),
        ('ProcessCommandLine has ""', []),
        ('ProcessCommandLine contains "ab" or ProcessId == 4', []),
        ("ProcessCommandLine has FileName", []),
        ('strcat(ProcessCommandLine, "!") has "ab"', []),
        ("ProcessCommandLine matches regex @'[a-z]+'", []),
        ("strlen(ProcessCommandLine) > 3", []),
    ],
)
def test_what_a_condition_needs(condition: str, expected: list[KeywordClause]) -> None:
    (predicate,) = _split(condition).alternatives
    found = [
        clause
        for term in predicate.conditions
        for clause in keywords.keyword_clauses(prefilter.folded(term), prefilter.stored_name)
    ]
    assert found == expected


def test_a_list_that_is_too_long_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    short, long, longer = one("ab"), one("abcd"), one("abcdef")
    monkeypatch.setattr(keywords, "MAX_CLAUSE_LENGTH", 5)
    assert keywords.within_budget([longer, long, short]) == {short, long}
    monkeypatch.setattr(keywords, "MAX_TOTAL_LENGTH", 3)
    assert keywords.within_budget([longer, long, short]) == {short}


def test_letters_that_are_small_ascii_letters_though_they_are_not_ascii() -> None:
    """Those that the search knows by their bytes."""
    odd = [c for c in map(chr, range(128, sys.maxunicode + 1)) if any(small.isascii() for small in c.lower())]
    assert odd == ["\u0130", "\u212a"]
    assert [c.encode() for c in odd] == [b"\xc4\xb0", b"\xe2\x84\xaa"]
    source = (Path(java.__file__).parent / "KeywordMatcher.java").read_text(encoding="utf-8")
    assert all(f"(byte) 0x{byte:02X}" in source for c in odd for byte in c.encode())


@pytest.mark.parametrize(
    ("condition", "text", "is_candidate"),
    [
        ('ProcessCommandLine has "ping"', "PING -n 1", True),
        ('ProcessCommandLine has "ping"', "shipping", False),
        ('ProcessCommandLine has "ping"', "shipping ping", True),
        ('ProcessCommandLine has "ping"', "äping", True),  # what stands beside it is left to Spark
        ('ProcessCommandLine has "kilo"', "\u212ailo", True),
        ('ProcessCommandLine has "straße"', "strasse", False),
        ('ProcessCommandLine has "straße"', "STRAßE", True),
        ('ProcessCommandLine startswith "net"', "subnet", False),
        ('ProcessCommandLine endswith "net"', "netsh", False),
        ('ProcessCommandLine == "net"', "net ", False),
        ('ProcessCommandLine has_all ("net", "user")', "net use", False),
        ('ProcessCommandLine has_all ("net", "user")', "user net", True),
        ('ProcessCommandLine contains "aba" and ProcessCommandLine contains "bab"', "abab", True),  # they overlap
        ('ProcessCommandLine contains "she" and ProcessCommandLine contains "he"', "ushers", True),
        ('ProcessCommandLine contains "a"', None, False),
        ("strlen(ProcessCommandLine) > 90", "ab", True),
    ],
)
def test_which_texts_are_left(lake: Lake, condition: str, text: str | None, is_candidate: bool) -> None:
    (predicate,) = _split(condition).alternatives
    asked = tuple(
        c
        for term in predicate.conditions
        for c in keywords.keyword_clauses(prefilter.folded(term), prefilter.stored_name)
    )
    spark = lake.spark
    rows = spark.createDataFrame([(text, 1), (text, 0)], "ProcessCommandLine string, mask bigint")
    found = rows.select(
        keywords.surviving_hunts(spark, [keywords.KeywordPlan(asked, 0, 0)], [rows.mask]).alias("left")
    ).collect()
    assert [row.left for row in found] == [[1] if is_candidate else None, None]


def test_no_event_is_lost(lake: Lake) -> None:
    """Random conditions on random texts: what is prefiltered is what each condition says of each event."""
    rng = random.Random(7)
    store(lake, [event(ReportId=n, **{column: _text(rng) for column in _COLUMNS}) for n in range(150)])
    splits = [_split(_condition(rng)) for _ in range(100)]
    frame, context = lake.read(DEVICE_PROCESS_EVENTS.events.name), EVENTS_ONLY.context(lake, 0)
    prefiltered = (
        prefilter.apply_prefilters(DEVICE_PROCESS_EVENTS, frame, [one.alternatives for one in splits], context)
        .frame.select("ReportId", prefilter.HUNTS)
        .collect()
    )
    found = {(row.ReportId, place) for row in prefiltered for place in row[prefilter.HUNTS]}
    relation = events_table.relation(DEVICE_PROCESS_EVENTS, frame, traced=False)
    said = [_all(context.expressions().compile(term) for term in one.alternatives[0].conditions) for one in splits]
    rows = relation.frame.select("ReportId", *(value.alias(f"h{place}") for place, value in enumerate(said))).collect()
    expected = {(row.ReportId, place) for row in rows for place in range(len(splits)) if row[f"h{place}"]}
    assert found == expected
    assert 500 < len(expected) < 14_000  # neither nothing nor everything


_COLUMNS = ("ProcessCommandLine", "FolderPath", "FileName")
_WORDS = (
    *("cmd.exe", "CMD.EXE", "ping", "shipping", "Ping", "net user", "a_b", "%TEMP%", "x", "-enc", "c:\\x", "'q'"),
    *(
        "straße",
        "STRASSE",
        "ΣΑΣ",
        "σας",
        "\u212aerberos",
        "kerberos",
        "\u0130stanbul",
        "istanbul",
        "ſo",
        "so",
        "日本",
        "",
    ),
)


def _text(rng: random.Random) -> str | None:
    joined = rng.choice([" ", "", "-", "ä", "\U0001f600"]).join(rng.choices(_WORDS, k=rng.randint(0, 4)))
    return rng.choice([joined, joined, joined, joined.upper(), None])


def _condition(rng: random.Random, depth: int = 2) -> str:
    if depth and rng.random() < 0.5:
        inner = rng.choice([" and ", " or "]).join(_condition(rng, depth - 1) for _ in range(rng.randint(2, 3)))
        return rng.choice(["({})", "({})", "not({})"]).format(inner)
    column, words = rng.choice(_COLUMNS), ", ".join(f'@"{rng.choice(_WORDS)}"' for _ in range(rng.randint(1, 4)))
    operator = rng.choice(["has_any", "has_all", "in", "in~", "!in", "search", "search", "search", "regex"])
    if operator == "search":
        return f'{column} {rng.choice(_SEARCHES)} @"{rng.choice(_WORDS)}"'
    if operator == "regex":
        return f"{column} matches regex @'{rng.choice(['(?i)ping', 'k[a-z]rb', '(?i)(kerb|straß)e', '^cmd', 'so+'])}'"
    return f"{column} {operator} ({words})"


_SEARCHES = [
    *("has", "has_cs", "!has", "contains", "contains_cs", "!contains", "startswith", "startswith_cs", "endswith"),
    *("endswith_cs", "hasprefix", "hassuffix", "hasprefix_cs", "==", "=~", "!=", "!~"),
]


def _split(condition: str) -> TablePredicates:
    found = extract_row_predicates(bind(f"DeviceProcessEvents | where {condition}", KQL_TABLES, CATALOG))
    assert isinstance(found, RowPredicates)
    return found.tables[DEVICE_PROCESS_EVENTS.name]


def _all(conditions: Iterable[Column]) -> Column:
    return reduce(lambda a, b: a & b, conditions)
