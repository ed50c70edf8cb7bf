"""Deep and doubling queries: answered or refused at their place, soon, and far from Python's recursion limit."""

from __future__ import annotations

import time

import pytest

from lakehunt.hunting.incremental.decisions import decision
from lakehunt.hunting.incremental.predicates import RowPredicates, extract_row_predicates, shape
from lakehunt.hunting.query.events_table import KQL_TABLES
from lakehunt.hunting.query.time_window import limit_to_window
from lakehunt.kql import constants, row_local
from lakehunt.kql import plan as p
from lakehunt.kql.binding import bind
from lakehunt.kql.errors import Kind, QueryErrors
from lakehunt.kql.formatting import formatted, same
from lakehunt.kql.parser import parse
from lakehunt.spark.functions import CATALOG

T = "DeviceProcessEvents"
LEVELS = 600
SECONDS = 20
"""No query may take longer; most take a hundredth. Loose, because machines differ."""


def bound(query: str) -> p.Plan:
    return bind(query, KQL_TABLES, CATALOG)


@pytest.mark.parametrize(
    "query",
    [
        f"{T} | where " + " or ".join(f"FileName == '{i}'" for i in range(LEVELS)),
        f"{T} | where " + " and ".join(f"FileName has_any ('{i}', 'b')" for i in range(LEVELS)),
        f"{T} | where " + " or ".join(f"(FileName has '{i}' and ProcessId == {i})" for i in range(LEVELS)),
        f"{T} | where not(" + " or ".join(f"FileName contains '{i}'" for i in range(LEVELS)) + ")",
        f"{T} | extend x = " + " + ".join(["ProcessId"] * LEVELS) + " | where x > 1",
        f"{T}" + " | where ProcessId > 0" * LEVELS,
        f"{T} | extend x = 1" + " | extend x = x + 1" * LEVELS + " | where x > FileSize",
        f"let x0 = {T};" + "".join(f"let x{i} = x{i - 1} | where FileName has '{i}';" for i in range(1, 300)) + "x299",
        f"{T} | where " + "(" * 240 + "FileName == 'x'" + ")" * 240,
        f"{T} | where " + "FileName == 'x' or (" * 240 + "true" + ")" * 240,
        f"union {', '.join([T] * LEVELS)} | where FileName == 'x'",
        f"{T} | where " + " or ".join(f"FileName == '{i}'" for i in range(10 * LEVELS)),
        f"{T} | where " + " and ".join(f"(FileName has '{i}' or ProcessId > {i})" for i in range(2 * LEVELS)),
        f"search in ({T}) " + " or ".join(f"FileName == '{i}'" for i in range(LEVELS)),
    ],
    ids=range(14),
)  # fmt: skip
def test_a_deep_query_is_compiled_split_and_compared(query: str) -> None:
    began = time.perf_counter()
    plan = bound(query)
    assert same(parse(formatted(parse(query))), parse(query))
    assert plan == bound(query)
    assert isinstance(hash(plan), int)
    limit_to_window(plan, 10**18, 10**12)
    predicates = extract_row_predicates(plan)
    tables = predicates.tables.values() if isinstance(predicates, RowPredicates) else ()
    for predicate in (one for table in tables for one in table.alternatives):
        for condition in predicate.conditions:
            decision(condition)
    row_local.row_local_parts(plan)
    assert time.perf_counter() - began < SECONDS


@pytest.mark.parametrize(
    "query",
    [
        f"{T} | where " + "(" * LEVELS + "true" + ")" * LEVELS,
        f"{T} | extend x = " + "tolower(" * LEVELS + "FileName" + ")" * LEVELS,
        f"{T} | extend x = AdditionalFields" + "[0]" * LEVELS,
        "print dynamic(" + "[" * LEVELS + "1" + "]" * LEVELS + ")",
        "(" * LEVELS + T + " | take 1)" * LEVELS,
        T + " | where true" * 1_500,
        f"{T} | extend x = " + " + ".join(["ProcessId"] * 2_000),
    ],
)
def test_deeper_than_kusto_allows_is_refused_at_its_place(query: str) -> None:
    with pytest.raises(QueryErrors) as caught:
        bound(query)
    [error] = caught.value.errors
    assert error.message.startswith("more than ")
    assert 0 < error.span.start < error.span.end <= len(query)


