"""join and lookup: rows by hand, from the documentation of each kind and the engine's answers."""

from __future__ import annotations

from typing import Any

import pytest

from lakehunt.kql.errors import QueryErrors
from tests.support.answers import rows

TABLES = """
let L = datatable(k: long, s: string, v: long)[1, 'a', 10, 1, 'b', 11, long(null), 'n', 12, 3, 'c', 13];
let R = datatable(k: long, w: string)[1, 'x', 1, 'y', long(null), 'm', 4, 'z'];
"""

BOTH = [[1, "a", 10, 1, "x"], [1, "a", 10, 1, "y"], [1, "b", 11, 1, "x"], [1, "b", 11, 1, "y"]]
NULLS = [None, "n", 12, None, "m"]
ONLY_LEFT = [3, "c", 13, None, ""]
ONLY_RIGHT = [None, "", None, 4, "z"]

KINDS: dict[str, list[list[Any]]] = {
    # null keys match null keys; what a side has not is null, a string ''
    "inner": [*BOTH, NULLS],
    "innerunique": [*BOTH[:2], NULLS],
    "leftouter": [*BOTH, NULLS, ONLY_LEFT],
    "rightouter": [*BOTH, NULLS, ONLY_RIGHT],
    "fullouter": [*BOTH, NULLS, ONLY_LEFT, ONLY_RIGHT],
    "leftsemi": [[1, "a", 10], [1, "b", 11], [None, "n", 12]],
    "leftanti": [[3, "c", 13]],
    "rightsemi": [[1, "x"], [1, "y"], [None, "m"]],
    "rightanti": [[4, "z"]],
}


def _unordered(found: list[list[Any]]) -> list[list[Any]]:
    """A join has no order in Kusto."""
    return sorted(found, key=str)


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(spark: Any, kind: str) -> None:
    assert _unordered(rows(spark, f"{TABLES} L | join kind={kind} R on k")) == _unordered(KINDS[kind])


def test_a_join_without_a_kind_keeps_one_row_of_each_key_on_the_left(spark: Any) -> None:
    assert _unordered(rows(spark, f"{TABLES} L | join R on k")) == _unordered(KINDS["innerunique"])


QUERIES: list[tuple[str, list[list[Any]]]] = [
    # lookup leaves out the right side's key, and keeps the left rows
    (f"{TABLES} L | lookup R on k | sort by s asc, w asc",
     [[1, "a", 10, "x"], [1, "a", 10, "y"], [1, "b", 11, "x"], [1, "b", 11, "y"], [3, "c", 13, ""],
      [None, "n", 12, "m"]]),
    (f"{TABLES} L | lookup kind=inner (R | project-rename q = k) on $left.k == $right.q | where k == 1 | count", [[4]]),
    # an empty string is a key as any other
    (("datatable(a: string, b: long)['', 1, 'x', 2] | join kind=fullouter (datatable(a: string, c: long)['', 3, "
      "'y', 4]) on a | sort by b asc nulls last"),
     [["", 1, "", 3], ["x", 2, "", None], ["", None, "y", 4]]),
    # several keys, some of other names, conditions joined by `and`; int and long are comparable
    (("datatable(a: int, b: string)[1, 'p', 2, 'q'] | join kind=inner (datatable(x: long, b: string)[1, 'p', 2, "
      "'z']) on $left.a == $right.x and $left.b == $right.b"),
     [[1, "p", 1, "p"]]),
    # a name that is taken gets a number, over several joins too
    (("let A = datatable(k: long, v: long)[1, 5]; let B = datatable(k: long, v: long, w: long)[1, 6, 7]; A | join B "
      "on k | join A on k | join B on k | project k, v, k1, v1, w, k2, v2, k3, v3, w1"),
     [[1, 5, 1, 6, 7, 1, 5, 1, 6, 7]]),
    # names differ by case alone, or are words, spaces and signs
    (("let A = datatable(k: long, a: long, A: long)[1, 2, 3]; A | join kind=leftouter (A | where a == 9) on k | "
      "join kind=inner (A | project k, A) on k | project a, A, a1, A1, A2"),
     [[2, 3, None, None, 3]]),
    (("let A = datatable(['$x']: string, ['where']: string, ['a b']: string, ['c.d']: string)['1', '2', '3', '4']; "
      "A | join A on ['$x'], ['a b'] | project ['$x1'], ['where1'], ['a b'], ['c.d1']"),
     [["1", "2", "3", "4"]]),
    # a dynamic column that is missing is null
    (("datatable(k: long)[1, 2] | join kind=leftouter (datatable(k: long, d: dynamic)[2, dynamic({'z': 5})]) on k | "
      "sort by k asc | project k, z = d.z, isnull(d)"),
     [[1, None, True], [2, 5, False]]),
    # reals: NaN is a key too
    (("datatable(k: real)[1.5, real(null)] | join kind=inner (datatable(k: real, w: long)[1.5, 1, real(null), 2]) "
      "on k | project w | sort by w asc"),
     [[1], [2]]),
    # a join of a join, of a group, of a named table
    (("let T = datatable(u: string, n: long)['a', 1, 'a', 2, 'b', 3]; T | join kind=inner (T | summarize m = max(n) "
      "by u) on u | where n == m | join kind=leftanti (T | where u == 'b') on u | project u, n"),
     [["a", 2]]),
    ("print x = 1 | as One | join kind=inner (One | extend y = x + 1) on x | project x, y", [[1, 2]]),
    # no rows on one side
    ("let T = datatable(k: long, s: string)[]; datatable(k: long)[1] | join kind=leftouter T on k", [[1, None, ""]]),
    ("let T = datatable(k: long, s: string)[]; T | join kind=rightouter (print k = 1) on k", [[None, "", 1]]),
]  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_queries(spark: Any, query: str, expected: list[list[Any]]) -> None:
    assert rows(spark, query) == expected


REFUSED = {
    "print a = 1 | join (print a = 'x') on a": "the keys are a long and a string, and not comparable",
    "print a = 1 | join (print b = 1) on a": "there is no column 'a'",
    "print a = 1 | join (print b = 1) on $left.a < $right.b": "a join compares columns for equality",
    "print a = dynamic(1) | join (print a = dynamic(1)) on a": "a join's keys cannot be dynamic",
    "print ['$$order'] = 1": "a column's name cannot start with '$$'",
}


@pytest.mark.parametrize("query", REFUSED)
def test_refused(spark: Any, query: str) -> None:
    with pytest.raises(QueryErrors, match=REFUSED[query].replace("$", r"\$")):
        rows(spark, query)


DETERMINED = """
let T = range n from 1 to 60 step 1 | summarize s = max(n) by k = n % 7, j = n % 3;
T | join (T | extend t = s * 2) on k | join kind=fullouter (T | where j == 1) on k, s
| mv-apply x = pack_array(s, t, 1) to typeof(long) on (where x > 40 | summarize c = count(), m = make_list(x))
| partition by k (top 3 by c)
"""


def test_the_same_rows_however_the_data_are_spread(spark: Any) -> None:
    """The written order decides where Kusto leaves a choice, not the number of partitions."""
    before = spark.conf.get("spark.sql.shuffle.partitions")
    found = []
    try:
        for partitions in ("1", "7", "7"):
            spark.conf.set("spark.sql.shuffle.partitions", partitions)
            found.append(rows(spark, DETERMINED))
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
    assert len(found[0]) > 10
    assert found[0] == found[1] == found[2]
