"""How tests are laid out: what they share is in tests/support, and workers take what takes longest first."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tests.support.balance import DURATIONS, longest_first

TESTS = Path(__file__).resolve().parents[1]
FILES = sorted(TESTS.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(TESTS)))
def test_no_test_is_a_library_of_others(file: Path) -> None:
    nodes = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
    ours = {node.module or "" for node in nodes if (node.module or "").split(".")[0] == "tests"}
    assert {name for name in ours if name.split(".")[:2] != ["tests", "support"]} == set()


def test_the_longest_first_and_a_folder_as_a_whole() -> None:
    seconds = {"tests/a.py": 50.0, "tests/serving/b.py": 30.0, "tests/serving/c.py": 40.0, "tests/d.py": 20.0}
    tests = ["tests/d.py::one", "tests/new.py::one", "tests/a.py::one", "tests/a.py::two", *(
        f"tests/serving/{name}.py::one" for name in "bc"
    )]  # fmt: skip
    assert longest_first(tests, seconds) == ["tests/serving", "tests/new.py", "tests/a.py", "tests/d.py"]


def test_the_measured_files_are_there() -> None:
    measured = json.loads(DURATIONS.read_text())
    assert [file for file in measured if not (TESTS.parent / file).exists()] == [], "make durations"
