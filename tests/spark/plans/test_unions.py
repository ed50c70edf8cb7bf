"""union, search, find and as: rows by hand."""

from __future__ import annotations

from typing import Any

import pytest

from lakehunt.kql.errors import QueryErrors
from tests.support.answers import rows

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
        ("find in ((print a = 1)) where a == 1", "find without project is not supported"),
    ],
)
def test_refused(spark: Any, query: str, message: str) -> None:
    with pytest.raises(QueryErrors, match=message):
        rows(spark, query)
