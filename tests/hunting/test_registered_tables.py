"""Tables that the configuration registers: how they are declared, how they are stored, and hunts on them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehunt.config import load
from lakehunt.core import strict_yaml
from lakehunt.core.errors import LakehuntError
from lakehunt.hunting import compiled_hunt, engine
from lakehunt.hunting.content.hunt_file import Hunt, HuntError
from lakehunt.hunting.findings import writer
from lakehunt.hunting.query.adhoc import answer_lines, query
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.hunting.query.time_window import TimeWindow, limit_to_window
from lakehunt.kql.types import TICKS_PER_DAY
from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas import registered_tables
from tests.support.events import event, store
from tests.support.hunts import ticks

AS_OF = "2026-03-07T00:00:00Z"


NOW = ticks(AS_OF)


def tables(text: str, base: Path = Path("/nowhere")) -> TableCatalog:
    return TableCatalog(registered_tables.read(strict_yaml.load(text), base))


class TestDeclaring:
    def test_a_configuration_with_tables(self, tmp_path: Path) -> None:
        file = tmp_path / "lakehunt.yaml"
        file.write_text(
            "tables:\n"
            "  EmailEvents:\n"
            "    path: mail\n"
            "    columns: {Timestamp: datetime, AttachmentCount: int, AdditionalFields: dynamic}\n"
            "  Owners: {table: lookup.owners, columns: {DeviceId: string, Since: date, Share: double}}\n"
            "  Far: {path: 's3a://lake/far', columns: {Id: guid}}\n"
        )
        declared = load(str(file)).tables
        assert [t.path for t in declared.values()] == [str(tmp_path / "mail"), "", "s3a://lake/far"]
        assert [t.table for t in declared.values()] == ["", "lookup.owners", ""]
        columns = {name: [(c.name, c.type.name) for c in table.columns] for name, table in declared.items()}
        assert columns == {
            "EmailEvents": [("Timestamp", "datetime"), ("AttachmentCount", "int"), ("AdditionalFields", "dynamic")],
            "Owners": [("DeviceId", "string"), ("Since", "datetime"), ("Share", "real")],
            "Far": [("Id", "guid")],
        }

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("tables: x", "1:1: tables: expected names of tables"),
            ("tables:\n  T: x", "2:3: table 'T': expected a name with path and columns"),
            ("tables:\n  DeviceProcessEvents: {path: x, columns: {a: int}}", "2:3: DeviceProcessEvents is Lakehunt's"),
            ("tables:\n  T: {paht: x, columns: {a: int}}", "2:7: unknown key 'paht'"),
            ("tables:\n  T: {columns: {a: int}}", "2:3: table 'T': expected either path or table"),
            ("tables:\n  T: {path: x, table: a.b, columns: {a: int}}", "2:3: table 'T': expected either path or table"),
            ("tables:\n  T: {path: , columns: {a: int}}", "2:7: path: expected a folder or a URI"),
            ("tables:\n  T: {table: ../x, columns: {a: int}}", "2:14: table: expected schema.table inside the lake"),
            ("tables:\n  T: {path: x}", "2:6: table 'T': expected columns"),
            ("tables:\n  T: {path: x, columns: {}}", "2:16: table 'T': expected columns"),
            ("tables:\n  T: {path: x, columns: [a]}", "2:16: table 'T': expected columns"),
            ("tables:\n  T: {path: x, columns: {$a: int}}", "2:26: a column cannot be called '$a'"),
            ("tables:\n  T: {path: x, columns: {a: }}", "2:29: column 'a': '' is not a Kusto type"),
            ("tables:\n  T: {path: x, columns: {a: [int]}}", "2:29: column 'a': '' is not a Kusto type"),
            ("tables:\n  T: {path: x, columns: {a: strin}}", "did you mean 'string'?"),
            ("tables:\n  T: {path: x, columns: {a: blob}}", "types: bool, int, long, real, decimal, datetime"),
        ],
    )
    def test_errors_say_where(self, tmp_path: Path, text: str, message: str) -> None:
        file = tmp_path / "lakehunt.yaml"
        file.write_text(text)
        with pytest.raises(LakehuntError) as raised:
            load(str(file))
        assert message in str(raised.value).replace(f"{file}:", "")

    def test_a_query_is_typed_by_the_declared_columns(self) -> None:
        known = tables("Owners: {path: x, columns: {DeviceId: string, Since: datetime}}")
        assert [(c.name, c.type.name) for c in known.bind("Owners | extend n = 1").schema] == [
            ("DeviceId", "string"),
            ("Since", "datetime"),
            ("n", "long"),
        ]
        with pytest.raises(HuntError, match="there is no table 'Owners'"):
            compiled_hunt.compile_hunt(hunt("Owners"))
        assert compiled_hunt.compile_hunt(hunt("Owners"), known).plan.names == ["DeviceId", "Since"]


class TestWindow:
    KNOWN = tables("""
        Net: {path: x, columns: {TimeGenerated: datetime, Timestamp: datetime}}
        Sentinel: {path: x, columns: {TimeGenerated: datetime}}
        Text: {path: x, columns: {Timestamp: string}}
    """)

    def window(self, query: str) -> TimeWindow:
        return limit_to_window(self.KNOWN.bind(query), NOW, 7 * TICKS_PER_DAY)[1]

    def test_a_table_with_a_time_takes_part(self) -> None:
        assert self.window("Sentinel") == TimeWindow(NOW - 7 * TICKS_PER_DAY, NOW)
        assert self.window("Sentinel | where TimeGenerated > ago(1d)") == TimeWindow(NOW - TICKS_PER_DAY, NOW)

    def test_a_table_without_one_is_read_whole(self) -> None:
        assert self.window("Text | where Timestamp == 'a'") == TimeWindow(None, NOW)

    def test_only_its_own_time_bounds_a_table(self) -> None:
        """A row may be received, which may be its TimeGenerated, long after its Timestamp."""
        assert self.window("Net | where TimeGenerated > ago(1d)") == TimeWindow(None, NOW)
        assert self.window("Net | where Timestamp > ago(1d)") == TimeWindow(NOW - TICKS_PER_DAY, NOW)


NET = "Net: {table: other.net, columns: {Timestamp: datetime, DeviceId: string, RemoteIP: string, Port: int}}"

STORED = {
    # column: stored type, values of three rows
    "At": ("TIMESTAMP", "TIMESTAMP'2026-03-01 12:00:00.123456 UTC'", "NULL", "TIMESTAMP'1969-12-31 23:59:59.5 UTC'"),
    "Local": ("TIMESTAMP_NTZ", "TIMESTAMP_NTZ'2026-03-01 12:00:00'", "NULL", "NULL"),
    "Day": ("DATE", "DATE'2026-03-01'", "NULL", "DATE'1969-12-31'"),
    "Took": ("BIGINT", "36000000001", "NULL", "-1"),
    "Id": ("STRING", "'74BE27DE-1E4E-49D9-B579-FE0B331D3642'", "NULL", "'nonsense'"),
    "Text": ("STRING", "'añ'", "NULL", "''"),
    "Flag": ("BOOLEAN", "true", "NULL", "false"),
    "Small": ("SMALLINT", "443", "NULL", "-1"),
    "Big": ("INT", "2147483647", "NULL", "0"),
    "Load": ("FLOAT", "0.5", "NULL", "'NaN'"),
    "Cost": ("DECIMAL(20,5)", "1.25", "NULL", "-3"),
    "Bag": ("STRING", """'{"a" : 1, "b": [1, "x"]}'""", "NULL", "'no JSON'"),
    "Tags": ("ARRAY<STRING>", """array('x', 'é"', NULL)""", "NULL", "array()"),
    "Peer": (
        "STRUCT<ip: STRING, seen: TIMESTAMP, n: BIGINT>",
        "named_struct('ip', '1.1.1.1', 'seen', TIMESTAMP'2026-03-01 12:00:00.5 UTC', 'n', 7)",
        "NULL",
        "named_struct('ip', NULL, 'seen', NULL, 'n', 8)",
    ),
    "Counts": ("MAP<STRING, INT>", "map('k', 1)", "NULL", "map()"),
    "NotDeclared": ("STRING", "'x'", "'y'", "'z'"),
}

KINDS = (
    "At: datetime, Local: datetime, Day: datetime, Took: timespan, Id: guid, Text: string, Flag: bool, Small: int, "
    "Big: long, Load: real, Cost: decimal, Bag: dynamic, Tags: dynamic, Peer: dynamic, Counts: dynamic"
)

READ = {
    "At": ["2026-03-01T12:00:00.1234560Z", None, "1969-12-31T23:59:59.5000000Z"],
    "Local": ["2026-03-01T12:00:00.0000000Z", None, None],
    "Day": ["2026-03-01T00:00:00.0000000Z", None, "1969-12-31T00:00:00.0000000Z"],
    "Took": ["01:00:00.0000001", None, "-00:00:00.0000001"],
    "Id": ["74be27de-1e4e-49d9-b579-fe0b331d3642", None, None],
    "Text": ["añ", "", ""],
    "Flag": [True, None, False],
    "Small": [443, None, -1],
    "Big": [2147483647, None, 0],
    "Load": [0.5, None, "NaN"],
    "Cost": [1.25, None, -3.0],
    "Bag": [{"a": 1, "b": [1, "x"]}, None, "no JSON"],
    "Tags": [["x", 'é"', None], None, []],
    "Peer": [{"ip": "1.1.1.1", "seen": "2026-03-01T12:00:00.5000000Z", "n": 7}, None, {"n": 8}],
    "Counts": [{"k": 1}, None, {}],
}
"""What each column holds for a query, worked out from what the three rows store."""


@pytest.fixture(scope="module")
def lake(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with process events on a and b, network events from the 5th and the 1st, and a table of all types."""
    made = Lake(spark, str(tmp_path_factory.mktemp("registered")))
    store(made, [event(DeviceId="a"), event(DeviceId="b", ReportId=2)])
    create(made, "other.net", "Timestamp TIMESTAMP, DeviceId STRING, RemoteIP STRING, Port INT, Unread STRING")
    insert(
        made,
        "other.net",
        "(TIMESTAMP'2026-03-05 00:00:00 UTC', 'b', '10.0.0.9', 443, 'x')",
        "(TIMESTAMP'2026-03-05 00:00:00 UTC', 'b', '10.0.0.1', 443, 'x')",
        "(TIMESTAMP'2026-03-01 00:00:00 UTC', 'a', '10.0.0.2', NULL, 'x')",
        "(TIMESTAMP'2026-02-01 00:00:00 UTC', 'a', '10.0.0.3', 1, 'x')",
        "(TIMESTAMP'2026-03-08 00:00:00 UTC', 'a', '10.0.0.4', 1, 'x')",
    )
    create(made, "other.all", ", ".join(f"`{name}` {column[0]}" for name, column in STORED.items()))
    for i in (1, 2, 3):
        cells = (f"CAST({column[i]} AS {column[0]})" for column in STORED.values())
        insert(made, "other.all", f"({', '.join(cells)})")
    return made


