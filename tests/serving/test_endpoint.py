"""A real Thrift server over a lake: what clients get, that others than Spark get the same, and what is refused."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from lakehunt.serving import views
from lakehunt.serving.sql_catalog import SCHEMAS
from tests.support.hunts import H1, H2, custom, run
from tests.support.paths import PROJECT
from tests.support.serving import ARCHIVE, FIRST, IPCONFIG, SECOND, WHOAMI, Endpoint, contents

pytestmark = pytest.mark.slow

OWN = H2.id.replace("-", "_")

BEELINE = Path(sys.executable).with_name("beeline")

ACTIVATED = os.environ | {"PATH": f"{BEELINE.parent}{os.pathsep}{os.environ['PATH']}", "USER": "analyst"}
"""As in a shell after `source .venv/bin/activate`."""

COMPARED = "finding_id, hunt_id, as_of, status, device_name, account_name, first_seen, events, attack_tactics"
BY_HAND = [
    # hunt, as-of, status, device, account, first seen, events
    (H1.id, FIRST, "new", "web01", "apppool", "2026-03-01 12:00:00", 2),
    (H2.id, FIRST, "new", "web01", "apppool", "2026-03-01 12:00:00", 2),
    (H1.id, SECOND, "recurring", "web01", "apppool", "2026-03-01 12:00:00", 2),
    (H1.id, SECOND, "new", "web02", "iis2", "2026-03-06 12:00:00", 1),
    (H2.id, SECOND, "recurring", "web01", "apppool", "2026-03-01 12:00:00", 2),
    (H2.id, SECOND, "new", "web02", "iis2", "2026-03-06 12:00:00", 1),
    (H2.id, SECOND, "new", "web03", "apppool", "2026-03-06 13:00:00", 1),
]
TACTICS = {H1.id: '["Execution","Stealth","Discovery"]', H2.id: '["Execution"]'}


def plain(value: Any) -> Any:
    """A cell as text, whichever reader it comes from; an empty cell of beeline's is null."""
    if value is None or value == "NULL":
        return None
    if isinstance(value, bytes):  # impyla's form of an array
        return value.decode()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S.%f}".rstrip("0").rstrip(".")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return json.dumps(list(value), separators=(",", ":"))
    return str(value)


def rows_of(cells: Any) -> list[tuple[Any, ...]]:
    return sorted((tuple(plain(cell) for cell in row) for row in cells), key=repr)


def beeline(endpoint: Endpoint, sql: str) -> subprocess.CompletedProcess[str]:
    place = f"jdbc:hive2://127.0.0.1:{endpoint.port}/default"
    options = ("--silent=true", "--outputformat=tsv2", "--showHeader=false")
    command = [BEELINE, "-u", place, "-n", "analyst", *options, "-e", sql]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=ACTIVATED)


def by_beeline(endpoint: Endpoint, lake: Lake) -> list[tuple[Any, ...]]:
    told = beeline(endpoint, f"SELECT {COMPARED} FROM findings.all")
    assert told.returncode == 0, told.stderr
    lines = re.sub(r"^0: jdbc:hive2:\S+> ", "", told.stdout, flags=re.MULTILINE).splitlines()
    return rows_of([cell.removesuffix(".0").strip() for cell in line.split("\t")] for line in lines if line)


def by_python(endpoint: Endpoint, lake: Lake) -> list[tuple[Any, ...]]:
    return rows_of(endpoint.rows(f"SELECT {COMPARED} FROM findings.all"))


def by_deltalake(endpoint: Endpoint, lake: Lake) -> list[tuple[Any, ...]]:
    from deltalake import DeltaTable

    table = DeltaTable(lake.path("findings.all")).to_pyarrow_table(columns=COMPARED.split(", "))
    return rows_of(row.values() for row in table.to_pylist())


def by_duckdb(endpoint: Endpoint, lake: Lake) -> list[tuple[Any, ...]]:
    answer = duckdb_lake(lake).sql(f"SELECT {COMPARED} FROM findings.all").to_arrow_table()
    return rows_of(row.values() for row in answer.to_pylist())


