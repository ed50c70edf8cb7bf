"""Where the endpoint may listen, decided before Spark starts; and what it says of a lake that it cannot serve."""

from __future__ import annotations

import re
import socket
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lakehunt.config import Config
from lakehunt.core.errors import LakehuntError, UsageError
from lakehunt.lake.delta_lake import Lake
from lakehunt.operations import maintenance
from lakehunt.serving import statement_gate, views
from lakehunt.serving.endpoint import Address, check
from lakehunt.serving.sql_catalog import SCHEMAS, SqlCatalog
from tests.support.commands import WITHOUT_JAVA, lakehunt
from tests.support.serving import free_port

OPEN = "0.0.0.0"

LDAP = {
    "spark.hadoop.hive.server2.authentication": "LDAP",
    "spark.hadoop.hive.server2.authentication.ldap.url": "ldaps://ldap.example.com",
    "spark.hadoop.hive.server2.use.SSL": "true",
    "spark.hadoop.hive.server2.keystore.path": "/etc/lakehunt/keystore.p12",
    "spark.hadoop.hive.server2.keystore.password": "secret",
}
KERBEROS = {
    "spark.hadoop.hive.server2.authentication": "kerberos",
    "spark.hadoop.hive.server2.authentication.kerberos.principal": "hive/_HOST@EXAMPLE.COM",
    "spark.hadoop.hive.server2.authentication.kerberos.keytab": "/etc/lakehunt/hive.keytab",
}


def checked(settings: dict[str, str], host: str = OPEN) -> None:
    check(Address(host, free_port()), Config(spark=settings))


@pytest.mark.parametrize("settings", [LDAP, KERBEROS], ids=["ldap", "kerberos"])
def test_an_open_address_with_authentication(settings: dict[str, str]) -> None:
    checked(settings)


@pytest.mark.parametrize("method", ["NONE", "NOSASL", "CUSTOM", ""])
def test_an_open_address_without_authentication(method: str) -> None:
    settings = LDAP | {"spark.hadoop.hive.server2.authentication": method}
    with pytest.raises(UsageError, match=f"other machines can reach {OPEN}") as refusal:
        checked(settings)
    assert "spark.hadoop.hive.server2.authentication: LDAP or KERBEROS" in refusal.value.hint


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        *((LDAP, name, "") for name in list(LDAP)[1:]),
        *((KERBEROS, name, "") for name in list(KERBEROS)[1:]),
        (LDAP, "spark.hadoop.hive.server2.use.SSL", "false"),
    ],
)
def test_authentication_is_whole_or_none(settings: dict[str, str], name: str, value: str) -> None:
    with pytest.raises(UsageError, match=name.removeprefix("spark.hadoop.")):
        checked(settings | {name: value})


@pytest.mark.parametrize("name", ["groupFilter", "userFilter", "groupDNPattern", "customLDAPQuery"])
def test_a_filter_that_sparks_server_does_not_read_is_not_taken_for_one(name: str) -> None:
    setting = f"spark.hadoop.hive.server2.authentication.ldap.{name}"
    with pytest.raises(UsageError, match=f"does not read hive.server2.authentication.ldap.{name}: everybody"):
        checked(LDAP | {setting: "hunters"})


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("ldaps://a.example.com ldaps://b.example.com:1636", False),
        ("ldap://127.0.0.1:389", False),
        ("LDAPS://ldap.example.com", False),
        ("ldap://192.0.2.7", True),
        ("ldaps://192.0.2.7 ldap://192.0.2.8", True),
        ("ldap://no.such.host.invalid", True),
    ],
)
def test_a_directory_elsewhere_is_asked_over_tls(url: str, refused: bool) -> None:
    settings = LDAP | {"spark.hadoop.hive.server2.authentication.ldap.url": url}
    with pytest.raises(UsageError, match="without encryption") if refused else nullcontext():
        checked(settings)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.9.10"])
def test_this_machine_alone_needs_none(host: str) -> None:
    checked({}, host)


@pytest.mark.parametrize("name", ["HIVE_SERVER2_THRIFT_BIND_HOST", "HIVE_SERVER2_THRIFT_PORT"])
def test_no_variable_opens_it_unseen(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, OPEN)
    with pytest.raises(UsageError, match=name):
        checked({}, "127.0.0.1")


