"""A lake of a later version is refused, whatever reads or writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehunt import cli
from lakehunt.core.errors import LakehuntError
from lakehunt.lake import format as lake_format
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.small_tables import LocalTables
from tests.support.blobs import blob, record

NEWER = '{"format": 2, "since": "0.4.0"}'
SAID = "has format 2, and this version of Lakehunt (0.1.0) knows only 1"


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    folder = tmp_path / "newer"
    folder.mkdir()
    (folder / lake_format.FILE).write_text(NEWER)
    return folder


def test_it_is_refused_without_spark(newer: Path) -> None:
    with pytest.raises(lake_format.NewerLakeError, match=r"has format 2") as error:
        LocalTables(str(newer))
    assert SAID in error.value.message
    assert error.value.hint == "install Lakehunt 0.4.0 or later; see docs/how-to/upgrade.md"


@pytest.mark.parametrize("command", ["land", "validate", "status", "runs", "metrics", "doctor", "hunt --due"])
def test_no_command_goes_on(newer: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    blob(newer.parent / "source", f"{record()}\n")
    before = sorted(newer.rglob("*"))
    source = [str(newer.parent / "source")] if command == "land" else []
    assert cli.main([*command.split(), *source, "--lake", str(newer)]) == 1
    printed = capsys.readouterr()
    assert SAID in printed.out + printed.err  # `doctor` reports on standard output
    assert [file for file in sorted(newer.rglob("*")) if not file.name.startswith(".lakehunt")] == before


def test_it_is_refused_by_spark(newer: Path, lake: Lake) -> None:
    with pytest.raises(lake_format.NewerLakeError, match=r"has format 2"):
        Lake(lake.spark, str(newer))
    # as in a store that only Spark reaches
    with pytest.raises(lake_format.NewerLakeError, match=r"has format 2"):
        Lake(lake.spark, f"file://{newer}")
    assert Lake(lake.spark, f"file://{newer.parent}").root == f"file://{newer.parent}"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": "x"}', "{}", "5"])
def test_a_format_that_cannot_be_read_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / lake_format.FILE).write_text(content)
    with pytest.raises(LakehuntError, match="does not say which format the lake has"):
        LocalTables(str(tmp_path))


def test_this_format_is_understood(tmp_path: Path) -> None:
    (tmp_path / lake_format.FILE).write_text(f'{{"format": {lake_format.FORMAT}}}')
    assert LocalTables(str(tmp_path)).names() == []
    assert LocalTables(str(tmp_path / "nothing")).names() == []
