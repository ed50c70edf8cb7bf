"""Java libraries that are added to a running session."""

from __future__ import annotations

from typing import Any

import pytest

from lakehunt.core.errors import LakehuntError
from lakehunt.runtime import libraries
from lakehunt.runtime.libraries import Library


def test_a_library_is_known_once_it_is_added(spark: Any) -> None:
    libraries.add(spark, libraries.S2)
    found = libraries.class_loader(spark).loadClass(libraries.S2.class_name)
    assert found.getSimpleName() == "S2Point"


def test_a_library_that_cannot_be_fetched_says_where_to_get_it(spark: Any) -> None:
    with pytest.raises(LakehuntError, match=r"could not fetch the jar of com\.example:missing:1") as caught:
        libraries.add(spark, Library("com.example:missing:1", "com.example.Missing"))
    assert "LAKEHUNT_IVY_SETTINGS" in str(caught.value)
