"""Arithmetic and comparison for every pair of types: rows by hand from the documentation and the engine's answers."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from lakehunt.hunting.query.adhoc import query
from lakehunt.kql.errors import QueryErrors
from lakehunt.kql.types import DECIMAL
from lakehunt.lake.delta_lake import Lake
from lakehunt.spark.functions import operators
from tests.support.answers import NOW
from tests.support.properties import in_few_queries, many


@pytest.mark.parametrize(
    "expression",
    ["'1' < 1", "true == 1", "datetime(2020-01-01) == '2020-01-01'", "dynamic(1) + 1", "dynamic(1) == dynamic(1)",
     "'a' < 'b'",
     "guid(null) < guid(null)", "1h + 1", "datetime(2020-01-01) + datetime(2020-01-01)", "true + 1", "1h == 1"],
)  # fmt: skip
def test_what_is_refused(spark: Any, expression: str) -> None:
    """What Microsoft's binder refuses, and what it lets pass without its being known what the engine makes of it."""
    with pytest.raises(QueryErrors):
        query(Lake(spark, "none"), f"print {expression}", NOW)


DECIMALS = st.decimals(-(10**6), 10**6, places=6)


@in_few_queries
@given(many(st.tuples(DECIMALS, DECIMALS.filter(bool))))
def test_decimals_agree_with_pythons(spark: Any, pairs: list[tuple[Decimal, Decimal]]) -> None:
    kinds = (DECIMAL, DECIMAL)
    frame = spark.createDataFrame(pairs, "a decimal(38,18), b decimal(38,18)")
    ops = [operators.ARITHMETIC[op](F.col("a"), F.col("b"), kinds) for op in "+-*/"]
    with localcontext(prec=60):
        for (a, b), row in zip(pairs, frame.select(*ops).collect(), strict=True):
            quotient = (a / b).quantize(Decimal("1e-18"), rounding=ROUND_DOWN)
            assert tuple(row) == (a + b, a - b, a * b, quotient)


def test_a_dynamic_value_of_another_type_is_refused_where_it_stands(spark: Any) -> None:
    with pytest.raises(QueryErrors) as caught:
        query(Lake(spark, "none"), "print d = dynamic({'n': 1}) | where d.n == '1'", NOW)
    assert caught.value.place(caught.value.errors[0]) == (1, 37)
