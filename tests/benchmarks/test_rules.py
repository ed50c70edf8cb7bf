"""Hunts of a folder as a pack: their SQL asks what their KQL does."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from benchmarks import rules
from lakehunt.hunting.query.events_table import KQL_TABLES
from lakehunt.kql import plan as p
from lakehunt.kql.binding import bind
from lakehunt.spark.functions import CATALOG

ROWS = [
    ("cmd.exe", r"C:\Windows\cmd.exe", "cmd /c Whoami", 7),
    ("CMD.EXE", r"C:\Temp\CMD.EXE", "it's 'quoted'", None),
    ("net.exe", "", None, 4),
    (None, "/usr/bin/net", "net USER", 0),
]
"""FileName, FolderPath, ProcessCommandLine, ProcessId"""


def selected(condition: str) -> list[int]:
    """The places of the rows for which the SQL of a KQL condition is true."""
    plan = bind(f"DeviceProcessEvents | where {condition}", KQL_TABLES, CATALOG)
    assert isinstance(plan, p.Filter)
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE events (n INT, FileName TEXT, FolderPath TEXT, ProcessCommandLine TEXT, ProcessId BIGINT)"
        )
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", [(n, *row) for n, row in enumerate(ROWS)])
        found = connection.execute(f"SELECT n FROM events WHERE {rules.condition(plan.predicate)} ORDER BY n")
        return [n for (n,) in found.fetchall()]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('FileName =~ "cmd.exe"', [0, 1]),
        ('FileName == "cmd.exe"', [0]),
        ('FileName != "cmd.exe"', [1, 2, 3]),
        ('FileName in~ ("CMD.exe", "net.exe")', [0, 1, 2]),
        ('FileName !in ("cmd.exe", "net.exe")', [1, 3]),
        ('ProcessCommandLine contains "whoami" or ProcessCommandLine contains "user"', [0, 3]),
        ('ProcessCommandLine contains_cs "user"', []),
        ('ProcessCommandLine !contains "whoami"', [1, 2, 3]),
        ("ProcessCommandLine contains \"'QUOTED'\"", [1]),
        (r'FolderPath startswith @"c:\windows\" and FolderPath endswith @"\cmd.EXE"', [0]),
        ("isempty(FolderPath)", [2]),
        ("isnotempty(ProcessCommandLine) and ProcessId == 0", [3]),
        ('not(ProcessId == 7 or FileName =~ "net.exe")', [1, 3]),
    ],
)
def test_a_condition_in_sql(condition: str, expected: list[int]) -> None:
    assert selected(condition) == expected


HUNT = "id: {id}\nname: {name}\nseverity: Low\n{period}query: |\n  {query}\n"


def write(folder: Path, number: int, query: str, period: str = "") -> None:
    made = HUNT.format(id=f"{number:08d}-0000-4000-8000-000000000000", name=f"h{number}", query=query, period=period)
    folder.joinpath(f"{number:04d}.yaml").write_text(made)


def test_a_pack_is_the_hunts_that_compile(tmp_path: Path) -> None:
    write(tmp_path, 0, 'DeviceProcessEvents | where FileName =~ "a.exe" | where FolderPath contains "b"')
    write(tmp_path, 1, 'DeviceProcessEvents | where Nothing == "a"')
    write(tmp_path, 2, "DeviceProcessEvents | where strlen(FileName) > 40")
    write(tmp_path, 3, "DeviceProcessEvents | summarize count() by FileName")
    write(tmp_path, 4, 'DeviceNetworkEvents | where RemoteUrl has "x"')
    write(tmp_path, 5, 'DeviceProcessEvents | where FileName =~ "a.exe"', "queryPeriod: 1d\n")
    pack = rules.hunts(tmp_path, days=7)
    assert [one.name for one in pack] == ["h0", "h2", "h3", "h4", "h5"]
    assert [one.name for one in pack if one.sql] == ["h0"]
    first, second = "(lower(coalesce(FileName, '')) = 'a.exe')", "contains(lower(coalesce(FolderPath, '')), 'b')"
    assert pack[0].sql.endswith(f"{first}\n  AND {second}")


def test_a_sample_is_taken_from_all_over_the_pack(tmp_path: Path) -> None:
    for number in range(20):
        write(tmp_path, number, f'DeviceProcessEvents | where FileName =~ "{number}.exe"')
    pack = rules.hunts(tmp_path, days=7)
    assert rules.sample(pack, 20) == rules.sample(pack, 100) == pack
    assert [one.name for one in rules.sample(pack, 4)] == ["h0", "h5", "h10", "h15"]


def test_a_folder_without_hunts(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no hunt in"):
        rules.hunts(tmp_path, days=7)
