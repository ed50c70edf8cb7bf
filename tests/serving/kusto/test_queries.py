"""Queries, over a lake and a real Spark: rows of both versions of the protocol, and errors."""

from __future__ import annotations

import json
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from lakehunt.lake.delta_lake import Lake
from lakehunt.serving import views
from lakehunt.serving.kusto import tables
from tests.support.kusto import Kusto
from tests.support.serving import ARCHIVE, IPCONFIG, WHOAMI

EVENTS = "DeviceProcessEvents | order by ReportId asc | project ReportId, DeviceName, ProcessCommandLine, Timestamp"

ROWS = [
    [1, "web01", WHOAMI, "2026-03-01T12:00:00Z"],
    [2, "web01", WHOAMI, "2026-03-02T12:00:00.1234567Z"],
    [3, "web02", IPCONFIG, "2026-03-06T12:00:00Z"],
    [4, "web03", ARCHIVE, "2026-03-06T13:00:00Z"],
]

TYPES = (
    "print b = true, i = int(1), l = 9223372036854775807, r = 0.01, d = decimal(2.00000000000001), "
    "t = datetime(2020-03-04T14:05:01.3109965Z), s = timespan(1.02:03:04.0000005), "
    'g = guid(123e27de-1e4e-49d9-b579-fe0b331d3642), x = "asdf", o = dynamic({"moshe": ["value", 1]}), '
    "n = long(null), nan = real(nan)"
)
TYPED = [
    True, 1, 9223372036854775807, 0.01, "2.00000000000001", "2020-03-04T14:05:01.3109965Z", "1.02:03:04.0000005",
    "123e27de-1e4e-49d9-b579-fe0b331d3642", "asdf", {"moshe": ["value", 1]}, None, "NaN",
]  # fmt: skip


def test_rows_in_version_2(endpoint: Kusto) -> None:
    assert endpoint.rows(EVENTS) == ROWS
    primary = endpoint.frames(TYPES)[2]
    assert primary["Rows"] == [TYPED]
    assert [column["ColumnType"] for column in primary["Columns"]] == [
        "bool", "int", "long", "real", "decimal", "datetime", "timespan", "guid", "string", "dynamic", "long", "real"
    ]  # fmt: skip


def test_rows_in_version_1(endpoint: Kusto) -> None:
    answer = endpoint.post("/v1/rest/query", TYPES, db="lakehunt")
    assert answer.json()["Tables"][0]["Rows"] == [TYPED]


def test_a_query_in_an_address(endpoint: Kusto) -> None:
    asked = {"csl": "print x = 1", "db": "lakehunt", "properties": '{"Options": {"query_take_max_records": 5}}'}
    answer = requests.get(f"{endpoint.url}/v2/rest/query", params=asked, timeout=60)
    assert answer.json()[2]["Rows"] == [[1]]


def test_findings_runs_and_views_are_tables(endpoint: Kusto) -> None:
    assert endpoint.rows("findings_all | where status == 'new' | summarize n = count() by device_name | sort by n asc, "
                         "device_name asc") == [["web03", 1], ["web01", 2], ["web02", 2]]  # fmt: skip
    assert (
        endpoint.rows("findings_all | take 1 | project n = array_length(evidence), t = gettype(tactics)")[0][1]
        == "array"
    )
    assert endpoint.rows("hunts_runs | where outcome == 'succeeded' | count") == [[4]]
    assert endpoint.rows("bi_new_findings | summarize dcount(device_name) by hunt_name | count") == [[2]]


