"""summarize, distinct and count: names, arithmetic on aggregates, functions with several columns."""

from __future__ import annotations

from typing import Any

import pytest

from lakehunt.hunting.query.adhoc import query as ask
from lakehunt.kql.errors import QueryErrors
from lakehunt.lake.delta_lake import Lake
from tests.support.answers import NOW, rows

A = "datatable(a: long, A: long)[1, 2, 1, 3]"
K = "datatable(k: string, t: long, x: string)['a', 1, 'p', 'a', 3, 'q', 'b', 2, 'r']"

QUERIES: list[tuple[str, list[str], list[list[Any]]]] = [
    # names that differ by case alone
    (f"{A} | summarize a = sum(A), A = sum(a)", ["a", "A"], [[5, 2]]),
    (f"{A} | summarize sum(a), sum(A), max(a) - min(A), round(avg(A), 1), c = count() * 2, dcount(A) by a",
     ["a", "sum_a", "sum_A", "Column1", "avg_A", "c", "dcount_A"], [[1, 2, 5, -1, 2.5, 4, 2]]),
    # arithmetic on aggregates, also on none
    ((f"{K} | summarize 1.0 * countif(t > 1) / count(), strcat(max(x), '-', min(x)), iff(count() > 1, 'many', "
      f"'one') by k"),
     ["k", "Column1", "Column2", "Column3"], [["a", 0.5, "q-p", "many"], ["b", 1.0, "r-r", "one"]]),
    ((f"{K} | where t > 9 | summarize n = count() + 1, s = sum(t) - 1, m = coalesce(max(t), 0), l = "
      f"array_length(make_list(x))"),
     ["n", "s", "m", "l"], [[1, -1, 0, 0]]),
    (f"{K} | summarize make_set(t)[0], tostring(make_list(x)), bin(max(t), 2)",
     ["set_t_0", "list_x", "max_t"], [[1, '["p","q","r"]', 2]]),
    # functions of several columns
    (f"{K} | summarize arg_max(t, *) by k", ["k", "t", "x"], [["a", 3, "q"], ["b", 2, "r"]]),
    (f"{K} | summarize arg_max(t, x), arg_min(t, x), (m, y) = arg_max(t, x) by k",
     ["k", "t", "x", "t1", "x1", "m", "y"], [["a", 3, "q", 1, "p", 3, "q"], ["b", 2, "r", 2, "r", 2, "r"]]),
    (f"{K} | summarize arg_max(t, v = x, *), make_set(z = t) by k", ["k", "t", "v", "set_z"],
     [["a", 3, "q", [1, 3]], ["b", 2, "r", [2]]]),
    # constants, and arrays that are sorted together
    (f"{K} | summarize y = 1, c = count() by k", ["k", "y", "c"], [["a", 1, 2], ["b", 1, 1]]),
    (f"{K} | where t > 9 | summarize y = 1 + 1", ["y"], [[2]]),
    (f"{K} | where t > 9 | summarize y = 1 by k", ["k", "y"], []),
    (f"{K} | summarize array_sort_desc(make_list(t), make_list(x))", ["list_t_sorted", "list_x_sorted"],
     [[[3, 2, 1], ["q", "r", "p"]]]),
    (f"{K} | summarize take_any(*) by k", ["k", "t", "x"], [["a", 1, "p"], ["b", 2, "r"]]),
    (f"{K} | summarize any(*) by k | project any_t, any_x", ["any_t", "any_x"], [[1, "p"], [2, "r"]]),
    (f"{K} | summarize any(x), any(x), any(t, x)", ["any_x", "any_x1", "any_t", "any_x2"], [["p", "p", 1, "p"]]),
    (f"{K} | summarize percentiles(t, 50, 90), (lo, hi) = percentiles(t, 1, 99), percentile(t, 99.9)",
     ["percentile_t_50", "percentile_t_90", "lo", "hi", "percentile_t_99_9"], [[2, 3, 1, 3, 3]]),
    # keys: none of them, expressions, nulls and empty strings, one that hides its source
    (f"{K} | summarize count() by bin(t, 2), odd = t % 2 == 1",
     ["t", "odd", "count_"], [[0, True, 1], [2, False, 1], [2, True, 1]]),
    (f"{K} | summarize by b = t % 2", ["b"], [[0], [1]]),
    (f"{K} | summarize n = count(), t = max(t) by k = toupper(k), s = 1",
     ["k", "s", "n", "t"], [["A", 1, 2, 3], ["B", 1, 1, 2]]),
    ("datatable(n: long, s: string)[long(null), '', 1, 'x', long(null), ''] | summarize c = count() by n, s",
     ["n", "s", "c"], [[None, "", 2], [1, "x", 1]]),
    ("datatable(r: real)[real(nan), real(nan), 1.5] | summarize c = count() by r", ["r", "c"], [[1.5, 1], ["NaN", 2]]),
    # nothing
    (f"{K} | where t > 9 | summarize count(), sum(t), avg(t), max(x), make_set(x)",
     ["count_", "sum_t", "avg_t", "max_x", "set_x"], [[0, 0, "NaN", "", []]]),
    (f"{K} | where t > 9 | summarize count() by k", ["k", "count_"], []),
    (f"{K} | distinct k, odd = t % 2", ["k", "odd"], [["a", 1], ["b", 0]]),
    (f"{K} | distinct * | count", ["Count"], [[3]]),
    # a group of groups, over a window
    ((f"{K} | sort by t asc | extend d = t - prev(t) | summarize s = sum(d), l = make_list(d) by k | summarize "
      f"sum(s)"),
     ["sum_s"], [[2]]),
    (f"{K} | summarize l = make_list(t) by k | summarize m = make_list(l), n = sum(array_length(l))",
     ["m", "n"], [[[1, 3, 2], 3]]),
]  # fmt: skip


@pytest.mark.parametrize(("query", "names", "expected"), QUERIES)
def test_queries(spark: Any, query: str, names: list[str], expected: list[list[Any]]) -> None:
    answer = ask(Lake(spark, "none"), query, NOW)
    assert [c.name for c in answer.schema] == names
    assert answer.rows == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (f"{K} | summarize t", "expected an aggregate such as count"),
        (f"{K} | summarize k = count() by k", "a column 'k' is there already"),
        (f"{K} | summarize count() by pack_array(k)", "is dynamic, and rows cannot be grouped by that"),
        (f"{K} | summarize (a, b, c) = arg_max(t, x)", "arg_max gives only 2 columns"),
    ],
)
def test_refused(spark: Any, query: str, message: str) -> None:
    with pytest.raises(QueryErrors, match=message):
        rows(spark, query)