@pytest.mark.parametrize("op", ["and", "or"])
def test_a_chain_is_one_call_wherever_its_parentheses_are(op: str) -> None:
    """Kleene's `and` and `or` are associative, so that a hunt of hundreds of conditions is no deep plan."""
    a, b, c, d = (f"FileName == '{name}'" for name in "abcd")
    chain = p.terms(condition(f"{a} {op} {b} {op} {c} {op} {d}"), op)
    assert [part.args[1].value for part in chain if isinstance(part, p.Call)] == ["a", "b", "c", "d"]  # type: ignore
    for written in (f"({a} {op} {b}) {op} ({c} {op} {d})", f"{a} {op} ({b} {op} ({c} {op} {d}))"):
        whole = condition(written)
        assert isinstance(whole, p.Call)
        assert (whole.function, len(whole.args)) == (op, 4)
        assert list(map(shape, whole.args)) == list(map(shape, chain))


def condition(text: str) -> p.Expr:
    plan = bound(f"{T} | where {text}")
    assert isinstance(plan, p.Filter)
    return plan.predicate


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("FileName == 'a' and 5 and true", "'and' is not defined for bool and long", "and 5"),
        ("5 or FileName == 'a' or 7", "'or' is not defined for long and bool", "or FileName"),
        ("FileName == 'a' or true or 5 or 7", "'or' is not defined for bool and long", "or 5"),
    ],
)
def test_what_is_no_condition_in_a_chain_is_named_once(text: str, message: str, at: str) -> None:
    with pytest.raises(QueryErrors) as caught:
        condition(text)
    [error] = caught.value.errors
    assert error.message == message
    assert caught.value.query[error.span.start :].startswith(at)


def doubled(first: str, step: str, last: str, levels: int = 25) -> str:
    names = "".join(f"let x{i} = {step.replace('#', f'x{i - 1}')};" for i in range(1, levels + 1))
    return f"let x0 = {first};{names}{last.replace('#', f'x{levels}')}"


@pytest.mark.parametrize(
    "query",
    [
        doubled("1", "# + #", "print y = #"),
        doubled("() { 1 }", "() { #() + #() }", "print y = #()"),
        doubled("(x: long) { x }", "(x: long) { #(x) + #(x) }", "print y = #(1)"),
        "let f = (x: long) { x + x }; print y = " + "f(" * 25 + "1" + ")" * 25,
    ],
)
def test_each_name_is_bound_once(query: str) -> None:
    began = time.perf_counter()
    plan = bound(query)
    assert time.perf_counter() - began < SECONDS
    assert isinstance(plan, p.Project)
    value = constants.fold(plan.expressions[0])
    assert isinstance(value, p.Const)
    assert value.value == 2**25


@pytest.mark.parametrize(
    "query",
    [
        doubled(T, "union #, #", "# | count"),
        doubled(T, "# | join kind=leftsemi # on FileName", "# | count"),
        doubled(f"{T} | project FileName", "# | where FileName in (#)", "#"),
        doubled("() { T }", "() { union #(), #() }", "#() | count").replace("{ T }", f"{{ {T} }}"),
        doubled("1", "toscalar(print # + #)", "print y = #"),
        doubled("(x: string) { x }", "(x: string) { strcat(#(x), #(x)) }", f"{T} | extend y = #(FileName)"),
    ],
)
def test_what_grows_with_every_name_is_refused_soon(query: str) -> None:
    began = time.perf_counter()
    with pytest.raises(QueryErrors, match="put in place") as caught:
        bound(query)
    assert time.perf_counter() - began < SECONDS
    assert {e.kind for e in caught.value.errors} == {Kind.UNSUPPORTED}


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ("Nope | where a has 'x' | extend b = c | project b, d | where b == d", ["there is no table 'Nope'"]),
        ("Nope | where a == 1 | summarize count() by b | where count_ > z",
         ["there is no table 'Nope'", "there is no column 'z'"]),
        (f"let x = Nope | where a == 1; x | join ({T}) on FileName | where q == 1", ["there is no table 'Nope'"]),
        (f"union {T}, Nope | where q == 1", ["there is no table 'Nope'"]),
        (f"{T} | extend x = nope(1) | where x == 2 | extend y = strlen(x) + 1", ["there is no function 'nope'"]),
        ("let f = (T: (a: long)) { T | where a == 1 }; Nope | invoke f()", ["there is no table 'Nope'"]),
    ],
)  # fmt: skip
def test_what_follows_from_an_error_is_no_further_error(query: str, messages: list[str]) -> None:
    with pytest.raises(QueryErrors) as caught:
        bound(query)
    assert [error.message for error in caught.value.errors] == messages
