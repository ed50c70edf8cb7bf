"""The generated pages of docs/ are up to date, and the hand-written ones agree with the code."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from lakehunt import config
from lakehunt.quality import data_docs
from lakehunt.schemas import registry
from lakehunt.serving.views import VIEWS
from scripts.docs import data_dictionary
from scripts.docs.pages import DOCS, PAGES


@pytest.mark.parametrize("place", PAGES)
def test_a_generated_page_is_up_to_date(place: str) -> None:
    assert (DOCS / place).read_text(encoding="utf-8") == PAGES[place](), "run `make docs` and commit the result"


def test_every_table_and_view_has_a_section() -> None:
    text = (data_dictionary.tables() + data_dictionary.findings()).replace("&lt;", "<")
    headings = re.findall(r"^##+ (.+)$", text, re.MULTILINE)
    assert {table.name for table in registry.declarations()} | {f"bi.{view.name}" for view in VIEWS} <= set(headings)


def blocks(page: str) -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_every_configuration_example_loads(tmp_path: Path) -> None:
    keys: set[str] = set()
    for i, block in enumerate(blocks("reference/configuration.md")):
        file = tmp_path / f"{i}.yaml"
        file.write_text(block, encoding="utf-8")
        config.load(str(file))
        keys |= set(re.findall(r"^(\w+):", block, re.MULTILINE))
    assert keys == {field.name for field in fields(config.Config)}


@pytest.mark.parametrize(
    ("section", "keys"),
    [("retention", {*registry.retention_kinds(), "vacuum_hours"}), ("data_docs", set(data_docs.KEYS))],
)
def test_every_key_of_a_section_is_documented(section: str, keys: set[str]) -> None:
    (block,) = (b for b in blocks("reference/configuration.md") if re.match(rf"{section}:\n", b))
    assert set(re.findall(r"^  (\w+):", block, re.MULTILINE)) == keys
