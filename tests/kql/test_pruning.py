"""What no step of a plan reads is left out of it."""

from __future__ import annotations

import pytest

from lakehunt.hunting.query.table_catalog import EVENTS_ONLY
from lakehunt.kql import plan as p
from lakehunt.kql.pruning import pruned


def read(query: str) -> list[list[str]]:
    """The columns of each scan."""
    plan = pruned(EVENTS_ONLY.bind(query))
    return sorted(sorted(step.names) for step in p.distinct(plan) if isinstance(step, p.Scan))


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("T | count", [[]]),
        ("T | where FileName == 'a' | count", [["FileName"]]),
        ("T | extend a = strlen(FileName), b = AccountName | summarize sum(a)", [["FileName"]]),
        ("T | extend a = FileName | extend c = strcat(a, ProcessId) | project c", [["FileName", "ProcessId"]]),
        ("T | sort by ProcessId | project FileName | take 3", [["FileName", "ProcessId"]]),
        ("T | summarize arg_max(ProcessId, FileName) by DeviceId", [["DeviceId", "FileName", "ProcessId"]]),
        ("T | where ProcessId in ((T | project ProcessId)) | count", [["ProcessId"], ["ProcessId"]]),
        (
            "T | project FileName, ProcessId | union (T | project FileName) | count",
            [["FileName"], ["FileName", "ProcessId"]],
        ),
        (
            "let t = T | project FileName, DeviceId; t | join kind=inner t on DeviceId | count",
            [["DeviceId", "FileName"], ["DeviceId", "FileName"]],
        ),
    ],
)
def test_columns_that_are_read(query: str, columns: list[list[str]]) -> None:
    assert read(query.replace("T ", "DeviceProcessEvents ")) == columns


def test_the_result_keeps_its_columns() -> None:
    plan = EVENTS_ONLY.bind("DeviceProcessEvents | where FileName == 'a'")
    assert pruned(plan).schema == plan.schema
    assert pruned(plan, frozenset({"ProcessId"})).names == ["FileName", "ProcessId"]
