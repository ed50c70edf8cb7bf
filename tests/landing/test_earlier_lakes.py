"""Lakes that earlier versions wrote are landed into, and said something of, without Spark (tests/hunting/data)."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from deltalake import DeltaTable
from deltalake.schema import Field, PrimitiveType

from lakehunt import cli
from lakehunt.lake.small_tables import LocalTables
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.landing_tables import BATCHES, QUARANTINE
from tests.support.blobs import blob, record
from tests.support.paths import PROJECT

DATA = PROJECT / "tests" / "hunting" / "data"
EVENTS = DEVICE_PROCESS_EVENTS.events


def unpacked(name: str, folder: Path) -> LocalTables:
    with tarfile.open(DATA / name) as archive:
        archive.extractall(folder, filter="data")
    return LocalTables(str(folder / "lake" if (folder / "lake").is_dir() else folder))


def landed(lake: LocalTables, source: Path) -> dict[str, int]:
    """Lands a source; the counts of its batch."""
    before = {row["batch"] for row in lake.few(BATCHES, ["batch"])}
    assert cli.main(["land", str(source), "--lake", lake.root]) == 0
    rows = [row for row in lake.few(BATCHES) if row["batch"] not in before]
    return {name: sum(row[name] for row in rows) for name in ("delivered", "events", "quarantined", "duplicates")}


def test_a_lake_of_the_first_version_is_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It was made from events, without records, so it is not landed into."""
    lake = unpacked("lake-0.1.0.tar.gz", tmp_path / "lake")
    assert cli.main(["status", "--format", "jsonl", "--lake", lake.root]) == 0
    rows = {row["table"]: row["rows"] for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert (rows[EVENTS.name], rows["hunts.hits"], rows["findings.all"]) == (5, 6, 6)
    assert cli.main(["metrics", "--lake", lake.root]) == 0
    assert 'lakehunt_hunt_runs_total{outcome="succeeded",reason="asked"} 3' in capsys.readouterr().out


def test_what_a_lake_of_november_2026_has_is_not_landed_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = unpacked("lake-0.1.0-2026-11.tar.gz", tmp_path)
    assert (lake.size(EVENTS.name).rows, lake.size(QUARANTINE.name).rows) == (33, 1)
    # under other paths, so that blobs are not recognised, but their events are
    again = landed(lake, tmp_path / "source")
    assert again == {"delivered": 35, "events": 0, "quarantined": 1, "duplicates": 34}
    assert lake.size(EVENTS.name).rows == 33
    capsys.readouterr()
    assert cli.main(["status", "--lake", lake.root]) == 0
    assert "2026-03-08 │ Webserver Executing Suspicious Applications" in capsys.readouterr().out


def test_a_lake_with_columns_of_a_later_version_is_landed_into(tmp_path: Path) -> None:
    lake = unpacked("lake-0.1.0-2026-11.tar.gz", tmp_path)
    later = Field("of_later", PrimitiveType("string"))
    single = [name for name in lake.names() if not name.startswith("findings.") or name == "findings.all"]
    for name in single:
        DeltaTable(lake.path(name)).alter.add_columns([later])
    blob(tmp_path / "new", f"{record()}\n")
    assert landed(lake, tmp_path / "new") == {"delivered": 1, "events": 1, "quarantined": 0, "duplicates": 0}
    assert cli.main(["status", "--lake", lake.root]) == 0
    assert all("of_later" in lake.columns(name) for name in single)
    stored = lake.opened(EVENTS.name).to_pyarrow_table(columns=["of_later"])
    assert (stored.num_rows, stored["of_later"].null_count) == (34, 34)
