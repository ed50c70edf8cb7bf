"""Every table of the lake is declared once, with what is to become of its rows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import lakehunt
from lakehunt.schemas import registry
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS, EVENT_TABLES
from lakehunt.schemas.finding_tables import HUNT_FINDINGS
from lakehunt.schemas.table import (
    FOLDERS,
    Decisions,
    Erasure,
    Expires,
    KeptForever,
    Match,
    NotErased,
    Table,
    TableColumn,
    TableFamily,
)
from tests.support.scratch_tables import FOR_A_TEST, scratch_table

PACKAGE = Path(lakehunt.__file__).parent
SCHEMAS = PACKAGE / "schemas"

DECLARED = [*registry.tables(), *registry.families()]
STORED = [
    "raw.batches", "raw.files", "raw.records", "raw.refused_files", "events.device_events",
    "events.device_file_certificate_info", "events.device_file_events", "events.device_image_load_events",
    "events.device_info", "events.device_logon_events", "events.device_network_events", "events.device_network_info",
    "events.device_process_events", "events.device_registry_events",
    "quarantine.records", "quality.validations", "hunts.alerts", "hunts.exclusions", "hunts.hits",
    "hunts.hits_device_events", "hunts.hits_device_file_certificate_info", "hunts.hits_device_file_events",
    "hunts.hits_device_image_load_events", "hunts.hits_device_info", "hunts.hits_device_logon_events",
    "hunts.hits_device_network_events", "hunts.hits_device_network_info", "hunts.hits_device_registry_events",
    "hunts.late", "hunts.lookups", "hunts.passes", "hunts.runs", "hunts.suppressed", "findings.all",
]  # fmt: skip
"""Names under which lakes have tables: they are data. A renamed table keeps its name in the lakes that have it."""


def _calls(module: Path) -> Iterator[str]:
    """Names of all that a module calls, `table` for `x.table(...)` too."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def test_stored_names_stay() -> None:
    assert [table.name for table in registry.tables()] == STORED
    assert [family.name for family in registry.families()] == ["findings.<hunt id>"]


def test_no_table_is_made_beside_the_registry() -> None:
    """What writes takes a `Table`; only the schemas make one, so none can be missing from the registry."""
    others = [path for path in PACKAGE.rglob("*.py") if SCHEMAS not in path.parents]
    made = {path.name for path in others for called in _calls(path) if called in ("TableFamily", "EventTable")}
    imported = re.compile(r"import .*\bTable\b")
    made |= {
        path.name
        for path in others
        if "Table" in _calls(path) and any("schemas.table" in line and imported.search(line) for line in _lines(path))
    }
    assert made == set()


def test_only_the_lake_writes_tables() -> None:
    """But for what `doctor --spark` writes to see whether Spark can, in a temporary folder."""
    writers = {
        path.parent.name
        for path in PACKAGE.rglob("*.py")
        if path != PACKAGE / "operations/trial.py"
        and {"save", "saveAsTable", "insertInto", "writeTo", "createIfNotExists"} & set(_calls(path))
    }
    assert writers == {"lake"}


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("declared", DECLARED, ids=lambda one: one.name)
def test_each_table_has_its_decisions(declared: Table | TableFamily) -> None:
    columns = declared.trailing if isinstance(declared, TableFamily) else declared.columns
    types = {column.name: column.type for column in columns}
    assert all(column.comment for column in columns)
    assert declared.comment
    assert declared.written
    match declared.retention:
        case Expires(kind, column):
            assert kind in registry.retention_kinds()
            assert types[column] == ("DATE" if column == "event_date" else "TIMESTAMP")
        case KeptForever(why):
            assert why
    match declared.erasure:
        case Erasure(key=key, devices=devices, accounts=accounts, emptied=emptied, match=how):
            named = () if how is Match.RECORD else (*devices, *accounts)  # a record names them inside of its text
            assert {*key, *emptied, *named} <= types.keys()
            assert key
        case NotErased(why):
            assert why


@pytest.mark.parametrize("missing", [field.name for field in fields(Decisions)])
def test_a_table_without_a_decision_does_not_construct(missing: str) -> None:
    decided: dict[str, Any] = {name: value for name, value in FOR_A_TEST.items() if name != missing}
    with pytest.raises(TypeError, match=missing):
        Table("hunts.new", "New", (), **decided)
    with pytest.raises(TypeError, match=missing):
        TableFamily("hunts", "id", "New", (), **decided)


def test_a_table_of_a_lake_finds_its_declaration() -> None:
    for table in registry.tables():
        assert registry.named(table.name) is table
    assert registry.named("findings.0a1b") is HUNT_FINDINGS
    assert registry.named("lookup.owners") is None
    assert registry.named("hunts.of_a_later_version") is None


def test_tables_are_ordered_as_data_passes() -> None:
    folders = [FOLDERS.index(table.folder) for table in registry.tables()]
    assert folders == sorted(folders)


def test_two_tables_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehunt.schemas import alert_tables

    monkeypatch.setattr(alert_tables, "AGAIN", scratch_table("hunts.runs"), raising=False)
    registry.tables.cache_clear()
    try:
        with pytest.raises(ValueError, match=r"two tables are named hunts\.runs"):
            registry.tables()
    finally:
        registry.tables.cache_clear()


def test_what_the_configuration_can_keep() -> None:
    assert sorted(registry.retention_kinds()) == [
        "events", "findings", "hits", "quarantine", "raw", "runs", "validations"]  # fmt: skip


# Tables of hunts


def test_a_column_of_the_query_keeps_its_name_and_the_runs_gets_another() -> None:
    own = HUNT_FINDINGS.table("h", "", [TableColumn("AS_OF", "STRING", ""), TableColumn("n", "BIGINT", "")])
    assert own.name == "findings.h"
    assert own.column_names == ["AS_OF", "n", "as_of1", "hunt_version", "finding_id", "ordinal"]
    stored = HUNT_FINDINGS.stored_names(own.column_names)
    assert [*stored] == ["as_of", "hunt_version", "finding_id", "ordinal"]
    assert [*stored.values()] == ["as_of1", "hunt_version", "finding_id", "ordinal"]
    assert HUNT_FINDINGS.leading_names(own.column_names) == ["AS_OF", "n"]


# Event tables


@pytest.mark.parametrize("table", EVENT_TABLES, ids=lambda table: table.name)
def test_an_event_table_names_columns_that_it_has(table: Any) -> None:
    named = {*table.times, table.sequence, *table.device_columns, *table.account_columns}
    assert named | set(table.sensitive_columns) <= set(table.column_names)
    assert len(set(table.column_names)) == len(table.columns)
    assert set(table.times) <= set(table.datetime_names)
    assert {table.device_id, table.device_name} <= set(table.device_columns)
    assert table.account_name is None or table.account_name in table.account_columns


def test_the_tables_of_process_events() -> None:
    events = DEVICE_PROCESS_EVENTS.events
    assert events.column_names[:3] == ["Timestamp", "DeviceId", "DeviceName"]
    assert len(events.columns) == 73 + 9
    assert events.folder == "events"
    assert events.statistics == ("Timestamp", "TimeGenerated", "exported_at", "landed_at", "batch", "line")
