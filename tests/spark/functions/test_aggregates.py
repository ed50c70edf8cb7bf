"""Aggregate functions: rows by hand from the documentation and the engine's answers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehunt.core.errors import LakehuntError
from lakehunt.kql.types import DYNAMIC, LONG, REAL, STRING, Type
from lakehunt.spark.functions.registry import Group, form
from tests.support import answers
from tests.support.properties import in_few_queries, many

GROUPS = """datatable(k: string, v: string, n: long, r: real, b: bool, t: timespan, d: dynamic)[
    'a', '',  long(null), 1.5,        true,       1h,         dynamic([1, 2]),
    'a', 'x', 1,          real(null), false,      2h,         dynamic(null),
    'b', '',  2,          real(nan),  bool(null), time(null), dynamic({'p': 1, 'q': [2]}),
    'a', 'y', 3,          2.5,        true,       time(null), dynamic([3, [4]]),
    'b', 'x', 2,          4.0,        true,       time(null), dynamic({'q': 3, 'r': null}),
    'a', 'x', long(null), 2.5,        bool(null), 4h,         dynamic('s'),
    'c', 'z', long(null), real(null), bool(null), time(null), dynamic(null)]"""


OVER_ALL: dict[str, tuple[str, Any]] = {
    "binary_all_and(n)": ("datatable(n: long)[0xFFFFFFFF, 0xFFFFF00F, 0xCFFFFFFD, 0xFAFEFFFF]", 0xCAFEF00D),
    "binary_all_or(n)": ("datatable(n: long)[0x88888008, 0x42000000, 0x00767000, 0x00000005]", 0xCAFEF00D),
    "binary_all_xor(n)": ("datatable(n: long)[0x44404440, 0x1E1E1E1E, 0x90ABBA09, 0x000B105A]", 0xCAFEF00D),
    "covariance(x, y)": ("datatable(x: real, y: real)[1., 14., 2., 10., 3., 17., 4., 20., 5., 50.]", 20.5),
    "covariancep(x, y)": ("datatable(x: real, y: long)[1., 14, 2., 10, 3., 17, 4., 20, 5., 50]", 16.4),
    "variance(x)": ("datatable(x: real)[1., 2., 3., 4.]", 1.6666666667),
    "stdev(x)": ("datatable(x: long)[1, 2, 3, 4]", 1.2909944487487155),
    "stdevp(x)": ("datatable(x: real)[1., 2., 3., 4., 5., 6.]", 1.707825127669692),
    "percentilesw_array(v, w, 50, 75, 99.9)": ("datatable(w: long, v: long)[8, 10, 6, 20, 3, 30, 1, 40]", [20, 20, 40]),
    "max(t)": ("print t = datetime(2021-01-01T00:00:00.0000001Z)", "2021-01-01T00:00:00.0000001Z"),
    "make_list(s)": ("datatable(s: string)['café', '', \"O'Brien\", '\"']", ["café", "", "O'Brien", '"']),
    "sum(n)": ("datatable(n: long)[9223372036854775807, 1, 2]", -9223372036854775806),
    "avg(n)": ("datatable(n: long)[9223372036854775806, 1, 9223372036854775807]", -0.6666666666666666),
}


@pytest.mark.parametrize("aggregate", OVER_ALL)
def test_aggregates_over_all_rows(spark: Any, aggregate: str) -> None:
    table, expected = OVER_ALL[aggregate]
    (found,) = answers.rows(spark, f"{table} | summarize {aggregate}")[0]
    assert found == (pytest.approx(expected, 1e-14) if isinstance(expected, float) else expected)


def test_groups_and_rows_of_nothing(spark: Any) -> None:
    nothing = f"{GROUPS} | where k == 'nobody'"
    assert answers.rows(spark, f"{nothing} | summarize count() by k") == []
    assert answers.rows(spark, f"{nothing} | count") == [[0]]


def test_one_any_of_several_columns_is_one_row(spark: Any) -> None:
    found = answers.rows(spark, f"{GROUPS} | summarize any(v, n), any(n), any(n), any(v) by k | sort by k asc")
    assert found == [["a", "x", 1, 1, 1, "x"], ["b", "x", 2, 2, 2, "x"], ["c", "z", None, None, None, "z"]]


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        ("arg_max(n, v)", [["a", 3, "y"], ["b", 2, ""], ["c", None, "z"]]),  # the earliest of equals
        ("arg_min(n, v, b)", [["a", 1, "x", False], ["b", 2, "", None], ["c", None, "z", None]]),
        ("arg_max(r, n)", [["a", 2.5, 3], ["b", "NaN", 2], ["c", None, None]]),  # NaN is both the largest
        ("arg_min(r, n)", [["a", 1.5, None], ["b", "NaN", 2], ["c", None, None]]),  # and the smallest
        ("arg_max(v, n)", [["a", "y", 3], ["b", "x", 2], ["c", "z", None]]),
        ("arg_max(b, n)", [["a", True, None], ["b", True, 2], ["c", None, None]]),
        ("arg_max(t, n)", [["a", "04:00:00", None], ["b", None, 2], ["c", None, None]]),
        ("arg_max(n)", [["a", 3], ["b", 2], ["c", None]]),
    ],
)
def test_the_row_of_an_extreme(spark: Any, aggregate: str, expected: list[list[Any]]) -> None:
    assert answers.rows(spark, f"{GROUPS} | summarize {aggregate} by k | sort by k asc") == expected


def test_the_old_names_hold_128_values_and_the_new_ones_more(spark: Any) -> None:
    table = f"datatable(v: long)[{', '.join(map(str, range(200)))}]"
    made = "makeset(v), make_set(v), makeset(v, 150), makelist(v), make_list(v), makelist(v, 150)"
    assert list(map(len, answers.rows(spark, f"{table} | summarize {made}")[0])) == [128, 200, 150, 128, 200, 150]


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("percentile", [(LONG, "n"), (LONG, 101)]),
        ("percentile", [(LONG, "n"), (REAL, -0.5)]),
        ("percentiles", [(LONG, "n"), (LONG, 5), (LONG, None)]),
        ("percentiles_array", [(LONG, "n"), (DYNAMIC, [])]),
        ("percentiles_array", [(LONG, "n"), (DYNAMIC, [True])]),
        ("make_list", [(LONG, "n"), (LONG, 0)]),
        ("make_set", [(LONG, "n"), (LONG, None)]),
    ],
)
def test_a_constant_that_makes_no_sense_is_refused(spark: Any, name: str, args: list[tuple[Type, Any]]) -> None:
    with pytest.raises(LakehuntError):
        aggregate(name, *args)


# Against plain Python


def aggregated_by(frame: Any, made: Sequence[Column]) -> list[tuple[Any, ...]]:
    """The aggregates of each group g, in its order."""
    columns = [column.alias(f"made{i}") for i, column in enumerate(made)]
    return [tuple(row)[1:] for row in frame.groupBy("g").agg(*columns).orderBy("g").collect()]


def aggregate(name: str, *args: tuple[Type, Any]) -> Column:
    """An argument is a column's name, or a constant that is no text."""
    types = tuple(kind for kind, _ in args)
    columns = [F.col(value) if isinstance(value, str) else None for _, value in args]
    function = form("aggregate", name, types)
    column: Column = function.call(types, columns, [value for _, value in args], Group(F.struct("i"), types))
    return column


