"""Window functions: rows by hand from the documentation's examples and the engine's answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehunt.core.errors import LakehuntError
from lakehunt.kql.types import BOOL, DATETIME, INT, LONG, REAL, STRING, TIMESPAN, Type
from lakehunt.spark.functions import windows
from lakehunt.spark.functions.registry import form
from tests.support.properties import in_few_queries, many


@dataclass(frozen=True)
class Frame(windows.Serial):
    """A Serial over a frame: what is staged is one more column."""

    frames: list[DataFrame] = field(default_factory=list)

    def staged(self, column: Column) -> Column:
        name = f"$staged{len(self.frames)}"
        self.frames.append(self.frames[-1].withColumn(name, column))
        return F.col(f"`{name}`")

    def values(self, made: Column) -> list[Any]:
        return [row[0] for row in self.frames[-1].select(made, "n").orderBy("n").drop("n").collect()]


Argument = tuple[Type, Any]
"""Its type, and a column in Spark's SQL or a constant that is no text."""


def made(serial: windows.Serial, name: str, args: Sequence[Argument]) -> Column:
    types = [kind for kind, _ in args]
    columns = [F.expr(value) if isinstance(value, str) else F.lit(value) for _, value in args]
    column: Column = form("window", name, types).call(types, columns, [value for _, value in args], serial)
    return column


def asked(spark: Any, rows: Sequence[tuple[Any, ...]], schema: str, name: str, *args: Argument) -> list[Any]:
    """The value of a window function in each row."""
    frame = spark.createDataFrame([(i, *row) for i, row in enumerate(rows)], f"n int, {schema}")
    serial = Frame([F.col("n").asc()], [frame])
    return serial.values(made(serial, name, args))


RANKED = [("a", 5), ("a", 5), ("a", 8), ("b", 8), ("b", 8), ("b", 9)]
V = (LONG, "v")
G = (STRING, "g")
HALF = (REAL, "v / 2")
STARTS = (BOOL, "n = 3")

ROWS: list[tuple[str, list[Argument], list[Any]]] = [
    ("row_number", [], [1, 2, 3, 4, 5, 6]),
    ("row_number", [(INT, 7)], [7, 8, 9, 10, 11, 12]),
    ("row_number", [(LONG, 0), STARTS], [0, 1, 2, 0, 1, 2]),
    ("row_number", [(LONG, -1), (BOOL, "cast(null as boolean)")], [-1, 0, 1, 2, 3, 4]),
    ("row_number", [(LONG, 1), (BOOL, True)], [1, 1, 1, 1, 1, 1]),
    ("row_cumsum", [V], [5, 10, 18, 26, 34, 43]),
    ("row_cumsum", [V, STARTS], [5, 10, 18, 8, 16, 25]),
    ("row_cumsum", [(INT, "int(v)")], [5, 10, 18, 26, 34, 43]),
    ("row_cumsum", [(INT, "int(2147483647)")], [2147483647, -2, 2147483645, -4, 2147483643, -6]),
    ("row_cumsum", [HALF], [2.5, 5.0, 9.0, 13.0, 17.0, 21.5]),
    ("row_rank_dense", [V], [1, 1, 2, 2, 2, 3]),
    ("row_rank_dense", [V, STARTS], [1, 1, 2, 1, 1, 2]),
    ("row_rank_min", [V], [1, 1, 3, 3, 3, 6]),
    ("row_rank_min", [V, STARTS], [1, 1, 3, 1, 1, 3]),
    ("row_rank_dense", [G], [1, 1, 1, 2, 2, 2]),
    ("row_rank_min", [G], [1, 1, 1, 4, 4, 4]),
    ("prev", [V], [None, 5, 5, 8, 8, 8]),
    ("next", [V], [5, 8, 8, 8, 9, None]),
    ("prev", [V, (LONG, 2), (LONG, -1)], [-1, -1, 5, 5, 8, 8]),
    ("next", [V, (INT, 9), (LONG, -1)], [-1, -1, -1, -1, -1, -1]),
    ("prev", [V, (LONG, 0)], [5, 5, 8, 8, 8, 9]),
    ("prev", [G], ["", "a", "a", "a", "b", "b"]),
    ("prev", [HALF, (LONG, 1), (LONG, 0)], [0.0, 2.5, 2.5, 4.0, 4.0, 4.0]),
    ("next", [STARTS, (LONG, 1), (BOOL, True)], [False, False, True, False, False, True]),
    # A null is a value like others to a neighbour and a rank, and adds nothing to a sum.
    ("prev", [(LONG, "nullif(v, 8)"), (LONG, 1), (LONG, -1)], [-1, 5, 5, None, None, None]),
    ("row_rank_dense", [(LONG, "nullif(v, 8)")], [1, 1, 2, 2, 2, 3]),
    ("row_cumsum", [(LONG, "nullif(v, 5)")], [0, 0, 8, 16, 24, 33]),
]


