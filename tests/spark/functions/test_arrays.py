"""Functions of arrays against Python's lists. Single values: tests/cases/functions/."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.answers import values
from tests.support.properties import in_few_queries, many

NUMBERS = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5)
BOUNDS = st.integers(-7, 7)


@in_few_queries
@given(many(st.tuples(NUMBERS, BOUNDS, BOUNDS)))
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
