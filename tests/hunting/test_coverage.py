"""Which events a hunt still needs to have read: against a model that keeps every batch and day by itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lakehunt.hunting.incremental import hits
from lakehunt.hunting.incremental.hits import HuntRequest, PrefilterRun, ScanRange, uncovered_ranges
from lakehunt.hunting.incremental.predicates import TablePredicates
from lakehunt.hunting.query.events_table import batch_ranges
from lakehunt.lake.small_tables import LocalTables
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.hunt_tables import PASSES

FIRST = date(2026, 1, 1)
DAYS = [FIRST + timedelta(days=i) for i in range(8)]
Cell = tuple[int, date]


def cells(region: ScanRange) -> list[Cell]:
    """Every batch and day of a region."""
    batches = [batch for first, last in region.batches for batch in range(first, last + 1)]
    start, end = region.start or date.min, region.end or date.max
    return [(batch, day) for batch in batches for day in DAYS if start <= day < end]


runs = st.lists(
    # batches that are settled by a run, more than before, and the first day that it needs
    st.tuples(st.sets(st.integers(1, 12), min_size=1, max_size=4), st.sampled_from([None, *DAYS])),
    min_size=1,
    max_size=6,
)


@given(runs)
def test_what_a_run_needs_is_read_and_nothing_is_read_twice(runs: list[tuple[set[int], date | None]]) -> None:
    settled: set[int] = set()
    read: tuple[ScanRange, ...] = ()
    done: set[Cell] = set()
    for batches, since in runs:
        settled |= batches
        wanted = uncovered_ranges(hits._joined(read), since, batch_ranges(settled))
        found = [cell for region in wanted for cell in cells(region)]
        assert len(found) == len(set(found))
        assert done.isdisjoint(found)
        assert {batch for batch, _ in found} <= settled
        read, done = (*read, *wanted), done | set(found)
        assert {(batch, day) for batch in settled for day in DAYS if day >= (since or FIRST)} <= done
        assert uncovered_ranges(hits._joined(read), since, batch_ranges(settled)) == ()


def test_a_new_hunt_reads_its_window_then_only_what_is_new() -> None:
    since = DAYS[3]
    (first,) = uncovered_ranges((), since, ((1, 5),))
    assert first == ScanRange(((1, 5),), since, None)
    assert uncovered_ranges((first,), DAYS[4], ((1, 7),)) == (ScanRange(((6, 7),), None, None),)
    assert uncovered_ranges((first,), DAYS[1], ((1, 5),)) == (ScanRange(((1, 5),), DAYS[1], since),)


def test_a_batch_that_was_refused_at_first_is_read_when_it_is_settled() -> None:
    (first,) = uncovered_ranges((), None, ((1, 2), (4, 5)))
    assert first.batches == ((1, 2), (4, 5))
    assert uncovered_ranges((first,), None, ((1, 5),)) == (ScanRange(((3, 3),), None, None),)


def test_consecutive_batches() -> None:
    assert batch_ranges([5, 1, 2, 3, 7]) == ((1, 3), (5, 5), (7, 7))
    assert batch_ranges([]) == ()


passes = st.lists(
    st.tuples(
        st.sets(st.sampled_from("abc")),
        st.sets(st.integers(1, 5), min_size=1, max_size=3),
        st.sampled_from([None, *DAYS[:3]]),
    ),
    max_size=6,
)


@given(passes)
def test_passes_overlap_where_any_two_share_an_event_for_a_hunt(
    made: list[tuple[set[str], set[int], date | None]],
) -> None:
    """Against every pair of passes, each as batches and days."""
    runs = [
        PrefilterRun(str(n), "T", ScanRange(batch_ranges(batches), start, None), frozenset(versions))
        for n, (versions, batches, start) in enumerate(made)
    ]
    expected = any(
        a.versions & b.versions and set(cells(a.scan_range)) & set(cells(b.scan_range))
        for a, b in combinations(runs, 2)
    )
    assert hits._overlap(runs) is expected


def test_the_passes_of_hunts_in_the_lake(tmp_path: Path) -> None:
    """Of three versions: one pass is for a and b, one for b and c, and the hunts of one are gone."""
    lake = LocalTables(str(tmp_path))
    now = datetime(2026, 3, 1, tzinfo=UTC)

    def row(number: int, versions: str) -> tuple[object, ...]:
        hunts = [{"hunt_id": f"id-{one}", "hunt_version": one} for one in versions]
        batches = [{"first": number, "last": number}]
        return f"p{number}", batches, None, None, hunts, 1, 1, now, 0.1, -1, "1.0", DEVICE_PROCESS_EVENTS.name

    lake.append(PASSES, [row(1, "ab"), row(2, ""), row(3, "bc")])
    predicates = TablePredicates(DEVICE_PROCESS_EVENTS, (), frozenset())
    requests = [HuntRequest(f"id-{one}", one, predicates, None) for one in "abd"]
    accepted = {DEVICE_PROCESS_EVENTS.name: ((1, 1), (3, 3))}
    found, unread = hits.read_so_far(lake, requests, accepted)
    assert [(one.id, one.versions, one.scan_range.batches) for one in found] == [
        ("p1", frozenset("ab"), ((1, 1),)),
        ("p3", frozenset("b"), ((3, 3),)),
    ]
    assert unread == {"id-a", "id-d"}
