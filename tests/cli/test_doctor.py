"""`lakehunt doctor`, on tables that another writer than Spark has made."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lakehunt.cli import main
from lakehunt.lake import write_lock

PLACES = ("hunts/hits", "hunts/passes", "findings/all")


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    for place in PLACES:
        for number in (1, 2):
            folder = tmp_path / place
            folder.mkdir(parents=True, exist_ok=True)
            pl.DataFrame({"n": [number]}).write_delta(folder, mode="append")
    return tmp_path


def data_file(table: Path) -> Path:
    return min(table.glob("*.parquet"))


def test_a_whole_lake(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--lake", str(lake)]) == 0
    assert capsys.readouterr().out == "3 tables, 6 data files: nothing damaged or gone\n"


def test_what_is_gone_is_named_and_taken_out(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone, cut = data_file(lake / "findings/all"), data_file(lake / "hunts/hits")
    gone.unlink()
    size = cut.stat().st_size
    cut.write_bytes(b"PAR1")
    said = [
        f"findings.all: a data file is gone ({gone})",
        f"hunts.hits: a data file has 4 bytes instead of {size} ({cut})",
    ]
    assert main(["doctor", "--lake", str(lake)]) == 1
    assert sorted(capsys.readouterr().out.splitlines()) == ["3 tables, 6 data files: 2 damaged or gone", *said]
    assert main(["doctor", "--repair", "--lake", str(lake)]) == 0
    assert "findings.all: 1 data files were taken out of its log" in capsys.readouterr().out
    assert not (lake / "hunts/hits").exists()
    assert pl.read_delta(str(lake / "findings/all")).height == 1
    assert main(["doctor", "--lake", str(lake)]) == 0
    assert capsys.readouterr().out == "1 tables, 1 data files: nothing damaged or gone\n"


def test_a_damaged_log_ends_a_run_before_spark_starts(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit = max((lake / "findings/all/_delta_log").glob("*.json"))
    commit.write_bytes(b"")
    assert main(["hunt", "--lake", str(lake)]) == 1
    assert f"findings.all: commit 1 of its log is empty ({commit})" in capsys.readouterr().err


def test_a_lake_without_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--lake", str(tmp_path)]) == 1
    assert "has no table" in capsys.readouterr().err
    assert main(["doctor", "--lake", "s3a://bucket/lake"]) == 2


def test_hits_are_not_moved_while_a_command_writes(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data_file(lake / "hunts/hits").unlink()
    with write_lock.shared(str(lake)):
        assert main(["doctor", "--repair", "--lake", str(lake)]) == 1
    said = capsys.readouterr().err
    assert f"hits have to be computed again, but another command is writing to the lake {lake}" in said
    assert (lake / "hunts/hits").exists()
