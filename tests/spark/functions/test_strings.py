"""String functions: what is refused, and texts that are cut as Python cuts them.

Single values are in tests/cases/functions/."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.kql.errors import QueryErrors
from tests.support.answers import rows
from tests.support.properties import in_few_queries, many


@pytest.mark.parametrize(
    "expression",
    [
        "strlen(1)",
        "strcat_delim('a')",
        "split('a', 1)",
        "tohex(1.5)",
        "substring('abc', 1.5)",
        "replace_string(1, '', '')",
    ],
)
def test_refuses_what_kusto_refuses(spark: Any, expression: str) -> None:
    with pytest.raises(QueryErrors):
        rows(spark, f"print {expression}")


@pytest.mark.parametrize("expression", ["split('abc', '')", "strrep('a', 0)"])
def test_fails_where_the_answer_is_not_known(spark: Any, expression: str) -> None:
    with pytest.raises(Exception, match=r"needs|repeats"):
        rows(spark, f"datatable(s: string)['abc'] | extend x = {expression.replace(chr(39) + 'abc' + chr(39), 's')}")


TEXTS = many(st.text(alphabet="ab,é😀 ", max_size=8))


@in_few_queries
@given(texts=TEXTS, start=st.integers(-9, 9), length=st.integers(0, 9))
def test_texts_are_cut_as_in_python(spark: Any, texts: list[str], start: int, length: int) -> None:
    table = ", ".join(f"'{text}'" for text in texts)
    made = f"a = substring(s, {start}, {length}), b = split(s, 'a'), c = reverse(s)"
    answers = rows(spark, f"datatable(s: string)[{table}] | project {made}")

    def cut(text: str) -> str:
        first = start + len(text) if start < 0 else start
        return text[first : first + length] if first >= 0 else ""

    assert answers == [[cut(text), text.split("a"), text[::-1]] for text in texts]
