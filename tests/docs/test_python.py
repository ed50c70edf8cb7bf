"""The examples of docs/how-to/python.md, run one after the other on the lake of the samples."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any

import pytest

from scripts.docs.pages import DOCS
from tests.support.samples import land

PAGE = DOCS / "how-to/python.md"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def test_the_examples_do_what_the_page_says(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    land(tmp_path / "demo-lake")
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    examples = doctest.DocTestParser().get_doctest(PAGE.read_text(encoding="utf-8"), {}, PAGE.name, str(PAGE), 0)
    found = doctest.DocTestRunner(optionflags=FLAGS).run(examples, out=told.append)
    assert found.attempted > 10
    assert found.failed == 0, "".join(told)
