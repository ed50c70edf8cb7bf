"""mv-expand, mv-apply and partition: rows by hand."""

from __future__ import annotations

from typing import Any

import pytest

from lakehunt.kql.errors import QueryErrors
from tests.support.answers import rows

MANY = """datatable(k: long, d: dynamic)[
    1, dynamic(null), 2, dynamic([]), 3, dynamic({'a': 1, 'b': [2]}), 4, dynamic([1, 'x', null, [5], {'q': 1}]),
    5, dynamic('s'), 6, dynamic(7), 7, dynamic({})]"""

D = "datatable(k: long, d: dynamic)[1, dynamic([1, 2, 3]), 2, dynamic([6, 5]), 3, dynamic([]), 4, dynamic(null)]"
X = f"{D} | mv-apply x = d to typeof(long) on"
R = "let R = datatable(x: long, w: string)[1, 'one', 2, 'two', 2, 'zwei', 9, 'nine'];"

QUERIES: list[tuple[str, list[list[Any]]]] = [
    # null is one row, an empty array or bag none, a property a bag of its own, a scalar itself
    (f"{MANY} | mv-expand d",
     [[1, None], [3, {"a": 1}], [3, {"b": [2]}], [4, 1], [4, "x"], [4, None], [4, [5]], [4, {"q": 1}], [5, "s"],
      [6, 7]]),
    (f"{MANY} | where k == 3 | mv-expand kind=array d | project n = d[0], v = d[1]", [["a", 1], ["b", [2]]]),
    (f"{MANY} | where k == 3 | mv-expand bagexpansion=array d | count", [[2]]),
    # several in parallel, the shorter padded; the element's number; types
    (("datatable(k: long, d: dynamic, e: dynamic)[1, dynamic([1, 2, 3]), dynamic(['a']), 2, dynamic([]), "
      "dynamic(['z']), 3, dynamic([]), dynamic([])] | mv-expand with_itemindex=i d to typeof(long), e to "
      "typeof(string)"),
     [[1, 1, "a", 0], [1, 2, "", 1], [1, 3, "", 2], [2, None, "z", 0]]),
    (f"{D} | mv-expand x = d to typeof(long) limit 2 | project k, x, array_length(d)",
     [[1, 1, 3], [1, 2, 3], [2, 6, 2], [2, 5, 2], [4, None, None]]),
    # a column in place of the one it is made of; names that differ by case, or need brackets
    (("print a = 1, A = dynamic([1, 2]), ['a b'] = dynamic(['x', 'y']), ['d.e'] = dynamic([3, 4]), ['$f'] = 5 | "
      "mv-expand A, ['a b'], ['d.e'] | project a, A, ['a b'], ['d.e'], ['$f']"),
     [[1, 1, "x", 3, 5], [1, 2, "y", 4, 5]]),
    ("print d = dynamic({'u': [{'n': 1}, {'n': 2}]}) | mv-expand p = d.u | project n = p.n", [[1], [2]]),
    # the order of a sort before it holds
    (f"{D} | sort by k desc | mv-expand d to typeof(long) | extend n = row_number()",
     [[4, None, 1], [2, 6, 2], [2, 5, 3], [1, 1, 4], [1, 2, 5], [1, 3, 6]]),
    (f"{D} | sort by k desc | mv-expand d to typeof(long) | where d > 1 | summarize make_list(d)", [[[6, 5, 2, 3]]]),
    # mv-apply: the row's other columns come before those of the body
    (f"{X} (where x >= 3 | extend y = x * k) | project k, x, y", [[1, 3, 3], [2, 6, 12], [2, 5, 10]]),
    (("datatable(k: long, d: dynamic)[1, dynamic([1, 2])] | mv-apply with_itemindex=i d to typeof(long) on (top 1 "
      "by d)"),
     [[1, 2, 1]]),
    # a body's column takes the place of the row's; a new name for what is expanded leaves the row's own
    ("print a = 1, d = dynamic([5, 6]) | mv-apply x = d to typeof(long) on (extend a = x * 2) | sort by a asc",
     [[10, [5, 6], 5], [12, [5, 6], 6]]),
    # what is expanded under a name that is taken: inside it is the element, outside the row's own column is left
    ("print a = 1, d = dynamic([5, 6]) | mv-apply a = d to typeof(long) on (summarize n = sum(a))", [[1, [5, 6], 11]]),
    ("print a = 1, d = dynamic([5, 6]) | mv-apply a = d to typeof(long) on (project n = 2 * a) | extend m = a + n",
     [[1, [5, 6], 10, 11], [1, [5, 6], 12, 13]]),
    ("print a = 1, d = dynamic([5, 6]) | mv-apply a = d to typeof(long) on (extend b = a)",
     [[5, [5, 6], 5], [6, [5, 6], 6]]),
    ("print d = dynamic([5, 6]) | mv-apply d = d to typeof(long) on (summarize n = sum(d))", [[[5, 6], 11]]),
    ("print d = dynamic({'u': [5, 6]}) | mv-apply d = d.u to typeof(long) on (summarize n = sum(d))",
     [[{"u": [5, 6]}, 11]]),
    (("print d_u = 1, d = dynamic({'u': [5, 6]}) | mv-apply d.u to typeof(long) on (summarize n = sum(d_u)) | "
      "project-away d"),
     [[1, 11]]),
    (("print d = dynamic([5, 6]), e = dynamic([7]) | mv-apply d = e to typeof(long), e = d to typeof(long) on "
      "(summarize s = sum(d), t = sum(e))"),
     [[[5, 6], [7], 7, 11]]),
    ("print d = dynamic([5, 6]), e = dynamic([7]) | mv-expand d = e to typeof(long), e = d to typeof(long)",
     [[7, 5], [None, 6]]),
    (("print a = 1, d = dynamic([[5, 6], [7]]) | mv-apply a = d on (mv-apply a = a to typeof(long) on (summarize n = "
      "sum(a)))"),
     [[[5, 6], [[5, 6], [7]], 11], [[7], [[5, 6], [7]], 7]]),
    (("datatable(k: long, a: long, d: dynamic)[1, 2, dynamic([5, 6]), 3, 4, dynamic([7])] | mv-apply a = d to "
      "typeof(long) on (order by a desc | extend n = row_number() | project n, b = a * k) | project-away d"),
     [[1, 2, 1, 6], [1, 2, 2, 5], [3, 4, 1, 21]]),
    # a name of the index that is taken is numbered
    (("print n = 1, d = dynamic([5, 6]) | mv-apply with_itemindex=n a = d to typeof(long) on (summarize s = sum(a), "
      "m = max(n1))"),
     [[1, [5, 6], 11, 1]]),
    # a body that keeps nothing and then summarizes: one row, of nothing; no row where nothing was expanded
    ((f"{X} (where x > 5 | summarize c = count(), s = sum(x), l = make_list(x), m = max(x), t = "
      f"take_any(tostring(x))) "
      "| project-away d"),
     [[1, 0, 0, [], None, ""], [2, 1, 6, [6], 6, "6"], [4, 0, 0, [], None, ""]]),
    (f"{X} (where x > 5 | count) | project k, Count", [[1, 0], [2, 1], [4, 0]]),
    (f"{X} (where x > 5 | summarize c = count() by x) | project k, x, c", [[2, 6, 1]]),
    # two equal rows are two rows
    (("datatable(d: dynamic)[dynamic([1, 2]), dynamic([1, 2])] | summarize by s = tostring(d), n = 1 | extend r = "
      "dynamic([1, 1]) | mv-expand r | project d = parse_json(s) | mv-apply x = d to typeof(long) on (summarize "
      "sum(x)) | project sum_x"),
     [[3], [3]]),
    # sorts, cuts and windows are of each row's own elements
    (f"{X} (sort by x desc | extend n = row_number() | where n == 1) | project k, x, n",
     [[1, 3, 1], [2, 6, 1], [4, None, 1]]),
    (f"{X} (take 1) | project k, x", [[1, 1], [2, 6], [4, None]]),
    (f"{X} (top 2 by x asc) | where isnotnull(x) | project k, x", [[1, 1], [1, 2], [2, 5], [2, 6]]),
    (f"{X} (sort by x desc | summarize l = make_list(x)) | project k, l", [[1, [3, 2, 1]], [2, [6, 5]], [4, []]]),
    (f"{X} (distinct y = x % 2 | summarize n = count()) | project k, n", [[1, 2], [2, 2], [4, 1]]),
    ((f"{X} (sort by x asc | scan declare (s: long = 0) with (step a: true => s = a.s + x;)) | where k < 3 "
      "| project k, x, s"),
     [[1, 1, 1], [1, 2, 3], [1, 3, 6], [2, 5, 5], [2, 6, 11]]),
    (f"{X} (where x < 4 | make-series n = count() on x from 0 to 4 step 1) | project k, n, x",
     [[1, [0, 1, 1, 1], [0, 1, 2, 3]]]),
    (f"{X} (where x > 4 | make-series kind=nonempty n = count() on x from 4 to 8 step 2) | project k, n",
     [[1, [0, 0]], [2, [1, 1]], [4, [0, 0]]]),
    ((f"{X} (where isnotnull(x) | top-nested 1 of odd = x % 2 by n = count(), top-nested 1 of x by max(x)) "
      "| project k, odd, n, x"),
     [[1, 1, 2, 3], [2, 0, 1, 6]]),
    # bodies in bodies
    (("datatable(k: long, d: dynamic)[1, dynamic([[1, 2], [3]]), 2, dynamic([[], [4]])] | mv-apply x = d on "
      "(mv-apply y = x to typeof(long) on (summarize s = sum(y), t = max(y + k)) | summarize s = sum(s), t = "
      "max(t), n = count()) | project k, s, t, n"),
     [[1, 6, 4, 2], [2, 4, 6, 1]]),
    (("datatable(g: string, v: long)['a', 1, 'a', 5, 'b', 7] | partition by g (mv-apply x = pack_array(v, v + 1) to "
      "typeof(long) on (where x > 5 | summarize s = sum(x)) | summarize t = sum(s), n = count()) | sort by t asc"),
     [[6, 2], [15, 1]]),
    # other tables in a body: the rows of each element's own row, and all of the other table for each row
    (f"{R} {X} (join kind=inner R on x | project w) | project k, w", [[1, "one"], [1, "two"], [1, "zwei"]]),
    (f"{R} {X} (join kind=leftanti R on x) | project k, x", [[1, 3], [2, 6], [2, 5], [4, None]]),
    (f"{R} {X} (join kind=rightanti R on x) | where k == 1 | project w", [["nine"]]),
    (f"{R} {X} (join kind=fullouter R on x | summarize n = count()) | project k, n", [[1, 5], [2, 6], [4, 5]]),
    (f"{X} (as T | join kind=inner (T | project x, y = x) on x | summarize n = count()) | project k, n",
     [[1, 3], [2, 2], [4, 1]]),
    (f"{R} {X} (lookup R on x | summarize l = make_list(w)) | project k, l",
     [[1, ["one", "two", "zwei", ""]], [2, ["", ""]], [4, [""]]]),
    (f"{X} (union (print x = 7) | summarize s = sum(x)) | project k, s", [[1, 13], [2, 18], [4, 7]]),
    ((f"{R} {X} (where x in ((R | project x)) | summarize n = count(), m = take_any(toscalar(R | count))) | project "
      f"k, n, m"),
     [[1, 2, 4], [2, 0, None], [4, 0, None]]),
    # partition: each key on its own, the null and the empty key too
    (("datatable(g: string, v: long)['a', 1, 'a', 5, 'b', 7, '', 8, '', 9] | partition by g (top 1 by v | extend h "
      "= g) | sort by v asc"),
     [["a", 5, "a"], ["b", 7, "b"], ["", 9, ""]]),
    (("datatable(g: long, v: long)[1, 1, 1, 5, long(null), 7] | partition by g (summarize l = make_list(v), "
      "take_any(g)) | sort by g asc"),
     [[[7], None], [[1, 5], 1]]),
    (("datatable(g: string, v: long)['a', 1, 'a', 5, 'b', 7, 'b', 9] | partition hint.strategy=native by g (where v "
      "> 6 | summarize n = count(), s = sum(v)) | sort by n asc"),
     [[0, 0], [2, 16]]),
    (("datatable(g: string, v: long)['a', 1, 'a', 5, 'b', 7] | partition by g (sort by v desc | extend p = prev(v), "
      "n = row_number()) | sort by v asc"),
     [["a", 1, 5, 2], ["a", 5, None, 1], ["b", 7, None, 1]]),
    (("datatable(g: string, v: long)['a', 1, 'b', 5, 'a', 7] | partition by g (join kind=inner (datatable(v: "
      "long)[7, 5]) on v | count) | sort by Count asc"),
     [[1], [1]]),
]  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_queries(spark: Any, query: str, expected: list[list[Any]]) -> None:
    assert rows(spark, query) == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("print a = 1 | mv-expand a", "only dynamic values can be expanded, this is a long"),
        (f"{X} (where x == toscalar(print k))", "there is no column 'k'"),
        (f"{X} (join (print x = 1 | where k == 1) on x)", "there is no column 'k'"),
        (f"{X} (as T | where x == toscalar(T | count))", "cannot read the rows of a body"),
    ],
)
def test_refused(spark: Any, query: str, message: str) -> None:
    with pytest.raises(QueryErrors, match=message):
        rows(spark, query)