@pytest.fixture(scope="module")
def found(spark: Any) -> list[list[Any]]:
    """The values of each function, computed in one frame."""
    frame = spark.createDataFrame([(i, *row) for i, row in enumerate(RANKED)], "n int, g string, v bigint")
    serial = Frame([F.col("n").asc()], [frame])
    values = serial.values(
        F.struct(*(made(serial, name, args).alias(f"x{i}") for i, (name, args, _) in enumerate(ROWS)))
    )
    return [list(column) for column in zip(*values, strict=True)]


@pytest.mark.parametrize("case", range(len(ROWS)), ids=[name for name, _, _ in ROWS])
def test_rows(found: list[list[Any]], case: int) -> None:
    assert found[case] == ROWS[case][2]


@pytest.mark.parametrize(
    ("name", "args"), [("prev", [V, (LONG, -1)]), ("next", [V, (LONG, None)]), ("row_number", [(LONG, None)])]
)
def test_a_constant_that_makes_no_sense_is_refused(spark: Any, name: str, args: list[Argument]) -> None:
    with pytest.raises(LakehuntError):
        made(Frame([F.col("n").asc()]), name, args)


def test_no_rows(spark: Any) -> None:
    assert asked(spark, [], "v bigint", "row_rank_min", V) == []


def sessions(
    spark: Any, times: Sequence[int | None], first: int, between: int, restart: Sequence[bool] = ()
) -> list[Any]:
    rows = [(time, i < len(restart) and restart[i]) for i, time in enumerate(times)]
    args = [(DATETIME, "t"), (TIMESPAN, first), (TIMESPAN, between)]
    if restart:
        args.append((BOOL, "r"))
    return asked(spark, rows, "t bigint, r boolean", "row_window_session", *args)


@pytest.mark.parametrize(
    ("times", "restart", "expected"),
    [
        ([0, 4, 8, 13], (), [0, 0, 0, 13]),  # 5 or more after the last
        ([0, 4, 8, 12, 16, 19, 23], (), [0, 0, 0, 0, 0, 0, 23]),  # 20 or more after the first
        ([0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40], (), [0, 0, 0, 0, 0, 20, 20, 20, 20, 20, 40]),
        ([0, 1, 2, 3], (False, False, True, False), [0, 0, 2, 2]),
        ([None, 1, 2, None, 3], (), [None, 1, 1, None, 3]),
        ([7], (), [7]),
    ],
)
def test_sessions(spark: Any, times: list[int | None], restart: tuple[bool, ...], expected: list[int | None]) -> None:
    assert sessions(spark, times, 20, 5, restart) == expected


def _sessions(times: Sequence[int | None], first: int, between: int, restart: Sequence[bool]) -> list[int | None]:
    """The documentation's rule, in plain Python."""
    start: int | None = None
    last: int | None = None
    found: list[int | None] = []
    for time, restarts in zip(times, restart, strict=True):
        if time is None or start is None or last is None or restarts or time >= start + first or time >= last + between:
            start = time
        found.append(start)
        last = time
    return found


ROW = st.tuples(st.integers(0, 9) | st.none(), st.sampled_from([False, False, False, True]))


@in_few_queries
@given(many(ROW), st.integers(1, 30), st.integers(1, 9))
def test_sessions_agree_with_plain_python(
    spark: Any, rows: list[tuple[int | None, bool]], first: int, between: int
) -> None:
    times: list[int | None] = []
    now = 0
    for step, _ in rows:
        now += step or 0
        times.append(None if step is None else now)
    restart = [restarts for _, restarts in rows]
    assert sessions(spark, times, first, between, restart) == _sessions(times, first, between, restart)


@in_few_queries
@given(many(st.tuples(st.integers(0, 3), st.booleans())))
def test_ranks_agree_with_plain_python(spark: Any, rows: list[tuple[int, bool]]) -> None:
    dense: list[int] = []
    minimal: list[int] = []
    place = 0
    for i, (value, restarts) in enumerate(rows):
        if i == 0 or restarts:
            place, rank, first = 1, 1, 1
        else:
            place += 1
            if value != rows[i - 1][0]:
                rank, first = rank + 1, place
        dense.append(rank)
        minimal.append(first)
    args = (V, (BOOL, "r"))
    assert asked(spark, rows, "v bigint, r boolean", "row_rank_dense", *args) == dense
    assert asked(spark, rows, "v bigint, r boolean", "row_rank_min", *args) == minimal
