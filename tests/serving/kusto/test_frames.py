"""Every type in JSON, and the frames around the rows. What is expected is what the published tests of Microsoft's
clients hold as recorded answers of Kusto, and what its documentation says, not what this server answered."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from lakehunt.serving.kusto import errors, frames
from lakehunt.serving.kusto.frames import Asked, Table, columns

ASKED = Asked("client;1", "2026-03-10T06:40:15.3380000Z", "00000000-0000-0000-0000-000000000001")

VALUES: list[tuple[str, Any, str]] = [
    # type, value of the engine, JSON
    ("bool", True, "true"),
    ("bool", False, "false"),
    ("bool", None, "null"),
    ("int", 1, "1"),
    ("int", -2147483648, "-2147483648"),
    ("long", 9223372036854775807, "9223372036854775807"),
    ("long", -9223372036854775808, "-9223372036854775808"),
    ("long", None, "null"),
    ("real", 0.01, "0.01"),
    ("real", "NaN", '"NaN"'),
    ("real", "Infinity", '"Infinity"'),
    ("real", "-Infinity", '"-Infinity"'),
    ("decimal", Decimal("2.000000000000010000"), '"2.00000000000001"'),
    ("decimal", Decimal(1200), '"1200"'),
    ("decimal", Decimal("1E+3"), '"1000"'),
    ("decimal", Decimal("-0.000000000000000001"), '"-0.000000000000000001"'),
    ("decimal", Decimal("0E-18"), '"0"'),
    ("decimal", None, "null"),
    ("datetime", "2020-03-04T14:05:01.3109965Z", '"2020-03-04T14:05:01.3109965Z"'),
    ("datetime", "2018-05-01T09:32:38.9165660Z", '"2018-05-01T09:32:38.916566Z"'),
    ("datetime", "2016-06-06T15:35:00.0000000Z", '"2016-06-06T15:35:00Z"'),
    ("datetime", "2020-10-20T10:20:30.0000000Z", '"2020-10-20T10:20:30Z"'),
    ("datetime", "0001-01-01T00:00:00.0000000Z", '"0001-01-01T00:00:00Z"'),
    ("datetime", "9999-12-31T23:59:59.9999999Z", '"9999-12-31T23:59:59.9999999Z"'),
    ("datetime", None, "null"),
    ("timespan", "01:23:45.6789000", '"01:23:45.6789000"'),
    ("timespan", "00:00:00", '"00:00:00"'),
    ("timespan", "-2.00:00:02.0020002", '"-2.00:00:02.0020002"'),
    ("timespan", None, "null"),
    ("guid", "123e27de-1e4e-49d9-b579-fe0b331d3642", '"123e27de-1e4e-49d9-b579-fe0b331d3642"'),
    ("guid", None, "null"),
    ("string", "", '""'),
    ("string", 'a "b" \\ c\n', '"a \\"b\\" \\\\ c\\n"'),
    ("string", "caf\u00e9 \U0001f600", '"caf\u00e9 \U0001f600"'),
    ("dynamic", {"moshe": "value"}, '{"moshe":"value"}'),
    ("dynamic", [1, "a", None, True, 1.5], '[1,"a",null,true,1.5]'),
    ("dynamic", "text", '"text"'),
    ("dynamic", None, "null"),
    ("dynamic", "\ud800", '"\ufffd"'),  # half of a pair, which is no UTF-8
]


@pytest.mark.parametrize(("kind", "value", "wanted"), VALUES)
def test_a_value_in_both_versions(kind: str, value: Any, wanted: str) -> None:
    table = Table(columns(f"x:{kind}"), [[value]])
    one = frames.version_1(ASKED, table, "{}").decode()
    two = frames.version_2(ASKED, table, "{}", fragmented=False, errors_at_end=False, defer=False).decode()
    command = frames.command(table).decode()
    for answer in (one, two, command):
        assert f'"Rows":[[{wanted}]]' in answer


def test_no_answer_is_other_than_json() -> None:
    """JSON has no NaN, which Python reads out of a dynamic text."""
    table = Table(columns("x:dynamic"), [[float("nan")], [[float("inf")]]])
    answer = frames.command(table).decode()
    assert json.loads(answer, parse_constant=pytest.fail)["Tables"][0]["Rows"] == [[None], [[None]]]


@pytest.mark.parametrize(
    ("kind", "dotnet"),
    [("bool", "SByte"), ("int", "Int32"), ("long", "Int64"), ("real", "Double"), ("decimal", "SqlDecimal"),
     ("datetime", "DateTime"), ("timespan", "TimeSpan"), ("guid", "Guid"), ("string", "String"),
     ("dynamic", "Object")],
)  # fmt: skip
def test_a_column_of_version_1_has_its_dotnet_type(kind: str, dotnet: str) -> None:
    table = json.loads(frames.version_1(ASKED, Table(columns(f"x:{kind}"), []), "{}"))["Tables"][0]
    assert table["Columns"] == [{"ColumnName": "x", "DataType": dotnet, "ColumnType": kind}]


def test_a_bool_of_a_command_is_a_boolean() -> None:
    (table,) = json.loads(frames.command(Table(columns("x:bool, y:long"), [[True, 1]])))["Tables"]
    assert [column["DataType"] for column in table["Columns"]] == ["Boolean", "Int64"]


TWO = Table(columns("a:long"), [[1], [2]])


def version_2(table: Table = TWO, **how: bool) -> list[dict[str, Any]]:
    chosen = {"fragmented": False, "errors_at_end": False, "defer": False} | how
    found: list[dict[str, Any]] = json.loads(frames.version_2(ASKED, table, '{"Visualization":null}', **chosen))
    return found


def test_the_frames_of_version_2() -> None:
    header, properties, primary, completion, end = version_2()
    assert header == {
        "FrameType": "DataSetHeader",
        "IsProgressive": False,
        "Version": "v2.0",
        "IsFragmented": False,
        "ErrorReportingPlacement": "InData",
    }
    assert (properties["TableKind"], properties["TableName"]) == ("QueryProperties", "@ExtendedProperties")
    assert properties["Rows"] == [[1, "Visualization", '{"Visualization":null}']]
    assert primary == {
        "FrameType": "DataTable",
        "TableId": 1,
        "TableKind": "PrimaryResult",
        "TableName": "PrimaryResult",
        "Columns": [{"ColumnName": "a", "ColumnType": "long"}],
        "Rows": [[1], [2]],
    }
    assert completion["TableKind"] == "QueryCompletionInformation"
    names = [column["ColumnName"] for column in completion["Columns"]]
    info, statistics = (dict(zip(names, row, strict=True)) for row in completion["Rows"])
    assert (info["Level"], info["StatusCode"], info["ClientRequestId"]) == (4, 0, "client;1")
    assert json.loads(info["Payload"]) == {"Count": 1, "Text": "Query completed successfully"}
    assert json.loads(statistics["Payload"])["dataset_statistics"] == [{"table_row_count": 2}]
    assert end == {"FrameType": "DataSetCompletion", "HasErrors": False, "Cancelled": False}


def test_each_frame_is_on_a_line_of_its_own() -> None:
    """The Go client reads them line by line: the first begins with `[`, the others with `,`."""
    text = frames.version_2(ASKED, TWO, "{}", fragmented=True, errors_at_end=True, defer=False).decode()
    first, *others, last = text.split("\n")
    assert json.loads(first[1:])["FrameType"] == "DataSetHeader"
    assert [json.loads(line.removeprefix(","))["FrameType"] for line in others] == [
        "DataTable", "TableHeader", "TableFragment", "TableCompletion", "DataTable", "DataSetCompletion"
    ]  # fmt: skip
    assert (first[0], {line[0] for line in others}, last) == ("[", {","}, "]")


def test_a_fragmented_table() -> None:
    header, _, head, fragment, end, *_ = version_2(fragmented=True, errors_at_end=True)
    assert (header["IsFragmented"], header["ErrorReportingPlacement"]) == (True, "EndOfTable")
    assert (head["TableKind"], head["Columns"]) == ("PrimaryResult", [{"ColumnName": "a", "ColumnType": "long"}])
    assert (fragment["TableFragmentType"], fragment["Rows"]) == ("DataAppend", [[1], [2]])
    assert (end["TableId"], end["RowCount"]) == (1, 2)


CUT = Table(columns("a:long"), [[1]], error=errors.too_large("1 records"))
MESSAGE = (
    "Query execution has exceeded the allowed limits (80DA0003): The results of this query exceed the set limit of 1 "
    "records, so not all records were returned (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003). See "
    "https://aka.ms/kustoquerylimits for more information and possible solutions.."
)


def test_a_result_that_was_cut() -> None:
    primary, _, end = version_2(CUT)[2:]
    assert primary["Rows"][0] == [1]
    (error,) = primary["Rows"][1]["OneApiErrors"]
    assert error["error"]["code"] == "LimitsExceeded"
    assert error["error"]["@message"] == MESSAGE
    assert (end["HasErrors"], end["OneApiErrors"]) == (True, [error])
    # it may be asked for elsewhere
    *_, ended = version_2(CUT, fragmented=True, errors_at_end=True)[:5]
    assert (ended["FrameType"], ended["OneApiErrors"]) == ("TableCompletion", [error])
    assert version_2(CUT, defer=True)[2]["Rows"] == [[1]]


def test_the_tables_of_version_1() -> None:
    tables = json.loads(frames.version_1(ASKED, TWO, "{}"))["Tables"]
    result, properties, status, contents = tables
    assert [table["TableName"] for table in tables] == ["Table_0", "Table_1", "Table_2", "Table_3"]
    assert (result["Rows"], properties["Rows"]) == ([[1], [2]], [["{}"]])
    assert status["Rows"][0][1:5] == [4, "Info", 0, "Query completed successfully"]
    assert [row[:3] for row in contents["Rows"]] == [
        [0, "QueryResult", "PrimaryResult"],
        [1, "QueryProperties", "@ExtendedProperties"],
        [2, "QueryStatus", "QueryStatus"],
    ]
    cut = json.loads(frames.version_1(ASKED, CUT, "{}"))
    assert cut["Exceptions"] == [MESSAGE]
    assert cut["Tables"][0]["Rows"] == [[1], {"Exceptions": [MESSAGE]}]


@pytest.mark.parametrize(
    ("render", "wanted"),
    [
        ("", {"Visualization": None, "Title": None}),
        ("render timechart", {"Visualization": "timechart", "Title": None, "Kind": None}),
        (
            'render columnchart with (title="a, b", xcolumn=t, ycolumns=x, y, kind=stacked, accumulate=true)',
            {"Visualization": "columnchart", "Title": "a, b", "XColumn": "t", "YColumns": ["x", "y"],
             "Kind": "stacked", "Accumulate": True},
        ),
    ],
)  # fmt: skip
def test_how_a_client_shall_draw_the_rows(render: str, wanted: dict[str, Any]) -> None:
    found = json.loads(frames.visualization(render))
    assert {name: found[name] for name in wanted} == wanted
