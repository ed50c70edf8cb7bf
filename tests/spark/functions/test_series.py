"""Series that aggregates make. Single values: tests/cases/functions/."""

from __future__ import annotations

from typing import Any

from tests.support.answers import rows


def test_series_of_aggregates(spark: Any) -> None:
    table = "datatable(v: long)[3, 1, 2]"
    query = f"{table} | summarize s = make_list(v) | project array_sum(s), array_length(s), series_multiply(s, s)"
    assert rows(spark, query) == [[6.0, 3, [9, 1, 4]]]
