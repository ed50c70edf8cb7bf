"""Arithmetic and comparison for every pair of types: rows by hand from the documentation and the engine's answers."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from pipelines.hunting.query import query
from pipelines.kql.errors import QueryErrors
from pipelines.kql.types import DECIMAL
from pipelines.lake.tables import Lake
from pipelines.spark.functions import operators
from tests.support.answers import NOW, values

EXPRESSIONS: dict[str, Any] = {
    # a dynamic value with a scalar, by what it holds
    "dynamic({'n': 1}).n == 1": True,
    "dynamic({'n': 1}).n == 1.0": True,
    "dynamic({'n': 1.5}).n > 1": True,
    "1 < dynamic({'n': 1.5}).n": True,
    "dynamic({'s': 'x'}).s == 'x'": True,
    "dynamic({'s': 'x'}).s != 'y'": True,
    "dynamic({'b': true}).b == true": True,
    "dynamic({'n': 1}).none == 1": False,
    "dynamic({'n': 1}).none != 1": True,
    "dynamic({'n': 1}).none > 1": None,
    # whole numbers
    "int(2147483647) + 1": 2147483648,
    "int(2147483647) + int(1)": 2147483648,
    "9223372036854775807 + 1": -9223372036854775808,
    "-9223372036854775807 - 2": 9223372036854775807,
    "7 / -2": -3,
    "-7 / -2": 3,
    "10 / 0": None,
    "10 % 0": None,
    "-7 % -3": 2,
    "-2147483648 / -1": 2147483648,
    "long(null) + 1": None,
    "long(null) * 0": None,
    "-int(5)": -5,
    "-(-5)": 5,
    # reals
    "7.5 % 2": 1.5,
    "-7.5 % 2": 0.5,
    "7 % 2.5": 2.0,
    "1.0 / 0": "Infinity",
    "0 / 0.0": "NaN",
    "5.5 % 0.0": "NaN",
    "real(+inf) - real(+inf)": "NaN",
    "real(null) / 0.0": None,
    "real(null) % 0.0": None,
    "0.1 + 0.2 == 0.3": False,
    "real(nan) < 1.0": False,
    "real(+inf) > 1e308": True,
    # decimals
    "tostring(todecimal(1) / todecimal(3))": "0.333333333333333333",
    "tostring(todecimal('-10.5') / todecimal('0.25'))": "-42",
    "tostring(todecimal('1.1') * todecimal('-2.2'))": "-2.42",
    "tostring(todecimal(10) % todecimal(3))": "1",
    "tostring(todecimal(-10) % 3)": "2",
    "tostring(todecimal('0.1') + 2)": "2.1",
    "tostring(todecimal(5) - todecimal('7.5'))": "-2.5",
    "tostring(-todecimal('1.5'))": "-1.5",
    "tostring(todecimal('0.000000000000000001') * 1)": "0.000000000000000001",
    "todecimal('0.1') + todecimal('0.2') == todecimal('0.3')": True,
    "todecimal(1) == 1": True,
    "todecimal('1.5') > 1": True,
    # times
    "datetime(2020-06-15) - datetime(2020-06-14)": "1.00:00:00",
    "datetime(2020-06-15) - 1d - 12h": "2020-06-13T12:00:00.0000000Z",
    "1d + datetime(2020-06-15)": "2020-06-16T00:00:00.0000000Z",
    "datetime(2020-01-01) + timespan(null)": None,
    "datetime(2020-01-01) - datetime(null)": None,
    "datetime(0001-01-01) - 1tick": None,
    "-2 * 1h": "-02:00:00",
    "1d * 2.5": "2.12:00:00",
    "1s / 1000": "00:00:00.0010000",
    "(1h + 30m) / 2": "00:45:00",
    "-1d / -1h": 24.0,
    "1d / 1tick": 864000000000.0,
    "0.5 * 1d": "12:00:00",
    "25h % 1d": "01:00:00",
    "-1h % 1d": "23:00:00",
    "-(1d + 2h)": "-1.02:00:00",
    "1h < 1d": True,
    "datetime(2020-01-01) <= datetime(null)": None,
    # truth and null
    "true == true": True,
    "bool(null) == true": False,
    "bool(null) == bool(null)": None,
    "false < true": True,
    "guid(null) != guid(null)": None,
    "1h == timespan(null)": False,
    "toint('x') == 0": False,
    "toint('x') != 0": True,
    # text
    "'a' == 'A'": False,
    "'' == ''": True,
    "dynamic({'a': 'x y'}) has 'y'": True,
    "dynamic('shipping') has 'ping'": False,
    "dynamic(null) contains 'x'": False,
    "dynamic('ABC') =~ 'abc'": True,
}


@pytest.fixture(scope="module")
def found(spark: Any) -> dict[str, Any]:
    return values(spark, EXPRESSIONS)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions(found: dict[str, Any], expression: str) -> None:
    assert found[expression] == EXPRESSIONS[expression]


@pytest.mark.parametrize(
    "expression",
    ["'1' == 1", "true == 1", "datetime(2020-01-01) == '2020-01-01'", "dynamic(1) + 1", "dynamic(1) == dynamic(1)",
     "'a' < 'b'",
     "guid(null) < guid(null)", "1h + 1", "datetime(2020-01-01) + datetime(2020-01-01)", "true + 1", "1h == 1"],
)  # fmt: skip
def test_what_is_refused(spark: Any, expression: str) -> None:
    """What Microsoft's binder refuses, and what it lets pass without its being known what the engine makes of it."""
    with pytest.raises(QueryErrors):
        query(Lake(spark, "none"), f"print {expression}", NOW)


DECIMALS = st.decimals(-(10**6), 10**6, places=6)


@settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(DECIMALS, DECIMALS.filter(bool)), min_size=40, max_size=80))
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
