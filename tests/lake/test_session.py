"""Whether Spark compiles code: as the caller asks, and never where the session says so."""

from __future__ import annotations

from typing import Any

import pytest

from lakehunt.runtime.session import codegen

NAMES = ("spark.sql.codegen.wholeStage", "spark.sql.codegen.factoryMode")
COMPILED, INTERPRETED = ["true", "FALLBACK"], ["false", "NO_CODEGEN"]


def now(spark: Any) -> list[str]:
    return [spark.conf.get(name) for name in NAMES]


def test_a_session_that_never_compiles(spark: Any) -> None:
    for on in (True, False):
        with codegen(spark, on):
            assert now(spark) == INTERPRETED
        assert now(spark) == INTERPRETED


@pytest.mark.compiled
def test_a_session_that_compiles_where_it_is_asked_to(spark: Any) -> None:
    assert now(spark) == COMPILED
    with codegen(spark, on=False):
        assert now(spark) == INTERPRETED
        with codegen(spark, on=True):
            assert now(spark) == COMPILED
        assert now(spark) == INTERPRETED
    assert now(spark) == COMPILED
