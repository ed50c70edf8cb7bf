"""Functions of arrays: what Kusto answers, by its documentation or its engine."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.answers import values

EXPRESSIONS: dict[str, object] = {
    # length
    "array_length(dynamic([1, 2, 3, 'four']))": 4,
    "array_length(dynamic([]))": 0,
    "array_length(dynamic([null, [1, 2]]))": 2,
    "array_length(dynamic({'a': [1]}))": None,
    "array_length(dynamic(null))": None,
    "array_length(dynamic('[1]'))": None,
    # joined and cut
    "array_concat(dynamic([1, 2]), dynamic([99]))": [1, 2, 99],
    "array_concat(dynamic([1, 'a', null]), dynamic([]), dynamic([{'b': [2.5]}]))": [1, "a", None, {"b": [2.5]}],
    "array_concat(dynamic({'a': 1}), dynamic([99]), dynamic(null))": [99],
    "array_slice(dynamic([1, 2, 3]), 1, 2)": [2, 3],
    "array_slice(dynamic([1, 2, 3, 4, 5]), 2, -1)": [3, 4, 5],
    "array_slice(dynamic([1, 2, 3, 4, 5]), -3, -2)": [3, 4],
    "array_slice(dynamic([1, 2, 3, 4, 5, 6]), 0, 100)": [1, 2, 3, 4, 5, 6],
    "array_slice(dynamic([1, 2, 3]), -100, 0)": [1],
    "array_slice(dynamic([1, 2, 3]), 2, 1)": [],
    "array_slice(dynamic([1, 2, 3]), 3, 9)": [],
    "array_slice(dynamic({}), 0, 1)": None,
    "array_split(dynamic([1, 2, 3, 4, 5]), 2)": [[1, 2], [3, 4, 5]],
    "array_split(dynamic([1, 2, 3, 4, 5]), -2)": [[1, 2, 3], [4, 5]],
    "array_split(dynamic([1, 2, 3, 4, 5]), dynamic([1, 3]))": [[1], [2, 3], [4, 5]],
    "array_split(dynamic([1, 2]), 9)": [[1, 2], []],
    "array_reverse(dynamic(['this', 'is', 'an', 'example']))": ["example", "an", "is", "this"],
    "array_reverse(dynamic([]))": [],
    # turned and shifted
    "array_rotate_left(dynamic([1, 2, 3, 4, 5]), 2)": [3, 4, 5, 1, 2],
    "array_rotate_left(dynamic([1, 2, 3, 4, 5]), -2)": [4, 5, 1, 2, 3],
    "array_rotate_right(dynamic([1, 2, 3, 4, 5]), -2)": [3, 4, 5, 1, 2],
    "array_rotate_left(dynamic([1, 2, 3]), 7)": [2, 3, 1],
    "array_rotate_left(dynamic([]), 1)": [],
    "array_shift_left(dynamic([1, 2, 3, 4, 5]), 2)": [3, 4, 5, None, None],
    "array_shift_left(dynamic([1, 2, 3, 4, 5]), 2, -1)": [3, 4, 5, -1, -1],
    "array_shift_left(dynamic([1, 2, 3, 4, 5]), -2, -1)": [-1, -1, 1, 2, 3],
    "array_shift_right(dynamic([1, 2, 3, 4, 5]), 2)": [None, None, 1, 2, 3],
    "array_shift_right(dynamic([1, 2, 3, 4, 5]), -2, -1)": [3, 4, 5, -1, -1],
    "array_shift_left(dynamic(['a', 'b']), 1)": ["b", ""],
    "array_shift_left(dynamic([1, 2]), 5, 'x')": ["x", "x"],
    # sorted
    "array_sort_asc(dynamic([3, 1, 2]))": [1, 2, 3],
    "array_sort_asc(dynamic([10, 9, 2.5]))": [2.5, 9, 10],
    "array_sort_asc(dynamic([null, 'blue', 'yellow', 'green', null]))": ["blue", "green", "yellow", None, None],
    "array_sort_asc(dynamic([null, 'blue', 'yellow', 'green', null]), false)": [None, None, "blue", "green", "yellow"],
    "array_sort_desc(dynamic([null, 'blue', 'yellow', 'green', null]))": ["yellow", "green", "blue", None, None],
    "array_sort_desc(dynamic([null, 2, 3]), false)": [None, 3, 2],
    "array_sort_asc(dynamic(['b', 10, 'B', 2, '10']))": [2, 10, "10", "B", "b"],
    "array_sort_asc(dynamic([9223372036854775807, 9223372036854775806]))": [9223372036854775806, 9223372036854775807],
    "array_sort_asc(dynamic({'a': 1}))": None,
    "array_sort_asc(dynamic([]))": [],
    "strcat_array(array_sort_asc(split('John,Paul,Jane,Kao', ',')), ',')": "Jane,John,Kao,Paul",
    # found
    "array_index_of(dynamic(['this', 'is', 'an', 'example', 'an', 'example']), 'an')": 2,
    "array_index_of(dynamic(['this', 'is', 'an', 'example', 'an', 'example']), 'example', 1, 3)": 3,
    "array_index_of(dynamic(['this', 'is', 'an', 'example', 'an', 'example']), 'example', 1, 2)": -1,
    "array_index_of(dynamic(['this', 'is', 'an', 'example', 'an', 'example']), 'is', 2, 4)": -1,
    "array_index_of(dynamic(['this', 'is', 'an', 'example', 'an', 'example']), 'an', 1, -1, 2)": 4,
    "array_index_of(dynamic(['this', 'is', 'an', 'example', 'an', 'example']), 'an', 1, -1, 3)": -1,
    "array_index_of(dynamic(['this', 'is', 'an', 'example', 'an', 'example']), 'an', -3)": 4,
    "array_index_of(dynamic(['this', 'is', 'an', 'example', 'an', 'example']), 'is', -4)": -1,
    "array_index_of(dynamic([1, 2]), 2, 0, -2)": None,
    "array_index_of(dynamic({}), 2)": None,
    "array_index_of(dynamic([1.5, 2.0]), 2)": 1,
    "array_index_of(dynamic(['2', 2]), '2')": 0,
    "set_has_element(dynamic([1, 2, 3]), 2)": True,
    "set_has_element(dynamic([1, 2, 3]), 9)": False,
    "set_has_element(dynamic([1, 2, 3]), '2')": False,
    # chosen
    "array_iff(dynamic([true, false, true]), dynamic([1, 2, 3]), dynamic([4, 5, 6]))": [1, 5, 3],
    "array_iff(dynamic([1, 0, 50]), 'yes', 'no')": ["yes", "no", "yes"],
    "array_iff(dynamic(['some', null, {}]), 1, 0)": [None, None, None],
    "array_iif(dynamic([true, true, true]), dynamic([1, 2]), dynamic([3, 4]))": [1, 2, None],
    "array_iff(dynamic([false, true]), dynamic([1, 2]), 7.5)": [7.5, 2],
    # as text
    "strcat_array(dynamic([1, 2, 3]), '->')": "1->2->3",
    "strcat_array(dynamic([1, null, 3]), '-')": "1--3",
    "strcat_array(dynamic([null, 'a', true, [1], 2.5]), ', ')": ", a, true, [1], 2.5",
    "strcat_array(dynamic([]), ',')": "",
    "array_strcat(dynamic(['x']), ',')": "x",
    # made
    "pack_array(1, 'a', 2.0, true, dynamic({'k': null}))": [1, "a", 2.0, True, {"k": None}],
    "pack_array(int(null), '', datetime(2021-03-14 06:40), 90m)": [
        None,
        "",
        "2021-03-14T06:40:00.0000000Z",
        "01:30:00",
    ],
    "tostring(pack_array(1.0, 12345678.5, 0.00025, 1e20, real(nan)))": '[1.0,12345678.5,0.00025,1E+20,"NaN"]',
    "range(1, 8, 3)": [1, 4, 7],
    "range(1, 3)": [1, 2, 3],
    "range(3, 1)": [],
    "range(3, 1, -1)": [3, 2, 1],
    "range(1, 2, 0.5)": [1.0, 1.5, 2.0],
    "range(1h, 5h)": ["01:00:00", "02:00:00", "03:00:00", "04:00:00", "05:00:00"],
    "range(datetime(2015-01-01), datetime(2015-01-03), 1d)": [
        "2015-01-01T00:00:00.0000000Z",
        "2015-01-02T00:00:00.0000000Z",
        "2015-01-03T00:00:00.0000000Z",
    ],
    "array_length(range(datetime(2015-01-01), datetime(2015-01-03)))": 49,
    "array_length(range(1, 1000000000))": 1_048_576,
    "range(int(null), 3)": None,
    "repeat(1, 3)": [1, 1, 1],
    "repeat('a', 0)": [],
    "repeat('a', -1)": None,
    "zip(dynamic([1, 2, 3]), dynamic([4, 5, 6]))": [[1, 4], [2, 5], [3, 6]],
    "zip(dynamic(['A', 1, 1.5]), dynamic([{}, 'B']))": [["A", {}], [1, "B"], [1.5, None]],
    # sets
    "set_union(dynamic([1, 2, 3]), dynamic([3, 4, 5]), dynamic([5, 6, 7]))": [1, 2, 3, 4, 5, 6, 7],
    "set_union(dynamic(['A4', 'A2', 'A7', 'A2']), dynamic(['A2']))": ["A4", "A2", "A7"],
    "set_intersect(dynamic([1, 2, 1, 4]), dynamic([1, 2]), dynamic([8, 1]))": [1],
    "set_intersect(dynamic([1, 2, 3]), dynamic([4, 5]))": [],
    "set_difference(dynamic([1, 2, 3]), dynamic([3, 4, 5]))": [1, 2],
    "set_difference(dynamic([null, 1, null, 2, null]), dynamic([null]))": [1, 2],
    "set_union(dynamic([1, '1', [1]]), dynamic(['1', [1], true]))": [1, "1", [1], True],
    "set_equals(dynamic([1, 2, 2]), dynamic([2, 1]))": True,
    "set_equals(dynamic([1, 2, 3]), dynamic([2, 1]))": False,
    "jaccard_index(dynamic([1, 2, 3]), dynamic([1, 2, 3, 4]))": 0.75,
    "jaccard_index(dynamic([1, 2, 3, 4]), dynamic([3, 4, 5, 6, 6]))": 2 / 6,
    "jaccard_index(dynamic([]), dynamic([]))": "NaN",
}


@pytest.fixture(scope="module")
def found(spark: Any) -> dict[str, Any]:
    return values(spark, EXPRESSIONS)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_array(found: dict[str, Any], expression: str) -> None:
    assert found[expression] == EXPRESSIONS[expression]


NUMBERS = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5)
BOUNDS = st.integers(-7, 7)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(NUMBERS, BOUNDS, BOUNDS), min_size=8, max_size=8))
def test_slices_and_orders_as_lists_do(spark: Any, cases: list[tuple[list[int], int, int]]) -> None:
    wanted: dict[str, object] = {}
    for numbers, start, end in cases:
        size = len(numbers)
        first = max(start + size if start < 0 else start, 0)
        last = min(end + size if end < 0 else end, size - 1)
        by = start % size if size else 0
        wanted[f"array_slice(dynamic({numbers}), {start}, {end})"] = numbers[first : max(last + 1, 0)]
        wanted[f"array_rotate_left(dynamic({numbers}), {start})"] = numbers[by:] + numbers[:by]
        wanted[f"array_sort_asc(dynamic({numbers}))"] = sorted(numbers)
        wanted[f"array_sort_desc(dynamic({numbers}))"] = sorted(numbers, reverse=True)
    assert values(spark, wanted) == wanted
