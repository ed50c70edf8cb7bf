"""Whether findings are new or recurring, against the definition, over random as-ofs in random order. No Spark."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.hunting.findings import statuses
from lakehunt.lake import arrow_rows
from lakehunt.lake.small_tables import LocalTables
from lakehunt.schemas.finding_tables import FINDINGS_ALL

ZERO = datetime(2026, 3, 1, tzinfo=UTC)


def rows(hunt: str, day: int, ids: Any, window: int | None) -> pa.Table:
    at = ZERO + timedelta(days=day)
    made = {
        "hunt_id": hunt,
        "as_of": at,
        "status": "new",
        "window_start": None if window is None else at - timedelta(days=window),
    }
    found = [tuple((made | {"finding_id": one}).get(name) for name in FINDINGS_ALL.column_names) for one in sorted(ids)]
    return arrow_rows.arrow_rows(FINDINGS_ALL, found)


def written(tables: LocalTables, hunts: list[str], day: int, new: pa.Table) -> bool:
    at = ZERO + timedelta(days=day)
    return tables.replace_made(
        FINDINGS_ALL, lambda read: statuses.replaced_findings(new, read, {(hunt, at) for hunt in hunts})
    )


def stored(tables: LocalTables) -> dict[tuple[str, int, str], str]:
    found = tables.few(FINDINGS_ALL, ["hunt_id", "as_of", "finding_id", "status"])
    assert len({(row["hunt_id"], row["as_of"], row["finding_id"]) for row in found}) == len(found)
    return {(row["hunt_id"], (row["as_of"] - ZERO).days, row["finding_id"]): row["status"] for row in found}


RUNS = st.lists(
    st.tuples(st.sampled_from(["h1", "h2"]), st.integers(0, 6), st.sets(st.sampled_from("abc"))),
    min_size=1,
    max_size=12,
)


@given(runs=RUNS, window=st.sampled_from([None, 1, 2, 4]))
def test_statuses_are_as_defined_in_whatever_order_as_ofs_run(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[str, int, set[str]]], window: int | None
) -> None:
    """recurring: the last as-of before that has the finding is not before the window's start."""
    tables = LocalTables(str(tmp_path_factory.mktemp("statuses")))
    last: dict[tuple[str, int], set[str]] = {}
    for hunt, day, ids in runs:
        assert written(tables, [hunt], day, rows(hunt, day, ids, window))
        last[hunt, day] = ids
    expected = {}
    for (hunt, day), ids in last.items():
        for one in ids:
            before = [d for (h, d), others in last.items() if h == hunt and d < day and one in others]
            is_near = bool(before) and (window is None or max(before) >= day - window)
            expected[hunt, day, one] = "recurring" if is_near else "new"
    assert stored(tables) == expected


def test_a_new_as_of_is_appended_and_later_ones_are_written_again_only_if_they_change(tmp_path: Any) -> None:
    tables = LocalTables(str(tmp_path / "lake"))
    for day in (1, 3):
        assert written(tables, ["h1"], day, rows("h1", day, "a", 7))
    assert [one["operationParameters"]["mode"] for one in tables.commits(FINDINGS_ALL.name, 2)] == ["Append", "Append"]
    version = tables.version(FINDINGS_ALL.name)
    assert written(tables, ["h1"], 2, rows("h1", 2, "b", 7))  # the third day's stays recurring
    assert tables.commits(FINDINGS_ALL.name, 1)[0]["operationParameters"]["mode"] == "Append"
    assert written(tables, ["h1"], 1, rows("h1", 1, "", 7))  # now it is new
    assert stored(tables) == {("h1", 2, "b"): "new", ("h1", 3, "a"): "new"}
    assert tables.version(FINDINGS_ALL.name) == version + 2


def test_too_many_later_rows_are_left_to_spark(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = LocalTables(str(tmp_path / "lake"))
    assert written(tables, ["h1"], 3, rows("h1", 3, "ab", 7))
    monkeypatch.setattr(statuses, "MOST", 1)
    assert not written(tables, ["h1"], 1, rows("h1", 1, "a", 7))
    assert stored(tables) == {("h1", 3, "a"): "new", ("h1", 3, "b"): "new"}
