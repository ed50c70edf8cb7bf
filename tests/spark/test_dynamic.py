"""The tools for dynamic values against Python's own JSON."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import Row
from pyspark.sql import functions as F

from lakehunt.spark import dynamic
from lakehunt.spark.values import dynamic_text
from tests.support.properties import in_few_queries, many

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ['"', "\\", '\\"', "s", "n1", "1E5", "a.b", "'", "*", "?", "$.a", "\x01\x02", "é😀", "null", ""]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)


def answers(spark: Any, values: list[object], **columns: Any) -> list[Row]:
    """The columns for each value, which is in the column `v` as JSON text; None where that is null."""
    given_ = spark.createDataFrame([(i, json.dumps(v)) for i, v in enumerate(values)], "i int, t string")
    parsed = given_.select("i", dynamic.parsed(F.col("t")).alias("v"))
    found: list[Row] = parsed.select("i", *(c.alias(n) for n, c in columns.items())).orderBy("i").collect()
    return found


def read(text: str | None) -> Any:
    return None if text is None else json.loads(text)


@in_few_queries
@given(many(VALUES))
def test_values_go_through_unchanged(spark: Any, values: list[object]) -> None:
    v = F.col("v")
    found = answers(
        spark,
        values,
        value=v,
        array=dynamic.array(dynamic.elements(v)),
        bag=dynamic.bag_of_properties(dynamic.properties(v)),
        last=dynamic.item(v, F.lit(-1)),
        text=dynamic.text(v),
        ordered=F.when(dynamic.is_array(v) | dynamic.is_bag(v), dynamic.sorted_keys(v)),
    )
    for value, row in zip(values, found, strict=True):
        assert read(row["value"]) == value
        assert (None if row["array"] is None else json.loads(row["array"])) == (
            value if isinstance(value, list) else None
        )
        assert read(row["bag"]) == (value if isinstance(value, dict) else None)
        if isinstance(value, dict):
            assert list(read(row["bag"])) == list(value)
        assert read(row["last"]) == (value[-1] if isinstance(value, list) and value else None)
        assert isinstance(value, (list, dict, float)) or row["text"] == (
            value if isinstance(value, str) else dynamic_text(value) or ""
        )
        if isinstance(value, (list, dict)):
            assert read(row["ordered"]) == value


@in_few_queries
@given(many(st.tuples(st.dictionaries(TEXTS, SCALARS, max_size=4), TEXTS)))
def test_a_property_by_any_name(spark: Any, cases: list[tuple[dict[str, Any], str]]) -> None:
    made = spark.createDataFrame([(i, json.dumps(b), n) for i, (b, n) in enumerate(cases)], "i int, t string, n string")
    found = made.select("i", dynamic.property_of(dynamic.parsed(F.col("t")), F.col("n")).alias("p")).orderBy("i")
    assert [read(row["p"]) for row in found.collect()] == [bag.get(name) for bag, name in cases]


def test_text_that_is_not_json_is_a_string(spark: Any) -> None:
    texts = ["[1,2", "{'a':1}", "1 2", "1,2", "1],[2", '1},{"v":2', "NaN", "[NaN]", "01", '"3\t"', '{"a":1}}', "nul"]
    made = spark.createDataFrame([(i, t) for i, t in enumerate(texts)], "i int, t string")
    found = made.select("i", dynamic.parsed(F.col("t")).alias("v")).orderBy("i").collect()
    assert [json.loads(row["v"]) for row in found] == texts


@in_few_queries
@given(many(VALUES))
def test_characters_are_written_as_they_are(spark: Any, values: list[object]) -> None:
    """Spark's JSON functions write a character beyond U+FFFF as two escapes: `has` would not find it."""
    for value, row in zip(values, answers(spark, values, value=F.col("v")), strict=True):
        text = row["value"] or ""
        assert [c for c in text if ord(c) > 0xFFFF] == [c for c in dynamic_text(value) or "" if ord(c) > 0xFFFF]


def test_half_a_surrogate_pair_is_the_replacement_character(spark: Any) -> None:
    written = {
        r'"\ud83d"': '"\ufffd"',
        r'{"a\uDC00": ["x\ud83d\ude00", "\\ud83d", "\"uD83D", 1.5e30, "\n"]}': (
            '{"a\ufffd":["x😀","\\\\ud83d","\\"uD83D",1.5E+30,"\\n"]}'
        ),
        r"[1, {}]": "[1,{}]",
    }
    texts = spark.createDataFrame([(i, text) for i, text in enumerate(written)], "i int, t string")
    found = texts.select("i", dynamic.parsed(F.col("t")).alias("v")).orderBy("i").collect()
    assert [row.v for row in found] == [*written.values()]
