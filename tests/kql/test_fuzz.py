"""Whatever the text: a typed tree, or errors with places inside of it, soon; never another exception."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lakehunt.hunting.incremental.predicates import extract_row_predicates
from lakehunt.hunting.query.events_table import KQL_TABLES
from lakehunt.hunting.query.time_window import limit_to_window
from lakehunt.kql import operator_parser, parser, scalar_parser, source_parser
from lakehunt.kql.binding import bind, groups
from lakehunt.kql.errors import QueryErrors
from lakehunt.kql.formatting import formatted, same
from lakehunt.kql.parser import parse
from lakehunt.kql.types import BY_NAME, Column
from lakehunt.spark.functions import CATALOG
from tests.support.kql import OPERATORS, QUERIES, SCALARS, hunts
from tests.support.mutations import mutations, sources
from tests.support.paths import PROJECT

TABLES = KQL_TABLES | {
    name: (
        *(Column(f"{kind[0]}{i}", BY_NAME[kind]) for i, kind in enumerate(sorted(BY_NAME))),
        Column("a", BY_NAME["long"]),
    )
    for name in ("T", "U")
}
SECONDS = 20
"""No query of these tests may take longer; most take a thousandth. Loose, because machines differ."""


def answered(query: str) -> None:
    started = time.perf_counter()
    errors = refusal(query)
    assert time.perf_counter() - started < SECONDS
    if errors is None:
        return
    assert errors.errors
    assert str(errors)
    for error in errors.errors:
        assert 0 <= error.span.start <= error.span.end <= len(query), (error, error.span)
        assert error.message


def refusal(query: str) -> QueryErrors | None:
    try:
        bind(query, TABLES, CATALOG)
    except QueryErrors as errors:
        return errors
    return None


# Random texts

VOCABULARY = [
    *operator_parser.OPERATORS,
    *operator_parser.UNSUPPORTED_OPERATORS,
    *source_parser.SOURCES,
    *parser.STATEMENTS,
    *operator_parser.JOIN_KINDS,
    *scalar_parser.PRECEDENCE,
    *scalar_parser.UNSUPPORTED_COMPARISONS,
    *groups.PLUGINS,
    *BY_NAME,
    *CATALOG.names(),
    *("now", "ago", "toscalar", "column_ifexists", "materialize", "table", "view"),
    *(
        "let",
        "by",
        "on",
        "to",
        "from",
        "step",
        "of",
        "with",
        "others",
        "asc",
        "desc",
        "nulls",
        "first",
        "last",
        "default",
        "kind",
        "hint",
        "withsource",
    ),
    *(
        "true",
        "false",
        "typeof",
        "T",
        "U",
        "a",
        "s14",
        "d8",
        "$left",
        "$right",
        "DeviceProcessEvents",
        "Timestamp",
        "FileName",
        "_x",
    ),
    *"()[]{},;:.|=~!@#$'\"`*\\",
    *("..", "=>", "--", "//", "a*", "['a b']"),
    *"||||((())),,,",
    *("0", "1", "-1", "2.5", "1e9", "0x1F", "7d", "1tick", "99999999999999999999", "9223372036854775808"),
    *["'x'", '"y"', "@'\\d'", "h'z'", "```\n```", "dynamic(", "dynamic([1, 'x'])", "dynamic({'a': null})"],
    *["datetime(2021-03-14)", "datetime(x)", "long(null)", "real(nan)", "decimal(1.5)", "guid(x)", "timespan(1.02:03)"],
    *["\n", "// c\n", "\u2028", "😀"],
]
TOKENS = st.lists(st.sampled_from(VOCABULARY), max_size=25)
STARTS = st.sampled_from(
    ["", "T | ", "T | where ", "T | extend x = ", "T | summarize ", "print ", "let x = ", "T | join "]
)


@settings(max_examples=300)
@given(STARTS, TOKENS, st.sampled_from([" ", ""]))
def test_random_tokens(start: str, tokens: list[str], between: str) -> None:
    answered(start + between.join(tokens))


@settings(max_examples=150)
@given(st.text(max_size=60))
@example("\ud800")
@example("\ufeff\0")
@example("'\r\n'")
def test_random_text(text: str) -> None:
    answered(text)
    answered(f"T | where a == '{text}'")


SEEDS = [
    *QUERIES.strip().split("\n"),
    *(f"print {line}" for line in SCALARS.split("\n")),
    *(f"T | {line}" for line in OPERATORS.strip().split("\n")),
]


@settings(max_examples=300)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.floats(0, 1), st.sampled_from(VOCABULARY), st.integers(0, 9))))
def test_altered_queries(query: str, changes: list[tuple[float, str, int]]) -> None:
    """Anywhere in a query, some characters replaced by a word."""
    for place, word, length in changes:
        at = int(place * len(query))
        query = query[:at] + word + query[at + length :]
    answered(query)


@pytest.mark.parametrize("function", sorted(CATALOG.names()))
def test_functions_with_any_arguments(function: str) -> None:
    """A signature that a call fits must be one that the binder can finish with."""
    columns = [c.name for c in TABLES["T"]]
    arguments = [
        *columns,
        "1",
        "-1",
        "2.5",
        "'x'",
        "'('",
        "1d",
        "dynamic([1])",
        "dynamic({})",
        "long(null)",
        "typeof(long)",
        "*",
    ]
    chance = random.Random(function)
    for count in range(6):
        for _ in range(2):
            call = f"{function}({', '.join(chance.choices(arguments, k=count))})"
            answered(f"T | where {call} == 1")
            answered(f"T | summarize x = {call}, {call} + 1 by a")
            answered(f"T | sort by a | extend {call}, (y, z) = {call}")


CONSTANTS = [
    *("real(nan)", "real(inf)", "-real(inf)", "1e308", "1e300 * 1e300", "decimal(1e6144)", "decimal(1e999999999)"),
    *("long(null)", "real(null)", "-9223372036854775808", "9223372036854775807", "int(null)", "-1", "0", "1.5"),
    *("true", "'x'", "''", "1d", "timespan(null)", "999999999d", "datetime(9999-12-31) + 999d", "datetime(null)"),
    *("dynamic(null)", "dynamic([])", "dynamic({})", "dynamic([1, 'x', null, [2]])", "tolong(real(nan))", "1 / 0"),
    *(
        "1d * 1e300",
        "a",
        "now()",
        "strcat('a', 'b')",
        "typeof(long)",
        "*",
        "guid(74be27de-1e4e-49d9-b579-fe0b331d3642)",
    ),
]
CONSTANTS_STAND = """
datatable (x: long) [?]
datatable (x: int) [?]
datatable (x: decimal) [?]
datatable (x: dynamic) [?]
datatable (x: string) [?]
datatable (x: datetime) [?]
T | take ?
T | top ? by a
T | sort by a | extend x = prev(a, ?), y = prev(a, 1, ?), z = row_number(?)
T | where a in (?) or s14 has_any (?) or a == ? or a between (? .. ?)
T | where d8[?] == ? and s14 matches regex ?
T | extend x = -?, y = ? + ?, z = ? * ?, round(r9, ?), bin(a, ?), extract(?, ?, s14)
T | summarize make_set(a, ?), percentile(a, ?), percentiles(a, ?, ?), dcount(a, ?), any(?) by bin(a, ?)
T | make-series count() default=? on a from ? to ? step ?
range x from ? to ? step ?
T | mv-expand d8 limit ?
T | top-nested ? of a with others = ? by count()
T | sort by a | scan declare (x: long = ?) with (step s: a == ? => x = ?;)
let f = (x: long = ?) { print x }; f(?)
let f = (x: long) { T | take x }; f(?)
T | evaluate bag_unpack(d8, ?) : (x: long)
T | evaluate pivot(a, count(), ?) : (x: long)
T | parse-kv s14 as (x: long) with (pair_delimiter=?)
T | extend column_ifexists(?, ?), format_datetime(now(), ?), datetime_diff(?, now(), now()), case(?, ?, ?)
print ago(?), now(?), toscalar(?)
T | project-rename x = ?
T | join U on ?
T | distinct ?
T | sort by ?
T | search ?
T | union ?
T | extend (x, y) = ?
"""


@pytest.mark.parametrize("text", CONSTANTS_STAND.strip().split("\n"))
def test_extreme_constants(text: str) -> None:
    for constant in CONSTANTS:
        answered(text.replace("?", constant))


# Hunts


def altered(query: str, chance: random.Random) -> list[str]:
    """The query cut off, without a part, with a part twice, with two parts in each other's place."""
    a, b, c, d = sorted(chance.choices(range(len(query) + 1), k=4))
    return [
        query[:a],
        query[b:],
        query[:a] + query[b:],
        query[:c] + query[b:],
        query[:a] + query[c:d] + query[b:c] + query[a:b] + query[d:],
    ]


