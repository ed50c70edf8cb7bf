"""Conditions: rows by hand from the documentation and the engine's answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.answers import values

EXPRESSIONS: dict[str, Any] = {
    "iff(true, 1, 2)": 1,
    "iif(1 > 2, 'a', 'b')": "b",
    "iff(bool(null), 't', 'f')": "f",
    "iff(true, 1, 2.5)": 1.0,
    "iff(true, int(1), 2)": 1,
    "iff(true, 'a', 2)": "a",
    "iff(false, 'a', 2)": 2,
    "iff(false, 1d, datetime(2020-01-01))": "2020-01-01T00:00:00.0000000Z",
    "iff(true, dynamic([1]), dynamic({}))": [1],
    "iff(false, 1, long(null))": None,
    "case(false, 'a', 'b')": "b",
    "case(bool(null), 'c1', true, 'c2', 'def')": "c2",
    "case(false, 1, false, 2, 3)": 3,
    "case(true, 1, 2.5)": 1.0,
    "case(false, 1, 'x')": "x",
    "case(1 == 1, 'one', 1 == 1, 'two', '')": "one",
    "coalesce(tolong('not a number'), tolong('42'), 33)": 42,
    "coalesce(real(null), real(null))": None,
    "coalesce(int(null), 5)": 5,
    "coalesce(1, 2.5)": 1.0,
    "coalesce('', 'b', 'c')": "b",
    "coalesce('', '')": "",
    "coalesce(dynamic(null), dynamic([1]))": [1],
    "coalesce(datetime(null), datetime(2020-01-01))": "2020-01-01T00:00:00.0000000Z",
    "isnull(long(null))": True,
    "isnull('')": False,
    "isnull(real(nan))": False,
    "isnull(dynamic(null))": True,
    "isnull(dynamic([]))": False,
    "isnotnull(1)": True,
    "notnull('')": True,
    "isnotnull(dynamic(null))": False,
    "isempty('')": True,
    "isempty('x')": False,
    "isempty(long(null))": True,
    "isempty(0)": False,
    "isempty(dynamic(null))": True,
    "isempty(dynamic(''))": True,
    "isempty(dynamic([]))": False,
    "isempty(dynamic({}))": False,
    "isnotempty(1h)": True,
    "notempty('')": False,
    "isnotempty(dynamic('x'))": True,
    "not(false)": True,
    "not(bool(null))": None,
}


@pytest.fixture(scope="module")
def found(spark: Any) -> dict[str, Any]:
    return values(spark, EXPRESSIONS)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions(found: dict[str, Any], expression: str) -> None:
    assert found[expression] == EXPRESSIONS[expression]