def by_polars(endpoint: Endpoint, lake: Lake) -> list[tuple[Any, ...]]:
    import polars

    return rows_of(polars.read_delta(lake.path("findings.all")).select(COMPARED.split(", ")).rows())


READERS = (by_beeline, by_python, by_deltalake, by_duckdb, by_polars)


def duckdb_lake(lake: Lake) -> Any:
    """DuckDB with the lake's tables and the views of docs/reference/duckdb-views.sql."""
    import duckdb
    from deltalake import DeltaTable

    made = duckdb.connect()
    for name in ("findings.all", "hunts.runs", "events.device_process_events"):
        schema, table = name.split(".")
        made.register(f"{schema}_{table}", DeltaTable(lake.path(name)).to_pyarrow_dataset())
        made.sql(f"CREATE SCHEMA {schema}")
        made.sql(f"CREATE VIEW {name} AS FROM {schema}_{table}")
    made.sql((PROJECT / "docs" / "reference" / "duckdb-views.sql").read_text(encoding="utf-8"))
    return made


# Readers


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_every_reader_gets_the_same_rows(endpoint: Endpoint, hunted: Lake, reader: Any) -> None:
    found = reader(endpoint, hunted)
    assert [row[-1] for row in found] == [TACTICS[row[1]] for row in found]
    assert rows_of(row[1:-1] for row in found) == rows_of(
        (hunt, as_of[:10] + " 00:00:00", *rest) for hunt, as_of, *rest in BY_HAND
    )
    assert len({row[0] for row in found}) == 5  # two findings were there at both as-ofs
    assert found == by_python(endpoint, hunted)


@pytest.mark.parametrize("view", views.VIEWS, ids=lambda view: view.name)
def test_a_view_has_the_same_rows_in_spark_and_in_duckdb(endpoint: Endpoint, hunted: Lake, view: views.View) -> None:
    names = [name for name, _ in view.columns]
    here = endpoint.rows(f"SELECT * FROM bi.{view.name}")
    there = duckdb_lake(hunted).sql(f"SELECT * FROM bi.{view.name}").to_arrow_table()
    assert there.column_names == names
    described = endpoint.rows(f"DESCRIBE bi.{view.name}")
    assert [(name, comment) for name, _, comment in described] == list(view.columns)
    assert rows_of(here) == rows_of(row.values() for row in there.to_pylist())
    assert here


ANSWERS: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "new today": (
        "SELECT hunt_id, device_name, events FROM bi.new_findings",
        [(H1.id, "web02", 1), (H2.id, "web02", 1), (H2.id, "web03", 1)],
    ),
    "per device": (
        "SELECT device_name, findings, new_findings, hunts, events, highest_severity FROM bi.devices",
        [("web01", 2, 0, 2, 4, None), ("web02", 2, 2, 2, 2, None), ("web03", 1, 1, 1, 1, None)],
    ),
    "per tactic": (
        "SELECT tactic, findings, new_findings, hunts, devices FROM bi.tactics",
        [("Execution", 5, 3, 2, 3), ("Stealth", 2, 1, 1, 2), ("Discovery", 2, 1, 1, 2)],
    ),
    "trend": (
        "SELECT hunt_id, as_of_date, findings, new_findings, recurring_findings, events FROM bi.trend",
        [
            (H1.id, "2026-03-06", 1, 1, 0, 2),
            (H1.id, "2026-03-07", 2, 1, 1, 3),
            (H2.id, "2026-03-06", 1, 1, 0, 2),
            (H2.id, "2026-03-07", 3, 2, 1, 4),
        ],
    ),
    "noise": (
        "SELECT hunt_id, command_line, events, findings, devices, accounts FROM bi.command_lines",
        [
            (H1.id, WHOAMI, 2, 1, 1, 1),
            (H1.id, IPCONFIG, 1, 1, 1, 1),
            (H2.id, WHOAMI, 2, 1, 1, 1),
            (H2.id, IPCONFIG, 1, 1, 1, 1),
            (H2.id, ARCHIVE, 1, 1, 1, 1),
        ],
    ),
    "history": (
        "SELECT device_name, as_ofs, is_current, first_as_of FROM bi.finding_history WHERE size(tactics) = 3",
        [("web01", 2, True, "2026-03-06 00:00:00"), ("web02", 1, True, "2026-03-07 00:00:00")],
    ),
    "a hunt's own table": (
        f"SELECT DeviceName, instances FROM findings.`{OWN}` WHERE as_of = TIMESTAMP '2026-03-07 00:00:00'",
        [("web01", 2), ("web02", 1), ("web03", 1)],
    ),
    "joined, with a subquery, a window and a table function": (
        """WITH f AS (SELECT finding_id, explode(evidence) AS event_id FROM findings.all)
           SELECT DISTINCT e.DeviceId, row_number() OVER (PARTITION BY e.DeviceId ORDER BY e.Timestamp) AS n
           FROM events.device_process_events AS e LATERAL VIEW stack(1, 1) AS one
           WHERE e.event_id IN (SELECT event_id FROM f) ORDER BY n LIMIT 10""",
        [("d1", 1), ("d1", 2), ("d2", 1), ("d3", 1)],
    ),
    "an earlier version": ("SELECT count(*) FROM findings.all VERSION AS OF 0", [(0,)]),
    "the schemas": ("SHOW SCHEMAS", [(name,) for name in (*SCHEMAS, "default")]),
    "the runs": ("SELECT count(DISTINCT run_id) FROM hunts.runs", [(2,)]),
    "elsewhere": ("SELECT sum(id) FROM range(4)", [(6,)]),
}