def test_own_hunts() -> None:
    for number, query in enumerate([*hunts(PROJECT / "hunts"), *hunts(PROJECT / "samples")]):
        chance = random.Random(number)
        answered(query)
        for _ in range(20):
            for changed in altered(query, chance):
                answered(changed)


def test_real_hunts(shared: Path) -> None:
    chance = random.Random(20210314)
    queries = list(hunts(shared / "corpus" / "queries"))
    for query in queries:
        answered(query)
    for query in chance.sample(queries, 20):
        for changed in altered(query, chance):
            answered(changed)


# Deep and long


@pytest.mark.parametrize(
    "opening",
    [
        *[
            "(",
            "[",
            "{",
            "not(",
            "-",
            "+",
            "dynamic([",
            "dynamic({'a':",
            "a[",
            "a.[",
            "f(",
            "f(x = ",
            "a in (",
            "a in ",
        ],
        *[
            "a between (",
            "iff(true, ",
            "tolower(",
            "toscalar(",
            "toscalar(T | where ",
            "(T | where a in (",
            "a == (",
            "['",
        ],
        *[
            "T | join (",
            "T | union (",
            "union (",
            "materialize(",
            "let f = () {",
            "let f = (x: (",
            "T | mv-apply a on (",
        ],
        *[
            "T | where (T | extend b = ",
            "print x = ",
            "T | partition by a (",
            "search (",
            "search not(",
            "T | search a == (",
        ],
        *[
            "datatable (a: long) [",
            "T | scan with (step s: ",
            "T | parse a with ",
            "T | evaluate pivot(",
            "T | invoke f(",
        ],
    ],
)
def test_ten_thousand_levels(opening: str) -> None:
    answered(opening * 10_000)
    for before in ("print ", "T | where ", "let x = "):
        answered(before + opening * 1_000)
        answered(before + opening * 20 + "a" + {"(": ")", "[": "]", "{": "}"}.get(opening[-1], "") * 20)


