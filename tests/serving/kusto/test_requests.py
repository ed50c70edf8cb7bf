"""What a request asks: bodies of clients, in our words, and bodies that are none."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.kql import times
from lakehunt.serving.kusto import requests
from lakehunt.serving.kusto.errors import KustoError


def read(body: Any, **headers: str) -> requests.Request:
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.read(written, {name.replace("_", "-"): value for name, value in headers.items()})


def options(**written: Any) -> requests.Options:
    return read({"csl": "T", "properties": {"Options": written}}).options


def test_a_request_of_the_python_client() -> None:
    """Its properties are the text of an object."""
    properties = json.dumps({"Options": {"servertimeout": "0:02:00"}, "Parameters": {"n": "10"}})
    found = read(
        {"db": "lakehunt", "csl": "T | take 1", "properties": properties},
        x_ms_client_request_id="KPC.execute;1",
        x_ms_app="hunter.py",
        x_ms_user="ann",
    )
    assert (found.text, found.database, found.parameters) == ("T | take 1", "lakehunt", {"n": "10"})
    assert (found.client_request_id, found.application, found.user) == ("KPC.execute;1", "hunter.py", "ann")
    assert found.options.seconds == 120


def test_a_request_of_grafanas_plugin() -> None:
    """Its `options` are in lower case, and it sends the source of the query."""
    found = read({
        "db": "lakehunt", "csl": "T", "querySource": "raw",
        "properties": {"options": {"queryconsistency": "weakconsistency", "servertimeout": "00:00:30"}},
    })  # fmt: skip
    assert found.options.seconds == 30


def test_a_request_with_nothing_but_a_text() -> None:
    found = read({"csl": ".show tables"})
    assert (found.database, found.options, found.parameters) == ("", requests.Options(), {})
    assert found.client_request_id.startswith("unspecified;")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("00:04:00", 240), ("4m", 240), ("1.00:00:00", 86400), ("0:02:00", 120), (600_000_000, 60), ("00:00:00.5", 0.5)],
)
def test_a_timeout(written: object, seconds: float) -> None:
    assert options(servertimeout=written).seconds == seconds


def test_options() -> None:
    assert options(norequesttimeout=True, servertimeout="00:01:00").seconds is None
    assert options(truncationmaxrecords=5, truncationmaxsize="1000").records == 5
    assert options(truncation_max_size=1000).size == 1000
    assert options(query_take_max_records=7).take == 7
    assert options(query_now="datetime(2026-03-10)").now == times.parse_datetime("2026-03-10")
    assert options(query_now="2026-03-10T06:40:15.338Z").now == times.parse_datetime("2026-03-10T06:40:15.338Z")
    assert options(results_v2_fragment_primary_tables=True).fragmented
    assert options(results_error_reporting_placement="end_of_table").errors_at_end
    assert not options(request_external_data_disabled="true").external_data
    assert options(query_results_apply_getschema=True).schema_only
    assert options(a_new_option=[1], request_readonly=True) == requests.Options()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"T | take 1", b"[]", b"null", b"\xff\xfe", b'{"csl": "T"', b"[" * 100_000,
        {}, {"csl": None}, {"csl": 1}, {"csl": "T", "db": 1}, {"csl": "T", "properties": "{"},
        {"csl": "T", "properties": [1]}, {"csl": "T", "properties": {"Options": [1]}},
        {"csl": "T", "properties": {"Parameters": "x"}},
        {"csl": "T", "properties": {"Options": {"servertimeout": "soon"}}},
        {"csl": "T", "properties": {"Options": {"servertimeout": "-00:01:00"}}},
        {"csl": "T", "properties": {"Options": {"servertimeout": True}}},
        {"csl": "T", "properties": {"Options": {"truncationmaxrecords": -1}}},
        {"csl": "T", "properties": {"Options": {"truncationmaxrecords": "9" * 5000}}},
        {"csl": "T", "properties": {"Options": {"query_now": "yesterday"}}},
        {"csl": "T", "properties": {"Options": {"query_language": "sql"}}},
    ],
)  # fmt: skip
def test_what_is_no_request(body: Any) -> None:
    with pytest.raises(KustoError) as refused:
        read(body)
    assert refused.value.status == 400
    assert refused.value.description.startswith("Request is invalid and cannot be processed: ")


def test_what_goes_into_a_header_can_be_in_one() -> None:
    """The id of a request is sent back in a header."""
    assert (
        read({"csl": "T"}, x_ms_client_request_id="a\r\nSet-Cookie: x\x00\u00e9").client_request_id == "aSet-Cookie: x"
    )
    found = read({"csl": "T", "properties": {"ClientRequestId": "b" * 5000}})
    assert found.client_request_id == "b" * 200


NAMES = st.sampled_from(
    ["csl", "db", "properties", "Options", "options", "Parameters", "ClientRequestId", "servertimeout", "query_now",
     "truncationmaxrecords", "query_take_max_records", "query_language", "norequesttimeout"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=6),
)


@given(JSON | st.fixed_dictionaries({"csl": st.text(), "properties": st.fixed_dictionaries({"Options": JSON})}))
def test_whatever_is_sent_is_a_request_or_an_error(body: Any) -> None:
    with suppress(KustoError):
        found = read(body)
        assert isinstance(found.text, str)
        assert found.client_request_id.isascii()