def create(lake: Lake, name: str, columns: str) -> None:
    lake.spark.sql(
        f"CREATE TABLE delta.`{lake.path(name)}` ({columns}) USING delta "
        "TBLPROPERTIES ('delta.feature.timestampNtz' = 'supported')"
    )


def insert(lake: Lake, name: str, *rows: str) -> None:
    lake.spark.sql(f"INSERT INTO delta.`{lake.path(name)}` VALUES {', '.join(rows)}")


def hunt(text: str, **fields: Any) -> Hunt:
    return Hunt(id="5a0b3d43-3d24-4d1f-8b3e-6b2f5c3c7d11", name="custom", query=text, **fields)


def rows(lake: Lake, text: str, known: TableCatalog) -> list[list[Any]]:
    return query(lake, text, NOW, None, known).rows


def run(lake: Lake, known: TableCatalog, *hunts: Hunt) -> list[engine.Run]:
    return engine.run_hunts(lake, hunts, NOW, lambda step: None, known)


class TestReading:
    def test_every_type_as_it_is_stored(self, lake: Lake) -> None:
        known = tables(f"All: {{table: other.all, columns: {{{KINDS}}}}}")
        # the written order of a table without a time is that of its first columns: null, 1969, 2026
        answer = query(lake, "All", NOW, None, known)
        read = [list(values) for values in zip(*answer.rows, strict=True)]
        names = [c.name for c in answer.schema]
        assert {name: [c[2], c[0], c[1]] for name, c in zip(names, read, strict=True)} == READ

    def test_the_time_limits_what_is_read(self, lake: Lake) -> None:
        known = tables(NET)
        assert rows(lake, "Net | summarize n = count()", known) == [[4]]  # nothing after the as-of
        assert rows(lake, "Net | where Timestamp >= ago(2d) | summarize n = count()", known) == [[2]]
        assert rows(lake, "Net | where Timestamp > ago(2d) | summarize n = count()", known) == [[0]]

    def test_the_written_order_is_by_time_and_content(self, lake: Lake) -> None:
        declared = "Net: {table: other.net, columns: {RemoteIP: string, Port: int, Timestamp: datetime}}"
        found = rows(lake, "Net | project RemoteIP", tables(declared))
        assert found == [["10.0.0.3"], ["10.0.0.2"], ["10.0.0.1"], ["10.0.0.9"]]
        assert rows(lake, "Net | take 1 | project RemoteIP", tables(declared)) == [["10.0.0.3"]]

    def test_a_day_is_a_time_too(self, lake: Lake, spark: Any, tmp_path: Path) -> None:
        spark.sql(f"CREATE TABLE delta.`{tmp_path}/days` (Timestamp DATE) USING delta")
        spark.sql(f"INSERT INTO delta.`{tmp_path}/days` VALUES (DATE'2026-03-05'), (DATE'2026-03-07')")
        known = tables("Days: {path: days, columns: {Timestamp: datetime}}", tmp_path)
        assert rows(lake, "Days | where Timestamp > ago(2d) | count", known) == [[1]]
        assert rows(lake, "Days | where Timestamp >= ago(2d) | count", known) == [[2]]

    def test_only_declared_columns_are_read(self, lake: Lake) -> None:
        assert rows(lake, "Net | where RemoteIP == '10.0.0.1'", tables(NET)) == [
            ["2026-03-05T00:00:00.0000000Z", "b", "10.0.0.1", 443]
        ]

    def test_a_decimal_is_reported_as_a_real(self, lake: Lake) -> None:
        known = tables("All: {table: other.all, columns: {Cost: decimal}}")
        (answer,) = answer_lines(lake, ['{"id": 1, "query": "All | where Cost > 0"}'], NOW, None, known)
        assert answer == {"id": 1, "columns": [{"name": "Cost", "type": "real"}], "rows": [[1.25]]}
        assert json.dumps(answer)

    def test_columns_that_are_not_as_declared(self, lake: Lake) -> None:
        known = tables(
            "Net: {table: other.net, columns: {Timestamp: string, deviceid: string, Nope: int, Port: dynamic,"
            " RemoteIP: long}}\n"
            "All: {table: other.all, columns: {Big: int, Cost: real, Load: decimal, Took: long, Small: long}}"
        )
        with pytest.raises(LakehuntError) as raised:
            query(lake, "Net", NOW, None, known)
        assert str(raised.value).splitlines()[:6] == [
            f"table Net ({lake.path('other.net')}) is not as it was declared:",
            "  Timestamp: string is stored as STRING, found TIMESTAMP",
            "  deviceid: there is no such column, but DeviceId",
            "  Nope: there is no such column",
            "  Port: dynamic is stored as STRING with JSON, ARRAY, STRUCT or MAP, found INT",
            "  RemoteIP: long is stored as BIGINT or smaller, found STRING",
        ]
        with pytest.raises(LakehuntError) as raised:
            query(lake, "All", NOW, None, known)
        assert [line.split(":")[0].strip() for line in str(raised.value).splitlines()[1:-1]] == ["Cost", "Load"]

    @pytest.mark.parametrize(
        ("declared", "message"),
        [
            ("table: other.none", "table T: there is no Delta table at {lake}/other/none"),
            (
                "path: 'nonsense://bucket/t'",
                "table T (nonsense://bucket/t) cannot be read: UnsupportedFileSystemException",
            ),
        ],
    )
    def test_a_table_that_is_not_there(self, lake: Lake, declared: str, message: str) -> None:
        with pytest.raises(LakehuntError) as raised:
            query(lake, "T", NOW, None, tables(f"T: {{{declared}, columns: {{a: int}}}}"))
        assert message.format(lake=lake.root) in str(raised.value)


