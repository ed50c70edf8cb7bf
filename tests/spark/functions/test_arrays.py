"""Functions of arrays against Python's lists. Single values: tests/cases/functions/."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.answers import rows
from tests.support.properties import in_few_queries, many

NUMBERS = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5)
BOUNDS = st.integers(-7, 7)


@in_few_queries
@given(many(st.tuples(NUMBERS, BOUNDS, BOUNDS)))
def test_slices_and_orders_as_lists_do(spark: Any, cases: list[tuple[list[int], int, int]]) -> None:
    table = ", ".join(f"dynamic({numbers}), {start}, {end}" for numbers, start, end in cases)
    made = "array_slice(a, s, e), array_rotate_left(a, s), array_sort_asc(a), array_sort_desc(a)"
    found = rows(spark, f"datatable(a: dynamic, s: long, e: long)[{table}] | project {made}")
    for (numbers, start, end), answer in zip(cases, found, strict=True):
        size = len(numbers)
        first = max(start + size if start < 0 else start, 0)
        last = min(end + size if end < 0 else end, size - 1)
        by = start % size if size else 0
        turned = numbers[by:] + numbers[:by]
        wanted = [numbers[first : max(last + 1, 0)], turned, sorted(numbers), sorted(numbers, reverse=True)]
        assert answer == wanted, (numbers, start, end)
