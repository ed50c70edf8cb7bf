"""Commands that clients send: their tables, and what is none of this server's. No Spark is needed for any."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.config import Config
from lakehunt.kql.types import BY_NAME, Column
from lakehunt.schemas.registered_tables import RegisteredTable
from lakehunt.serving.kusto import frames, management, tables
from lakehunt.serving.kusto.errors import KustoError
from lakehunt.serving.kusto.management import Running, Server

WATCHED = RegisteredTable("Watched", (Column("Device Id", BY_NAME["string"]),), path=str(Path("/nowhere")))

RUNNING = Running("client;1", "T | take 1", "2026-03-10T00:00:00Z", 1.5, "InProgress", "ann", "app", "a-guid")

CANCELLED: list[tuple[str, str]] = []


def _cancel(wanted: str, reason: str) -> bool:
    CANCELLED.append((wanted, reason))
    return wanted == "client;1"


SERVER = Server("lakehunt", tables.served(Config(tables={"Watched": WATCHED})), 4, lambda: [RUNNING], _cancel)


def rows(command: str) -> list[dict[str, Any]]:
    shown = management.run(command, SERVER)
    assert shown.end == len(command)
    names = [column.name for column in shown.table.schema]
    return [dict(zip(names, row, strict=True)) for row in shown.table.rows]


def test_databases() -> None:
    (one,) = rows(".show databases")
    assert (one["DatabaseName"], one["IsCurrent"], one["DatabaseAccessMode"]) == ("lakehunt", True, "ReadOnly")
    for command in (".show database", ".show databases details", ".show database lakehunt details"):
        assert [row["DatabaseName"] for row in rows(command)] == ["lakehunt"]


def test_tables() -> None:
    found = {row["TableName"]: row for row in rows(".show tables")}
    assert {"DeviceProcessEvents", "DeviceInfo", "findings_all", "hunts_runs", "bi_trend", "Watched"} <= set(found)
    assert [name for name in found if name.startswith(("raw", "quarantine", "hunts_hits"))] == []
    assert found["findings_all"]["Folder"] == "Findings"
    assert found["bi_trend"]["DocString"] == "One row per hunt and as-of, zeros included"
    assert [row["TableName"] for row in rows(".show tables (Watched, ['bi_trend'])")] == ["Watched", "bi_trend"]
    assert [row["TotalRowCount"] for row in rows(".show tables (Watched) details")] == [None]
    assert [row["DatabaseName"] for row in rows(".show table Watched details")] == ["lakehunt"]


def test_the_schema_of_a_table() -> None:
    (one,) = rows(".show table Watched schema as json")
    assert json.loads(one["Schema"])["OrderedColumns"] == [
        {"Name": "Device Id", "Type": "System.String", "CslType": "string", "DocString": ""}
    ]
    (runs,) = rows(".show table hunts_runs cslschema")
    assert runs["Schema"].startswith("run_id:string,hunt_id:string,")
    assert ",as_of:datetime," in runs["Schema"]
    assert ",exclusions:dynamic" in runs["Schema"]


@pytest.mark.parametrize(
    "command",
    [
        ".show database schema as json",  # azure-kusto-data, Power BI
        '.show database ["lakehunt"] schema as json',
        ".show database lakehunt schema as json",
        ".show databases schema as json",  # Grafana
        ".show databases (['lakehunt']) schema as json",  # Grafana, with a database
        ".show databases (lakehunt) schema as json with (Tables=True, Functions=True)",
        ".show schema as json",
        '.show databases (lakehunt if_later_than "v0.9") schema as json',
    ],
)
def test_the_schema_as_json(command: str) -> None:
    """What Grafana's plugin reads of it: tables by name, with columns in order, and three kinds that are empty."""
    ((text,),) = (row.values() for row in rows(command))
    database = json.loads(text)["Databases"]["lakehunt"]
    assert database["Name"] == "lakehunt"
    assert (database["Functions"], database["MaterializedViews"], database["ExternalTables"]) == ({}, {}, {})
    table = database["Tables"]["DeviceProcessEvents"]
    assert table["Name"] == "DeviceProcessEvents"
    kinds = {column["Name"]: (column["CslType"], column["Type"]) for column in table["OrderedColumns"]}
    assert kinds["Timestamp"] == ("datetime", "System.DateTime")
    assert kinds["ProcessId"] == ("long", "System.Int64")
    assert kinds["AdditionalFields"] == ("dynamic", "System.Object")


def test_the_schema_as_rows() -> None:
    """Grafana's check of its settings asks for these."""
    found = rows(".show databases schema")
    assert found[0]["Version"] == "v1.0"
    assert [(r["ColumnName"], r["ColumnType"]) for r in found if r["TableName"] == "Watched"] == [
        ("", ""), ("Device Id", "System.String")
    ]  # fmt: skip
    assert rows('.show database lakehunt schema if_later_than "v1.0"') == []
    assert rows(".show database lakehunt schema if_later_than 'v0.9'") == found


