"""Mathematical functions: rows by hand from the documentation and the engine's answers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.support.answers import values

EXPRESSIONS: dict[str, Any] = {
    "abs(-5)": 5,
    "abs(-2.5)": 2.5,
    "abs(-1h)": "01:00:00",
    "abs(long(null))": None,
    "ceiling(-1.1)": -1.0,
    "ceiling(0)": 0.0,
    "ceiling(0.9)": 1.0,
    "ceiling(1e300)": 1e300,
    "tostring(ceiling(-0.5))": "-0.0",
    "ceiling(todecimal('1.5'))": 2.0,
    "round(2.98765, 3)": 2.988,
    "round(2.15, 1)": 2.2,
    "round(2.15)": 2.0,
    "round(2.5)": 3.0,
    "round(-2.5)": -3.0,
    "round(0.5)": 1.0,
    "round(3.25, 1)": 3.3,
    "round(1234, -2)": 1200,
    "round(1250, -2)": 1300,
    "round(1234.5, -2)": 1200.0,
    "round(1234, 2)": 1234,
    "round(1e300, 2)": 1e300,
    "round(0.49999999999999994)": 0.0,
    "round(real(nan))": "NaN",
    "round(real(null))": None,
    "round(real(-inf))": "-Infinity",
    "sign(-42)": -1.0,
    "sign(0)": 0.0,
    "sign(11.2)": 1.0,
    "sqrt(256)": 16.0,
    "sqrt(-1.0)": "NaN",
    "exp(2)": 7.38905609893065,
    "exp(1000.0)": "Infinity",
    "exp2(3)": 8.0,
    "exp10(3)": 1000.0,
    "log(5)": 1.6094379124341003,
    "log(0.0)": "-Infinity",
    "log(-1.0)": None,
    "log10(5)": 0.6989700043360189,
    "log2(8)": 3.0,
    "pow(2, 3)": 8.0,
    "pow(2, -1)": 0.5,
    "pow(-8, 1.0 / 3.0)": "NaN",
    "pi()": math.pi,
    "cos(0)": 1.0,
    "sin(0)": 0.0,
    "tan(0)": 0.0,
    "asin(0.5)": math.asin(0.5),
    "acos(0.5)": math.acos(0.5),
    "acos(2)": "NaN",
    "atan(0.5)": math.atan(0.5),
    "atan2(0, 0)": 0.0,
    "atan2(1, 1)": math.pi / 4,
    "cot(1)": 1 / math.tan(1),
    "degrees(pi() * 1.5)": 270.0,
    "degrees(0)": 0.0,
    "radians(90)": math.pi / 2,
    # not a number, and infinite
    "isnan(0.0 / 0.0)": True,
    "isnan(1)": False,
    "isnan(real(null))": None,
    "isinf(-1.0 / 0.0)": True,
    "isinf(0.0 / 0.0)": False,
    "isfinite(1.0 / 0.0)": False,
    "isfinite(0.0 / 0.0)": False,
    "isfinite(0.0)": True,
    # the largest and the smallest
    "max_of(10, 1, -3, 17)": 17,
    "min_of(10, 1, -3, 17)": -3,
    "max_of(1, long(null), 3)": 3,
    "min_of(int(null), 5)": 5,
    "max_of(int(null), int(null))": None,
    "max_of(int(1), 2, 3.0)": 3.0,
    "max_of(real(null), real(nan))": "NaN",
    "min_of(real(nan), 1.0)": "NaN",
    "max_of('a', 'B', '')": "a",
    "min_of('a', 'B', '')": "",
    "max_of(datetime(2024-12-15), datetime(2024-12-14))": "2024-12-15T00:00:00.0000000Z",
    "min_of(1h, 1d)": "01:00:00",
    "max_of(true, false)": True,
    # bits
    "binary_and(6, 3)": 2,
    "binary_or(5, 3)": 7,
    "binary_xor(5, 3)": 6,
    "binary_not(100)": -101,
    "binary_shift_left(1, 4)": 16,
    "binary_shift_left(1, 64)": 1,
    "binary_shift_left(1, -1)": None,
    "binary_shift_right(-8, 1)": -4,
    "binary_shift_right(8, 2)": 2,
    "bitset_count_ones(42)": 3,
    "bitset_count_ones(-1)": 64,
    "bitset_count_ones(long(null))": None,
    # nearness
    "around(datetime(2021-01-01 01:29), datetime(2021-01-01 01:30), 1min)": True,
    "around(datetime(2021-01-01 01:28), datetime(2021-01-01 01:30), 1min)": False,
    "around(5, 7, 2)": True,
    "around(5.0, 7.5, 2)": False,
    "around(long(null), 7, 2)": None,
    # units
    "convert_angle(1.2, 'Degree', 'Arcminute')": 72.0,
    "convert_energy(1.2, 'WattHour', 'Joule')": 4320.0,
    "convert_force(1.2, 'Newton', 'Decanewton')": 0.12,
    "convert_length(1.2, 'Meter', 'Foot')": 3.9370078740157477,
    "convert_mass(1.2, 'Kilogram', 'Pound')": 1.2 / 0.45359237,
    "convert_speed(1.2, 'MeterPerSecond', 'CentimeterPerHour')": 432000.0,
    "convert_temperature(1.2, 'Kelvin', 'DegreeCelsius')": -271.95,
    "convert_temperature(212, 'DegreeFahrenheit', 'DegreeCelsius')": 100.0,
    "convert_volume(1.2, 'CubicMeter', 'AcreFoot')": 0.0009728568,
}


@pytest.fixture(scope="module")
def found(spark: Any) -> dict[str, Any]:
    return values(spark, EXPRESSIONS)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions(found: dict[str, Any], expression: str) -> None:
    wanted = EXPRESSIONS[expression]
    if isinstance(wanted, float):
        wanted = pytest.approx(wanted, rel=1e-12)
    assert found[expression] == wanted