@pytest.mark.parametrize(("sql", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_questions(endpoint: Endpoint, sql: str, expected: list[tuple[Any, ...]]) -> None:
    assert rows_of(endpoint.rows(sql)) == rows_of(expected)


LOOKING = (
    "SHOW TABLES IN findings", "SHOW TABLES IN bi LIKE 'new*'", "SHOW VIEWS IN bi", "DESCRIBE findings.all",
    "DESCRIBE EXTENDED findings.all", "DESCRIBE findings.all events", "SHOW COLUMNS IN findings.all",
    "SHOW CREATE TABLE bi.devices", "SHOW TBLPROPERTIES findings.all", "SHOW FUNCTIONS LIKE 'explo*'",
    "DESCRIBE FUNCTION explode", "DESCRIBE SCHEMA bi", "SHOW CATALOGS", "SHOW CURRENT SCHEMA", "EXPLAIN SELECT 1",
    "EXPLAIN EXTENDED SELECT * FROM bi.devices", "DESCRIBE QUERY SELECT 1 AS a", "SELECT 1", "VALUES (1), (2)",
    "SELECT * FROM spark_catalog.findings.all", "TABLE bi.trend",
    "SELECT /*+ BROADCAST(f) */ count(*) FROM findings.all TABLESAMPLE (100 PERCENT) AS f",
    "SELECT * FROM (SELECT status, events FROM findings.all) PIVOT (sum(events) FOR status IN ('new', 'recurring'))",
    "SELECT filter(evidence, e -> e > 'a')[0], cast(events AS STRING) || 'x' FROM findings.all",
    "SELECT hunt_id, count(*) FROM findings.all GROUP BY ALL HAVING count(*) > 1 ORDER BY 1",
    "SELECT * EXCEPT (result) FROM findings.all UNION ALL SELECT * EXCEPT (result) FROM findings.all OFFSET 1",
)  # fmt: skip


@pytest.mark.parametrize("sql", LOOKING)
def test_looking_around(endpoint: Endpoint, sql: str) -> None:
    assert endpoint.rows(sql)


def test_a_session_has_a_schema(endpoint: Endpoint) -> None:
    with endpoint.cursor(database="findings") as cursor:
        cursor.execute("SELECT count(*) FROM all")
        assert cursor.fetchall() == [(7,)]
        cursor.execute("USE bi")
        cursor.execute("SELECT count(*) FROM new_findings")
        assert cursor.fetchall() == [(3,)]


def test_a_driver_can_list_tables_and_columns(endpoint: Endpoint) -> None:
    with endpoint.cursor() as cursor:
        cursor.get_tables("bi")
        assert {row[2] for row in cursor.fetchall()} == {view.name for view in views.VIEWS}
        for schema, table, names in (
            ("findings", "all", FINDINGS_ALL.column_names),
            ("bi", "devices", [name for name, _ in views.VIEWS[4].columns]),
        ):
            assert [name for name, *_ in cursor.get_table_schema(table, schema)] == names


# What is refused

LAKE = "/lake/of/mine"
REFUSED = {
    # writing
    "INSERT INTO findings.all SELECT * FROM findings.all": "InsertIntoStatement",
    "INSERT OVERWRITE findings.all SELECT * FROM findings.all": "InsertIntoStatement",
    "WITH a AS (SELECT 1) INSERT INTO findings.all SELECT * FROM a": "InsertIntoStatement",
    "FROM findings.all INSERT INTO hunts.runs SELECT * INSERT INTO findings.all SELECT *": "InsertIntoStatement",
    "INSERT OVERWRITE DIRECTORY '/tmp/x' USING parquet SELECT 1": "InsertIntoDir",
    "DELETE FROM findings.all": "DeleteFromTable",
    "DELETE FROM delta.`{lake}/findings/all`": "DeleteFromTable",
    "UPDATE findings.all SET status = 'new'": "UpdateTable",
    "MERGE INTO findings.all t USING findings.all s ON t.finding_id = s.finding_id WHEN MATCHED THEN DELETE": "Merge",
    "TRUNCATE TABLE findings.all": "TruncateTable",
    "LOAD DATA INPATH '/etc/passwd' INTO TABLE findings.all": "LoadData",
    "EXPLAIN DELETE FROM findings.all": "DeleteFromTable",
    # what there is
    "CREATE TABLE findings.x (a INT) USING delta": "CreateTable",
    "CREATE TABLE findings.x USING delta LOCATION '/tmp/x' AS SELECT 1 AS a": "CreateTableAsSelect",
    "CREATE OR REPLACE TABLE findings.all (a INT) USING delta": "ReplaceTable",
    "CREATE TABLE findings.x SHALLOW CLONE findings.all": "Clone",
    "CREATE VIEW bi.x AS SELECT 1": "CreateView",
    "CREATE TEMPORARY VIEW x AS SELECT 1": "CreateView",
    "CREATE TEMPORARY VIEW x USING csv OPTIONS (path '/etc/passwd')": "CreateTempViewUsing",
    "CREATE SCHEMA x": "CreateNamespace",
    "CREATE FUNCTION f AS 'java.lang.Runtime'": "CreateFunction",
    "CREATE TEMPORARY FUNCTION f() RETURNS INT RETURN 1": "CreateSQLFunctionCommand",
    "DECLARE VARIABLE x INT": "CreateVariable",
    "DROP TABLE findings.all": "DropTable",
    "DROP VIEW bi.devices": "DropView",
    "DROP SCHEMA findings CASCADE": "DropNamespace",
    "ALTER TABLE findings.all ADD COLUMNS (x INT)": "AddColumns",
    "ALTER TABLE findings.all SET TBLPROPERTIES ('a' = 'b')": "SetTableProperties",
    "ALTER VIEW bi.devices AS SELECT 1": "AlterViewAs",
    "COMMENT ON TABLE findings.all IS 'x'": "CommentOnTable",
    "MSCK REPAIR TABLE findings.all": "RepairTable",
    # upkeep, and the server
    "OPTIMIZE findings.all": "OptimizeTableCommand",
    "VACUUM findings.all RETAIN 0 HOURS": "Vacuum",
    "RESTORE TABLE findings.all TO VERSION AS OF 0": "RestoreTableStatement",
    "REFRESH TABLE findings.all": "RefreshTable",
    "ANALYZE TABLE findings.all COMPUTE STATISTICS": "AnalyzeTable",
    "CACHE TABLE findings.all": "CacheTable",
    "CLEAR CACHE": "ClearCacheCommand",
    "SET": "SetCommand",
    "SET spark.sql.runSQLOnFiles=true": "SetCommand",
    "SET TIME ZONE 'Europe/Berlin'": "SetCommand",
    "RESET": "ResetCommand",
    "ADD JAR '/tmp/x.jar'": "AddJars",
    "ADD FILE '/etc/passwd'": "AddFiles",
    "LIST FILES": "ListFilesCommand",
    "CALL spark_catalog.system.x()": "Call",
    "EXECUTE IMMEDIATE 'DELETE FROM findings.all'": "ExecuteImmediate",
    "BEGIN DELETE FROM findings.all; END": "CompoundBody",
    # reading what is not served
    "SELECT * FROM delta.`{lake}/findings/all`": "the table delta.",
    "SELECT * FROM text.`/etc/passwd`": "the table text.",
    "SELECT * FROM csv.`/etc/passwd` AS f": "the table csv.",
    "SELECT (SELECT count(*) FROM text.`/etc/passwd`)": "the table text.",
    "SELECT 1 WHERE EXISTS (SELECT * FROM text.`/etc/passwd`)": "the table text.",
    "SELECT 1 WHERE 1 IN (SELECT value FROM text.`/etc/passwd`)": "the table text.",
    "WITH a AS (SELECT * FROM text.`/etc/passwd`) SELECT 1": "the table text.",
    "SELECT * FROM findings.all, LATERAL (SELECT * FROM text.`/etc/passwd`)": "the table text.",
    "SELECT 1 UNION SELECT value FROM text.`/etc/passwd`": "the table text.",
    "EXPLAIN SELECT * FROM text.`/etc/passwd`": "the table text.",
    "DESCRIBE TABLE text.`/etc/passwd`": "the table text.",
    "DESCRIBE QUERY SELECT * FROM text.`/etc/passwd`": "the table text.",
    "SHOW COLUMNS IN text.`/etc/passwd`": "the table text.",
    "DESCRIBE HISTORY delta.`{lake}/findings/all`": "DescribeDeltaHistory",
    "DESCRIBE DETAIL '{lake}/findings/all'": "DescribeDeltaDetail",
    "SELECT * FROM raw.records": "the table raw.",
    "SELECT * FROM evil.findings.all": "the table evil.",
    "SELECT * FROM evil.x.findings.all": "the table evil.",
    "SELECT * FROM findings.all WITH (`path` = '/etc')": "a table with options",
    "SELECT * FROM table_changes('findings.all', 0)": "the table function table_changes",
    "SELECT * FROM table_changes_by_path('{lake}/findings/all', 0)": "the table function table_changes_by_path",
    "SELECT * FROM IDENTIFIER('text.`/etc/' || 'passwd`')": "UnresolvedIdentifier",
    "USE evil": "the schema evil",
    "USE spark_catalog.evil": "the schema spark_catalog.evil",
    "USE SCHEMA evil": "the schema evil",
    "SET CATALOG evil": "SetCatalogCommand",
    "SHOW TABLES IN evil": "the schema evil",
    # programs
    "SELECT reflect('java.lang.System', 'getenv', 'HOME')": "the function reflect",
    "SELECT `REFLECT`('java.lang.System', 'getenv', 'HOME')": "the function reflect",
    "SELECT builtin.java_method('java.lang.System', 'getenv', 'HOME')": "the function java_method",
    "SELECT max(length(try_reflect('java.lang.System', 'getenv', 'HOME')))": "the function try_reflect",
    "SELECT 1 ORDER BY reflect('java.lang.System', 'getenv', 'HOME')": "the function reflect",
    "SELECT sum(1) OVER (ORDER BY reflect('java.lang.System', 'getenv', 'HOME'))": "the function reflect",
    "SELECT transform(array(1), x -> reflect('java.lang.System', 'getenv', 'HOME'))": "the function reflect",
    "SELECT from_avro(unhex('00'), '1', map('avroSchemaUrl', '/etc/passwd'))": "the function from_avro",
    "SELECT from_protobuf(unhex('00'), 'M', '/etc/passwd')": "the function from_protobuf",
    "SELECT IDENTIFIER('ref' || 'lect')('java.lang.System', 'getenv', 'HOME')": "UnresolvedIdentifier",
    "SELECT * FROM findings.all LATERAL VIEW reflect('java.lang.System', 'getenv', 'HOME') AS x": "the table function",
    "SELECT TRANSFORM (finding_id) USING 'cat' AS x FROM findings.all": "ScriptTransformation",
    "FROM findings.all SELECT TRANSFORM (finding_id) USING 'cat'": "ScriptTransformation",
}


@pytest.mark.parametrize("sql", REFUSED)
def test_refused(endpoint: Endpoint, hunted: Lake, sql: str) -> None:
    with pytest.raises(Exception, match="lakehunt serve answers queries, and refuses") as refusal:
        endpoint.rows(sql.replace("{lake}", hunted.root))
    named = re.search(r"and refuses (.*?) \(docs/how-to/sql\.md\)", str(refusal.value))
    assert named
    assert REFUSED[sql] in named[1]


def test_what_the_servers_process_knows_is_not_told(endpoint: Endpoint) -> None:
    """Spark would put a variable of the environment in the place of such a text."""
    assert endpoint.rows("SELECT '${env:PATH}', '${system:user.home}'") == [("${env:PATH}", "${system:user.home}")]


SETTINGS = {
    "set:hiveconf:spark.sql.defaultCatalog": "Cannot modify spark.sql.defaultCatalog",
    "set:hiveconf:spark.sql.catalog.evil": "Cannot modify spark.sql.catalog.evil",
    "set:hiveconf:fs.file.impl": "Cannot modify fs.file.impl",
    "set:hiveconf:javax.jdo.option.ConnectionURL": "Cannot modify javax.jdo.option.ConnectionURL",
    "spark.sql.runSQLOnFiles": "Cannot modify spark.sql.runSQLOnFiles",
    "set:hivevar:spark.sql.defaultCatalog": "the connection's setting spark.sql.defaultCatalog",
    "set:hivevar:spark.sql.variable.substitute": "the connection's setting spark.sql.variable.substitute",
    "set:hivevar:fs.file.impl": "the connection's setting fs.file.impl",
    "set:system:user.home": "the connection's setting system:user.home",
    "use:database": "the schema evil",
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_connection_brings_no_settings(endpoint: Endpoint, setting: str) -> None:
    with pytest.raises(Exception, match=re.escape(SETTINGS[setting])):
        endpoint.rows("SELECT 1", configuration={setting: "true" if setting.endswith("substitute") else "evil"})
    assert endpoint.rows("SELECT 1") == [(1,)]


def test_beeline_is_told_why(endpoint: Endpoint) -> None:
    told = beeline(endpoint, "DROP TABLE findings.all")
    assert told.returncode != 0
    assert "lakehunt serve answers queries, and refuses DropTable" in told.stderr


def test_it_listens_on_the_loopback_address_alone(endpoint: Endpoint) -> None:
    assert f"jdbc:hive2://127.0.0.1:{endpoint.port}/default" in endpoint.said
    with pytest.raises(OSError):  # noqa: PT011  (another address of the same interface: refused, or not configured)
        socket.create_connection(("127.0.0.2", endpoint.port), timeout=2)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux")
def test_nothing_of_spark_is_open_to_other_machines(endpoint: Endpoint) -> None:
    """Not its messages and blocks either, of which whoever reaches them could make use."""
    found = listening(endpoint.process.pid)
    assert str(endpoint.port) in {port for _, port in found}
    assert {address for address, _ in found} == {"127.0.0.1"}


def listening(process: int) -> set[tuple[str, str]]:
    """Addresses and ports on which a process and those that it has started listen."""
    family, found = [process], set()
    for one in family:
        family += [
            int(id_) for file in Path(f"/proc/{one}/task").glob("*/children") for id_ in file.read_text().split()
        ]
    inodes = {link for one in family for file in Path(f"/proc/{one}/fd").iterdir() if "socket" in (link := _link(file))}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                address, port = fields[1].split(":")
                last = bytes.fromhex(address[-8:])[::-1]  # of IPv6, where IPv4 is mapped, the end
                assert table == "tcp" or address.startswith("0000000000000000FFFF0000"), f"open on IPv6: {address}"
                found.add((socket.inet_ntoa(last), str(int(port, 16))))
    return found


def _link(file: Path) -> str:
    with suppress(OSError):  # it was closed
        return str(file.readlink())
    return ""


def test_nothing_of_all_this_has_changed_the_lake(before: dict[str, str], endpoint: Endpoint, hunted: Lake) -> None:
    assert contents(hunted) == before


# The examples of docs/how-to/sql.md

EXAMPLES = (PROJECT / "docs" / "how-to" / "sql.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|sql|python)\n(.*?)^```", EXAMPLES, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def beside(hunted: Lake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the examples' paths lead to the lake and to the documentation."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "lake").symlink_to(hunted.root)
    (folder / "docs").symlink_to(PROJECT / "docs")
    return folder


SAYS = {"sh": ["web02", "web03"], "python": ["web02", "Execution", "Webserver Executing", WHOAMI]}
"""What the examples print between them."""


@pytest.mark.parametrize(("language", "text"), BLOCKS, ids=[f"{lang}-{i}" for i, (lang, _) in enumerate(BLOCKS)])
def test_examples(
    endpoint: Endpoint, beside: Path, spark: Any, monkeypatch: Any, capfd: Any, language: str, text: str
) -> None:
    monkeypatch.chdir(beside)
    text = text.replace("10000", str(endpoint.port))
    if language == "sql":
        assert endpoint.rows(text)
        return
    if language == "sh":
        printed = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True, env=ACTIVATED).stdout
    else:
        exec(text.replace('"lake/', f'"{beside}/lake/'), {"spark": spark})  # Spark's JVM started in another folder
        printed = capfd.readouterr().out
    assert any(word in printed for word in SAYS[language]), printed


def test_there_are_examples_of_every_kind() -> None:
    texts = " ".join(text for _, text in BLOCKS)
    for word in (
        "beeline",
        "impala.dbapi",
        "deltalake",
        "duckdb-views.sql",
        "polars",
        "spark.read",
        "bi.command_lines",
    ):
        assert word in texts


# What comes while it runs; last, as it changes the lake


def test_new_rows_and_new_hunts_are_there_without_a_restart(endpoint: Endpoint, hunted: Lake) -> None:
    new = custom("DeviceProcessEvents | where DeviceId == 'd3' | project DeviceId, FileName")
    run(hunted, new, as_of=SECOND)
    assert endpoint.rows("SELECT device_name FROM bi.current_findings WHERE hunt_name = 'custom'") == [("web03",)]
    sql = f"SELECT DeviceId, FileName FROM findings.`{new.id.replace('-', '_')}`"
    until = time.monotonic() + 60
    while (new.id.replace("-", "_"),) not in [row[1:2] for row in endpoint.rows("SHOW TABLES IN findings")]:
        assert time.monotonic() < until
        time.sleep(1)
    assert endpoint.rows(sql) == [("d3", "cmd.exe")]


def test_a_hunt_that_finds_nothing_any_more_has_no_current_findings(endpoint: Endpoint, hunted: Lake) -> None:
    run(hunted, H1, as_of="2026-03-20T00:00:00Z")
    assert endpoint.rows(f"SELECT count(*) FROM bi.current_findings WHERE hunt_id = '{H1.id}'") == [(0,)]
    assert endpoint.rows(f"SELECT count(*) FROM bi.new_findings WHERE hunt_id = '{H1.id}'") == [(0,)]
    newest = f"SELECT findings FROM bi.trend WHERE hunt_id = '{H1.id}' ORDER BY as_of DESC LIMIT 1"
    assert endpoint.rows(newest) == [(0,)]
    history = f"SELECT is_current, as_ofs FROM bi.finding_history WHERE hunt_id = '{H1.id}' ORDER BY as_ofs"
    assert endpoint.rows(history) == [(False, 1), (False, 2)]
