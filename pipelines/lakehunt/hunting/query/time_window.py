"""The lookback window of a query: nothing after the as-of instant, and its own time filter or a default period.

A time filter is a comparison of the event's time with an expression without columns, in a `where` that can be pushed
down to the events (see `kql/row_local.py`). For a query without one, Sentinel lets the user choose a range; here it is
the hunt's `queryPeriod`, or else seven days."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from lakehunt.kql import plan as p
from lakehunt.kql.constants import evaluate
from lakehunt.kql.row_local import Conditions, passed_down
from lakehunt.kql.types import BOOL, DATETIME, TICKS_PER_DAY, TIMESPAN
from lakehunt.schemas.event_tables import BY_NAME

TIME_COLUMNS = ("Timestamp", "TimeGenerated")
"""Both name the event's time, in Defender and in Sentinel."""

DEFAULT_PERIOD = 7 * TICKS_PER_DAY


@dataclass(frozen=True)
class TimeWindow:
    """Events read: `since` <= Timestamp <= `until`, in ticks; `since` None means from the beginning.

    It may be wider than the query's own time conditions, which still apply."""

    since: int | None
    until: int

    @staticmethod
    def around(windows: list[TimeWindow], now: int) -> TimeWindow:
        """The smallest window that encloses all of these."""
        if not windows:
            return TimeWindow(now, now)
        since = [w.since for w in windows]
        known = [s for s in since if s is not None]
        return TimeWindow(min(known) if len(known) == len(since) else None, max(w.until for w in windows))


Covers = Callable[[p.Scan], bool]
"""Whether a table is known to have no row after the as-of, and none without a time."""


def limit_to_window(
    plan: p.Plan, now: int, period: int | None, is_earlier: Covers = lambda scan: False
) -> tuple[p.Plan, TimeWindow]:
    """The plan with every scan limited to events up to `now`, and the window that it reads. A table that `is_earlier`
    needs no such limit.

    `period` (ticks) limits scans without a time filter of their own; None leaves them unbounded. A table without a time
    column is read whole; if the query reads no other table, the window starts at the beginning."""
    windows: list[TimeWindow] = []
    limited = _Limiting(now, period, is_earlier, windows).limit(plan, ())
    if not windows and any(isinstance(part, p.Scan) for part in p.walk(plan)):
        windows.append(TimeWindow(None, now))
    return limited, TimeWindow.around(windows, now)


def time_column(scan: p.Scan) -> str | None:
    """The column with the time of a row; None if the table has none, such as a lookup list."""
    times = {c.name for c in scan.schema if c.type == DATETIME}
    return next((name for name in TIME_COLUMNS if name in times), None)


@dataclass(frozen=True)
class _Limiting:
    now: int
    period: int | None
    is_earlier: Covers
    windows: list[TimeWindow]
    """Those of the scans that were limited."""

    def limit(self, plan: p.Plan, above: Conditions) -> p.Plan:
        if isinstance(plan, p.Scan):
            return self._limit_scan(plan, above)
        below = iter(passed_down(plan, above))
        return p.with_sources(plan, lambda source: self.limit(source, next(below)[1]))

    def _limit_scan(self, plan: p.Scan, above: Conditions) -> p.Plan:
        time = time_column(plan)
        if time is None:
            return plan
        moment = p.ColumnRef(DATETIME, plan.span, time)
        last = p.Call(BOOL, plan.span, "<=", (moment, p.Now(DATETIME, plan.span)))
        limits: list[p.Expr] = [last]
        if self.period is not None and not any(_is_time_filter(one.expr) for one in above):
            start = p.Const(DATETIME, plan.span, self.now - self.period)
            limits.append(p.Call(BOOL, plan.span, ">", (moment, start)))
        # In an event table both columns are the event's time; in other tables they may differ.
        bounding = BY_NAME[plan.table].times if plan.table in BY_NAME else (time,)
        terms = [*(one.expr for one in above if one.separable), *limits]
        bounds = list(_bounds(terms, self.now, bounding))
        since = max((ticks for op, ticks in bounds if op in (">", ">=", "==")), default=None)
        until = min(ticks for op, ticks in bounds if op in ("<", "<=", "=="))
        self.windows.append(TimeWindow(since, until))
        limited: p.Plan = replace(plan, since=since, until=until)
        for limit in limits:
            if limit is not last or not self.is_earlier(plan):
                limited = p.Filter(plan.schema, limited, limit)
        return limited


def _is_time_filter(term: p.Expr) -> bool:
    """Whether it compares the event's time with a column-free expression, as in `now() - Timestamp < 1d`."""
    if not isinstance(term, p.Call) or term.function not in _MIRRORED:
        return False
    left, right = (p.references(side) for side in term.args)
    timed = term.args[0].type in (DATETIME, TIMESPAN)
    return timed and bool((left | right) & set(TIME_COLUMNS)) and not (left and right)


def _bounds(terms: list[p.Expr], now: int, times: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Each comparison of one of these bare columns with a known instant, as (operator, ticks), column on the left."""
    for term in terms:
        if not isinstance(term, p.Call) or term.function not in _MIRRORED:
            continue
        left, right = term.args
        for op, side, other in ((term.function, left, right), (_MIRRORED[term.function], right, left)):
            instant = evaluate(other, now) if isinstance(side, p.ColumnRef) and side.name in times else None
            if isinstance(instant, int):
                yield op, instant


_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}
"""Each comparison operator and its mirror image."""