def test_entities() -> None:
    """Azure Data Explorer's page lists a database by them."""
    found = {row["EntityName"]: row for row in rows(".show databases entities with (resolveFunctionsSchema=true)")}
    assert (found["Watched"]["EntityType"], found["Watched"]["CslOutputSchema"]) == ("Table", '["Device Id"]:string')


@pytest.mark.parametrize("command", [".SHOW Tables", " .show  TABLES ;", "// all\n.show tables"])
def test_how_commands_are_written(command: str) -> None:
    assert len(management.run(command, SERVER).table.rows) == len(SERVER.tables)


def test_what_there_is_none_of() -> None:
    for what in ("functions", "materialized-views", "external tables", "database lakehunt principals"):
        assert rows(f".show {what}") == []


def test_about_the_server() -> None:
    assert [row["ServiceType"] for row in rows(".show version")] == ["Lakehunt"]
    assert len(rows(".show cluster")) == 1
    assert [(row["Total"], row["Remaining"]) for row in rows(".show capacity")] == [(4, 3)]


def test_queries_that_run_and_how_one_is_cancelled() -> None:
    for command in (".show queries", ".show running queries"):
        (one,) = rows(command)
        assert (one["ClientActivityId"], one["Duration"], one["State"]) == (
            "client;1",
            "00:00:01.5000000",
            "InProgress",
        )
    CANCELLED.clear()
    assert rows('.cancel query "client;1" with (reason="too dear")')[0]["RunningQueryCanceled"] is True
    assert rows(".cancel query 'other'")[0]["RunningQueryCanceled"] is False
    assert CANCELLED == [("client;1", "too dear"), ("other", "a client asked for it")]


def test_operators_may_follow() -> None:
    command = ".show databases entities\n| where DatabaseName == 'x'"
    shown = management.run(command, SERVER)
    assert (shown.piped, command[shown.end :]) == (True, "| where DatabaseName == 'x'")


@pytest.mark.parametrize(
    "command",
    [
        ".drop table Watched", ".create table X (a: long)", ".set-or-append Watched <| print 1",
        ".ingest inline into T <| 1",
        ".alter database lakehunt policy caching", ".export to csv ('file:///tmp/x') <| Watched", ".show", ".",
        ".show secrets", ".show table", ".show tables;;", ".show tables .drop table X", ".show table 'a",
        ".show \ud800",
        ".execute database script <| .show tables", ".add database lakehunt users ('aaduser=x')", "show tables",
        ".show databases entities with (a=1", ".show tables, .drop table X", ".purge table Watched records",
        ".show operations", ".cancel operation 5", "." + "(" * 10_000,
    ],
)  # fmt: skip
def test_any_other_command_is_an_error(command: str) -> None:
    with pytest.raises(KustoError) as refused:
        management.run(command, SERVER)
    assert (refused.value.status, refused.value.code) == (400, "BadRequest_CommandNotSupported")
    assert "this server only reads" in refused.value.description


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (".show table NoSuch cslschema", "Entity 'NoSuch' of kind 'Table' was not found"),
        (".show tables (Watched, NoSuch)", "Entity 'NoSuch'"),
        (".show database other schema as json", "Database 'other' could not be found"),
        (".show databases (lakehunt, other) schema as json", "this server has the database 'lakehunt'"),
    ],
)
def test_names_that_there_are_not(command: str, what: str) -> None:
    with pytest.raises(KustoError) as refused:
        management.run(command, SERVER)
    assert refused.value.code == "BadRequest_EntityNotFound"
    assert what in refused.value.description


@pytest.mark.parametrize("database", ["", "lakehunt", "LakeHunt", "NetDefaultDB", "default"])
def test_the_database_of_a_request(database: str) -> None:
    """The last two are what clients send for none."""
    SERVER.check(database)
    with pytest.raises(KustoError, match="Database 'other' could not be found"):
        SERVER.check("other")


WORDS = st.sampled_from([
    *"(),|;-.\n\"'", "['", "']", "//", "show", "table", "tables", "database", "databases", "schema", "as", "json",
    "details", "entities", "Watched", "with", "cancel", "query", "if_later_than", "'v1'", "materialized-views", "count",
])  # fmt: skip


@given(st.lists(WORDS | st.text(max_size=3)).map(" ".join))
def test_whatever_is_sent_is_a_command_or_an_error(rest: str) -> None:
    with suppress(KustoError):
        shown = management.run(f".{rest}", SERVER)
        frames.command(shown.table)