@pytest.mark.parametrize("view", views.VIEWS, ids=lambda view: view.name)
def test_the_columns_of_a_view_are_sparks(endpoint: Kusto, hunted: Lake, view: views.View) -> None:
    """Rows come through, and every column has the type that the view's query gives it."""
    table = f"bi_{view.name}"
    stored = {"string": "string", "bigint": "long", "boolean": "bool", "timestamp": "datetime", "date": "datetime"}
    sql = re.sub(r"\{([\w.]+)\}", lambda found: f"delta.`{hunted.path(found[1])}`", tables.query(view))
    fields = hunted.spark.sql(sql).schema.fields
    wanted = [(f.name, stored.get(f.dataType.simpleString(), "dynamic")) for f in fields]
    shown = endpoint.frames(table)[2]
    assert [(c["ColumnName"], c["ColumnType"]) for c in shown["Columns"]] == wanted
    assert shown["Rows"]


def test_operators_after_a_command(endpoint: Kusto) -> None:
    command = ".show databases entities with (showObfuscatedStrings=true)\n| where EntityName startswith 'bi_' | count"
    assert endpoint.show(command) == [[len(views.VIEWS)]]
    error = endpoint.error(".show tables\n| where NoSuch == 1", path="/v1/rest/mgmt")
    assert "[line:position=2:9]" in error["@message"]


def test_how_a_client_shall_draw_the_rows(endpoint: Kusto) -> None:
    properties = endpoint.frames("print x = 1 | render columnchart with (title='t')")[1]
    drawn = json.loads(properties["Rows"][0][2])
    assert (drawn["Visualization"], drawn["Title"]) == ("columnchart", "t")


def test_the_columns_of_a_query_without_its_rows(endpoint: Kusto) -> None:
    rows = endpoint.rows("DeviceProcessEvents | project Timestamp, ProcessId", {"query_results_apply_getschema": True})
    assert rows == [["Timestamp", 0, "System.DateTime", "datetime"], ["ProcessId", 1, "System.Int64", "long"]]


def test_a_lake_without_findings(spark: Any, tmp_path: Any) -> None:
    """Tables that are written by the first run have no rows before."""
    from lakehunt.config import Config
    from tests.support.kusto import kusto

    with kusto(Config(lake=str(tmp_path / "lake"))) as one:
        assert one.rows("union findings_all, hunts_runs, bi_command_lines | count") == [[0]]


# A query reaches nothing but the lake


def test_external_data_is_a_copy_that_the_configuration_names(endpoint: Kusto) -> None:
    query = "externaldata(name: string)['https://example.com/lolbins.csv'] with (format='csv')"
    assert endpoint.rows(query) == [["cmd.exe"], ["net.exe"]]
    refused = endpoint.error(query, properties={"Options": {"request_external_data_disabled": True}})
    assert refused["code"] == "BadRequest"


@pytest.mark.parametrize(
    "place",
    ["/etc/passwd", "file:///etc/passwd", "../../etc/passwd", "http://127.0.0.1:1/x", "https://169.254.169.254/latest",
     "hdfs://namenode/x", "s3a://bucket/x", "https://example.com/lolbins.csv?x", "jar:file:///x!/y", "abfss://a@b/c"],
)  # fmt: skip
def test_no_query_reads_a_file_or_an_address(endpoint: Kusto, place: str) -> None:
    error = endpoint.error(f"externaldata(line: string)[@'{place}'] with (format='txt')")
    assert "there is no copy of" in error["@message"] or "externaldata" in error["@message"]


@pytest.mark.parametrize(
    "query",
    [
        "external_table('x')", "cluster('https://evil.example').database('d').T", "database('other').T",
        "evaluate http_request('http://127.0.0.1:1/')", "evaluate python(typeof(*), 'import os')",
        "evaluate sql_request('Server=x', 'select 1')", "evaluate r(typeof(*), 'x')", "table('/etc/passwd')",
        "['delta.`/etc`']", "['csv.`/etc/passwd`']", "print x = java_method('java.lang.Runtime', 'getRuntime')",
        "print reflect('a', 'b')", ".show tables | invoke python()", "print 1; .drop table findings_all",
        "raw_records | count", "hunts_hits | count", "print current_principal_details()",
    ],
)  # fmt: skip
def test_no_query_reaches_what_is_not_served(endpoint: Kusto, query: str) -> None:
    assert endpoint.error(query)["code"] in ("General_BadRequest", "BadRequest_CommandNotSupported")


