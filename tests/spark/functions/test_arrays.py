"""Functions of arrays against Python's lists. Single values: tests/cases/functions/."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.answers import values

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
