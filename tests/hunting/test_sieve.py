"""What of a condition many hunts share: text that is folded once for all of them."""

from __future__ import annotations

import pytest

from pipelines.hunting import sieve
from pipelines.hunting.events import KQL_TABLES
from pipelines.hunting.split import Split, split
from pipelines.kql import plan as p
from pipelines.kql.binding import bind
from pipelines.spark.functions import CATALOG


@pytest.mark.parametrize(
    ("condition", "function", "constant"),
    [
        ('ProcessCommandLine has "LSASS"', "has_cs", "lsass"),
        ('ProcessCommandLine !contains "LSASS"', "!contains_cs", "lsass"),
        ('ProcessCommandLine =~ "ΟΔΟΣ"', "==", "οδοσ"),
        ('tolower(ProcessCommandLine) contains "LSASS"', "contains_cs", "lsass"),
        ('tolower(ProcessCommandLine) startswith "lsass"', "startswith_cs", "lsass"),
    ],
)
def test_searches_in_any_case_are_of_folded_text(condition: str, function: str, constant: str) -> None:
    folded = sieve.folded(_term(condition))
    assert isinstance(folded, p.Apply)
    where, what = folded.args
    assert folded.function == function
    assert isinstance(where, p.Ref)
    assert where.name == "$$folded ProcessCommandLine"
    assert isinstance(what, p.Const)
    assert what.value == constant


@pytest.mark.parametrize(
    "condition",
    [
        'tolower(ProcessCommandLine) == "lsass"',  # the final sigma is a letter of its own here
        'toupper(ProcessCommandLine) contains "LSASS"',
        'strcat(ProcessCommandLine, "!") contains "LSASS"',
        "ProcessCommandLine has FileName",
    ],
)
def test_other_conditions_stay_as_they_are(condition: str) -> None:
    term = _term(condition)
    assert sieve.folded(term) == term


def _term(condition: str) -> p.Expr:
    split_ = split(bind(f"DeviceProcessEvents | where {condition}", KQL_TABLES, CATALOG))
    assert isinstance(split_, Split)
    (term,) = split_.fronts[0].conditions
    return term
