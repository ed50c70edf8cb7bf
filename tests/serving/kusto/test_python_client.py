"""Microsoft's own client for Python, azure-kusto-data, as its users call it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from azure.kusto.data import ClientRequestProperties, KustoClient, KustoConnectionStringBuilder
from azure.kusto.data.exceptions import KustoApiError, KustoMultiApiError, KustoServiceError
from azure.kusto.data.helpers import dataframe_from_result_table

from lakehunt.lake.delta_lake import Lake
from lakehunt.serving.kusto import access
from tests.support.kusto import Kusto, kusto
from tests.support.serving import IPCONFIG

DATABASE = "lakehunt"


@pytest.fixture(scope="module")
def client(endpoint: Kusto) -> Iterator[KustoClient]:
    with KustoClient(endpoint.url) as one:
        yield one


def properties(**options: object) -> ClientRequestProperties:
    made = ClientRequestProperties()
    for name, value in options.items():
        made.set_option(name, value)
    return made


def test_rows_and_their_types(client: KustoClient) -> None:
    answer = client.execute(
        DATABASE,
        "print d = decimal(2.00000000000001), t = datetime(2020-03-04T14:05:01.310996Z), s = timespan(-1.02:03:04), "
        "l = 9223372036854775807, b = true, o = dynamic({'a': [1]}), n = int(null)",
    )
    (table,) = answer.primary_results
    (row,) = table
    assert row["d"] == Decimal("2.00000000000001")
    assert row["t"] == datetime(2020, 3, 4, 14, 5, 1, 310996, tzinfo=UTC)
    assert row["s"] == -timedelta(days=1, hours=2, minutes=3, seconds=4)
    assert (row["l"], row["b"], row["o"], row["n"]) == (9223372036854775807, True, {"a": [1]}, None)
    assert (answer.errors_count, answer.get_exceptions()) == (0, [])


def test_a_data_frame(client: KustoClient) -> None:
    query = (
        "DeviceProcessEvents | order by ReportId asc | project Timestamp, ReportId, DeviceName, s = 1d + 1tick, r = 0.5"
    )
    frame = dataframe_from_result_table(client.execute_query(DATABASE, query).primary_results[0])
    assert list(map(str, frame.dtypes)) == ["datetime64[ns, UTC]", "Int64", "str", "timedelta64[ns]", "Float64"]
    assert frame["Timestamp"][1].isoformat() == "2026-03-02T12:00:00.123456700+00:00"
    assert frame["s"][0].value == (86_400 * 10**7 + 1) * 100
    assert frame["DeviceName"].tolist() == ["web01", "web01", "web02", "web03"]


def test_rows_that_come_one_by_one(client: KustoClient) -> None:
    answer = client.execute_streaming_query(DATABASE, "range x from 1 to 5 step 1")
    for table in answer.iter_primary_results():
        assert [row["x"] for row in table] == [1, 2, 3, 4, 5]
    assert answer.errors_count == 0


def test_commands(client: KustoClient) -> None:
    tables = client.execute(DATABASE, ".show tables").primary_results[0]
    assert "DeviceProcessEvents" in [row["TableName"] for row in tables]
    counted = client.execute_mgmt(DATABASE, ".show tables | where Folder == 'Views' | count").primary_results[0]
    assert [row["Count"] for row in counted] == [8]
    schema = client.execute_mgmt("", ".show database schema as json").primary_results[0]
    assert schema[0]["DatabaseSchema"].startswith('{"Databases"')


def test_parameters(client: KustoClient) -> None:
    asked = properties()
    asked.set_parameter("text", IPCONFIG)
    asked.set_parameter("since", "datetime(2026-03-06)")
    asked.set_parameter("n", "10")
    query = (
        "declare query_parameters(text: string, since: datetime, n: long, device: string = 'web02');\n"
        "DeviceProcessEvents | where Timestamp > since and ProcessCommandLine == text and DeviceName == device\n"
        "| take n | project ReportId"
    )
    assert [row["ReportId"] for row in client.execute(DATABASE, query, asked).primary_results[0]] == [3]


def test_now_is_what_the_request_says(client: KustoClient) -> None:
    asked = properties(query_now="2026-03-06T12:30:00Z")
    answer = client.execute(
        DATABASE, "DeviceProcessEvents | where Timestamp > ago(1d) | project ReportId, t = now()", asked
    )
    assert [(row["ReportId"], row["t"].isoformat()) for row in answer.primary_results[0]] == [
        (3, "2026-03-06T12:30:00+00:00")
    ]


def test_a_semantic_error(client: KustoClient) -> None:
    with pytest.raises(KustoServiceError) as refused:
        client.execute(DATABASE, "DeviceProcessEvents\n| where Filename == 'cmd.exe'")
    assert refused.value.is_semantic_error()
    assert isinstance(refused.value, KustoApiError)
    error = refused.value.get_api_error()
    assert (error.code, error.permanent) == ("General_BadRequest", True)
    assert "there is no column 'Filename'" in str(error.description)
    assert "[line:position=2:9]" in str(error.description)
    assert refused.value.http_response.status_code == 400


def test_an_error_while_it_runs(client: KustoClient) -> None:
    with pytest.raises(KustoServiceError, match=r"there is no copy of https://example\.com/other\.csv"):
        client.execute(DATABASE, "externaldata(x: string)['https://example.com/other.csv']")


def test_a_result_that_is_too_large(client: KustoClient) -> None:
    with pytest.raises(KustoMultiApiError) as refused:
        client.execute(DATABASE, "range x from 1 to 2000 step 1")
    (error,) = refused.value.get_api_errors()
    assert error.code == "LimitsExceeded"
    assert "exceed the set limit of 1000 records" in str(error.description)
    assert "E_QUERY_RESULT_SET_TOO_LARGE" in str(error.description)
    # who is content with a part of it, says so
    taken = client.execute(DATABASE, "range x from 1 to 2000 step 1", properties(query_take_max_records=5))
    assert len(taken.primary_results[0]) == 5
    deferred = client.execute(
        DATABASE, "range x from 1 to 2000 step 1", properties(deferpartialqueryfailures=True, truncationmaxrecords=3)
    )
    assert len(deferred.primary_results[0]) == 3
    assert deferred.errors_count == 1
    with pytest.raises(KustoMultiApiError, match="exceed the set limit of 20000 bytes"):
        client.execute(DATABASE, "range x from 1 to 900 step 1 | extend y = strrep('y', 100)")


def test_another_command_is_an_error(client: KustoClient) -> None:
    with pytest.raises(KustoServiceError, match="this server only reads"):
        client.execute(DATABASE, ".drop table DeviceProcessEvents")


def test_a_token(hunted: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehunt.config import Config

    monkeypatch.setenv(access.TOKEN, "a-token-of-32-characters-or-more")
    with kusto(Config(lake=hunted.root)) as one:

        def count(token: str) -> int:
            text = KustoConnectionStringBuilder.with_aad_user_token_authentication(one.url, token)
            with KustoClient(text) as authorized:
                return int(authorized.execute(DATABASE, "DeviceProcessEvents | count").primary_results[0][0]["Count"])

        assert count("a-token-of-32-characters-or-more") == 4
        with pytest.raises(KustoServiceError, match="401"):
            count("another")
