"""Extracts the row-level predicates of a query: conditions that depend on one event alone, so they can be evaluated
once, when the event lands.

A query reads DeviceProcessEvents once or several times, with conditions above each read (see `kql/row_local.py`). The
conditions that depend on the event alone (not on now(), not on another table) form the read's row predicate. An event
that fails the predicates of all reads cannot be in any result, on any day. The other events are hits, and the query
gives the same result over its hits as over all events. Omitting a condition from a predicate is always safe: it only
yields more hits, and never loses a finding."""

from __future__ import annotations

from dataclasses import dataclass

from lakehunt.hunting.query.time_window import TIME_COLUMNS
from lakehunt.kql import plan as p
from lakehunt.kql import row_local
from lakehunt.kql.row_local import Conditions
from lakehunt.schemas.registered_tables import EVENTS


@dataclass(frozen=True)
class RowPredicate:
    """Conditions on columns of DeviceProcessEvents, all of which an event must meet."""

    conditions: tuple[p.Expr, ...]


@dataclass(frozen=True)
class RowPredicates:
    """An event is a hit if it meets one of the alternatives. `columns` are the event columns that the query reads."""

    alternatives: tuple[RowPredicate, ...]
    columns: frozenset[str]


@dataclass(frozen=True)
class FullScan:
    """A query that must read all events of its window, and why. `scan` is the read that causes it, if there is one."""

    why: str
    scan: p.Scan | None = None


def extract_row_predicates(plan: p.Plan) -> RowPredicates | FullScan:
    """The row-level predicates of a query, if it has any. `plan` comes from the binder, not limited to a window."""
    found = [(scan, _row_predicate(above)) for scan, above in row_local.scans(plan) if scan.table == EVENTS]
    if not found:
        return FullScan(f"it does not read {EVENTS}")
    for scan, predicate in found:
        if not any(p.references(term) - set(TIME_COLUMNS) for term in predicate.conditions):
            return FullScan(
                f"it reads {EVENTS} without a condition, other than on time, that one event can decide", scan
            )
    columns: set[str] = set()
    needed = p.all_needed(plan)
    for scan, predicate in found:
        columns |= needed[id(scan)].union(*(p.references(term) for term in predicate.conditions))
    distinct = {tuple(shape(term) for term in predicate.conditions): predicate for _, predicate in found}
    return RowPredicates(tuple(distinct.values()), frozenset(columns))


def shape(expr: p.Expr) -> tuple[object, ...]:
    """A key that is equal for equal expressions, whatever their position in the query."""
    return tuple(_form(part) for part in p.parts(expr))


def _form(part: p.Expr) -> tuple[object, ...]:
    if isinstance(part, p.Call):
        return (part.function, part.type, len(part.args))
    return (type(part), part.type, repr(part.value) if isinstance(part, p.Const) else getattr(part, "name", None))


def _row_predicate(conditions: Conditions) -> RowPredicate:
    """The conditions that one event can decide and that other events do not depend on."""
    return RowPredicate(tuple(one.expr for one in conditions if one.separable and row_local.is_of_one_row(one.expr)))
