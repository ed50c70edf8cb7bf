"""The text of numbers, for which the rule is stated once more with exact decimals.

Single values are in tests/cases/functions/."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from lakehunt.spark.values import text_of_decimal, text_of_real
from tests.support.properties import in_few_queries, many


def _neighbour(number: float, up: bool) -> Decimal:
    return Decimal(math.nextafter(number, math.inf if up else -math.inf))


def _largest_of_the_shortest(number: float) -> Decimal:
    """The rule, once more, with exact decimals: of the texts between the halves, the largest of the shortest."""
    exact = Decimal(number)
    high = (exact + _neighbour(number, up=True)) / 2
    for digits in range(1, 18):
        step = Decimal(1).scaleb(exact.adjusted() - digits + 1)
        cut = high // step * step
        for near in (cut, cut - step):  # the halfway point itself reads back as the even neighbour
            if float(near) == number:
                return near
    raise AssertionError(number)


REALS = st.floats(1e-290, 1e290) | st.floats(0.001, 1000) | st.integers(1, 10**17).map(lambda n: n / 1000)


@in_few_queries
@given(many(REALS))
def test_texts_of_reals(spark: Any, numbers: list[float]) -> None:
    frame = spark.createDataFrame([(n,) for n in numbers], "n double")
    for number, (text,) in zip(numbers, frame.select(text_of_real(F.col("n"))).collect(), strict=True):
        assert struct.pack("d", float(text)) == struct.pack("d", number)
        assert Decimal(text) == _largest_of_the_shortest(number)


@in_few_queries
@given(many(st.decimals(-(10**18), 10**18, places=18)))
def test_texts_of_decimals(spark: Any, numbers: list[Decimal]) -> None:
    frame = spark.createDataFrame([(n,) for n in numbers], "n decimal(38,18)")
    for number, (text,) in zip(numbers, frame.select(text_of_decimal(F.col("n"))).collect(), strict=True):
        assert Decimal(text) == number
        assert "E" not in text
        assert text == text.rstrip("0") or "." not in text
