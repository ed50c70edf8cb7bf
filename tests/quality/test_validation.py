"""Results say what is wrong and never repeat the data."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from math import nan
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehunt.core.errors import LakehuntError
from lakehunt.landing.outcomes import HOURS_AHEAD
from lakehunt.quality import gx_engine, spark_conditions
from lakehunt.quality.row_rules import arrow_checks, row_rules, rules
from lakehunt.quality.suites import Expectation, Suite, load
from lakehunt.quality.validation import Validator
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS, EVENT_TABLES
from tests.support.great_expectations import great_expectations
from tests.support.paths import PROJECT

SECRET = "hunter2-planted"
V = "expect_column_values_to_"
NOW = datetime(2024, 5, 2, tzinfo=UTC)


def rule(type_: str, /, severity: str = "warning", quarantines: bool = False, **kwargs: Any) -> Expectation:
    return Expectation(type_, kwargs, severity, "why", quarantines)


def suite(*rules: Expectation) -> Suite:
    return Suite("s", Path("s.json"), "", rules)


def test_no_value_of_the_data_in_results_or_docs(spark: SparkSession) -> None:
    rules = [
        rule(f"{V}be_in_set", column="ProcessCommandLine", value_set=["fine"]),
        rule(f"{V}match_regex", column="FileName", regex="^fine$"),
        rule(f"{V}not_be_null", column="FileName"),
        rule("expect_column_distinct_values_to_be_in_set", column="FileName", value_set=["fine"]),
        rule("expect_column_max_to_be_between", column="FileName", max_value=1),
        rule(f"{V}be_between", column="FileName", min_value=1),
        Expectation(f"{V}be_of_type", {"column": "FileName", "type_": "StringType"}, "critical", "why", False),
    ]
    validator = Validator([suite(*rules)])
    frame = spark.createDataFrame([(SECRET, SECRET), ("fine", "fine")], "ProcessCommandLine STRING, FileName STRING")
    found = validator.validate(3, {"s": frame}, NOW)
    [(batch, document)] = validator.documents
    assert batch == 3
    assert SECRET not in repr(document)
    page = gx_engine.page(document)
    assert "batch 3" in page
    assert SECRET not in page
    assert SECRET not in repr(found)
    assert [(one.success, one.unexpected_count, one.element_count) for one in found[:3]] == [
        (False, 1, 2),
        (False, 1, 2),
        (True, 0, 2),
    ]
    assert [one.success for one in found[3:]] == [False, False, False, True]
    assert found[0].message == "ProcessCommandLine: values to be in set: 1 of 2 rows are not"
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"


def test_an_empty_batch_passes(spark: SparkSession) -> None:
    validator = Validator([suite(rule(f"{V}not_be_null", column="a"), rule(f"{V}be_between", column="a", min_value=1))])
    assert all(one.success for one in validator.validate(1, {"s": spark.createDataFrame([], "a INT")}, NOW))


TYPES = "t STRING, l BIGINT, i INT, s SMALLINT, f FLOAT, d DOUBLE, m DECIMAL(9, 2), a DATE, z TIMESTAMP, b BOOLEAN"
ROWS = [
    ("a", 1, 1, 1, 1.5, 1.5, Decimal("1.5"), date(2024, 5, 2), NOW, True),
    ("B\n", 2**53 + 1, -7, 2, nan, nan, None, date(1999, 12, 31), datetime(1999, 12, 31, tzinfo=UTC), False),
    ("7", -1, None, None, 0.0, -0.0, Decimal(-1), None, None, None),
    (None, None, 3, 3, None, None, Decimal("7.25"), None, None, True),
    ("2024-05-02", 5, 4, 1, 2.0, 2.0, Decimal(0), date(2000, 1, 1), datetime(2000, 1, 1, tzinfo=UTC), None),
]
OF_ANY_TYPE = [
    *(rule(f"{V}not_be_null", column=name, mostly=0.8) for name in "tlisfdmazb"),
    *(rule(f"{V}be_between", column=name, min_value=0, max_value=3.5) for name in "lisfdm"),
    *(rule(f"{V}be_between", column=name, max_value="2000-01-01") for name in "azt"),
    *(
        rule(f"expect_column_{end}_to_be_between", column=name, min_value=1)
        for name in "lisfdm"
        for end in ("max", "min")
    ),
    *(rule(f"{V}be_in_set", column=name, value_set=[1, 2]) for name in "lisfdm"),
    *(rule(f"{V}be_in_set", column=name, value_set=["a", "2024-05-02"]) for name in "taz"),
    rule(f"{V}be_in_set", column="b", value_set=[True]),
    *(rule(f"{V}be_of_type", column=name, type_="IntegerType") for name in "tlisfdmazb"),
    rule(f"{V}match_regex", column="t", regex="(?i)^[ab]$"),
    rule(f"{V}match_regex", column="t", regex="\\p{Lu}(?=\\n)"),
    rule(f"{V}match_regex", column="l", regex="^1$"),
    rule("expect_column_value_lengths_to_be_between", column="t", min_value=1, max_value=2),
    rule(f"{V}be_unique", column="s"),
    rule(f"{V}be_null", column="m"),
    rule(f"{V}not_match_regex", column="t", regex="a"),
    rule(
        f"{V}be_between", column="l", min_value=0, row_condition='col("i") > 0', condition_parser="great_expectations"
    ),
    rule("expect_column_pair_values_a_to_be_greater_than_b", column_A="l", column_B="i", or_equal=True),
    rule("expect_column_mean_to_be_between", column="d", min_value=0),
    rule("expect_compound_columns_to_be_unique", column_list=["t", "s"]),
]


def test_columns_of_any_type_and_any_expectation(spark: SparkSession) -> None:
    """What is measured here, and what is left to Great Expectations, has its results, in the order of the suite."""
    frame = spark.createDataFrame(ROWS, TYPES)
    compare(suite(*OF_ANY_TYPE), frame)


def compare(suite: Suite, frame: DataFrame) -> None:
    found, expected = Validator([suite]).validate(1, {suite.name: frame}, NOW), great_expectations(suite, frame)
    for own, its in zip(found, expected, strict=True):
        assert own.expectation == its.expectation
        assert (own.success, dict(own.counts), own.raised) == (its.success, dict(its.counts), its.raised), (
            own.expectation
        )


def test_an_expression_that_java_cannot_read_leaves_the_other_results(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("a",), ("b",)], "t STRING")
    rules = [rule(f"{V}match_regex", column="t", regex="(a"), rule(f"{V}be_in_set", column="t", value_set=["a"])]
    wrong, other = Validator([suite(*rules)]).validate(1, {"s": frame}, NOW)
    assert (wrong.success, wrong.raised) == (False, True)
    assert (other.success, other.unexpected_count) == (False, 1)


def drawn(chance: random.Random, columns: dict[str, str], texts: Sequence[str], rows: int) -> Iterator[tuple[Any, ...]]:
    """Rows with nulls, in which a value may or may not meet the rules of a shipped suite."""
    pools: dict[str, list[Any]] = {
        "STRING": ["", "0" * 40, "f" * 64, *texts],
        "BIGINT": [-1, 0, 1, 2**40],
        "INT": [-1, 0, 65_535, 65_536],
        "DOUBLE": [-0.5, 0.0, 1.0, 25.0],
        "TIMESTAMP": [datetime(1999, 12, 31, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC), NOW],
        "BOOLEAN": [True, False],
        "DATE": [NOW.date()],
    }
    for _ in range(rows):
        yield tuple(None if chance.random() < 0.1 else chance.choice(pools[type_]) for type_ in columns.values())


def judged_columns(table: EventTable) -> dict[str, str]:
    """The columns that suites judge, with their types in Spark's SQL."""
    stored = {column.name: column.type for column in table.events.columns if not column.type.startswith("STRUCT")}
    return stored | {HOURS_AHEAD: "DOUBLE"}


