"""Extracts the row-level conditions of a query: those that one event alone decides, so that they can be evaluated once,
when the event lands.

A query reads DeviceProcessEvents in one place or in several, with conditions above each (see `kql/row_local.py`). Those
that depend on the event alone (not on now(), nor on another table) are the read's front: an event that fails the front
of every read cannot be in any result, on any day. The others are hits, and the whole query over its hits gives what it
gives over all events. So a condition may be left out of a front at any time: that costs hits, never a finding."""

from __future__ import annotations

from dataclasses import dataclass

from lakehunt.hunting.query.time_window import TIME_COLUMNS
from lakehunt.kql import plan as p
from lakehunt.kql import row_local
from lakehunt.kql.row_local import Conditions
from lakehunt.schemas.registered_tables import EVENTS


@dataclass(frozen=True)
class RowPredicate:
    """Conditions on the columns of DeviceProcessEvents; an event has to meet all of them."""

    conditions: tuple[p.Expr, ...]


@dataclass(frozen=True)
class RowPredicates:
    """An event is a hit if it meets one of the fronts. `columns` are those of events that the query reads."""

    fronts: tuple[RowPredicate, ...]
    columns: frozenset[str]


@dataclass(frozen=True)
class FullScan:
    """A query that has to read all events of its window, and why: of the read at `scan`, where there is one."""

    why: str
    scan: p.Scan | None = None


def extract_row_predicates(plan: p.Plan) -> RowPredicates | FullScan:
    """How a query can be decided event by event; `plan` is as the binder gives it, without a window."""
    found = [(scan, _front(above)) for scan, above in row_local.scans(plan) if scan.table == EVENTS]
    if not found:
        return FullScan(f"it does not read {EVENTS}")
    for scan, front in found:
        if not any(p.references(term) - set(TIME_COLUMNS) for term in front.conditions):
            return FullScan(
                f"it reads {EVENTS} without a condition, other than on time, that one event can decide", scan
            )
    columns: set[str] = set()
    for scan, front in found:
        columns |= p.needed(plan, scan).union(*(p.references(term) for term in front.conditions))
    fronts = {tuple(shape(term) for term in front.conditions): front for _, front in found}
    return RowPredicates(tuple(fronts.values()), frozenset(columns))


def shape(expr: p.Expr) -> tuple[object, ...]:
    """The same for expressions that are written alike, wherever they stand."""
    return tuple(_form(part) for part in p.parts(expr))


def _form(part: p.Expr) -> tuple[object, ...]:
    if isinstance(part, p.Call):
        return (part.function, part.type, len(part.args))
    return (type(part), part.type, repr(part.value) if isinstance(part, p.Const) else getattr(part, "name", None))


def _front(conditions: Conditions) -> RowPredicate:
    """The conditions that one event can decide, and that leave out no event that others need."""
    return RowPredicate(tuple(one.expr for one in conditions if one.separable and row_local.is_of_one_row(one.expr)))
