"""Verdicts over Arrow and by Spark: by hand, the same as Great Expectations' own, and what is left to it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from datetime import UTC, datetime
from math import inf, nan
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehunt.core.errors import LakehuntError
from lakehunt.lake.arrow_rows import arrow_type
from lakehunt.landing.outcomes import COUNTS
from lakehunt.quality import arrow_measures, measures
from lakehunt.quality.arrow_validation import ArrowValidator
from lakehunt.quality.gx_engine import Engine
from lakehunt.quality.results import ExpectationResult
from lakehunt.quality.suites import Expectation, Suite, load
from lakehunt.quality.validation import Validator
from tests.support.great_expectations import great_expectations
from tests.support.paths import PROJECT

V = "expect_column_values_to_"
NOW = datetime(2024, 5, 2, tzinfo=UTC)
TIME = pa.timestamp("us", tz="UTC")
TABLE = pa.table(
    {
        "text": pa.array(["a", "b", None, "cc", None], pa.string()),
        "number": pa.array([1, 2, 3, None, 5], pa.int64()),
        "double": pa.array([1.5, nan, None, -1.0, 0.0], pa.float64()),
        "time": pa.array([NOW, None, None, None, None], TIME),
        "flag": pa.array([True, False, None, True, True], pa.bool_()),
        "nothing": pa.nulls(5, pa.string()),
    }
)


def rule(type_: str, /, **kwargs: Any) -> Expectation:
    return Expectation(type_, kwargs, "warning", "why", False)


def suite(*rules: Expectation) -> Suite:
    return Suite("s", Path("s.json"), "", rules)


def judged(*rules: Expectation, table: pa.Table = TABLE) -> list[ExpectationResult]:
    return ArrowValidator([suite(*rules)]).validate(1, {"s": table}, NOW)


def frame_of(spark: SparkSession, table: pa.Table) -> DataFrame:
    schema = "text STRING, number BIGINT, double DOUBLE, time TIMESTAMP, flag BOOLEAN, nothing STRING"
    return spark.createDataFrame([tuple(row.values()) for row in table.to_pylist()], schema)


def counts(
    total: int, missing: int, wrong: int, percent: float, of_all: float, missing_percent: float
) -> dict[str, Any]:
    return {
        "element_count": total,
        "unexpected_count": wrong,
        "unexpected_percent": percent,
        "missing_count": missing,
        "missing_percent": missing_percent,
        "unexpected_percent_total": of_all,
        "unexpected_percent_nonmissing": percent,
    }


ALL_MISSING = {**counts(5, 5, 0, 0, 0.0, 100.0), "unexpected_percent": None, "unexpected_percent_nonmissing": None}
NULLS = {"element_count": 5, "unexpected_count": 2, "unexpected_percent": 40.0}


BY_HAND: list[tuple[Expectation, bool, dict[str, Any]]] = [
    (rule(f"{V}not_be_null", column="text"), False, NULLS),
    (rule(f"{V}not_be_null", column="text", mostly=0.6), True, NULLS),
    (rule(f"{V}not_be_null", column="text", mostly=0.61), False, NULLS),
    (rule(f"{V}be_in_set", column="text", value_set=["a", "b"]), False, counts(5, 2, 1, 100 / 3, 20.0, 40.0)),
    (
        rule(f"{V}be_in_set", column="text", value_set=["a", "b"], mostly=0.6),
        True,
        counts(5, 2, 1, 100 / 3, 20.0, 40.0),
    ),
    (rule(f"{V}be_in_set", column="flag", value_set=[True]), False, counts(5, 1, 1, 25.0, 20.0, 20.0)),
    (rule(f"{V}match_regex", column="text", regex="^.$", mostly=0), True, counts(5, 2, 1, 100 / 3, 20.0, 40.0)),
    (rule(f"{V}match_regex", column="nothing", regex="^x$"), True, ALL_MISSING),
    (
        rule("expect_column_value_lengths_to_be_between", column="text", max_value=2),
        True,
        counts(5, 2, 0, 0.0, 0.0, 40.0),
    ),
    (rule(f"{V}be_between", column="number", min_value=2), False, counts(5, 1, 1, 25.0, 20.0, 20.0)),
    (
        rule(f"{V}be_between", column="number", min_value=2, strict_min=True, mostly=0.5),
        True,
        counts(5, 1, 2, 50.0, 40.0, 20.0),
    ),
    # NaN is a value, and greater than all others.
    (rule(f"{V}be_between", column="double", max_value=1), False, counts(5, 1, 2, 50.0, 40.0, 20.0)),
    (rule(f"{V}be_between", column="time", min_value="2024-05-02T00:00:00"), True, counts(5, 4, 0, 0.0, 0.0, 80.0)),
    (rule("expect_table_row_count_to_be_between", min_value=5), True, {"observed_value": 5}),
    (rule("expect_table_row_count_to_be_between", min_value=5, strict_min=True), False, {"observed_value": 5}),
    (rule("expect_table_row_count_to_be_between", max_value=4), False, {"observed_value": 5}),
    (rule("expect_column_max_to_be_between", column="number", max_value=5), True, {"observed_value": 5}),
    (
        rule("expect_column_max_to_be_between", column="number", max_value=5, strict_max=True),
        False,
        {"observed_value": 5},
    ),
    (rule("expect_column_max_to_be_between", column="double", min_value=0), False, {}),
    (rule("expect_column_min_to_be_between", column="double", min_value=0), False, {"observed_value": -1.0}),
    (rule(f"{V}be_of_type", column="number", type_="LongType"), True, {"observed_value": "LongType"}),
    (rule(f"{V}be_of_type", column="time", type_="StringType"), False, {"observed_value": "TimestampType"}),
]


@pytest.mark.parametrize(("given", "success", "expected"), BY_HAND)
def test_by_hand(given: Expectation, success: bool, expected: dict[str, Any]) -> None:
    assert measures.of(given) is not None
    [found] = judged(given)
    assert found.success is success
    assert found.counts == pytest.approx(expected)


def test_by_hand_with_spark(spark: SparkSession) -> None:
    found = Validator([suite(*(given for given, _, _ in BY_HAND))]).validate(1, {"s": frame_of(spark, TABLE)}, NOW)
    for one, (given, success, expected) in zip(found, BY_HAND, strict=True):
        assert one.success is success, given
        assert one.counts == pytest.approx(expected), given


def test_an_empty_batch_passes() -> None:
    """Great Expectations' Spark engine says null of a sum over no rows."""
    found = judged(
        rule(f"{V}not_be_null", column="text"), rule(f"{V}be_between", column="number", min_value=1), table=TABLE[:0]
    )
    assert [(one.success, one.element_count, one.unexpected_count, one.unexpected_percent) for one in found] == [
        (True, 0, None, None),
        (True, 0, None, None),
    ]


