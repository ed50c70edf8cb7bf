"""Functions of series: what Kusto answers, by its documentation or its engine; numbers within 10 digits."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.answers import rows, values

EXPRESSIONS: dict[str, object] = {
    # each element
    "series_exp(dynamic([1, 2, 3]))": [2.718281828459045, 7.38905609893065, 20.085536923187668],
    "series_sign(dynamic([-6, 0, 8]))": [-1, 0, 1],
    "series_abs(dynamic([-6.5, 0, 8.2, null, 'x']))": [6.5, 0, 8.2, None, None],
    "tostring(series_abs(dynamic([-6, 0])))": "[6,0]",
    "series_sin(dynamic([0]))": [0],
    "series_cos(dynamic([0]))": [1],
    "series_tan(dynamic([-1, 0, 1]))": [-1.5574077246549023, 0, 1.5574077246549023],
    "series_asin(dynamic([-1, 0, 1]))": [-1.5707963267948966, 0, 1.5707963267948966],
    "series_acos(dynamic([1, 2]))": [0, "NaN"],
    "series_atan(dynamic([-1, 0, 1]))": [-0.7853981633974483, 0, 0.7853981633974483],
    "series_log(dynamic([1, 0, -1, null]))": [0, "-Infinity", "NaN", None],
    "series_ceiling(dynamic([-1.5, 1, 2.5]))": [-1, 1, 3],
    "series_floor(dynamic([-1.5, 1, 2.5]))": [-2, 1, 2],
    "series_floor(dynamic({}))": None,
    # pairs of elements
    "series_add(dynamic([1, 2, 4]), dynamic([4, 2, 1]))": [5, 4, 5],
    "tostring(series_add(dynamic([1, 2]), dynamic([4, 2])))": "[5,4]",
    "series_add(dynamic([1, 2]), 0.5)": [1.5, 2.5],
    "series_add(10, dynamic([1, null, 'x']))": [11, None, None],
    "series_add(dynamic([1, 2, 3]), dynamic([1]))": [2, None, None],
    "series_subtract(dynamic([1, 2, 4]), dynamic([4, 2, 1]))": [-3, 0, 3],
    "series_subtract(10, dynamic([1, 2]))": [9, 8],
    "series_multiply(dynamic([1, 2, 4]), dynamic([4, 2, 1]))": [4, 4, 4],
    "series_divide(dynamic([1, 2, 4]), dynamic([4, 2, 1]))": [0.25, 1, 4],
    "series_divide(dynamic([1, 0]), 0)": ["Infinity", "NaN"],
    "series_pow(dynamic([1, 2, 3]), 2)": [1, 4, 9],
    "series_greater(dynamic([1, 2, 4]), dynamic([4, 2, 1]))": [False, False, True],
    "series_greater_equals(dynamic([1, 2, 4]), dynamic([4, 2, 1]))": [False, True, True],
    "series_less(dynamic([1, 2, 4]), dynamic([4, 2, 1]))": [True, False, False],
    "series_less_equals(dynamic([1, 2, 4]), dynamic([4, 2, 1]))": [True, True, False],
    "series_equals(dynamic([1, 2, 4, null]), dynamic([4, 2.0, 1, null]))": [False, True, False, None],
    "series_not_equals(dynamic([1, 2, 4]), 2)": [True, False, True],
    # one number of a series
    "series_sum(dynamic([1, 2, 3, 4]))": 10,
    "array_sum(dynamic([]))": None,
    "array_sum(dynamic([1, null]))": None,
    "array_sum(dynamic([1, 'a']))": None,
    "array_sum(dynamic({'a': 1}))": None,
    "series_product(dynamic([1, 2, 3, 4]))": 24,
    "series_dot_product(dynamic([1, 2, 4]), dynamic([4, 2, 1]))": 12,
    "series_dot_product(dynamic([2, 4, 8]), 2)": 28,
    "series_dot_product(dynamic([1, 2, null, 3]), dynamic([1, 1, 1]))": 3,
    "series_dot_product(dynamic([]), dynamic([1]))": None,
    "series_magnitude(dynamic([1, 2, 3, 4]))": 5.4772255750516612,
    "series_cosine_similarity(dynamic([0.1, 0.2, 0.1, 0.2]), dynamic([1, 2, 3, 4]))": 0.923760430703401,
    "series_cosine_similarity(dynamic([3, 4]), dynamic([4, 3]), 5.0, 5.0)": 0.96,
    "series_pearson_correlation(dynamic([1, 2, 3, 4, 5]), dynamic([2, 4, 6, 8, 10]))": 1,
    "series_pearson_correlation(dynamic([0, 0, 5]), dynamic([0, 0, 5]))": 1,
    "series_pearson_correlation(dynamic([1, 2]), dynamic([1, 2, 3]))": None,
    "series_pearson_correlation(dynamic([1, 2]), dynamic([1, null]))": None,
    # missing elements
    "series_fill_forward(dynamic([null, null, 36, 41, null, null, 16, null]))": [None, None, 36, 41, 41, 41, 16, 16],
    "series_fill_backward(dynamic([null, 36, 41, null, null, 16, null]))": [36, 36, 41, 16, 16, 16, None],
    "series_fill_forward(dynamic([0, 5, 0, null, 0]), 0)": [0, 5, 5, None, None],
    "tostring(series_fill_const(dynamic([111, null, 36]), 0.0))": "[111,0.0,36]",
    "series_fill_const(dynamic([111, null, 36]), -1)": [111, -1, 36],
    "series_fill_const(dynamic([1, 0, null]), 7, 0)": [1, 7, None],
    "series_fill_linear(dynamic([null, 111, null, 36, 41, null, null, 16, 61, 33, null, null]))": [
        *(111, 111, 73, 36, 41, 32, 24, 16, 61, 33, 33, 33)
    ],
    "series_fill_linear(dynamic([null, 111.0, null, 36.0, 41.0, null, null, 16.0, null]))": [
        *(111, 111, 73.5, 36, 41, 98 / 3, 73 / 3, 16, 16)
    ],
    "series_fill_linear(dynamic([null, 111.0, null, 36.0, null]), real(null), false)": [None, 111, 73.5, 36, None],
    "series_fill_linear(dynamic([null, null]))": [0, 0],
    "series_fill_linear(dynamic([null, null]), real(null), true, 3.14159)": [3.14159, 3.14159],
    # filters
    "series_iir(dynamic([10, 30, 0]), dynamic([1]), dynamic([1, -1]))": [10, 40, 40],
    "series_iir(dynamic([1, 2, 3, 4]), dynamic([1, 1]), dynamic([2]))": [0.5, 1.5, 2.5, 3.5],
    "series_iir(dynamic([]), dynamic([1]), dynamic([1]))": [],
    "series_fir(dynamic([0, 0, 10, 20, 0]), dynamic([1, 1]))": [0, 0, 5, 15, 10],
    "series_fir(dynamic([2, 2, 3, 3]), dynamic([1, -1]))": [2, 0, 1, 0],
    "series_fir(dynamic([0, 3, 6, 3, 0]), dynamic([1, 1, 1]), true, true)": [1, 3, 4, 3, 1],
    "series_fir(dynamic([1, 2, 3]), dynamic([1, -1]), true)": None,
    "series_fir(dynamic([1, 2, 3]), dynamic([1, 1]), false)": [1, 3, 5],
    # statistics and lines
    "series_stats_dynamic(dynamic([10, 20]))": {
        "min": 10,
        "min_idx": 0,
        "max": 20,
        "max_idx": 1,
        "avg": 15,
        "stdev": 7.0710678118654755,
        "variance": 50,
        "sum": 30,
        "len": 2,
    },
    "series_stats_dynamic(dynamic([1, null]))": None,
    "series_stats_dynamic(dynamic([null, 3, 1]), true).min_idx": 2,
    "series_fit_line_dynamic(dynamic([1.0, 2.0, 4.0, 8.0])).rsquare": 0.92,
    "series_fit_line_dynamic(dynamic([1, 2, 3, 4, 5]))": {
        "rsquare": 1,
        "slope": 1,
        "variance": 2.5,
        "rvariance": 0,
        "interception": 1,
        "line_fit": [1, 2, 3, 4, 5],
    },
    "series_fit_line_dynamic(dynamic([2, 5, 6, 8, 11, 15, 17, 18, 25, 26, 30, 30])).rvariance": 1.6864801864801868,
}


@pytest.fixture(scope="module")
def found(spark: Any) -> dict[str, Any]:
    return values(spark, EXPRESSIONS)


def rounded(value: Any) -> Any:
    """Numbers to 10 digits, as their order of summation is Kusto's secret."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return [rounded(v) for v in value]
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return round(float(f"{value:.10g}"), 12)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_series(found: dict[str, Any], expression: str) -> None:
    assert rounded(found[expression]) == rounded(EXPRESSIONS[expression])


def test_series_of_aggregates(spark: Any) -> None:
    table = "datatable(v: long)[3, 1, 2]"
    query = f"{table} | summarize s = make_list(v) | project array_sum(s), array_length(s), series_multiply(s, s)"
    assert rows(spark, query) == [[6.0, 3, [9, 1, 4]]]
