"""The section `landing` of the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehunt import config
from lakehunt.core.errors import LakehuntError
from lakehunt.landing.settings import FileLimits


def loaded(folder: Path, section: str) -> FileLimits:
    (folder / "lakehunt.yaml").write_text(f"landing: {section}\n")
    return config.load(str(folder / "lakehunt.yaml")).landing.limits


def test_sizes(tmp_path: Path) -> None:
    assert loaded(tmp_path, "{longest_line: 64MB, unpacked_file: 2 GB}") == FileLimits(64 * 1024**2, 2 * 1024**3)
    assert loaded(tmp_path, "{longest_line: 100KB}") == FileLimits(100 * 1024, 8 * 1024**3)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{longest_line: 64}", r"lakehunt.yaml:1:\d+: landing: longest_line is 64\n.*write a size such as 64MB"),
        ("{longest_line: 1GB}", r"longest_line is '1GB'\n.*at most 512MB"),
        ("{longest_line: 0MB}", "longest_line is '0MB'"),
        ("{longest: 1MB}", r"unknown key 'longest'\n.*known keys: engine, tables, longest_line, unpacked_file"),
        ("{engine: fast}", r"lakehunt.yaml:1:\d+: landing: 'fast' is not an engine\n.*engines: auto, local, spark"),
        ("{tables: DeviceInfo}", "landing: tables is not a list of event tables"),
        ("{tables: [Device]}", "landing: 'Device' is not an event table\n.*tables: DeviceEvents, "),
        ("8GB", "expected a mapping of engine, tables, longest_line, unpacked_file"),
    ],
)
def test_what_is_not_a_size_is_refused_at_its_place(tmp_path: Path, section: str, message: str) -> None:
    with pytest.raises(LakehuntError) as refused:
        loaded(tmp_path, section)
    assert refused.match(message)


def test_engine_and_tables(tmp_path: Path) -> None:
    (tmp_path / "lakehunt.yaml").write_text("landing: {engine: spark, tables: [DeviceInfo, DeviceEvents]}\n")
    found = config.load(str(tmp_path / "lakehunt.yaml")).landing
    assert (found.engine, found.tables, found.limits) == ("spark", ("DeviceInfo", "DeviceEvents"), FileLimits())
    assert len(config.load(None).landing.tables) == 10
