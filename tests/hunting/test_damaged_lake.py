"""A lake that lost files, as after a power loss: it is noticed before a run, or by the hunts that need the files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakehunt.core.errors import LakehuntError
from lakehunt.hunting.findings import writer
from lakehunt.lake import damage, data_files
from lakehunt.lake.delta_lake import Lake
from tests.support.events import event, store
from tests.support.hunts import H1, H2, common, run

EVENTS = "events/device_process_events"


@pytest.fixture(scope="module")
def whole(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with two batches, and the findings of both hunts."""
    lake = Lake(spark, str(tmp_path_factory.mktemp("whole")))
    for batch in (1, 2):
        store(lake, [event(ReportId=batch, DeviceId=f"device-{batch}")])
    assert [one.error for one in run(lake, H1, H2)] == [None, None]
    assert len(common(lake)) == 4
    return Path(lake.root)


@pytest.fixture
def broken(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return shutil.copytree(whole, tmp_path / "broken")


def newest_commit(table: Path) -> Path:
    return max((table / "_delta_log").glob("*.json"))


def lose(commit: Path) -> None:
    commit.unlink()
    commit.with_suffix(".crc").unlink(missing_ok=True)  # delta-rs writes none


def data_file(table: Path) -> Path:
    return next(file for file in sorted(table.rglob("*.parquet")) if "_delta_log" not in file.parts)


def test_a_whole_lake_has_no_damage(whole: Path) -> None:
    assert damage.check_before_run(str(whole)) == []
    found = data_files.check(str(whole))
    assert found.damage == []
    assert found.files >= 6


@pytest.mark.parametrize(
    ("do", "what"),
    [
        (lambda commit: commit.write_bytes(b""), "commit 2 of its log is empty"),
        (lambda commit: commit.write_bytes(commit.read_bytes()[:-20]), "commit 2 of its log is cut"),
        (lambda commit: commit.unlink(), "commit 2 of its log is gone"),
        (lose, "it is at version 1, but raw.batches says that version 2 was committed"),
        (lambda commit: shutil.rmtree(commit.parent), "it is gone, but raw.batches says that version 2 was committed"),
    ],
)
def test_a_damaged_log_of_events_is_said_before_a_run(broken: Path, do: Callable[[Path], None], what: str) -> None:
    do(newest_commit(broken / EVENTS))
    with pytest.raises(LakehuntError) as raised:
        damage.check_before_run(str(broken))
    assert f"events.device_process_events: {what} ({broken / EVENTS}" in str(raised.value)
    assert what in "".join(map(str, data_files.check(str(broken)).damage))


def test_lost_commits_of_findings_are_noticed(broken: Path) -> None:
    lose(newest_commit(broken / "findings/all"))
    with pytest.raises(LakehuntError, match=r"findings\.all: it is at version 0, but hunts\.runs says"):
        damage.check_before_run(str(broken))


@pytest.mark.parametrize("gone", ["hunts/hits/_delta_log", "hunts/hits", "hunts/passes"])
def test_hits_that_are_gone_are_computed_again(spark: Any, broken: Path, gone: str) -> None:
    if gone.endswith("_delta_log"):
        lose(newest_commit(broken / "hunts/hits"))
        (notice,) = damage.check_before_run(str(broken))
        assert "hunts.hits: it is at version 0, but hunts.passes says that version 1 was committed" in notice
        assert damage.check_before_run(str(broken)) == []
    else:
        data_file(broken / gone).unlink()
    lake = Lake(spark, str(broken))
    before = common(lake)
    runs = run(lake, H1, H2)
    assert [one.error for one in runs] == [None, None]
    assert [one.events_scanned for one in runs] == [2, 2]
    assert common(lake) == before
    assert data_files.check(str(broken)).damage == []


def test_hunts_that_need_a_file_that_is_gone_say_so(spark: Any, broken: Path) -> None:
    gone = data_file(broken / "findings/all")
    gone.unlink()
    lake = Lake(spark, str(broken))
    runs = run(lake, H1, H2)
    assert all(gone.name in (one.error or "") for one in runs)
    newest = lake.read("hunts.runs").filter(f"run_id = '{runs[0].run_id}' AND outcome = 'failed'")
    assert newest.count() == 2
    assert lake.read(writer.name_of(H1)).count() == 2
    found = data_files.check(str(broken))
    assert [str(one) for one in found.damage] == [f"findings.all: a data file is gone ({gone})"]
    assert list(data_files.repair(str(broken), found)) == ["findings.all: 1 data files were taken out of its log"]
    assert [one.error for one in run(lake, H1, H2)] == [None, None]
    assert len(common(lake)) == 4
