from __future__ import annotations

import random
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.kql import syntax as s
from lakehunt.kql.errors import Kind, QueryErrors
from lakehunt.kql.parser import parse
from lakehunt.kql.types import LONG, STRING, TIMESPAN


def body(query: str) -> s.Expr:
    return parse(query).body


def shape(expr: s.Expr) -> object:
    """An expression as nested tuples, without positions."""
    if isinstance(expr, s.Binary):
        return (expr.op, shape(expr.left), shape(expr.right))
    if isinstance(expr, s.Unary):
        return (expr.op, shape(expr.operand))
    if isinstance(expr, s.InList):
        return (expr.op, shape(expr.operand), *map(shape, expr.items))
    if isinstance(expr, s.Between):
        return (expr.op, shape(expr.operand), shape(expr.low), shape(expr.high))
    if isinstance(expr, s.Call):
        return (expr.name + "()", *map(shape, expr.args))
    if isinstance(expr, s.Path):
        return (".", shape(expr.value), expr.name)
    if isinstance(expr, s.Index):
        return ("[]", shape(expr.value), shape(expr.index))
    if isinstance(expr, s.Literal):
        return expr.value
    assert isinstance(expr, s.Name)
    return expr.name


def predicate(text: str) -> object:
    pipeline = body(f"T | where {text}")
    assert isinstance(pipeline, s.Pipeline)
    where = pipeline.operators[0]
    assert isinstance(where, s.Where)
    return shape(where.predicate)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a or b and c", ("or", "a", ("and", "b", "c"))),
        ("a and b or c", ("or", ("and", "a", "b"), "c")),
        ("a or b or c", ("or", ("or", "a", "b"), "c")),
        ("a == 1 and b", ("and", ("==", "a", 1), "b")),
        ("a + b * c > d", (">", ("+", "a", ("*", "b", "c")), "d")),
        ("a - b - c == 0", ("==", ("-", ("-", "a", "b"), "c"), 0)),
        ("-a < -1", ("<", ("-", "a"), ("-", 1))),
        ("(a or b) and c", ("and", ("or", "a", "b"), "c")),
        ("a in (1, 2) and b", ("and", ("in", "a", 1, 2), "b")),
        ("a in~ (x)", ("in~", "a", "x")),
        ("a !between (1 .. 2)", ("!between", "a", 1, 2)),
        ("a has_any ('x', 'y')", ("has_any", "a", "x", "y")),
        ("not(a) and b", ("and", ("not()", "a"), "b")),
        ("a.b['c'][0] == 1", ("==", ("[]", ("[]", (".", "a", "b"), "c"), 0), 1)),
        ("['a b'] == 'x' 'y'", ("==", "a b", "xy")),
        ("a <> b", ("!=", "a", "b")),
        ("Timestamp > ago(7d)", (">", "Timestamp", ("ago()", 7 * 864_000_000_000))),
    ],
)
def test_expressions(text: str, expected: object) -> None:
    assert predicate(text) == expected


def test_a_comment_inside_a_where() -> None:
    text = "a == 1\n// pivot (on parents\nand b == 2 // or c)\nand d == 3"
    assert predicate(text) == ("and", ("and", ("==", "a", 1), ("==", "b", 2)), ("==", "d", 3))


def test_every_node_knows_its_place() -> None:
    query = "T\n| where a == 'x'"
    pipeline = body(query)
    assert isinstance(pipeline, s.Pipeline)
    where = pipeline.operators[0]
    assert query[where.span.start : where.span.end] == "where a == 'x'"


def test_sort_is_descending_unless_said() -> None:
    pipeline = body("T | order by a, b asc, c desc nulls first")
    assert isinstance(pipeline, s.Pipeline)
    sort = pipeline.operators[0]
    assert isinstance(sort, s.Sort)
    assert [(k.descending, k.nulls_first) for k in sort.keys] == [(True, False), (False, True), (True, True)]


def test_typed_literals() -> None:
    table = body("print long(5), timespan(1.02:03:04), string_column, datetime(null)")
    assert isinstance(table, s.Print)
    literals = [item for item in table.items if isinstance(item, s.Literal)]
    assert [(x.type, x.value) for x in literals[:2]] == [(LONG, 5), (TIMESPAN, 937_840_000_000)]
    assert literals[2].value is None


def test_dynamic_literals_are_json_data() -> None:
    table = body("""print dynamic({"a": [1, -2.5, 'x', null, true], "b": {}})""")
    assert isinstance(table, s.Print)
    assert isinstance(table.items[0], s.Literal)
    assert table.items[0].value == {"a": [1, -2.5, "x", None, True], "b": {}}


def test_datatable() -> None:
    table = body("datatable(a: string, b: long)['x', 1, 'y', 2]")
    assert isinstance(table, s.DataTable)
    assert table.columns == (("a", STRING), ("b", LONG))
    assert len(table.values) == 4


