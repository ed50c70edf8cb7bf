"""A formatted query, parsed again, is the same tree."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehunt.kql import formatting, scalar_parser, times
from lakehunt.kql import syntax as s
from lakehunt.kql.errors import QueryErrors, Span
from lakehunt.kql.formatting import formatted, same
from lakehunt.kql.parser import parse
from lakehunt.kql.types import BOOL, DATETIME, DECIMAL, DYNAMIC, GUID, INT, LONG, REAL, STRING, TIMESPAN
from tests.support.kql import OPERATORS, QUERIES, SCALARS, hunts
from tests.support.paths import PROJECT


def again(query: str) -> str:
    """The formatted query, which must mean the same and be formatted already."""
    tree = parse(query)
    text = formatted(tree)
    assert same(parse(text), tree), text
    assert formatted(parse(text)) == text
    return text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("T|where a==1 and(b or c)|take 5", "T\n| where a == 1 and (b or c)\n| take 5"),
        ("T | where (a and b) or c", "T\n| where a and b or c"),
        ("T | where a - (b - c) == (d == e)", "T\n| where a - (b - c) == (d == e)"),
        ("T | where (a - b) - c < -(-d)", "T\n| where a - b - c < --d"),
        ("T | where (a + b).c[0]['d'] !in ('x', 1h)", 'T\n| where (a + b).c[0]["d"] !in ("x", 1h)'),
        ("T | order by a, b asc nulls last", "T\n| sort by a desc, b asc nulls last"),
        (
            "let x = 5; let f = (t: (a: long), n: int = 1) { let y = 2; t | take n };\nf(T)",
            "let x = 5;\nlet f = (t: (a: long), n: int = 1) {\n    let y = 2;\n    t\n    | take n\n};\nf(T)",
        ),
        ("set query_bin_auto_size=5;T", "set query_bin_auto_size = 5;\nT"),
        ("T | join kind=inner (U|take 1) on a", "T\n| join kind=inner (\n    U\n    | take 1\n) on a"),
        ("T | where a in (U | project b)", "T\n| where a in (\n    U\n    | project b\n)"),
        ("T | where ['by'] == ['a b'].['c d']", 'T\n| where ["by"] == ["a b"].["c d"]'),
        (
            "find withsource=s in(T,U)'x' and a:'y' project a,['by']:long",
            'find withsource=s in (T, U) where "x" and a:"y" project a, ["by"]: long',
        ),
        ("find a==1 project-smart", "find where a == 1"),
        ("find where a==1 project pack(*)", "find where a == 1 project pack_all()"),
        ("print 'it' 's', h@'C:\\Temp', \"a\\tb\"", 'print "its", @"C:\\Temp", "a\\tb"'),
        ("print 90s, 1.5d, timespan(-1h), 0s", "print 90s, 36h, timespan(-01:00:00), 0d"),
        (
            "datatable(a: long, b: string)[1, 'x', 2, 'y']",
            'datatable (a: long, b: string) [\n    1, "x",\n    2, "y"\n]',
        ),
    ],
)
def test_texts(query: str, expected: str) -> None:
    assert again(query) == expected


@pytest.mark.parametrize("text", SCALARS.split("\n"))
def test_scalar_expressions(text: str) -> None:
    again(f"print {text}")
    again(f"T | where {text}")


@pytest.mark.parametrize("text", OPERATORS.strip().split("\n"))
def test_operators(text: str) -> None:
    again(f"T | {text} | count")


@pytest.mark.parametrize("query", QUERIES.strip().split("\n"))
def test_queries(query: str) -> None:
    again(query)


def nodes(value: object) -> Iterator[type]:
    if isinstance(value, s.Node):
        yield type(value)
    for part in formatting._parts(value) or ():
        yield from nodes(part)


def test_every_node_is_tried() -> None:
    queries = [
        *QUERIES.strip().split("\n"),
        *(f"print {line}" for line in SCALARS.split("\n")),
        *(f"T | {line}" for line in OPERATORS.strip().split("\n")),
    ]
    tried = {kind for query in queries for kind in nodes(parse(query))}
    classes = {c for c in vars(s).values() if isinstance(c, type) and issubclass(c, s.Node)}
    assert classes - tried == {s.Node, s.Expr, s.Operator}


def test_a_long_chain_is_no_deep_one() -> None:
    again("T | where " + " or ".join(f"a == {i} and b" for i in range(3_000)))
    again("T | where a" + ".b[0]" * 30)


def test_trees_that_differ() -> None:
    assert not same(parse("print a + b * c"), parse("print (a + b) * c"))
    assert not same(parse("print a, b"), parse("print a"))
    assert not same(parse("print 1"), parse("print int(1)"))
    assert same(parse("print real(nan)"), parse("print   real(nan)"))


def test_own_hunts() -> None:
    queries = list(hunts(PROJECT / "hunts"))
    assert queries
    for query in queries:
        again(query)


def test_real_queries(shared: Path) -> None:
    lines = (shared / "kusto-cases" / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    queries = [*(json.loads(line)["query"] for line in lines), *hunts(shared / "corpus" / "queries")]
    parsed = 0
    for query in queries:
        try:
            parse(query)
        except QueryErrors:
            continue
        again(query)
        parsed += 1
    assert parsed > 1_500


# Random trees

HERE = Span(0, 0)
NAMES = st.one_of(st.sampled_from(sorted(formatting._RESERVED | {"a", "_b", "T", "$left"})), st.text(max_size=5))
INTEGERS = st.integers(-(2**63), 2**63 - 1)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), INTEGERS, st.floats(), st.text(max_size=5)),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=3), parts, max_size=3),
    max_leaves=8,
)
VALUES = {
    BOOL: st.booleans(),
    INT: st.integers(-(2**31), 2**31 - 1),
    LONG: INTEGERS,
    REAL: st.floats(),
    DECIMAL: st.decimals(-(10**30), 10**30, allow_nan=False).filter(lambda d: abs(d.adjusted()) < 6_000),
    DATETIME: st.integers(times.FIRST_TICK, times.LAST_TICK),
    TIMESPAN: st.integers(-(2**63), 2**63 - 1),
    GUID: st.builds(lambda bits: str(uuid.UUID(int=bits)), st.integers(0, 2**128 - 1)),
    DYNAMIC: JSON,
}
LITERALS = st.one_of(
    *(st.builds(s.Literal, st.just(HERE), st.just(kind), values | st.none()) for kind, values in VALUES.items()),
    st.builds(s.Literal, st.just(HERE), st.just(STRING), st.text(max_size=8)),
)
FUNCTIONS = st.sampled_from(["f", "not", "tostring", "long", "in", "h", "by"])
OPERATORS_BETWEEN = st.sampled_from(
    sorted(scalar_parser.PRECEDENCE.keys() - {"<>"} - scalar_parser.RANGES - scalar_parser.MEMBERSHIPS)
)


def made(kind: type[s.Node], *parts: st.SearchStrategy[object]) -> st.SearchStrategy[s.Node]:
    return st.builds(kind, st.just(HERE), *parts)


def larger(parts: st.SearchStrategy[s.Expr]) -> st.SearchStrategy[s.Expr]:
    several = st.lists(parts, min_size=1, max_size=3).map(tuple)
    where = made(s.Where, parts)
    pipelines = made(s.Pipeline, made(s.Name, NAMES), st.tuples(where))
    named = made(s.Named, st.tuples(NAMES), parts)
    return st.one_of(
        made(s.Unary, st.sampled_from("+-"), parts),
        made(s.Binary, OPERATORS_BETWEEN, parts, parts, st.just(HERE)),
        made(s.InList, st.sampled_from(sorted(scalar_parser.MEMBERSHIPS)), parts, several, st.just(HERE)),
        made(s.InList, st.sampled_from(["in", "!in~"]), parts, st.tuples(pipelines), st.just(HERE)),
        made(s.Between, st.sampled_from(sorted(scalar_parser.RANGES)), parts, parts, parts),
        made(s.Path, parts, NAMES),
        made(s.Index, parts, parts),
        made(s.Call, FUNCTIONS, st.lists(parts | named | pipelines, min_size=1, max_size=3).map(tuple), st.just(HERE)),
    )  # type: ignore[return-value]


EXPRESSIONS = st.recursive(LITERALS | made(s.Name, NAMES), larger, max_leaves=12)


@settings(max_examples=400)
@given(EXPRESSIONS)
def test_random_expressions(expr: s.Expr) -> None:
    where = s.Pipeline(HERE, s.Name(HERE, "T"), (s.Where(HERE, expr),))
    tree = s.Query(HERE, (), where)
    assert same(parse(formatted(tree)), tree), formatted(tree)