@pytest.mark.parametrize(
    ("before", "term", "between"),
    [
        ("T | where ", "a == 1", " or "),
        ("T | where ", "a == 1", " and "),
        ("T | where ", "(a == 1 and not(a == 2))", " or "),
        ("T | extend b = ", "a", " + "),
        ("T | summarize b = ", "sum(a)", " + "),
        ("T | summarize b = count() by c = ", "a", " + "),
        ("T | summarize b = countif(", "a == 1", " or "),
        ("T | join kind=inner U on ", "$left.a == $right.a", " and "),
        ("T | search ", "'x'", " or "),
        ("search ", "a == 1", " or "),
        ("T | search ", "not('x')", " and "),
        ("find where ", "a == 1", " or "),
        ("T | where a in (", "1", ", "),
        ("T | where d8 has_any (", "'x'", ", "),
        ("T | where d8", "", "[0]"),
        ("T | where ", "a", "."),
        ("T | extend ", "a = 1", ", "),
        ("T | project ", "a", ", "),
        ("T | summarize ", "count()", ", "),
        ("T | sort by ", "a", ", "),
        ("T", "", " | where a == 1"),
        ("T", "", " | extend a = a + 1"),
        ("T", "", " | union U"),
        ("T", "", " | join kind=leftsemi U on a"),
        ("", "let x = 1", "; "),
        ("print strcat(", "'x'", ", "),
        ("print ", "'x'", " "),
        ("print ", "1", " == "),
        ("print x = ", "dynamic([1])", ", "),
        ("print dynamic([", "1", ", "),
        ("union ", "T", ", "),
        ("datatable (a: long) [", "1", ", "),
        ("T | sort by a | scan declare (x: bool) with (step s: ", "a == 1", " or "),
        ("T | mv-expand ", "d8", ", "),
        ("T | parse s14 with ", "* 'x'", " "),
        ("T | where s14 matches regex '", "(a|b)*", ""),
        ("T | where s14 matches regex '", "(", ""),
        ("T | make-series ", "count()", ", "),
        ("T | top-nested ", "of a by count()", ", "),
    ],
)
def test_two_thousand_parts(before: str, term: str, between: str) -> None:
    text = before + between.join([term] * 2_000)
    for after in ("", ENDS.get(before, ")")):
        answered(text + after)


