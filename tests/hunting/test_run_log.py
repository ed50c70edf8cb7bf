"""What the run log says of earlier runs. No Spark."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lakehunt.hunting.findings import run_log
from lakehunt.hunting.findings.run_log import PreviousRuns
from lakehunt.kql.types import TICKS_PER_DAY
from lakehunt.lake.small_tables import LocalTables
from lakehunt.schemas.hunt_tables import RUNS

AT = datetime(1970, 1, 1, tzinfo=UTC)
OTHER = AT + timedelta(days=1)
DAY = TICKS_PER_DAY
ENDED = "ended after 3 s, its limit"


def row(**values: Any) -> tuple[Any, ...]:
    return tuple(values.get(name) for name in RUNS.column_names)


def test_earlier_runs(tmp_path: Path) -> None:
    """a overran at this as-of; b did at another one, and then succeeded; c was killed; nobody asks for d."""
    tables = LocalTables(str(tmp_path / "lake"))
    asked = {(name, 0) for name in "abce"}
    assert run_log.previous_runs(tables, asked) == PreviousRuns(frozenset(), frozenset())
    tables.append(
        RUNS,
        [
            row(hunt_id="a", run_id="1", outcome="started", as_of=AT),
            row(hunt_id="a", run_id="1", outcome="failed", error=ENDED, as_of=AT),
            row(hunt_id="b", run_id="1", outcome="failed", error=ENDED, as_of=OTHER),
            row(hunt_id="b", run_id="2", outcome="succeeded", as_of=OTHER),
            row(hunt_id="c", run_id="3", outcome="started", as_of=AT),
            row(hunt_id="d", run_id="3", outcome="failed", error=ENDED, as_of=AT),
        ],
    )
    assert run_log.previous_runs(tables, asked) == PreviousRuns(frozenset({("a", 0), ("c", 0)}), frozenset("a"))
    both = {("b", 0), ("b", DAY), ("a", DAY), ("c", 0)}
    assert run_log.previous_runs(tables, both) == PreviousRuns(frozenset({("b", DAY), ("c", 0)}), frozenset("a"))