@pytest.mark.parametrize("table", EVENT_TABLES, ids=lambda table: table.name)
def test_shipped_suites_have_the_results_of_great_expectations(spark: SparkSession, table: EventTable) -> None:
    columns = judged_columns(table)
    shipped = load(PROJECT / "expectations" / table.suite, columns)
    sets = [one.kwargs["value_set"] for one in shipped.expectations if "value_set" in one.kwargs]
    chance = random.Random(table.name)
    rows = list(drawn(chance, columns, [text for texts in sets for text in texts], 30))
    frame = spark.createDataFrame(rows, ", ".join(f"`{name}` {type_}" for name, type_ in columns.items()))
    compare(shipped, frame)


def test_a_shipped_suite_is_one_query(spark: SparkSession) -> None:
    table = DEVICE_PROCESS_EVENTS
    columns = judged_columns(table)
    validator = Validator([load(PROJECT / "expectations" / table.suite, columns)])
    frame = spark.createDataFrame([], ", ".join(f"`{name}` {type_}" for name, type_ in columns.items()))
    spark.sparkContext.setJobGroup("one query", "")
    try:
        found = validator.validate(1, {"device_process_events": frame}, NOW)
    finally:
        spark.sparkContext.setJobGroup("others", "")
    assert len(found) > 90
    assert len(spark.sparkContext.statusTracker().getJobIdsForGroup("one query")) == 1


