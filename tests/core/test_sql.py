"""Names and texts inside Spark SQL."""

from __future__ import annotations

import pytest

from lakehunt.core.sql import quoted_name, string_literal


@pytest.mark.parametrize(
    ("name", "quoted"), [("n", "`n`"), ("a b", "`a b`"), ("a`b", "`a``b`"), ("findings.1-2", "`findings.1-2`")]
)
def test_a_name_is_one_identifier(name: str, quoted: str) -> None:
    assert quoted_name(name) == quoted


@pytest.mark.parametrize(
    ("text", "literal"), [("it's", r"'it\'s'"), ("C:\\new", r"'C:\\new'"), ("\\'", r"'\\\''"), ("", "''")]
)
def test_a_text_is_one_literal(text: str, literal: str) -> None:
    assert string_literal(text) == literal
