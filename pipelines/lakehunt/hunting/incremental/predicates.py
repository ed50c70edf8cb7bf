"""Extracts the row-level predicates of a query: conditions that depend on one event alone, so they can be evaluated
once, when the event lands.

A query reads event tables, each once or several times, with conditions above each read (see `kql/row_local.py`). The
conditions that depend on the event alone (not on now(), not on another table) form the read's row predicate. An event
that fails the predicates of all reads of its table cannot be in any result, on any day. The other events are hits, and
the query gives the same result over its hits as over all events. Omitting a condition from a predicate is always safe:
it only yields more hits, and never loses a finding.

This holds for each table by itself: if a query reads one without conditions, all events of that table are read, and of
the others only hits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lakehunt.hunting.query.time_window import TIME_COLUMNS
from lakehunt.kql import plan as p
from lakehunt.kql import row_local
from lakehunt.kql.row_local import Conditions
from lakehunt.schemas.event_table import EventTable
from lakehunt.schemas.event_tables import BY_NAME


@dataclass(frozen=True)
class RowPredicate:
    """Conditions on columns of an event table, all of which an event must meet."""

    conditions: tuple[p.Expr, ...]


@dataclass(frozen=True)
class TablePredicates:
    """An event of the table is a hit if it meets one of the alternatives. `columns` are those that the query reads."""

    table: EventTable
    alternatives: tuple[RowPredicate, ...]
    columns: frozenset[str]


@dataclass(frozen=True)
class FullScan:
    """A query, or an event table of a query, of which all events of the window must be read, and why. `scan` is the
    read that causes it, if there is one."""

    why: str
    scan: p.Scan | None = None


@dataclass(frozen=True)
class RowPredicates:
    """Of each event table that a query reads, by its name; `in_full` are those that have none. A table of which no
    event can meet the conditions is in neither."""

    tables: Mapping[str, TablePredicates]
    in_full: Mapping[str, FullScan] = field(default_factory=dict)


def extract_row_predicates(plan: p.Plan) -> RowPredicates | FullScan:
    """The row-level predicates of a query, if it has any. `plan` comes from the binder, not limited to a window."""
    found: dict[str, list[tuple[p.Scan, RowPredicate]]] = {}
    for scan, above in row_local.scans(plan):
        if scan.table in BY_NAME:
            found.setdefault(scan.table, []).append((scan, _row_predicate(above)))
    if not found:
        return FullScan("it reads no event table")
    needed = p.all_needed(plan)
    tables: dict[str, TablePredicates] = {}
    in_full: dict[str, FullScan] = {}
    for name, reads in found.items():
        possible = [(scan, one) for scan, one in reads if not any(map(row_local.is_false, one.conditions))]
        free = [scan for scan, one in possible if not _decides(one)]
        if free:
            why = f"it reads {name} without a condition, other than on time, that one event can decide"
            in_full[name] = FullScan(why, free[0])
        elif possible:
            tables[name] = _of_table(BY_NAME[name], possible, needed)
    if not tables:
        return next(iter(in_full.values()), FullScan("no event can meet its conditions"))
    return RowPredicates(tables, in_full)


def _decides(predicate: RowPredicate) -> bool:
    """Whether a predicate has a condition other than on time."""
    return any(p.references(term) - set(TIME_COLUMNS) for term in predicate.conditions)


def _of_table(
    table: EventTable, reads: list[tuple[p.Scan, RowPredicate]], needed: Mapping[int, set[str]]
) -> TablePredicates:
    columns: set[str] = set()
    for scan, predicate in reads:
        columns |= needed[id(scan)].union(*(p.references(term) for term in predicate.conditions))
    distinct = {tuple(shape(term) for term in predicate.conditions): predicate for _, predicate in reads}
    return TablePredicates(table, tuple(distinct.values()), frozenset(columns))


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