ENDS = {
    "": "; T",
    "print dynamic([": "])",
    "datatable (a: long) [": "]",
    "T | sort by a | scan declare (x: bool) with (step s: ": ";)",
    "T | make-series ": " on a step 1",
    "T | where d8": " == 1",
    "T | where ": " == 1",
    "T | where s14 matches regex '": "'",
}


def test_functions_that_call_functions() -> None:
    nested = "".join(f"let f{i} = (x: long) {{ f{i - 1}(x) + f{i - 1}(x) }};" for i in range(1, 40))
    answered(f"let f0 = (x: long) {{ x }};{nested} print f39(1)")
    answered("let f = (x: long) { f(x) }; print f(1)")
    answered("let x = 1;" * 5_000 + "print x")
    answered("".join(f"let x{i} = x{i - 1} + x{i - 1};" for i in range(1, 60)) + "print x59")
    tables = "".join(f"let t{i} = union t{i - 1}, t{i - 1};" for i in range(1, 40))
    answered(f"let t0 = T;{tables} t39 | count")
    answered(f"let t0 = () {{ T }};{tables.replace('= union', '= () { union').replace(';', ' };')} t39 | count")


def test_very_long_texts() -> None:
    answered("T | where a == '" + "x" * 1_000_000 + "'")
    answered("T // " + "x" * 1_000_000)
    answered("T" + " " * 1_000_000 + "| where")
    answered("x" * 1_999_999)
    answered("1" * 5_000)
    answered("T | take " + "1" * 5_000)
    answered("print 1." + "1" * 5_000 + "d")
    answered("print real(" + "1" * 5_000 + "), long(" + "1" * 5_000 + "), decimal(" + "1" * 5_000 + ")")
    answered("x" * 2_000_001)


# Queries of hunters, changed here and there


def analysed(query: str) -> None:
    """As `answered`, and what a run does with an accepted query before it asks Spark."""
    answered(query)
    if refusal(query) is None:
        plan = bind(query, TABLES, CATALOG)
        limit_to_window(plan, 10**18, 10**12)
        extract_row_predicates(plan)
        tree = parse(query)
        assert same(parse(formatted(tree)), tree)


@pytest.mark.parametrize(
    ("seed", "count"), [(1, 400), *(pytest.param(seed, 2_000, marks=pytest.mark.campaign) for seed in range(2, 12))]
)
def test_mutations(seed: int, count: int) -> None:
    for query in mutations(seed, count, sources()):
        analysed(query)
