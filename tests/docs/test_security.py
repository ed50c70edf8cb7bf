"""The page on security names tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.paths import PROJECT

PAGE = PROJECT / "docs/explanation/security.md"
NAMED = re.findall(r"\[(test_\w+)\]\(([^)]+)\)( \*campaign\*)?", PAGE.read_text("utf-8"))


@cache
def functions(file: Path) -> dict[str, ast.FunctionDef]:
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def is_of_the_campaign(file: Path, test: ast.FunctionDef) -> bool:
    marks = [ast.unparse(one) for one in test.decorator_list]
    marks += re.findall(r"^pytestmark = (.+?)\n(?=\S)", file.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return any("mark.campaign" in mark for mark in marks)


@pytest.mark.parametrize(("name", "link", "campaign"), sorted(set(NAMED)))
def test_a_named_test_exists_and_runs_when_the_page_says(name: str, link: str, campaign: str) -> None:
    file = (PAGE.parent / link).resolve()
    assert name in functions(file), f"{link} has no {name}"
    assert is_of_the_campaign(file, functions(file)[name]) == bool(campaign)


def test_every_answer_has_a_test_or_says_that_there_is_none() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ") and line.count(" | ") == 2]
    answers = [row for row in rows if row.rpartition(" | ")[2] not in ("shown by |", "--- |")]
    assert len(answers) > 30
    assert [row for row in answers if "[test_" not in row and "| no test |" not in row] == []
