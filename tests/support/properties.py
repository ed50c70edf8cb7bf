"""Properties on Spark: a query costs far more to start than to run, so that an example is a query of many inputs."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import Phase, settings
from hypothesis import strategies as st

T = TypeVar("T")

INPUTS = 100

in_few_queries = settings(max_examples=3, phases=[Phase.explicit, Phase.generate])
"""The first example has the simplest input a hundred times, the others random ones. A failure names its input itself:
looking for a smaller one would take a query for each step."""


def many(inputs: st.SearchStrategy[T]) -> st.SearchStrategy[list[T]]:
    return st.lists(inputs, min_size=INPUTS, max_size=INPUTS + 50)
