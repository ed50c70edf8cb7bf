"""Answers as JSON, in both versions of Kusto's protocol.

| type     | JSON                                                                             |
| -------- | -------------------------------------------------------------------------------- |
| bool     | true, false                                                                      |
| int      | number                                                                           |
| long     | number, all digits                                                               |
| real     | number; the texts "NaN", "Infinity", "-Infinity"                                 |
| decimal  | text with all digits, so that none is lost: "2.00000000000001"                   |
| datetime | text, UTC; a fraction only where there is one: "2020-03-04T14:05:01.3109965Z"    |
| timespan | text, [-][d.]hh:mm:ss[.fffffff]: "1.02:03:04.0000005"                            |
| guid     | text                                                                             |
| string   | text, never null                                                                 |
| dynamic  | the JSON value itself                                                            |

Null is null. Source: learn.microsoft.com/kusto/api/rest/response-v2 and response-http, and what the published tests of
Microsoft's clients hold as recorded answers."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from lakehunt.kql.binding.rows import DOTNET_TYPES
from lakehunt.kql.types import BY_NAME, DATETIME, DECIMAL, Column, Schema
from lakehunt.serving.kusto.errors import TOO_LARGE, TOO_LARGE_TEXT, JsonObject, KustoError

Rows = Sequence[Sequence[Any]]

DOTNET = {name: dotnet.rpartition(".")[2] for name, dotnet in DOTNET_TYPES.items()}
"""The .NET type of each type, without `System.`: the `DataType` of a column in version 1."""


@dataclass(frozen=True)
class Table:
    """A result: rows of JSON values, datetimes and timespans as text, as `lakehunt.spark.values.as_json` gives them;
    decimals may be Decimal. `error` is what ended it early."""

    schema: Schema
    rows: Rows
    name: str = "PrimaryResult"
    error: KustoError | None = None


@dataclass(frozen=True)
class Asked:
    """What identifies a request and its answer: in headers, in errors and in the tables about the answer."""

    client_request_id: str
    at: str
    """When it came, as Kusto writes datetimes."""
    activity_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def context(self) -> JsonObject:
        """The @context of its errors."""
        return {
            "timestamp": self.at,
            "serviceAlias": "LAKEHUNT",
            "clientRequestId": self.client_request_id,
            "activityId": self.activity_id,
            "subActivityId": self.activity_id,
            "parentActivityId": self.activity_id,
        }

    def error(self, error: KustoError) -> JsonObject:
        """The object that holds a OneApiError."""
        return {"error": error.as_json(self.context)}


# Values


def encoded(rows: Rows, schema: Schema) -> list[list[Any]]:
    """The rows as they are sent; see above."""
    special = [(i, _FORMS[c.type.name]) for i, c in enumerate(schema) if c.type in (DATETIME, DECIMAL)]
    made = [list(row) for row in rows]
    for row in made:
        for i, form in special:
            if row[i] is not None:
                row[i] = form(row[i])
    return made


def _datetime(value: str) -> str:
    """Without zeros at the end of its fraction."""
    if value[-2:] != "0Z":
        return value
    second, _, fraction = value[:-1].partition(".")
    fraction = fraction.rstrip("0")
    return f"{second}.{fraction}Z" if fraction else f"{second}Z"


def _decimal(value: Decimal | float | str) -> str:
    """All digits, without an exponent and without zeros at the end of the fraction."""
    text = f"{Decimal(str(value)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


_FORMS: Mapping[str, Any] = {"datetime": _datetime, "decimal": _decimal}

_HALVES = re.compile("[\ud800-\udfff]")
_ENCODER = msgspec.json.Encoder()


def dumped(value: object) -> bytes:
    """JSON in UTF-8. Half of a UTF-16 pair, which a dynamic value may hold, becomes U+FFFD, as in .NET."""
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return _HALVES.sub("\ufffd", text).encode()


# Version 2


def version_2(asked: Asked, table: Table, properties: str, fragmented: bool, errors_at_end: bool, defer: bool) -> bytes:
    """The answer to a query: an array of frames, each on a line of its own.

    `properties` is the JSON of `visualization`. An error of the table is among its rows, or where it ends, or with
    `defer` only in the last frame."""
    frames = _frames(asked, table, properties, fragmented, errors_at_end, defer)
    return b"[" + b"\n,".join(map(dumped, frames)) + b"\n]"


def _frames(
    asked: Asked, table: Table, properties: str, fragmented: bool, errors_at_end: bool, defer: bool
) -> Iterator[JsonObject]:
    placement = "EndOfTable" if errors_at_end else "InData"
    header = {"FrameType": "DataSetHeader", "IsProgressive": False, "Version": "v2.0"}
    yield header | {"IsFragmented": fragmented, "ErrorReportingPlacement": placement}
    yield _frame(0, "QueryProperties", "@ExtendedProperties", _PROPERTIES, [[1, "Visualization", properties]])
    errors = [{"OneApiErrors": [asked.error(table.error)]}] if table.error and not defer else []
    rows: list[Any] = encoded(table.rows, table.schema)
    at_end = errors[0] if errors and errors_at_end else {}
    if errors and not errors_at_end:
        rows.append(errors[0])
    if fragmented:
        yield _head(1, "PrimaryResult", table.name, table.schema, "TableHeader")
        yield {"FrameType": "TableFragment", "TableFragmentType": "DataAppend", "TableId": 1, "Rows": rows}
        yield {"FrameType": "TableCompletion", "TableId": 1, "RowCount": len(table.rows)} | at_end
    else:
        yield _frame(1, "PrimaryResult", table.name, table.schema, rows) | at_end
    yield _frame(2, "QueryCompletionInformation", "QueryCompletionInformation", _COMPLETION, _completion(asked, table))
    failed = {"OneApiErrors": [asked.error(table.error)]} if table.error else {}
    yield {"FrameType": "DataSetCompletion", "HasErrors": bool(table.error), "Cancelled": False} | failed


def _head(place: int, kind: str, name: str, schema: Schema, frame: str) -> JsonObject:
    columns = [{"ColumnName": c.name, "ColumnType": c.type.name} for c in schema]
    return {"FrameType": frame, "TableId": place, "TableKind": kind, "TableName": name, "Columns": columns}


def _frame(place: int, kind: str, name: str, schema: Schema, rows: Sequence[Any]) -> JsonObject:
    return _head(place, kind, name, schema, "DataTable") | {"Rows": rows}


def _completion(asked: Asked, table: Table) -> Rows:
    who = (asked.at, asked.client_request_id, asked.activity_id, asked.activity_id, asked.activity_id)
    statistics = json.dumps({"dataset_statistics": [{"table_row_count": len(table.rows)}]})
    return [
        [*who, *_outcome(table.error, coded=True), _status(table.error)],
        [*who, 6, "Stats", 0, "S_OK (0)", 0, "QueryResourceConsumption", statistics],
    ]


def _outcome(error: KustoError | None, coded: bool) -> tuple[Any, ...]:
    if error is None:
        return (4, "Info", 0, "S_OK (0)", 4, "QueryInfo") if coded else (4, "Info", 0)
    if coded:
        return 2, "Error", TOO_LARGE, f"{TOO_LARGE_TEXT} ({TOO_LARGE})", 1, "QueryLimitsExceeded"
    return 2, "Error", TOO_LARGE


def _status(error: KustoError | None) -> str:
    return json.dumps({"Count": 1, "Text": error.description if error else "Query completed successfully"})


# Version 1


def version_1(asked: Asked, table: Table, properties: str) -> bytes:
    """The answer to a query: its result, then tables about it, of which the last one lists the others."""
    contents = [
        [0, "QueryResult", table.name, asked.activity_id, ""],
        [1, "QueryProperties", "@ExtendedProperties", str(uuid.uuid4()), ""],
        [2, "QueryStatus", "QueryStatus", "00000000-0000-0000-0000-000000000000", ""],
    ]
    rows: list[Any] = encoded(table.rows, table.schema)
    if table.error is not None:
        rows.append({"Exceptions": [table.error.description]})
    who = (1, asked.activity_id, asked.activity_id, asked.activity_id, asked.client_request_id)
    said = table.error.description if table.error else "Query completed successfully"
    tables = [
        _table(0, table.schema, rows),
        _table(1, _VALUE, [[properties]]),
        _table(2, _STATUS, [[asked.at, *_outcome(table.error, coded=False), said, *who]]),
        _table(3, _CONTENTS, contents),
    ]
    failed = {"Exceptions": [table.error.description]} if table.error else {}
    return dumped({"Tables": tables} | failed)


def command(table: Table) -> bytes:
    """The answer to a command: one table, of which a bool is a Boolean."""
    made = _table(0, table.schema, encoded(table.rows, table.schema), DOTNET | {"bool": "Boolean"})
    return dumped({"Tables": [made]})


def _table(place: int, schema: Schema, rows: Sequence[Any], dotnet: Mapping[str, str] = DOTNET) -> JsonObject:
    columns = [{"ColumnName": c.name, "DataType": dotnet[c.type.name], "ColumnType": c.type.name} for c in schema]
    return {"TableName": f"Table_{place}", "Columns": columns, "Rows": rows}


def failure(asked: Asked, error: KustoError) -> bytes:
    """The body of an answer that is an error."""
    return dumped(asked.error(error))


# The tables about an answer


def columns(text: str) -> Schema:
    """Columns written as `name:type, name:type`."""
    parts = (part.strip().partition(":") for part in text.split(","))
    return tuple(Column(name, BY_NAME[kind]) for name, _, kind in parts)


_PROPERTIES = columns("TableId:int, Key:string, Value:dynamic")
_COMPLETION = columns(
    "Timestamp:datetime, ClientRequestId:string, ActivityId:guid, SubActivityId:guid, ParentActivityId:guid, Level:int,"
    "LevelName:string, StatusCode:int, StatusCodeName:string, EventType:int, EventTypeName:string, Payload:string"
)
_VALUE = columns("Value:string")
_STATUS = columns(
    "Timestamp:datetime, Severity:int, SeverityName:string, StatusCode:int, StatusDescription:string, Count:int,"
    "RequestId:guid, ActivityId:guid, SubActivityId:guid, ClientActivityId:string"
)
_CONTENTS = columns("Ordinal:long, Kind:string, Name:string, Id:string, PrettyName:string")

_DRAWN = {
    "title": "Title",
    "xcolumn": "XColumn",
    "series": "Series",
    "ycolumns": "YColumns",
    "anomalycolumns": "AnomalyColumns",
    "xtitle": "XTitle",
    "ytitle": "YTitle",
    "xaxis": "XAxis",
    "yaxis": "YAxis",
    "legend": "Legend",
    "ysplit": "YSplit",
    "accumulate": "Accumulate",
    "kind": "Kind",
    "ymin": "Ymin",
    "ymax": "Ymax",
    "xmin": "Xmin",
    "xmax": "Xmax",
}
"""Properties of `render`, and what an answer calls them."""

_UNDRAWN: JsonObject = {"Visualization": None} | dict.fromkeys(_DRAWN.values()) | {
    "Accumulate": False, "IsQuerySorted": False, "Ymin": "NaN", "Ymax": "NaN"
}  # fmt: skip


_PROPERTY = re.compile(
    r"""([A-Za-z]+)\s*=\s*(
        "[^"]*" | '[^']*'                      # "a title"
        | [^,)\s]+ (?: \s*,\s* (?!\w+\s*=) [^,)\s]+ )*  # a, b
    )""",
    re.VERBOSE,
)


def visualization(render: str) -> str:
    """How a client shall draw the rows, as JSON, from the text of a query's `render` operator; empty: it has none."""
    if not render:
        return json.dumps(_UNDRAWN)
    head = re.match(r"\s*render\s+([A-Za-z]+)", render)
    named = _PROPERTY.findall(render)
    drawn = {_DRAWN[name.lower()]: _drawn(name.lower(), value) for name, value in named if name.lower() in _DRAWN}
    return json.dumps(_UNDRAWN | {"Visualization": head[1] if head else None} | drawn)


def _drawn(name: str, value: str) -> object:
    text = value.strip("\"'[] ")
    if name in ("ycolumns", "anomalycolumns", "series"):
        return [part.strip(" '\"") for part in text.split(",")]
    return text.lower() == "true" if name == "accumulate" else text
