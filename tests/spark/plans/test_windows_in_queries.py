"""Window functions where queries have them: in extend, where and project, after sort, top, serialize and range."""

from __future__ import annotations

from typing import Any

import pytest

from lakehunt.kql.errors import QueryErrors
from tests.support.answers import rows

T = "datatable(g: string, v: long)['a', 3, 'b', 1, 'a', 2, 'b', 5]"

QUERIES: list[tuple[str, list[list[Any]]]] = [
    ((f"{T} | serialize | extend n = row_number(10), p = prev(v, 1, -1), nx = next(v, 2), s = row_cumsum(v), "
      "pp = prev(prev(v))"),
     [["a", 3, 10, -1, 2, 3, None], ["b", 1, 11, 3, 5, 4, None], ["a", 2, 12, 1, None, 6, 3],
      ["b", 5, 13, 2, None, 11, 1]]),
    (f"{T} | serialize n = row_number() | where n > 2 | project n, v", [[3, 2], [4, 5]]),
    # a run starts anew where the condition is true
    ((f"{T} | sort by g asc, v asc | extend n = row_number(1, g != prev(g)), s = row_cumsum(v, g != prev(g)), "
      "d = v - prev(v)"),
     [["a", 2, 1, 2, None], ["a", 3, 2, 5, 1], ["b", 1, 1, 1, -2], ["b", 5, 2, 6, 4]]),
    (f"{T} | sort by g asc, v desc | extend n = row_number(0, prev(g) != g) | where n == 0 | project g, v",
     [["a", 3], ["b", 5]]),
    ((f"{T} | serialize s = row_cumsum(v) | extend q = row_cumsum(v, prev(s) >= 4), z = prev(next(v), 1, -5) "
      "| project v, s, q, z"),
     [[3, 3, 3, -5], [1, 4, 4, 1], [2, 6, 2, 2], [5, 11, 5, 5]]),
    # each step counts the rows that are left
    (f"{T} | top 3 by v | where v > 2 | project v, n = row_number()", [[5, 1], [3, 2]]),
    (f"{T} | sort by v asc | where row_number() % 2 == 1 | extend n = row_number()", [["b", 1, 1], ["a", 3, 2]]),
    (f"{T} | sort by v asc | take 3 | extend last = next(v)", [["b", 1, 2], ["a", 2, 3], ["a", 3, None]]),
    (f"{T} | sort by v desc | where prev(v) - v > 1 or isnull(prev(v)) | project v", [[5], [3]]),
    ("datatable(v: long)[3, 1, 2, 2] | sort by v asc | extend r = row_rank_dense(v), m = row_rank_min(v)",
     [[1, 1, 1], [2, 2, 2], [2, 2, 2], [3, 3, 4]]),
    ("range x from 1 to 5 step 2 | extend n = row_number(), p = prev(x)", [[1, 1, None], [3, 2, 1], [5, 3, 3]]),
    (("datatable(t: datetime)[datetime(2020-01-01 00:20), datetime(2020-01-01), datetime(2020-01-01 00:04)] | sort "
      "by t asc | extend w = row_window_session(t, 1h, 5m) | summarize n = count() by w | sort by w asc"),
     [["2020-01-01T00:00:00.0000000Z", 2], ["2020-01-01T00:20:00.0000000Z", 1]]),
    # an order holds through steps that handle a row at a time, and lists follow it
    (f"{T} | sort by v desc | summarize make_list(v), make_list(bag_pack('g', g)) by g",
     [["a", [3, 2], [{"g": "a"}, {"g": "a"}]], ["b", [5, 1], [{"g": "b"}, {"g": "b"}]]]),
    ((f"{T} | sort by v desc | where v < 5 | extend x = v | project-away g | parse 'k=1' with 'k=' k: long "
      "| mv-expand y = pack_array(x, k) to typeof(long) | extend n = row_number() | project y, n"),
     [[3, 1], [1, 2], [2, 3], [1, 4], [1, 5], [1, 6]]),
    # of rows that tie, the one written first; nulls and NaN at the end that the direction says
    (("datatable(k: long, v: real)[1, 2.0, 2, real(nan), 3, real(null), 4, 2.0] | sort by v asc | project k, n = "
      "row_number()"),
     [[3, 1], [2, 2], [1, 3], [4, 4]]),
]  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_queries(spark: Any, query: str, expected: list[list[Any]]) -> None:
    assert rows(spark, query) == expected


@pytest.mark.parametrize(
    "query",
    [
        f"{T} | extend n = row_number()",
        f"{T} | sort by v | summarize count() by g | extend n = prev(count_)",
        f"{T} | sort by v | join kind=inner (print v = 1) on v | extend n = row_number()",
        f"{T} | sort by v | union (print v = 1) | extend n = row_cumsum(v)",
    ],
)
def test_rows_without_an_order_are_refused(spark: Any, query: str) -> None:
    with pytest.raises(QueryErrors, match="needs rows in order"):
        rows(spark, query)
