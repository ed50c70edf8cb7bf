"""The declarations of Defender's endpoint tables, against facts from Microsoft's documentation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

import lakehunt
from lakehunt.hunting.query.events_table import KQL_TABLES
from lakehunt.quality.suites import load
from lakehunt.schemas import registry
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import BY_NAME, EVENT_TABLES
from tests.support.paths import PROJECT

SCHEMAS = Path(lakehunt.__file__).parent / "schemas"
HOURS_AHEAD = "hours_ahead_of_landing"

COLUMNS_IN_XDR = {
    "DeviceEvents": 64,
    "DeviceFileCertificateInfo": 18,
    "DeviceFileEvents": 57,
    "DeviceImageLoadEvents": 41,
    "DeviceInfo": 40,
    "DeviceLogonEvents": 48,
    "DeviceNetworkEvents": 44,
    "DeviceNetworkInfo": 16,
    "DeviceProcessEvents": 66,
    "DeviceRegistryEvents": 42,
}
"""Rows of the column tables of Microsoft's pages on the advanced hunting schema."""

of_each_table = pytest.mark.parametrize("table", EVENT_TABLES, ids=lambda table: table.name)


def types(name: str) -> dict[str, str]:
    return {column.name: column.type for column in BY_NAME[name].columns}


def test_the_endpoint_tables() -> None:
    assert sorted(BY_NAME) == sorted(COLUMNS_IN_XDR)
    assert KQL_TABLES.keys() == BY_NAME.keys()


@pytest.mark.parametrize(("name", "count"), COLUMNS_IN_XDR.items())
def test_the_columns_of_xdr_come_first_then_those_of_log_analytics(name: str, count: int) -> None:
    names = BY_NAME[name].column_names
    assert names[:3] == ("Timestamp", "DeviceId", "DeviceName")
    assert names[count:][:4] == ("TimeGenerated", "TenantId", "Type", "SourceSystem")
    assert "MachineGroup" in (names[:count] if name == "DeviceInfo" else names[count:])


@pytest.mark.parametrize(
    ("name", "column", "kind"),
    [
        ("DeviceNetworkEvents", "RemoteIP", "string"),
        ("DeviceNetworkEvents", "RemotePort", "int"),
        ("DeviceNetworkEvents", "LocalPort", "int"),
        ("DeviceNetworkEvents", "AdditionalFields", "dynamic"),
        ("DeviceNetworkEvents", "InitiatingProcessCreationTime", "datetime"),
        ("DeviceNetworkEvents", "InitiatingProcessUniqueId", "string"),
        ("DeviceFileEvents", "FileSize", "long"),
        ("DeviceFileEvents", "RequestSourcePort", "int"),
        ("DeviceFileEvents", "IsAzureInfoProtectionApplied", "bool"),
        ("DeviceFileEvents", "FileOriginReferrerUrl", "string"),
        ("DeviceRegistryEvents", "RegistryValueData", "string"),
        ("DeviceRegistryEvents", "PreviousRegistryKey", "string"),
        ("DeviceImageLoadEvents", "SHA256", "string"),
        ("DeviceImageLoadEvents", "IsInitiatingProcessRemoteSession", "bool"),
        ("DeviceLogonEvents", "LogonType", "string"),
        ("DeviceLogonEvents", "LogonId", "long"),
        ("DeviceLogonEvents", "IsLocalAdmin", "bool"),
        ("DeviceLogonEvents", "RemotePort", "int"),
        ("DeviceEvents", "ProcessCreationTime", "datetime"),
        ("DeviceEvents", "InitiatingProcessLogonId", "long"),
        ("DeviceEvents", "RemoteDeviceName", "string"),
        ("DeviceInfo", "OSBuild", "long"),
        ("DeviceInfo", "IsAzureADJoined", "bool"),
        ("DeviceInfo", "LoggedOnUsers", "dynamic"),
        ("DeviceInfo", "MergedDeviceIds", "string"),
        ("DeviceNetworkInfo", "IPAddresses", "dynamic"),
        ("DeviceNetworkInfo", "ConnectedNetworks", "dynamic"),
        ("DeviceNetworkInfo", "MacAddress", "string"),
        ("DeviceFileCertificateInfo", "IsTrusted", "bool"),
        ("DeviceFileCertificateInfo", "CertificateExpirationTime", "datetime"),
        ("DeviceFileCertificateInfo", "CrlDistributionPointUrls", "string"),
    ],
)
def test_the_type_of_a_column(name: str, column: str, kind: str) -> None:
    assert types(name)[column] == kind


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("DeviceRegistryEvents", "AdditionalFields"),  # it has none, neither in XDR nor in Log Analytics
        ("DeviceImageLoadEvents", "AdditionalFields"),
        ("DeviceImageLoadEvents", "AccountName"),
        ("DeviceNetworkEvents", "AccountName"),
        ("DeviceEvents", "InitiatingProcessIntegrityLevel"),
        ("DeviceNetworkInfo", "ActionType"),
        ("DeviceInfo", "ActionType"),
        ("DeviceFileCertificateInfo", "SHA256"),
    ],
)
def test_a_column_that_a_table_does_not_have(name: str, missing: str) -> None:
    assert missing not in types(name)


