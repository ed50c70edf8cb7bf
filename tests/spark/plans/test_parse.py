"""parse, parse-where and parse-kv: rows by hand."""

from __future__ import annotations

from typing import Any

import pytest

from lakehunt.kql.errors import QueryErrors
from tests.support.answers import rows

IDS = "datatable(s: string)['id=7;name=x y;ok', 'id=q;name=z;', 'nothing']"
PATTERN = "'id=' id: long ';name=' name ';' rest"

COLUMNS = " ".join(f"'{name}' {name}: long" for name in "abcdefghijklmnopq")

QUERIES: list[tuple[str, list[list[Any]]]] = [
    # simple: all columns or none; relaxed: each that fits
    (f"{IDS} | parse s with {PATTERN} | project-away s", [[7, "x y", "ok"], [None, "", ""], [None, "", ""]]),
    (f"{IDS} | parse kind=relaxed s with {PATTERN} | project-away s",
     [[7, "x y", "ok"], [None, "z", ""], [None, "", ""]]),
    (f"{IDS} | parse-where s with {PATTERN} | project-away s", [[7, "x y", "ok"]]),
    (f"{IDS} | parse-where kind=relaxed s with {PATTERN} | project-away s", [[7, "x y", "ok"], [None, "z", ""]]),
    # a column takes as little as it can, the last one the rest; the signs of expressions are text
    ("print s = 'aXbXc' | parse s with a 'X' b | project a, b", [["a", "bXc"]]),
    ("print s = 'x (1) [y] 2.5 z' | parse s with * '(' n: int ') [' w '] ' r: real ' ' * | project n, w, r",
     [[1, "y", 2.5]]),
    ("datatable(s: string)['a.b*c(1)', 'a-b*c(2)'] | parse s with 'a.b*c(' n: long ')' | project n", [[1], [None]]),
    (r"print s = 'one\nb=2\nc' | parse s with * 'b=' n: long '\n' * | project n", [[2]]),
    (("print s = '2020-01-02|1.05:00:00|true' | parse s with t: datetime '|' d: timespan '|' b: bool | project t, "
      "d, b"),
     [["2020-01-02T00:00:00.0000000Z", "1.05:00:00", True]]),
    # a column that is there already is replaced
    ("print s = 'k=5', k = 'old' | parse s with 'k=' k: long | project k", [[5]]),
    # regex: as much as it can; flags; groups of the pattern are no columns
    ("datatable(s: string)['aXbXc', 'zz'] | parse kind=regex s with a 'X' b | project a, b", [["aXb", "c"], ["", ""]]),
    (("datatable(s: string)['a1b22c', 'A3B4C'] | parse kind=regex flags=i s with '[a]' x: long 'b' y: int 'c' | "
      "project x, y"),
     [[1, 22], [3, 4]]),
    ("print s = 'id: 17 user' | parse kind=regex s with '(id|key): ' n: long @'\\s+(us)er' * | project n", [[17]]),
    # U: as little as it can, from the documentation
    (("print s = '(resourceName=Pipe, totalSlices=27, sliceNumber=23)' | parse kind=regex flags=Ui s with * "
      "'RESOURCENAME=' a ',' * | project a"),
     [["Pipe"]]),
    ("print s = 'k=v1;w' | parse kind=regex s with '(?P<name>k)=' a ';' b | project a, b", [["v1", "w"]]),
    # more columns than a pattern that is written may have groups
    (f"print s = 'a1b1c1d1e1f1g1h1i1j1k1l1m1n1o1p1q1r' | parse s with {COLUMNS} 'r' | project a, q",
     [[1, 1]]),
    # parse-kv: pairs by name, in quotes with their delimiters; what is not there is null or ''
    (("datatable(s: string)['k1=v1, k2 = \"a, b\" ,k3=', 'k2=z,k4=4'] | parse-kv s as (k1: string, k2: string, k3: "
      "string, k4: long) with (pair_delimiter=',', kv_delimiter='=', quote='\"') | project-away s"),
     [["v1", "a, b", "", None], ["", "z", "", 4]]),
    (("print s = 'a:1 b:2020-01-01' | parse-kv s as (b: datetime, a: real) with (pair_delimiter=' ', "
      "kv_delimiter=':') | project a, b"),
     [[1.0, "2020-01-01T00:00:00.0000000Z"]]),
    # ... white space around the delimiter of keys does not count, also where it is the one of pairs
    (("datatable(s: string)['  k  =  v  ', 'k=', 'a= k=2', 'junk k=3 rest', 'k==x', 'k =v w=2', 'k=1 k=2', ''] "
      "| parse-kv s as (k: string) with (pair_delimiter=' ', kv_delimiter='=') | project k"),
     [["v"], [""], ["2"], ["3"], ["=x"], ["v"], ["1"], [""]]),
    # ... quotes of two characters, quoted keys, escapes; a quote that nothing closes is text
    (("datatable(s: string)['a=(x y) (b c)=(z)', 'a=(x', 'b=1 a=()'] | parse-kv s as (a: string, ['b c']: string) with "
      "(pair_delimiter=' ', kv_delimiter='=', quote='()') | project-away s"),
     [["x y", "z"], ["(x", ""], ["", ""]]),
    ((r'''print s = @'a="x \"y\"" b=2' | parse-kv s as (a: string, b: long) with (pair_delimiter=' ', '''
      r'''kv_delimiter='=', quote='"', escape='\\') | project a, b'''),
     [['x "y"', 2]]),
    # ... greedy values end before the next key
    (("print s = 'name=John Doe phone = 555 5555 city=New York' | parse-kv s as (name: string, phone: string, city: "
      "string) with (pair_delimiter=' ', kv_delimiter='=', greedy=true) | project-away s"),
     [["John Doe", "555 5555", "New York"]]),
    # ... without delimiters: the word after a key; a regular expression: its two groups
    (("print s = '10:00:34 [INFO] ThreadId:45, Machine:Node001, Text: \"is up\"' | parse-kv s as (Text: string, "
      "ThreadId: long, Machine: string, Other: string) with (quote='\"') | project-away s"),
     [["is up", 45, "Node001", ""]]),
    (("print s = '\"a b: 1\", \"c : x y\", \"c: z\"' | parse-kv s as (['a b']: long, c: string, d: string) with "
      "(regex='\"([a-z ]+): *([^\"]*)\"') | project-away s"),
     [[1, "x y", ""]]),
    # ... in time linear in the text: quotes that nothing closes, keys without values, runs of delimiters
    (("print s = strcat(strrep('( ', 999), strrep('=', 999), strrep(' ', 999), 'k=1') | extend t = strcat(s, ' ', s) "
      "| parse-kv t as (k: string) with (pair_delimiter=' ', kv_delimiter='=', quote='()') | project k"),
     [["1"]]),
]  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_queries(spark: Any, query: str, expected: list[list[Any]]) -> None:
    assert rows(spark, query) == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("print s = 'a' | parse s with 'a' d: dynamic", "a parsed column of the type dynamic is not supported"),
        (
            "print s = 'a' | parse-kv s as (d: dynamic) with (pair_delimiter=' ')",
            "of the type dynamic is not supported",
        ),
        (
            "print s = 'a' | parse kind=regex flags=q s with 'a' b",
            "the flags of a regular expression are i, m, s and U",
        ),
        ("print s = 'a' | parse-kv s as (d: long) with (kv_delimiter='=')", "parse-kv without a pair_delimiter"),
        ("print s = 'a' | parse kind=regex s with '(a' b", "opens a group and does not close it"),
    ],
)
def test_refused(spark: Any, query: str, message: str) -> None:
    with pytest.raises(QueryErrors, match=message):
        rows(spark, query)
