"""Functions of several columns, and calls that depend on more than their arguments: names and types by Microsoft's
binder."""

from __future__ import annotations

import pytest

from lakehunt.kql.binding import bind
from lakehunt.kql.errors import QueryErrors
from lakehunt.spark.functions import CATALOG

A = "print a = dynamic([2, 1]), b = dynamic(['x', 'y'])"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("print array_sort_asc(dynamic([1]), dynamic([2]))", ["array0_sorted", "array1_sorted"]),
        (f"{A} | project array_sort_desc(a, b, false)", ["a_sorted", "b_sorted"]),
        (f"{A} | project array_sort_asc(a, a)", ["a_sorted", "a_sorted1"]),
        (f"{A} | project (p, q) = array_sort_asc(a, b)", ["p", "q"]),
        (f"{A} | project z = array_sort_asc(a, b)", ["z", "b_sorted"]),
        (f"{A} | project z = array_sort_asc(a, b)[1]", ["z"]),
        (f"{A} | project s = array_sort_asc(a, false)", ["s"]),
    ],
)
def test_names_of_arrays_sorted_together(query: str, names: list[str]) -> None:
    assert bind(query, {}, CATALOG).names == names


T = "datatable(x: long, t: datetime, s: string)[]"
L = "let L = datatable(net: string, s: string, v: long)[];"


@pytest.mark.parametrize(
    ("query", "schema"),
    [
        (f"{T} | evaluate rolling_percentile(x, 50, t, 1d, 3, s)",
         [("t", "datetime"), ("s", "string"), ("rolling_3_percentile_x_50", "long")]),
        (f"{T} | evaluate activity_counts_metrics(x, t, ago(1d), now(), 1d, s)",
         [("t", "datetime"), ("s", "string"), ("count", "long"), ("dcount", "long"), ("new_dcount", "long"),
          ("aggregated_dcount", "long")]),
        (f"{T} | sort by x | evaluate rows_near(x == 1, 2)", [("x", "long"), ("t", "datetime"), ("s", "string")]),
        (f"{L} {T} | evaluate ipv4_lookup(L, s, net)",
         [("x", "long"), ("t", "datetime"), ("s", "string"), ("net", "string"), ("s1", "string"), ("v", "long")]),
        (f"{L} {T} | extend ip = '' | project ip, s | evaluate ipv4_lookup(L, ip, net, s, return_unmatched=true)",
         [("ip", "string"), ("s", "string"), ("net", "string"), ("v", "long")]),
        (f"{T} | summarize a = hll(x), b = hll(s) | evaluate dcount_intersect(a, b)",
         [("a", "dynamic"), ("b", "dynamic"), ("s0", "long"), ("s1", "long")]),
        (f"{T} | summarize hll(x), tdigest(x), buildschema(pack('k', x)) | project n = hll_x, tdigest_x, schema_",
         [("n", "dynamic"), ("tdigest_x", "dynamic"), ("schema_", "dynamic")]),
        (f"{T} | summarize t=tdigest(x) | project percentile_tdigest(t, 5), p = percentile_tdigest(t, 5, typeof(real))",
         [("percentile_tdigest_t", "dynamic"), ("p", "real")]),
        ("print a = rand(), b = rand(5), c = -int(1), d = todatetime(1), e = assert(true, '')",
         [("a", "real"), ("b", "real"), ("c", "long"), ("d", "datetime"), ("e", "bool")]),
    ],
)  # fmt: skip
def test_columns(query: str, schema: list[tuple[str, str]]) -> None:
    assert [(c.name, c.type.name) for c in bind(query, {}, CATALOG).schema] == schema


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (f"{T} | evaluate ipv4_lookup(L, s, net)", "there is no table 'L'"),
        (f"{L} {T} | evaluate ipv4_lookup(L, s, nope)", "there is no column 'nope'"),
        (f"{T} | evaluate rolling_percentile(x, 50, t)", "rolling_percentile does not take 3 arguments"),
        (f"{T} | evaluate rows_near(x == 1, 2)", "'row_number' needs rows in order"),
        (f"{T} | where assert(x > 1, 'no')", "the arguments of assert must be constants"),
        (f"{T} | parse-kv s as (a: long) with (regex='(a)')", "the regular expression needs two groups"),
        (f"{T} | parse-kv s as (a: long) with (pair_delimiter=' ', quote='abc')", "a quote is one or two characters"),
        (f"{T} | parse-kv s as (['a b']: long) with (quote=\"'\")", "reads keys of letters and digits only"),
        ("set truncationmaxrecords=1; print x = 1", "the statement 'set' is not supported"),
    ],
)
def test_refused(query: str, message: str) -> None:
    with pytest.raises(QueryErrors, match=message):
        bind(query, {}, CATALOG)
