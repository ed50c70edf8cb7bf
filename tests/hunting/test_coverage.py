"""Which events a hunt still needs to have read: against a model that keeps every batch and day by itself."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lakehunt.hunting.incremental.hits import ScanRange, uncovered_ranges
from lakehunt.hunting.query.events_table import batch_ranges

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
        wanted = uncovered_ranges(read, since, batch_ranges(settled))
        found = [cell for region in wanted for cell in cells(region)]
        assert len(found) == len(set(found))
        assert done.isdisjoint(found)
        assert {batch for batch, _ in found} <= settled
        read, done = (*read, *wanted), done | set(found)
        assert {(batch, day) for batch in settled for day in DAYS if day >= (since or FIRST)} <= done
        assert uncovered_ranges(read, since, batch_ranges(settled)) == ()


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
