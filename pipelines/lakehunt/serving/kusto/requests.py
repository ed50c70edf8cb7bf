"""What a client asks: the body or the address of a request.

Source: learn.microsoft.com/kusto/api/rest/request and request-properties."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lakehunt.kql import times
from lakehunt.kql.types import TICKS_PER_SECOND
from lakehunt.serving.kusto.errors import bad_request


@dataclass(frozen=True)
class Options:
    """The options of a request that this server acts on; others are read over, as Kusto does with unknown ones.

    Seconds, records and bytes are what the client allows: the server's own limits stay above them."""

    seconds: float | None = None
    now: int | None = None
    """Ticks: what now() is, and up to when events are seen."""
    take: int | None = None
    """Rows after which a result simply ends."""
    records: int | None = None
    size: int | None = None
    schema_only: bool = False
    external_data: bool = True
    fragmented: bool = False
    """The primary table as a header, fragments and an end (`results_v2_fragment_primary_tables`)."""
    errors_at_end: bool = False
    """Errors where a table ends, not among its rows (`results_error_reporting_placement`)."""
    defer_errors: bool = False
    """No error among the rows of a table, only at the end of the answer (`deferpartialqueryfailures`)."""


@dataclass(frozen=True)
class Request:
    """A query or a command, for a database (empty: not said)."""

    text: str
    database: str = ""
    options: Options = field(default_factory=Options)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    client_request_id: str = ""
    application: str = ""
    user: str = ""


def read(body: bytes, headers: Mapping[str, str]) -> Request:
    """The request of a POST. Raises KustoError if it is not one."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise bad_request("the body is not JSON in UTF-8") from error
    if not isinstance(asked, dict):
        raise bad_request("the body is not a JSON object")
    return of(asked, headers)


def of(asked: Mapping[str, Any], headers: Mapping[str, str]) -> Request:
    """The request that has these properties (`csl`, `db`, `properties`). Raises KustoError if it is not one."""
    text, database = asked.get("csl"), asked.get("db")
    if not isinstance(text, str):
        raise bad_request("there is no `csl`, the text of the query or command")
    if not (database is None or isinstance(database, str)):
        raise bad_request("`db` is not the name of a database")
    properties = _properties(asked.get("properties"))
    options = _object(properties, "Options")
    given = properties.get("ClientRequestId")
    return Request(
        text,
        database or "",
        _options(options),
        _object(properties, "Parameters"),
        _shown(headers.get("x-ms-client-request-id") or given) or f"unspecified;{uuid.uuid4()}",
        _shown(headers.get("x-ms-app") or options.get("request_app_name")),
        _shown(headers.get("x-ms-user") or headers.get("x-ms-user-id") or options.get("request_user")),
    )


def _properties(written: object) -> dict[str, Any]:
    """The properties, which may be an object or the text of one."""
    if isinstance(written, str) and written.strip():
        try:
            written = json.loads(written)
        except (ValueError, RecursionError) as error:
            raise bad_request("`properties` is not JSON") from error
    if written is None or written == "":
        return {}
    if not isinstance(written, dict):
        raise bad_request("`properties` is not a JSON object")
    return written


def _object(properties: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A property that is an object. Grafana writes its name in lower case."""
    found = properties.get(name, properties.get(name.lower()))
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise bad_request(f"`{name}` is not a JSON object")
    return found


def _shown(text: object) -> str:
    """A text that goes into a header: printable ASCII, and not too long."""
    kept = "".join(c for c in text if " " <= c <= "~") if isinstance(text, str) else ""
    return kept[:200]


def _options(written: Mapping[str, Any]) -> Options:
    if _true(written, "query_language_sql") or str(written.get("query_language", "kql")).lower() == "sql":
        raise bad_request("this server answers KQL, not SQL (`lakehunt serve` without --kusto does)")
    return Options(
        seconds=_seconds(written),
        now=_now(written),
        take=_count(written, "query_take_max_records"),
        records=_count(written, "truncationmaxrecords", "truncation_max_records"),
        size=_count(written, "truncationmaxsize", "truncation_max_size"),
        schema_only=_true(written, "query_results_apply_getschema"),
        external_data=not _true(written, "request_external_data_disabled"),
        fragmented=_true(written, "results_v2_fragment_primary_tables"),
        errors_at_end=str(written.get("results_error_reporting_placement", "")).lower() == "end_of_table",
        defer_errors=_true(written, "deferpartialqueryfailures"),
    )


def _true(written: Mapping[str, Any], name: str) -> bool:
    value = written.get(name)
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _count(written: Mapping[str, Any], *names: str) -> int | None:
    name = next((name for name in names if written.get(name) is not None), None)
    if name is None:
        return None
    value = written[name]
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise bad_request(f"the option {name} is not a number of records or bytes")
    return value


def _seconds(written: Mapping[str, Any]) -> float | None:
    """`servertimeout`: a timespan (`00:04:00`, `4m`), or ticks. `norequesttimeout` asks for the server's maximum."""
    value = written.get("servertimeout")
    if value is None or _true(written, "norequesttimeout"):
        return None
    ticks = times.parse_timespan(value) if isinstance(value, str) else value
    if isinstance(ticks, bool) or not isinstance(ticks, (int, float)) or not 0 < ticks < 2**63:
        raise bad_request("the option servertimeout is not a timespan such as 00:04:00 or 4m")
    return ticks / TICKS_PER_SECOND


def _now(written: Mapping[str, Any]) -> int | None:
    """`query_now`: a datetime, also as the literal `datetime(...)`."""
    value = written.get("query_now")
    if value is None:
        return None
    text = value.strip() if isinstance(value, str) else ""
    if text.startswith("datetime(") and text.endswith(")"):
        text = text[len("datetime(") : -1]
    ticks = times.parse_datetime(text.strip().strip("'\""))
    if ticks is None:
        raise bad_request("the option query_now is not a datetime such as 2026-03-10T00:00:00Z")
    return ticks
