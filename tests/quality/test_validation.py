"""Results say what is wrong and never repeat the data."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from lakehunt.core.errors import LakehuntError
from lakehunt.quality import spark_conditions, validation
from lakehunt.quality.row_rules import arrow_checks, row_rules, rules
from lakehunt.quality.suites import Expectation, Suite
from lakehunt.quality.validation import Validator

SECRET = "hunter2-planted"
V = "expect_column_values_to_"
NOW = datetime(2024, 5, 2, tzinfo=UTC)


def rule(type_: str, severity: str = "warning", quarantines: bool = False, **kwargs: Any) -> Expectation:
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
    page = validation.page(document)
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
