"""let and what it names, invoke, toscalar, materialize, lists from queries, and paths into dynamic values."""

from __future__ import annotations

from typing import Any

import pytest

from lakehunt.kql.errors import QueryErrors
from tests.support.answers import rows

S = "let S = datatable(v: string, w: long)['a', 1, 'b', 2]; let E = datatable(v: string)[];"
PATHS = (
    """print d = dynamic({'a.b': {'c d': [{'é"x': 1}, 2], "q'q": 5, '[0]': 6, '': 7, '$z': 8, '*': 9, 'a\\\\b': 10}})"""
)

QUERIES: list[tuple[str, list[list[Any]]]] = [
    # parameters: in order, by name, with defaults
    (("let f = (a: long, b: long = 5, c: string = 'z') { strcat(a + b, c) }; print f(1), f(1, 2), f(a = 1, c = "
      "'q'), f(b = 1, a = 2), f(1, c = 'k')"),
     [["6z", "3z", "6q", "3z", "6k"]]),
    # a function sees what was there where it was defined; over columns; in a where; in another
    (("let k = 3; let f = (x: long) { x * k }; let k2 = f(k); let g = (y: long) { let h = (z: long) { z + k2 }; "
      "h(y) + f(y) }; datatable(v: long)[1, 2] | extend r = g(v) | where f(v) > 3"),
     [[2, 17]]),
    (("let f = (s: string) { s has 'cmd' and strlen(s) < 9 }; datatable(s: string)['cmd /c', 'cmd /c more', 'x'] | "
      "where f(s) and not(f('x')) | summarize countif(f(s)), n = count()"),
     [[1, 1]]),
    ("let f = (a: real) { a / 2 }; print f(3), f(int(1))", [[1.5, 0.5]]),
    ("let A = datatable(x: long)[1]; let f = () { let A = 5; A + 1 }; A | extend y = f()", [[1, 6]]),
    # functions that give tables, and that take them
    (("let T = datatable(v: long)[1, 2, 3]; let big = (n: long) { T | where v > n }; big(1) | join kind=inner "
      "big(2) on v"),
     [[3, 3]]),
    (("let first = (T: (v: long, g: string), n: long) { T | top n by v }; datatable(v: long, g: string, z: real)[1, "
      "'a', 1.0, 2, 'b', 2.0] | invoke first(1)"),
     [[2, "b", 2.0]]),
    (("let f = (T: (*), by: string = '!') { T | extend q = strcat(by, '?') }; f(datatable(v: long)[1]) | invoke "
      "f('x')"),
     [[1, "x?"]]),
    (("let f = (T: (x: long)) { T | summarize m = max(x) }; let U = datatable(x: long, k: string)[3, 'a', 4, 'b']; "
      "U | where x == toscalar(f(U)) | project k"),
     [["b"]]),
    (("let T = datatable(x: long)[1, 2, 3]; let f = (l: long) { let U = T | where x <= l; U | join kind=leftanti (U "
      "| top 1 by x) on x }; f(2)"),
     [[1]]),
    # toscalar: the first row's first value, of nothing null or ''
    (("let T = datatable(v: long)[]; print toscalar(T | summarize max(v)), toscalar(T), toscalar(T | count), "
      "toscalar(datatable(s: string)[]), toscalar(datatable(v: long)[4, 9] | sort by v desc), toscalar(3 + 4)"),
     [[None, None, 0, "", 9, 7]]),
    (("let T = datatable(v: long)[1, 2, 3]; let m = materialize(T | where v > 1); let top_ = toscalar(m | summarize "
      "max(v)); m | where v == top_ | extend c = toscalar(m | count)"),
     [[3, 2]]),
    # lists that come from a query, with none, from a column, from a constant
    (f"{S} datatable(s: string)['a', ''] | extend i = s in (E), n = s !in (E), h = s has_any (E), l = s has_all (E)",
     [["a", False, True, False, True], ["", False, True, False, True]]),
    ((f"{S} datatable(s: string, d: dynamic)['a x', dynamic(['x', 'q']), 'c', dynamic(null), 'B', dynamic('b'), "
      "'b', dynamic(['b'])] | extend i = s in (S), f = s in~ (S), h = s has_any (S), e = s has_any (d), m = s in "
      "(d) | project-away d"),
     [["a x", False, False, True, True, False], ["c", False, False, False, False, False],
      ["B", False, True, True, True, False], ["b", True, True, True, True, True]]),
    (f"{S} S | where w in ((S | where v == 'b' | project w)) or v in (dynamic(['z', 'a'])) | count", [[2]]),
    ("let some = dynamic(['a', 'b']); datatable(s: string)['a', 'c'] | where s !in (some)", [["c"]]),
    (("let N = datatable(n: long)[1, long(null)]; datatable(n: long)[1, 2, long(null)] | extend i = n in (N), o = n "
      "!in (N)"),
     [[1, True, False], [2, False, True], [None, False, True]]),
    # paths: dots, quotes, brackets and signs in names
    ((f"""{PATHS} | extend c = d['a.b'] | project x = c['c d'][0]['é"x'], l = c['c d'][-1], q = c["q'q"], z = """
      f"""c['[0]'], """
      r"""e = c[''], s = c['$z'], t = c['*'], b = c[@'a\b'], n = c.nope, o = c['c d'][7]"""),
     [[1, 2, 5, 6, 7, 8, 9, 10, None, None]]),
    (("let names = dynamic(['a', 'b']); datatable(d: dynamic)[dynamic({'a': 1, 'b': {'c': 'x'}})] | where "
      "d[tostring(names[1])].c == 'x' | extend d.a, k = d.b['c'] | project d_a, k"),
     [[1, "x"]]),
    (("datatable(d: dynamic)[dynamic({'k v': {'x.y': [1]}})] | summarize count() by tostring(d['k v']['x.y'][0]) | "
      "project-rename n = count_"),
     [["1", 1]]),
]  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_queries(spark: Any, query: str, expected: list[list[Any]]) -> None:
    assert rows(spark, query) == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        # a query within an expression is read once, and so cannot ask for another value in each row
        (("let f = (k: long) { toscalar(datatable(x: long)[1, 2] | where x == k | count) }; range v from 1 to 2 "
          "step 1 | extend c = f(v)"),
         "'k' differs from row to row"),
        (("let f = (k: long) { 1 in ((datatable(x: long)[1, 2] | where x == k)) }; range v from 1 to 2 step 1 | "
          "where f(v)"),
         "'k' differs from row to row"),
        ("let f = (a: long) { a }; print f()", "f needs a value for 'a'"),
        ("let f = (a: long) { a }; print f(1, 2)", "f has no parameter for this"),
        ("let f = (a: long) { a }; print f('x')", "'a' is a long, this is a string"),
        ("let f = (x: long) { f(x) }; print f(1)", "there is no function 'f'"),
        ("let f = (T: (x: long)) { T }; f(print y = 1)", "there is no column 'x'"),
    ],
)  # fmt: skip
def test_refused(spark: Any, query: str, message: str) -> None:
    with pytest.raises(QueryErrors, match=message):
        rows(spark, query)


def test_a_constant_argument_is_seen_in_a_query_within_a_function(spark: Any) -> None:
    query = "let f = (k: long) { toscalar(datatable(x: long)[1, 2, 2] | where x == k | count) }; print f(2), f(3)"
    assert rows(spark, query) == [[2, 0]]