def test_messages() -> None:
    rules = [
        rule(f"{V}be_in_set", column="text", value_set=["a"]),
        rule("expect_column_max_to_be_between", column="number", max_value=4),
    ]
    assert [one.message for one in judged(*rules)] == [
        "text: values to be in set: 2 of 5 rows are not",
        "number: max to be between (max_value=4): observed 5",
    ]


def drawn(random: random.Random) -> Expectation:
    """An expectation about a column of `table_of`, of a type and with arguments that Great Expectations takes."""
    mostly = random.choice([{}, {"mostly": random.choice([0, 0.5, 0.75, 0.9, 1])}])
    strict = {name: random.random() < 0.5 for name in ("strict_min", "strict_max") if random.random() < 0.5}
    column, bounds = random.choice([("number", [-1, 0, 1, 2.5, 2**53 + 1]), ("double", [-1.0, 0, 1, 1e300])])
    low, high = sorted(random.choices(bounds, k=2))
    ends = random.choice([{"min_value": low}, {"max_value": high}, {"min_value": low, "max_value": high}])
    time = random.choice(["2000-01-01", "2000-01-01T00:00:00", "1999-12-31 23:59:59.999999"])
    length = random.choice([{"min_value": 1}, {"max_value": 2}])
    rows = random.choice([{"min_value": 1}, {"max_value": 20}, {"min_value": 40, "max_value": 40}, {}])
    regex = random.choice(["^a$", "a|b", "\\s", "^.{1,2}$", "[^a]$", ""])
    texts = random.sample(["a", "b\n", "", "\U0001f600", None], random.randrange(4))
    of = random.choice(["StringType", "LongType", "DoubleType", "TimestampType", "BooleanType"])
    extreme = f"expect_column_{random.choice(['max', 'min'])}_to_be_between"
    return random.choice(
        [
            rule(f"{V}not_be_null", column=random.choice(TABLE.column_names), **mostly),
            rule(f"{V}be_between", column=column, **ends, **strict, **mostly),
            rule(f"{V}be_between", column="time", min_value=time, **mostly),
            rule("expect_column_value_lengths_to_be_between", column="text", **length, **strict, **mostly),
            rule(f"{V}match_regex", column="text", regex=regex, **mostly),
            rule(f"{V}be_in_set", column="text", value_set=texts, **mostly),
            rule(f"{V}be_in_set", column="number", value_set=random.sample([0, 1, 2**53 + 1], 2), **mostly),
            rule(f"{V}be_in_set", column="double", value_set=random.sample([0, 1.0, 0.5], 2), **mostly),
            rule(f"{V}be_in_set", column="flag", value_set=random.choice([[True], [False], [True, False]]), **mostly),
            rule("expect_table_row_count_to_be_between", **rows, **strict),
            rule(extreme, column=column, **random.choice([ends, {}]), **strict),
            rule(f"{V}be_of_type", column=random.choice(TABLE.column_names), type_=of),
        ]
    )