# Limits

SLOW = """range a from 1 to 3000000 step 1 | extend k = a % 3
| join kind=inner (range b from 1 to 3000000 step 1 | extend k = b % 3) on k | summarize s = sum(a * b)"""
"""Pairs that no machine counts within a test's time."""


def test_a_query_that_takes_too_long(endpoint: Kusto) -> None:
    error = endpoint.error(SLOW, status=504, properties={"Options": {"servertimeout": "00:00:01"}})
    assert (error["code"], error["@permanent"]) == ("Timeout", False)
    assert "exceeded the allowed time of 1 s (0x80DA0006)" in error["@message"]
    assert endpoint.rows("print 1") == [[1]], "the next one is answered"


class _Asked:
    """Slow queries in threads."""

    def __init__(self, endpoint: Kusto, count: int) -> None:
        self.answers: list[requests.Response] = []
        self._threads = [threading.Thread(target=self._ask, args=(endpoint, i)) for i in range(count)]
        for thread in self._threads:
            thread.start()
        _until(lambda: len(endpoint.show(".show queries")) == count)

    def _ask(self, endpoint: Kusto, number: int) -> None:
        self.answers.append(endpoint.post("/v2/rest/query", SLOW, {"x-ms-client-request-id": f"slow;{number}"}))

    def wait(self) -> list[dict[str, Any]]:
        for thread in self._threads:
            thread.join()
        return [answer.json()["error"] for answer in self.answers]


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_more_queries_than_may_run_at_once_and_how_they_are_cancelled(endpoint: Kusto) -> None:
    asked = _Asked(endpoint, 3)
    error = endpoint.error("print 1", status=429)
    assert (error["code"], error["@type"]) == ("TooManyRequests", "Kusto.DataNode.Exceptions.QueryThrottledException")
    assert "Capacity: 3, Origin: 'RequestRateLimitPolicy/WorkloadGroup/default'" in error["@message"]
    assert endpoint.show(".show capacity")[0][1:4] == [3, 3, 0]
    for number in range(3):
        assert endpoint.show(f'.cancel query "slow;{number}" with (reason="too dear")') == [[f"slow;{number}", True]]
    assert {(e["code"], e["@message"].partition(": ")[2]) for e in asked.wait()} == {("Cancelled", "too dear")}
    assert endpoint.show(".show queries") == []
    assert endpoint.rows("print 1") == [[1]]


def test_a_client_that_goes_away_takes_its_query_with_it(endpoint: Kusto) -> None:
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(f"{endpoint.url}/v2/rest/query", json={"csl": SLOW}, timeout=1)
    _until(lambda: endpoint.show(".show queries") == [])


def test_queries_at_the_same_time(endpoint: Kusto) -> None:
    found: list[Any] = []
    threads = [
        threading.Thread(
            target=lambda i=i: found.append(endpoint.rows(f"{EVENTS} | extend i = {i} | project i, ReportId"))
        )
        for i in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [[[i, report] for report in (1, 2, 3, 4)] for i in range(3)]


CLIENTS = json.loads((Path(__file__).parent / "clients.json").read_text())


@pytest.mark.parametrize("asked", CLIENTS, ids=[asked["what"] for asked in CLIENTS])
def test_what_clients_send(endpoint: Kusto, asked: dict[str, Any]) -> None:
    """Requests as Grafana's plugin and Azure Data Explorer's page make them, according to what is published of them."""
    answer = requests.post(endpoint.url + asked["path"], json=asked["body"], timeout=60)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    table = found[2] if isinstance(found, list) else found["Tables"][0]
    assert [f"{c['ColumnName']}:{c['ColumnType']}" for c in table["Columns"]] == asked["columns"]
    assert table["Rows"][0] == asked.get("first", table["Rows"][0])
