"""Values of query parameters become literals, and never a part of the query."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.hunting.query.table_catalog import EVENTS_ONLY
from lakehunt.kql import plan as p
from lakehunt.kql.errors import QueryErrors
from lakehunt.serving.kusto import parameters, text


def constants(query: str, **values: Any) -> list[object]:
    """What the columns of `print ...` are, after the query was filled and compiled."""
    plan = EVENTS_ONLY.bind(parameters.filled(query, values).text)
    return [part.value for part in p.expressions(plan) if isinstance(part, p.Const)]


@pytest.mark.parametrize(
    ("declared", "value", "wanted"),
    [
        ("x: long", 10, 10),
        ("x: long", "10", 10),
        ("x: long", "-10", -10),
        ("x: string", "a'b\"c\\ \n;| take 1", "a'b\"c\\ \n;| take 1"),
        ("x: string", "", ""),
        ("x: string", '"who\\\'ami"', "who'ami"),  # a literal, as the Go client sends it
        ("x: string", "'a'; DeviceProcessEvents", "'a'; DeviceProcessEvents"),
        ("x: string", "h", "h"),
        ("x: bool", True, True),
        ("x: bool", "false", False),
        ("x: real", 1.5, 1.5),
        ("x: timespan", "timespan(2d)", 2 * 864_000_000_000),
        ("x: datetime", "datetime(1970-01-02)", 864_000_000_000),
        ("x: long = 3", None, 3),
        ("x: string = 'a'", "b", "b"),
    ],
)
def test_a_value(declared: str, value: object, wanted: object) -> None:
    values = {} if value is None else {"x": value}
    assert wanted in constants(f"declare query_parameters({declared}); print y = x", **values)


def test_several_after_a_set_statement() -> None:
    query = "set notruncation;\ndeclare query_parameters(a: long, d: dynamic = dynamic([1]));\nprint a, d"
    filled = parameters.filled(query, {"a": 5, "d": 'dynamic(["x"])'})
    assert filled.text == 'set notruncation;\nlet a = long(5); let d = dynamic(["x"]);\nprint a, d'


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("x: long", "1; DeviceProcessEvents"),
        ("x: long", "toscalar(DeviceProcessEvents | count)"),
        ("x: datetime", "now()"),
        ("x: dynamic", "dynamic([1]) | take 1"),
        ("x: long", "y"),
        ("x: long", ""),
        ("x: long", None),
        ("x: timespan", {"a": 1}),
        ("x: string", 5),
    ],
)
def test_what_is_no_value_of_the_type(declared: str, value: object) -> None:
    with pytest.raises(QueryErrors) as refused:
        parameters.filled(f"declare query_parameters({declared}); print x", {"x": value})
    assert refused.value.place(refused.value.errors[0]) == (1, 26)


@pytest.mark.parametrize("query", ["print 'declare'", "print declare = 1", "// declare\nprint 1"])
def test_a_query_that_declares_nothing_is_left_as_it_is(query: str) -> None:
    assert parameters.filled(query, {}).text == query


def test_errors_are_shown_in_what_the_client_wrote() -> None:
    query = "declare query_parameters(text: string);\nDeviceProcessEvents\n| where NoSuch == text"
    filled = parameters.filled(query, {"text": "x" * 500})
    with pytest.raises(QueryErrors) as refused:
        EVENTS_ONLY.bind(filled.text)
    found = filled.original(refused.value)
    assert found.query == query
    assert [found.place(error) for error in found.errors] == [(3, 9)]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("database('lakehunt').T | count", "                     T | count"),
        ('T | join (database("LakeHunt")\n.U) on k', "T | join (                    \n U) on k"),
        ("database('other').T", "database('other').T"),
        ("cluster('x').database('lakehunt').T", "cluster('x').database('lakehunt').T"),
        ("print 'database(\\'lakehunt\\').T'", "print 'database(\\'lakehunt\\').T'"),
        ("T | where database == '\ud800", "T | where database == '\ud800"),
        ("database('lakehunt')", "database('lakehunt')"),
    ],
)
def test_the_name_of_this_database_is_read_over(query: str, wanted: str) -> None:
    assert text.of_this_database(query, "lakehunt") == wanted


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])).filter(lambda text: text[:1] not in "'\"@hH`~"))
def test_any_text_is_one_string_literal(value: str) -> None:
    assert value in constants("declare query_parameters(x: string); print y = x", x=value)
    assert value in constants(f"print y = {text.string(value)}")


@given(st.text(alphabet="'\"@h`~\\\\;|a \n"))
def test_no_text_becomes_more_than_one_value(value: str) -> None:
    """Whatever quotes it has, the query has as many statements as before, and one column."""
    plan = EVENTS_ONLY.bind(parameters.filled("declare query_parameters(x: string); print y = x", {"x": value}).text)
    assert [column.name for column in plan.schema] == ["y"]
    assert all(isinstance(part, p.Const) for part in p.expressions(plan))