@pytest.mark.parametrize(
    ("query", "kind", "message", "line", "column"),
    [
        ("", Kind.SYNTAX, "there is no query", 1, 1),
        ("// only a comment", Kind.SYNTAX, "there is no query", 1, 18),
        ("T | where", Kind.SYNTAX, "expected an expression, found the end", 1, 10),
        ("T\n| sumarize count()", Kind.SYNTAX, "expected an operator", 2, 3),
        ("T | where a ==\n  | count", Kind.SYNTAX, "expected an expression, found '|'", 2, 3),
        ("T | where (a", Kind.SYNTAX, "expected `)`", 1, 13),
        ("T | where a in ()", Kind.SYNTAX, "needs at least one value", 1, 13),
        ("T | fork (count) (take 1)", Kind.UNSUPPORTED, "the operator 'fork' is not supported", 1, 5),
        ("T\n| where a\n| make-graph x --> y", Kind.UNSUPPORTED, "the operator 'make-graph' is not supported", 3, 3),
        ("T | sample 5", Kind.UNSUPPORTED, "the operator 'sample' is not supported", 1, 5),
        ("T | join kind=outer (U) on b", Kind.SYNTAX, "there is no kind 'outer'", 1, 15),
        ("set query_now = now(); T", Kind.UNSUPPORTED, "the statement 'set' is not supported", 1, 1),
        ("T | where a !has_cx 'x'", Kind.SYNTAX, "there is no operator '!has_cx'", 1, 13),
        ("T; U", Kind.SYNTAX, "a query has one result", 1, 4),
        ("T | where t > datetime(2021-02-30)", Kind.SYNTAX, "is not a valid datetime", 1, 15),
        ("T | where a == 99999999999999999999", Kind.SYNTAX, "larger than a long", 1, 16),
        ("datatable(a: long, b: long)[1]", Kind.SEMANTIC, "do not fill rows of 2 columns", 1, 1),
        ("datatable(a: longer)[1]", Kind.SYNTAX, "there is no type 'longer'", 1, 14),
        ("T | where a == b == c", Kind.SYNTAX, "comparisons do not chain", 1, 18),
        ("T | WHERE a", Kind.SYNTAX, "expected an operator", 1, 5),
    ],
)
def test_errors(query: str, kind: Kind, message: str, line: int, column: int) -> None:
    with pytest.raises(QueryErrors) as caught:
        parse(query)
    error = caught.value.errors[0]
    assert (error.kind, caught.value.place(error)) == (kind, (line, column))
    assert message in error.message


def test_the_message_shows_the_line_and_marks_the_place() -> None:
    with pytest.raises(QueryErrors) as caught:
        parse("DeviceProcessEvents\n| sumarize count()")
    assert str(caught.value) == (
        "2:3: expected an operator such as where or summarize, found 'sumarize'\n"
        "    | sumarize count()\n"
        "      ^^^^^^^^\n"
        "    hint: did you mean 'summarize'?"
    )


@pytest.mark.parametrize("opening", ["(", "not(", "-", "dynamic([", "a[", "f(", "a in ("])
def test_nesting_is_limited_without_a_crash(opening: str) -> None:
    with pytest.raises(QueryErrors):
        parse("print " + opening * 10_000)


def test_long_chains_are_no_nesting() -> None:
    terms = " or ".join(f"a == {i}" for i in range(5_000))
    assert isinstance(body(f"T | where {terms}"), s.Pipeline)


PIECES = [
    "T",
    "|",
    "where",
    "summarize",
    "(",
    ")",
    "[",
    "]",
    "a",
    "==",
    "in~",
    "'x'",
    ",",
    "by",
    "1d",
    "..",
    "let",
    ";",
    "=",
    "\n//c\n",
]


@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_random_tokens_give_a_tree_or_an_error_with_a_place(pieces: list[str]) -> None:
    refused_with_a_place(" ".join(pieces))


@given(st.text(alphabet=string.printable + "é😀\u2028", max_size=80))
def test_random_text_gives_a_tree_or_an_error_with_a_place(text: str) -> None:
    refused_with_a_place(text)


def test_a_truncated_hunt_gives_a_tree_or_an_error_with_a_place() -> None:
    query = "T // c\n| where t > ago(7d) and (a in~ ('x', \"y\") or b has @'z')\n| summarize any(a), makeset(b) by c"
    for end in range(len(query)):
        refused_with_a_place(query[:end])
    for seed in range(200):
        cut = random.Random(seed).sample(range(len(query)), 3)
        refused_with_a_place("".join(c for i, c in enumerate(query) if i not in cut))


def refused_with_a_place(query: str) -> None:
    try:
        parse(query)
    except QueryErrors as errors:
        for error in errors.errors:
            line, column = errors.place(error)
            assert 1 <= line <= len(re.split("\r\n|\r|\n", query))
            assert column >= 1
