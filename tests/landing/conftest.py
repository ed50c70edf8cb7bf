"""A source, suites, and a listener for progress."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.blobs import write_suites


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def suites(tmp_path: Path) -> Path:
    return write_suites(tmp_path / "suites")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def say(said: list[str]) -> Callable[[str], None]:
    return said.append
