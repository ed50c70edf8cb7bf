from __future__ import annotations

import re

import pytest

from lakehunt.kql import deviations, kusto_functions, operator_parser, scalar_parser, source_parser
from lakehunt.kql.binding import calls, groups, sources
from lakehunt.kql.types import BY_NAME
from lakehunt.spark.functions import CATALOG
from scripts.docs import kql_support
from scripts.docs.pages import DOCS

TEXT = (DOCS / "reference/kql-support.md").read_text(encoding="utf-8")

FUNCTIONS = {name for name in CATALOG.names() if "." not in name} | CATALOG.several.keys()
"""A name with a point is one column of a function that makes several."""

CONSTRUCTS = {
    "aggregate": CATALOG.aggregates.keys(),
    "function": FUNCTIONS | kql_support.FORMS.keys(),
    "operator": operator_parser.OPERATORS.keys(),
    "comparison": scalar_parser.PRECEDENCE.keys(),
    "type": BY_NAME.keys(),
    "plugin": groups.PLUGINS.keys(),
    "source": source_parser.SOURCES.keys() | sources.LOOKUPS.keys(),
}


def rows(name: str) -> list[str]:
    """The rows of the page that are about a construct."""
    return [line for line in TEXT.splitlines() if line.startswith("| `") and f"`{name}`" in line.split(" | ")[0]]


@pytest.mark.parametrize(
    "name", sorted({*FUNCTIONS, *calls.FORMS, *operator_parser.OPERATORS, *groups.PLUGINS, *scalar_parser.PRECEDENCE})
)
def test_what_is_supported_is_documented(name: str) -> None:
    assert any("supported" in row or "differs" in row for row in rows(name))


@pytest.mark.parametrize(
    "name", sorted([*operator_parser.UNSUPPORTED_OPERATORS, *scalar_parser.UNSUPPORTED_COMPARISONS])
)
def test_what_is_not_supported_is_refused_there(name: str) -> None:
    assert [row for row in rows(name) if "refused" in row] == rows(name) != []


def test_every_form_of_the_binder_is_described() -> None:
    assert calls.FORMS.keys() <= kql_support.FORMS.keys()


@pytest.mark.parametrize("difference", deviations.DEVIATIONS, ids=lambda d: d.names[0])
def test_a_difference_is_one_of_something_that_there_is(difference: deviations.Deviation) -> None:
    assert difference.kind in CONSTRUCTS
    assert set(difference.names) <= set(CONSTRUCTS[difference.kind])
    for name in difference.names:
        assert deviations.of(difference.kind, name) is difference, "written down twice"


def test_known_names_stand_in_one_family_each() -> None:
    for families in (kusto_functions.FUNCTIONS, kusto_functions.AGGREGATES, kusto_functions.PLUGINS):
        names = [name for family in families for name in family.names]
        assert len(names) == len(set(names))


def test_why_a_function_is_refused() -> None:
    assert kusto_functions.reason("geo_polygon_simplify") == "its geometry is not published"
    assert kusto_functions.reason("autocluster") == "it needs a trained model"
    assert kusto_functions.reason("no_such_function") is None


def test_no_text_breaks_a_table() -> None:
    for line in TEXT.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")
    assert not re.search(r"\n\n\n", TEXT)
