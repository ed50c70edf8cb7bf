"""make-series, top-nested, pivot, bag_unpack, scan and range: rows by hand."""

from __future__ import annotations

from typing import Any

import pytest

from lakehunt.kql.errors import QueryErrors
from tests.support.answers import rows

T = """datatable(t: long, v: long, g: string)[
    -3, 1, 'a', -1, 2, 'a', 0, 4, 'b', 4, 8, 'b', long(null), 9, 'a', 5, 16, 'a']"""
NESTED = """datatable(a: string, b: string, c: string, v: long)[
    'x', 'p', '1', 5, 'x', 'p', '2', 5, 'x', 'q', '1', 3, 'y', 'p', '1', 10, 'z', 'r', '9', 1, '', '', ' ', 4]"""
WIDE = "datatable(k: string, c: string, v: long)['a', 'x', 1, 'a', 'y', 2, 'b', 'x', 3, 'b', 'x', 4]"
BAGS = """datatable(k: long, d: dynamic)[
    1, dynamic({'a': 1, 'b': 'x'}), 2, dynamic({'a': 2.5, '$t': true}), 3, dynamic(null)]"""

QUERIES: list[tuple[str, list[list[Any]]]] = [
    # make-series: bins are cut below zero too; a null is in none; the end is not part of it
    (f"{T} | make-series s = sum(v) default=-1 on t step 2", [[[1, 2, 4, -1, 24], [-4, -2, 0, 2, 4]]]),
    (f"{T} | make-series s = sum(v), n = count() on t from -4 to 5 step 2 by g",
     [["a", [1, 2, 0, 0, 0], [1, 1, 0, 0, 0], [-4, -2, 0, 2, 4]], ["b", [0, 0, 4, 0, 8], [0, 0, 1, 0, 1],
      [-4, -2, 0, 2, 4]]]),
    (f"{T} | make-series n = count() on t from -3 to 3 step 3 by long_g = strlen(g)", [[1, [2, 1], [-3, 0]]]),
    (("datatable(t: datetime, v: real)[datetime(2020-01-01 05:00), 1.5, datetime(2020-01-03), 2.5, datetime(null), "
      "9.0] | make-series avg(v) default=real(null), m = max(v) on t from datetime(2020-01-01) to "
      "datetime(2020-01-04) step 1d"),
     [[[1.5, None, 2.5], [1.5, 0.0, 2.5], [f"2020-01-0{i}T00:00:00.0000000Z" for i in (1, 2, 3)]]]),
    ("datatable(t: real, v: real)[0.5, 1.5, 1.25, 2.5] | make-series sum(v) on t from 0.0 to 2.0 step 0.5",
     [[[0.0, 1.5, 2.5, 0.0], [0.0, 0.5, 1.0, 1.5]]]),
    ("datatable(t: timespan)[1h, 90m, 5h] | make-series n = count() on t from 0h to 6h step 2h",
     [[[2, 0, 1], ["00:00:00", "02:00:00", "04:00:00"]]]),
    # a constant where there are rows, its default where there are none
    (f"{T} | make-series s = sum(v), c = -1 default=-2 on t from -4 to 5 step 2 by g",
     [["a", [1, 2, 0, 0, 0], [-1, -1, -2, -2, -2], [-4, -2, 0, 2, 4]], ["b", [0, 0, 4, 0, 8], [-2, -2, -1, -2, -1],
      [-4, -2, 0, 2, 4]]]),
    (f"{NESTED} | top-nested 2 of a by x = 7", [["", 7], ["x", 7]]),
    (f"{WIDE} | make-series take_any(v) on v from 1 to 4 step 1 by k", [["a", [1, 2, 0], [1, 2, 3]],
     ["b", [0, 0, 3], [1, 2, 3]]]),
    (f"{WIDE} | top-nested 1 of k by take_any(v)", [["b", 3]]),
    (f"{WIDE} | evaluate pivot(c, take_any(v))", [["a", 1, 2], ["b", 3, None]]),
    # over no rows: none, or defaults
    (f"{T} | where v > 99 | make-series s = sum(v) on t from 0 to 3 step 1", []),
    (f"{T} | where v > 99 | make-series kind=nonempty s = sum(v) default=7 on t from 0 to 3 step 1",
     [[[7, 7, 7], [0, 1, 2]]]),
    (f"{T} | where v > 99 | make-series kind=nonempty s = sum(v) on t from 0 to 3 step 1 by g", []),
    # top-nested: of rows that tie the smallest; each level within the one above
    ((f"{NESTED} | top-nested 2 of a by s = sum(v), top-nested 1 of b by sum(v) desc, top-nested 1 of c by max(v) "
      f"asc"),
     [["x", 13, "p", 10, "1", 5], ["y", 10, "p", 10, "1", 10]]),
    (f"{NESTED} | top-nested of a by max(0), top-nested 1 of b by m = sum(v) | project a, b, m",
     [["", "", 4], ["x", "p", 10], ["y", "p", 10], ["z", "r", 1]]),
    (f"{NESTED} | top-nested 1 of a by min(v) asc | project a, aggregated_a", [["z", 1]]),
    # pivot: a column for each value, of what it is or of what the query says
    (f"{WIDE} | evaluate pivot(c, sum(v))", [["a", 1, 2], ["b", 7, 0]]),
    (f"{WIDE} | evaluate pivot(c, max(v), k) : (k: string, y: long, x: long, z: long)",
     [["a", 2, 1, None], ["b", None, 4, None]]),
    (f"{WIDE} | where v < 4 | evaluate pivot(c) | where x > 0", [["a", 1, 1, 0], ["b", 3, 1, 0]]),
    # bag_unpack: a property of several types is of the one that holds them
    (f"{BAGS} | evaluate bag_unpack(d)", [[1, None, 1.0, "x"], [2, True, 2.5, ""], [3, None, None, ""]]),
    (f"{BAGS} | evaluate bag_unpack(d) | where ['$t'] | project k, ['$t']", [[2, True]]),
    (f"{BAGS} | evaluate bag_unpack(d, 'p_') : (*, p_b: string, p_z: long) | where k < 3",
     [[1, "x", None], [2, "", None]]),
    # ... one with the name of the unpacked column keeps its place
    ("print a = 1, p = dynamic({'z': 1, 'p': {'q': 2}, 'b': 9}), c = 2 | evaluate bag_unpack(p)",
     [[1, {"q": 2}, 2, 9, 1]]),
    # ... one with the name of another column replaces it, or is left out; some are ignored, by their own names
    (("print n = 'old', d = dynamic({'n': 'new', 'm': 1}), k = 2 "
      "| evaluate bag_unpack(d, columnsConflict='replace_source')"),
     [["new", 2, 1]]),
    ("print n = 'old', d = dynamic({'n': 'new', 'm': 1}), k = 2 | evaluate bag_unpack(d, '', 'keep_source')",
     [["old", 2, 1]]),
    ("print n = 1, d = dynamic({'n': 2}) | evaluate bag_unpack(d, columnsConflict='replace_source') : (*, n: long)",
     [[2]]),
    ("print d = dynamic({'n': 1, 'm': 2}) | evaluate bag_unpack(d, 'd_', ignoredProperties=dynamic(['n']))", [[2]]),
    # decimals are text within a dynamic value
    (("datatable(d: decimal)[decimal(1.5), decimal(10)] | summarize make_list(d), make_set(d), "
      "take_any(bag_pack('k', d))"),
     [[["1.5", "10"], ["1.5", "10"], {"k": "1.5"}]]),
    # plugins: from the documentation
    (("datatable(t: long, s: string)[1, 'a', 2, 'a', 3, 'e', 4, 'a', 5, 'a'] | sort by t asc | evaluate "
      "rows_near(s == 'e', 1) | project t"),
     [[2], [3], [4]]),
    (("datatable(t: long, s: string)[1, 'a', 2, 'a', 3, 'e', 4, 'a', 5, 'a'] | sort by t asc | evaluate "
      "rows_near(s == 'e', 0, 2) | project t"),
     [[3], [4], [5]]),
    (("range i from 0 to 71 step 1 | project t = datetime(2018-01-01) + 1h * i, v = i + 1 | evaluate "
      "rolling_percentile(v, 50, t, 1d, 2) | project rolling_2_percentile_v_50"),
     [[12], [24], [48]]),
    (("let L = datatable(net: string, n: long)['10.0.0.0/8', 1, '10.1.0.0/16', 2, '192.168.1.1', 3, 'x', 4]; "
      "datatable(ip: string)['10.1.2.3', '192.168.1.1', '8.8.8.8', ''] | evaluate ipv4_lookup(L, ip, net) "
      "| sort by n asc"),
     [["10.1.2.3", "10.0.0.0/8", 1], ["10.1.2.3", "10.1.0.0/16", 2], ["192.168.1.1", "192.168.1.1", 3]]),
    (("let L = datatable(k: string, net: string, n: long)['a', '10.0.0.0/8', 1, 'b', '10.0.0.0/8', 2]; "
      "datatable(ip: string, k: string)['10.1.2.3', 'b', '10.1.2.3', 'c'] "
      "| evaluate ipv4_lookup(L, ip, net, k, return_unmatched=true) | sort by k asc"),
     [["10.1.2.3", "b", "10.0.0.0/8", 2], ["10.1.2.3", "c", "", None]]),
    (("let L = datatable(net: string, n: long)['2001:db8::/32', 1, '10.0.0.0/8', 2]; "
      "datatable(ip: string)['2001:db8::1', '10.1.2.3', '::1'] | evaluate ipv6_lookup(L, ip, net, true) "
      "| sort by ip asc"),
     [["10.0.0.0/8", 2, "10.1.2.3"], ["2001:db8::/32", 1, "2001:db8::1"], ["", None, "::1"]]),
    (("datatable(u: string, t: datetime)['A', datetime(2020-01-01), 'B', datetime(2020-01-01), 'A', "
      "datetime(2020-01-02), 'C', datetime(2020-01-02), 'A', datetime(2020-01-03), 'A', datetime(2020-01-05)] "
      "| evaluate activity_counts_metrics(u, t, datetime(2020-01-01), datetime(2020-01-03), 1d) "
      "| project ['count'], dcount, new_dcount, aggregated_dcount"),
     [[2, 2, 2, 2], [2, 2, 1, 3], [1, 1, 0, 3]]),
    (("range x from 1 to 30 step 1 | summarize a = hll(iff(x % 2 == 0, x, 0)), b = hll(iff(x % 3 == 0, x, 0)) "
      "| evaluate dcount_intersect(a, b) | project s0 - 1, s1 - 1"),
     [[15, 5]]),
    # sketches
    ("range x from 1 to 9 step 1 | summarize h = hll(x) by x % 2 | summarize n = dcount_hll(hll_merge(h))", [[9]]),
    (("range x from 1 to 10 step 1 | summarize t = tdigest(x) by x % 2 | summarize t = tdigest_merge(t) "
      "| project percentile_tdigest(t, 50), percentile_tdigest(t, 90, typeof(long)), rank_tdigest(t, 7), "
      "percentrank_tdigest(t, 7)"),
     [[5, 9, 7.0, 70.0]]),
    ("datatable(v: real, w: long)[1.0, 1, 2.0, 2] | summarize t = tdigest(v, w) | project percentile_tdigest(t, 50)",
     [[2.0]]),
    # several arrays are sorted by the first
    ("print array_sort_asc(dynamic([3, 1, 2]), dynamic(['c', 'a', 'b']), dynamic([1]))",
     [[[1, 2, 3], ["a", "b", "c"], None]]),
    ("print a = array_sort_desc(dynamic([3, 1, 2]), dynamic(['c', 'a', 'b']))[1]", [[["c", "b", "a"]]]),
    # buildschema: from the documentation
    (("datatable(v: dynamic)[dynamic({'x': 1, 'y': 3.5}), dynamic({'x': 'somevalue', 'z': [1, 2, 3]}), "
      "dynamic({'y': {'w': 'zzz'}, 't': ['aa', 'bb'], 'z': ['foo']})] | summarize buildschema(v)"),
     [[{"x": ["long", "string"], "y": ["double", {"w": "string"}], "z": {"`indexer`": ["long", "string"]},
        "t": {"`indexer`": "string"}}]]),
    # columns without what is empty; options that do not change results
    ("set notruncation; print a = 1, b = '', c = long(null) | project pack_all(true)", [[{"a": 1}]]),
    # scan: a step's state is what it last matched; a bare name is the row's, or the default
    (("range x from 1 to 6 step 1 | scan declare (row: long = 0, match: long = 7) with (step match: x % 2 == 1 => "
      "row = match.row + x;)"),
     [[1, 1, 7], [3, 4, 7], [5, 9, 7]]),
    (("datatable(t: long, e: string)[1, 's', 2, 'm', 3, 'e', 4, 'm', 5, 's', 6, 'm'] | sort by t asc | scan "
      "with_match_id=id declare (n: long) with (step s: e == 's' => n = 1; step m: e == 'm' => n = s.n + 1; step e: "
      "e == 'e' => n = m.n + 1;) | project t, n, id"),
     [[1, 1, 0], [2, 2, 0], [3, 3, 0], [5, 1, 1], [6, 2, 1]]),
    (("datatable(e: string, t: long)['login', 1, 'fail', 2, 'fail', 3, 'ok', 4, 'fail', 5] | sort by t asc | scan "
      "declare (f: long = 0) with (step a output=none: e == 'login'; step b output=none: e == 'fail' => f = b.f + "
      "1; step c: e == 'ok' and t - a.t < 10 => f = b.f;)"),
     [["ok", 4, 2]]),
    (("datatable(['a`b']: long, ['c d']: string)[1, 's', 2, 'm'] | sort by ['a`b'] asc | scan declare (['x y']: "
      "long = 0) with (step s1: true => ['x y'] = s1.['x y'] + ['a`b'];)"),
     [[1, "s", 1], [2, "m", 3]]),
    (("datatable(g: string, t: long, v: long)['a', 1, 1, 'a', 2, 5, 'b', 1, 7, 'b', 2, 8] | partition by g (sort by "
      "t asc | scan declare (c: long = 0) with (step s: true => c = s.c + v;)) | project v, c"),
     [[1, 1], [5, 6], [7, 7], [8, 15]]),
    # range: the last value is the last that is not beyond the end, to the tick over many years
    ("range x from 3 to 1 step -1 | summarize make_list(x)", [[[3, 2, 1]]]),
    ("range x from 1 to 0 step -3", [[1]]),
    ("range x from 0 to -1 step 3", []),
    ("range t from 0.0 to 1.0 step 0.25 | summarize make_list(t)", [[[0.0, 0.25, 0.5, 0.75, 1.0]]]),
    ("range t from datetime(1900-01-01) to datetime(2020-01-01) - 1tick step 1d | summarize count(), max(t)",
     [[43829, "2019-12-31T00:00:00.0000000Z"]]),
]  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_queries(spark: Any, query: str, expected: list[list[Any]]) -> None:
    assert rows(spark, query) == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("print s = 'x' | make-series count() on s step 1", "a series runs over numbers or times, not a string"),
        (f"{NESTED} | top-nested 1 of a with others = 'rest' by sum(v)", "top-nested with others is not supported"),
        ("print a = 1 | scan with (step s: true;)", "'scan' needs rows in order"),
        (f"{BAGS} | evaluate bag_unpack(d, 'k') | evaluate bag_unpack(d)", "there is no column 'd'"),
        ("print d = dynamic({'k': 1}), k = 2 | evaluate bag_unpack(d)", "there is a column 'k' already"),
        ("print d = dynamic({}) | evaluate bag_unpack(d, 'p', 'both')", "'both' is not a way to resolve a conflict"),
        ("print d = dynamic({}) | evaluate bag_unpack(d, other='p')", "bag_unpack has no such argument"),
        ("print d = dynamic({'$$x': 1}) | evaluate bag_unpack(d)", r"a column's name cannot start with '\$\$'"),
    ],
)
def test_refused(spark: Any, query: str, message: str) -> None:
    with pytest.raises(QueryErrors, match=message):
        rows(spark, query)