def test_the_command_says_so_before_it_starts_java() -> None:
    done = lakehunt("serve", "--host", OPEN, **WITHOUT_JAVA)
    assert (done.returncode, done.stdout) == (2, "")
    assert "other machines can reach 0.0.0.0" in done.stderr
    assert "hint: configure spark.hadoop.hive.server2.authentication" in done.stderr


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = lakehunt("serve", "--port", port, **WITHOUT_JAVA)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr


@pytest.mark.parametrize("port", ["0", "65536", "x", "-1"])
def test_no_port(port: str) -> None:
    assert lakehunt("serve", f"--port={port}", **WITHOUT_JAVA).returncode == 2


def test_a_host_that_is_none() -> None:
    done = lakehunt("serve", "--host", "no.such.host.invalid", **WITHOUT_JAVA)
    assert done.returncode == 2
    assert "no address of this machine: no.such.host.invalid" in done.stderr


def test_every_name_of_the_gate_is_a_class_of_spark() -> None:
    """A name with a slip in it would refuse, or let through, something else than it says."""
    import zipfile

    import pyspark

    jars = Path(pyspark.__file__).parent / "jars"
    names = {
        file.removesuffix(".class").replace("/", ".")
        for jar in jars.glob("spark-[cs]*.jar")
        for file in zipfile.ZipFile(jar).namelist()
        if file.startswith("org/apache/spark/sql/") and file.endswith(".class")
    }
    rules = statement_gate.rules(SCHEMAS)
    for rule in ("plans", "tables", "tables with options", "namespaces", "expressions", "functions", "generators"):
        assert set(rules[rule]) <= names, rule
    for rule in ("tables", "tables with options", "namespaces", "table functions"):
        assert set(rules[rule]) <= set(rules["plans"]), rule


def test_the_functions_of_the_gate_are_those_of_spark(spark: Any) -> None:
    """Every function that this Spark has for calling Java, or for formats whose schemas are files, is refused."""
    names = {row.function for row in spark.sql("SHOW FUNCTIONS").collect()}
    assert {*statement_gate.REFUSED_FUNCTIONS, *statement_gate.TABLE_FUNCTIONS} <= names
    registry = spark._jsparkSession.sessionState().functionRegistry()
    made_by = {}
    for identifier in spark._jvm.scala.jdk.javaapi.CollectionConverters.asJava(registry.listFunction()):
        found = registry.lookupFunction(identifier)
        made_by[identifier.funcName()] = found.get().getClassName()
    assert len(made_by) > 400
    reaching = {name for name, kind in made_by.items() if re.search("Reflect|Avro|Protobuf|Xml|XPath", kind)}
    assert reaching == set(statement_gate.REFUSED_FUNCTIONS)


def test_a_lake_without_findings(lake: Lake) -> None:
    with pytest.raises(LakehuntError, match=r"has no table findings\.all") as error:
        SqlCatalog(lake).make()
    assert "lakehunt run" in error.value.hint


def test_a_lake_of_an_earlier_version(hunted: Lake, spark: Any, tmp_path: Path) -> None:
    import shutil

    old = Lake(spark, str(shutil.copytree(hunted.root, tmp_path / "old")))
    without = old.read("findings.all").drop("attack_tactics").localCheckpoint()
    without.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(old.path("findings.all"))
    with pytest.raises(LakehuntError, match=r"findings\.all has no column attack_tactics"):
        SqlCatalog(old).make()


def test_a_view_waits_for_its_event_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake may have findings without process events; they may be landed later."""
    there, made = {"findings.all", "hunts.runs"}, list[str]()
    lake: Any = SimpleNamespace(exists=there.__contains__, spark=SimpleNamespace(sql=made.append))
    monkeypatch.setattr(maintenance, "folders", lambda lake, folder: [])
    monkeypatch.setattr(SqlCatalog, "_add", lambda self, name, table: self._tables.update({name: table}))
    catalog = SqlCatalog(lake)
    assert sorted(catalog.refresh()) == ["findings.all", "hunts.runs"]
    assert len(made) == len(views.VIEWS) - 1
    assert not any("bi.command_lines" in statement for statement in made)
    there.add("events.device_process_events")
    made.clear()
    assert catalog.refresh() == ["events.device_process_events"]
    (statement,) = made
    assert statement.startswith("CREATE OR REPLACE VIEW bi.command_lines ")