def test_whom_an_event_is_about() -> None:
    accounts = {table.name: table.account_name for table in EVENT_TABLES}
    by_process = ("DeviceEvents", "DeviceFileEvents", "DeviceImageLoadEvents", "DeviceNetworkEvents",
        "DeviceRegistryEvents")  # fmt: skip
    of_devices = ("DeviceFileCertificateInfo", "DeviceInfo", "DeviceNetworkInfo")
    assert {name for name, account in accounts.items() if account == "InitiatingProcessAccountName"} == {*by_process}
    assert {name for name, account in accounts.items() if account is None} == {*of_devices}
    assert {name for name, account in accounts.items() if account == "AccountName"} == {
        "DeviceLogonEvents", "DeviceProcessEvents"}  # fmt: skip
    assert all(table.subject_columns[:2] == ("DeviceId", "DeviceName") for table in EVENT_TABLES)


def test_the_command_line_of_an_event() -> None:
    """That of the started process, or of the process that acted; reports about a device have none."""
    shown = {table.name: table.command_line for table in EVENT_TABLES}
    assert shown.pop("DeviceProcessEvents") == "ProcessCommandLine"
    assert {name for name, column in shown.items() if column is None} == {
        "DeviceFileCertificateInfo", "DeviceInfo", "DeviceNetworkInfo"}  # fmt: skip
    assert {column for column in shown.values() if column} == {"InitiatingProcessCommandLine"}
    assert all(table.command_line in {None, *table.sensitive_columns} for table in EVENT_TABLES)


@of_each_table
def test_every_column_that_names_an_account_is_erased(table: EventTable) -> None:
    parts = ("AccountName", "AccountSid", "AccountUpn", "AccountObjectId")
    named = {name for name in table.column_names if name.endswith(parts)}
    assert named <= set(table.account_columns)
    assert set(table.account_columns) - named <= {"LoggedOnUsers"}


@of_each_table
def test_columns_with_secrets(table: EventTable) -> None:
    secret = ("CommandLine", "ValueData", "Url", "AdditionalFields")
    assert set(table.sensitive_columns) == {name for name in table.column_names if name.endswith(secret)}


@of_each_table
def test_its_names_follow_from_its_name_in_kql(table: EventTable) -> None:
    snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in table.name).lstrip("_")
    assert table.stored_as == snake
    assert table.category == f"AdvancedHunting-{table.name}"
    assert table.suite == f"{snake}.json"
    assert table.events.name == f"events.{snake}"
    assert registry.named(table.events.name) is table.events
    assert table.events.served


@of_each_table
def test_columns_with_few_values_are_texts(table: EventTable) -> None:
    kinds = types(table.name)
    assert table.few_values
    assert {kinds[name] for name in table.few_values} == {"string"}


@of_each_table
def test_nothing_of_a_file_is_overlooked(table: EventTable) -> None:
    """A key that the loader does not know would be without effect."""
    declared = yaml.safe_load((SCHEMAS / f"{table.stored_as}.yaml").read_text(encoding="utf-8"))
    known = {"table", "stored_as", "category", "suite", "event", "times", "sequence", "device", "account",
        "device_columns", "account_columns", "command_line", "few_values", "sensitive_columns", "known_values",
        "columns"}  # fmt: skip
    assert declared.keys() <= known
    assert declared.keys() >= known - {"account", "command_line", "known_values"}


# Suites

TYPES = {
    "bool": "BooleanType",
    "datetime": "TimestampType",
    "dynamic": "StringType",
    "int": "IntegerType",
    "long": "LongType",
    "string": "StringType",
}


@of_each_table
def test_its_suite_types_every_column(table: EventTable) -> None:
    suite = load(PROJECT / "expectations" / table.suite, {*table.column_names, HOURS_AHEAD})
    assert suite.name == table.stored_as
    typed = {
        rule.column: rule.kwargs["type_"]
        for rule in suite.expectations
        if rule.type == "expect_column_values_to_be_of_type"
    }
    assert typed == {column.name: TYPES[column.type] for column in table.columns}
    assert {rule.severity for rule in suite.expectations if "type_" in rule.kwargs} == {"critical"}
    assert all(rule.notes for rule in suite.expectations)


@of_each_table
def test_its_suite_refuses_and_warns_as_the_others(table: EventTable) -> None:
    suite = load(PROJECT / "expectations" / table.suite, {*table.column_names, HOURS_AHEAD})
    assert {rule.column for rule in suite.expectations if rule.quarantines} == {"Timestamp", "DeviceId"}
    others = [rule for rule in suite.expectations if not rule.quarantines and "type_" not in rule.kwargs]
    assert {rule.severity for rule in others} == {"info", "warning"}
    listed = {rule.column: tuple(rule.kwargs["value_set"]) for rule in others if "value_set" in rule.kwargs}
    assert listed == table.known_values


def test_every_suite_is_of_a_table() -> None:
    names = {file.name for file in (PROJECT / "expectations").glob("*.json")}
    assert names == {table.suite for table in EVENT_TABLES} | {"landing.json", "telemetry.json"}
    for name in names:
        json.loads((PROJECT / "expectations" / name).read_text(encoding="utf-8"))