class TestHunting:
    def test_findings_of_a_hunt_that_reads_no_events(self, lake: Lake) -> None:
        one = hunt("Net | where Port == 443 | project DeviceId, Port", query_period=timedelta(days=3))
        first, second = run(lake, tables(NET), one), run(lake, tables(NET), one)
        assert [(r.error, r.matched, r.findings) for r in [*first, *second]] == [(None, 2, 2)] * 2
        assert first[0].window == TimeWindow(NOW - 3 * TICKS_PER_DAY, NOW)
        found = [row.asDict() for row in lake.read(writer.ALL).filter(f"hunt_id = '{one.id}'").collect()]
        # equal rows are findings of their own, and the same ones on every run
        assert len({row["finding_id"] for row in found}) == 2
        assert [(r["status"], r["events"], r["evidence"], r["device_id"], r["first_seen"]) for r in found] == [
            ("new", 0, [], None, None)
        ] * 2
        own = lake.read(writer.name_of(one))
        assert [(row.DeviceId, row.Port) for row in own.orderBy("ordinal").collect()] == [("b", 443), ("b", 443)]
        assert own.schema["Port"].metadata["comment"] == "Port of Net (Kusto int)"

    def test_a_missing_table_fails_only_the_hunts_that_name_it(self, lake: Lake) -> None:
        known = tables("Gone: {path: gone, columns: {DeviceId: string}}", Path(lake.root))
        other = Hunt("9c1f3b58-5d3c-4d2e-8c8e-3f5d8b1a2c44", "events", "DeviceProcessEvents | summarize by DeviceId")
        failed, fine = run(lake, known, hunt("Gone | summarize by DeviceId"), other)
        assert (failed.outcome, fine.outcome, fine.findings) == ("failed", "succeeded", 2)
        assert f"table Gone: there is no Delta table at {lake.root}/gone" in (failed.error or "")
