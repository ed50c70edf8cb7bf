"""Conditions on single values: rows by hand, evaluated by Arrow and by Spark, and random ones on which both agree."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from math import inf, nan
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from lakehunt.quality import arrow_conditions, conditions, spark_conditions
from lakehunt.quality.arrow_conditions import UnsupportedConditionError
from lakehunt.quality.conditions import Condition

LONG, DOUBLE, TEXT, BOOL = pa.int64(), pa.float64(), pa.string(), pa.bool_()
TIME = pa.timestamp("us", tz="UTC")
SPARK_TYPES = {LONG: "BIGINT", DOUBLE: "DOUBLE", TEXT: "STRING", BOOL: "BOOLEAN", TIME: "TIMESTAMP"}
Case = tuple[str, dict[str, Any], pa.DataType, list[Any], list[bool]]


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type]


CASES: list[Case] = [
    ("values_to_not_be_null", {}, LONG, [None, 0], [True, False]),
    ("values_to_not_be_null", {}, TEXT, [None, "", "a"], [True, False, False]),
    ("values_to_not_be_null", {}, DOUBLE, [None, nan], [True, False]),
    ("values_to_be_between", {"min_value": 0}, LONG, [None, -1, 0, 1], [False, True, False, False]),
    ("values_to_be_between", {"max_value": 5}, LONG, [None, 4, 5, 6], [False, False, False, True]),
    ("values_to_be_between", {"min_value": 1, "max_value": 2}, LONG, [0, 1, 2, 3], [True, False, False, True]),
    ("values_to_be_between", {"min_value": 1, "strict_min": True}, LONG, [0, 1, 2], [True, True, False]),
    ("values_to_be_between", {"max_value": 1, "strict_max": True}, LONG, [0, 1, 2], [False, True, True]),
    ("values_to_be_between", {"min_value": 1.5}, LONG, [1, 2], [True, False]),
    # As doubles, both are 2 ** 53.
    (
        "values_to_be_between",
        {"min_value": 9007199254740993.0},
        LONG,
        [2**53 - 1, 2**53, 2**53 + 1],
        [True, False, False],
    ),
    ("values_to_be_between", {"min_value": 2**53 + 1}, LONG, [2**53, 2**53 + 1], [True, False]),
    # NaN is greater than every number.
    ("values_to_be_between", {"min_value": 1}, DOUBLE, [nan, inf, -inf, 0.5, 1.0], [False, False, True, True, False]),
    ("values_to_be_between", {"max_value": 1}, DOUBLE, [nan, inf, -inf, 1.5, 1.0], [True, True, False, True, False]),
    ("values_to_be_between", {"min_value": 0, "strict_min": True}, DOUBLE, [-0.0, 0.0, 5e-324], [True, True, False]),
    (
        "values_to_be_between",
        {"min_value": "2000-01-01T00:00:00"},
        TIME,
        [None, at(1999, 12, 31, 23, 59, 59, 999999), at(2000, 1, 1)],
        [False, True, False],
    ),
    (
        "values_to_be_between",
        {"min_value": "2000-01-01", "max_value": "2000-01-01 00:00:00.5"},
        TIME,
        [at(1999, 12, 31), at(2000, 1, 1), at(2000, 1, 1, 0, 0, 0, 500000), at(2000, 1, 1, 0, 0, 0, 500001)],
        [True, False, False, True],
    ),
    # Text is compared by its UTF-8: capital letters first, and U+10000 after U+FFFD.
    (
        "values_to_be_between",
        {"min_value": "a"},
        TEXT,
        ["", "Z", "a", "b", "\ufffd"],
        [True, True, False, False, False],
    ),
    ("values_to_be_between", {"max_value": "\ufffd"}, TEXT, ["\ufffd", "\U00010000"], [False, True]),
    (
        "value_lengths_to_be_between",
        {"min_value": 1, "max_value": 2},
        TEXT,
        [None, "", "a", "\U0001f600\U0001f600", "e\u0301\u0301"],
        [False, True, False, False, True],
    ),
    ("values_to_match_regex", {"regex": "^a"}, TEXT, [None, "", "ab", "ba"], [False, True, False, True]),
    ("values_to_match_regex", {"regex": "b"}, TEXT, ["abc", "B"], [False, True]),
    # In Java `$` is the end of the text, or before a line terminator at its end; never between \r and \n.
    (
        "values_to_match_regex",
        {"regex": "^a$"},
        TEXT,
        ["a", "a\n", "a\r\n", "a\u2028", "a\n\n", "a\v", "\na"],
        [False, False, False, False, True, True, True],
    ),
    ("values_to_match_regex", {"regex": "[^\\nx]$"}, TEXT, ["x\r\n", "x\r", "y\r\n"], [True, False, False]),
    ("values_to_match_regex", {"regex": "a$|b"}, TEXT, ["a", "ac", "ba\n", "bac"], [False, True, False, False]),
    ("values_to_match_regex", {"regex": "^$"}, TEXT, ["", "\n", "a"], [False, False, True]),
    # `.` leaves out line terminators, \s has the vertical tab, \w and \d are ASCII, \x and \u name characters.
    (
        "values_to_match_regex",
        {"regex": "a.b"},
        TEXT,
        ["a b", "a\nb", "a\rb", "a\u0085b", "a\U0001f600b"],
        [False, True, True, True, False],
    ),
    ("values_to_match_regex", {"regex": "^\\s$"}, TEXT, ["\v", " ", "\u00a0"], [False, False, True]),
    ("values_to_match_regex", {"regex": "^[\\w\\-\\]]+$"}, TEXT, ["aZ_9-]", "\u00e9"], [False, True]),
    (
        "values_to_match_regex",
        {"regex": "^\\d{2,3}?x(?:\\x41|\\u00e9)"},
        TEXT,
        ["12xA", "123x\u00e9", "1xA"],
        [False, False, True],
    ),
    ("values_to_be_in_set", {"value_set": ["a", "b"]}, TEXT, [None, "a", "c", ""], [False, False, True, True]),
    ("values_to_be_in_set", {"value_set": []}, TEXT, [None, "a"], [False, True]),
    ("values_to_be_in_set", {"value_set": ["a", None]}, TEXT, [None, "a", "c"], [False, False, False]),
    ("values_to_be_in_set", {"value_set": [1, 2**40]}, LONG, [None, 1, 2, 2**40], [False, False, True, False]),
    (
        "values_to_be_in_set",
        {"value_set": [1, 0.5]},
        DOUBLE,
        [None, 1.0, 0.5, nan, 2.0],
        [False, False, False, True, True],
    ),
    ("values_to_be_in_set", {"value_set": [0]}, DOUBLE, [0.0, -0.0], [False, False]),
    ("values_to_be_in_set", {"value_set": [True]}, BOOL, [None, True, False], [False, False, True]),
]


def condition(type_: str, kwargs: dict[str, Any]) -> Condition:
    return conditions.of(f"expect_column_{type_}", kwargs)


def by_arrow(condition: Condition, type_: pa.DataType, values: Sequence[Any]) -> list[bool]:
    return arrow_conditions.check(condition, type_)(pa.array(values, type_)).to_pylist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(("type_", "kwargs", "of", "values", "broken"), CASES)
def test_arrow(type_: str, kwargs: dict[str, Any], of: pa.DataType, values: list[Any], broken: list[bool]) -> None:
    assert by_arrow(condition(type_, kwargs), of, values) == broken


@pytest.mark.parametrize("of", [TEXT, pa.large_string(), pa.dictionary(pa.int32(), TEXT)])
def test_texts_of_any_form_and_in_chunks(of: pa.DataType) -> None:
    values = pa.chunked_array([pa.array(["a", None]).cast(of), pa.array(["ab"]).cast(of)])
    for type_, kwargs in [
        ("values_to_be_in_set", {"value_set": ["ab"]}),
        ("value_lengths_to_be_between", {"min_value": 2}),
        ("values_to_match_regex", {"regex": "b$"}),
        ("values_to_be_between", {"min_value": "aa"}),
    ]:
        assert arrow_conditions.check(condition(type_, kwargs), of)(values).to_pylist() == [True, False, False]
    assert arrow_conditions.check(conditions.NotNull(), of)(values).to_pylist() == [False, True, False]


def by_spark(spark: SparkSession, judged: Sequence[tuple[Condition, pa.DataType, Sequence[Any]]]) -> list[list[bool]]:
    """In one query: a column for each of the conditions, as many rows as the longest list of values."""
    rows = max(len(values) for _, _, values in judged)
    padded = [[*values, *[None] * (rows - len(values))] for _, _, values in judged]
    schema = ", ".join(f"c{i} {SPARK_TYPES[type_]}" for i, (_, type_, _) in enumerate(judged))
    frame = spark.createDataFrame(list(zip(*padded, strict=True)), schema).coalesce(1)
    found = frame.select(
        *(spark_conditions.broken(one, f"c{i}").alias(f"c{i}") for i, (one, _, _) in enumerate(judged))
    ).collect()
    return [[row[i] for row in found[: len(values)]] for i, (_, _, values) in enumerate(judged)]


def test_spark(spark: SparkSession) -> None:
    judged = [(condition(type_, kwargs), of, values) for type_, kwargs, of, values, _ in CASES]
    for case, found in zip(CASES, by_spark(spark, judged), strict=True):
        assert found == case[4], case


TEXTS = [
    "",
    "a",
    "b",
    "\n",
    "\r",
    "\r\n",
    "\u0085",
    "\u2028",
    "\v",
    " ",
    "-",
    "0",
    "_",
    "]",
    "\u00e9",
    "\U0001f600",
    "x",
    "$",
]
REGEXES = [
    *("a$", "^a?$", "[^a]$", "[^\\r]$", "[^\\n]$", ".$", "^.*$", "(?:a|b)+$", "^(a)(b)?$", "\\s$", "\\S\\s*$", "a|$"),
    *("^[\\s\\w]*$", "[^\\s]$", "\\D\\W", "[a-b\\]]{1,2}$", "\\$", "x}", "]", "a\\]b", "^(?:\\r\\n)*$", "", "^", "$"),
]
NUMBERS = [0, 1, -1, 2**53, 2**53 + 1, -(2**63), 2**63 - 1]
FLOATS = [0.0, -0.0, 1.0, -1.5, nan, inf, -inf, 9007199254740992.0, 1e300]
TIMES = [at(1999, 12, 31, 23, 59, 59), at(2000, 1, 1), at(2024, 5, 2, 1, 2, 3, 4), at(9999, 12, 31)]


def drawn(random: random.Random) -> tuple[Condition, pa.DataType, Sequence[Any]]:
    of, values, bounds = random.choice(
        [
            (LONG, NUMBERS, [*NUMBERS, 0.5, -(2.0**53), 1e19]),
            (DOUBLE, FLOATS, [*NUMBERS, 0.5, -0.0, 1e300]),
            (TEXT, ["".join(random.choices(TEXTS, k=random.randrange(4))) for _ in range(8)], [*TEXTS, "ab"]),
            (TIME, TIMES, ["2000-01-01", "2000-01-01T00:00:00Z", "2024-05-02 01:02:03.000004", "1999-12-31T23:59:59"]),
        ]
    )
    kind = random.choice(["bounds", "set", "length", "regex"])
    if kind == "regex" and of is TEXT:
        made = condition("values_to_match_regex", {"regex": random.choice(REGEXES)})
    elif kind == "length" and of is TEXT:
        made = condition("value_lengths_to_be_between", {"min_value": random.randrange(3), "max_value": 3})
    elif kind == "set" and of is not TIME:
        allowed = random.sample([*bounds, None] if random.random() < 0.2 else bounds, random.randrange(4))
        allowed = [one for one in allowed if of is not LONG or not isinstance(one, float)]
        made = condition("values_to_be_in_set", {"value_set": allowed})
    else:
        given = sorted(random.sample(bounds, 2))
        kwargs = dict(zip(("min_value", "max_value"), given, strict=True))
        kwargs.pop(random.choice(["min_value", "max_value", "neither"]), None)
        strict = {"strict_min": random.random() < 0.5, "strict_max": random.random() < 0.5}
        made = condition("values_to_be_between", kwargs | strict)
    return made, of, random.choices([*values, None], k=12)


@pytest.mark.parametrize("seed", range(4))
def test_spark_and_arrow_agree(spark: SparkSession, seed: int) -> None:
    judged = [drawn(random.Random(f"{seed}.{number}")) for number in range(150)]
    for one, found in zip(judged, by_spark(spark, judged), strict=True):
        assert by_arrow(*one) == found, one


@pytest.mark.parametrize(
    ("type_", "kwargs", "of", "message"),
    [
        ("values_to_be_between", {"min_value": 0}, TEXT, "the column has string, which is not compared with 0"),
        ("values_to_be_between", {"min_value": "a"}, LONG, "the column has int64, which is not compared with 'a'"),
        ("values_to_be_between", {"min_value": "May 1"}, TIME, "'May 1' is not a time, such as"),
        ("values_to_be_between", {"min_value": "2000-13-01"}, TIME, "'2000-13-01' is not a time, such as"),
        ("values_to_be_between", {"min_value": 2**63}, LONG, "more than 64 bits"),
        ("value_lengths_to_be_between", {"min_value": 0}, LONG, "a length is for text, and the column has int64"),
        ("values_to_match_regex", {"regex": "a"}, BOOL, "a regular expression is for text"),
        ("values_to_match_regex", {"regex": "a{1001}"}, TEXT, "is not an expression for RE2"),
        ("values_to_be_in_set", {"value_set": [1]}, BOOL, "other values than the column's true and false"),
        ("values_to_be_in_set", {"value_set": [True]}, LONG, "value_set has true or false"),
        ("values_to_be_in_set", {"value_set": [1.5]}, LONG, "value_set has fractions"),
        ("values_to_be_in_set", {"value_set": [[1]]}, LONG, "a number is compared with numbers"),
    ],
)
def test_what_a_type_cannot_be_judged_by(type_: str, kwargs: dict[str, Any], of: pa.DataType, message: str) -> None:
    with pytest.raises(UnsupportedConditionError, match=message):
        arrow_conditions.check(condition(type_, kwargs), of)


@pytest.mark.parametrize(
    "regex",
    [
        *("(?i)a", "(?=a)", "(?<n>a)", "(a", "a)", "a**", "a*+", "*a", "a{x", "a$b", "(a$)", "$+", "a$)"),
        *("\\bA", "\\Aa", "a\\z", "a\\Z", "(a)\\1", "\\p{L}", "\\Qa\\E", "\\ud83d", "\\", "a\\"),
        *("[a", "[]a]", "[a[b]]", "[a&&b]", "[^^]", "[\\S]", "[\\b]", "[z-a]"),
    ],
)
def test_expressions_that_mean_something_else_in_re2_or_nothing(regex: str) -> None:
    with pytest.raises(UnsupportedConditionError, match="RE2"):
        arrow_conditions.check(conditions.Matches(regex), TEXT)


@pytest.mark.parametrize(
    ("type_", "kwargs", "message"),
    [
        ("values_to_be_between", {}, "needs min_value or max_value"),
        ("values_to_be_between", {"min_value": 2, "max_value": 1}, "min_value is greater than max_value"),
        ("values_to_be_between", {"min_value": "2", "max_value": 1}, "of different kinds"),
        ("values_to_be_between", {"min_value": True}, "True is no number"),
        ("values_to_be_between", {"min_value": nan}, "nan is not a valid bound"),
        ("value_lengths_to_be_between", {"min_value": "1"}, "of a length are numbers"),
        ("values_to_match_regex", {"regex": 1}, "regex is a text"),
        ("values_to_be_in_set", {"value_set": "a"}, "value_set is a list"),
    ],
)
def test_what_no_value_can_be_judged_by(type_: str, kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        condition(type_, kwargs)