@pytest.mark.parametrize(
    "wrong",
    [rule("expect_the_unexpected"), rule(f"{V}match_regex", column=7), rule(f"{V}be_between", column="a", maximum=1)],
)
def test_what_great_expectations_does_not_know(wrong: Expectation) -> None:
    with pytest.raises(LakehuntError, match=r"s.json, expectation 2"):
        Validator([suite(rule(f"{V}not_be_null", column="a"), wrong)])


def test_row_rules(spark: SparkSession) -> None:
    quarantining = row_rules(
        suite(
            rule(f"{V}not_be_null", quarantines=True, column="t"),
            rule(f"{V}be_between", quarantines=True, column="n", min_value=0),
            rule(f"{V}be_between", quarantines=True, column="n", min_value=0, max_value=9),
            rule("expect_column_value_lengths_to_be_between", quarantines=True, column="t", max_value=2),
            rule(f"{V}match_regex", quarantines=True, column="t", regex="^a"),
            rule(f"{V}be_in_set", quarantines=True, column="t", value_set=["a", "ab"]),
            rule(f"{V}be_in_set", column="t", value_set=[]),
        )
    )
    frame = spark.createDataFrame([(None, None), ("ab", 9), ("abc", 10), ("b", -1)], "t STRING, n INT").coalesce(1)
    rows = frame.select(*(spark_conditions.broken(one.condition, one.column) for one in quarantining)).collect()
    expected = [[0], [], [2, 3, 5], [1, 2, 4, 5]]
    assert [[i for i, broken in enumerate(row) if broken] for row in rows] == expected
    table = frame.toArrow()
    checks = zip(quarantining, arrow_checks(quarantining, table.schema), strict=True)
    columns = [check(table[one.column]).to_pylist() for one, check in checks]
    assert [[i for i, broken in enumerate(row) if broken] for row in zip(*columns, strict=True)] == expected
    assert quarantining[1].why == "n: less than 0"


@pytest.mark.parametrize(
    ("kwargs", "why"),
    [
        ({"min_value": 1, "max_value": 2}, "n: not between 1 and 2"),
        ({"max_value": 2}, "n: more than 2"),
        ({"min_value": 1, "strict_min": True}, "n: 1 or less"),
        ({"max_value": 2, "strict_max": True}, "n: 2 or more"),
        ({"min_value": 1, "max_value": 2, "strict_max": True}, "n: less than 1, or 2 or more"),
    ],
)
def test_the_message_of_a_range(kwargs: dict[str, Any], why: str) -> None:
    [found] = rules(suite(rule(f"{V}be_between", column="n", **kwargs)))
    assert found.why == why


def test_a_rule_for_another_type_of_column() -> None:
    judged = row_rules(suite(rule(f"{V}be_between", quarantines=True, column="t", min_value=0)))
    message = r"s.json: expect_column_values_to_be_between, t: the column has string, which is not compared with 0"
    with pytest.raises(LakehuntError, match=message):
        arrow_checks(judged, pa.schema({"t": pa.string()}))


@pytest.mark.parametrize(
    "impossible",
    [
        rule("expect_column_mean_to_be_between", quarantines=True, column="n"),
        rule(f"{V}not_be_null", quarantines=True, column="n", mostly=0.5),
        rule(f"{V}be_between", quarantines=True, column="n"),
    ],
)
def test_a_rule_that_no_row_can_break_alone(impossible: Expectation) -> None:
    with pytest.raises(LakehuntError, match=r"cannot judge single rows|needs min_value or max_value"):
        row_rules(suite(impossible))
