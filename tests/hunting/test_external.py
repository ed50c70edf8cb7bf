"""Files that queries read by their address, from copies; and when an event came into the lake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakehunt.config import load
from lakehunt.core.errors import LakehuntError
from lakehunt.hunting import engine
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.query.adhoc import query
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.kql import times
from lakehunt.kql.errors import QueryErrors
from lakehunt.kql.types import STRING, Column
from lakehunt.lake.delta_lake import Lake
from lakehunt.schemas.hunt_tables import RUNS
from lakehunt.schemas.registered_tables import RegisteredTable
from tests.support.events import event, store

ADDRESS = "https://example.com/list.csv"
NOW = times.from_datetime(times.to_datetime(0).replace(year=2026, month=3, day=7))


def rows(lake: Lake, text: str, copy: Path | None = None) -> list[list[Any]]:
    return query(lake, text, NOW, tables=TableCatalog(copies={ADDRESS: str(copy)} if copy else {})).rows


def copied(tmp_path: Path, content: str) -> Path:
    file = tmp_path / "copy"
    file.write_text(content, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("content", "columns", "options", "expected"),
    [
        ('a,b\n1,x\n2,"y, z"\n', "n: long, s: string", "format='csv', ignoreFirstRecord=true", [[1, "x"], [2, "y, z"]]),
        ("1\tx\nfoo\t\n", "n: long, s: string", "format=tsv", [[1, "x"], [None, ""]]),
        ('one, two\n\nthree "3"\n', "line: string", "format='txt'", [["one, two"], ['three "3"']]),
        ('{"b": 2, "a": "x"}\n{"a": "y"}\n', "a: string, b: long", "format='json'", [["x", 2], ["y", None]]),
        ('2021-03-14;{"k": 1}\n', "t: datetime, d: dynamic", "format='scsv'",
         [["2021-03-14T00:00:00.0000000Z", {"k": 1}]]),
    ],
)  # fmt: skip
def test_formats(
    lake: Lake, tmp_path: Path, content: str, columns: str, options: str, expected: list[list[Any]]
) -> None:
    text = f"externaldata({columns})['{ADDRESS}'] with ({options})"
    assert sorted(rows(lake, text, copied(tmp_path, content)), key=repr) == sorted(expected, key=repr)


def test_the_format_is_that_of_the_address_where_none_is_said(lake: Lake, tmp_path: Path) -> None:
    text = f"let L = externaldata(s: string)['{ADDRESS}']; print x = 'b' | where x in (L)"
    assert rows(lake, text, copied(tmp_path, "a\nb\n")) == [["b"]]


def test_an_address_without_a_copy_is_an_error_that_names_it(lake: Lake) -> None:
    with pytest.raises(LakehuntError, match=r"no copy of https://example\.com/list\.csv") as caught:
        rows(lake, f"externaldata(s: string)['{ADDRESS}']")
    assert "external" in caught.value.hint


def test_a_failing_run_shows_no_credential_of_an_address(lake: Lake) -> None:
    """Neither in the error of the run, which is printed and sent, nor in the tables of the lake."""
    at = "https://reader:Pl4ntedOne@h.example/list.csv?sig=Pl4ntedTwo"
    by_address = Hunt("1", "address", f"externaldata(s: string)[h'{at}'] with (format=csv)", Path("a.yaml"))
    by_table = Hunt("2", "table", "Secret | count", Path("b.yaml"))
    place = "s3a://AKIAPl4ntedThree:Pl4nted/Four@bucket/table?token=Pl4ntedFive"
    catalog = TableCatalog({"Secret": RegisteredTable("Secret", (Column("x", STRING),), place)})
    store(lake, [event(Timestamp="2026-03-06T10:00:00Z")])
    said: list[str] = []
    runs = engine.run_hunts(lake, [by_address, by_table], NOW, said.append, catalog)
    errors = [run.error or "" for run in runs]
    assert "no copy of https://[redacted]@h.example/list.csv?sig=[redacted]" in errors[0]
    assert "s3a://[redacted]@bucket/table?token=[redacted]" in errors[1]
    stored = [row.error for row in lake.rows(RUNS).filter("error IS NOT NULL").collect()]
    assert sorted(stored) == sorted(errors)
    assert "Pl4nted" not in "".join([*errors, *said])


def test_an_unknown_format_is_refused(lake: Lake) -> None:
    with pytest.raises(QueryErrors, match="format 'parquet' is not supported"):
        rows(lake, f"externaldata(s: string)['{ADDRESS}'] with (format='parquet')")


def test_copies_are_configured(tmp_path: Path) -> None:
    file = tmp_path / "lakehunt.yaml"
    file.write_text("external:\n  https://example.com/list.csv: lists/list.csv\n  https://x/y: s3://lake/y\n")
    assert load(str(file)).external == {ADDRESS: str(tmp_path / "lists/list.csv"), "https://x/y": "s3a://lake/y"}


def test_ingestion_time_is_when_the_event_landed(lake: Lake) -> None:
    store(lake, [event(Timestamp="2026-03-06T10:00:00Z", FileName="a.exe")])
    text = (
        "DeviceProcessEvents | where ingestion_time() > Timestamp | project FileName, t = ingestion_time() > ago(3650d)"
    )
    assert rows(lake, text) == [["a.exe", True]]


def test_ingestion_time_of_a_group_is_refused(lake: Lake) -> None:
    with pytest.raises(QueryErrors, match="ingestion_time"):
        rows(lake, "DeviceProcessEvents | summarize count() by FileName | where ingestion_time() > ago(1d)")