SMALL = st.integers(-5, 5) | st.none() | st.integers(-(2**53), 2**53)
REALS = st.floats(-1e5, 1e5).map(lambda value: round(value, 3)) | st.none()
ROWS = many(st.tuples(st.integers(0, 3), SMALL, REALS, st.text("ab\0é😀", max_size=3)))
PERCENTILES = (0, 7, 33.3, 50, 99.9, 100)


def nearest_rank(values: list[int], percentile: float) -> int | None:
    """The smallest value that at least so many per cent are no larger than."""
    if not values:
        return None
    rank = math.ceil(Fraction(str(percentile)) * len(values) / 100)
    return sorted(values)[max(rank, 1) - 1]


def _extreme(pairs: list[tuple[Any, int]], best: Any) -> tuple[Any, int]:
    """The extreme and the place of the first row that has it; the first row where there is none."""
    values = [value for value, _ in pairs if value is not None]
    if not values:
        return None, pairs[0][1]
    return next((value, i) for value, i in pairs if value == best(values))


@in_few_queries
@given(ROWS)
def test_aggregates_agree_with_plain_python(spark: Any, rows: list[tuple[int, int | None, float | None, str]]) -> None:
    frame = spark.createDataFrame(
        [(i, *row) for i, row in enumerate(rows)], "i bigint, g int, n bigint, r double, s string"
    ).repartition(3)
    made = [
        aggregate("make_list", (LONG, "n")),
        aggregate("percentiles", (LONG, "n"), *((REAL, p) for p in PERCENTILES)),
        aggregate("percentilesw", (LONG, "n"), (LONG, "i"), *((REAL, p) for p in PERCENTILES)),
        aggregate("stdev", (REAL, "r")),
        aggregate("arg_max", (LONG, "n"), (LONG, "i")),
        aggregate("arg_min", (REAL, "r"), (LONG, "i")),
        aggregate("arg_max", (STRING, "s"), (LONG, "i")),
    ]
    found = aggregated_by(frame, made)
    groups = sorted({row[0] for row in rows})
    assert len(found) == len(groups)
    for g, (listed, ranked, weighted, deviation, largest, smallest, last) in zip(groups, found, strict=True):
        group = [(i, n, r, s) for i, (of, n, r, s) in enumerate(rows) if of == g]
        numbers = [n for _, n, _, _ in group if n is not None]
        repeated = [n for i, n, _, _ in group if n is not None for _ in range(i)]
        reals = [r for _, _, r, _ in group if r is not None]
        variance = round(float(statistics.variance(map(Fraction, reals))), 10) if len(reals) > 1 else 0.0
        assert listed == numbers
        assert list(ranked) == [nearest_rank(numbers, p) for p in PERCENTILES]
        assert list(weighted) == [nearest_rank(repeated, p) for p in PERCENTILES]
        assert deviation == pytest.approx(math.sqrt(variance), rel=1e-9, abs=1e-5)
        assert tuple(largest) == _extreme([(n, i) for i, n, _, _ in group], max)
        assert tuple(smallest) == _extreme([(r, i) for i, _, r, _ in group], min)
        assert tuple(last) == _extreme([(s, i) for i, _, _, s in group], max)