def table_of(random: random.Random, rows: int, nulls: float) -> pa.Table:
    pools: dict[str, list[Any]] = {
        "text": ["a", "b\n", "", "\U0001f600", "ab", " ", "a\r\n", "\v", "abc"],
        "number": [-1, 0, 1, 2, 3, 2**53, 2**53 + 1, -(2**63), 2**63 - 1],
        "double": [0.0, -0.0, 1.0, 0.5, -1.5, 1e300, *random.choice([[], [nan], [inf, -inf]])],
        "time": [datetime(1999, 12, 31, 23, 59, 59, 999999, UTC), datetime(2000, 1, 1, tzinfo=UTC), NOW],
        "flag": [True, False],
        "nothing": [None],
    }
    columns = {
        name: [None if random.random() < nulls else random.choice(pool) for _ in range(rows)]
        for name, pool in pools.items()
    }
    return pa.table(columns, schema=TABLE.schema)


@pytest.mark.parametrize(("seed", "rows", "nulls"), [(1, 40, 0.3), (2, 7, 0.0), (3, 3, 0.8), (4, 0, 0.0)])
def test_great_expectations_says_the_same(spark: SparkSession, seed: int, rows: int, nulls: float) -> None:
    chance = random.Random(seed)
    table = table_of(chance, rows, nulls)
    rules = list({one.title + repr(one.kwargs): one for one in (drawn(chance) for _ in range(90))}.values())
    assert all(measures.of(one) is not None for one in rules)
    frame = frame_of(spark, table)
    of_frame = suite(*rules)
    expected = great_expectations(of_frame, frame)
    by_spark = Validator([of_frame]).validate(1, {"s": frame}, NOW)
    for own, of_spark, its in zip(judged(*rules, table=table), by_spark, expected, strict=True):
        assert not its.raised
        assert (own.success, dict(own.counts)) == (its.success, dict(its.counts)), own.expectation
        assert (of_spark.success, dict(of_spark.counts)) == (its.success, dict(its.counts)), own.expectation


def test_what_is_evaluated_here_is_what_great_expectations_takes() -> None:
    chance = random.Random(0)
    rules = [drawn(chance) for _ in range(200)]
    Engine("pandas").add(suite(*rules), list(enumerate(rules, start=1)))


