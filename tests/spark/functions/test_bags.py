"""Property bags: the paths that keys are, and keys that are refused. Single values: tests/cases/functions/."""

from __future__ import annotations

from typing import Any

import pytest

from lakehunt.kql.errors import QueryErrors
from lakehunt.spark.functions.bags import path_of
from tests.support.answers import rows


def test_paths_that_are_not_constant_are_refused(spark: Any) -> None:
    with pytest.raises(QueryErrors, match="paths in bag_remove_keys must be constants"):
        rows(spark, "print k = split('$.a', ',') | extend x = bag_remove_keys(dynamic({'a': 1}), k)")


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a", ("a",)),
        ("a.b", ("a.b",)),
        ("$", None),
        ("$a", ("$a",)),
        ("$.a", ("a",)),
        ("$.a.b c", ("a", "b c")),
        ("$['a.b'].c", ("a.b", "c")),
        ('$["a"]["b"]', ("a", "b")),
        ("$.a[0]", None),
        ("$.a..b", None),
    ],
)
def test_path_of_a_key(key: str, path: tuple[str, ...] | None) -> None:
    assert path_of(key) == path
