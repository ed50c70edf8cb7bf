"""What of a query is decided event by event, and which queries cannot be split."""

from __future__ import annotations

import pytest

from lakehunt.hunting.compiled_hunt import compile_hunt
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.incremental.predicates import FullScan, RowPredicates, extract_row_predicates
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.kql.types import STRING, Column
from lakehunt.schemas.registered_tables import RegisteredTable

OTHERS = TableCatalog(
    {"Owners": RegisteredTable("Owners", (Column("DeviceId", STRING), Column("Owner", STRING)), path="x")}
)
E = "DeviceProcessEvents"


def made(query: str) -> RowPredicates | FullScan:
    hunt = Hunt(id="0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10", name="custom", query=query)
    return extract_row_predicates(compile_hunt(hunt, OTHERS).plan)


def written(query: str) -> list[list[str]]:
    """The conditions of each front, as the query writes them."""
    found = made(query)
    assert isinstance(found, RowPredicates), found
    fronts = [front for table in found.tables.values() for front in table.alternatives]
    return [[query[c.span.start : c.span.end] for c in front.conditions] for front in fronts]


FRONTS = {
    f"{E} | where FileName == 'a' and ReportId > 1": [["FileName == 'a'", "ReportId > 1"]],
    f"{E} | where Timestamp > ago(7d) | where FileName == 'a'": [["FileName == 'a'"]],
    f"{E} | where FileName == 'a' | where Timestamp > datetime(2026-01-01)": [
        ["Timestamp > datetime(2026-01-01)", "FileName == 'a'"]
    ],
    # a time filter that depends on now is asked later, with all that it is part of
    f"{E} | where FileName == 'a' and (ReportId > 1 or Timestamp > ago(1d))": [["FileName == 'a'"]],
    # columns are followed to what makes them
    f"{E} | extend x = tolower(FileName) | where x == 'a' | project x | where x != 'b'": [["x != 'b'", "x == 'a'"]],
    f"{E} | project y = FileName | where y == 'a' | summarize count() by y": [["y == 'a'"]],
    # what stands behind a step that needs more than one row says nothing of one event
    f"{E} | where FileName == 'a' | summarize n = count() by DeviceId | where n > 1": [["FileName == 'a'"]],
    f"{E} | where FileName == 'a' | take 5 | where DeviceId == 'b'": [["FileName == 'a'"]],
    f"{E} | where FileName == 'a' | sort by Timestamp asc | where DeviceId == 'b'": [
        ["DeviceId == 'b'", "FileName == 'a'"]
    ],
    f"{E} | where FileName == 'a' | serialize n = row_number() | where DeviceId == 'b'": [["FileName == 'a'"]],
    f"{E} | where FileName == 'a' | serialize | where DeviceId == 'b'": [["DeviceId == 'b'", "FileName == 'a'"]],
    f"{E} | where FileName == 'a' | mv-expand w = split(SHA1, 'a') | where DeviceId == 'b' and w == 'c'": [
        ["DeviceId == 'b'", "FileName == 'a'"]
    ],
    f"{E} | where FileName == 'a' | join kind=leftouter Owners on DeviceId | where ReportId > 1 and Owner == 'b'": [
        ["ReportId > 1", "FileName == 'a'"]
    ],
    # each read has its front
    f"{E} | where FileName == 'a' | join ({E} | where FileName == 'b') on DeviceId": [
        ["FileName == 'a'"], ["FileName == 'b'"]
    ],
    f"union ({E} | where FileName == 'a'), ({E} | where FileName == 'b') | where DeviceId == 'c'": [
        ["DeviceId == 'c'", "FileName == 'a'"], ["DeviceId == 'c'", "FileName == 'b'"]
    ],
    f"let t = {E} | where FileName == 'a'; t | join kind=leftanti t on DeviceId": [["FileName == 'a'"]],
    f"{E} | where FileName == 'a' and DeviceId in (({E} | where FileName == 'b' | project DeviceId))": [
        ["FileName == 'a'"], ["FileName == 'b'"]
    ],
    # another table is read as it is
    f"{E} | where FileName == 'a' | join kind=inner Owners on DeviceId": [["FileName == 'a'"]],
}  # fmt: skip


@pytest.mark.parametrize("query", FRONTS)
def test_what_is_decided_event_by_event(query: str) -> None:
    assert written(query) == FRONTS[query]


WHOLE = {
    "Owners | where Owner == 'x'": "reads no event table",
    "print 1": "reads no event table",
    E: "without a condition",
    f"{E} | where Timestamp > ago(1d)": "without a condition",
    f"{E} | where Timestamp between (datetime(2026-01-01) .. datetime(2026-01-02))": "without a condition",
    f"{E} | summarize n = count() by FileName | where FileName == 'a'": "without a condition",
    f"{E} | where FileName == 'a' | join {E} on DeviceId": "without a condition",
    f"{E} | where DeviceId in ((Owners | project DeviceId))": "without a condition",
    f"let n = toscalar({E} | count); {E} | where FileName == 'a' and ReportId == n": "without a condition",
}


@pytest.mark.parametrize("query", WHOLE)
def test_what_has_to_be_read_whole(query: str) -> None:
    found = made(query)
    assert isinstance(found, FullScan)
    assert WHOLE[query] in found.why


def test_a_hit_has_the_columns_that_the_query_reads() -> None:
    found = made(
        f"{E} | where FileName == 'a' | extend x = strcat(AccountName, SHA1) | where x != '' | summarize count() by x"
    )
    assert isinstance(found, RowPredicates)
    assert found.tables[E].columns == {"FileName", "AccountName", "SHA1"}


def test_columns_that_double_with_every_step_do_not_explode() -> None:
    doubled = "".join(f" | extend x{i + 1} = strcat(x{i}, x{i})" for i in range(40))
    found = made(f"{E} | where FileName == 'a' | extend x0 = SHA1{doubled} | where x40 == 'b'")
    assert isinstance(found, RowPredicates)
    assert [len(front.conditions) for front in found.tables[E].alternatives] == [1]


def test_thousands_of_terms_can_be_split() -> None:
    terms = " or ".join(f"ProcessCommandLine has 'word{i}'" for i in range(3_000))
    assert len(written(f"{E} | extend c = ProcessCommandLine | where {terms}")[0]) == 1
