"""Conversions: rows by hand from the documentation and the engine's answers."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from pipelines.spark.values import text_of_decimal, text_of_real
from tests.support.answers import values

EXPRESSIONS: dict[str, Any] = {
    # text of numbers: the fewest digits and, of those, the largest
    "tostring(0.1 + 0.2)": "0.30000000000000007",
    "tostring(40.764323000000005)": "40.764323000000008",
    "tostring(40.76422600000001)": "40.76422600000001",
    "tostring(1.0 / 3.0)": "0.3333333333333333",
    "tostring(-0.0)": "-0.0",
    "tostring(1.0)": "1.0",
    "tostring(100.0)": "100.0",
    "tostring(0.00012)": "0.00012",
    "tostring(1e15)": "1E+15",
    "tostring(1.5e-7)": "1.5E-07",
    "tostring(1e300)": "1E+300",
    "tostring(real(nan))": "NaN",
    "tostring(real(+inf))": "inf",
    "tostring(real(-inf))": "-inf",
    "tostring(real(null))": "",
    "tostring(todecimal('1.50'))": "1.5",
    "tostring(todecimal('0.00'))": "0",
    "tostring(todecimal('-0.0000000000035'))": "-0.0000000000035",
    "tostring(todecimal(100))": "100",
    "tostring(bool(null))": "",
    "tostring(false)": "False",
    "tostring(1d + 2h + 3m + 4s + 5ms)": "1.02:03:04.0050000",
    "tostring(datetime(null))": "",
    "tostring(dynamic(null))": "",
    "tostring(dynamic(true))": "true",
    "tostring(dynamic('a'))": "a",
    # whole numbers
    "toint('123')": 123,
    "toint('abc')": None,
    "toint('')": None,
    "toint('5.9')": None,
    "toint('2147483648')": None,
    "toint('0x10')": 16,
    "toint(2.9)": 2,
    "toint(-2.9)": -2,
    "toint(1e30)": 2147483647,
    "toint(-1e19)": -2147483648,
    "toint(2147483648)": -2147483648,
    "toint(-2147483649)": 2147483647,
    "toint(int(null))": None,
    "toint(true)": 1,
    "toint(todecimal('9.99'))": 9,
    "toint(dynamic(9.99))": 9,
    "toint(dynamic('42'))": 42,
    "toint(dynamic('3.14'))": None,
    "toint(dynamic(2147483648))": -2147483648,
    "toint(dynamic([1]))": None,
    "toint(dynamic(true))": 1,
    "tolong('9223372036854775807')": 9223372036854775807,
    "tolong('9223372036854775808')": None,
    "tolong('-9223372036854775808')": -9223372036854775808,
    "tolong('1e19')": None,
    "tolong(2.5)": 2,
    "tolong(1d)": 864000000000,
    "tolong(datetime(2020-01-01))": 637134336000000000,
    "tolong(dynamic('9223372036854775807'))": 9223372036854775807,
    "tolong(dynamic(1.7976931348623157e308))": 9223372036854775807,
    "tolong(dynamic(null))": None,
    "tolong(dynamic({'a': 1}))": None,
    # reals
    "todouble('1.5e10')": 15000000000.0,
    "todouble('-0')": -0.0,
    "todouble('.5')": 0.5,
    "todouble('5.')": 5.0,
    "todouble('1_000')": None,
    "todouble('1,234')": None,
    "todouble('5d')": None,
    "todouble('0b101')": None,
    "todouble('0x10')": None,
    "todouble('Inf')": "Infinity",
    "todouble('INF')": None,
    "todouble('-inf')": "-Infinity",
    "todouble('+Infinity')": "Infinity",
    "todouble(' NaN ')": "NaN",
    "todouble('1e400')": "Infinity",
    "todouble('1e-400')": 0.0,
    "toreal(true)": 1.0,
    "toreal(1h)": 36000000000.0,
    "toreal(datetime(2020-01-01))": 6.37134336e17,
    "toreal(dynamic('3.14'))": 3.14,
    "toreal(dynamic(2147483648))": 2147483648.0,
    "toreal(todecimal('1.5'))": 1.5,
    # decimals
    "todecimal('3.14159')": 3.14159,
    "todecimal('abc')": None,
    "todecimal('-0.0')": 0.0,
    "todecimal(true)": 1.0,
    "todecimal(0.1) + todecimal(0.2) == todecimal(0.3)": True,
    # truth
    "tobool('true')": True,
    "tobool('tRuE')": True,
    "tobool('FALSE')": False,
    "tobool('1')": True,
    "tobool('-1')": True,
    "tobool('0')": False,
    "tobool('yes')": None,
    "tobool('1.0')": None,
    "tobool(' true')": None,
    "tobool('')": None,
    "tobool(-5)": True,
    "tobool(0.5)": True,
    "tobool(0)": False,
    "toboolean(dynamic('0x10'))": True,
    "toboolean(dynamic(1.9))": True,
    "toboolean(dynamic(false))": False,
    # times
    "todatetime('2015-12-31 23:59:59.9')": "2015-12-31T23:59:59.9000000Z",
    "todatetime('2020-01-01T13:45:00Z')": "2020-01-01T13:45:00.0000000Z",
    "todatetime('2020-01-01T00:00:00.1234567+02:00')": "2019-12-31T22:00:00.1234567Z",
    "todatetime('2020-01-01T00:00:00-0130')": "2020-01-01T01:30:00.0000000Z",
    "todatetime('Sat, 8 Nov 14 15:05:02 GMT')": "2014-11-08T15:05:02.0000000Z",
    "todatetime('Saturday, 08-Nov-14 15:05')": "2014-11-08T15:05:00.0000000Z",
    "todatetime('02/17/2016 08:40:01')": "2016-02-17T08:40:01.0000000Z",
    "todatetime('12-02-2022') == datetime(2022-12-02)": True,
    "todatetime('not a date')": None,
    "todatetime('2020-02-30')": None,
    "todatetime('')": None,
    "todatetime(dynamic('2020-01-01'))": "2020-01-01T00:00:00.0000000Z",
    "todatetime(dynamic([1]))": None,
    "totimespan('1.02:03:04.5')": "1.02:03:04.5000000",
    "totimespan('-00:30:00')": "-00:30:00",
    "totimespan('13:00')": "13:00:00",
    "totimespan('23:59:59.9999999')": "23:59:59.9999999",
    "totimespan('0:0:0.001')": "00:00:00.0010000",
    "totimespan('90s')": "00:01:30",
    "totimespan('-1d')": "-1.00:00:00",
    "totimespan('1.5')": None,
    "totimespan('abc')": None,
    "totimespan('10:60')": None,
    "totimespan(864000000000)": "1.00:00:00",
    "totimespan(4d)": "4.00:00:00",
    # identifiers
    "toguid('70fc66f7-8279-44fc-9092-d364d70fce44')": "70fc66f7-8279-44fc-9092-d364d70fce44",
    "toguid('70FC66F7827944FC9092D364D70FCE44 and more')": "70fc66f7-8279-44fc-9092-d364d70fce44",
    "toguid('70fc66f7')": None,
    "toguid('')": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def found(spark: Any) -> dict[str, Any]:
    return values(spark, EXPRESSIONS)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions(found: dict[str, Any], expression: str) -> None:
    assert found[expression] == EXPRESSIONS[expression]


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


@settings(
    max_examples=4, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(REALS, min_size=60, max_size=100))
def test_texts_of_reals(spark: Any, numbers: list[float]) -> None:
    frame = spark.createDataFrame([(n,) for n in numbers], "n double")
    for number, (text,) in zip(numbers, frame.select(text_of_real(F.col("n"))).collect(), strict=True):
        assert struct.pack("d", float(text)) == struct.pack("d", number)
        assert Decimal(text) == _largest_of_the_shortest(number)


@settings(
    max_examples=2, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.decimals(-(10**18), 10**18, places=18), min_size=60, max_size=100))
def test_texts_of_decimals(spark: Any, numbers: list[Decimal]) -> None:
    frame = spark.createDataFrame([(n,) for n in numbers], "n decimal(38,18)")
    for number, (text,) in zip(numbers, frame.select(text_of_decimal(F.col("n"))).collect(), strict=True):
        assert Decimal(text) == number
        assert "E" not in text
        assert text == text.rstrip("0") or "." not in text
