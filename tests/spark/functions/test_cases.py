"""Every expression of tests/cases/functions/ has the value that its file gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakehunt.core.errors import LakehuntError
from tests.support import function_cases
from tests.support.function_cases import load, problems, same

FILES = sorted((Path(__file__).resolve().parents[2] / "cases/functions").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_values(spark: Any, file: Path) -> None:
    found = problems(spark, load(file))
    assert not found, "\n".join(found)


WRONG = """
cases:
  - expression: strlen('hello')
    value: 5
  - expression: strlen('hello')
    value: 6
  - expression: strlen(1)
    value: 1
"""


def test_a_case_that_is_wrong_is_named_with_its_line(spark: Any, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(WRONG)
    differs, refused = problems(spark, load(file))
    assert differs == f"{file}:5: strlen('hello') gives 5, not 6"
    assert refused.startswith(f"{file}:7: strlen(1) fails: ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("case: []\n", "1:1: unknown key 'case'"),
        ("cases: []\n", "needs `cases`"),
        ("cases:\n  - expression: pi()\n", ":2: a case needs"),
        ("cases:\n  - expression: pi()\n    value: 3\n    vaule: 3\n", "4:5: unknown key 'vaule'"),
    ],
)
def test_a_file_that_is_not_understood(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(text)
    with pytest.raises(LakehuntError) as refused:
        function_cases.load(file)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("found", "expected", "tolerance", "equal"),
    [
        (1, 1, 0.0, True),
        (1, True, 0.0, False),
        (1, 1.0, 0.0, False),
        ([1, "a"], [1, "a"], 0.0, True),
        ([1], [1, 2], 0.0, False),
        ({"a": None}, {}, 0.0, False),
        (0.1 + 0.2, 0.3, 0.0, False),
        (0.1 + 0.2, 0.3, 1e-12, True),
        ([0.31], [0.3], 1e-12, False),
        (1.0, 1, 1e-12, True),
        (True, 1, 1e-12, False),
        ("NaN", "NaN", 1e-12, True),
    ],
)
def test_what_is_the_same(found: Any, expected: Any, tolerance: float, equal: bool) -> None:
    assert same(found, expected, tolerance) is equal