def test_the_rest_is_evaluated_by_great_expectations_in_its_place() -> None:
    found = judged(
        rule(f"{V}not_be_null", column="number"),
        rule("expect_column_mean_to_be_between", column="number", min_value=2.75, max_value=2.75),
        rule(f"{V}be_between", column="number", min_value=1),
        rule(f"{V}match_regex", column="text", regex="(?i)^[AB]"),  # RE2 has another meaning for the flag
        rule(f"{V}be_between", column="text", min_value=1),  # text is no number
        rule(f"{V}be_unique", column="flag"),
    )
    assert [one.position for one in found] == [1, 2, 3, 4, 5, 6]
    assert [one.success for one in found] == [False, True, True, False, False, False]
    assert found[1].observed == "2.75"
    assert (found[3].element_count, found[3].unexpected_count) == (5, 1)
    assert found[4].raised
    assert found[5].unexpected_count == 3  # each of the three that are true


def test_great_expectations_says_that_text_is_no_time() -> None:
    wanted = measures.of(rule(f"{V}be_between", column="text", max_value="2000-01-01"))
    assert wanted is not None
    assert arrow_measures.measured([wanted], TABLE) == [None]


@pytest.mark.parametrize(
    "wrong",
    [
        rule("expect_the_unexpected"),
        rule(f"{V}match_regex", column=7),
        rule(f"{V}be_between", column="a", maximum=1),
        rule(f"{V}be_between", column="a"),
        rule(f"{V}not_be_null", column="a", mostly=2),
        rule("expect_table_row_count_to_be_between", min_value=2, max_value=1),
    ],
)
def test_what_great_expectations_does_not_know(wrong: Expectation) -> None:
    with pytest.raises(LakehuntError, match=r"s.json, expectation 2"):
        ArrowValidator([suite(rule(f"{V}not_be_null", column="a"), wrong)])


SHIPPED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
import pyarrow as pa
from lakehunt.lake import arrow_rows
from lakehunt.quality.arrow_validation import ArrowValidator
from lakehunt.quality.suites import load
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS

schema = arrow_rows.schema(DEVICE_PROCESS_EVENTS.events).append(pa.field("hours_ahead_of_landing", pa.float64()))
suite = load(Path(sys.argv[1]), schema.names)
table = pa.Table.from_arrays([pa.nulls(2, field.type) for field in schema], schema=schema)
found = ArrowValidator([suite]).validate(1, {suite.name: table}, datetime.now(UTC))
nulls = [one for one in found if one.expectation.type == "expect_column_values_to_not_be_null"]
assert len(found) == len(suite.expectations) and {one.success for one in nulls} == {False}, found
assert all(one.success for one in found if one not in nulls), found
print(sorted({"pyspark", "pandas", "great_expectations", "py4j"} & set(sys.modules)))
"""


def test_shipped_suites_need_neither_spark_nor_great_expectations() -> None:
    file = PROJECT / "expectations" / "device_process_events.json"
    found = subprocess.run([sys.executable, "-c", SHIPPED, str(file)], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_landing_suite_is_measured() -> None:
    rules = load(PROJECT / "expectations" / "landing.json", set(COUNTS)).expectations
    row = pa.table({name: pa.array([0], arrow_type(type_)) for name, type_ in COUNTS.items()})
    assert None not in [measures.of(one) for one in rules]
    assert [one.success for one in judged(*rules, table=row)] == [True] * len(rules)


def test_results_as_great_expectations_writes_them() -> None:
    validator = ArrowValidator(
        [suite(rule(f"{V}not_be_null", column="text"), rule(f"{V}not_be_null", column="number", mostly=0.5))]
    )
    validator.validate(7, {"s": TABLE}, NOW)
    [(batch, document)] = validator.documents
    assert batch == 7
    assert json.loads(json.dumps(document)) == document
    assert document["success"] is False
    assert document["statistics"] == {
        "evaluated_expectations": 2,
        "successful_expectations": 1,
        "unsuccessful_expectations": 1,
        "success_percent": 50.0,
    }
    assert [one["success"] for one in document["results"]] == [False, True]
    assert document["results"][0]["result"] == NULLS
