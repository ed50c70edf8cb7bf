"""Asks hunts at the as-ofs at which they are due: a few commits and one pass for many of them, and without Spark those
that can find nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from lakehunt.core import run_ids
from lakehunt.core.progress import Progress
from lakehunt.hunting import engine, quiet
from lakehunt.hunting.clock import Due
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import run_log
from lakehunt.hunting.findings.run_log import DUE, SKIPPED, HuntRun
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from lakehunt.lake.small_tables import LocalTables
from lakehunt.runtime.limits import Limits

MOST_AT_ONCE = 2_000
"""Pairs of a hunt and an as-of that are one run. After an outage there are many: what is stored when a run ends stays
when the next one is killed."""

Asked = Sequence[tuple[Hunt, int]]


def in_order(dues: Sequence[Due]) -> list[tuple[Hunt, int]]:
    """All that is due, the earliest as-ofs first."""
    asked = [(due.hunt, as_of) for due in dues for as_of in due.as_ofs]
    return sorted(asked, key=lambda one: one[1])


def record_skipped(lake: Lake | LocalTables, dues: Sequence[Due], catch_up: int) -> list[HuntRun]:
    """Records the as-ofs that are not asked, in one row of the run log for each hunt that missed some."""
    now = datetime.now(UTC)
    run_id = run_ids.run_id(now)
    runs = [
        HuntRun(due.hunt, due.skipped.last, run_id, now, outcome=SKIPPED, error=_why(due, catch_up), reason=DUE)
        for due in dues
        if due.skipped is not None
    ]
    run_log.record_runs(lake, runs)
    return runs


def _why(due: Due, catch_up: int) -> str:
    assert due.skipped is not None
    first, last = (f"{times.to_datetime(at):%Y-%m-%dT%H:%MZ}" for at in (due.skipped.first, due.skipped.last))
    which = f"the as-of {last}" if due.skipped.count == 1 else f"{due.skipped.count:,} as-ofs from {first} to {last}"
    were = "was" if due.skipped.count == 1 else "were"
    return f"{which} {were} missed and will not be asked: hunting.catch_up is {catch_up:,}"


def ask_quiet(
    lake: LocalTables, asked: Asked, tables: TableCatalog, late: timedelta = timedelta(0)
) -> tuple[list[HuntRun], list[tuple[Hunt, int]]]:
    """Asks, without Spark, what certainly finds nothing. Returns its runs, and what is left to be asked."""
    runs: list[HuntRun] = []
    left: list[tuple[Hunt, int]] = []
    known = quiet.Quiet(lake, tables)
    for part in _parts(asked):
        done = known.ask(part, DUE, late)
        runs += done
        answered = {(run.hunt.id, run.as_of) for run in done}
        left += [one for one in part if (one[0].id, one[1]) not in answered]
    return runs, left


def ask(
    lake: Lake,
    asked: Asked,
    say: Progress,
    tables: TableCatalog,
    limits: Limits,
    late: timedelta = timedelta(0),
) -> Iterator[list[HuntRun]]:
    """Asks the rest, and again what has late events; the runs of each part when it is stored."""
    for part in _parts(asked):
        yield engine.ask_hunts(lake, part, say, tables, limits=limits, reason=DUE, late=late)


def _parts(asked: Asked) -> Iterator[Asked]:
    for start in range(0, len(asked), MOST_AT_ONCE):
        yield asked[start : start + MOST_AT_ONCE]
