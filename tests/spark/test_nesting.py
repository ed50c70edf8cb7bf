"""Functions inside of each other, 16 deep: Spark's plan grows with their number, not with its power."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.answers import rows

DEEP: dict[str, str] = {
    "tolower({})": "a,bç",
    "toupper({})": "A,BÇ",
    "strcat({}, 'x')": "A,bÇ" + 16 * "x",
    "strcat(tolower({}), toupper('x'))": "a,bç" + 15 * "x" + "X",
    "replace_string({}, 'A', 'a')": "a,bÇ",
    "substring({}, 0, 9)": "A,bÇ",
    "trim(@'\\s', {})": "A,bÇ",
    "extract('(.*)', 1, {})": "A,bÇ",
    "tostring(strlen({}))": "1",  # of "4", then of "1"
    "tostring(indexof({}, '1'))": "-1",  # -1, 1, 0, -1, ...
    "tostring(tolong(strcat('1', {})))": 15 * "1",  # the first one is null
    "coalesce({}, 'x')": "A,bÇ",
    "iff({} == 'x', 'y', 'x')": "y",  # x, y, x, ...
    "tostring(parse_json({}))": "A,bÇ",
}
"""A call, and the text that 16 of them, each of the one before, make of `A,bÇ`."""


@pytest.mark.parametrize("call", DEEP)
def test_sixteen_deep(spark: Any, call: str) -> None:
    text = "s"
    for _ in range(16):
        text = call.format(text)
    assert rows(spark, f"datatable(s: string)['A,bÇ'] | project x = {text}") == [[DEEP[call]]]
