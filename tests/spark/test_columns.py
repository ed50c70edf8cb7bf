"""Columns that are described and made by one call are those that PySpark makes by many."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as of_spark
from pyspark.sql.types import StringType

from lakehunt.spark import columns
from lakehunt.spark.columns import F, LazyColumn

Expression = Callable[[Any], Column]

ARITHMETIC = (
    "__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__", "__truediv__", "__rtruediv__", "__mod__",
    "__rmod__", "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "eqNullSafe", "bitwiseAND", "bitwiseOR",
    "bitwiseXOR",
)  # fmt: skip

ON_TEXT = ("contains", "startswith", "endswith", "rlike", "like")

EXPRESSIONS: tuple[Expression, ...] = (
    # literals
    *(lambda f, v=value: f.lit(v) for value in (None, True, 0, -(2**31), 2**31, 2**63 - 1, "", "a`'\"\\\n é😀")),
    *(lambda f, v=value: f.lit(v) for value in (1.5, -0.0, 1e300, float("nan"), float("inf"), float("-inf"))),
    lambda f: f.lit([1, 2]),
    lambda f: f.lit(f.col("n")),
    # names
    lambda f: f.col("`a.b`"),
    lambda f: f.upper("t"),
    lambda f: f.struct("n", "t"),
    # operators, of literals on either side
    *(
        lambda f, o=operator: getattr(f.col("n"), o)(3)
        for operator in ARITHMETIC
    ),
    *(lambda f, o=operator: getattr(f.col("t"), o)("a") for operator in ON_TEXT),
    lambda f: (f.col("n") > 0) & (f.col("n") < 9) | ~f.col("n").isNull(),
    lambda f: (f.col("n") > 0) & True,
    lambda f: True | (f.col("n") > 0),
    lambda f: -f.col("n"),
    lambda f: f.col("n").between(1, 2),
    lambda f: f.col("n").isin(1, 2),
    lambda f: f.col("t").isin(["a", "b"]),
    lambda f: f.array("n")[0],
    lambda f: f.struct("n")["n"],
    lambda f: f.struct("n").n,
    lambda f: f.struct("n").getField("n"),
    lambda f: f.col("t").substr(1, 2),
    lambda f: f.col("t")[1:2],
    # casts and names
    lambda f: f.col("n").cast("string"),
    lambda f: f.col("n").cast(StringType()),
    lambda f: f.col("t").try_cast("int"),
    lambda f: f.col("n").alias("other name"),
    lambda f: f.col("n").alias("x", metadata={"comment": "c"}),
    # choices
    lambda f: f.when(f.col("n") > 1, "many").when(f.col("n") == 1, f.col("t")).otherwise(None),
    lambda f: f.when(f.col("n").isNotNull(), f.col("n")),
    # functions with literals
    lambda f: f.regexp_replace("t", "a", "b"),
    lambda f: f.lpad("t", 5, "0"),
    lambda f: f.array_contains(f.array("n"), 1),
    lambda f: f.element_at(f.array("n"), 1),
    lambda f: f.get(f.array("n"), 0),
    lambda f: f.slice(f.array("n"), 1, 2),
    lambda f: f.greatest(f.col("n"), f.lit(1)),
    lambda f: f.call_function("nullif", f.col("n"), f.lit(1)),
    lambda f: f.concat(),
    # functions that PySpark makes
    lambda f: f.split("t", ","),
    lambda f: f.concat_ws("-", f.col("t"), f.lit("a")),
    lambda f: f.from_json(f.lit("[1]"), "array<int>"),
    lambda f: f.when(f.split("t", ",") == f.array(f.lit("a")), 1),
    # lambda functions
    lambda f: f.transform(f.array("n"), lambda x: x + 1),
    lambda f: f.transform(f.array("n"), lambda x, i: x * i),
    lambda f: f.transform(f.array("n"), f.abs),
    lambda f: f.transform(f.array(f.array("n")), lambda xs: f.transform(xs, lambda x: x + f.size(xs))),
    lambda f: f.filter(f.array("t"), lambda x: f.split(x, ",")[0] == x),
    lambda f: f.aggregate(f.array("n"), f.lit(0).cast("bigint"), lambda a, x: a + x, lambda a: -a),
    lambda f: f.zip_with(f.array("n"), f.array("n"), lambda a, b: f.coalesce(a, b, a)),
    lambda f: f.array_sort(f.array("n"), lambda a, b: (a - b).cast("int")),
    lambda f: f.array_sort(f.array("n")),
    # windows
    lambda f: f.row_number().over(Window.orderBy("n")) + 1,
    lambda f: 1 + f.sum("n").over(Window.partitionBy("t")),
)  # fmt: skip


@pytest.fixture(scope="module")
def frame(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([(1, "a,b", 2), (2, "", None), (None, None, 0)], "n bigint, t string, `a.b` int")


def plan(frame: DataFrame) -> str:
    """What Spark makes of a frame, without the numbers that it gives to names."""
    names: dict[str, str] = {}
    text = str(frame._jdf.queryExecution().analyzed())
    return re.sub(r"#\d+|\b[xyz]_\d+", lambda name: names.setdefault(name[0], f"#{len(names)}"), text)


def test_expressions_are_those_of_pyspark(frame: DataFrame) -> None:
    for place, expression in enumerate(EXPRESSIONS):
        expected = frame.select(expression(of_spark))
        for made in (frame.select(expression(F)), columns.select(frame, expression(F))):
            assert plan(made) == plan(expected), place
            assert made.schema == expected.schema, place


def test_all_at_once(frame: DataFrame) -> None:
    made = columns.select(frame, *(one(F).alias(f"c{i}") for i, one in enumerate(EXPRESSIONS)))
    expected = frame.select(*(one(of_spark).alias(f"c{i}") for i, one in enumerate(EXPRESSIONS)))
    assert plan(made) == plan(expected)
    assert str(made.collect()) == str(expected.collect())


def test_functions_of_columns_are_those_of_pyspark(spark: SparkSession) -> None:
    """By what Spark is asked for: no frame fits the arguments of all of them."""
    counts = {"get": 2, "replace": 3, "sequence": 2, "slice": 3, "substring": 3}
    for name in columns._OF_COLUMNS:
        for count in (counts.get(name, 1), 2):
            arguments = [of_spark.col(letter) for letter in "abc"[:count]]
            try:
                expected = getattr(of_spark, name)(*arguments)
            except Exception:  # noqa: BLE001 (not a number of arguments that it takes)
                continue
            made = getattr(F, name)(*(F.col(letter) for letter in "abc"[:count]))
            assert isinstance(made, LazyColumn), name
            assert _node(made) == _node(expected), name


def _node(column: Column) -> str:
    jc: Any = column._jc
    return re.sub(r"@[0-9a-f]+", "", str(jc.node().normalized().toString()))


def test_columns_of_either_kind_can_be_mixed(frame: DataFrame) -> None:
    lazy, made = F.col("n"), of_spark.col("n")
    mixed = columns.select(frame, (lazy + made).alias("a"), (made < lazy).alias("b"), made.alias("c"), F.abs(made))
    assert [tuple(row) for row in mixed.collect()] == [(2, False, 1, 1), (4, False, 2, 2), (None, None, None, None)]


def test_hundreds_of_levels(frame: DataFrame) -> None:
    deep = F.col("n")
    for _ in range(3000):
        deep = deep + 1
    steps, made, numbers = columns._program([deep])
    assert (len(steps), made, numbers) == (3001 + 3000, [], [6000])


def test_shared_parts_are_described_once() -> None:
    part = F.upper(F.col("t"))
    steps, _, _ = columns._program([F.concat(part, part), F.length(part)])
    assert [step[0] for step in steps] == ["c", "f", "f", "f"]


def test_what_spark_does_not_have_is_an_error(spark: SparkSession) -> None:
    with pytest.raises(Exception, match="Spark has no function upper of 2 columns"):
        LazyColumn("f", "upper", F.col("a"), F.col("b"))._jc  # noqa: B018
