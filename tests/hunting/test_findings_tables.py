"""Tables of findings that are made before there is any finding. No Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lakehunt import cli
from lakehunt.core.errors import LakehuntError
from lakehunt.hunting.compiled_hunt import CompiledHunt, compile_hunt
from lakehunt.hunting.findings import tables
from lakehunt.lake import arrow_rows
from lakehunt.lake.small_tables import LocalTables
from tests.support.hunts import H1, H2, custom


def compiled(query: str, number: int = 0) -> CompiledHunt:
    return compile_hunt(replace(custom(query), id=f"0b9c1c7e-7f0b-4a5e-9a3e-{number:012d}"))


def create(lake: LocalTables, hunts: Sequence[CompiledHunt]) -> list[str]:
    return tables.create_tables(lake, [(one.hunt, one.plan) for one in hunts])


def test_tables_are_made_with_the_columns_of_their_hunts_query(tmp_path: Path) -> None:
    lake = LocalTables(str(tmp_path / "lake"))
    query = (
        "DeviceProcessEvents | summarize n = count(), l = make_list(Timestamp), t = max(Timestamp) by DeviceId"
        " | extend d = decimal(1), s = 1s, b = true, r = 1.5, y = dynamic({})"
    )
    made = create(lake, [compiled(query), *map(compile_hunt, (H1, H2))])
    name = "findings.0b9c1c7e-7f0b-4a5e-9a3e-000000000000"
    assert made == ["findings.all", name, f"findings.{H1.id}", f"findings.{H2.id}"]
    stored = DeltaTable(lake.path(name))
    types = {field.name: str(field.type.to_json()).strip('"') for field in stored.schema().fields}
    assert [*types] == [*("DeviceId", "n", "l", "t", "d", "s", "b", "r", "y"), *("as_of", "hunt_version"),
                        *("finding_id", "ordinal")]  # fmt: skip
    assert (types["n"], types["t"], types["d"], types["s"]) == ("long", "timestamp", "decimal(38,18)", "long")
    assert (types["b"], types["r"], types["y"], types["ordinal"]) == ("boolean", "double", "string", "long")
    assert stored.schema().fields[1].metadata["comment"] == "count() (Kusto long)"
    assert stored.metadata().description == "Findings of the hunt custom"


def test_a_table_that_exists_stays_as_it_is(tmp_path: Path) -> None:
    lake = LocalTables(str(tmp_path / "lake"))
    one = compiled("DeviceProcessEvents | project FileName")
    own = tables.own_table(one.hunt, one.plan)
    lake.append(own, [("cmd.exe", None, "v", "id", 1)])
    other = compiled("DeviceProcessEvents | project FolderPath, FileName")
    assert create(lake, [other]) == ["findings.all"]
    assert lake.rows(own)["FileName"].to_pylist() == ["cmd.exe"]
    assert lake.columns(own.name) == own.column_names
    assert create(lake, [other]) == []


def test_a_thousand_tables(tmp_path: Path) -> None:
    lake = LocalTables(str(tmp_path / "lake"))
    hunts = [compiled("DeviceProcessEvents | project FileName", number) for number in range(1000)]
    assert len(create(lake, hunts)) == 1001
    assert arrow_rows.schema(tables.own_table(hunts[-1].hunt, hunts[-1].plan)).names == lake.columns(
        "findings.0b9c1c7e-7f0b-4a5e-9a3e-000000000999"
    )


def test_a_column_that_delta_refuses_is_named_before_any_table_is_made(tmp_path: Path) -> None:
    lake = LocalTables(str(tmp_path / "lake"))
    odd = compiled("DeviceProcessEvents | project ['a b'] = FileName")
    with pytest.raises(LakehuntError, match="0b9c1c7e-7f0b-4a5e-9a3e-000000000000: Delta has no columns"):
        create(lake, [compiled("DeviceProcessEvents | project FileName", 1), odd])
    assert not lake.exists("findings.all")


def test_check_makes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "lake"
    assert cli.main(["check", "--tables", "--lake", str(root)]) == 0
    assert f"3 tables made in {root}" in capsys.readouterr().err
    assert DeltaTable(str(root / "findings" / H1.id)).version() == 0
    assert cli.main(["check", "--tables", "--lake", str(root)]) == 0
    assert f"0 tables made in {root}" in capsys.readouterr().err


def test_check_makes_none_where_only_spark_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["check", "--tables", "--lake", "hdfs://namenode/lake"]) == 1
    assert "tables cannot be made in hdfs://namenode/lake without Spark" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
