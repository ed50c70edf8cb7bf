from __future__ import annotations

import pytest

from pipelines.config import PROJECT
from pipelines.kql import parser
from pipelines.spark.functions import CATALOG

TEXT = (PROJECT / "docs" / "kql.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted([*CATALOG.scalars, *CATALOG.aggregates, *parser._OPERATORS, "now", "ago"]))
def test_what_is_supported_is_documented(name: str) -> None:
    assert f"`{name}`" in TEXT


@pytest.mark.parametrize("name", sorted(parser.UNSUPPORTED_OPERATORS))
def test_what_is_not_supported_is_not_claimed(name: str) -> None:
    assert f"`{name}`" not in TEXT
