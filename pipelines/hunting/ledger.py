"""`hunts.runs`: one row for every run of a hunt, also of one that failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pipelines.hunting.hunt import Hunt
from pipelines.hunting.window import Window
from pipelines.kql import times
from pipelines.lake.tables import Lake, Table, TableColumn

RUNS = Table(
    "hunts.runs",
    "One row per run of one hunt for one as-of; the findings are those of its last run",
    (
        TableColumn("hunt_id", "STRING", "The hunt's id"),
        TableColumn("hunt_name", "STRING", "The hunt's name"),
        TableColumn("hunt_version", "STRING", "Digest of what in the hunt decides its results"),
        TableColumn("as_of", "TIMESTAMP", "Instant up to which the hunt saw events (UTC); its now()"),
        TableColumn("window_start", "TIMESTAMP", "Start of what the hunt read; null from the beginning, or not run"),
        TableColumn("window_end", "TIMESTAMP", "End of what the hunt read; null where it was not run"),
        TableColumn("matched", "BIGINT", "Events that passed the hunt's filters on single events"),
        TableColumn("findings", "BIGINT", "Rows of the hunt's result"),
        TableColumn("seconds", "DOUBLE", "How long the run took"),
        TableColumn("outcome", "STRING", "succeeded or failed"),
        TableColumn("error", "STRING", "What went wrong; null where nothing did"),
        TableColumn("started_at", "TIMESTAMP", "When the run was started (UTC)"),
        TableColumn("engine_version", "STRING", "Version of Lakehunt"),
    ),
)


@dataclass(frozen=True)
class Run:
    """One run of one hunt. `as_of` is in ticks."""

    hunt: Hunt
    as_of: int
    started_at: datetime
    seconds: float
    window: Window | None = None
    matched: int | None = None
    findings: int | None = None
    error: str | None = None

    @property
    def outcome(self) -> str:
        return "succeeded" if self.error is None else "failed"


def record(lake: Lake, runs: Sequence[Run], engine_version: str) -> None:
    """Writes the runs down, in one transaction."""
    if not runs:
        return
    rows = [
        (
            run.hunt.id,
            run.hunt.name,
            run.hunt.digest,
            times.to_datetime(run.as_of),
            times.to_datetime(run.window.since) if run.window and run.window.since is not None else None,
            times.to_datetime(run.window.until) if run.window else None,
            run.matched,
            run.findings,
            run.seconds,
            run.outcome,
            run.error,
            run.started_at,
            engine_version,
        )
        for run in runs
    ]
    lake.append(RUNS, lake.local(RUNS, rows))
