"""union, search, find and as: rows by hand."""

from __future__ import annotations

from typing import Any

import pytest

from lakehunt.kql.errors import QueryErrors
from tests.support.answers import rows

AB = (
    "let A = view () { datatable(x: long, k: string, FileName: string)[1, 'a', 'f', 2, 'b', 'g'] }; "
    "let B = view () { datatable(y: string, k: string)['q', 'a', 'r', 'b'] }; "
)

QUERIES: list[tuple[str, list[list[Any]]]] = [
    # every column of every table; what one has not is null, a string ''; duplicates stay
    ("union (datatable(a: long, b: string)[1, 'x', 1, 'x']), (datatable(a: long, c: real)[2, 2.5]) | sort by a asc",
     [[1, "x", None], [1, "x", None], [2, "", 2.5]]),
    ("union kind=inner (print a = 1, b = 'x'), (print c = 2.5, a = 2) | sort by a asc", [[1], [2]]),
    # columns of one name and several types are one for each type
    ("union (print a = 1), (print a = 'y'), (print a = 2) | sort by a_long asc", [[None, "y"], [1, ""], [2, ""]]),
    (("union (print t = datetime(2020-01-01)), (print t = 1d), (print t = true) | summarize take_any(t_datetime), "
      "take_any(t_timespan), take_any(t_bool)"),
     [["2020-01-01T00:00:00.0000000Z", "1.00:00:00", True]]),
    # a split name that is taken gets a number
    (("union (datatable(x: string)['a']), (datatable(x: long)[1]), (datatable(x_string: string)['q']) "
      "| sort by x_string asc, x_long asc"), [["", None, "q"], ["", 1, ""], ["a", None, ""]]),
    # a table that is not there is left out
    ("union isfuzzy=true (print a = 1), Nope, (Nope | where x == 1) | project a", [[1]]),
    # a text and an integer, old spellings, the most frequent
    ("datatable(s: string)['12', 'a12b', 'a 12', 'A'] | where s == 12 or s has_any (dynamic([12])) or s containscs 'A'",
     [["12"], ["a 12"], ["A"]]),
    ("datatable(s: string)['a', 'b', 'b'] | top-hitters 1 of s", [["b", 2]]),
    ("datatable(s: string, n: long)['a', 5, 'b', 1, 'b', 1] | top-hitters 1 of s by n", [["a", 5]]),
    ("datatable(s: string)['a', 'b'] | count as n", [[2]]),
    # names differ by case alone
    ("union (print a = 1), (print A = 2) | project a, A | sort by a asc", [[None, 2], [1, None]]),
    # arrays of one type and other dynamic values
    (("union (print d = dynamic([1, 'q'])), (print d = dynamic({'x': 1})), (range v from 1 to 2 step 1 | summarize "
      "d = make_list(v)) | extend n = array_length(d) | project d, n"),
     [[[1, "q"], 2], [{"x": 1}, None], [[1, 2], 2]]),
    # the source's name
    ("union withsource = t (print a = 1), (print b = 2) | project t, a, b | sort by t asc",
     [["union_arg0", 1, None], ["union_arg1", None, 2]]),
    ("print a = 1 | as One | union withsource = t (print a = 2) | where t == 'One' | project a", [[1]]),
    ("let v = view () { print a = 1 }; union v, (print a = 2) | sort by a asc", [[1], [2]]),
    # the same table twice, one of them changed
    ("let T = datatable(k: long)[1, 2]; T | union (T | where k > 1 | extend k = k * 10) | sort by k asc",
     [[1], [2], [20]]),
    ("let E = datatable(k: long, s: string)[]; union E, E | count", [[0]]),
    # search: terms in any column, a column's own, a condition, and all of it by case
    ("datatable(s: string, n: long)['a cat', 1, 'category', 2, 'Cat_x', 3] | search 'cat' | project s",
     [["a cat"], ["Cat_x"]]),
    (("datatable(s: string, n: long)['a cat', 1, 'category', 2, 'Cat_x', 3] | search kind=case_sensitive s:'Cat' or "
      "n == 2 | project ['$table'], n"),
     [["search_arg0", 2], ["search_arg0", 3]]),
    (("datatable(s: string, n: long)['a cat', 1, 'category', 42, 'dog', 3] | search '42' or 'cat*' | summarize "
      "count() by ['$table'] | extend ['$table'] = strcat(['$table'], '!')"),
     [["search_arg0!", 2]]),
    ("datatable(s: string, t: string)['one', 'two', 'two', 'one'] | search 'one' and not(s:'two') | project s, t",
     [["one", "two"]]),
    # search over several tables is a union with a condition: a column that a table has not is '' or null there
    (AB + "search in (A, B) FileName == 'f'", [["A", 1, "a", "f", ""]]),
    (AB + "search in (A, B) FileName != 'f' | project ['$table'], x, y | sort by y asc",
     [["A", 2, ""], ["B", None, "q"], ["B", None, "r"]]),
    (AB + "search in (A, B) isnull(x) and k == 'b'", [["B", None, "b", "", "r"]]),
    (AB + "search in (A, B) y:'q' or x == 1 | project ['$table'], k", [["A", "a"], ["B", "a"]]),
    (AB + "search in (A, B) 'a' and FileName == 'f' | project x, k", [[1, "a"]]),
    (AB + "search in (A, B) not(FileName:'f') | project ['$table'], k | sort by ['$table'] asc, k asc",
     [["A", "b"], ["B", "a"], ["B", "b"]]),
    # one of several types has a name for each
    (("let A = view () { datatable(n: long)[1, 2] }; let B = view () { datatable(n: string)['1', 'z'] }; "
      "search in (A, B) n_long == 1 or n_string == 'z'"),
     [["A", 1, ""], ["B", None, "z"]]),
    # a wildcard stands for views, too (Microsoft's example of isfuzzy)
    (("let View_1 = view () { print x = 1 }; let View_2 = view () { print x = 1 }; let OtherView_1 = view () { print "
      "x = 1 }; let Viewed = () { print x = 1 }; union isfuzzy = true View*, SomeView*, OtherView* | count"), [[3]]),
    # find: a table that has none of the columns in the condition is left out, whatever the condition
    (AB + "find in (A, B) where FileName == 'f'", [["A", 1, "a", "f"]]),
    (AB + "find in (A, B) where FileName != 'f'", [["A", 2, "b", "g"]]),
    (AB + "find in (A, B) where FileName == 'f' project k", [["A", "a"]]),
    # in one that has some of them, the others are '' or null
    (AB + "find in (A, B) where k == 'a' and isempty(FileName) project x, y", [["B", None, "q"]]),
    # the columns of all tables, those of the condition, and a bag of the others
    (AB + "find in (A, B) where y == 'q' or x == 2",
     [["A", "b", "", 2, {"FileName": "g"}], ["B", "a", "q", None, {}]]),
    (AB + "find in (A, B) where 'a' project-smart",
     [["A", "a", {"x": 1, "FileName": "f"}], ["B", "a", {"y": "q"}]]),
    (AB + "find in (A, B) where y:'q' or FileName:'g' | project source_, pack_",
     [["A", {"x": 2}], ["B", {}]]),
    (AB + "find in (A, B) where k == 'b' project pack_all()",
     [["A", {"x": 2, "k": "b", "FileName": "g"}], ["B", {"y": "r", "k": "b"}]]),
    # `*` is any of a table's own columns
    (AB + "find in (A, B) where * has 'q' project y", [["B", "q"]]),
    # a column of several types: one for each, or a conversion to the one that is asked for
    (("let A = view () { datatable(n: long, k: string)[1, 'a', 2, 'b'] }; let B = view () { datatable(n: string)"
      "['1', 'z'] }; find in (A, B) where n == 1"),
     [["A", 1, "", {"k": "a"}], ["B", None, "1", {}]]),
    (("let A = view () { datatable(n: long)[1, 2] }; let B = view () { datatable(n: string)['1', 'z'] }; "
      "find in (A, B) where n != 1 project n: string"),
     [["A", "2"], ["B", "z"]]),
    # find: the asked columns, after the name of the source
    (("find in ((datatable(a: string, n: long)['x', 1, 'y', 2]), (datatable(b: string, a: string)['q', 'x'])) where "
      "a == 'x' project a, b, n"),
     [["union_arg0", "x", "", 1], ["union_arg1", "x", "q", None]]),
    (("find withsource = t in ((print a = 'k', n = 1), (print a = 'k', n = 2)) where a == 'k' project n | summarize "
      "sum(n) by t | sort by t desc"),
     [["union_arg1", 2], ["union_arg0", 1]]),
    # a name that `as` gives is known after it
    ("datatable(n: long)[1, 2, 3] | where n > 1 | as T | extend all = toscalar(T | summarize sum(n))",
     [[2, 5], [3, 5]]),
]  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_queries(spark: Any, query: str, expected: list[list[Any]]) -> None:
    assert rows(spark, query) == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("union Nope*, (print 1)", "no table is named like 'Nope\\*'"),
        ("union (print 1), Nope", "there is no table 'Nope'"),
        ("datatable(n: long)[7] | search 7", "a bare long in a search is not supported"),
        ("print a = 1 | find where a == 1", "find takes no rows from a pipe"),
        ("find in ((print a = 1)) where 1 == 1", "a find whose condition names no column"),
        (
            "find in ((print a = 1)) where a == 1 project a, pack_all()",
            "project of columns and pack_all\\(\\) in a find",
        ),
        ("find in ((print a = 1)) where a == 1 project b", "there is no column 'b'"),
        ("find in ((print a = 1)) where b == 1", "there is no column 'b'"),
        ("find in ((print a = 1), (print b = 'x', c = 1)) where d == 1 or a:'1'", "there is no column 'd'"),
        ("find in ((print a = 1), (print a = 'x')) where a == 1 project a", "'a' has several types: long and string"),
        (
            "find in ((print a = 1), (print a = 'x'), (print c = 1)) where a == 1 or c == 1",
            "'a' has several types \\(long and string\\), and the table union_arg2 does not have it",
        ),
        ("search in ((print a = 1), (print a = 'x')) a == 1", "there is no column 'a'"),
    ],
)
def test_refused(spark: Any, query: str, message: str) -> None:
    with pytest.raises(QueryErrors, match=message):
        rows(spark, query)
