"""Accepted queries in Spark: rows, or an error of the query; never an internal error, and no stack of Java."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lakehunt.hunting.query.adhoc import answer_lines
from lakehunt.kql import times
from lakehunt.kql.binding import bind
from lakehunt.kql.errors import QueryErrors
from lakehunt.lake.delta_lake import Lake
from lakehunt.spark.functions import CATALOG
from tests.support.mutations import mutations, sources

NOW = times.parse_datetime("2026-01-01") or 0
STARTS = ("datatable", "print", "let", "union")
UNBOUNDED = ("9223372036854775807", "999999", "2147483648")
"""Values that make a range or an array without end: what bounds them is tested elsewhere."""


def is_accepted(query: str) -> bool:
    if any(value in query for value in UNBOUNDED):
        return False
    try:
        bind(query, {}, CATALOG)
    except QueryErrors:
        return False
    return True


@pytest.mark.parametrize(
    ("seed", "count"), [(1, 150), *(pytest.param(seed, 2_000, marks=pytest.mark.campaign) for seed in range(2, 12))]
)
def test_mutations(spark: Any, capfd: pytest.CaptureFixture[str], seed: int, count: int) -> None:
    of = [query for query in sources() if query.startswith(STARTS)]
    accepted = [query for query in mutations(seed, count, of) if is_accepted(query)]
    assert accepted
    lines = (json.dumps({"id": i, "query": query}) for i, query in enumerate(accepted))
    for answer in answer_lines(Lake(spark, "none"), lines, NOW):
        assert answer.get("error", {}).get("kind") != "internal", (accepted[answer["id"]], answer)
    assert "\tat " not in capfd.readouterr().err
