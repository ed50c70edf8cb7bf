"""Hunts that certainly find nothing, known without Spark: all events have been read for them, none of their hits are in
their windows, and without hits they have no result."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from lakehunt.core import run_ids
from lakehunt.hunting import late_events
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import run_log, suppression
from lakehunt.hunting.findings.run_log import INCREMENTAL, Accepted, HuntRun
from lakehunt.hunting.incremental import hits as hits_table
from lakehunt.hunting.incremental.hits import HitCoverage, PrefilterRun
from lakehunt.hunting.late_events import Before, OnlySparkError, Reader
from lakehunt.hunting.planned_hunt import PlannedHunt, PreparedHunt, prepared
from lakehunt.hunting.query import events_table
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.hunting.query.time_window import TimeWindow
from lakehunt.hunting.run_hits import MOST_READ, micros
from lakehunt.lake.small_tables import LocalTables, UnreadableTableError
from lakehunt.schemas.event_tables import BY_NAME
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from lakehunt.schemas.hunt_tables import hits_of


@dataclass
class Quiet:
    """What is known of hunts over the tables of a lake, as it was when it was first asked."""

    lake: LocalTables
    tables: TableCatalog
    _prepared: dict[str, PreparedHunt | None] = field(default_factory=dict)

    def ask(
        self, asked: Sequence[tuple[Hunt, int]], reason: str | None = None, late: timedelta = timedelta(0)
    ) -> list[HuntRun]:
        """Records a run of each hunt that finds nothing at its as-of (ticks), and returns these runs. The others are
        left: those for which only Spark can tell, those that may have findings to be replaced, and those of which
        events have landed late, up to `late` back."""
        if not self.lake.exists(FINDINGS_ALL.name):
            return []
        try:
            accepted = events_table.accepted_batches(self.lake)
            quiet = self._quiet(asked, accepted, late)
        except UnreadableTableError:  # the run that comes will mend it
            return []
        started = datetime.now(UTC)
        run_id = run_ids.run_id(started)
        suppression.record_exclusions(self.lake, suppression.used_at((one.hunt, one.as_of) for one in quiet), started)
        runs = [
            HuntRun(
                one.hunt,
                one.as_of,
                run_id,
                started,
                seconds=0.0,
                window=one.window,
                mode=INCREMENTAL,
                events_scanned=0,
                bytes_read=0,
                matched=0,
                suppressed=0,
                findings=0,
                exclusions=suppression.active(one.hunt, one.as_of),
                reason=reason,
                batches=run_log.written_batches(accepted, one.prepared.event_tables),
                too_late=0 if late else None,
            )
            for one in quiet
        ]
        run_log.record_runs(self.lake, runs)
        return runs

    def _quiet(self, asked: Sequence[tuple[Hunt, int]], accepted: Accepted, late: timedelta) -> list[PlannedHunt]:
        plans = [plan for hunt, as_of in asked if (plan := self._planned(hunt, as_of)) is not None]
        seen = run_log.previous_runs(self.lake, {one.key for one in plans}).seen
        plans = [one for one in plans if one.key not in seen]
        windows: dict[str, list[TimeWindow]] = {}
        for one in plans:
            windows.setdefault(one.hunt.id, []).append(one.window)
        if not windows:
            return []
        before = late_events.asked_before(self.lake, {one.key for one in plans}, late) if late else None
        if before is not None:
            for hunt_id, window in before.windows(accepted, {one.hunt.digest for one in plans}).items():
                windows[hunt_id].append(window)
        requests = [
            request for one in {one.hunt.id: one.prepared for one in plans}.values()
            for request in one.requested(windows[one.hunt.id])
        ]  # fmt: skip
        passes, unread = hits_table.read_so_far(self.lake, requests, accepted)
        plans = [one for one in plans if one.hunt.id not in unread]
        versions = {one.hunt.digest for one in plans}
        moments: dict[str, dict[str, list[int]] | None] = {}
        for name in {request.predicates.table.name for request in requests if request.hunt_version in versions}:
            around = TimeWindow.around([one.window for one in plans], 0)
            ids = sorted({one.id for one in passes if one.table == name})
            moments[name] = self._moments(name, sorted(versions), ids, around)
        quiet = [one for one in plans if all(_has_none(moments[name], one) for name in one.prepared.hit_tables)]
        return quiet if before is None else self._without_late(quiet, accepted, passes, before)

    def _without_late(
        self, quiet: Sequence[PlannedHunt], accepted: Accepted, passes: Sequence[PrefilterRun], before: Before
    ) -> list[PlannedHunt]:
        newest = {one.hunt.id: one for one in sorted(quiet, key=lambda one: one.as_of)}
        readers = [Reader(one.hunt, one.as_of, one.prepared.hit_tables, ()) for one in newest.values()]
        coverage = HitCoverage(list(passes))
        try:
            found = late_events.find(self.lake, accepted, coverage, readers, {one.key for one in quiet}, before)
        except OnlySparkError:
            return []
        loud = {hunt_id for hunt_id, _ in found.again} | found.too_late.keys()
        return [one for one in quiet if one.hunt.id not in loud]

    def _planned(self, hunt: Hunt, as_of: int) -> PlannedHunt | None:
        """The hunt at an as-of; None if it needs Spark whatever its hits are, or fails."""
        try:
            if hunt.id not in self._prepared:
                made = prepared(hunt, self.tables)
                self._prepared[hunt.id] = made if made.requests and made.is_empty else None
            found = self._prepared[hunt.id]
            return None if found is None else found.at(as_of)
        except Exception:  # noqa: BLE001 (the run that comes records it)
            self._prepared[hunt.id] = None
            return None

    def _moments(
        self, name: str, versions: Sequence[str], ids: Sequence[str], window: TimeWindow
    ) -> dict[str, list[int]] | None:
        """When the events were that are hits of these versions: microseconds since 1970, in order. None if the hits are
        too many to be read here."""
        table = BY_NAME[name]
        stored, time = hits_of(table), table.times[0]
        days: list[tuple[str, str, date]] = [("event_date", "<=", events_table.utc_day(window.until))]
        if window.since is not None:
            days.append(("event_date", ">=", events_table.utc_day(window.since)))
        only = [("hunt_version", "in", versions), ("pass_id", "in", ids), *days]
        hits = self.lake.rows_of_few_files(MOST_READ, stored, ("hunt_version", time), only)  # type: ignore[arg-type]
        if hits is None:
            return None
        found: dict[str, list[int]] = {}
        each = hits[time].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
        for version, moment in zip(hits["hunt_version"].to_pylist(), each, strict=True):
            if moment is not None:
                found.setdefault(version, []).append(moment)
        return {version: sorted(own) for version, own in found.items()}


def _has_none(moments: Mapping[str, Sequence[int]] | None, one: PlannedHunt) -> bool:
    """Whether none of a hunt's hits are in its window."""
    if moments is None:
        return False
    own = moments.get(one.hunt.digest, ())
    first, last = micros(one.window)
    return bisect_left(own, first) == bisect_right(own, last)
