"""Hunts that are asked as soon as events land: those whose findings single events decide. They need not wait for their
next as-of, because no later event changes what was found."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lakehunt.core.progress import Progress
from lakehunt.hunting import engine
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings.run_log import LANDED, HuntRun
from lakehunt.hunting.incremental import hits as hits_table
from lakehunt.hunting.incremental.hits import PrefilterRun
from lakehunt.hunting.planned_hunt import PlannedHunt, PreparedHunt, prepared
from lakehunt.hunting.query.events_table import LakeSnapshot, utc_day
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.hunting.run_hits import MOST_READ, HitsRead
from lakehunt.kql import plan as p
from lakehunt.kql import times
from lakehunt.lake.delta_lake import Lake
from lakehunt.runtime.limits import Limits
from lakehunt.runtime.session import codegen
from lakehunt.schemas.event_tables import BY_NAME
from lakehunt.schemas.hunt_tables import hits_of

LEFT_OUT = 3600.0
"""Seconds for which a hunt is left to its clock after its conditions failed on an event, or took too long: to find it
among others takes several passes."""

_ROW_BY_ROW = (p.Scan, p.Filter, p.Project, p.Expand)


def is_decided_by_single_events(plan: p.Plan) -> bool:
    """Whether each row of a plan comes from one event, whatever other events there are; rows may be in an order."""
    while isinstance(plan, p.Sort):
        plan = plan.source
    return all(isinstance(step, _ROW_BY_ROW) for step in p.walk(plan))


@dataclass
class AtOnce:
    """Reads new events for all hunts, and asks those that need not wait. What it knows of hunts is kept."""

    tables: TableCatalog
    limits: Limits
    _prepared: dict[str, PreparedHunt | None] = field(default_factory=dict)
    _left_out: dict[str, float] = field(default_factory=dict)
    _begun: str | None = None
    """When what has not been asked for yet was begun to be read: the beginning of the ids of its passes, and later."""

    def ask(self, lake: Lake, hunts: Sequence[Hunt], say: Progress) -> list[HuntRun]:
        """Reads the events that have landed for hunts that read hits; then asks, as of now, the hunts that single
        events decide and of which new hits are in the window. A hunt that fails is left to its clock."""
        ready = [one for hunt in hunts if (one := self._of(hunt)) is not None]
        if not ready:
            return []
        now = times.from_datetime(datetime.now(UTC))
        self._begun = self._begun or f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z"
        plans = [one.at(now) for one in ready]
        with codegen(lake.spark, on=False):
            requests = [request for one in plans for request in one.prepared.requested([one.window])]
            context = self.tables.context(lake, now)
            bounds = hits_table.ScanBounds(self.limits.scan_seconds, self.limits.seconds)
            hits = hits_table.complete_hits(lake, LakeSnapshot(lake), requests, context, say, bounds)
        self._left_out |= dict.fromkeys(hits.failed, time.monotonic() + LEFT_OUT)
        passes = [one for one in hits.passes if one.id >= self._begun]
        alone = [one for one in plans if is_decided_by_single_events(one.prepared.compiled.plan)]
        hit = set(_with_new_hits(lake, passes, alone))
        asked = [(one.hunt, now) for one in alone if one.hunt.digest in hit]
        runs = engine.ask_hunts(lake, asked, say, self.tables, limits=self.limits, reason=LANDED) if asked else []
        self._begun = None
        return runs

    def _of(self, hunt: Hunt) -> PreparedHunt | None:
        """The hunt; None if it reads no hits, cannot be compiled, or is left out for a while."""
        if self._left_out.get(hunt.id, 0.0) > time.monotonic():
            return None
        key = f"{hunt.id} {hunt.digest}"
        if key not in self._prepared:
            try:
                made = prepared(hunt, self.tables)
                self._prepared[key] = made if made.requests else None
            except Exception:  # noqa: BLE001 (when it is due, its run says so)
                self._prepared[key] = None
        return self._prepared[key]


def _with_new_hits(lake: Lake, passes: Sequence[PrefilterRun], plans: Sequence[PlannedHunt]) -> Iterator[str]:
    """The versions of these hunts with hits of these passes in their windows; all, where only Spark can tell."""
    windows = {one.hunt.digest: one.window for one in plans}
    for name in {one.table for one in passes}:
        table, ids = BY_NAME[name], [one.id for one in passes if one.table == name]
        only = [("hunt_version", "in", sorted(windows)), ("pass_id", "in", ids)]
        found = lake.rows_in_memory(hits_of(table), MOST_READ, ["hunt_version", table.times[0]], only)  # type: ignore[arg-type]
        if found is None:
            yield from windows
            continue
        last = utc_day(max(one.as_of for one in plans))
        read = HitsRead(hits_table.HitCoverage(list(passes)), {}, None, last, windows)
        yield from read.within(found, table.times[0])["hunt_version"].unique().to_pylist()
